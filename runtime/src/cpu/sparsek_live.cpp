// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Sums of live scores, which are taken anew for every score that joins.

#include "cpu/sparsek_live.h"

#include <cstring>

namespace heddle::runtime::sparsek {
namespace {

/// Enough vectors of lanes that no addition waits for the one before.
template <typename T>
HEDDLE_INLINE double sumInLanes(const T *scores, int64_t size, double centre) {
  constexpr int64_t width = 4, vectors = 8;
  typedef double Doubles __attribute__((vector_size(8 * width)));
  typedef T Scores __attribute__((vector_size(sizeof(T) * width)));
  Doubles sums[vectors] = {};
  int64_t i = 0;
  for (; i + width * vectors <= size; i += width * vectors)
    for (int64_t vector = 0; vector < vectors; ++vector) {
      Scores x;
      std::memcpy(&x, scores + i + width * vector, sizeof x);
      sums[vector] += __builtin_convertvector(x, Doubles) - centre;
    }
  for (int64_t half = vectors / 2; half > 0; half /= 2)
    for (int64_t vector = 0; vector < half; ++vector)
      sums[vector] += sums[vector + half];
  double sum = (sums[0][0] + sums[0][1]) + (sums[0][2] + sums[0][3]);
  for (; i < size; ++i)
    sum += static_cast<double>(scores[i]) - centre;
  return sum;
}

HEDDLE_HOT double sumOfBlock(const float *scores, int64_t size, double centre) {
  return sumInLanes(scores, size, centre);
}
HEDDLE_HOT double sumOfBlock(const double *scores, int64_t size, double centre) {
  return sumInLanes(scores, size, centre);
}

/// Halves of whole blocks, down to one block or to scores that are all equal.
template <typename T>
double sumOf(const T *scores, int64_t size, double centre) {
  constexpr int64_t block = 1024;
  if (size > 0 && scores[0] == scores[size - 1])
    return static_cast<double>(size) * (static_cast<double>(scores[0]) - centre);
  if (size <= block)
    return sumOfBlock(scores, size, centre);
  const int64_t half = (size / 2 + block - 1) / block * block;
  return sumOf(scores, half, centre) + sumOf(scores + half, size - half, centre);
}

} // namespace

double sumRelative(const float *scores, int64_t size, double centre) { return sumOf(scores, size, centre); }
double sumRelative(const double *scores, int64_t size, double centre) { return sumOf(scores, size, centre); }

} // namespace heddle::runtime::sparsek
