// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The sequences that a row holds one after the other.
#pragma once

#include "cpu/sparsek_rows.h"

#include <vector>

namespace heddle::runtime::sparsek {

struct Sequence {
  int64_t start, length;
};

/// The sequences of n positions that are not empty; one of all positions where bounds [2, n] is null.
inline std::vector<Sequence> sequencesOf(const int32_t *bounds, int64_t n) {
  std::vector<Sequence> sequences;
  if (!bounds) {
    if (n > 0)
      sequences.push_back({0, n});
    return sequences;
  }
  for (int64_t start = 0; start < n;) {
    const int64_t stop = bounds[n + start];
    if (bounds[start] != start || stop <= start || stop > n)
      throw Failure(HEDDLE_INVALID_ARGUMENT, "bounds of position " + std::to_string(start) + " are " +
                                                 std::to_string(bounds[start]) + " and " +
                                                 std::to_string(stop));
    sequences.push_back({start, stop - start});
    start = stop;
  }
  return sequences;
}

/// How many keys make a task.
constexpr int64_t keysPerTask = 4096;

/// Calls body(row, sequence, scratch) for every sequence of every row that satisfies the predicate, in
/// parallel; scratch is one `Scratch` for the sequences of a task.
template <typename Scratch, typename Predicate, typename Body>
void parallelSequences(int64_t rows, const std::vector<Sequence> &sequences, const Predicate &takes,
                       const Body &body) {
  const int64_t each = static_cast<int64_t>(sequences.size());
  if (each == 0)
    return;
  const int64_t n = sequences.back().start + sequences.back().length;
  const int64_t grain = std::max<int64_t>(1, keysPerTask * each / n);
  parallelChunks(rows * each, grain, [&](int64_t begin, int64_t end) {
    Scratch scratch;
    for (int64_t task = begin; task < end; ++task)
      if (const Sequence &sequence = sequences[static_cast<size_t>(task % each)]; takes(sequence))
        body(task / each, sequence, scratch);
  });
}

/// The same for all sequences: short ones in parallel, long ones one by one, whose bodies are parallel in
/// themselves.
template <typename Scratch, typename Body>
void eachSequence(int64_t rows, const std::vector<Sequence> &sequences, const Body &body) {
  auto isShort = [](const Sequence &sequence) { return sequence.length < keysPerTask; };
  parallelSequences<Scratch>(rows, sequences, isShort, body);
  Scratch scratch;
  for (int64_t row = 0; row < rows; ++row)
    for (const Sequence &sequence : sequences)
      if (!isShort(sequence))
        body(row, sequence, scratch);
}

} // namespace heddle::runtime::sparsek
