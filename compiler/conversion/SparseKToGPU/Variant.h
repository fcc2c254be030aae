//===- Variant.h - Attention with a block of the program as device kernels ===//
#ifndef HEDDLE_COMPILER_CONVERSION_SPARSEKTOGPU_VARIANT_H
#define HEDDLE_COMPILER_CONVERSION_SPARSEKTOGPU_VARIANT_H

#include "compiler/conversion/SparseKToGPU/Attention.h"

namespace heddle::gpu {

/// The program of a sparsek.variant_attention or sparsek.variant_attention_backward with static shapes; as
/// emitAttention. `Message` operands name the reads that `cpu::variantReads` lists: an index that is out of
/// range.
DeviceProgram emitVariant(mlir::gpu::GPUModuleOp module, mlir::Operation *op, const Target &target,
                          llvm::StringRef prefix);

} // namespace heddle::gpu

#endif // HEDDLE_COMPILER_CONVERSION_SPARSEKTOGPU_VARIANT_H
