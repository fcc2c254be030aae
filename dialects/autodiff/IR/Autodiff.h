//===- Autodiff.h - Interfaces of differentiation ---------------*- C++ -*-===//

#ifndef HEDDLE_DIALECTS_AUTODIFF_IR_AUTODIFF_H
#define HEDDLE_DIALECTS_AUTODIFF_IR_AUTODIFF_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpDefinition.h"

namespace heddle::autodiff {

/// What a reverse-mode rule reads and writes: cotangents by forward value.
class CotangentScope {
public:
  virtual ~CotangentScope() = default;
  /// The cotangent gathered so far for a forward result, of its type; null means zero.
  virtual mlir::Value cotangent(mlir::Value forward) = 0;
  /// Adds `value` to the cotangent of `forward`.
  virtual void accumulate(mlir::Value forward, mlir::Value value) = 0;
  /// Whether anything depends on this value's cotangent.
  virtual bool wanted(mlir::Value forward) = 0;
};

/// What a forward-mode rule reads and writes: tangents by primal value.
class TangentScope {
public:
  virtual ~TangentScope() = default;
  /// The tangent of an operand, of its type; null means zero.
  virtual mlir::Value tangent(mlir::Value primal) = 0;
  virtual void setTangent(mlir::Value primal, mlir::Value tangent) = 0;
};

} // namespace heddle::autodiff

#include "dialects/autodiff/IR/AutodiffInterfaces.h.inc"

#endif // HEDDLE_DIALECTS_AUTODIFF_IR_AUTODIFF_H
