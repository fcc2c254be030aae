//===- Trigonometric.cpp - sin, cos ---------------------------------------===//
//
// The argument is reduced in f64, and correctly for every f32: the number of turns is needed to about 2^-55
// of a turn only after whole turns are dropped. 1 / (2 pi) is cut into parts of 29 bits, whose products with
// the 24 bits of x are exact, and each product loses its whole turns before the sum. Three parts and a rest
// serve up to 2^84; above, where the last bit of x weighs at least 2^61, the parts start behind the 61st bit,
// as everything before it gives whole turns. So no table is read and nothing branches.
//
//===----------------------------------------------------------------------===//

#include "compiler/conversion/MathExpansion/Functions.h"

using namespace mlir;
using namespace heddle::cpu;

namespace {

constexpr double windowBound = 0x1p84;
constexpr double turnsBelow[] = {0x1.45f306dp-3, 0x1.9391054p-32, 0x1.4fe13abp-61, 0x1.d1f534ddc0db6p-90};
constexpr double turnsAbove[] = {0x1.3f84eaep-63, 0x1.a3ea69bp-91, 0x1.7036d8ap-120, 0x1.5993c439041fep-150};
constexpr double halfPi = 0x1.921fb54442d18p+0;

// (sin r - r) / r^3 and (cos r - 1 + r^2 / 2) / r^4 in r^2 for |r| <= pi / 4; relative errors 2^-28 and
// 2^-33.
constexpr double sinTail[] = {-0.16666655, 0.008332188, -0.00019518095};
constexpr double cosTail[] = {0.041666646, -0.001388731, 2.4432327e-05};

struct Angle {
  Value r;        // the rest in radians, f32
  Value quadrant; // the number of quarter turns; the low two bits count
};

Angle reduce(Arithmetic &single, Value x) {
  Arithmetic m = single.wide();
  Value wide = m.convert(x);
  Value below = m.less(m.abs(wide), windowBound);
  auto product = [&](int part) {
    return m.mul(wide, m.select(below, m.number(turnsBelow[part]), m.number(turnsAbove[part])));
  };
  Value turns[4];
  for (int part = 0; part < 3; ++part) {
    Value all = product(part);
    turns[part] = m.sub(all, m.roundEven(all));
  }
  turns[3] = product(3);
  Value sum = m.add(m.add(turns[0], turns[1]), m.add(turns[2], turns[3]));
  Value shifted = m.fma(sum, m.number(4.0), m.number(m.roundingShift()));
  // The parts join one after the other, largest first: what cancels does so before the small ones are added.
  Value rest = m.negate(m.sub(shifted, m.number(m.roundingShift())));
  for (Value turn : turns)
    rest = m.fma(turn, m.number(4.0), rest);
  return {single.convert(m.mul(rest, halfPi)), single.resizeInteger(m.bits(shifted))};
}

/// sin(r + quadrant pi / 2).
Value sinOfAngle(Arithmetic &m, Value r, Value quadrant) {
  Value square = m.mul(r, r);
  Value sine = m.fma(m.mul(square, r), m.polynomial(square, sinTail), r);
  Value slope = m.fma(square, m.polynomial(square, cosTail), m.number(-0.5));
  Value cosine = m.fma(square, slope, m.number(1.0));
  Value isOdd = m.isNegativeInteger(m.shiftLeft(quadrant, 31));
  Value sign = m.andInteger(m.shiftLeft(quadrant, 30), m.bitPattern(INT32_MIN));
  return m.fromBits(m.xorInteger(m.bits(m.select(isOdd, cosine, sine)), sign));
}

} // namespace

Value heddle::cpu::emitSin(Arithmetic &m, Value x) {
  Angle angle = reduce(m, x);
  // Keeps the sign of zero.
  return m.select(m.less(m.abs(x), 0x1p-13), x, sinOfAngle(m, angle.r, angle.quadrant));
}

Value heddle::cpu::emitCos(Arithmetic &m, Value x) {
  Angle angle = reduce(m, x);
  return sinOfAngle(m, angle.r, m.addInteger(angle.quadrant, m.bitPattern(1)));
}
