// The threshold of one set of scores, by a block of threads. Internal to this folder.
#pragma once

#include "compiler/conversion/GPU/KernelCode.h"

namespace heddle::gpu {

/// tau = hi + lo as f64; lo is 0 where the support is empty. `kappa` is the ceil(mass)-th largest score, and
/// `kept` how many of those equal to it are among the ceil(mass) largest.
struct RowThreshold {
  Scalar hi, lo, kappa, kept;
};

/// Solves sum clip(score - tau, 0, 1) = mass over `count` (i32) scores, more than the mass (an f64 above 0),
/// which need not be an integer. score(i) is a clamped one, of f64 or f32; kappa has its type. Every thread
/// of the block takes part and gets the result; sums have an order that depends on `count` alone.
RowThreshold solveRow(KernelCode &k, Scalar count, Scalar mass, llvm::function_ref<Scalar(Scalar i)> score);

} // namespace heddle::gpu
