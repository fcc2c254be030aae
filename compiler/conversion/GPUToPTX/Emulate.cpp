//===- Emulate.cpp - Device kernels for the emulated device ---------------===//

#include "compiler/conversion/GPUToPTX/Emulate.h"
#include "compiler/conversion/GPUToPTX/EmulatedDevice.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace heddle::gpu;

namespace {

/// Replaces the operations of one function.
class Emulator {
public:
  Emulator(ModuleOp module, LLVM::LLVMFuncOp function)
      : module(module), function(function), b(function.getLoc(), function) {}

  LogicalResult run() {
    SmallVector<Operation *> operations;
    function.walk([&](Operation *op) { operations.push_back(op); });
    for (Operation *op : operations)
      if (failed(replace(op)))
        return failure();
    return success();
  }

private:
  ModuleOp module;
  LLVM::LLVMFuncOp function;
  ImplicitLocOpBuilder b;
  Value assemblyScratch; ///< what assembly takes and gives: used anew each time

  Type i32() { return b.getI32Type(); }
  Type i64() { return b.getI64Type(); }
  Type pointer() { return LLVM::LLVMPointerType::get(b.getContext()); }
  Value constant(int64_t value) { return LLVM::ConstantOp::create(b, i32(), b.getI32IntegerAttr(value)); }

  Value generic(Value address) {
    if (cast<LLVM::LLVMPointerType>(address.getType()).getAddressSpace() == 0)
      return address;
    return LLVM::AddrSpaceCastOp::create(b, pointer(), address);
  }
  Value widened(Value truth) { return LLVM::ZExtOp::create(b, i32(), truth); }
  Value asTruth(Value word) { return LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::ne, word, constant(0)); }
  Value asWord(Value value) {
    return value.getType().isInteger(32) ? value : LLVM::BitcastOp::create(b, i32(), value).getResult();
  }
  Value fromWord(Value word, Type type) {
    return type.isInteger(32) ? word : LLVM::BitcastOp::create(b, type, word).getResult();
  }

  /// None: the result depends on the arguments and the thread alone. Hidden: may end the kernel, but touches
  /// no memory of its own.
  enum class Effect { Any, Hidden, None };
  /// A call of heddle_emulated_<name>.
  Value call(StringRef name, Type result, ValueRange arguments, Effect effect = Effect::Any);
  /// Memory of the function for `count` words.
  Value scratch(int64_t count);
  Value stored(ValueRange words);
  Value loadedStruct(Value words, Type type);

  void finish(Operation *op, ValueRange results) {
    op->replaceAllUsesWith(results);
    op->erase();
  }
  LogicalResult replace(Operation *op);
  void checkAlignment(Operation *op);
  LogicalResult replaceRegister(Operation *op);
  LogicalResult replaceIntrinsic(LLVM::CallIntrinsicOp op);
  LogicalResult replaceBarrier(NVVM::BarrierOp op);
  LogicalResult replaceProduct(NVVM::MmaOp op);
  LogicalResult replaceAssembly(LLVM::InlineAsmOp op);
  void replaceShuffle(NVVM::ShflOp op);
};

} // namespace

Value Emulator::call(StringRef name, Type result, ValueRange arguments, Effect effect) {
  std::string full = ("heddle_emulated_" + name).str();
  Type returned = result ? result : LLVM::LLVMVoidType::get(b.getContext());
  auto callee = module.lookupSymbol<LLVM::LLVMFuncOp>(full);
  if (!callee) {
    OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
    callee = LLVM::LLVMFuncOp::create(
        top, module.getLoc(), full,
        LLVM::LLVMFunctionType::get(returned, llvm::to_vector(arguments.getTypes())));
    callee.setNoUnwind(true);
    if (effect != Effect::Any) {
      using Access = LLVM::ModRefInfo;
      SmallVector<Access> none(6, Access::NoModRef);
      if (effect == Effect::Hidden)
        none[2] = Access::ModRef; // memory that code cannot reach
      callee.setMemoryEffectsAttr(LLVM::MemoryEffectsAttr::get(b.getContext(), none));
    }
    if (effect == Effect::None)
      callee.setWillReturn(true);
  }
  auto made = LLVM::CallOp::create(b, callee, arguments);
  return result ? made.getResult() : Value();
}

Value Emulator::scratch(int64_t count) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&function.getBody().front());
  return LLVM::AllocaOp::create(b, pointer(), i32(), constant(count), /*alignment=*/16);
}

Value Emulator::stored(ValueRange words) {
  Value memory = scratch(words.size());
  for (auto [i, word] : llvm::enumerate(words))
    LLVM::StoreOp::create(
        b, word,
        LLVM::GEPOp::create(b, pointer(), i32(), memory, ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(i)}));
  return memory;
}

Value Emulator::loadedStruct(Value words, Type type) {
  auto structure = dyn_cast<LLVM::LLVMStructType>(type);
  if (!structure)
    return LLVM::LoadOp::create(b, type, words);
  Value result = LLVM::PoisonOp::create(b, type);
  for (auto [i, element] : llvm::enumerate(structure.getBody())) {
    Value at =
        LLVM::GEPOp::create(b, pointer(), i32(), words, ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(i)});
    result = LLVM::InsertValueOp::create(b, result, LLVM::LoadOp::create(b, element, at), i);
  }
  return result;
}

LogicalResult Emulator::replaceRegister(Operation *op) {
  StringRef name = op->getName().getStringRef();
  name.consume_front("nvvm.read.ptx.sreg.");
  const int axis = name.ends_with(".y") ? 1 : name.ends_with(".z") ? 2 : 0;
  const int number = llvm::StringSwitch<int>(name)
                         .Cases({"tid.x", "tid.y", "tid.z"}, HEDDLE_EMULATED_TID + axis)
                         .Cases({"ntid.x", "ntid.y", "ntid.z"}, HEDDLE_EMULATED_NTID + axis)
                         .Cases({"ctaid.x", "ctaid.y", "ctaid.z"}, HEDDLE_EMULATED_CTAID + axis)
                         .Cases({"nctaid.x", "nctaid.y", "nctaid.z"}, HEDDLE_EMULATED_NCTAID + axis)
                         .Case("laneid", HEDDLE_EMULATED_LANEID)
                         .Case("warpid", HEDDLE_EMULATED_WARPID)
                         .Case("nwarpid", HEDDLE_EMULATED_NWARPID)
                         .Case("warpsize", HEDDLE_EMULATED_WARPSIZE)
                         .Case("lanemask.eq", HEDDLE_EMULATED_LANEMASK_EQ)
                         .Case("lanemask.le", HEDDLE_EMULATED_LANEMASK_LE)
                         .Case("lanemask.lt", HEDDLE_EMULATED_LANEMASK_LT)
                         .Case("lanemask.ge", HEDDLE_EMULATED_LANEMASK_GE)
                         .Case("lanemask.gt", HEDDLE_EMULATED_LANEMASK_GT)
                         .Case("dynamic.smem.size", HEDDLE_EMULATED_DYNAMIC_SMEM_SIZE)
                         .Default(-1);
  if (number < 0)
    return op->emitError() << "the emulated device has no register " << name;
  finish(op, call("register", i32(), constant(number), Effect::None));
  return success();
}

/// A GPU faults where a vector is not aligned as its access says; this processor may not.
void Emulator::checkAlignment(Operation *op) {
  auto check = [&](auto access, Type type) {
    const auto alignment = access.getAlignment();
    if (isa<VectorType>(type) && alignment && *alignment > 1)
      call("check_alignment", {}, {generic(access.getAddr()), constant(*alignment)}, Effect::Hidden);
  };
  if (auto load = dyn_cast<LLVM::LoadOp>(op))
    check(load, load.getType());
  else if (auto store = dyn_cast<LLVM::StoreOp>(op))
    check(store, store.getValue().getType());
}

LogicalResult Emulator::replaceIntrinsic(LLVM::CallIntrinsicOp op) {
  StringRef name = op.getIntrin();
  if (!name.consume_front("llvm.nvvm."))
    return success();
  static constexpr StringLiteral known[] = {"ex2.approx.f",       "ex2.approx.ftz.f", "lg2.approx.f",
                                            "lg2.approx.ftz.f",   "rcp.approx.ftz.f", "rsqrt.approx.f",
                                            "rsqrt.approx.ftz.f", "sqrt.rn.f",        "sqrt.rn.d",
                                            "f2tf32.rna",         "add.rn.sat.f"};
  if (!llvm::is_contained(known, name))
    return op.emitError() << "the emulated device has no intrinsic " << op.getIntrin();
  std::string function = name.str();
  llvm::replace(function, '.', '_');
  finish(op, call(function, op.getResults().getType(), op.getArgs(), Effect::None));
  return success();
}

LogicalResult Emulator::replaceBarrier(NVVM::BarrierOp op) {
  Value id = op.getBarrierId() ? op.getBarrierId() : constant(0);
  Value threads = op.getNumberOfThreads() ? op.getNumberOfThreads() : constant(0);
  if (auto kind = op.getReductionOp()) {
    Value result = call("barrier_reduce", i32(),
                        {id, threads, op.getReductionPredicate(), constant(static_cast<int64_t>(*kind))});
    finish(op, op->getNumResults() ? ValueRange(result) : ValueRange());
    return success();
  }
  call("barrier", {}, {id, threads});
  finish(op, {});
  return success();
}

void Emulator::replaceShuffle(NVVM::ShflOp op) {
  Value both = call("shuffle", i64(),
                    {op.getThreadMask(), asWord(op.getVal()), op.getOffset(), op.getMaskAndClamp(),
                     constant(static_cast<int64_t>(op.getKind()))});
  Type type = op.getVal().getType();
  Value result = fromWord(LLVM::TruncOp::create(b, i32(), both), type);
  if (op.getReturnValueAndIsValid()) {
    Value shift = LLVM::ConstantOp::create(b, i64(), b.getI64IntegerAttr(32));
    Value valid = LLVM::TruncOp::create(b, b.getI1Type(), LLVM::LShrOp::create(b, both, shift).getResult());
    Value pair = LLVM::PoisonOp::create(b, op.getType());
    pair = LLVM::InsertValueOp::create(b, pair, result, ArrayRef<int64_t>{0});
    result = LLVM::InsertValueOp::create(b, pair, valid, ArrayRef<int64_t>{1});
  }
  finish(op, result);
}

LogicalResult Emulator::replaceProduct(NVVM::MmaOp op) {
  auto refuse = [&] {
    return op.emitError() << "the emulated device multiplies m16n8 matrices of bf16, f16 or tf32 to f32 only";
  };
  auto shape = op.getShape();
  auto accumulators = cast<LLVM::LLVMStructType>(op.getType()).getBody();
  if (shape.getM() != 16 || shape.getN() != 8 || accumulators.size() != 4 || !accumulators.front().isF32() ||
      op.getOperandC().size() != 4 || op.getMultiplicandAPtxType() != op.getMultiplicandBPtxType())
    return refuse();
  int element;
  switch (op.getMultiplicandAPtxType().value_or(NVVM::MMATypes::s8)) {
  case NVVM::MMATypes::f16:
    element = HEDDLE_EMULATED_F16;
    break;
  case NVVM::MMATypes::bf16:
    element = HEDDLE_EMULATED_BF16;
    break;
  case NVVM::MMATypes::tf32:
    element = HEDDLE_EMULATED_TF32;
    break;
  default:
    return refuse();
  }
  Value out = scratch(4);
  call("mma", {},
       {constant(element), constant(shape.getK()), stored(op.getOperandA()), stored(op.getOperandB()),
        stored(op.getOperandC()), out});
  finish(op, loadedStruct(out, op.getType()));
  return success();
}

/// Assembly that says which function does the same: of its settings, its operands as words of 64 bits, and
/// memory for results of 32 bits. `pass`: the results are the operands.
LogicalResult Emulator::replaceAssembly(LLVM::InlineAsmOp op) {
  auto name = op->getAttrOfType<StringAttr>("heddle.emulated");
  if (!name)
    return op->emitError() << "the emulated device cannot run assembly";
  Type type = op.getRes().getType();
  if (name.getValue() == "pass") {
    Value result = op.getOperand(0);
    if (isa<LLVM::LLVMStructType>(type)) {
      result = LLVM::PoisonOp::create(b, type);
      for (auto [i, operand] : llvm::enumerate(op.getOperands()))
        result = LLVM::InsertValueOp::create(b, result, operand, i);
    }
    finish(op, result);
    return success();
  }
  constexpr int64_t mostOperands = 144;
  if (op.getNumOperands() > mostOperands)
    return op->emitError() << "the emulated device takes at most " << mostOperands << " operands of assembly";
  if (!assemblyScratch)
    assemblyScratch = scratch(4 * mostOperands);
  auto part = [&](int64_t word) -> Value {
    return LLVM::GEPOp::create(b, pointer(), i64(), assemblyScratch,
                               ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(word)});
  };
  for (auto [i, operand] : llvm::enumerate(op.getOperands())) {
    Value word = operand;
    if (!word.getType().isInteger(64))
      word = LLVM::ZExtOp::create(b, i64(), asWord(word));
    LLVM::StoreOp::create(b, word, part(int64_t(i)));
  }
  SmallVector<Value> arguments;
  for (int64_t setting : op->getAttrOfType<DenseI64ArrayAttr>("heddle.settings").asArrayRef())
    arguments.push_back(constant(setting));
  Value results = part(mostOperands);
  arguments.append({part(0), results});
  call(name.getValue(), {}, arguments);
  finish(op, loadedStruct(results, type));
  return success();
}

LogicalResult Emulator::replace(Operation *op) {
  b.setLoc(op->getLoc());
  b.setInsertionPoint(op);
  if (auto address = dyn_cast<LLVM::AddressOfOp>(op)) {
    if (cast<LLVM::LLVMPointerType>(address.getType()).getAddressSpace() != 3)
      return success();
    Value base = call("shared", pointer(), {}, Effect::None);
    finish(op, LLVM::AddrSpaceCastOp::create(b, address.getType(), base).getResult());
    return success();
  }
  if (auto intrinsic = dyn_cast<LLVM::CallIntrinsicOp>(op))
    return replaceIntrinsic(intrinsic);
  if (auto assembly = dyn_cast<LLVM::InlineAsmOp>(op))
    return replaceAssembly(assembly);
  checkAlignment(op);
  // Whoever polls memory lets others write it.
  auto load = dyn_cast<LLVM::LoadOp>(op);
  if (isa<LLVM::AtomicCmpXchgOp, LLVM::AtomicRMWOp>(op) ||
      (load && (load.getVolatile_() || load.getOrdering() != LLVM::AtomicOrdering::not_atomic)))
    call("yield", {}, {});
  if (!isa<NVVM::NVVMDialect>(op->getDialect()))
    return success();
  if (op->getName().getStringRef().starts_with("nvvm.read.ptx.sreg."))
    return replaceRegister(op);

  auto returnWord = [&](StringRef name, ValueRange arguments) {
    Value word = call(name, i32(), arguments);
    finish(op, op->getResult(0).getType().isInteger(1) ? asTruth(word) : word);
    return success();
  };
  auto run = [&](StringRef name, ValueRange arguments) {
    call(name, {}, arguments);
    finish(op, {});
    return success();
  };
  auto kindOf = [&](auto kind) { return constant(static_cast<int64_t>(kind)); };
  return TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](NVVM::Barrier0Op) { return run("barrier", {constant(0), constant(0)}); })
      .Case([&](NVVM::BarrierOp barrier) { return replaceBarrier(barrier); })
      .Case([&](NVVM::BarrierArriveOp arrive) {
        Value id = arrive.getBarrierId() ? arrive.getBarrierId() : constant(0);
        return run("barrier_arrive", {id, arrive.getNumberOfThreads()});
      })
      .Case([&](NVVM::SyncWarpOp sync) { return run("warp_barrier", sync.getMask()); })
      .Case([&](NVVM::ShflOp shuffle) {
        replaceShuffle(shuffle);
        return success();
      })
      .Case([&](NVVM::VoteSyncOp vote) {
        return returnWord("vote", {vote.getMask(), widened(vote.getPred()), kindOf(vote.getKind())});
      })
      .Case([&](NVVM::MatchSyncOp match) -> LogicalResult {
        if (match.getKind() != NVVM::MatchSyncKind::any)
          return op->emitError() << "the emulated device matches any, not all";
        Value value = match.getVal();
        if (value.getType().isInteger(32))
          value = LLVM::ZExtOp::create(b, i64(), value);
        return returnWord("match", {match.getThreadMask(), value, kindOf(match.getKind())});
      })
      .Case([&](NVVM::ReduxOp reduction) -> LogicalResult {
        if (!reduction.getVal().getType().isInteger(32))
          return op->emitError() << "the emulated device reduces integers only";
        return returnWord("reduce",
                          {reduction.getMaskAndClamp(), reduction.getVal(), kindOf(reduction.getKind())});
      })
      .Case([&](NVVM::ElectSyncOp elect) {
        return returnWord("elect", elect.getMembermask() ? elect.getMembermask() : constant(-1));
      })
      .Case([&](NVVM::MmaOp product) { return replaceProduct(product); })
      .Case([&](NVVM::LdMatrixOp load) {
        Value out = scratch(load.getNum());
        call("load_matrix", {},
             {generic(load.getPtr()), constant(load.getNum()),
              constant(load.getLayout() == NVVM::MMALayout::col), out});
        finish(op, loadedStruct(out, load.getType()));
        return success();
      })
      .Case([&](NVVM::StMatrixOp store) {
        return run("store_matrix",
                   {generic(store.getPtr()), constant(store.getSources().size()),
                    constant(store.getLayout() == NVVM::MMALayout::col), stored(store.getSources())});
      })
      .Case([&](NVVM::CpAsyncOp copy) {
        Value used = copy.getCpSize() ? copy.getCpSize() : constant(copy.getSize());
        return run("copy", {generic(copy.getDst()), generic(copy.getSrc()), constant(copy.getSize()), used});
      })
      .Case([&](NVVM::CpAsyncCommitGroupOp) { return run("copy_commit", {}); })
      .Case([&](NVVM::CpAsyncWaitGroupOp wait) { return run("copy_wait", constant(wait.getN())); })
      .Case([&](NVVM::RcpApproxFtzF32Op reciprocal) {
        finish(op, call("rcp_approx_ftz_f", b.getF32Type(), reciprocal.getArg(), Effect::None));
        return success();
      })
      .Case([&](NVVM::ConvertFloatToTF32Op convert) {
        finish(op, call("f2tf32_rna", i32(), convert.getSrc(), Effect::None));
        return success();
      })
      .Case([&](NVVM::NanosleepOp) { return run("yield", {}); })
      .Case([&](NVVM::MembarOp) {
        LLVM::FenceOp::create(b, LLVM::AtomicOrdering::seq_cst);
        finish(op, {});
        return success();
      })
      .Case([&](NVVM::MBarrierInitOp barrier) {
        return run("mbarrier_init", {generic(barrier.getAddr()), barrier.getCount()});
      })
      .Case([&](NVVM::MBarrierArriveOp arrive) -> LogicalResult {
        if (arrive.getRes() && !arrive.getRes().use_empty())
          return op->emitError() << "the emulated device has no tokens of barriers";
        Value count = arrive.getCount() ? arrive.getCount() : constant(1);
        call("mbarrier_arrive", {}, {generic(arrive.getAddr()), count});
        op->erase();
        return success();
      })
      .Case([&](NVVM::CpAsyncMBarrierArriveOp arrive) -> LogicalResult {
        if (!arrive.getNoinc())
          return op->emitError() << "the emulated device has cp.async.mbarrier.arrive.noinc only";
        return run("mbarrier_arrive_copies", generic(arrive.getAddr()));
      })
      .Case([&](NVVM::MBarrierTryWaitParityOp wait) {
        return run("mbarrier_wait", {generic(wait.getAddr()), wait.getPhase()});
      })
      // Products happen when they are asked for, in the order of the program.
      .Case<NVVM::SetMaxRegisterOp, NVVM::PrefetchOp, NVVM::FenceMbarrierInitOp, NVVM::FenceProxyOp,
            NVVM::WgmmaFenceAlignedOp, NVVM::WgmmaGroupSyncAlignedOp>([&](auto) {
        finish(op, {});
        return success();
      })
      .Default(
          [&](Operation *) { return op->emitError() << "the emulated device cannot run this operation"; });
}

/// void <name>_run(void **arguments): loads the arguments and calls the kernel.
static std::string addRunner(ModuleOp module, LLVM::LLVMFuncOp kernel) {
  ImplicitLocOpBuilder b(kernel.getLoc(), kernel);
  std::string name = (kernel.getName() + "_run").str();
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto runner = LLVM::LLVMFuncOp::create(
      b, name, LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()), {pointer}));
  b.setInsertionPointToStart(runner.addEntryBlock(b));
  SmallVector<Value> arguments;
  for (auto [i, type] : llvm::enumerate(kernel.getArgumentTypes())) {
    Value at = LLVM::GEPOp::create(b, pointer, pointer, runner.getArgument(0),
                                   ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(i)});
    arguments.push_back(LLVM::LoadOp::create(b, type, LLVM::LoadOp::create(b, pointer, at).getResult()));
  }
  LLVM::CallOp::create(b, kernel, arguments);
  LLVM::ReturnOp::create(b, ValueRange());
  return name;
}

OwningOpRef<ModuleOp> heddle::gpu::emulateKernels(mlir::gpu::GPUModuleOp lowered,
                                                  SmallVectorImpl<EmulatedKernel> &kernels) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(lowered.getLoc());
  OpBuilder b(lowered.getContext());
  for (Operation &op : lowered.getBodyRegion().front()) {
    if (auto global = dyn_cast<LLVM::GlobalOp>(op); global && global.getAddrSpace() == 3) {
      auto array = dyn_cast<LLVM::LLVMArrayType>(global.getType());
      if (!array || array.getNumElements() != 0) {
        op.emitError() << "the emulated device has dynamic shared memory only";
        return {};
      }
      continue;
    }
    if (op.hasTrait<OpTrait::IsTerminator>())
      continue;
    b.setInsertionPointToEnd(module->getBody());
    b.clone(op);
  }
  for (auto function : llvm::to_vector(module->getOps<LLVM::LLVMFuncOp>())) {
    if (function.isExternal())
      continue;
    if (failed(Emulator(*module, function).run()))
      return {};
    const bool isKernel = function->hasAttr(NVVM::NVVMDialect::getKernelFuncAttrName());
    EmulatedKernel kernel;
    kernel.name = function.getName().str();
    if (auto threads = function->getAttrOfType<DenseI32ArrayAttr>(NVVM::NVVMDialect::getMaxntidAttrName()))
      kernel.blockThreads = threads.size() ? threads[0] : 0;
    // Only LLVM's own attributes go on.
    for (NamedAttribute attribute : llvm::to_vector(function->getDiscardableAttrs()))
      function->removeDiscardableAttr(attribute.getName());
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      function.setArgAttrs(i, ArrayRef<NamedAttribute>());
    function.setLinkage(LLVM::Linkage::Internal);
    if (!isKernel)
      continue;
    DataLayout layout(*module);
    for (Type type : function.getArgumentTypes())
      kernel.argumentBytes.push_back(layout.getTypeSize(type));
    kernel.function = addRunner(*module, function);
    kernels.push_back(std::move(kernel));
  }
  return module;
}
