//===- Logarithm.cpp - log, log1p -----------------------------------------===//
//
// x = 2^n (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), so that log x = n ln 2 + log(1 + f).
//
//===----------------------------------------------------------------------===//

#include "compiler/conversion/MathExpansion/Functions.h"

using namespace mlir;
using namespace heddle::cpu;

namespace {

// n times the high part is exact for every exponent.
constexpr double ln2HighSingle = 0x1.62e4p-1, ln2LowSingle = 0x1.7f7d1cp-20;
constexpr double ln2HighDouble = 0x1.62e42feep-1, ln2LowDouble = 0x1.a39ef35793c76p-33;
constexpr int64_t rootHalfSingle = 0x3f3504f3, rootHalfDouble = 0x3fe6a09e667f3bcd;

// (log(1 + f) - f + f^2 / 2) / f^3; relative error of the logarithm: 2^-27.8.
constexpr double logTail[] = {0.33333313,  -0.25000188, 0.2000224,   -0.16658291, 0.142084,
                              -0.12566637, 0.12131698,  -0.10821827, 0.051757358};
// (log((1 + s) / (1 - s)) - 2 s) / s^3 in s^2; relative error of the logarithm: 2^-59.
constexpr double logTailDouble[] = {0.6666666666666737,  0.3999999999939271,  0.2857142874777625,
                                    0.22222197972366187, 0.18183597881557698, 0.1531313575649402,
                                    0.14805637765716378};

struct Split {
  Value n; // an integer
  Value bits;
};

/// The exponent of a positive normal number, and the bits of 1 + f.
Split splitNumber(Arithmetic &m, Value x) {
  Value root = m.bitPattern(m.isDouble() ? rootHalfDouble : rootHalfSingle);
  Value above = m.subInteger(m.bits(x), root);
  Value mantissa = m.andInteger(above, m.bitPattern((int64_t(1) << m.mantissaBits) - 1));
  return {m.shiftRight(above, m.mantissaBits), m.addInteger(mantissa, root)};
}

/// n ln 2 + log(1 + f).
Value logSingle(Arithmetic &m, Value f, Value n) {
  Value square = m.mul(f, f);
  Value low = m.fma(n, m.number(ln2LowSingle), m.mul(m.mul(square, f), m.polynomial(f, logTail)));
  Value rest = m.add(f, m.fma(m.number(-0.5), square, low));
  return m.fma(n, m.number(ln2HighSingle), rest);
}

/// With s = f / (2 + f): log(1 + f) = f - (f^2 / 2 - s (f^2 / 2 + R(s^2) s^2)), the small terms first.
Value logDouble(Arithmetic &m, Value f, Value n) {
  Value s = m.div(f, m.add(f, 2.0)), square = m.mul(s, s);
  Value half = m.mul(m.mul(f, f), 0.5);
  Value correction = m.mul(s, m.fma(square, m.polynomial(square, logTailDouble), half));
  Value low = m.fma(n, m.number(ln2LowDouble), correction);
  return m.fma(n, m.number(ln2HighDouble), m.sub(f, m.sub(half, low)));
}

/// Results where there is no logarithm of a positive number; `pole` is the x where it is -infinity.
Value specialValues(Arithmetic &m, Value result, Value x, double pole) {
  Value finite = m.select(m.less(x, m.infinity()), result, x); // infinity and NaN are their own logarithms
  Value defined = m.select(m.less(x, pole), m.nan(), finite);
  return m.select(m.equal(x, pole), m.negate(m.infinity()), defined);
}

} // namespace

Value heddle::cpu::emitLog(Arithmetic &m, Value x) {
  int shift = m.mantissaBits + 1;
  Value subnormal = m.less(x, m.isDouble() ? 0x1p-1022 : 0x1p-126);
  Split part = splitNumber(m, m.select(subnormal, m.mul(x, m.isDouble() ? 0x1p53 : 0x1p24), x));
  // Exponents are converted as 32-bit integers, for which every vector unit has an instruction.
  Value exponent = m.isDouble() ? m.single().resizeInteger(part.n) : part.n;
  Value n = m.toReal(exponent);
  n = m.select(subnormal, m.add(n, -double(shift)), n);
  Value f = m.add(m.fromBits(part.bits), -1.0);
  return specialValues(m, m.isDouble() ? logDouble(m, f, n) : logSingle(m, f, n), x, 0.0);
}

// The rounded 1 + x only decides n; f = 2^-n (1 + x) - 1 comes from x itself in one rounding. 2^-n can be
// subnormal, so that four times it meets a quarter of x.
Value heddle::cpu::emitLog1p(Arithmetic &m, Value x) {
  Value n = splitNumber(m, m.add(x, 1.0)).n;
  Value factor = m.powerOfTwo(m.subInteger(m.bitPattern(2), n));
  Value f = m.fma(m.mul(x, 0.25), factor, m.fma(m.number(0.25), factor, m.number(-1.0)));
  Value result = specialValues(m, logSingle(m, f, m.toReal(n)), x, -1.0);
  return m.select(m.less(m.abs(x), 0x1p-24), x, result);
}
