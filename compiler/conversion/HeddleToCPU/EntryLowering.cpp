//===- EntryLowering.cpp - From a grouped function to launches ------------===//

#include "compiler/conversion/HeddleToCPU/EntryLowering.h"
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

EntryLowering::EntryLowering(func::FuncOp source, const GroupLimits &limits)
    : module(source->getParentOfType<ModuleOp>()), source(source), limits(limits), builder(source) {}

LogicalResult EntryLowering::run() {
  starts = findStarts();
  plan.emplace(source, [this](Operation *op) { return workspaceOf(op); }, limits, starts);
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
  for (auto [kind, number] : plan->slicedBuffers()) {
    Type &type = types[1 + number + (kind == Storage::Result ? inputCount : 0)];
    auto memref = cast<MemRefType>(type);
    type = bytesType(memref.getNumElements() * (memref.getElementTypeBitWidth() / 8));
  }
  const int64_t arenaBytes = plan->arenaBytes() + constantBytes();
  types.push_back(bytesType(arenaBytes));

  std::string name = source.getName().str();
  source.setName((name + ".source"));
  entry = func::FuncOp::create(builder, loc, name, FunctionType::get(context, types, {}));
  entry->setAttr("heddle.entry", builder.getUnitAttr());
  entry->setAttr("heddle.arena_bytes", builder.getI64IntegerAttr(arenaBytes));
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
    if (int64_t donor = plan->donor(i); donor >= 0)
      entry.setArgAttr(1 + inputCount + i, "heddle.donor", builder.getI64IntegerAttr(donor));
  }
  arena = body->getArguments().back();
  builder.setInsertionPointToStart(body);
  begin();
  Block &sourceBody = source.getBody().front();
  if (failed(lowerBlock(sourceBody)))
    return failure();
  Operation *terminator = sourceBody.getTerminator();
  for (auto [i, value] : llvm::enumerate(terminator->getOperands()))
    copy(value, plan->resultPlace(i), terminator->getLoc());
  func::ReturnOp::create(builder, loc);
  finish();
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
  const Storage &storage = plan->storage(place);
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
  case Storage::Constant:
    base = constantBuffer(cast<ConstantOp>(storage.constant));
    break;
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
  return viewOf(plan->place(tensor), bufferType(tensorType(tensor)), tensor.getLoc());
}

void EntryLowering::copy(Value from, const Place &to, Location loc) {
  if (plan->place(from) == to || tensorType(from).getNumElements() == 0)
    return;
  copyBuffer(loc, buffer(from), viewOf(to, bufferType(tensorType(from)), loc));
}

/// The elements of a constant as they lie in memory.
SmallVector<char> EntryLowering::bytesOf(ConstantOp constant) {
  auto tensor = cast<RankedTensorType>(constant.getType());
  auto dense = cast<DenseElementsAttr>(constant.getValue());
  SmallVector<char> bytes;
  if (tensor.getElementType().isInteger(1))
    for (bool value : dense.getValues<bool>())
      bytes.push_back(value);
  else
    for (int64_t i = 0; i < (dense.isSplat() ? tensor.getNumElements() : 1); ++i)
      llvm::append_range(bytes, dense.getRawData());
  return bytes;
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

std::string heddle::cpu::kernelKey(Operation *op) {
  std::string key;
  llvm::raw_string_ostream stream(key);
  op->print(stream, OpPrintingFlags().useLocalScope().printGenericOpForm().elideLargeElementsAttrs(1 << 20));
  return key;
}

LogicalResult EntryLowering::lower(FusionOp op) {
  GroupCall group{op};
  std::tie(group.reductions, group.outputs) = GroupPlan::contents(op);
  // A result that takes the place of an input is the same argument of the kernel.
  group.key = kernelKey(op);
  for (Value input : op.getInputs())
    group.operands.push_back(buffer(input));
  for (Value result : op.getResults()) {
    unsigned number = group.operands.size();
    for (auto [i, input] : llvm::enumerate(op.getInputs()))
      if (plan->place(input) == plan->place(result))
        number = i;
    if (number == group.operands.size())
      group.operands.push_back(buffer(result));
    group.resultArguments.push_back(number);
    group.key += " " + std::to_string(number);
  }
  // Named after the last thing that is computed.
  Operation *last = group.outputs.back().getDefiningOp();
  group.name = last ? last->getName().stripDialect() : "copy";
  for (Operation *reduction : group.reductions)
    if (group.name == "reshape" || group.name == "broadcast" || group.name == "cast")
      group.name = reduction->getName().stripDialect();
  return lowerGroup(group);
}

//===----------------------------------------------------------------------===//
// Control
//===----------------------------------------------------------------------===//

LogicalResult EntryLowering::lowerBlock(Block &block) {
  for (Operation &op : block.without_terminator()) {
    reach(&op);
    if (failed(lower(&op)))
      return failure();
  }
  return success();
}

LogicalResult EntryLowering::lower(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<ReshapeOp, ConstantOp>([](auto) { return success(); })
      .Case<FusionOp, ForOp, IfOp>([&](auto typed) { return lower(typed); })
      .Default([&](Operation *other) { return lowerWhole(other); });
}

LogicalResult EntryLowering::lower(ForOp op) {
  Location loc = op.getLoc();
  for (auto [i, init] : llvm::enumerate(op.getInits()))
    copy(init, plan->initialPlace(op, i), loc);
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
    storeStep(loc, step, buffer(op.getStep()));
  }
  if (failed(lowerBlock(op.getBody().front())))
    return failure();
  // Collected values first: they may be old carries. Then carries that exchange their values are saved, then
  // replaced.
  auto yields = op.getYield().getValues();
  for (auto [value, result] : llvm::zip(yields.drop_front(op.getNumCarries()), op.getCollectedResults())) {
    Place place = plan->place(result);
    place.steps.push_back({op, tensorType(value).getNumElements()});
    copy(value, place, loc);
  }
  for (unsigned i = 0; i < op.getNumCarries(); ++i)
    if (int64_t offset = plan->exchangeOffset(op, i); offset >= 0) {
      auto type = bufferType(tensorType(yields[i]));
      copyBuffer(loc, buffer(yields[i]), arenaView(offset, type, loc));
    }
  for (auto [i, carry] : llvm::enumerate(op.getCarries())) {
    const Place &place = plan->nextPlace(op, i);
    auto type = bufferType(tensorType(carry));
    if (int64_t offset = plan->exchangeOffset(op, i); offset >= 0)
      copyBuffer(loc, arenaView(offset, type, loc), viewOf(place, type, loc));
    else
      copy(yields[i], place, loc);
  }
  return success();
}

LogicalResult EntryLowering::lower(IfOp op) {
  Location loc = op.getLoc();
  Value condition = loadTruth(loc, buffer(op.getCondition()));
  auto choice = scf::IfOp::create(builder, loc, condition, /*withElseRegion=*/true);
  for (auto [region, block] : {std::pair<Region *, Block *>{&op.getThenRegion(), choice.thenBlock()},
                               {&op.getElseRegion(), choice.elseBlock()}}) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(block);
    if (failed(lowerBlock(region->front())))
      return failure();
    for (auto [value, result] : llvm::zip(region->front().getTerminator()->getOperands(), op.getResults()))
      copy(value, plan->place(result), loc);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Failures at run time
//===----------------------------------------------------------------------===//

std::string heddle::cpu::sourcePosition(Location loc) {
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
