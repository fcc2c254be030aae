//===- GpuEntryLowering.cpp - What entries are on GPUs --------------------===//

#include "compiler/conversion/HeddleToGPU/GpuEntryLowering.h"
#include "compiler/conversion/HeddleToCPU/Fusible.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"
#include "compiler/conversion/HeddleToGPU/DeviceGroup.h"
#include "compiler/conversion/HeddleToGPU/JoinAccesses.h"
#include "compiler/conversion/SparseKToCPU/Variant.h"

#include "dialects/sparsek/IR/SparseK.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/MapVector.h"

#include <numeric>

using namespace mlir;
using namespace heddle::gpu;
using namespace heddle::cpu;
using namespace heddle::ir;
namespace sk = heddle::sparsek;

static GroupLimits deviceLimits() {
  GroupLimits limits = groupLimits();
  limits.alignment = deviceAlignment;
  return limits;
}

GpuEntryLowering::GpuEntryLowering(func::FuncOp source, const GpuOptions &options)
    : EntryLowering(source, deviceLimits()), options(options) {
  constexpr StringLiteral name = "kernels";
  kernels = module.lookupSymbol<mlir::gpu::GPUModuleOp>(name);
  if (!kernels) {
    OpBuilder end = OpBuilder::atBlockEnd(module.getBody());
    kernels = mlir::gpu::GPUModuleOp::create(end, module.getLoc(), name);
  }
}

Value GpuEntryLowering::i32(Location loc, int64_t value) {
  return arith::ConstantIntOp::create(builder, loc, builder.getI32Type(), value);
}

void GpuEntryLowering::runtimeCall(Location loc, StringRef function, ValueRange arguments) {
  SmallVector<Value> all = {call};
  llvm::append_range(all, arguments);
  RuntimeCallOp::create(builder, loc, function, all);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

static int64_t bytesOf(Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  return type.getNumElements() * (type.getElementTypeBitWidth() / 8);
}

void GpuEntryLowering::copyBuffer(Location loc, Value from, Value to) {
  runtimeCall(loc, "heddle_cuda_copy", {to, from, constantIndex(loc, ::bytesOf(from))});
}

void GpuEntryLowering::storeStep(Location loc, Value step, Value to) {
  runtimeCall(loc, "heddle_cuda_fill", {to, step, constantIndex(loc, 1)});
}

Value GpuEntryLowering::loadTruth(Location loc, Value buffer) {
  Value copy;
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(&entry.getBody().front());
    copy = memref::AllocaOp::create(builder, loc, MemRefType::get({1}, builder.getI8Type()));
  }
  runtimeCall(loc, "heddle_cuda_read", {copy, buffer, constantIndex(loc, 1)});
  Value stored = memref::LoadOp::create(builder, loc, copy, ValueRange{constantIndex(loc, 0)});
  Value zero = arith::ConstantIntOp::create(builder, loc, builder.getI8Type(), 0);
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, stored, zero);
}

int64_t GpuEntryLowering::alignmentOf(Value tensor) {
  const Place &place = plan->place(tensor);
  const int64_t bytes = storageType(tensorType(tensor).getElementType()).getIntOrFloatBitWidth() / 8;
  int64_t result = std::gcd<int64_t>(16, place.offset * bytes);
  for (auto [loop, elements] : place.steps)
    result = std::gcd(result, elements * bytes);
  return result;
}

/// The 32-bit word that a constant repeats, nothing if it does not.
static std::optional<int32_t> repeatedWord(ConstantOp constant) {
  auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
  if (!dense || !dense.isSplat())
    return std::nullopt;
  uint64_t bits = 0;
  if (dense.getElementType().isInteger(1)) {
    bits = dense.getSplatValue<bool>();
  } else {
    ArrayRef<char> raw = dense.getRawData();
    std::memcpy(&bits, raw.data(), std::min<size_t>(raw.size(), sizeof(bits)));
  }
  switch (storageType(dense.getElementType()).getIntOrFloatBitWidth()) {
  case 8:
    return static_cast<int32_t>((bits & 0xff) * 0x01010101u);
  case 16:
    return static_cast<int32_t>((bits & 0xffff) * 0x00010001u);
  case 32:
    return static_cast<int32_t>(bits);
  default:
    return (bits >> 32) == (bits & 0xffffffffu) ? std::optional<int32_t>(bits) : std::nullopt;
  }
}

int64_t GpuEntryLowering::constantBytes() {
  int64_t bytes = 0;
  SmallVector<ConstantOp> written;
  const int64_t start = plan->arenaBytes();
  source.walk([&](Operation *op) {
    auto constant = dyn_cast<ConstantOp>(op);
    if (isa<FusionOp>(op->getParentOp()) || !constant || constant->use_empty())
      return;
    const void *key = constant.getValue().getAsOpaquePointer();
    if (constants.contains(key))
      return;
    auto type = bufferType(cast<RankedTensorType>(constant.getType()));
    const int64_t size = type.getNumElements() * (type.getElementTypeBitWidth() / 8);
    constants[key] = {start + bytes, repeatedWord(constant)};
    if (!constants[key].word)
      written.push_back(constant);
    else
      bytes += llvm::alignTo(size, deviceAlignment);
  });
  imageOffset = start + bytes;
  for (ConstantOp constant : written) {
    constants[constant.getValue().getAsOpaquePointer()].offset = imageOffset + image.size();
    llvm::append_range(image, EntryLowering::bytesOf(constant));
    image.resize(llvm::alignTo(image.size(), deviceAlignment), 0);
  }
  return bytes + image.size();
}

Value GpuEntryLowering::constantBuffer(ConstantOp constant) {
  auto type = bufferType(cast<RankedTensorType>(constant.getType()));
  const int64_t size = type.getNumElements() * (type.getElementTypeBitWidth() / 8);
  return arenaView(constants.at(constant.getValue().getAsOpaquePointer()).offset,
                   MemRefType::get({size}, builder.getI8Type()), constant.getLoc());
}

/// Writes the constants into the arena.
void GpuEntryLowering::begin() {
  Location loc = entry.getLoc();
  std::map<int64_t, std::pair<int32_t, int64_t>> fills; // in order of their places
  source.walk([&](ConstantOp constant) {
    auto found = constants.find(constant.getValue().getAsOpaquePointer());
    if (found == constants.end() || !found->second.word)
      return;
    auto type = bufferType(cast<RankedTensorType>(constant.getType()));
    fills[found->second.offset] = {*found->second.word,
                                   (type.getNumElements() * (type.getElementTypeBitWidth() / 8) + 3) / 4};
  });
  for (auto [offset, fill] : fills)
    if (fill.second > 0)
      runtimeCall(loc, "heddle_cuda_fill",
                  {arenaView(offset, MemRefType::get({fill.second * 4}, builder.getI8Type()), loc),
                   i32(loc, fill.first), constantIndex(loc, fill.second)});
  if (image.empty())
    return;
  const int64_t size = image.size(), chunks = size / 16;
  std::string name = kernelName("constants");
  OpBuilder top = OpBuilder::atBlockBegin(&kernels.getBodyRegion().front());
  auto bytes = RankedTensorType::get({size}, top.getI8Type());
  auto global = LLVM::GlobalOp::create(top, loc, LLVM::LLVMArrayType::get(top.getI8Type(), size),
                                       /*isConstant=*/true, LLVM::Linkage::Internal, name + "_image",
                                       DenseElementsAttr::getFromRawBuffer(bytes, image),
                                       /*alignment=*/256, /*addrSpace=*/1);
  Type pointer = LLVM::LLVMPointerType::get(top.getContext(), 1);
  KernelCode k(kernels, loc, name, {pointer}, 256);
  Scalar i = k.block() * 256 + k.thread();
  k.when(i < chunks, [&] {
    Pointer from{&k, LLVM::AddressOfOp::create(k.b, pointer, global.getSymName()), k.i32Type()};
    k.storeVector(k.loadVector(from, i * 4, 4), k.pointer(0, k.i32Type()), i * 4);
  });
  k.finish();
  launch(loc, name, {(chunks + 255) / 256, 1, 1}, 256, 0,
         arenaView(imageOffset, MemRefType::get({size}, builder.getI8Type()), loc));
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

std::string GpuEntryLowering::kernelName(StringRef hint) {
  std::string name;
  auto taken = [&] {
    return llvm::any_of(kernels.getOps<SymbolOpInterface>(),
                        [&](SymbolOpInterface symbol) { return symbol.getName().starts_with(name); });
  };
  do
    name = uniqueName(hint);
  while (taken());
  return name;
}

void GpuEntryLowering::launch(Location loc, StringRef kernel, ArrayRef<int64_t> grid, int64_t block,
                              int64_t shared, ValueRange arguments) {
  if (llvm::is_contained(grid, 0))
    return;
  if (kernelNumbers.try_emplace(kernel.str(), launched.size()).second)
    launched.push_back(builder.getStringAttr(kernel));
  auto symbol =
      SymbolRefAttr::get(kernels.getSymNameAttr(), {FlatSymbolRefAttr::get(builder.getContext(), kernel)});
  LaunchDeviceOp::create(builder, loc, symbol, constantIndex(loc, grid[0]), constantIndex(loc, grid[1]),
                         constantIndex(loc, grid[2]), block, shared, arguments);
}

/// For people who read `heddle explain`: what a kernel computes, and the bytes that it reads and writes once.
static void describe(Operation *kernel, StringRef operations, int64_t bytes) {
  OpBuilder b(kernel);
  kernel->setAttr("heddle.operations", b.getStringAttr(operations));
  kernel->setAttr("heddle.bytes", b.getI64IntegerAttr(bytes));
}

/// `mul*3 reduce`: those that compute something, in the order of their first occurrence.
static std::string fusedOperations(FusionOp op) {
  llvm::MapVector<StringRef, int> names;
  for (Operation &inner : op.getBody().front().without_terminator())
    if (!isMove(&inner) && !isa<ConstantOp>(inner))
      ++names[inner.getName().stripDialect()];
  if (names.empty()) // moves only
    for (Operation &inner : op.getBody().front().without_terminator())
      ++names[inner.getName().stripDialect()];
  std::string text;
  for (auto &[name, times] : names)
    text += (text.empty() ? "" : " ") + name.str() + (times > 1 ? "*" + std::to_string(times) : "");
  return text;
}

LogicalResult GpuEntryLowering::lowerGroup(const GroupCall &call) {
  FusionOp op = call.op;
  DeviceGroup group(call.reductions, call.outputs, [](Value value) { return isa<BlockArgument>(value); });
  std::string why;
  if (failed(group.plan(why)))
    return op.emitOpError("cannot become one kernel: ") << why;
  if (group.readsAcross())
    remark::missed(op.getLoc(), remark::RemarkOpts::name("strided access").category("heddle"))
        << "the inner loop of a group reads elements that are not adjacent";
  group.cut();
  if (group.blocks() == 0)
    return success();
  SmallVector<int64_t> alignments;
  for (Value input : op.getInputs())
    alignments.push_back(alignmentOf(input));
  for (auto [number, result] : llvm::zip(call.resultArguments, op.getResults())) {
    alignments.resize(std::max<size_t>(alignments.size(), number + 1), 16);
    alignments[number] = alignmentOf(result);
  }
  std::string key = call.key;
  for (int64_t alignment : alignments)
    key += "," + std::to_string(alignment);
  std::string &symbol = symbols[key];
  if (symbol.empty()) {
    symbol = kernelName(call.name);
    SmallVector<Type> types;
    for (Value operand : call.operands)
      types.push_back(MemRefType::Builder(cast<MemRefType>(operand.getType()))
                          .setMemorySpace(builder.getI64IntegerAttr(1)));
    KernelCode code(kernels, op.getLoc(), symbol, types, group.threads());
    int64_t bytes = 0;
    for (TypeRange range : {TypeRange(op.getOperandTypes()), TypeRange(op.getResultTypes())})
      for (Type type : range)
        bytes += tensorBytes(type);
    describe(code.function, fusedOperations(op), bytes);
    for (auto [i, alignment] : llvm::enumerate(alignments)) {
      code.function.setArgAttr(i, "llvm.noalias", builder.getUnitAttr());
      code.function.setArgAttr(i, "llvm.align", builder.getI64IntegerAttr(alignment));
    }
    SmallVector<std::pair<Value, Value>> leaves;
    for (auto [leaf, i] : llvm::zip(op.getBody().front().getArguments(), llvm::seq<unsigned>(0, ~0u)))
      leaves.push_back({leaf, code.function.getArgument(i)});
    SmallVector<Value> results = llvm::map_to_vector(
        call.resultArguments, [&](unsigned i) -> Value { return code.function.getArgument(i); });
    group.emit(code, leaves, results);
    code.finish();
    joinAccesses(code.function);
  }
  auto shared = kernels.lookupSymbol(symbol)->getAttrOfType<IntegerAttr>("heddle.shared_bytes");
  launch(op.getLoc(), symbol, {group.blocks(), 1, 1}, group.threads(), shared ? shared.getInt() : 0,
         call.operands);
  return success();
}

//===----------------------------------------------------------------------===//
// Operations that are not grouped
//===----------------------------------------------------------------------===//

int32_t GpuEntryLowering::message(int32_t status, const std::string &text) {
  auto [known, isNew] = messageNumbers.try_emplace(std::to_string(status) + text, messages.size());
  if (isNew)
    messages.push_back(
        builder.getArrayAttr({builder.getI32IntegerAttr(status), builder.getStringAttr(text)}));
  return known->second;
}

/// The number of a program's first message; the others follow it, as kernels count on.
int32_t GpuEntryLowering::firstFailure(const DeviceProgram &program, const std::string &where) {
  std::string key = "program";
  for (const DeviceFailure &failure : program.failures)
    key += "\n" + std::to_string(failure.status) + where + failure.text;
  auto [known, isNew] = messageNumbers.try_emplace(key, messages.size());
  if (isNew)
    for (const DeviceFailure &failure : program.failures)
      messages.push_back(builder.getArrayAttr(
          {builder.getI32IntegerAttr(failure.status), builder.getStringAttr(where + failure.text)}));
  return known->second;
}

/// What the library may use beside its operands: more pays off for large products only.
static int64_t libraryBytes(MatmulOp op) {
  auto c = cast<RankedTensorType>(op.getType());
  return c.getNumElements() >= 1 << 16 ? 32 << 20 : 0;
}

Workspace GpuEntryLowering::workspaceOf(Operation *op) {
  if (isLeftToRuntime(op, options))
    return {libraryBytes(cast<MatmulOp>(op))};
  if (op->getNumRegions() != 0 && !isa<sk::VariantAttentionOp, sk::VariantAttentionBackwardOp>(op))
    return {};
  if (isa<ReshapeOp, ConstantOp>(op) || op->hasTrait<OpTrait::IsTerminator>())
    return {};
  const DeviceProgram &program = this->program(op);
  return {program.workspaceBytes - program.earlyBytes, program.earlyBytes};
}

Starts GpuEntryLowering::findStarts() {
  early = EarlySteps(source, [this](Operation *op) -> const DeviceProgram & { return program(op); });
  return early.starts();
}

/// Puts aside what begins before an operation.
void GpuEntryLowering::reach(Operation *at) {
  for (Operation *op : early.startingAt(at)) {
    Location loc = op->getLoc();
    runtimeCall(loc, "heddle_cuda_aside", {});
    const DeviceProgram &program = this->program(op);
    for (const DeviceStep &step : ArrayRef(program.steps).take_front(program.earlySteps))
      runStep(op, program, step);
    runtimeCall(loc, "heddle_cuda_return", i32(loc, *early.sectionOf(op)));
  }
}

const DeviceProgram &GpuEntryLowering::program(Operation *op) {
  std::string key = kernelKey(op);
  if (isa<MatmulOp>(op)) {
    // Products of the same types share their kernels, whatever their operands are called.
    key.clear();
    llvm::raw_string_ostream(key) << op->getName() << op->getAttrDictionary() << op->getOperandTypes();
  }
  auto found = programs.find(key);
  if (found == programs.end()) {
    auto emitted = emitWholeOp(kernels, op, kernelName(op->getName().stripDialect()), options);
    found = programs.emplace(key, emitted.value_or(DeviceProgram())).first;
  }
  return found->second;
}

void GpuEntryLowering::runProgram(Operation *op) {
  const DeviceProgram &program = this->program(op);
  ArrayRef<DeviceStep> steps = program.steps;
  if (std::optional<int32_t> section = early.sectionOf(op)) {
    runtimeCall(op->getLoc(), "heddle_cuda_join", i32(op->getLoc(), *section));
    steps = steps.drop_front(program.earlySteps);
  }
  for (const DeviceStep &step : steps)
    runStep(op, program, step);
}

void GpuEntryLowering::runStep(Operation *op, const DeviceProgram &program, const DeviceStep &step) {
  Location loc = op->getLoc();
  SmallVector<Value> arguments;
  for (const DeviceOperand &operand : step.operands)
    switch (operand.kind) {
    case DeviceOperand::Operand:
      arguments.push_back(buffer(op->getOperand(operand.number)));
      break;
    case DeviceOperand::Result:
      arguments.push_back(buffer(op->getResult(operand.number)));
      break;
    case DeviceOperand::Workspace: {
      const bool isEarly = operand.number < program.earlyBytes;
      const int64_t start = isEarly ? plan->earlyWorkspace(op) : plan->workspace(op) - program.earlyBytes,
                    end = isEarly ? program.earlyBytes : program.workspaceBytes;
      arguments.push_back(arenaView(start + operand.number,
                                    MemRefType::get({end - operand.number}, builder.getI8Type()), loc));
      break;
    }
    case DeviceOperand::I32:
      arguments.push_back(i32(loc, operand.number));
      break;
    case DeviceOperand::I64:
      arguments.push_back(arith::ConstantIntOp::create(builder, loc, builder.getI64Type(), operand.number));
      break;
    case DeviceOperand::Errors: // the runtime adds it
      kernels.lookupSymbol(step.kernel)->setAttr("heddle.can_fail", builder.getUnitAttr());
      break;
    case DeviceOperand::Message: {
      Operation *read = variantReads(op)[operand.number];
      arguments.push_back(i32(loc, message(outOfRangeStatus, sourcePosition(read->getLoc()) +
                                                                 "index {} is outside a dimension of {}")));
      break;
    }
    case DeviceOperand::Failure:
      arguments.push_back(i32(loc, firstFailure(program, sourcePosition(loc)) + int32_t(operand.number)));
      break;
    }
  Operation *kernel = kernels.lookupSymbol(step.kernel);
  if (!kernel->hasAttr("heddle.operations")) {
    int64_t bytes = 0;
    for (const DeviceOperand &operand : step.operands)
      if (operand.kind == DeviceOperand::Operand)
        bytes += tensorBytes(op->getOperand(operand.number).getType());
      else if (operand.kind == DeviceOperand::Result)
        bytes += tensorBytes(op->getResult(operand.number).getType());
    StringRef name = op->getName().getStringRef();
    name.consume_front("heddle.");
    describe(kernel, name, bytes);
  }
  launch(loc, step.kernel, step.grid, step.block, step.shared, arguments);
}

void GpuEntryLowering::callMatmul(MatmulOp op) {
  Location loc = op.getLoc();
  auto a = tensorType(op.getLhs()), b = tensorType(op.getRhs()), c = cast<RankedTensorType>(op.getType());
  if (c.getNumElements() == 0)
    return;
  const bool ta = op.getTransposeLhs(), tb = op.getTransposeRhs();
  const int64_t m = c.getDimSize(1), n = c.getDimSize(2), k = a.getDimSize(ta ? 1 : 2);
  SmallVector<NamedAttribute> fields;
  auto field = [&](StringRef name, int64_t value) {
    fields.push_back(builder.getNamedAttr(name, builder.getI64IntegerAttr(value)));
  };
  field("m", m), field("n", n), field("k", k), field("batch", c.getDimSize(0));
  field("row_a", a.getDimSize(2)), field("row_b", b.getDimSize(2)), field("row_out", n);
  field("batch_a", a.getDimSize(1) * a.getDimSize(2)), field("batch_b", b.getDimSize(1) * b.getDimSize(2));
  field("batch_out", m * n), field("workspace_bytes", libraryBytes(op));
  field("type", runtimeType(a.getElementType())), field("out_type", runtimeType(c.getElementType()));
  field("transpose_a", ta), field("transpose_b", tb);
  if (op.getBias())
    field("has_bias", 1);
  if (op.getAddend())
    field("beta", 1);
  if (op.getRelu())
    field("relu", 1);
  if (options.tf32 && a.getElementType().isF32())
    field("tf32", 1);
  Attribute product = builder.getDictionaryAttr(fields);
  std::string key;
  llvm::raw_string_ostream(key) << product;
  auto [known, isNew] = productNumbers.try_emplace(key, products.size());
  if (isNew)
    products.push_back(product);
  Value none = LLVM::ZeroOp::create(builder, loc, LLVM::LLVMPointerType::get(builder.getContext()));
  Value addend = op.getAddend() ? buffer(op.getAddend()) : none;
  Value bias = op.getBias() ? buffer(op.getBias()) : none, workspace = none;
  if (int64_t bytes = libraryBytes(op))
    workspace = arenaView(plan->workspace(op), MemRefType::get({bytes}, builder.getI8Type()), loc);
  runtimeCall(loc, "heddle_cuda_matmul",
              {i32(loc, known->second), buffer(op.getLhs()), buffer(op.getRhs()), addend, bias,
               buffer(op.getResult()), workspace});
}

LogicalResult GpuEntryLowering::lowerWhole(Operation *op) {
  if (isLeftToRuntime(op, options)) {
    callMatmul(cast<MatmulOp>(op));
    return success();
  }
  // What such an operation does not replace stays.
  if (auto update = dyn_cast<DynamicUpdateSliceOp>(op))
    copy(update.getX(), plan->place(update.getResult()), op->getLoc());
  if (auto append = dyn_cast<sk::AppendOp>(op))
    for (auto [old, next] : llvm::zip(append.getState(), append.getResults().drop_front()))
      copy(old, plan->place(next), op->getLoc());
  const bool isEmpty = program(op).steps.empty() && llvm::all_of(op->getResultTypes(), [](Type type) {
                         return cast<RankedTensorType>(type).getNumElements() > 0;
                       });
  if (isEmpty && !isa<CheckIndexOp>(op))
    return op->emitOpError("cannot be compiled for GPUs");
  runProgram(op);
  return success();
}

void GpuEntryLowering::finish() {
  entry->setAttr("heddle.kernels", builder.getArrayAttr(launched));
  entry->setAttr("heddle.messages", builder.getArrayAttr(messages));
  entry->setAttr("heddle.products", builder.getArrayAttr(products));
}
