//===- EntryLowering.cpp - From a grouped function to launches ------------===//

#include "compiler/conversion/HeddleToCPU/EntryLowering.h"
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

EntryLowering::EntryLowering(func::FuncOp source, const MatmulTarget &target)
    : module(source->getParentOfType<ModuleOp>()), source(source), target(target),
      plan(source, [this](Operation *op) { return workspaceBytes(op); }), builder(source) {}

int64_t EntryLowering::workspaceBytes(Operation *op) {
  if (isa<sparsek::AttentionOp, sparsek::AttentionBackwardOp, sparsek::AttentionTangentOp>(op))
    return attentionProgram(op).workspaceBytes;
  if (isa<sparsek::VariantAttentionOp, sparsek::VariantAttentionBackwardOp>(op))
    return variantProgram(op).workspaceBytes;
  auto product = dyn_cast<MatmulOp>(op);
  auto plan = product ? matmulPlan(product, target) : std::nullopt;
  return plan ? plan->workspaceBytes : 0;
}

LogicalResult EntryLowering::run() {
  MLIRContext *context = module.getContext();
  Location loc = source.getLoc();
  auto flat = [](Type type) -> Type { return bufferType(cast<RankedTensorType>(type)); };
  // A buffer that is read or written in slices whose position depends on a loop is passed as bytes.
  SmallVector<Type> types = {LLVM::LLVMPointerType::get(context)};
  int64_t inputCount = source.getNumArguments(), resultCount = source.getNumResults();
  for (Type type : source.getArgumentTypes())
    types.push_back(flat(type));
  for (Type type : source.getResultTypes())
    types.push_back(flat(type));
  auto bytesType = [&](int64_t bytes) { return MemRefType::get({bytes}, builder.getI8Type()); };
  for (auto [kind, number] : plan.slicedBuffers()) {
    Type &type = types[1 + number + (kind == Storage::Result ? inputCount : 0)];
    auto memref = cast<MemRefType>(type);
    type = bytesType(memref.getNumElements() * (memref.getElementTypeBitWidth() / 8));
  }
  types.push_back(bytesType(plan.arenaBytes()));

  std::string name = source.getName().str();
  source.setName((name + ".source"));
  entry = func::FuncOp::create(builder, loc, name, FunctionType::get(context, types, {}));
  entry->setAttr("heddle.entry", builder.getUnitAttr());
  entry->setAttr("heddle.arena_bytes", builder.getI64IntegerAttr(plan.arenaBytes()));
  Block *body = entry.addEntryBlock();
  call = body->getArgument(0);
  for (int64_t i = 0; i < inputCount; ++i) {
    inputs.push_back(body->getArgument(1 + i));
    if (Attribute label = source.getArgAttr(i, "heddle.name"))
      entry.setArgAttr(1 + i, "heddle.name", label);
    if (Attribute donated = source.getArgAttr(i, "heddle.donated"))
      entry.setArgAttr(1 + i, "heddle.donated", donated);
  }
  for (int64_t i = 0; i < resultCount; ++i) {
    results.push_back(body->getArgument(1 + inputCount + i));
    if (Attribute label = source.getResultAttr(i, "heddle.name"))
      entry.setArgAttr(1 + inputCount + i, "heddle.name", label);
    // The caller passes the argument's memory once more; the code does not use it.
    if (int64_t donor = plan.donor(i); donor >= 0)
      entry.setArgAttr(1 + inputCount + i, "heddle.donor", builder.getI64IntegerAttr(donor));
  }
  arena = body->getArguments().back();
  builder.setInsertionPointToStart(body);
  Block &sourceBody = source.getBody().front();
  if (failed(lowerBlock(sourceBody)))
    return failure();
  Operation *terminator = sourceBody.getTerminator();
  for (auto [i, value] : llvm::enumerate(terminator->getOperands()))
    copy(value, plan.resultPlace(i), terminator->getLoc());
  func::ReturnOp::create(builder, loc);
  source.erase();
  return success();
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

Value EntryLowering::constantIndex(Location loc, int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

Value EntryLowering::arenaView(int64_t offset, MemRefType type, Location loc) {
  return memref::ViewOp::create(builder, loc, type, arena, constantIndex(loc, offset), ValueRange());
}

Value EntryLowering::viewOf(const Place &place, MemRefType type, Location loc) {
  const Storage &storage = plan.storage(place);
  Value base;
  switch (storage.kind) {
  case Storage::Arena:
    base = arena;
    break;
  case Storage::Argument:
    base = inputs[storage.number];
    break;
  case Storage::Result:
    base = results[storage.number];
    break;
  case Storage::Constant: {
    auto constant = cast<ConstantOp>(storage.constant);
    std::string key = "constant ";
    llvm::raw_string_ostream(key) << constant.getValue();
    std::string &symbol = symbols[key];
    auto tensor = cast<RankedTensorType>(constant.getType());
    int64_t count = tensor.getNumElements(), width = std::max(tensor.getElementTypeBitWidth() / 8, 1u);
    // As bytes, of which a view may start anywhere: loops take slices.
    auto flat = MemRefType::get({count * width}, builder.getI8Type());
    if (symbol.empty()) {
      symbol = uniqueName("constant");
      auto dense = cast<DenseElementsAttr>(constant.getValue());
      SmallVector<char> bytes;
      if (tensor.getElementType().isInteger(1))
        for (bool value : dense.getValues<bool>())
          bytes.push_back(value);
      else
        for (int64_t i = 0; i < (dense.isSplat() ? count : 1); ++i)
          llvm::append_range(bytes, dense.getRawData());
      auto type = RankedTensorType::get({count * width}, builder.getI8Type());
      OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
      memref::GlobalOp::create(top, loc, symbol, top.getStringAttr("private"), flat,
                               DenseElementsAttr::getFromRawBuffer(type, bytes), /*constant=*/true,
                               top.getI64IntegerAttr(64));
    }
    base = memref::GetGlobalOp::create(builder, loc, flat, symbol);
    break;
  }
  }
  if (base.getType() == type && place.steps.empty() && place.offset == 0)
    return base;
  // Bytes from the start: the storage's offset and the slice of each loop.
  int64_t elementBytes = type.getElementTypeBitWidth() / 8;
  Value shift =
      constantIndex(loc, (storage.kind == Storage::Arena ? storage.offset : 0) + place.offset * elementBytes);
  for (auto [loop, elements] : place.steps) {
    Value step = arith::MulIOp::create(builder, loc, loopIndices.lookup(loop),
                                       constantIndex(loc, elements * elementBytes));
    shift = arith::AddIOp::create(builder, loc, shift, step);
  }
  return memref::ViewOp::create(builder, loc, type, base, shift, ValueRange());
}

Value EntryLowering::buffer(Value tensor) {
  return viewOf(plan.place(tensor), bufferType(tensorType(tensor)), tensor.getLoc());
}

void EntryLowering::copy(Value from, const Place &to, Location loc) {
  if (plan.place(from) == to || tensorType(from).getNumElements() == 0)
    return;
  memref::CopyOp::create(builder, loc, buffer(from), viewOf(to, bufferType(tensorType(from)), loc));
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

std::string EntryLowering::uniqueName(StringRef hint) {
  std::string name;
  // The kernels of a product have names that start with this one.
  auto taken = [&] {
    return llvm::any_of(module.getOps<SymbolOpInterface>(),
                        [&](SymbolOpInterface symbol) { return symbol.getName().starts_with(name); });
  };
  do
    name = ("k" + Twine(kernelCount++) + "_" + hint).str();
  while (taken());
  return name;
}

EntryLowering::Kernel EntryLowering::kernel(Operation *op, StringRef name, TypeRange types) {
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

void EntryLowering::launch(Location loc, StringRef symbol, int64_t count, int64_t grain,
                           ValueRange arguments) {
  if (count <= 0)
    return;
  LaunchOp::create(builder, loc, symbol, constantIndex(loc, count),
                   std::min(std::max<int64_t>(grain, 1), count), arguments);
}

std::string heddle::cpu::kernelKey(Operation *op) {
  std::string key;
  llvm::raw_string_ostream stream(key);
  op->print(stream, OpPrintingFlags().useLocalScope().printGenericOpForm().elideLargeElementsAttrs(1 << 20));
  return key;
}

LogicalResult EntryLowering::lower(FusionOp op) {
  Block *body = &op.getBody().front();
  auto [reductions, outputs] = GroupKernel::contents(op);
  GroupKernel group(reductions, outputs, [](Value value) { return isa<BlockArgument>(value); });
  std::string why;
  if (failed(group.plan(why)))
    return op.emitOpError("cannot become one kernel: ") << why;
  if (group.readsAcross())
    remark::missed(op.getLoc(), remark::RemarkOpts::name("strided access").category("heddle"))
        << "the inner loop of a group reads elements that are not adjacent";

  // A result that takes the place of an input is the same argument of the kernel.
  SmallVector<Value> operands;
  SmallVector<unsigned> resultArguments;
  std::string key = kernelKey(op);
  for (Value input : op.getInputs())
    operands.push_back(buffer(input));
  for (Value result : op.getResults()) {
    unsigned number = operands.size();
    for (auto [i, input] : llvm::enumerate(op.getInputs()))
      if (plan.place(input) == plan.place(result))
        number = i;
    if (number == operands.size())
      operands.push_back(buffer(result));
    resultArguments.push_back(number);
    key += " " + std::to_string(number);
  }
  std::string &symbol = symbols[key];
  if (symbol.empty()) {
    // Named after the last thing that is computed.
    StringRef name =
        outputs.back().getDefiningOp() ? outputs.back().getDefiningOp()->getName().stripDialect() : "copy";
    for (Operation *reduction : reductions)
      if (name == "reshape" || name == "broadcast" || name == "cast")
        name = reduction->getName().stripDialect();
    Kernel k = kernel(op, name, ValueRange(operands).getTypes());
    symbol = k.function.getName().str();
    SmallVector<std::pair<Value, Value>> leaves;
    for (auto [argument, memref] : llvm::zip(body->getArguments(), k.arguments))
      leaves.push_back({argument, memref});
    SmallVector<Value> memrefs =
        llvm::map_to_vector(resultArguments, [&](unsigned i) { return k.arguments[i]; });
    group.emit(k.function, leaves, memrefs);
  }
  launch(op.getLoc(), symbol, group.taskCount(), group.grain(), operands);
  return success();
}

//===----------------------------------------------------------------------===//
// Control
//===----------------------------------------------------------------------===//

LogicalResult EntryLowering::lowerBlock(Block &block) {
  for (Operation &op : block.without_terminator())
    if (failed(lower(&op)))
      return failure();
  return success();
}

LogicalResult EntryLowering::lower(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<ReshapeOp, ConstantOp>([](auto) { return success(); })
      .Case<FusionOp, ForOp, IfOp>([&](auto typed) { return lower(typed); })
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

LogicalResult EntryLowering::lower(ForOp op) {
  Location loc = op.getLoc();
  for (auto [i, init] : llvm::enumerate(op.getInits()))
    copy(init, plan.initialPlace(op, i), loc);
  auto loop = scf::ForOp::create(builder, loc, constantIndex(loc, 0), constantIndex(loc, op.getCount()),
                                 constantIndex(loc, 1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value index = loop.getInductionVar();
  if (op.getReverse())
    index = arith::SubIOp::create(builder, loc, constantIndex(loc, (int64_t)op.getCount() - 1), index);
  loopIndices[op] = index;
  if (!op.getStep().use_empty()) {
    Value step = arith::IndexCastOp::create(builder, loc, builder.getI32Type(), index);
    memref::StoreOp::create(builder, loc, step, buffer(op.getStep()), ValueRange{constantIndex(loc, 0)});
  }
  if (failed(lowerBlock(op.getBody().front())))
    return failure();
  // Collected values first: they may be old carries. Then carries that exchange their values are saved, then
  // replaced.
  auto yields = op.getYield().getValues();
  for (auto [value, result] : llvm::zip(yields.drop_front(op.getNumCarries()), op.getCollectedResults())) {
    Place place = plan.place(result);
    place.steps.push_back({op, tensorType(value).getNumElements()});
    copy(value, place, loc);
  }
  for (unsigned i = 0; i < op.getNumCarries(); ++i)
    if (int64_t offset = plan.exchangeOffset(op, i); offset >= 0) {
      auto type = bufferType(tensorType(yields[i]));
      memref::CopyOp::create(builder, loc, buffer(yields[i]), arenaView(offset, type, loc));
    }
  for (auto [i, carry] : llvm::enumerate(op.getCarries())) {
    const Place &place = plan.nextPlace(op, i);
    auto type = bufferType(tensorType(carry));
    if (int64_t offset = plan.exchangeOffset(op, i); offset >= 0)
      memref::CopyOp::create(builder, loc, arenaView(offset, type, loc), viewOf(place, type, loc));
    else
      copy(yields[i], place, loc);
  }
  return success();
}

LogicalResult EntryLowering::lower(IfOp op) {
  Location loc = op.getLoc();
  Value stored =
      memref::LoadOp::create(builder, loc, buffer(op.getCondition()), ValueRange{constantIndex(loc, 0)});
  Value zero = arith::ConstantIntOp::create(builder, loc, builder.getI8Type(), 0);
  Value condition = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, stored, zero);
  auto choice = scf::IfOp::create(builder, loc, condition, /*withElseRegion=*/true);
  for (auto [region, block] : {std::pair<Region *, Block *>{&op.getThenRegion(), choice.thenBlock()},
                               {&op.getElseRegion(), choice.elseBlock()}}) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(block);
    if (failed(lowerBlock(region->front())))
      return failure();
    for (auto [value, result] : llvm::zip(region->front().getTerminator()->getOperands(), op.getResults()))
      copy(value, plan.place(result), loc);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Failures at run time
//===----------------------------------------------------------------------===//

/// `file:line:col: ` of the innermost position in the source that a location names.
static std::string sourcePosition(Location loc) {
  std::string position;
  loc->walk([&](Location inner) {
    if (auto file = dyn_cast<FileLineColLoc>(inner)) {
      position =
          (file.getFilename().getValue() + ":" + Twine(file.getLine()) + ":" + Twine(file.getColumn()) + ": ")
              .str();
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return position;
}

Value EntryLowering::message(OpBuilder &at, Operation *op, StringRef text) {
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

void EntryLowering::lower(AssertOp op) {
  Location loc = op.getLoc();
  Value stored =
      memref::LoadOp::create(builder, loc, buffer(op.getCondition()), ValueRange{constantIndex(loc, 0)});
  Value zero = arith::ConstantIntOp::create(builder, loc, builder.getI8Type(), 0);
  Value wrong = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, stored, zero);
  auto choice = scf::IfOp::create(builder, loc, wrong, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(choice.thenBlock());
  Value code = arith::ConstantIntOp::create(builder, loc, builder.getI32Type(), assertionFailedStatus);
  RuntimeCallOp::create(builder, loc, "heddle_fail",
                        ValueRange{call, code, message(builder, op, op.getMessage())});
}

void EntryLowering::lower(CheckIndexOp op) {
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
