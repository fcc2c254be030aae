//===- Power.cpp - powf ---------------------------------------------------===//
//
// |x|^y = 2^(y log2 |x|) in f64: the product reaches 150 and must be right to 2^-26, so the logarithm needs
// 34 bits and more. f64 also holds every subnormal f32 and every result as a normal number.
//
//===----------------------------------------------------------------------===//

#include "compiler/conversion/MathExpansion/Functions.h"

using namespace mlir;
using namespace heddle::cpu;

namespace {

constexpr int64_t rootHalf = 0x3fe6a09e;
// log2((1 + s) / (1 - s)) / s in s^2 for |s| <= 0.172; relative error 2^-45.
constexpr double log2Tail[] = {2.8853900817778473,  0.9617966941188553,  0.5770779406214861,
                               0.41220944150955524, 0.31989745295114275, 0.2830243626348346};
// 2^r for |r| <= 1/2; relative error 2^-32.
constexpr double exp2Polynomial[] = {0.9999999999610759,     0.6931471820908802,   0.24022651209050505,
                                     0.05550409526411491,    0.009618014131718696, 0.0013333119301114896,
                                     0.00015475089239827674, 1.559504802815935e-05};

/// log2 of a finite positive number.
Value log2(Arithmetic &m, Value x) {
  Arithmetic single = m.single();
  Value bits = m.bits(x);
  Value high = single.resizeInteger(m.shiftRightZero(bits, 32));
  Value n = single.shiftRight(single.subInteger(high, single.bitPattern(rootHalf)), 20);
  Value mantissa = m.fromBits(m.subInteger(bits, m.shiftLeft(m.resizeInteger(n), 52)));
  Value s = m.div(m.add(mantissa, -1.0), m.add(mantissa, 1.0));
  return m.fma(s, m.polynomial(m.mul(s, s), log2Tail), m.toReal(n));
}

/// 2^x rounded to f32, for any x.
Value exp2(Arithmetic &m, Arithmetic &single, Value x) {
  Value bounded = m.atLeast(m.atMost(x, 300.0), -300.0);
  Value shifted = m.add(bounded, m.roundingShift());
  Value r = m.sub(bounded, m.sub(shifted, m.number(m.roundingShift())));
  Value n = m.subInteger(m.bits(shifted), m.bits(m.number(m.roundingShift())));
  return single.convert(m.mul(m.polynomial(r, exp2Polynomial), m.powerOfTwo(n)));
}

} // namespace

Value heddle::cpu::emitPow(Arithmetic &m, Value x, Value y) {
  Arithmetic wide = m.wide();
  Value magnitude = m.abs(x), zero = m.number(0.0), one = m.number(1.0), infinity = m.infinity();
  Value base = wide.convert(magnitude);
  Value logarithm = wide.select(m.less(magnitude, infinity), log2(wide, base), base); // infinity, NaN
  logarithm = wide.select(m.equal(x, zero), wide.negate(wide.infinity()), logarithm);
  Value power = exp2(wide, m, wide.mul(wide.convert(y), logarithm));

  Value half = m.mul(y, 0.5);
  Value whole = m.equal(m.floor(y), y); // infinities are, and even
  Value odd = m.both(whole, m.notEqual(m.floor(half), half));
  power = m.select(odd, m.copySign(power, x), power);

  Value negative = m.both(m.less(x, zero), m.less(magnitude, infinity));
  power = m.select(m.both(negative, m.notEqual(m.floor(y), y)), m.nan(), power);
  // These are 1 even where the other operand is a NaN.
  Value isOne = m.either(m.equal(y, zero), m.equal(x, one));
  Value unit = m.both(m.equal(x, m.number(-1.0)), m.equal(m.abs(y), infinity));
  return m.select(m.either(isOne, unit), one, power);
}
