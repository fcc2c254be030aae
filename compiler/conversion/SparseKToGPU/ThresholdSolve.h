// The threshold after any number of candidates of a sequence, by one warp. Internal to this folder.
//
// The candidates are a few sorted lists, some for each lane, and the keys of the last chunk. kappa is found
// first: keys are tried, mostly where a list should hold it by its rank, until as many are above as there
// should be. It brackets tau to [kappa - 1, kappa), or the next candidate lies 1 or more below and is tau
// itself. Newton's method then ends in the piece of the mass, piecewise linear, that contains tau. What is
// searched in a list shrinks with every step.
#pragma once

#include "compiler/conversion/SparseKToGPU/Order.h"
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

/// Candidates [start, stop) of a row: lists of what is before `whole`, a multiple of the chunk, and at most a
/// chunk of single keys. All i32 but the row, equal in the warp.
struct PrefixExtent {
  Scalar row, start, whole, stop;
};

/// The search for a rank: what has it lies in [low, high), which in each part of a sequence is a range of
/// positions.
struct OrderRange {
  Scalar low, high;           ///< orders (i64), or the bits of scores (i32)
  Scalar aboveLow, aboveHigh; ///< how many candidates are not below
  Scalars begins, ends;

  Scalars values() const;
  static OrderRange of(llvm::ArrayRef<Scalar> values);
};

/// A step of Newton's method for x = tau - top in [low, high], which ends in the piece that has tau. At x,
/// the `number`-th, the mass is topk + over - inside * x in this piece.
struct NewtonStep {
  Scalar low, high, x, goesOn;
  Scalar enough; ///< x is not above tau
};
NewtonStep newtonStep(KernelCode &k, Scalar number, Scalar low, Scalar high, Scalar x, Scalar inside,
                      Scalar over);

/// Where in each of a lane's lists lies what is looked for: kappa, the first key above tau, and the first
/// saturated one.
struct PrefixRanges {
  llvm::SmallVector<SearchRange, 4> kappa, alive, saturated;
};
/// Between two thresholds of sequences of candidates that begin with the lists of `extent`.
PrefixRanges rangesBetween(ListCode &lists, const PrefixExtent &extent, const ThresholdBracket &bracket);

/// Solves for more than topk candidates. With a bracket, ranges are those of it or of a wider one with the
/// same right end; `low` is the kappa at the left end of that.
PrefixThreshold solvePrefix(ListCode &lists, int64_t topk, Pointer u, const PrefixExtent &extent);
PrefixThreshold solvePrefix(ListCode &lists, int64_t topk, Pointer u, const PrefixExtent &extent,
                            const ThresholdBracket &bracket, const PrefixRanges &ranges, Scalar low);

} // namespace heddle::gpu
