// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The support of a query is never listed: key j is in S_i for one run of queries, found by binary search in
// tau. Sizes of supports, the adjoint and the tangent of the thresholds are all sums over these runs, hence
// every query divides by exactly the number of keys that take part.
#pragma once

#include "cpu/sparsek_order.h"
#include "cpu/sparsek_sequences.h"

namespace heddle::runtime::sparsek {

/// Queries of a row.
struct Run {
  int32_t begin, end;
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
    return {static_cast<int32_t>(first), static_cast<int32_t>(first)}; // most keys of a long row
  const int64_t begin = unsaturated(first) ? first : firstWhere(first + 1, last, unsaturated);
  const int64_t end = begin < last && !dead(last - 1) ? last : firstWhere(begin, last, dead);
  return {static_cast<int32_t>(begin), static_cast<int32_t>(end)};
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

/// Running sums of term(i), i < n, in double: out(i, sum up to and with i). In parallel, in an order that
/// depends on n alone: blocks are summed from 0 and then raised by what stands before them.
template <typename Term, typename Out>
void runningSums(int64_t n, const Term &term, const Out &out) {
  const int64_t blocks = (n + keysPerTask - 1) / keysPerTask;
  std::vector<double> before(static_cast<size_t>(blocks));
  if (blocks > 1)
    parallelChunks(blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) {
        double sum = 0;
        for (int64_t i = block * keysPerTask; i < std::min(n, (block + 1) * keysPerTask); ++i)
          sum += term(i);
        before[static_cast<size_t>(block)] = sum;
      }
    });
  double total = 0;
  for (double &sum : before) {
    const double own = sum;
    sum = total;
    total += own;
  }
  auto writeBlocks = [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      double sum = before[static_cast<size_t>(block)];
      const int64_t last = std::min(n, (block + 1) * keysPerTask);
      for (int64_t i = block * keysPerTask; i < last; ++i) {
        sum += term(i);
        out(i, sum);
      }
    }
  };
  if (blocks > 1)
    parallelChunks(blocks, 1, writeBlocks);
  else
    writeBlocks(0, blocks);
}

inline void checkRows(int64_t rows, int64_t n, int64_t window) {
  requireSize(n, "the number of scores");
  if (window < 0)
    throw Failure(HEDDLE_INVALID_ARGUMENT,
                  "the window is " + std::to_string(window) + ", expected 0 or more");
  if (rows < 0)
    throw Failure(HEDDLE_INVALID_ARGUMENT,
                  "the number of rows is " + std::to_string(rows) + ", expected 0 or more");
}

} // namespace heddle::runtime::sparsek
