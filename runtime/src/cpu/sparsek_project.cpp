// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The projection onto {p : 0 <= p <= 1, sum p = k}, row by row: p = clip(z - tau). Short rows are solved
// eight at a time, one a vector lane, longer ones over all lanes. A long row is read twice: a sample brackets
// tau, the first pass sums the scores whose part is known within the bracket and keeps the few others, from
// which tau follows, and the second writes p. Rows that this does not solve, for the magnitude of tau, are
// sorted.

#include <heddle/cpu_sparsek.h>

#include "cpu/elements.h"
#include "cpu/sparsek_project_steps.h"
#include "cpu/sparsek_rows.h"
#include "cpu/sparsek_sorted.h"

#include <cstdio>
#include <memory>

using namespace heddle::runtime;
using namespace heddle::runtime::sparsek;

namespace {

constexpr int64_t tileLength = 512;    ///< up to here eight rows at a time
constexpr int64_t longLength = 8192;   ///< from here on with a sample
constexpr int64_t chunkLength = 65536; ///< what one thread takes of a long row at a time

//===--- The steps, for every level of the processor --------------------------------------------------===//

#define HEDDLE_PROJECT_STEPS(T)                                                                              \
  HEDDLE_HOT void tileThresholds(const Task &task, const T *z, int64_t rows, T *tile, Threshold *tau) {      \
    solveTile(task, z, rows, tile, tau);                                                                     \
  }                                                                                                          \
  HEDDLE_HOT void projectTile(const T *tile, int64_t rows, int64_t n, const Threshold *tau, T *p) {          \
    writeTile(tile, rows, n, tau, p);                                                                        \
  }                                                                                                          \
  HEDDLE_HOT void rowThreshold(const Task &task, const T *z, T *padded, Threshold &tau) {                    \
    solveRow(task, z, padded, tau);                                                                          \
  }                                                                                                          \
  HEDDLE_HOT void projectRow(const T *z, int64_t n, const Threshold &tau, T *p) { writeRow(z, n, tau, p); }  \
  HEDDLE_HOT void bracket(const Task &task, const T *sample, int64_t size, float &low, float &high) {        \
    solveSample(task, sample, size, low, high);                                                              \
  }                                                                                                          \
  HEDDLE_HOT void keepUnknown(const T *z, int64_t n, const Limits<T> &limits, T *kept, Part &part) {         \
    filter(z, n, limits, kept, part);                                                                        \
  }                                                                                                          \
  HEDDLE_HOT void keptThreshold(double k, const Rest &rest, const Limits<T> &limits, const T *kept,          \
                                int64_t steps, Threshold &tau) {                                             \
    solveKept(k, rest, limits, kept, steps, tau);                                                            \
  }
HEDDLE_PROJECT_STEPS(float)
HEDDLE_PROJECT_STEPS(double)
#undef HEDDLE_PROJECT_STEPS

//===--- Rows -----------------------------------------------------------------------------------------===//

/// Scratch memory that is not cleared, with room for a last whole vector.
template <typename T>
class Scratch {
public:
  T *get(int64_t size) {
    if (size + lanes > capacity) {
      capacity = size + lanes;
      memory.reset(new T[static_cast<size_t>(capacity)]);
    }
    return memory.get();
  }

private:
  std::unique_ptr<T[]> memory;
  int64_t capacity = 0;
};

template <typename T>
class Projector {
public:
  explicit Projector(const Task &task) : task(task) {}

  /// p may be z.
  void run(const T *z, int64_t rows, T *p) {
    const int64_t n = task.n;
    if (task.k < static_cast<double>(n) && n <= tileLength)
      return runTiles(z, rows, p);
    for (int64_t row = 0; row < rows; ++row)
      if (task.k >= static_cast<double>(n))
        takeAll(z + row * n, p + row * n);
      else
        runRow(z + row * n, p + row * n);
  }

private:
  void takeAll(const T *z, T *p) const {
    bool nan = false;
    for (int64_t j = 0; j < task.n; ++j)
      nan |= z[j] != z[j];
    std::fill_n(p, task.n, nan ? std::numeric_limits<T>::quiet_NaN() : T(1));
  }

  void runTiles(const T *z, int64_t rows, T *p) {
    T *tile = scratch.get(task.n * lanes);
    Threshold tau[lanes];
    for (int64_t row = 0; row < rows; row += lanes) {
      const int64_t count = std::min<int64_t>(lanes, rows - row), at = row * task.n;
      tileThresholds(task, z + at, count, tile, tau);
      for (int64_t i = 0; i < count; ++i)
        if (!tau[i].found)
          tau[i] = sortRow(z + at + i * task.n);
      projectTile(tile, count, task.n, tau, p + at);
    }
  }

  void runRow(const T *z, T *p) {
    Threshold tau{0, 0, false};
    if (task.n >= longLength)
      tau = sampledThreshold(z);
    if (!tau.found)
      rowThreshold(task, z, scratch.get(task.n), tau);
    if (!tau.found)
      tau = sortRow(z);
    overChunks([&](int64_t, int64_t begin, int64_t size) { projectRow(z + begin, size, tau, p + begin); });
  }

  /// body(chunk, begin, size), in parallel unless rows already are.
  template <typename Body>
  void overChunks(const Body &body) const {
    const int64_t n = task.n;
    parallelChunks((n - 1) / chunkLength + 1, 1, [&](int64_t chunk, int64_t) {
      const int64_t begin = chunk * chunkLength;
      body(chunk, begin, std::min(chunkLength, n - begin));
    });
  }

  Threshold sampledThreshold(const T *z) {
    // Positions at irregular distances: those of a period would be no sample.
    const int64_t size = std::clamp<int64_t>(task.n / 16, 512, 4096) / lanes * lanes, stride = task.n / size;
    T *sample = scratch.get(task.n);
    for (int64_t i = 0; i < size; ++i) {
      const uint32_t shift = static_cast<uint32_t>(i) * 2654435761u >> 8;
      sample[i] = z[i * stride + shift % stride];
    }
    Limits<T> limits;
    bracket(task, sample, size, limits.low, limits.high);
    Threshold tau = filteredThreshold(z, limits);
    // The largest scores may be too few for a sample to meet.
    if (tau.found && tau.hi + tau.lo > limits.high) {
      limits.high = FLT_MAX;
      tau = filteredThreshold(z, limits);
    }
    tau.found &= !(tau.hi + tau.lo < limits.low);
    return tau;
  }

  Threshold filteredThreshold(const T *z, Limits<T> &limits) {
    limits.fullAbove = floorOf<T>(limits.high, 1);
    limits.insideUpTo = floorOf<T>(limits.low, 1);
    T *kept = scratch.get(task.n);
    std::vector<Part> parts(static_cast<size_t>((task.n - 1) / chunkLength + 1));
    overChunks([&](int64_t chunk, int64_t begin, int64_t length) {
      keepUnknown(z + begin, length, limits, kept + begin, parts[static_cast<size_t>(chunk)]);
    });
    Rest rest = {0, 0, 0, limits.high};
    int64_t count = 0, begin = 0;
    bool nan = false;
    for (const Part &part : parts) {
      rest.full += static_cast<double>(part.full);
      rest.inside += static_cast<double>(part.inside);
      rest.sum += part.sum;
      nan |= part.nan;
      std::copy_n(kept + begin, part.kept, kept + count);
      count += part.kept;
      begin += chunkLength;
    }
    if (nan)
      return {std::numeric_limits<double>::quiet_NaN(), 0, true};
    while (count % lanes != 0)
      kept[count++] = static_cast<T>(-largestScore);
    Threshold tau;
    keptThreshold(task.k, rest, limits, kept, count / lanes, tau);
    return tau;
  }

  Threshold sortRow(const T *z) const {
    std::vector<double> scores(static_cast<size_t>(task.n));
    for (int64_t j = 0; j < task.n; ++j)
      scores[static_cast<size_t>(j)] = clampScore(static_cast<double>(z[j]));
    SortedThreshold sorted;
    sorted.solve(scores, task.k);
    return {sorted.hi, sorted.lo, true};
  }

  const Task &task;
  Scratch<T> scratch;
};

//===--- Element types --------------------------------------------------------------------------------===//

template <typename T>
void projectRows(const Task &task, const T *z, int64_t rows, T *p) {
  Projector<T>(task).run(z, rows, p);
}

/// bf16 and f16 become f32 a few rows at a time, and back.
template <bool isBF16>
void projectNarrow(const Task &task, const uint16_t *z, int64_t rows, uint16_t *p) {
  const int64_t step = task.n <= tileLength ? lanes : 1;
  Projector<float> projector(task);
  Scratch<float> scratch;
  float *wide = scratch.get(std::min(step, rows) * task.n);
  for (int64_t row = 0; row < rows; row += step) {
    const int64_t count = std::min(step, rows - row), at = row * task.n;
    for (int64_t i = 0; i < count * task.n; ++i)
      wide[i] = widenElement(z[at + i], isBF16);
    projector.run(wide, count, wide);
    for (int64_t i = 0; i < count * task.n; ++i)
      p[at + i] = narrowElement(wide[i], isBF16);
  }
}

void project(const Task &task, int32_t dtype, const void *z, int64_t begin, int64_t end, void *p) {
  auto rows = [&](auto type, auto function) {
    using T = decltype(type);
    const int64_t first = begin * task.n;
    function(task, static_cast<const T *>(z) + first, end - begin, static_cast<T *>(p) + first);
  };
  switch (dtype) {
  case HEDDLE_F64:
    return rows(double(), projectRows<double>);
  case HEDDLE_F32:
    return rows(float(), projectRows<float>);
  case HEDDLE_BF16:
    return rows(uint16_t(), projectNarrow<true>);
  default:
    return rows(uint16_t(), projectNarrow<false>);
  }
}

} // namespace

heddle_status_t heddle_cpu_sparsek_project(int32_t dtype, const void *z, double k, int64_t rows, int64_t n,
                                           void *p) {
  return guard([&] {
    if (!(k > 0)) {
      char digits[32];
      std::snprintf(digits, sizeof digits, "%.17g", k);
      throw Failure(HEDDLE_INVALID_ARGUMENT, std::string("sparsek needs k > 0, but k is ") + digits);
    }
    if (dtype < HEDDLE_F64 || dtype > HEDDLE_F16)
      throw Failure(HEDDLE_INVALID_ARGUMENT, std::string("scores of type ") +
                                                 heddle_dtype_name(static_cast<heddle_dtype_t>(dtype)) +
                                                 " cannot be projected");
    if (rows <= 0 || n <= 0)
      return;
    const Task task = taskOf(k, n);
    // Few long rows leave the threads to the chunks of each.
    if (n >= longLength && rows < heddle_num_threads())
      return project(task, dtype, z, 0, rows, p);
    const int64_t grain = std::max<int64_t>(1, 32768 / n);
    parallelChunks(rows, n <= tileLength ? (grain + lanes - 1) / lanes * lanes : grain,
                   [&](int64_t begin, int64_t end) { project(task, dtype, z, begin, end, p); });
  });
}

void heddle_call_sparsek_project(heddle_call_t *call, const char *where, int32_t dtype, const void *z,
                                 int32_t kDtype, const void *k, int64_t rows, int64_t n, void *p) {
  const double mass = kDtype == HEDDLE_F64 ? *static_cast<const double *>(k) : *static_cast<const float *>(k);
  heddle_status_t status = heddle_cpu_sparsek_project(dtype, z, mass, rows, n, p);
  if (status == HEDDLE_OK)
    return;
  char message[HEDDLE_CALL_MESSAGE_SIZE];
  std::snprintf(message, sizeof message, "%s%s", where ? where : "", heddle_last_error());
  heddle_fail(call, status, message);
}
