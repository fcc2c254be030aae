//===- CpuEntryLowering.cpp - What entries are on CPUs --------------------===//

#include "compiler/conversion/HeddleToCPU/CpuEntryLowering.h"
#include "compiler/conversion/HeddleToCPU/GroupKernel.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"

#include "dialects/heddle/IR/Heddle.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Remarks.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace heddle::cpu;
using namespace heddle::ir;

Workspace CpuEntryLowering::workspaceOf(Operation *op) {
  if (isa<sparsek::AttentionOp, sparsek::AttentionBackwardOp, sparsek::AttentionTangentOp>(op))
    return {attentionProgram(op).workspaceBytes};
  if (isa<sparsek::VariantAttentionOp, sparsek::VariantAttentionBackwardOp>(op))
    return {variantProgram(op).workspaceBytes};
  auto product = dyn_cast<MatmulOp>(op);
  auto plan = product ? matmulPlan(product, target) : std::nullopt;
  return {plan ? plan->workspaceBytes : 0};
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

/// As bytes, of which a view may start anywhere: loops take slices.
Value CpuEntryLowering::constantBuffer(ConstantOp constant) {
  Location loc = constant.getLoc();
  std::string key = "constant ";
  llvm::raw_string_ostream(key) << constant.getValue();
  std::string &symbol = symbols[key];
  SmallVector<char> bytes;
  if (symbol.empty())
    bytes = bytesOf(constant);
  auto tensor = cast<RankedTensorType>(constant.getType());
  const int64_t count =
      bufferType(tensor).getNumElements() * (bufferType(tensor).getElementTypeBitWidth() / 8);
  auto flat = MemRefType::get({count}, builder.getI8Type());
  if (symbol.empty()) {
    symbol = uniqueName("constant");
    auto type = RankedTensorType::get({count}, builder.getI8Type());
    OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
    memref::GlobalOp::create(top, loc, symbol, top.getStringAttr("private"), flat,
                             DenseElementsAttr::getFromRawBuffer(type, bytes), /*constant=*/true,
                             top.getI64IntegerAttr(64));
  }
  return memref::GetGlobalOp::create(builder, loc, flat, symbol);
}

void CpuEntryLowering::copyBuffer(Location loc, Value from, Value to) {
  memref::CopyOp::create(builder, loc, from, to);
}

void CpuEntryLowering::storeStep(Location loc, Value step, Value to) {
  memref::StoreOp::create(builder, loc, step, to, ValueRange{constantIndex(loc, 0)});
}

Value CpuEntryLowering::loadTruth(Location loc, Value buffer) {
  Value stored = memref::LoadOp::create(builder, loc, buffer, ValueRange{constantIndex(loc, 0)});
  Value zero = arith::ConstantIntOp::create(builder, loc, builder.getI8Type(), 0);
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, stored, zero);
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

CpuEntryLowering::Kernel CpuEntryLowering::kernel(Operation *op, StringRef name, TypeRange types) {
  OpBuilder end = OpBuilder::atBlockEnd(module.getBody());
  SmallVector<Type> all = {end.getIndexType(), end.getIndexType()};
  llvm::append_range(all, types);
  auto function =
      func::FuncOp::create(end, op->getLoc(), uniqueName(name), FunctionType::get(end.getContext(), all, {}));
  function.setPrivate();
  // Apart, kernels are optimised with what their arguments promise; inside the entry they would be one huge
  // function.
  function->setAttr("passthrough", end.getStrArrayAttr({"noinline"}));
  Block *body = function.addEntryBlock();
  for (auto [i, type] : llvm::enumerate(all))
    if (isa<MemRefType>(type))
      function.setArgAttr(i, "llvm.noalias", end.getUnitAttr());
  return {function, body->getArgument(0), body->getArgument(1),
          llvm::to_vector_of<Value>(body->getArguments().drop_front(2)), OpBuilder::atBlockBegin(body)};
}

void CpuEntryLowering::launch(Location loc, StringRef symbol, int64_t count, int64_t grain,
                              ValueRange arguments) {
  if (count <= 0)
    return;
  LaunchOp::create(builder, loc, symbol, constantIndex(loc, count),
                   std::min(std::max<int64_t>(grain, 1), count), arguments);
}

LogicalResult CpuEntryLowering::lowerGroup(const GroupCall &call) {
  FusionOp op = call.op;
  GroupKernel group(call.reductions, call.outputs, [](Value value) { return isa<BlockArgument>(value); });
  std::string why;
  if (failed(group.plan(why)))
    return op.emitOpError("cannot become one kernel: ") << why;
  if (group.readsAcross())
    remark::missed(op.getLoc(), remark::RemarkOpts::name("strided access").category("heddle"))
        << "the inner loop of a group reads elements that are not adjacent";
  std::string &symbol = symbols[call.key];
  if (symbol.empty()) {
    Kernel k = kernel(op, call.name, ValueRange(call.operands).getTypes());
    symbol = k.function.getName().str();
    SmallVector<std::pair<Value, Value>> leaves;
    for (auto [argument, memref] : llvm::zip(op.getBody().front().getArguments(), k.arguments))
      leaves.push_back({argument, memref});
    SmallVector<Value> memrefs =
        llvm::map_to_vector(call.resultArguments, [&](unsigned i) { return k.arguments[i]; });
    group.emit(k.function, leaves, memrefs);
  }
  launch(op.getLoc(), symbol, group.taskCount(), group.grain(), call.operands);
  return success();
}

LogicalResult CpuEntryLowering::lowerWhole(Operation *op) {
  if (auto product = dyn_cast<MatmulOp>(op); product && product.hasEpilogue())
    return op->emitOpError("does more than multiply, which only code for GPUs can");
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<AssertOp, CheckIndexOp, MatmulOp, ScatterAddOp, PutAlongOp, CumsumOp, ArgsortOp,
            DynamicUpdateSliceOp>([&](auto typed) {
        lower(typed);
        return success();
      })
      .Case<sparsek::SegmentsOp, sparsek::ThresholdOp, sparsek::ThresholdBackwardOp,
            sparsek::ThresholdTangentOp, sparsek::ProjectOp, sparsek::AppendOp, sparsek::FillCacheOp>(
          [&](auto typed) {
            lower(typed);
            return success();
          })
      .Case<sparsek::AttentionOp, sparsek::AttentionBackwardOp, sparsek::AttentionTangentOp>(
          [&](Operation *attention) {
            lowerAttention(attention);
            return success();
          })
      .Case<sparsek::VariantAttentionOp, sparsek::VariantAttentionBackwardOp>([&](Operation *variant) {
        lowerVariant(variant);
        return success();
      })
      .Default([](Operation *other) { return other->emitOpError("cannot be compiled for the CPU"); });
}

//===----------------------------------------------------------------------===//
// Failures at run time
//===----------------------------------------------------------------------===//

Value CpuEntryLowering::message(OpBuilder &at, Operation *op, StringRef text) {
  std::string full = sourcePosition(op->getLoc()) + text.str();
  std::string &symbol = messages[full];
  Type pointer = LLVM::LLVMPointerType::get(at.getContext());
  if (symbol.empty()) {
    symbol = uniqueName("message");
    OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
    std::string bytes = full + '\0';
    auto type = LLVM::LLVMArrayType::get(top.getI8Type(), bytes.size());
    LLVM::GlobalOp::create(top, op->getLoc(), type, /*isConstant=*/true, LLVM::Linkage::Internal, symbol,
                           top.getStringAttr(bytes));
  }
  return LLVM::AddressOfOp::create(at, op->getLoc(), pointer, symbol);
}

void CpuEntryLowering::lower(AssertOp op) {
  Location loc = op.getLoc();
  Value wrong = arith::XOrIOp::create(builder, loc, loadTruth(loc, buffer(op.getCondition())),
                                      arith::ConstantIntOp::create(builder, loc, builder.getI1Type(), 1));
  auto choice = scf::IfOp::create(builder, loc, wrong, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(choice.thenBlock());
  Value code = arith::ConstantIntOp::create(builder, loc, builder.getI32Type(), assertionFailedStatus);
  RuntimeCallOp::create(builder, loc, "heddle_fail",
                        ValueRange{call, code, message(builder, op, op.getMessage())});
}

void CpuEntryLowering::lower(CheckIndexOp op) {
  Location loc = op.getLoc();
  Value ids = buffer(op.getIds());
  Kernel k = kernel(op, "check_index", {ids.getType(), call.getType()});
  OpBuilder &b = k.builder;
  ScalarEmitter emit(b, loc);
  auto loop = scf::ForOp::create(b, loc, k.begin, k.end, emit.index(1));
  func::ReturnOp::create(b, loc);
  b.setInsertionPointToStart(loop.getBody());
  Value id = memref::LoadOp::create(b, loc, k.arguments[0], loop.getInductionVar());
  id = emit.cast(id, id.getType(), b.getI64Type());
  Value limit = emit.integer(b.getI64Type(), op.getLimit());
  // A negative one is large as an unsigned number.
  Value outside = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::uge, id, limit);
  auto choice = scf::IfOp::create(b, loc, outside, /*withElseRegion=*/false);
  b.setInsertionPointToStart(choice.thenBlock());
  Value code = emit.integer(b.getI32Type(), outOfRangeStatus);
  RuntimeCallOp::create(b, loc, "heddle_fail_values",
                        ValueRange{k.arguments[1], code, message(b, op, op.getMessage()), id, limit});
  int64_t count = tensorType(op.getIds()).getNumElements();
  // In order, so that the first wrong one is reported.
  launch(loc, k.function.getName(), count, count, {ids, call});
}
