#include "compiler/conversion/SparseKToGPU/Variant.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"
#include "compiler/conversion/SparseKToCPU/Variant.h"
#include "compiler/conversion/SparseKToGPU/AttentionKernels.h"
#include "compiler/conversion/SparseKToGPU/VariantWalk.h"

using namespace mlir;

namespace heddle::gpu {
namespace attention {
namespace {

/// The sizes of a variant as those of an attention whose window is everything.
Plan makeVariantPlan(sparsek::VariantAttentionOp op, const Target &target) {
  auto q = cast<RankedTensorType>(op.getQ().getType()), k = cast<RankedTensorType>(op.getK().getType());
  AttentionSpec spec;
  spec.batch = q.getDimSize(0);
  spec.queryHeads = q.getDimSize(1);
  spec.heads = k.getDimSize(1);
  spec.length = q.getDimSize(2);
  spec.keyWidth = q.getDimSize(3);
  spec.valueWidth = cast<RankedTensorType>(op.getV().getType()).getDimSize(3);
  spec.window = std::max<int64_t>(k.getDimSize(2), 1);
  spec.scale = op.getScale().convertToDouble();
  spec.element = *cpu::matmulElement(q.getElementType());
  Plan plan = makePlan(spec, target, Pass::Forward);
  plan.keyLength = k.getDimSize(2);
  plan.spec.window = spec.window;
  return plan;
}

/// The captures and what reports need, as operands of the next kernel.
class VariantOperands {
public:
  VariantOperands(ProgramBuilder &builder, const VariantBlock &block) : op(builder.op), block(block) {
    for (size_t i = 0; i < block.captures.size(); ++i)
      captures.push_back(builder.take(operandBuffer(3 + int64_t(i))));
  }
  /// Last of all operands.
  void takeReports(ProgramBuilder &builder) {
    for (auto [i, read] : llvm::enumerate(cpu::variantReads(op)))
      messages.emplace_back(read, builder.take({DeviceOperand::Message, int64_t(i)}));
    if (!messages.empty())
      record = builder.take(errorRecord());
  }

  VariantInputs inputs(KernelCode &k) const {
    VariantInputs result{block, {}, {}};
    for (auto [number, capture] : llvm::zip(captures, block.captures)) {
      Type element = cast<RankedTensorType>(capture.getType()).getElementType();
      result.captures.push_back(k.pointer(number, cpu::storageType(element)));
    }
    for (auto [read, number] : messages)
      result.reports.messages.emplace_back(read, k.argument(number));
    if (!messages.empty())
      result.reports.record = k.argument(record);
    return result;
  }

private:
  Operation *op;
  const VariantBlock &block;
  llvm::SmallVector<unsigned, 4> captures;
  llvm::SmallVector<std::pair<Operation *, unsigned>, 2> messages;
  unsigned record = 0;
};

void emitVariantForward(ProgramBuilder &builder, sparsek::VariantAttentionOp op, const Target &target) {
  using A = AttentionArgument;
  const Plan plan = makeVariantPlan(op, target);
  const VariantBlock block(op);
  builder.take({A::Q});
  WalkOperands walkOperands(builder, plan, {});
  VariantOperands operands(builder, block);
  builder.take({A::O, A::Lse});
  operands.takeReports(builder);
  const int64_t blocks = plan.spec.batch * plan.spec.queryHeads * plan.tiles();
  builder.kernel("variant", blocks, plan.walk.threads(), [&](KernelCode &k) {
    TileCode t(k, elementType(k.b, plan.spec), plan.walk.block);
    VariantInputs inputs = operands.inputs(k);
    VariantWalk walk(t, plan, builder, walkOperands, inputs);
    emitForwardKernel(t, plan, builder, walk);
  });
}

} // namespace
} // namespace attention

DeviceProgram emitVariant(mlir::gpu::GPUModuleOp module, Operation *op, const Target &target,
                          StringRef prefix) {
  attention::ProgramBuilder builder(module, op, prefix);
  auto forward = cast<sparsek::VariantAttentionOp>(op);
  if (cast<RankedTensorType>(forward.getLse().getType()).getNumElements() > 0)
    attention::emitVariantForward(builder, forward, target);
  return std::move(builder.program);
}

} // namespace heddle::gpu
