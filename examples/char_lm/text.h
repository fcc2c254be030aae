// Bytes to learn from: splitting, batches, and the bigram model that the network has to beat.
#pragma once

#include <heddle/tensor.hpp>

#include <cstdint>
#include <string>

namespace char_lm {

/// A text cut into a training part and the last twentieth for validation.
struct Corpus {
  std::string train, valid;
};

/// Reads a file; throws heddle::Error when it cannot be read or is too short for windows of `context` bytes.
Corpus readCorpus(const std::string &path, int64_t context);

/// `rows` windows of context + 1 consecutive bytes, i32[rows, context + 1], at places drawn from (seed,
/// step): the same for a run that was interrupted and resumed.
heddle::Tensor drawBatch(const std::string &text, int64_t rows, int64_t context, uint64_t seed,
                         uint64_t step);

/// Bits per byte on `valid` of the add-one bigram model fitted on `train`:
/// p(b | a) = (count(ab) + 1) / (count(a) + 256).
double bigramBitsPerByte(const Corpus &corpus);

} // namespace char_lm
