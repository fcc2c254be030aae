//===- Arithmetic.h - Emits arithmetic on one type of number ----*- C++ -*-===//
#pragma once

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/ArrayRef.h"

namespace heddle::cpu {

/// Emits operations on f32 or f64, scalar or in fixed vectors. Constants take the shape of the numbers.
class Arithmetic {
public:
  /// `real`: f32, f64 or a vector of one of them. `fused`: the target has fused multiply-add.
  Arithmetic(mlir::ImplicitLocOpBuilder &builder, mlir::Type real, bool fused);

  /// The same shape with another element: f32 or f64.
  Arithmetic withElement(mlir::Type element) const;
  Arithmetic single() const { return withElement(builder.getF32Type()); }
  Arithmetic wide() const { return withElement(builder.getF64Type()); }

  bool isDouble() const { return mantissaBits == 52; }
  mlir::Type realType() const { return real; }
  mlir::Type integerType() const { return integer; }

  mlir::Value number(double value);
  mlir::Value bitPattern(int64_t value); ///< an integer as wide as the numbers
  mlir::Value infinity();
  mlir::Value nan();

  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value div(mlir::Value a, mlir::Value b);
  mlir::Value add(mlir::Value a, double b) { return add(a, number(b)); }
  mlir::Value mul(mlir::Value a, double b) { return mul(a, number(b)); }
  mlir::Value fma(mlir::Value a, mlir::Value b, mlir::Value c); ///< a b + c; rounded once if fused
  mlir::Value abs(mlir::Value a);
  mlir::Value negate(mlir::Value a);
  mlir::Value floor(mlir::Value a);
  mlir::Value roundEven(mlir::Value a);
  mlir::Value copySign(mlir::Value magnitude, mlir::Value sign);

  /// Comparisons that a NaN fails, `notEqual` excepted.
  mlir::Value less(mlir::Value a, mlir::Value b);
  mlir::Value less(mlir::Value a, double b) { return less(a, number(b)); }
  mlir::Value equal(mlir::Value a, mlir::Value b);
  mlir::Value equal(mlir::Value a, double b) { return equal(a, number(b)); }
  mlir::Value notEqual(mlir::Value a, mlir::Value b);
  mlir::Value select(mlir::Value condition, mlir::Value onTrue, mlir::Value onFalse);
  mlir::Value both(mlir::Value a, mlir::Value b);
  mlir::Value either(mlir::Value a, mlir::Value b);

  /// min(x, bound) and max(x, bound) where a NaN stays: one machine instruction each on x86.
  mlir::Value atMost(mlir::Value x, double bound);
  mlir::Value atLeast(mlir::Value x, double bound);

  /// c0 + c1 x + c2 x² + … by Horner's rule.
  mlir::Value polynomial(mlir::Value x, llvm::ArrayRef<double> coefficients);

  /// The bits of a number as an integer, and back.
  mlir::Value bits(mlir::Value x);
  mlir::Value fromBits(mlir::Value x);

  mlir::Value addInteger(mlir::Value a, mlir::Value b);
  mlir::Value subInteger(mlir::Value a, mlir::Value b);
  mlir::Value andInteger(mlir::Value a, mlir::Value b);
  mlir::Value xorInteger(mlir::Value a, mlir::Value b);
  mlir::Value shiftLeft(mlir::Value a, int64_t count);
  mlir::Value shiftRight(mlir::Value a, int64_t count);     ///< fills with the sign
  mlir::Value shiftRightZero(mlir::Value a, int64_t count); ///< fills with zeros
  mlir::Value isNegativeInteger(mlir::Value a);             ///< a condition
  mlir::Value toReal(mlir::Value integer);                  ///< from a signed integer of any width
  mlir::Value resizeInteger(mlir::Value integer);           ///< to the width of the numbers, signed
  mlir::Value convert(mlir::Value realOfOtherWidth);        ///< rounds or widens to `realType`

  /// An addend that leaves a number's nearest integer, up to 2^(mantissaBits - 1), in the low bits of the
  /// sum. As opposed to a conversion it is defined for every operand.
  double roundingShift() const { return isDouble() ? 0x1.8p52 : 0x1.8p23; }
  /// 2^n for the integer n, in the range of normal numbers.
  mlir::Value powerOfTwo(mlir::Value n);

  int mantissaBits, bias;

private:
  mlir::Type shaped(mlir::Type element) const;

  mlir::ImplicitLocOpBuilder &builder;
  mlir::Type real, integer;
  bool fused;
};

} // namespace heddle::cpu
