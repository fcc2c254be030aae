// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Thresholds of causal SPARSEK and the sizes of their supports, which are differences of prefix sums over
// runs of queries.

#include <heddle/cpu_sparsek.h>

#include "cpu/sparsek_support.h"
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
