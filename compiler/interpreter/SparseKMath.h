//===- SparseKMath.h - The projection and its threshold ---------*- C++ -*-===//
//
// The operator of Lou, Jia, Zheng, Tu, "Sparser is Faster and Less is More", arXiv 2406.16747, on plain
// numbers.

#ifndef HEDDLE_COMPILER_INTERPRETER_SPARSEKMATH_H
#define HEDDLE_COMPILER_INTERPRETER_SPARSEKMATH_H

#include "compiler/interpreter/Array.h"

namespace heddle::interp {

/// tau = hi + lo. One number does not separate scores of large magnitude.
struct Threshold {
  double hi, lo;
};

/// A score as the operator sees it: infinities act as the largest f32.
double boundedScore(double score);

/// The positions of the scores from the largest to the smallest; equal scores keep their order. Infinities
/// are bounded, and NaN ranks as -inf.
std::vector<int64_t> descendingOrder(llvm::ArrayRef<double> scores);

/// tau with `sum_j clip(z_j - tau, 0, 1) = k` for bounded scores in descending order and 0 < k < their
/// number: hi is the ceil(k)-th largest and lo in [-1, 0). Where no score lies strictly between tau and tau +
/// 1 whichever tau is taken (a gap of 1 or more below the k-th), tau is not unique: the (k+1)-th score and 0.
Threshold solveThreshold(llvm::ArrayRef<double> descending, double k);

/// clip((score - hi) - lo, 0, 1), each step rounded to the type of the scores, so that every backend which
/// takes these steps agrees on which gates are strictly between 0 and 1. hi = -inf (fewer candidates than the
/// budget) gives 1.
double gate(Element element, double score, Threshold threshold);

inline bool insideSupport(double gate) { return gate > 0 && gate < 1; }

} // namespace heddle::interp

#endif // HEDDLE_COMPILER_INTERPRETER_SPARSEKMATH_H
