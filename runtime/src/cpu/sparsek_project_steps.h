// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The passes of the projection over scores in memory: solving tiles of rows, single rows and samples of long
// ones, and writing p. T is the type of the scores, float or double.
#pragma once

#include "cpu/sparsek_newton.h"
#include "cpu/sparsek_order.h"

namespace heddle::runtime::sparsek {

/// What all rows have in common.
struct Task {
  double k;
  int64_t n;
  float quantile; ///< above which a standard normal number lies with probability k / n
};

/// A row's threshold, exact where it was found. NaN for rows with a NaN.
struct Threshold {
  double hi, lo;
  bool found;
};

/// Accurate to 5e-4 (Abramowitz and Stegun, 26.2.23); 0 < p < 1.
inline double normalQuantile(double p) {
  if (p > 0.5)
    return -normalQuantile(1 - p);
  const double t = std::sqrt(-2 * std::log(p));
  return t -
         (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
}

inline Task taskOf(double k, int64_t n) {
  const double share = k / static_cast<double>(n);
  return {k, n, share < 1 ? static_cast<float>(normalQuantile(share)) : 0};
}

//===--- Where to start -------------------------------------------------------------------------------===//

/// What rows are like, lane by lane.
struct Statistics {
  Floats least, most, sum, squares;
  Integers nan;
};

HEDDLE_INLINE void clear(Statistics &s) {
  s.least = splat<Floats>(FLT_MAX);
  s.most = -s.least;
  s.sum = s.squares = Floats{};
  s.nan = Integers{};
}

HEDDLE_INLINE void add(Statistics &s, const Floats &x) {
  s.nan |= x != x;
  s.least = x < s.least ? x : s.least;
  s.most = x > s.most ? x : s.most;
  s.sum += x;
  s.squares += x * x;
}

/// Of lanes that share a row.
HEDDLE_INLINE void join(Statistics &s) {
  float least = s.least[0], most = s.most[0];
  for (int lane = 1; lane < lanes; ++lane) {
    least = s.least[lane] < least ? s.least[lane] : least;
    most = s.most[lane] > most ? s.most[lane] : most;
  }
  s.least = splat<Floats>(least);
  s.most = splat<Floats>(most);
  joinLanes(s.sum);
  joinLanes(s.squares);
  s.nan = splat<Integers>(any(s.nan) ? -1 : 0);
}

/// tau lies in [least - 1, most]. It is the quantile of z - u with u uniform on [0, 1]: start from that of a
/// normal distribution with the same mean and variance.
HEDDLE_INLINE void start(const Statistics &s, float count, float quantile, Bracket &at) {
  const Floats largest = splat<Floats>(FLT_MAX);
  const Floats least = s.least > -largest ? s.least : -largest;
  at.low = least - 1 - (least < 0 ? -least : least) * FLT_EPSILON; // at most least - 1 after rounding
  at.low = at.low > -largest ? at.low : -largest;
  at.high = s.most < largest ? s.most : largest;
  const Floats mean = s.sum / count;
  const Floats variance = s.squares / count - mean * mean + 1.0f / 12;
  const Floats guess = mean - 0.5f + __builtin_elementwise_sqrt(variance) * quantile;
  at.tau = ((guess > at.low) & (guess < at.high)) ? guess : at.high - 1;
}

//===--- Eight rows -----------------------------------------------------------------------------------===//

/// Up to eight rows as columns: tile[j * lanes + lane].
template <typename T>
HEDDLE_INLINE void solveTile(const Task &task, const T *z, int64_t rows, T *tile, Threshold *thresholds) {
  typedef typename Block<T>::Vector Vector;
  const int64_t n = task.n;
  const T *row[lanes];
  for (int lane = 0; lane < lanes; ++lane)
    row[lane] = z + (lane < rows ? lane : 0) * n;
  Statistics statistics;
  clear(statistics);
  int64_t j = 0;
  for (; j + lanes <= n; j += lanes) {
    Vector columns[lanes];
    for (int i = 0; i < lanes; ++i)
      load(row[i] + j, columns[i]);
    transpose(columns);
    std::memcpy(tile + j * lanes, columns, sizeof columns);
    for (int i = 0; i < lanes; ++i)
      add(statistics, __builtin_convertvector(columns[i], Floats));
  }
  for (; j < n; ++j) {
    Vector column;
    for (int lane = 0; lane < lanes; ++lane)
      column[lane] = row[lane][j];
    std::memcpy(tile + j * lanes, &column, sizeof column);
    add(statistics, __builtin_convertvector(column, Floats));
  }
  Bracket at;
  start(statistics, static_cast<float>(n), task.quantile, at);
  const Rest none = {0, 0, 0, 0};
  approach<false>(tile, n, static_cast<float>(task.k), none, at);
  LaneThresholds tau;
  confirm<false>(tile, n, at.tau, task.k, none, tau);
  for (int lane = 0; lane < rows; ++lane)
    thresholds[lane] = statistics.nan[lane] ? Threshold{NAN, 0, true}
                                            : Threshold{tau.hi[lane], tau.lo[lane], tau.found[lane] != 0};
}

/// clip((z - hi) - lo).
template <typename T>
HEDDLE_INLINE typename Block<T>::Vector gates(const T *z, const Doubles &hi, const Doubles &lo) {
  const Doubles largest = splat<Doubles>(largestScore);
  Doubles x = loadAs<Doubles>(z);
  x = x > largest ? largest : x;
  x = x < -largest ? -largest : x;
  return __builtin_convertvector(clipLanes((x - hi) - lo), typename Block<T>::Vector);
}

template <typename T>
HEDDLE_INLINE void writeTile(const T *tile, int64_t rows, int64_t n, const Threshold *thresholds, T *p) {
  typedef typename Block<T>::Vector Vector;
  Doubles hi{}, lo{};
  for (int lane = 0; lane < rows; ++lane) {
    hi[lane] = thresholds[lane].hi;
    lo[lane] = thresholds[lane].lo;
  }
  int64_t j = 0;
  for (; j + lanes <= n; j += lanes) {
    Vector columns[lanes];
    for (int i = 0; i < lanes; ++i)
      columns[i] = gates(tile + (j + i) * lanes, hi, lo);
    transpose(columns);
    for (int i = 0; i < rows; ++i)
      std::memcpy(p + i * n + j, &columns[i], sizeof columns[i]);
  }
  for (; j < n; ++j) {
    const Vector column = gates(tile + j * lanes, hi, lo);
    for (int lane = 0; lane < rows; ++lane)
      p[lane * n + j] = column[lane];
  }
}

//===--- One row --------------------------------------------------------------------------------------===//

/// The last elements of a row, and the lowest score in the lanes after them.
template <typename T>
HEDDLE_INLINE void loadPart(const T *z, int64_t size, T fill, typename Block<T>::Vector &x) {
  T values[lanes];
  for (int i = 0; i < lanes; ++i)
    values[i] = i < size ? z[i] : fill;
  load(values, x);
}

/// `padded` has room for the row in whole vectors.
template <typename T>
HEDDLE_INLINE void solveRow(const Task &task, const T *z, T *padded, Threshold &tau) {
  typename Block<T>::Vector x;
  const int64_t n = task.n, whole = n / lanes * lanes;
  Statistics statistics;
  clear(statistics);
  for (int64_t j = 0; j < whole; j += lanes) {
    load(z + j, x);
    std::memcpy(padded + j, &x, sizeof x);
    add(statistics, __builtin_convertvector(x, Floats));
  }
  if (whole < n) {
    loadPart(z + whole, n - whole, static_cast<T>(-largestScore), x);
    std::memcpy(padded + whole, &x, sizeof x);
    // Counts some elements twice: it is a first guess.
    loadPart(z + whole, n - whole, z[whole], x);
    add(statistics, __builtin_convertvector(x, Floats));
  }
  join(statistics);
  Bracket at;
  start(statistics, static_cast<float>(n), task.quantile, at);
  const int64_t steps = (n + lanes - 1) / lanes;
  const Rest none = {0, 0, 0, 0};
  approach<true>(padded, steps, static_cast<float>(task.k), none, at);
  LaneThresholds found;
  confirm<true>(padded, steps, at.tau, task.k, none, found);
  tau = any(statistics.nan) ? Threshold{NAN, 0, true}
                            : Threshold{found.hi[0], found.lo[0], found.found[0] != 0};
}

template <typename T>
HEDDLE_INLINE void writeRow(const T *z, int64_t n, const Threshold &tau, T *p) {
  const Doubles hi = splat<Doubles>(tau.hi), lo = splat<Doubles>(tau.lo);
  const int64_t whole = n / lanes * lanes;
  for (int64_t j = 0; j < whole; j += lanes) {
    const typename Block<T>::Vector x = gates(z + j, hi, lo);
    std::memcpy(p + j, &x, sizeof x);
  }
  if (whole == n)
    return;
  typename Block<T>::Vector x;
  loadPart(z + whole, n - whole, T(0), x);
  T values[lanes];
  std::memcpy(values, &x, sizeof x);
  x = gates(values, hi, lo);
  for (int64_t j = whole; j < n; ++j)
    p[j] = x[j - whole];
}

//===--- One long row ---------------------------------------------------------------------------------===//

/// For low <= tau <= high, scores up to `low` count as 0, those above `fullAbove` as 1, and those from `high`
/// to `insideUpTo`, if there are any, as z - tau.
template <typename T>
struct Limits {
  float low, high;
  T fullAbove, insideUpTo;
};

/// Where tau probably lies: that of the sample for a little more than its share of k, and a little less.
template <typename T>
HEDDLE_INLINE void solveSample(const Task &task, const T *sample, int64_t size, float &low, float &high) {
  const double count = static_cast<double>(size), share = task.k * count / static_cast<double>(task.n);
  // The sum over a sample varies less than a count does.
  const double margin = 3 * __builtin_sqrt(share < count - share ? share : count - share) + 3;
  Statistics statistics;
  clear(statistics);
  for (int64_t i = 0; i < size; i += lanes)
    add(statistics, loadAs<Floats>(sample + i));
  join(statistics);
  Bracket first;
  start(statistics, static_cast<float>(size), task.quantile, first);
  const Rest none = {0, 0, 0, 0};
  const double more = share + margin, most = count - (count - share) / 16;
  const double less = share - margin, least = share / 16;
  Bracket at = first;
  approach<true>(sample, size / lanes, static_cast<float>(more < most ? more : most), none, at);
  low = at.tau[0];
  at = first;
  approach<true>(sample, size / lanes, static_cast<float>(less > least ? less : least), none, at);
  high = at.tau[0];
}

/// What a pass over some scores found. `kept` were neither `full` nor `inside` nor 0.
struct Part {
  int64_t full, inside, kept;
  double sum; ///< of those inside, relative to limits.high
  bool nan;
};

typedef bool Bits __attribute__((ext_vector_type(lanes)));

template <typename T>
HEDDLE_INLINE void filter(const T *z, int64_t n, const Limits<T> &limits, T *kept, Part &part) {
  typedef typename Block<T>::Vector Vector;
  const T low = limits.low, high = limits.high;
  const Vector centre = Vector{} + high;
  auto full = (centre != centre), inside = full, nan = full;
  Doubles sum{};
  int64_t count = 0;
  for (int64_t j = 0; j < n; j += lanes) {
    Vector x;
    if (j + lanes <= n)
      load(z + j, x);
    else
      loadPart(z + j, n - j, static_cast<T>(-largestScore), x);
    const auto isFull = x > limits.fullAbove, isInside = (x >= high) & (x <= limits.insideUpTo);
    nan |= x != x;
    full -= isFull;
    inside -= isInside;
    sum += __builtin_convertvector(isInside ? x : centre, Doubles) - static_cast<double>(high);
    const Bits unknown = __builtin_convertvector((x > low) & ~isFull & ~isInside, Bits);
    uint8_t bits;
    std::memcpy(&bits, &unknown, sizeof bits);
    for (; bits != 0; bits &= static_cast<uint8_t>(bits - 1))
      kept[count++] = z[j + __builtin_ctz(bits)];
  }
  joinLanes(full);
  joinLanes(inside);
  joinLanes(sum);
  part = {full[0], inside[0], count, sum[0], __builtin_reduce_or(nan) != 0};
}

/// From what the filter left; right only where tau is within the limits.
template <typename T>
HEDDLE_INLINE void solveKept(double k, const Rest &rest, const Limits<T> &limits, const T *kept,
                             int64_t steps, Threshold &tau) {
  Bracket at;
  at.low = splat<Floats>(limits.low);
  at.high = splat<Floats>(limits.high);
  const Floats middle = 0.5f * (at.low + at.high);
  at.tau = ((at.low > -FLT_MAX) & (at.high < FLT_MAX)) ? middle : halfway(at.low, at.high);
  approach<true>(kept, steps, static_cast<float>(k), rest, at);
  LaneThresholds found;
  confirm<true>(kept, steps, at.tau, k, rest, found);
  tau = {found.hi[0], found.lo[0], found.found[0] != 0};
}

} // namespace heddle::runtime::sparsek
