// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Thresholds of causal SPARSEK and their adjoint. The support of a query is never listed: key j is in S_i for
// one run of queries, found by binary search in tau, so sizes of supports and the adjoint are both
// differences of prefix sums over runs. Both passes take the runs from the same function, hence every query
// divides by exactly the number of keys that receive its share.

#include <heddle/cpu_sparsek.h>

#include "cpu/sparsek_sequences.h"
#include "cpu/sparsek_sweep.h"

using namespace heddle::runtime;
using namespace heddle::runtime::sparsek;

namespace {

/// The first NaN of a row, n if there is none.
template <typename T>
int64_t firstNan(const T *u, int64_t n) {
  for (int64_t j = 0; j < n; ++j)
    if (u[j] != u[j])
      return j;
  return n;
}

struct Run {
  int64_t begin, end;
};

/// The first i in [begin, end) where the predicate holds, given that it stays true; `end` if there is none.
/// Without branches on it: scores are as unpredictable as they come.
template <typename Predicate>
HEDDLE_INLINE int64_t firstWhere(int64_t begin, int64_t end, Predicate holds) {
  int64_t size = end - begin;
  while (size > 0) {
    const int64_t half = size / 2;
    const bool later = !holds(begin + half);
    begin = later ? begin + half + 1 : begin;
    size = later ? size - half - 1 : half;
  }
  return begin;
}

/// The queries i in [first, last) with 0 < (u - hi_i) - lo_i < 1; u is a key that joins at `first`.
template <typename T>
HEDDLE_INLINE Run supportRun(T score, const T *hi, const T *lo, int64_t first, int64_t last) {
  const T u = clampScore(score);
  auto dead = [&](int64_t i) { return !((u - hi[i]) - lo[i] > 0); };
  auto unsaturated = [&](int64_t i) { return (u - hi[i]) - lo[i] < 1; };
  if (dead(first))
    return {first, first}; // most keys of a long row
  const int64_t begin = unsaturated(first) ? first : firstWhere(first + 1, last, unsaturated);
  const int64_t end = begin < last && !dead(last - 1) ? last : firstWhere(begin, last, dead);
  return {begin, end};
}

/// The runs of the keys [0, joining), in parallel.
template <typename T>
void findRuns(const T *u, const T *hi, const T *lo, int64_t joining, int64_t window, int64_t valid,
              std::vector<Run> &runs) {
  runs.resize(static_cast<size_t>(joining));
  parallelChunks(joining, keysPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j)
      runs[static_cast<size_t>(j)] = supportRun(u[j], hi, lo, j + window, valid);
  });
}

void checkRows(int64_t rows, int64_t n, int64_t window) {
  requireSize(n, "the number of scores");
  if (window < 0)
    throw Failure(HEDDLE_INVALID_ARGUMENT,
                  "the window is " + std::to_string(window) + ", expected 0 or more");
  if (rows < 0)
    throw Failure(HEDDLE_INVALID_ARGUMENT,
                  "the number of rows is " + std::to_string(rows) + ", expected 0 or more");
}

template <typename T>
void thresholds(const T *u, int64_t rows, int64_t n, int64_t topk, int64_t window, const int32_t *bounds,
                T *hi, T *lo, int32_t *count, int32_t *end) {
  checkRows(rows, n, window);
  requireSize(topk, "topk");
  const std::vector<Sequence> sequences = sequencesOf(bounds, n);
  auto all = [](const Sequence &) { return true; };
  if (topk == 0) {
    std::fill_n(hi, rows * n, -std::numeric_limits<T>::infinity());
    std::fill_n(lo, rows * n, T(0));
    std::fill_n(count, rows * n, 0);
    for (int64_t row = 0; row < rows; ++row)
      for (const auto &[start, length] : sequences)
        for (int64_t j = 0; j < length; ++j)
          end[row * n + start + j] =
              static_cast<int32_t>(start + (window < length - j ? j + window : length));
    return;
  }

  // Where a sequence has its first NaN, kept in the count of its first query.
  parallelSequences<ThresholdSweep<T>>( // keeps its memory from row to row
      rows, sequences, all, [&](int64_t row, const Sequence &sequence, ThresholdSweep<T> &sweep) {
        const auto [start, length] = sequence;
        const int64_t at = row * n + start;
        sweep.run(u + at, length, topk, std::min(window, length), {hi + at, lo + at, end + at});
        if (start > 0)
          for (int64_t j = 0; j < length; ++j)
            end[at + j] += static_cast<int32_t>(start);
        count[at] = static_cast<int32_t>(firstNan(u + at, length));
      });

  eachSequence<std::vector<Run>>(
      rows, sequences, [&](int64_t row, const Sequence &sequence, std::vector<Run> &runs) {
        const int64_t at = row * n + sequence.start, length = sequence.length;
        const int64_t width = std::min(window, length);
        // From query `valid` on the sequence is NaN; it has no supports.
        const int64_t valid = std::min(length, count[at] + width);
        const int64_t joining = std::max<int64_t>(0, valid - width);
        findRuns(u + at, hi + at, lo + at, joining, width, valid, runs);
        // Sizes of the supports: +1 where a run begins, -1 where it ends, summed.
        int32_t *sizes = count + at;
        std::fill_n(sizes, length, 0);
        for (int64_t j = 0; j < joining; ++j) {
          const Run run = runs[static_cast<size_t>(j)];
          if (run.begin < run.end) {
            ++sizes[run.begin];
            if (run.end < length)
              --sizes[run.end];
          }
        }
        int32_t size = 0;
        for (int64_t i = 0; i < length; ++i) {
          size += sizes[i];
          sizes[i] = i < valid ? size : 0;
        }
        std::fill(hi + at + valid, hi + at + length, std::numeric_limits<T>::quiet_NaN());
        std::fill(lo + at + valid, lo + at + length, T(0));
      });
}

template <typename T>
void thresholdsBackward(const T *u, const T *hi, const T *lo, const int32_t *count, const T *dtau,
                        int64_t rows, int64_t n, int64_t window, const int32_t *bounds, T *du) {
  checkRows(rows, n, window);
  struct Scratch {
    std::vector<Run> runs;
    std::vector<double> prefix;
  };
  eachSequence<Scratch>(
      rows, sequencesOf(bounds, n), [&](int64_t row, const Sequence &sequence, Scratch &scratch) {
        const int64_t at = row * n + sequence.start, length = sequence.length;
        const int64_t width = std::min(window, length);
        int64_t valid = length; // NaN thresholds are a sequence's last ones
        while (valid > 0 && hi[at + valid - 1] != hi[at + valid - 1])
          --valid;
        std::vector<double> &prefix = scratch.prefix;
        prefix.resize(static_cast<size_t>(length) + 1);
        prefix[0] = 0;
        for (int64_t i = 0; i < length; ++i)
          prefix[i + 1] =
              prefix[i] + (count[at + i] > 0 ? static_cast<double>(dtau[at + i]) / count[at + i] : 0.0);
        const int64_t joining = std::max<int64_t>(0, valid - width);
        findRuns(u + at, hi + at, lo + at, joining, width, valid, scratch.runs);
        for (int64_t j = 0; j < length; ++j) {
          const Run run = j < joining ? scratch.runs[static_cast<size_t>(j)] : Run{0, 0};
          du[at + j] = run.begin < run.end ? static_cast<T>(prefix[run.end] - prefix[run.begin]) : T(0);
        }
      });
}

} // namespace

heddle_status_t heddle_cpu_sparsek_threshold_f32(const float *u, int64_t rows, int64_t n, int64_t topk,
                                                 int64_t window, const int32_t *bounds, float *hi, float *lo,
                                                 int32_t *count, int32_t *end) {
  return guard([&] { thresholds(u, rows, n, topk, window, bounds, hi, lo, count, end); });
}

heddle_status_t heddle_cpu_sparsek_threshold_f64(const double *u, int64_t rows, int64_t n, int64_t topk,
                                                 int64_t window, const int32_t *bounds, double *hi,
                                                 double *lo, int32_t *count, int32_t *end) {
  return guard([&] { thresholds(u, rows, n, topk, window, bounds, hi, lo, count, end); });
}

heddle_status_t heddle_cpu_sparsek_threshold_backward_f32(const float *u, const float *hi, const float *lo,
                                                          const int32_t *count, const float *dtau,
                                                          int64_t rows, int64_t n, int64_t window,
                                                          const int32_t *bounds, float *du) {
  return guard([&] { thresholdsBackward(u, hi, lo, count, dtau, rows, n, window, bounds, du); });
}

heddle_status_t heddle_cpu_sparsek_threshold_backward_f64(const double *u, const double *hi, const double *lo,
                                                          const int32_t *count, const double *dtau,
                                                          int64_t rows, int64_t n, int64_t window,
                                                          const int32_t *bounds, double *du) {
  return guard([&] { thresholdsBackward(u, hi, lo, count, dtau, rows, n, window, bounds, du); });
}
