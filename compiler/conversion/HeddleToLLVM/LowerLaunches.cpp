//===- LowerLaunches.cpp - Launches and entries as C calls ----------------===//

#include "compiler/conversion/HeddleToLLVM/HeddleToLLVM.h"

#include "dialects/heddle/IR/Heddle.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/TypeSwitch.h"

namespace heddle::cpu {
#define GEN_PASS_DEF_LOWERLAUNCHES
#include "compiler/conversion/HeddleToLLVM/Passes.h.inc"
} // namespace heddle::cpu

using namespace mlir;
using namespace heddle;

namespace {

struct LowerLaunches : cpu::impl::LowerLaunchesBase<LowerLaunches> {
  void runOnOperation() override;

private:
  FailureOr<Value> lowered(OpBuilder &builder, Operation *user, Value value);
  LLVM::LLVMFuncOp declare(StringRef name, Type result, ArrayRef<Type> arguments);
  LLVM::LLVMFuncOp thunk(LLVM::LLVMFuncOp kernel);
  LogicalResult lower(ir::LaunchOp launch);
  LogicalResult lower(ir::LaunchDeviceOp launch);
  Value allocate(LLVM::LLVMFuncOp function, Location loc, Type type, int64_t count);
  LogicalResult lower(ir::RuntimeCallOp call);
  void wrap(LLVM::LLVMFuncOp entry);

  Type i64() { return IntegerType::get(&getContext(), 64); }
  Type i32() { return IntegerType::get(&getContext(), 32); }
  Type pointer() { return LLVM::LLVMPointerType::get(&getContext()); }
  Type nothing() { return LLVM::LLVMVoidType::get(&getContext()); }
};

} // namespace

/// The LLVM form of an operand whose definition is already converted: a memref as a pointer, an index as i64.
FailureOr<Value> LowerLaunches::lowered(OpBuilder &builder, Operation *user, Value value) {
  Type type = value.getType();
  if (LLVM::isCompatibleType(type))
    return value;
  auto cast = value.getDefiningOp<UnrealizedConversionCastOp>();
  if (auto memref = dyn_cast<MemRefType>(type)) {
    if (!memref.getLayout().isIdentity())
      return user->emitError("argument of type ") << type << " is not contiguous";
    if (cast && cast.getInputs().size() == 1) {
      Value input = cast.getInputs().front();
      if (isa<LLVM::LLVMStructType>(input.getType()))
        return LLVM::ExtractValueOp::create(builder, user->getLoc(), input, ArrayRef<int64_t>{1}).getResult();
      if (isa<LLVM::LLVMPointerType>(input.getType()))
        return input;
    }
    return user->emitError("argument of type ") << type << " is not converted yet";
  }
  if (type.isIndex() && cast && cast.getInputs().size() == 1 &&
      cast.getInputs().front().getType().isInteger(64))
    return cast.getInputs().front();
  return user->emitError("argument of type ") << type << " cannot be passed to a kernel";
}

LLVM::LLVMFuncOp LowerLaunches::declare(StringRef name, Type result, ArrayRef<Type> arguments) {
  if (auto existing = getOperation().lookupSymbol<LLVM::LLVMFuncOp>(name))
    return existing;
  OpBuilder builder = OpBuilder::atBlockBegin(getOperation().getBody());
  return LLVM::LLVMFuncOp::create(builder, getOperation().getLoc(), name,
                                  LLVM::LLVMFunctionType::get(result, arguments));
}

/// `void thunk(void *pack, int64_t begin, int64_t end)`: calls the kernel with the arguments of the pack, 8
/// bytes each.
LLVM::LLVMFuncOp LowerLaunches::thunk(LLVM::LLVMFuncOp kernel) {
  std::string name = (kernel.getName() + ".thunk").str();
  if (auto existing = getOperation().lookupSymbol<LLVM::LLVMFuncOp>(name))
    return existing;
  OpBuilder builder(kernel->getBlock(), std::next(kernel->getIterator()));
  Location loc = kernel.getLoc();
  auto function = LLVM::LLVMFuncOp::create(builder, loc, name,
                                           LLVM::LLVMFunctionType::get(nothing(), {pointer(), i64(), i64()}),
                                           LLVM::Linkage::Internal);
  Block *body = function.addEntryBlock(builder);
  builder.setInsertionPointToStart(body);
  SmallVector<Value> arguments = {body->getArgument(1), body->getArgument(2)};
  for (auto [i, type] : llvm::enumerate(kernel.getArgumentTypes().drop_front(2))) {
    Value slot = LLVM::GEPOp::create(builder, loc, pointer(), i64(), body->getArgument(0),
                                     ArrayRef<LLVM::GEPArg>{int32_t(i)});
    arguments.push_back(LLVM::LoadOp::create(builder, loc, type, slot));
  }
  LLVM::CallOp::create(builder, loc, kernel, arguments);
  LLVM::ReturnOp::create(builder, loc, ValueRange());
  return function;
}

/// Lives in the function's first block: a launch inside a loop must not grow the stack.
Value LowerLaunches::allocate(LLVM::LLVMFuncOp function, Location loc, Type type, int64_t count) {
  OpBuilder atStart = OpBuilder::atBlockBegin(&function.getBody().front());
  Value size =
      LLVM::ConstantOp::create(atStart, loc, i64(), atStart.getI64IntegerAttr(std::max<int64_t>(count, 1)));
  return LLVM::AllocaOp::create(atStart, loc, pointer(), type, size, /*alignment=*/8);
}

LogicalResult LowerLaunches::lower(ir::LaunchOp launch) {
  auto kernel = getOperation().lookupSymbol<LLVM::LLVMFuncOp>(launch.getKernel());
  if (!kernel)
    return launch.emitError("kernel @") << launch.getKernel() << " is not lowered to the LLVM dialect";
  OpBuilder builder(launch);
  Location loc = launch.getLoc();
  auto constant = [&](int64_t value) -> Value {
    return LLVM::ConstantOp::create(builder, loc, i64(), builder.getI64IntegerAttr(value));
  };
  FailureOr<Value> count = lowered(builder, launch, launch.getCount());
  if (failed(count))
    return failure();
  SmallVector<Value> arguments;
  for (Value argument : launch.getArguments()) {
    FailureOr<Value> value = lowered(builder, launch, argument);
    if (failed(value))
      return failure();
    arguments.push_back(*value);
  }
  std::optional<int64_t> known;
  if (auto constantCount = count->getDefiningOp<LLVM::ConstantOp>())
    if (auto attribute = dyn_cast<IntegerAttr>(constantCount.getValue()))
      known = attribute.getInt();
  if (known && *known <= int64_t(launch.getGrain())) {
    if (*known > 0) {
      SmallVector<Value> all = {constant(0), *count};
      llvm::append_range(all, arguments);
      LLVM::CallOp::create(builder, loc, kernel, all);
    }
    launch.erase();
    return success();
  }
  Value pack = allocate(launch->getParentOfType<LLVM::LLVMFuncOp>(), loc, i64(), arguments.size());
  for (auto [i, argument] : llvm::enumerate(arguments)) {
    Value slot =
        LLVM::GEPOp::create(builder, loc, pointer(), i64(), pack, ArrayRef<LLVM::GEPArg>{int32_t(i)});
    LLVM::StoreOp::create(builder, loc, argument, slot);
  }
  LLVM::LLVMFuncOp parallelFor =
      declare("heddle_parallel_for", nothing(), {pointer(), pointer(), i64(), i64()});
  Value body = LLVM::AddressOfOp::create(builder, loc, thunk(kernel));
  LLVM::CallOp::create(builder, loc, parallelFor,
                       ValueRange{body, pack, *count, constant(launch.getGrain())});
  launch.erase();
  return success();
}

/// Arguments are passed to the driver as pointers to each.
LogicalResult LowerLaunches::lower(ir::LaunchDeviceOp launch) {
  auto entry = launch->getParentOfType<LLVM::LLVMFuncOp>();
  auto names = entry ? entry->getAttrOfType<ArrayAttr>("heddle.kernels") : ArrayAttr();
  Attribute name = launch.getKernelAttr().getLeafReference();
  const auto *at = names ? llvm::find(names, name) : nullptr;
  if (!names || at == names.end())
    return launch.emitError("kernel ") << launch.getKernelAttr() << " is not in the entry's heddle.kernels";
  OpBuilder builder(launch);
  Location loc = launch.getLoc();
  auto constant = [&](int64_t value) -> Value {
    return LLVM::ConstantOp::create(builder, loc, i32(), builder.getI32IntegerAttr(value));
  };
  SmallVector<Value> operands = {entry.getArgument(0), constant(at - names.begin())};
  for (Value extent : {launch.getX(), launch.getY(), launch.getZ()}) {
    FailureOr<Value> value = lowered(builder, launch, extent);
    if (failed(value))
      return failure();
    operands.push_back(*value);
  }
  operands.push_back(constant(launch.getBlock()));
  operands.push_back(constant(launch.getShared()));
  const int64_t count = launch.getArguments().size();
  Value slots = allocate(entry, loc, i64(), count), pack = allocate(entry, loc, pointer(), count);
  operands.push_back(pack);
  for (auto [i, argument] : llvm::enumerate(launch.getArguments())) {
    FailureOr<Value> value = lowered(builder, launch, argument);
    if (failed(value))
      return failure();
    const SmallVector<LLVM::GEPArg, 1> index = {static_cast<int32_t>(i)};
    Value slot = LLVM::GEPOp::create(builder, loc, pointer(), i64(), slots, index);
    LLVM::StoreOp::create(builder, loc, *value, slot);
    LLVM::StoreOp::create(builder, loc, slot,
                          LLVM::GEPOp::create(builder, loc, pointer(), pointer(), pack, index));
  }
  SmallVector<Type> types(ValueRange(operands).getTypes());
  LLVM::CallOp::create(builder, loc, declare("heddle_cuda_launch", nothing(), types), operands);
  launch.erase();
  return success();
}

LogicalResult LowerLaunches::lower(ir::RuntimeCallOp call) {
  OpBuilder builder(call);
  SmallVector<Value> arguments;
  for (Value argument : call.getArguments()) {
    FailureOr<Value> value = lowered(builder, call, argument);
    if (failed(value))
      return failure();
    arguments.push_back(*value);
  }
  SmallVector<Type> types(ValueRange(arguments).getTypes());
  LLVM::LLVMFuncOp callee = declare(call.getCallee(), nothing(), types);
  if (!llvm::equal(callee.getArgumentTypes(), types))
    return call.emitError("function @") << call.getCallee() << " is called with other types elsewhere";
  LLVM::CallOp::create(builder, call.getLoc(), callee, arguments);
  call.erase();
  return success();
}

/// The C interface of an entry: unpacks the buffers and returns the call's status, its first field.
void LowerLaunches::wrap(LLVM::LLVMFuncOp entry) {
  OpBuilder builder(entry->getBlock(), std::next(entry->getIterator()));
  Location loc = entry.getLoc();
  auto wrapper = LLVM::LLVMFuncOp::create(builder, loc, ("heddle_entry_" + entry.getName()).str(),
                                          LLVM::LLVMFunctionType::get(i32(), {pointer(), pointer()}));
  Block *body = wrapper.addEntryBlock(builder);
  builder.setInsertionPointToStart(body);
  SmallVector<Value> arguments = {body->getArgument(0)};
  for (auto [i, type] : llvm::enumerate(entry.getArgumentTypes().drop_front())) {
    Value slot = LLVM::GEPOp::create(builder, loc, pointer(), pointer(), body->getArgument(1),
                                     ArrayRef<LLVM::GEPArg>{int32_t(i)});
    arguments.push_back(LLVM::LoadOp::create(builder, loc, type, slot));
  }
  LLVM::CallOp::create(builder, loc, entry, arguments);
  Value status = LLVM::LoadOp::create(builder, loc, i32(), body->getArgument(0));
  LLVM::ReturnOp::create(builder, loc, status);
}

void LowerLaunches::runOnOperation() {
  SmallVector<Operation *> calls;
  getOperation().walk([&](Operation *op) {
    if (isa<ir::LaunchOp, ir::LaunchDeviceOp, ir::RuntimeCallOp>(op))
      calls.push_back(op);
  });
  for (Operation *op : calls) {
    LogicalResult done = llvm::TypeSwitch<Operation *, LogicalResult>(op)
                             .Case<ir::LaunchOp, ir::LaunchDeviceOp, ir::RuntimeCallOp>(
                                 [&](auto call) { return lower(call); });
    if (failed(done))
      return signalPassFailure();
  }
  for (auto function : llvm::to_vector(getOperation().getOps<LLVM::LLVMFuncOp>())) {
    if (function.isExternal())
      continue;
    // Only the wrappers, and the thunks of kernels that a test or benchmark calls, are seen from outside, so
    // that LLVM may inline and drop everything else.
    function.setLinkage(LLVM::Linkage::Internal);
    // The translation to LLVM IR would warn of each name and print the whole function with the warning.
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      for (StringRef name : {"heddle.name", "heddle.donated", "heddle.donor"})
        function.removeArgAttr(i, name);
    if (function->hasAttr("heddle.entry"))
      wrap(function);
    if (function->hasAttr("heddle.exported"))
      thunk(function).setLinkage(LLVM::Linkage::External);
  }
}
