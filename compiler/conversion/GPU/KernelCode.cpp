//===- KernelCode.cpp - The vocabulary that device kernels are written in -===//

#include "compiler/conversion/GPU/KernelCode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace heddle::gpu;
namespace heddle_gpu = heddle::gpu;

static bool isFloat(Value x) { return isa<FloatType>(getElementTypeOrSelf(x.getType())); }

template <typename FloatOp, typename IntOp>
static Scalar binary(Scalar a, Scalar b) {
  assert(a.type() == b.type() && "operands of different types");
  ImplicitLocOpBuilder &builder = a.code->b;
  if (isFloat(a.value))
    return {a.code, FloatOp::create(builder, a.value, b.value)};
  return {a.code, IntOp::create(builder, a.value, b.value)};
}

template <typename IntOp>
static Scalar integer(Scalar a, Scalar b) {
  return {a.code, IntOp::create(a.code->b, a.value, b.value)};
}

static Scalar compare(Scalar a, Scalar b, arith::CmpFPredicate floats, arith::CmpIPredicate integers) {
  ImplicitLocOpBuilder &builder = a.code->b;
  if (isFloat(a.value))
    return {a.code, arith::CmpFOp::create(builder, floats, a.value, b.value)};
  return {a.code, arith::CmpIOp::create(builder, integers, a.value, b.value)};
}

Scalar heddle_gpu::operator+(Scalar a, Scalar b) { return binary<arith::AddFOp, arith::AddIOp>(a, b); }
Scalar heddle_gpu::operator-(Scalar a, Scalar b) { return binary<arith::SubFOp, arith::SubIOp>(a, b); }
Scalar heddle_gpu::operator*(Scalar a, Scalar b) { return binary<arith::MulFOp, arith::MulIOp>(a, b); }
Scalar heddle_gpu::operator/(Scalar a, Scalar b) { return binary<arith::DivFOp, arith::DivSIOp>(a, b); }
Scalar heddle_gpu::operator%(Scalar a, Scalar b) { return binary<arith::RemFOp, arith::RemSIOp>(a, b); }
Scalar heddle_gpu::operator&(Scalar a, Scalar b) { return integer<arith::AndIOp>(a, b); }
Scalar heddle_gpu::operator|(Scalar a, Scalar b) { return integer<arith::OrIOp>(a, b); }
Scalar heddle_gpu::operator^(Scalar a, Scalar b) { return integer<arith::XOrIOp>(a, b); }
Scalar heddle_gpu::operator<<(Scalar a, Scalar b) { return integer<arith::ShLIOp>(a, b); }
Scalar heddle_gpu::operator>>(Scalar a, Scalar b) { return integer<arith::ShRUIOp>(a, b); }
Scalar heddle_gpu::operator-(Scalar a) {
  if (isFloat(a.value))
    return {a.code, arith::NegFOp::create(a.code->b, a.value)};
  return literal(a, int64_t(0)) - a;
}
Scalar heddle_gpu::operator!(Scalar a) { return a ^ a.code->truth(true); }
Scalar heddle_gpu::operator<(Scalar a, Scalar b) {
  return compare(a, b, arith::CmpFPredicate::OLT, arith::CmpIPredicate::slt);
}
Scalar heddle_gpu::operator<=(Scalar a, Scalar b) {
  return compare(a, b, arith::CmpFPredicate::OLE, arith::CmpIPredicate::sle);
}
Scalar heddle_gpu::operator>(Scalar a, Scalar b) { return b < a; }
Scalar heddle_gpu::operator>=(Scalar a, Scalar b) { return b <= a; }
Scalar heddle_gpu::operator==(Scalar a, Scalar b) {
  return compare(a, b, arith::CmpFPredicate::OEQ, arith::CmpIPredicate::eq);
}
Scalar heddle_gpu::operator!=(Scalar a, Scalar b) {
  return compare(a, b, arith::CmpFPredicate::UNE, arith::CmpIPredicate::ne);
}
Scalar heddle_gpu::literal(Scalar like, double value) { return like.code->constant(like.type(), value); }
Scalar heddle_gpu::literal(Scalar like, int64_t value) {
  if (isFloat(like.value))
    return like.code->constant(like.type(), static_cast<double>(value));
  return {like.code, arith::ConstantOp::create(like.code->b, IntegerAttr::get(like.type(), value))};
}

//===----------------------------------------------------------------------===//
// The kernel, parameters, constants
//===----------------------------------------------------------------------===//

KernelCode::KernelCode(mlir::gpu::GPUModuleOp module, Location loc, StringRef name, TypeRange types,
                       int64_t blockThreads)
    : b(loc, module.getContext()), blockThreads(blockThreads) {
  b.setInsertionPointToEnd(&module.getBodyRegion().front());
  function = mlir::gpu::GPUFuncOp::create(b, name, FunctionType::get(b.getContext(), types, {}));
  function->setAttr(mlir::gpu::GPUDialect::getKernelFuncAttrName(), b.getUnitAttr());
  function.setKnownBlockSizeAttr(b.getDenseI32ArrayAttr({static_cast<int32_t>(blockThreads), 1, 1}));
  b.setInsertionPointToStart(&function.getBody().front());
}

Scalar KernelCode::argument(unsigned number) { return wrap(function.getArgument(number)); }
Pointer KernelCode::pointer(unsigned number, Type element) {
  return {this, function.getArgument(number), element};
}
Scalar KernelCode::i32(int64_t value) { return wrap(arith::ConstantIntOp::create(b, i32Type(), value)); }
Scalar KernelCode::i64(int64_t value) { return wrap(arith::ConstantIntOp::create(b, i64Type(), value)); }
Scalar KernelCode::f32(double value) { return constant(f32Type(), value); }
Scalar KernelCode::truth(bool value) { return wrap(arith::ConstantIntOp::create(b, i1Type(), value)); }
Scalar KernelCode::constant(Type type, double value) {
  if (isa<FloatType>(type))
    return wrap(arith::ConstantOp::create(b, FloatAttr::get(type, value)));
  return wrap(arith::ConstantOp::create(b, IntegerAttr::get(type, static_cast<int64_t>(value))));
}

static mlir::gpu::Dimension dimension(int axis) {
  return axis == 0 ? mlir::gpu::Dimension::x : axis == 1 ? mlir::gpu::Dimension::y : mlir::gpu::Dimension::z;
}
static Scalar fromIndex(KernelCode &code, Value index) {
  return code.wrap(arith::IndexCastOp::create(code.b, code.i32Type(), index));
}
Scalar KernelCode::thread() {
  return fromIndex(*this, mlir::gpu::ThreadIdOp::create(b, mlir::gpu::Dimension::x));
}
Scalar KernelCode::lane() { return thread() & (warpSize - 1); }
Scalar KernelCode::warp() { return thread() >> 5; }
Scalar KernelCode::block(int axis) {
  return fromIndex(*this, mlir::gpu::BlockIdOp::create(b, dimension(axis)));
}
Scalar KernelCode::blocks(int axis) {
  return fromIndex(*this, mlir::gpu::GridDimOp::create(b, dimension(axis)));
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

Scalar KernelCode::min(Scalar x, Scalar y) { return binary<arith::MinNumFOp, arith::MinSIOp>(x, y); }
Scalar KernelCode::max(Scalar x, Scalar y) { return binary<arith::MaxNumFOp, arith::MaxSIOp>(x, y); }
Scalar KernelCode::abs(Scalar x) {
  if (isFloat(x.value))
    return wrap(math::AbsFOp::create(b, x.value));
  return max(x, -x);
}
Scalar KernelCode::multiplyAdd(Scalar x, Scalar y, Scalar sum) {
  return wrap(math::FmaOp::create(b, x.value, y.value, sum.value));
}
Scalar KernelCode::select(Scalar condition, Scalar x, Scalar y) {
  return wrap(arith::SelectOp::create(b, condition.value, x.value, y.value));
}
Scalar KernelCode::unsignedLess(Scalar x, Scalar y) {
  return wrap(arith::CmpIOp::create(b, arith::CmpIPredicate::ult, x.value, y.value));
}
Scalar KernelCode::sqrt(Scalar x) { return wrap(math::SqrtOp::create(b, x.value)); }

static Scalar intrinsic(KernelCode &code, StringRef name, Scalar x, ValueRange operands) {
  auto call = LLVM::CallIntrinsicOp::create(code.b, x.type(), code.b.getStringAttr(name), operands);
  return code.wrap(call.getResults());
}
Scalar KernelCode::exp2Approximate(Scalar x) {
  return intrinsic(*this, "llvm.nvvm.ex2.approx.ftz.f", x, x.value);
}
Scalar KernelCode::log2Approximate(Scalar x) {
  return intrinsic(*this, "llvm.nvvm.lg2.approx.ftz.f", x, x.value);
}
Scalar KernelCode::addClipped(Scalar x, Scalar y) {
  return intrinsic(*this, "llvm.nvvm.add.rn.sat.f", x, {x.value, y.value});
}

Scalar KernelCode::cast(Scalar x, Type to) {
  Type from = x.type();
  if (from == to)
    return x;
  const unsigned fromBits = from.getIntOrFloatBitWidth(), toBits = to.getIntOrFloatBitWidth();
  if (isa<FloatType>(from) && isa<FloatType>(to)) {
    if (fromBits == toBits) // between bf16 and f16
      return cast(cast(x, f32Type()), to);
    if (fromBits < toBits)
      return wrap(arith::ExtFOp::create(b, to, x.value));
    return wrap(arith::TruncFOp::create(b, to, x.value));
  }
  if (isa<FloatType>(to)) {
    if (fromBits == 1)
      return wrap(arith::UIToFPOp::create(b, to, x.value));
    return wrap(arith::SIToFPOp::create(b, to, x.value));
  }
  if (isa<FloatType>(from))
    return wrap(arith::FPToSIOp::create(b, to, x.value));
  if (fromBits > toBits)
    return wrap(arith::TruncIOp::create(b, to, x.value));
  if (fromBits == 1)
    return extendUnsigned(x, to);
  return wrap(arith::ExtSIOp::create(b, to, x.value));
}
Scalar KernelCode::bitcast(Scalar x, Type to) { return wrap(arith::BitcastOp::create(b, to, x.value)); }
Scalar KernelCode::extendUnsigned(Scalar x, Type to) { return wrap(arith::ExtUIOp::create(b, to, x.value)); }
Scalar KernelCode::countOnes(Scalar x) { return wrap(math::CtPopOp::create(b, x.value)); }
Scalar KernelCode::leadingZeros(Scalar x) { return wrap(math::CountLeadingZerosOp::create(b, x.value)); }
Scalar KernelCode::trailingZeros(Scalar x) { return wrap(math::CountTrailingZerosOp::create(b, x.value)); }

//===----------------------------------------------------------------------===//
// Control
//===----------------------------------------------------------------------===//

static SmallVector<Value> valuesOf(ArrayRef<Scalar> scalars) {
  return llvm::map_to_vector(scalars, [](Scalar x) { return x.value; });
}
static Scalars scalarsOf(KernelCode &code, ValueRange values) {
  Scalars scalars;
  for (Value value : values)
    scalars.push_back(code.wrap(value));
  return scalars;
}

void KernelCode::when(Scalar condition, llvm::function_ref<void()> then,
                      llvm::function_ref<void()> otherwise) {
  auto choice = scf::IfOp::create(b, condition.value, /*withElseRegion=*/bool(otherwise));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(choice.thenBlock());
  then();
  if (otherwise) {
    b.setInsertionPointToStart(choice.elseBlock());
    otherwise();
  }
}

Scalars KernelCode::choose(Scalar condition, llvm::function_ref<Scalars()> then,
                           llvm::function_ref<Scalars()> otherwise) {
  auto branch = [&](llvm::function_ref<Scalars()> body) {
    return [&, body](OpBuilder &builder, Location loc) {
      OpBuilder::InsertionGuard guard(b);
      b.restoreInsertionPoint(builder.saveInsertionPoint());
      Scalars results = body();
      builder.restoreInsertionPoint(b.saveInsertionPoint());
      scf::YieldOp::create(builder, loc, valuesOf(results));
    };
  };
  auto choice = scf::IfOp::create(b, condition.value, branch(then), branch(otherwise));
  return scalarsOf(*this, choice.getResults());
}

void KernelCode::loop(Scalar lower, Scalar upper, Scalar step, llvm::function_ref<void(Scalar)> body) {
  loop(lower, upper, step, {}, [&](Scalar i, ArrayRef<Scalar>) {
    body(i);
    return Scalars();
  });
}

Scalars KernelCode::loop(Scalar lower, Scalar upper, Scalar step, ArrayRef<Scalar> init,
                         llvm::function_ref<Scalars(Scalar, ArrayRef<Scalar>)> body) {
  auto loop = scf::ForOp::create(b, lower.value, upper.value, step.value, valuesOf(init));
  {
    OpBuilder::InsertionGuard guard(b);
    if (init.empty())
      b.setInsertionPointToStart(loop.getBody());
    else
      b.setInsertionPointToEnd(loop.getBody());
    Scalars next = body(wrap(loop.getInductionVar()), scalarsOf(*this, loop.getRegionIterArgs()));
    if (!init.empty())
      scf::YieldOp::create(b, valuesOf(next));
  }
  return scalarsOf(*this, loop.getResults());
}

void KernelCode::unrolled(int64_t count, llvm::function_ref<void(int64_t)> body) {
  for (int64_t i = 0; i < count; ++i)
    body(i);
}

Scalars KernelCode::repeat(ArrayRef<Scalar> init, llvm::function_ref<Scalar(ArrayRef<Scalar>)> condition,
                           llvm::function_ref<Scalars(ArrayRef<Scalar>)> body) {
  SmallVector<Value> values = valuesOf(init);
  SmallVector<Type> types(ValueRange(values).getTypes());
  SmallVector<Location> locations(types.size(), b.getLoc());
  auto loop = scf::WhileOp::create(b, types, values);
  OpBuilder::InsertionGuard guard(b);
  Block *before = b.createBlock(&loop.getBefore(), {}, types, locations);
  b.setInsertionPointToEnd(before);
  Scalar goesOn = condition(scalarsOf(*this, before->getArguments()));
  scf::ConditionOp::create(b, goesOn.value, before->getArguments());
  Block *after = b.createBlock(&loop.getAfter(), {}, types, locations);
  b.setInsertionPointToEnd(after);
  scf::YieldOp::create(b, valuesOf(body(scalarsOf(*this, after->getArguments()))));
  return scalarsOf(*this, loop.getResults());
}

void KernelCode::finish() {
  mlir::gpu::ReturnOp::create(b);
  if (mostShared > 0)
    function->setAttr("heddle.shared_bytes", b.getI64IntegerAttr(mostShared));
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

static int64_t bytesOf(Type element) { return (element.getIntOrFloatBitWidth() + 7) / 8; }

Pointer KernelCode::offset(Pointer base, Scalar elements) {
  Value at = LLVM::GEPOp::create(b, base.base.getType(), base.element, base.base,
                                 ArrayRef<LLVM::GEPArg>{elements.value});
  return {this, at, base.element};
}
Pointer KernelCode::as(Pointer base, Type element) { return {this, base.base, element}; }

Scalar KernelCode::load(Pointer from, Scalar at) {
  return wrap(LLVM::LoadOp::create(b, from.element, offset(from, at).base, bytesOf(from.element)));
}
void KernelCode::store(Scalar x, Pointer to, Scalar at) {
  assert(x.type() == to.element && "an element of another type");
  LLVM::StoreOp::create(b, x.value, offset(to, at).base, bytesOf(to.element));
}
Value KernelCode::loadVector(Pointer from, Scalar at, int64_t count) {
  return LLVM::LoadOp::create(b, VectorType::get({count}, from.element), offset(from, at).base,
                              count * bytesOf(from.element));
}
void KernelCode::storeVector(Value vector, Pointer to, Scalar at) {
  auto type = cast<VectorType>(vector.getType());
  LLVM::StoreOp::create(b, vector, offset(to, at).base, type.getNumElements() * bytesOf(to.element));
}
Scalar KernelCode::element(Value vector, int64_t at) {
  return wrap(vector::ExtractOp::create(b, vector, ArrayRef<int64_t>{at}));
}
Value KernelCode::vectorOf(ArrayRef<Scalar> elements) {
  return vector::FromElementsOp::create(
      b, VectorType::get({static_cast<int64_t>(elements.size())}, elements.front().type()),
      valuesOf(elements));
}

Pointer KernelCode::shared(int64_t count, Type element) {
  if (!sharedBase) {
    auto module = function->getParentOfType<mlir::gpu::GPUModuleOp>();
    constexpr StringLiteral name = "heddle_shared";
    Type bytes = LLVM::LLVMArrayType::get(b.getI8Type(), 0);
    if (!module.lookupSymbol(name)) {
      OpBuilder top = OpBuilder::atBlockBegin(&module.getBodyRegion().front());
      LLVM::GlobalOp::create(top, module.getLoc(), bytes, /*isConstant=*/false, LLVM::Linkage::External, name,
                             Attribute(), /*alignment=*/1024, /*addrSpace=*/3);
    }
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&function.getBody().front());
    sharedBase = LLVM::AddressOfOp::create(b, LLVM::LLVMPointerType::get(b.getContext(), 3), name);
  }
  const int64_t start = (usedShared + 15) / 16 * 16;
  usedShared = start + count * bytesOf(element);
  mostShared = std::max(mostShared, usedShared);
  Value at = LLVM::GEPOp::create(b, sharedBase.getType(), b.getI8Type(), sharedBase,
                                 ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(start)});
  return {this, at, element};
}

Scalar KernelCode::atomicAdd(Scalar x, Pointer to, Scalar at) {
  assert(!isFloat(x.value) && "sums of floats would depend on the order of threads");
  return wrap(LLVM::AtomicRMWOp::create(b, LLVM::AtomicBinOp::add, offset(to, at).base, x.value,
                                        LLVM::AtomicOrdering::monotonic));
}
Scalar KernelCode::atomicMin(Scalar x, Pointer to, Scalar at) {
  return wrap(LLVM::AtomicRMWOp::create(b, LLVM::AtomicBinOp::min, offset(to, at).base, x.value,
                                        LLVM::AtomicOrdering::monotonic));
}
Scalar KernelCode::compareAndSwap(Pointer at, Scalar index, Scalar expected, Scalar desired) {
  Value both =
      LLVM::AtomicCmpXchgOp::create(b, offset(at, index).base, expected.value, desired.value,
                                    LLVM::AtomicOrdering::monotonic, LLVM::AtomicOrdering::monotonic);
  return wrap(LLVM::ExtractValueOp::create(b, both, ArrayRef<int64_t>{0}));
}
void KernelCode::report(Scalar record, Scalar message, Scalar first, Scalar second) {
  Pointer words{this, record.value, i32Type()}, numbers{this, record.value, i64Type()};
  when(compareAndSwap(words, i32(0), i32(0), i32(1)) == 0, [&] {
    store(message, words, i32(1));
    store(first, numbers, i32(1));
    store(second, numbers, i32(2));
  });
}

//===----------------------------------------------------------------------===//
// Warps and blocks
//===----------------------------------------------------------------------===//

void KernelCode::barrier() { mlir::gpu::BarrierOp::create(b); }
void KernelCode::warpBarrier() { NVVM::SyncWarpOp::create(b, i32(-1).value); }

/// f64 and i64 travel as two halves, narrower elements as i32.
Scalar KernelCode::shuffle(Scalar x, Scalar other, mlir::gpu::ShuffleMode mode) {
  Type type = x.type();
  const unsigned bits = type.getIntOrFloatBitWidth();
  Value width = i32(warpSize);
  auto move = [&](Scalar word) {
    return wrap(mlir::gpu::ShuffleOp::create(b, word.value, other.value, width, mode).getShuffleResult());
  };
  if (bits == 32)
    return move(x);
  Type sameBits = b.getIntegerType(bits);
  Scalar word = isFloat(x.value) ? bitcast(x, sameBits) : x;
  if (bits < 32) {
    word = cast(move(extendUnsigned(word, i32Type())), sameBits);
  } else {
    // Not by shifts: the narrowing of integers with small values would make shifts of 32 bits by 32 of them.
    Type halves = VectorType::get(2, b.getI32Type());
    Value from = LLVM::BitcastOp::create(b, halves, word.value);
    Value to = LLVM::PoisonOp::create(b, halves);
    for (int64_t i : {0, 1}) {
      Value at = i32(i);
      Scalar half = move(wrap(LLVM::ExtractElementOp::create(b, from, at)));
      to = LLVM::InsertElementOp::create(b, to, half.value, at);
    }
    word = wrap(LLVM::BitcastOp::create(b, i64Type(), to));
  }
  return isFloat(x.value) ? bitcast(word, type) : word;
}
Scalar KernelCode::shuffleXor(Scalar x, int64_t mask) {
  return shuffle(x, i32(mask), mlir::gpu::ShuffleMode::XOR);
}
Scalar KernelCode::shuffleUp(Scalar x, int64_t distance) {
  return shuffle(x, i32(distance), mlir::gpu::ShuffleMode::UP);
}
Scalar KernelCode::shuffleDown(Scalar x, int64_t distance) {
  return shuffle(x, i32(distance), mlir::gpu::ShuffleMode::DOWN);
}
Scalar KernelCode::shuffleFrom(Scalar x, Scalar lane) {
  return shuffle(x, lane, mlir::gpu::ShuffleMode::IDX);
}
Scalar KernelCode::ballot(Scalar condition) {
  return wrap(
      NVVM::VoteSyncOp::create(b, i32Type(), i32(-1).value, condition.value, NVVM::VoteSyncKind::ballot));
}

Scalar KernelCode::warpReduce(Scalar x, Combine combine, int64_t width) {
  for (int64_t mask = width / 2; mask > 0; mask /= 2)
    x = combine(x, shuffleXor(x, mask));
  return x;
}

Scalar KernelCode::warpInclusiveScan(Scalar x, Combine combine) {
  Scalar here = lane();
  for (int64_t distance = 1; distance < warpSize; distance *= 2)
    x = select(here >= distance, combine(shuffleUp(x, distance), x), x);
  return x;
}

Scalar KernelCode::blockReduce(Scalar x, Combine combine) {
  const int64_t warps = blockThreads / warpSize;
  x = warpReduce(x, combine);
  if (warps == 1)
    return x;
  Pointer partial = shared(warps, x.type());
  when(lane() == 0, [&] { store(x, partial, warp()); });
  barrier();
  Scalar result = load(partial, i32(0));
  for (int64_t i = 1; i < warps; ++i)
    result = combine(result, load(partial, i32(i)));
  barrier(); // before the memory is used again
  return result;
}
