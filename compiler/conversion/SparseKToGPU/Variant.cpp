#include "compiler/conversion/SparseKToGPU/Variant.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"
#include "compiler/conversion/SparseKToCPU/Variant.h"
#include "compiler/conversion/SparseKToGPU/AttentionKernels.h"
#include "compiler/conversion/SparseKToGPU/VariantProgram.h"

using namespace mlir;

namespace heddle::gpu {
namespace attention {

Plan makeVariantPlan(Operation *op, const Target &target, Pass pass) {
  auto type = [&](unsigned operand) { return cast<RankedTensorType>(op->getOperand(operand).getType()); };
  AttentionSpec spec;
  spec.batch = type(0).getDimSize(0);
  spec.queryHeads = type(0).getDimSize(1);
  spec.heads = type(1).getDimSize(1);
  spec.length = type(0).getDimSize(2);
  spec.keyWidth = type(0).getDimSize(3);
  spec.valueWidth = type(2).getDimSize(3);
  spec.window = std::max<int64_t>(type(1).getDimSize(2), 1);
  spec.scale = op->getAttrOfType<FloatAttr>("scale").getValueAsDouble();
  spec.element = *cpu::matmulElement(type(0).getElementType());
  if (auto backward = dyn_cast<sparsek::VariantAttentionBackwardOp>(op))
    if (backward.getDlse())
      spec.give(AttentionArgument::DLse);
  Plan plan = makePlan(spec, target, pass);
  plan.keyLength = type(1).getDimSize(2);
  plan.spec.window = spec.window;
  return plan;
}

VariantOperands::VariantOperands(ProgramBuilder &builder, const VariantBlock &block)
    : op(builder.op), block(block) {
  for (size_t i = 0; i < block.captures.size(); ++i)
    captures.push_back(builder.take(operandBuffer(3 + int64_t(i))));
}

void VariantOperands::takeReports(ProgramBuilder &builder) {
  for (auto [i, read] : llvm::enumerate(cpu::variantReads(op)))
    messages.emplace_back(read, builder.take({DeviceOperand::Message, int64_t(i)}));
  if (!messages.empty())
    record = builder.take(errorRecord());
}

VariantInputs VariantOperands::inputs(KernelCode &k) const {
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

static void emitVariantForward(ProgramBuilder &builder, sparsek::VariantAttentionOp op,
                               const Target &target) {
  using A = AttentionArgument;
  const Plan plan = makeVariantPlan(op, target, Pass::Forward);
  const VariantBlock block(op);
  const OddRows odd = emitOddRows(builder, plan, A::V);
  builder.take({A::Q});
  WalkOperands walkOperands(builder, plan, {}, &odd);
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

} // namespace attention

DeviceProgram emitVariant(mlir::gpu::GPUModuleOp module, Operation *op, const Target &target,
                          StringRef prefix) {
  attention::ProgramBuilder builder(module, op, prefix);
  if (auto forward = dyn_cast<sparsek::VariantAttentionOp>(op)) {
    if (cast<RankedTensorType>(forward.getLse().getType()).getNumElements() > 0)
      attention::emitVariantForward(builder, forward, target);
  } else {
    attention::emitVariantBackward(builder, cast<sparsek::VariantAttentionBackwardOp>(op), target);
  }
  return std::move(builder.program);
}

} // namespace heddle::gpu
