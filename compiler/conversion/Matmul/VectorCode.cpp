#include "compiler/conversion/Matmul/VectorCode.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace heddle::cpu::matmul {

VectorCode::VectorCode(ImplicitLocOpBuilder &builder, const MatmulTarget &target, MatmulElement accumulator,
                       int64_t lanes)
    : b(builder), lanes(lanes), accumulator(accumulator), target(target) {}

Type VectorCode::elementType(MatmulElement element) { return matmulElementType(b.getContext(), element); }

VectorType VectorCode::vectorType(int64_t size) { return VectorType::get(size, accumulatorType()); }

//===--- Index arithmetic ---===//

Value VectorCode::index(int64_t value) { return arith::ConstantIndexOp::create(b, value); }
Value VectorCode::add(Value x, Value y) { return b.createOrFold<arith::AddIOp>(x, y); }
Value VectorCode::sub(Value x, Value y) { return b.createOrFold<arith::SubIOp>(x, y); }
Value VectorCode::mul(Value x, int64_t y) { return b.createOrFold<arith::MulIOp>(x, index(y)); }
Value VectorCode::div(Value x, int64_t y) { return b.createOrFold<arith::DivUIOp>(x, index(y)); }
Value VectorCode::rem(Value x, int64_t y) { return b.createOrFold<arith::RemUIOp>(x, index(y)); }
Value VectorCode::min(Value x, Value y) { return b.createOrFold<arith::MinSIOp>(x, y); }
Value VectorCode::max(Value x, Value y) { return b.createOrFold<arith::MaxSIOp>(x, y); }
Value VectorCode::select(Value condition, Value x, Value y) {
  return b.createOrFold<arith::SelectOp>(condition, x, y);
}
Value VectorCode::less(Value x, Value y) {
  return b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::slt, x, y);
}
Value VectorCode::equal(Value x, int64_t y) {
  return b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq, x, index(y));
}

//===--- Control flow ---===//

void VectorCode::loop(Value lower, Value upper, int64_t step, function_ref<void(Value)> body) {
  auto loop = scf::ForOp::create(b, lower, upper, index(step));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

Values VectorCode::loopCarrying(Value lower, Value upper, int64_t step, ValueRange init,
                                function_ref<Values(Value, ValueRange)> body) {
  if (init.empty()) {
    this->loop(lower, upper, step, [&](Value i) { body(i, {}); });
    return {};
  }
  auto loop = scf::ForOp::create(b, lower, upper, index(step), init);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    scf::YieldOp::create(b, body(loop.getInductionVar(), loop.getRegionIterArgs()));
  }
  return Values(loop.getResults());
}

void VectorCode::when(Value condition, function_ref<void()> then, function_ref<void()> otherwise) {
  auto op = scf::IfOp::create(b, condition, /*withElseRegion=*/bool(otherwise));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(op.thenBlock());
  then();
  if (otherwise) {
    b.setInsertionPointToStart(op.elseBlock());
    otherwise();
  }
}

Values VectorCode::choose(Value condition, TypeRange types, function_ref<Values()> then,
                          function_ref<Values()> otherwise) {
  auto op = scf::IfOp::create(b, types, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(op.thenBlock());
  scf::YieldOp::create(b, then());
  b.setInsertionPointToStart(op.elseBlock());
  scf::YieldOp::create(b, otherwise());
  return Values(op.getResults());
}

Values VectorCode::choose(Value condition, TypeRange types, function_ref<Values(bool)> body) {
  if (!types.empty())
    return choose(condition, types, [&] { return body(true); }, [&] { return body(false); });
  when(condition, [&] { body(true); }, [&] { body(false); });
  return {};
}

//===--- Arithmetic ---===//

Value VectorCode::zero() { return arith::ConstantOp::create(b, b.getZeroAttr(laneVectorType())); }
Value VectorCode::zeroScalar() { return arith::ConstantOp::create(b, b.getZeroAttr(accumulatorType())); }

Value VectorCode::splat(Value scalar, int64_t size) {
  return vector::BroadcastOp::create(b, VectorType::get(size, scalar.getType()), scalar);
}

Value VectorCode::multiplyAdd(Value x, Value y, Value sum) {
  if (target.fusedMultiplyAdd && isa<VectorType>(x.getType()))
    return vector::FMAOp::create(b, x, y, sum);
  return arith::AddFOp::create(b, arith::MulFOp::create(b, x, y), sum);
}

Value VectorCode::sumOf(Value x, Value y) { return arith::AddFOp::create(b, x, y); }

Value VectorCode::shuffle(Value x, Value y, ArrayRef<int64_t> mask) {
  return vector::ShuffleOp::create(b, x, y, mask);
}

Values VectorCode::transpose(Values rows) {
  // Each round interleaves row i with row i + lanes/2; log2(lanes) rounds transpose.
  int64_t half = lanes / 2;
  SmallVector<int64_t, 16> low, high;
  for (int64_t i = 0; i < half; ++i) {
    low.append({i, lanes + i});
    high.append({half + i, lanes + half + i});
  }
  for (int64_t size = lanes; size > 1; size /= 2) {
    Values next;
    for (int64_t i = 0; i < half; ++i) {
      next.push_back(shuffle(rows[i], rows[i + half], low));
      next.push_back(shuffle(rows[i], rows[i + half], high));
    }
    rows = std::move(next);
  }
  return rows;
}

Value VectorCode::sumOfLanes(Value vector) {
  for (int64_t half = lanes / 2; half >= 1; half /= 2) {
    SmallVector<int64_t, 16> low, high;
    for (int64_t i = 0; i < half; ++i) {
      low.push_back(i);
      high.push_back(half + i);
    }
    vector = sumOf(shuffle(vector, vector, low), shuffle(vector, vector, high));
  }
  return vector::ExtractOp::create(b, vector, ArrayRef<int64_t>{0});
}

//===--- Loads and stores ---===//

Value VectorCode::loadScalar(Buffer from, Value at) {
  return widen(memref::LoadOp::create(b, from.memref, at), from.element);
}

void VectorCode::storeScalar(Value value, Buffer to, Value at) {
  memref::StoreOp::create(b, narrow(value, to.element), to.memref, at);
}

Value VectorCode::loadShort(Buffer from, Value at, int64_t count) {
  auto type = VectorType::get(count, elementType(from.element));
  return widen(vector::LoadOp::create(b, type, from.memref, at), from.element);
}

void VectorCode::storeShort(Value value, Buffer to, Value at) {
  vector::StoreOp::create(b, narrow(value, to.element), to.memref, at);
}

Value VectorCode::laneMask(int64_t count) {
  SmallVector<bool, 16> bits(lanes, false);
  std::fill_n(bits.begin(), count, true);
  auto type = VectorType::get(lanes, b.getI1Type());
  return arith::ConstantOp::create(b, DenseElementsAttr::get(type, ArrayRef<bool>(bits)));
}

Value VectorCode::loadLanes(Buffer from, Value at, int64_t count) {
  if (count == lanes)
    return loadShort(from, at, count);
  if (from.element == accumulator)
    return vector::MaskedLoadOp::create(b, laneVectorType(), from.memref, at, laneMask(count), zero());
  Value part = loadShort(from, at, count);
  Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(part.getType()));
  SmallVector<int64_t, 16> mask;
  for (int64_t i = 0; i < lanes; ++i)
    mask.push_back(std::min(i, count));
  return shuffle(part, zeros, mask);
}

void VectorCode::storeLanes(Value value, Buffer to, Value at, int64_t count) {
  if (count == lanes)
    return storeShort(value, to, at);
  if (to.element == accumulator) {
    vector::MaskedStoreOp::create(b, to.memref, at, laneMask(count), value);
    return;
  }
  SmallVector<int64_t, 16> mask;
  for (int64_t i = 0; i < count; ++i)
    mask.push_back(i);
  storeShort(shuffle(value, value, mask), to, at);
}

Value VectorCode::gatherLanes(Buffer from, Value at, int64_t stride, int64_t count) {
  if (stride == 1)
    return loadLanes(from, at, count);
  Value result = zero();
  for (int64_t i = 0; i < count; ++i)
    result = vector::InsertOp::create(b, loadScalar(from, add(at, i * stride)), result, ArrayRef<int64_t>{i});
  return result;
}

void VectorCode::scatterLanes(Value value, Buffer to, Value at, int64_t stride, int64_t count) {
  if (stride == 1)
    return storeLanes(value, to, at, count);
  for (int64_t i = 0; i < count; ++i)
    storeScalar(vector::ExtractOp::create(b, value, ArrayRef<int64_t>{i}), to, add(at, i * stride));
}

//===--- Conversions; values are scalars or vectors ---===//

Type VectorCode::withElement(Type shape, Type element) {
  auto vector = dyn_cast<VectorType>(shape);
  return vector ? Type(vector.clone(element)) : element;
}

Value VectorCode::intConstant(Type like, unsigned bits, int64_t value) {
  Type type = withElement(like, b.getIntegerType(bits));
  IntegerAttr attr = b.getIntegerAttr(b.getIntegerType(bits), APInt(bits, value, false, true));
  if (auto vector = dyn_cast<VectorType>(type))
    return arith::ConstantOp::create(b, DenseElementsAttr::get(vector, attr.getValue()));
  return arith::ConstantOp::create(b, attr);
}

Value VectorCode::widen(Value value, MatmulElement from) {
  Type shape = value.getType();
  if (from == accumulator)
    return value;
  Value result = value;
  Type f32 = withElement(shape, b.getF32Type());
  if (from == MatmulElement::BF16) {
    Type i32 = withElement(shape, b.getI32Type());
    Value bits = arith::BitcastOp::create(b, withElement(shape, b.getI16Type()), value);
    bits = arith::ShLIOp::create(b, arith::ExtUIOp::create(b, i32, bits), intConstant(shape, 32, 16));
    result = arith::BitcastOp::create(b, f32, bits);
  } else if (from == MatmulElement::F16) {
    result = target.halfConversions ? Value(arith::ExtFOp::create(b, f32, value)) : widenHalf(value);
  }
  if (accumulator == MatmulElement::F64)
    result = arith::ExtFOp::create(b, withElement(shape, b.getF64Type()), result);
  return result;
}

Value VectorCode::narrow(Value value, MatmulElement to) {
  if (to == accumulator)
    return value;
  Type shape = value.getType();
  Type i16 = withElement(shape, b.getI16Type());
  Type i32 = withElement(shape, b.getI32Type());
  if (to == MatmulElement::F16) {
    if (target.halfConversions)
      return arith::TruncFOp::create(b, withElement(shape, b.getF16Type()), value);
    return narrowHalf(value);
  }
  // bf16: add just under half a unit of the last kept bit, plus that bit for ties to even. NaN would be
  // carried into infinity: it becomes a quiet NaN of the same sign.
  Value bits = arith::BitcastOp::create(b, i32, value);
  Value high = arith::ShRUIOp::create(b, bits, intConstant(shape, 32, 16));
  Value odd = arith::AndIOp::create(b, high, intConstant(shape, 32, 1));
  Value rounded =
      arith::AddIOp::create(b, arith::AddIOp::create(b, bits, odd), intConstant(shape, 32, 0x7fff));
  rounded = arith::ShRUIOp::create(b, rounded, intConstant(shape, 32, 16));
  Value quiet = arith::OrIOp::create(b, high, intConstant(shape, 32, 0x40));
  Value isNan = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, value, value);
  Value result = arith::SelectOp::create(b, isNan, quiet, rounded);
  return arith::BitcastOp::create(b, withElement(shape, b.getBF16Type()),
                                  arith::TruncIOp::create(b, i16, result));
}

Value VectorCode::widenHalf(Value value) {
  Type shape = value.getType();
  Type i32 = withElement(shape, b.getI32Type());
  Type f32 = withElement(shape, b.getF32Type());
  auto constant = [&](int64_t v) { return intConstant(shape, 32, v); };
  Value bits = arith::BitcastOp::create(b, withElement(shape, b.getI16Type()), value);
  bits = arith::ExtUIOp::create(b, i32, bits);
  Value magnitude = arith::AndIOp::create(b, bits, constant(0x7fff));
  Value shifted = arith::ShLIOp::create(b, magnitude, constant(13));
  // The exponent lands 112 too low; multiplying by 2^112 mends it, for subnormals as well, exactly.
  Value scale = arith::BitcastOp::create(b, f32, constant(int64_t(127 + 112) << 23));
  Value scaled = arith::MulFOp::create(b, arith::BitcastOp::create(b, f32, shifted), scale);
  Value special = arith::OrIOp::create(b, shifted, constant(0x7f800000));
  Value isSpecial = arith::CmpIOp::create(b, arith::CmpIPredicate::uge, magnitude, constant(0x7c00));
  Value result = arith::SelectOp::create(b, isSpecial, special, arith::BitcastOp::create(b, i32, scaled));
  Value sign = arith::AndIOp::create(b, bits, constant(0x8000));
  sign = arith::ShLIOp::create(b, sign, constant(16));
  return arith::BitcastOp::create(b, f32, arith::OrIOp::create(b, result, sign));
}

Value VectorCode::narrowHalf(Value value) {
  Type shape = value.getType();
  Type i32 = withElement(shape, b.getI32Type());
  Type f32 = withElement(shape, b.getF32Type());
  auto constant = [&](int64_t v) { return intConstant(shape, 32, v); };
  auto atLeast = [&](Value x, int64_t v) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::uge, x, constant(v));
  };
  Value bits = arith::BitcastOp::create(b, i32, value);
  Value magnitude = arith::AndIOp::create(b, bits, constant(0x7fffffff));
  Value sign = arith::ShRUIOp::create(b, arith::SubIOp::create(b, bits, magnitude), constant(16));
  // Normal results: rebase the exponent and round to nearest even at bit 13.
  Value odd = arith::ShRUIOp::create(b, magnitude, constant(13));
  odd = arith::AndIOp::create(b, odd, constant(1));
  Value normal = arith::AddIOp::create(b, magnitude, constant(-(int64_t(112) << 23) + 0xfff));
  normal = arith::ShRUIOp::create(b, arith::AddIOp::create(b, normal, odd), constant(13));
  // Results below 2^-14: adding 0.5 lets the addition itself round at the subnormal's last bit, 2^-24.
  Value half = constant(int64_t(126) << 23);
  Value small = arith::AddFOp::create(b, arith::BitcastOp::create(b, f32, magnitude),
                                      arith::BitcastOp::create(b, f32, half));
  Value subnormal = arith::SubIOp::create(b, arith::BitcastOp::create(b, i32, small), half);
  Value result = arith::SelectOp::create(b, atLeast(magnitude, int64_t(113) << 23), normal, subnormal);
  result = arith::SelectOp::create(b, atLeast(magnitude, int64_t(143) << 23), constant(0x7c00), result);
  result = arith::SelectOp::create(b, atLeast(magnitude, 0x7f800001), constant(0x7e00), result);
  result = arith::OrIOp::create(b, result, sign);
  Value narrowed = arith::TruncIOp::create(b, withElement(shape, b.getI16Type()), result);
  return arith::BitcastOp::create(b, withElement(shape, b.getF16Type()), narrowed);
}

} // namespace heddle::cpu::matmul
