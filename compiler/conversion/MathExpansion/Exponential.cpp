//===- Exponential.cpp - exp, exp2, expm1, tanh ---------------------------===//
//
// x = n ln 2 + r with |r| <= ln 2 / 2, so that e^x = 2^n e^r. The product n ln 2 is subtracted in two parts;
// the first subtraction is exact, because x and n ln2 share their last place and r is small. e^r is 1 + r +
// r^2 q(r), q a minimax polynomial of the relative error.
//
//===----------------------------------------------------------------------===//

#include "compiler/conversion/MathExpansion/Functions.h"

using namespace mlir;
using namespace heddle::cpu;

namespace {

constexpr double log2e = 0x1.71547652b82fep+0;
constexpr double ln2HighSingle = 0x1.62e4p-1, ln2LowSingle = 0x1.7f7d1cp-20;
constexpr double ln2HighDouble = 0x1.62e42feep-1, ln2LowDouble = 0x1.a39ef35793c76p-33;

// Relative error of e^r: 2^-28.
constexpr double expTail[] = {0.49999994, 0.16666515, 0.041668087, 0.008369297, 0.0013838235};
// Relative error of e^r - 1: 2^-28.
constexpr double expm1Tail[] = {0.5, 0.16666636, 0.04166651, 0.00834151, 0.0013930541, 0.00015016121};
// Relative error of e^r: 2^-56.
constexpr double expTailDouble[] = {0.5000000000000011,     0.1666666666666591,    0.041666666666520816,
                                    0.008333333333503515,   0.0013888888948683717, 0.0001984126998157296,
                                    2.4801485415408175e-05, 2.755682320785372e-06, 2.763369261129364e-07,
                                    2.5326524657943045e-08};
// (2^r - 1) / r for |r| <= 1/2; relative error of 2^r: 2^-26, most of it the rounding of ln 2.
constexpr double exp2Tail[] = {0.6931472, 0.24022594, 0.055503663, 0.009625446, 0.0013387932, 0.00013332073};
// (tanh x - x) / x^3 in x^2 for |x| <= 0.625; relative error of tanh x: 2^-27.
constexpr double tanhTail[] = {-0.3333328, 0.13331406, -0.053736515, 0.020628214, -0.005692431};

struct Reduced {
  Value r;       // the rest
  Value n;       // a whole number
  Value integer; // n as an integer
};

Reduced splitExponent(Arithmetic &m, Value shifted) {
  Value n = m.sub(shifted, m.number(m.roundingShift()));
  Value integer = m.subInteger(m.bits(shifted), m.bits(m.number(m.roundingShift())));
  return {Value(), n, integer};
}

Reduced reduceByLn2(Arithmetic &m, Value x) {
  Reduced result = splitExponent(m, m.fma(x, m.number(log2e), m.number(m.roundingShift())));
  Value r = m.fma(result.n, m.number(m.isDouble() ? -ln2HighDouble : -ln2HighSingle), x);
  result.r = m.fma(result.n, m.number(m.isDouble() ? -ln2LowDouble : -ln2LowSingle), r);
  return result;
}

Value expOfRest(Arithmetic &m, Value r) {
  Value tail = m.polynomial(r, m.isDouble() ? ArrayRef<double>(expTailDouble) : ArrayRef<double>(expTail));
  return m.add(m.fma(m.mul(r, r), tail, r), 1.0);
}

/// value 2^n where the result may overflow or be subnormal: two factors, of which only the second can round.
Value scale(Arithmetic &m, Value value, Value n) {
  Value half = m.shiftRight(n, 1);
  Value first = m.mul(value, m.powerOfTwo(half));
  return m.mul(first, m.powerOfTwo(m.subInteger(n, half)));
}

} // namespace

Value heddle::cpu::emitExp(Arithmetic &m, Value x) {
  // Beyond these bounds the result is infinite or rounds to 0.
  Value bounded = m.atLeast(m.atMost(x, m.isDouble() ? 710.0 : 89.0), m.isDouble() ? -746.0 : -104.0);
  Reduced part = reduceByLn2(m, bounded);
  return scale(m, expOfRest(m, part.r), part.integer);
}

Value heddle::cpu::emitExpInRange(Arithmetic &m, Value x) {
  Reduced part = reduceByLn2(m, x);
  return m.mul(expOfRest(m, part.r), m.powerOfTwo(part.integer));
}

Value heddle::cpu::emitExp2(Arithmetic &m, Value x) {
  Value bounded = m.atLeast(m.atMost(x, 129.0), -151.0);
  Reduced part = splitExponent(m, m.add(bounded, m.roundingShift()));
  Value r = m.sub(bounded, part.n);
  return scale(m, m.fma(r, m.polynomial(r, exp2Tail), m.number(1.0)), part.integer);
}

// 2^n (e^r - 1) + (2^n - 1), with half of the factor, since 2^128 is not a number: the sum is doubled at the
// end.
Value heddle::cpu::emitExpm1(Arithmetic &m, Value x) {
  Value bounded = m.atLeast(m.atMost(x, 89.0), -18.0);
  Reduced part = reduceByLn2(m, bounded);
  Value rest = m.fma(m.mul(part.r, part.r), m.polynomial(part.r, expm1Tail), part.r);
  Value factor = m.powerOfTwo(m.subInteger(part.integer, m.bitPattern(1)));
  Value half = m.fma(factor, rest, m.sub(factor, m.number(0.5)));
  // Also keeps the sign of zero and every subnormal number.
  return m.select(m.less(m.abs(x), 0x1p-25), x, m.add(half, half));
}

// A polynomial near 0, else 1 - 2 / (e^(2|x|) + 1): there the quotient is small against 1, and so is its
// error.
Value heddle::cpu::emitTanh(Arithmetic &m, Value x) {
  Value magnitude = m.abs(x), square = m.mul(x, x);
  Value near = m.fma(m.mul(square, x), m.polynomial(square, tanhTail), x);
  Value bounded = m.atMost(m.add(magnitude, magnitude), 20.0);
  Value quotient = m.div(m.number(2.0), m.add(emitExpInRange(m, bounded), 1.0));
  Value far = m.sub(m.number(1.0), quotient);
  return m.copySign(m.select(m.less(magnitude, 0.625), near, far), x);
}
