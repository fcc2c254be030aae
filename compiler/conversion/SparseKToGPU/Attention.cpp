#include "compiler/conversion/SparseKToGPU/Attention.h"
#include "compiler/conversion/SparseKToGPU/AttentionKernels.h"
#include "dialects/sparsek/IR/SparseK.h"

using namespace mlir;

namespace heddle::gpu {

Type attention::elementType(OpBuilder &b, const AttentionSpec &spec) {
  switch (spec.element) {
  case cpu::MatmulElement::F64:
    return b.getF64Type();
  case cpu::MatmulElement::F32:
    return b.getF32Type();
  case cpu::MatmulElement::BF16:
    return b.getBF16Type();
  case cpu::MatmulElement::F16:
    return b.getF16Type();
  }
  return {};
}

DeviceProgram emitAttention(mlir::gpu::GPUModuleOp module, Operation *op, const Target &target,
                            StringRef prefix) {
  attention::ProgramBuilder builder(module, op, prefix);
  const cpu::AttentionSpec spec = *cpu::AttentionSpec::of(op);
  if (spec.rows() == 0 || spec.length == 0 || spec.queryHeads == 0)
    return {};
  if (isa<sparsek::AttentionOp>(op))
    attention::emitForward(builder, spec, target);
  if (isa<sparsek::AttentionBackwardOp>(op))
    attention::emitBackward(builder, spec, target);
  if (isa<sparsek::AttentionTangentOp>(op))
    attention::emitTangent(builder, spec, target);
  return std::move(builder.program);
}

} // namespace heddle::gpu
