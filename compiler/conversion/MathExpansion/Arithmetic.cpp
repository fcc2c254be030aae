//===- Arithmetic.cpp - Emits arithmetic on one type of number ------------===//

#include "compiler/conversion/MathExpansion/Arithmetic.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinTypes.h"
#include <limits>

using namespace mlir;
using namespace heddle::cpu;

Arithmetic::Arithmetic(ImplicitLocOpBuilder &builder, Type real, bool fused)
    : builder(builder), real(real), fused(fused) {
  bool isDouble = getElementTypeOrSelf(real).isF64();
  mantissaBits = isDouble ? 52 : 23;
  bias = isDouble ? 1023 : 127;
  integer = shaped(builder.getIntegerType(isDouble ? 64 : 32));
}

Type Arithmetic::shaped(Type element) const {
  if (auto vector = dyn_cast<VectorType>(real))
    return vector.clone(element);
  return element;
}

Arithmetic Arithmetic::withElement(Type element) const { return Arithmetic(builder, shaped(element), fused); }

static Value splat(ImplicitLocOpBuilder &builder, Type type, TypedAttr value) {
  if (auto shaped = dyn_cast<ShapedType>(type))
    value = SplatElementsAttr::get(shaped, value);
  return arith::ConstantOp::create(builder, value);
}

Value Arithmetic::number(double value) {
  return splat(builder, real, builder.getFloatAttr(getElementTypeOrSelf(real), value));
}

Value Arithmetic::bitPattern(int64_t value) {
  return splat(builder, integer, builder.getIntegerAttr(getElementTypeOrSelf(integer), value));
}

Value Arithmetic::infinity() { return number(std::numeric_limits<double>::infinity()); }
Value Arithmetic::nan() { return number(std::numeric_limits<double>::quiet_NaN()); }

Value Arithmetic::add(Value a, Value b) { return arith::AddFOp::create(builder, a, b); }
Value Arithmetic::sub(Value a, Value b) { return arith::SubFOp::create(builder, a, b); }
Value Arithmetic::mul(Value a, Value b) { return arith::MulFOp::create(builder, a, b); }
Value Arithmetic::div(Value a, Value b) { return arith::DivFOp::create(builder, a, b); }
Value Arithmetic::fma(Value a, Value b, Value c) {
  if (!fused)
    return add(mul(a, b), c);
  return math::FmaOp::create(builder, a, b, c);
}
Value Arithmetic::abs(Value a) { return math::AbsFOp::create(builder, a); }
Value Arithmetic::negate(Value a) { return arith::NegFOp::create(builder, a); }
Value Arithmetic::floor(Value a) { return math::FloorOp::create(builder, a); }
Value Arithmetic::roundEven(Value a) { return math::RoundEvenOp::create(builder, a); }
Value Arithmetic::copySign(Value magnitude, Value sign) {
  return math::CopySignOp::create(builder, magnitude, sign);
}

Value Arithmetic::less(Value a, Value b) {
  return arith::CmpFOp::create(builder, arith::CmpFPredicate::OLT, a, b);
}
Value Arithmetic::equal(Value a, Value b) {
  return arith::CmpFOp::create(builder, arith::CmpFPredicate::OEQ, a, b);
}
Value Arithmetic::notEqual(Value a, Value b) {
  return arith::CmpFOp::create(builder, arith::CmpFPredicate::UNE, a, b);
}
Value Arithmetic::select(Value condition, Value onTrue, Value onFalse) {
  return arith::SelectOp::create(builder, condition, onTrue, onFalse);
}
Value Arithmetic::both(Value a, Value b) { return arith::AndIOp::create(builder, a, b); }
Value Arithmetic::either(Value a, Value b) { return arith::OrIOp::create(builder, a, b); }

Value Arithmetic::atMost(Value x, double bound) {
  Value limit = number(bound);
  return select(less(limit, x), limit, x);
}

Value Arithmetic::atLeast(Value x, double bound) {
  Value limit = number(bound);
  return select(less(x, limit), limit, x);
}

Value Arithmetic::polynomial(Value x, ArrayRef<double> coefficients) {
  Value sum = number(coefficients.back());
  for (double coefficient : llvm::reverse(coefficients.drop_back()))
    sum = fma(sum, x, number(coefficient));
  return sum;
}

Value Arithmetic::bits(Value x) { return arith::BitcastOp::create(builder, integer, x); }
Value Arithmetic::fromBits(Value x) { return arith::BitcastOp::create(builder, real, x); }
Value Arithmetic::addInteger(Value a, Value b) { return arith::AddIOp::create(builder, a, b); }
Value Arithmetic::subInteger(Value a, Value b) { return arith::SubIOp::create(builder, a, b); }
Value Arithmetic::andInteger(Value a, Value b) { return arith::AndIOp::create(builder, a, b); }
Value Arithmetic::xorInteger(Value a, Value b) { return arith::XOrIOp::create(builder, a, b); }
Value Arithmetic::shiftLeft(Value a, int64_t count) {
  return arith::ShLIOp::create(builder, a, bitPattern(count));
}
Value Arithmetic::shiftRight(Value a, int64_t count) {
  return arith::ShRSIOp::create(builder, a, bitPattern(count));
}
Value Arithmetic::shiftRightZero(Value a, int64_t count) {
  return arith::ShRUIOp::create(builder, a, bitPattern(count));
}
Value Arithmetic::isNegativeInteger(Value a) {
  return arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, a, bitPattern(0));
}
Value Arithmetic::toReal(Value value) { return arith::SIToFPOp::create(builder, real, value); }

Value Arithmetic::resizeInteger(Value value) {
  unsigned from = getElementTypeOrSelf(value.getType()).getIntOrFloatBitWidth();
  unsigned to = getElementTypeOrSelf(integer).getIntOrFloatBitWidth();
  if (from < to)
    return arith::ExtSIOp::create(builder, integer, value);
  if (from > to)
    return arith::TruncIOp::create(builder, integer, value);
  return value;
}

Value Arithmetic::convert(Value value) {
  unsigned from = getElementTypeOrSelf(value.getType()).getIntOrFloatBitWidth();
  unsigned to = getElementTypeOrSelf(real).getIntOrFloatBitWidth();
  if (from < to)
    return arith::ExtFOp::create(builder, real, value);
  if (from > to)
    return arith::TruncFOp::create(builder, real, value);
  return value;
}

Value Arithmetic::powerOfTwo(Value n) {
  return fromBits(shiftLeft(addInteger(n, bitPattern(bias)), mantissaBits));
}
