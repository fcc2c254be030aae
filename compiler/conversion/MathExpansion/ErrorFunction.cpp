//===- ErrorFunction.cpp - erf --------------------------------------------===//

#include "compiler/conversion/MathExpansion/Functions.h"

using namespace mlir;
using namespace heddle::cpu;

// (erf x - x) / x in x^2 for |x| <= 0.93; relative error of erf x: 2^-30.
static constexpr double erfTail[] = {0.12837917,  -0.3761263,     0.11283626, -0.026855731,
                                     0.005192405, -0.00080497697, 7.99665e-05};
// (log erfc t + t) / t for 0.92 <= t <= 4; absolute error of erfc t: 2^-30.
static constexpr double logErfcTail[] = {-0.12865216, -0.63513595,   -0.10626307,   0.023785269,
                                         -0.00365372, 0.00032564002, -1.1520828e-05};

// Near 0 a polynomial; else 1 - e^(log erfc |x|), where the logarithm is smooth enough for a short
// polynomial. From |x| = 4 on the result is 1.
Value heddle::cpu::emitErf(Arithmetic &m, Value x) {
  Value magnitude = m.abs(x), square = m.mul(x, x);
  Value near = m.fma(x, m.polynomial(square, erfTail), x);
  Value t = m.atMost(magnitude, 4.0);
  Value logarithm = m.fma(t, m.polynomial(t, logErfcTail), m.negate(t));
  Value far = m.copySign(m.sub(m.number(1.0), emitExpInRange(m, logarithm)), x);
  return m.select(m.less(magnitude, 0.925), near, far);
}
