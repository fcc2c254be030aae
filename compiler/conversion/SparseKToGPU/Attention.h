//===- Attention.h - SPARSEK attention as device kernels ------------------===//
//
// Plans one attention, emits its kernels into a gpu.module and says how to launch them.
//
//===----------------------------------------------------------------------===//
#ifndef HEDDLE_COMPILER_CONVERSION_SPARSEKTOGPU_ATTENTION_H
#define HEDDLE_COMPILER_CONVERSION_SPARSEKTOGPU_ATTENTION_H

#include "compiler/conversion/SparseKToGPU/DeviceProgram.h"
#include "llvm/ADT/StringRef.h"

namespace mlir {
class Operation;
namespace gpu {
class GPUModuleOp;
} // namespace gpu
} // namespace mlir

namespace heddle::gpu {

/// What kernels may count on.
struct Target {
  int64_t sharedBytes = 99 << 10; ///< of a block of threads, at most: every GPU since compute capability 8.0
  bool warpgroupProducts = false; ///< wgmma, which compute capability 9.0 has
  int64_t multiprocessors = 132;
  int64_t partialBytes = 768 << 20; ///< of partial sums in the backward pass, but at least those of one row
  Choice choice;                    ///< sizes that are fixed, for the operation at hand
};

/// The program of a sparsek.attention, sparsek.attention_backward or sparsek.attention_tangent with static
/// shapes. Its kernels stand at the end of the module and are named `prefix` + "_" + suffix.
DeviceProgram emitAttention(mlir::gpu::GPUModuleOp module, mlir::Operation *op, const Target &target,
                            llvm::StringRef prefix);

/// Choices that are worth measuring, as variations of the model's, which comes first and is empty. What a
/// device cannot have becomes something else, so the programs' `taken` may be equal.
std::vector<Choice> attentionCandidates(mlir::Operation *op, const Target &target);

} // namespace heddle::gpu

#endif // HEDDLE_COMPILER_CONVERSION_SPARSEKTOGPU_ATTENTION_H
