// What the kernels of a variant's program share. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/ProgramBuilder.h"
#include "compiler/conversion/SparseKToGPU/VariantWalk.h"

namespace heddle::gpu::attention {

/// The sizes of a sparsek.variant_attention or sparsek.variant_attention_backward as those of an attention
/// whose window is everything.
Plan makeVariantPlan(mlir::Operation *op, const Target &target, Pass pass);

/// The captures, and what reports need, as operands of the next kernel.
class VariantOperands {
public:
  VariantOperands(ProgramBuilder &builder, const VariantBlock &block);
  /// Last of all operands.
  void takeReports(ProgramBuilder &builder);

  VariantInputs inputs(KernelCode &k) const;

private:
  mlir::Operation *op;
  const VariantBlock &block;
  llvm::SmallVector<unsigned, 4> captures;
  llvm::SmallVector<std::pair<mlir::Operation *, unsigned>, 2> messages;
  unsigned record = 0;
};

void emitVariantBackward(ProgramBuilder &builder, sparsek::VariantAttentionBackwardOp op,
                         const Target &target);

} // namespace heddle::gpu::attention
