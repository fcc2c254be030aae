//===- Functions.h - One expansion per elementary function ------*- C++ -*-===//
//
// Each emits f(x) for x of `m`'s type. Unless `m` may be f64 it is f32.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "compiler/conversion/MathExpansion/Arithmetic.h"

namespace heddle::cpu {

mlir::Value emitExp(Arithmetic &m, mlir::Value x); ///< f32 or f64
mlir::Value emitExp2(Arithmetic &m, mlir::Value x);
mlir::Value emitExpm1(Arithmetic &m, mlir::Value x);
mlir::Value emitTanh(Arithmetic &m, mlir::Value x);
mlir::Value emitLog(Arithmetic &m, mlir::Value x); ///< f32 or f64
mlir::Value emitLog1p(Arithmetic &m, mlir::Value x);
mlir::Value emitErf(Arithmetic &m, mlir::Value x);
mlir::Value emitSin(Arithmetic &m, mlir::Value x);
mlir::Value emitCos(Arithmetic &m, mlir::Value x);
mlir::Value emitPow(Arithmetic &m, mlir::Value x, mlir::Value y);

/// exp(x) for f32 x in [-87, 88], where the result is a normal number; a NaN stays.
mlir::Value emitExpInRange(Arithmetic &m, mlir::Value x);

} // namespace heddle::cpu
