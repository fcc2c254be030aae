// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The adjoint and the tangent of the thresholds: tau of query i moves by the mean of its support. With the
// runs of queries in whose supports the keys are, both are differences of running sums, and each the
// transpose of the other.

#include <heddle/cpu_sparsek.h>

#include "cpu/sparsek_support.h"

using namespace heddle::runtime;
using namespace heddle::runtime::sparsek;

namespace {

struct Scratch {
  std::vector<Run> runs;
  std::vector<double> sums;
};

/// What the two share: calls body(first element, length, scratch) for every sequence of every row, with the
/// runs of its keys, in positions of the sequence; keys beyond them are in no support.
template <typename T, typename Body>
void eachSupport(const T *u, const T *hi, const T *lo, int64_t rows, int64_t n, int64_t window,
                 const int32_t *bounds, const Body &body) {
  checkRows(rows, n, window);
  eachSequence<Scratch>(rows, sequencesOf(bounds, n),
                        [&](int64_t row, const Sequence &sequence, Scratch &scratch) {
                          const int64_t at = row * n + sequence.start, length = sequence.length;
                          const int64_t width = std::min(window, length);
                          int64_t valid = length; // NaN thresholds are a sequence's last ones
                          while (valid > 0 && hi[at + valid - 1] != hi[at + valid - 1])
                            --valid;
                          const int64_t joining = std::max<int64_t>(0, valid - width);
                          findRuns(u + at, hi + at, lo + at, joining, width, valid, scratch.runs);
                          body(at, length, scratch);
                        });
}

template <typename T>
void thresholdsBackward(const T *u, const T *hi, const T *lo, const int32_t *count, const T *dtau,
                        int64_t rows, int64_t n, int64_t window, const int32_t *bounds, T *du) {
  eachSupport(u, hi, lo, rows, n, window, bounds, [&](int64_t at, int64_t length, Scratch &scratch) {
    std::vector<double> &prefix = scratch.sums;
    prefix.resize(static_cast<size_t>(length) + 1);
    prefix[0] = 0;
    runningSums(
        length,
        [&](int64_t i) {
          return count[at + i] > 0 ? static_cast<double>(dtau[at + i]) / count[at + i] : 0.0;
        },
        [&](int64_t i, double sum) { prefix[static_cast<size_t>(i) + 1] = sum; });
    const auto joining = static_cast<int64_t>(scratch.runs.size());
    parallelChunks(length, keysPerTask, [&](int64_t begin, int64_t end) {
      for (int64_t j = begin; j < end; ++j) {
        const Run run = j < joining ? scratch.runs[static_cast<size_t>(j)] : Run{0, 0};
        du[at + j] = run.begin < run.end ? static_cast<T>(prefix[run.end] - prefix[run.begin]) : T(0);
      }
    });
  });
}

template <typename T>
void thresholdsTangent(const T *u, const T *hi, const T *lo, const int32_t *count, const T *du, int64_t rows,
                       int64_t n, int64_t window, const int32_t *bounds, T *dtau) {
  eachSupport(u, hi, lo, rows, n, window, bounds, [&](int64_t at, int64_t length, Scratch &scratch) {
    // What joins the support of each query, less what leaves it; key by key, since several keys share a
    // query.
    std::vector<double> &changes = scratch.sums;
    changes.assign(static_cast<size_t>(length) + 1, 0);
    for (size_t j = 0; j < scratch.runs.size(); ++j)
      if (const Run run = scratch.runs[j]; run.begin < run.end) {
        const double moved = static_cast<double>(du[at + static_cast<int64_t>(j)]);
        changes[run.begin] += moved;
        changes[run.end] -= moved;
      }
    runningSums(
        length, [&](int64_t i) { return changes[static_cast<size_t>(i)]; },
        [&](int64_t i, double sum) {
          dtau[at + i] = count[at + i] > 0 ? static_cast<T>(sum / count[at + i]) : T(0);
        });
  });
}

} // namespace

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

heddle_status_t heddle_cpu_sparsek_threshold_tangent_f32(const float *u, const float *hi, const float *lo,
                                                         const int32_t *count, const float *du, int64_t rows,
                                                         int64_t n, int64_t window, const int32_t *bounds,
                                                         float *dtau) {
  return guard([&] { thresholdsTangent(u, hi, lo, count, du, rows, n, window, bounds, dtau); });
}

heddle_status_t heddle_cpu_sparsek_threshold_tangent_f64(const double *u, const double *hi, const double *lo,
                                                         const int32_t *count, const double *du, int64_t rows,
                                                         int64_t n, int64_t window, const int32_t *bounds,
                                                         double *dtau) {
  return guard([&] { thresholdsTangent(u, hi, lo, count, du, rows, n, window, bounds, dtau); });
}
