// The queries in whose supports a key is, and sums over positions that start again with every sequence.
// Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/Threshold.h"

namespace heddle::gpu {

/// Queries of a row.
struct Run {
  Scalar begin, end;
};

/// Whether 0 < (u - hi_i) - lo_i for query i, for pointers to a row's thresholds. No for NaN.
Scalar isAbove(KernelCode &k, Scalar score, Pointer hi, Pointer lo, Scalar query);

/// The queries i in [first, last) with 0 < (u - hi_i) - lo_i < 1, for pointers to a row's thresholds and a
/// key that joins at `first`. Queries with NaN are the last ones and support nothing.
Run supportRun(KernelCode &k, Scalar score, Pointer hi, Pointer lo, Scalar first, Scalar last);

/// In a kernel with a thread for every position: `wanted` for all of them, then `body` for those for which it
/// held, by as few warps as there is room in. Most keys of a long row die as they join, and are not searched
/// for.
void eachWanted(KernelCode &k, const ScoreRows &rows, llvm::function_ref<Scalar(const Position &)> wanted,
                llvm::function_ref<void(const Position &)> body);

/// Adds kernels that compute running sums in f64, restarted with every segment: out(p, sum up to and with i)
/// for every position. Blocks of 256 positions are summed from 0 and then raised by what stands before them,
/// an order that depends on the segment's place alone. `term` and `start` (the first position of i's segment)
/// see the operands from number 0, `out` as well.
void emitRunningSums(StepBuilder &steps, llvm::StringRef name, const ScoreRows &rows,
                     llvm::ArrayRef<DeviceOperand> operands,
                     llvm::function_ref<Scalar(KernelCode &, const Position &)> term,
                     llvm::function_ref<Scalar(KernelCode &, Scalar i)> start,
                     llvm::function_ref<void(KernelCode &, const Position &, Scalar)> out);

} // namespace heddle::gpu
