#include "compiler/conversion/SparseKToCPU/VariantPlan.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMTypes.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace heddle::cpu {
namespace attention {

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

VariantPlan::VariantPlan(Operation *op, const MatmulTarget &target, bool backward) : op(op), block(op) {
  auto q = typeOf(op->getOperand(0)), k = typeOf(op->getOperand(1)), v = typeOf(op->getOperand(2));
  AttentionSpec spec;
  spec.batch = block.batch;
  spec.queryHeads = block.queryHeads;
  spec.heads = k.getDimSize(1);
  spec.length = block.queries;
  spec.keyWidth = q.getDimSize(3);
  spec.valueWidth = v.getDimSize(3);
  spec.window = block.queries; // whose tiles suit long rows of keys
  spec.gate = AttentionGate::None;
  spec.scale = op->getAttrOfType<FloatAttr>("scale").getValueAsDouble();
  spec.element = *matmulElement(q.getElementType());
  plan = makePlan(spec, target, backward ? Pass::Backward : Pass::Forward);
  plan.keyLength = block.keys;
  if (block.boundsDepend() & OnHead)
    plan.headBlock = 1; // heads see other keys
  for (const Bound &bound : block.bounds())
    (bound.isOnKeys() ? boundsKeys : boundsQueries) = true;
  visits = backward && boundsKeys;
}

int64_t VariantPlan::boundRows() const {
  unsigned bits = block.boundsDepend();
  return (bits & OnBatch ? block.batch : 1) * (bits & OnHead ? block.queryHeads : 1);
}

Value boundRow(AttentionCode &v, const VariantPlan &plan, Value batch, Value head) {
  unsigned bits = plan.block.boundsDepend();
  Value row = v.index(0);
  if (bits & OnBatch)
    row = bits & OnHead ? v.mul(batch, plan.block.queryHeads) : batch;
  return bits & OnHead ? v.add(row, head) : row;
}

//===--- Programs ---===//

VariantBuilder::VariantBuilder(OpBuilder &builder, ModuleOp module, const VariantPlan &plan,
                               StringRef namePrefix)
    : plan(plan), builder(builder), module(module), namePrefix(namePrefix) {
  auto table = [&](bool isThere, int64_t extent) {
    if (isThere)
      boundOperands.push_back(reserve(builder.getI32Type(), plan.boundRows() * extent));
  };
  table(plan.boundsKeys, plan.panels() * boundEntries);
  table(plan.boundsQueries, plan.blocks() * boundEntries);
  table(plan.visits, plan.blocks() * 2);
}

VariantBuilder::Number VariantBuilder::operand(unsigned number) {
  return add({VariantOperand::Operand, number, bufferType(typeOf(plan.op->getOperand(number)))});
}

VariantBuilder::Number VariantBuilder::result(unsigned number) {
  return add({VariantOperand::Result, number, bufferType(typeOf(plan.op->getResult(number)))});
}

VariantOperand VariantBuilder::reserve(Type element, int64_t extent) {
  VariantOperand operand{VariantOperand::Workspace, program.workspaceBytes,
                         MemRefType::get(std::max<int64_t>(extent, 1), element)};
  int64_t bytes = operand.type.getNumElements() * (element.getIntOrFloatBitWidth() / 8);
  program.workspaceBytes += (bytes + 63) / 64 * 64;
  return operand;
}

VariantBuilder::Number VariantBuilder::add(VariantOperand operand) {
  operands.push_back(operand);
  return Number(operands.size()) - 1;
}

VariantBuilder::Number VariantBuilder::integer(int64_t value) {
  return add({VariantOperand::Integer, value, {}});
}

void VariantBuilder::addBlock(bool reports) {
  firstCapture = Number(operands.size());
  for (unsigned i = 0; i < plan.block.captures.size(); ++i)
    operand(3 + i);
  if (!reports)
    return;
  firstReport = add({VariantOperand::Call, 0, {}});
  for (unsigned i = 0; i < variantReads(plan.op).size(); ++i)
    add({VariantOperand::Message, i, {}});
}

void VariantBuilder::addBounds() {
  firstBounds = Number(operands.size());
  for (const VariantOperand &operand : boundOperands)
    add(operand);
}

Buffer VariantBuilder::buffer(Number number) {
  Value memref = argument(number);
  return {memref, *matmulElement(cast<MemRefType>(memref.getType()).getElementType())};
}

VariantStep &VariantBuilder::kernel(StringRef suffix, int64_t count,
                                    function_ref<void(AttentionCode &, Value, Value)> body) {
  OpBuilder::InsertionGuard guard(builder);
  ImplicitLocOpBuilder b(builder.getUnknownLoc(), builder);
  AttentionCode v(b, plan.plan);
  SmallVector<Type> types(2, b.getIndexType());
  for (const VariantOperand &operand : operands) {
    if (operand.type)
      types.push_back(operand.type);
    else if (operand.kind == VariantOperand::Integer)
      types.push_back(b.getIndexType());
    else
      types.push_back(LLVM::LLVMPointerType::get(b.getContext()));
  }
  b.setInsertionPointToEnd(module.getBody());
  std::string symbol = namePrefix + "_" + suffix.str();
  auto function = func::FuncOp::create(b, symbol, b.getFunctionType(types, {}));
  function.setPrivate();
  for (auto [i, type] : llvm::enumerate(types))
    if (isa<MemRefType>(type))
      function.setArgAttr(unsigned(i), "llvm.noalias", b.getUnitAttr());
  b.setInsertionPointToStart(function.addEntryBlock());
  arguments.assign(function.getArguments().begin() + 2, function.getArguments().end());

  captureValues.clear();
  reportValues = Reports();
  boundValues = {};
  if (firstCapture >= 0)
    for (size_t i = 0; i < plan.block.captures.size(); ++i)
      captureValues.push_back(argument(firstCapture + Number(i)));
  if (firstReport >= 0) {
    reportValues.call = argument(firstReport);
    for (auto [i, read] : llvm::enumerate(variantReads(plan.op)))
      reportValues.messages.insert({read, argument(firstReport + 1 + Number(i))});
  }
  if (firstBounds >= 0) {
    Number next = firstBounds;
    if (plan.boundsKeys)
      boundValues.panels = argument(next++);
    if (plan.boundsQueries)
      boundValues.blocks = argument(next++);
    if (plan.visits)
      boundValues.visits = argument(next++);
  }
  body(v, function.getArgument(0), function.getArgument(1));
  func::ReturnOp::create(b);

  program.steps.push_back({symbol, count, operands});
  operands.clear();
  firstCapture = firstReport = firstBounds = -1;
  return program.steps.back();
}

} // namespace attention

llvm::SmallVector<Operation *> variantReads(Operation *op) {
  SmallVector<Operation *> reads;
  for (Operation &inner : op->getRegion(0).front())
    if (isa<sparsek::ReadOp>(inner))
      reads.push_back(&inner);
  return reads;
}

std::string whyQuadratic(Operation *op) { return attention::VariantBlock(op).whyUnbounded(); }

VariantProgram emitVariant(OpBuilder &builder, ModuleOp module, Operation *op, const MatmulTarget &target,
                           StringRef namePrefix) {
  bool backward = isa<sparsek::VariantAttentionBackwardOp>(op);
  attention::VariantPlan plan(op, target, backward);
  attention::VariantBuilder variant(builder, module, plan, namePrefix);
  emitBounds(variant);
  backward ? emitVariantBackward(variant) : emitVariantForward(variant);
  return std::move(variant.program);
}

} // namespace heddle::cpu
