// The threshold after any number of candidates of a sequence, by one warp. Internal to this folder.
//
// The candidates are a few sorted lists, some for each lane, and the keys of the last chunk. kappa is found
// first: keys are tried, mostly where a list should hold it by its rank, until as many are above as there
// should be. It brackets tau to [kappa - 1, kappa), or the next candidate lies 1 or more below and is tau
// itself. Newton's method then ends in the piece of the mass, piecewise linear, that contains tau. What is
// searched in a list shrinks with every step.
#pragma once

#include "compiler/conversion/SparseKToGPU/ScoreLists.h"

namespace heddle::gpu {

/// tau = base + offset in f64: base is kappa's score, or in a gap, where offset is 0, tau itself.
struct PrefixThreshold {
  Scalar kappa;        ///< the order of the topk-th largest candidate
  Scalar base, offset; ///< f64
  Scalar died;         ///< f64: the highest candidate that is not above tau

  Scalar isGap() const { return offset == 0.0; }
  Scalars values() const { return {kappa, base, offset, died}; }
  static PrefixThreshold of(llvm::ArrayRef<Scalar> v) { return {v[0], v[1], v[2], v[3]}; }
};

/// More than what rounding may move a threshold by.
constexpr double thresholdSlack = 1e-9;

/// Thresholds of a prefix and of a longer one, between which lies what is looked for.
struct ThresholdBracket {
  PrefixThreshold left, right;
};

/// Solves for the candidates [start, stop) of a row, more than topk; all i32 but the row, equal in the warp.
PrefixThreshold solvePrefix(ListCode &lists, int64_t topk, Pointer u, Scalar row, Scalar start, Scalar stop,
                            const ThresholdBracket *bracket = nullptr);

} // namespace heddle::gpu
