//===- OpEmitter.h - Creates ops for values ---------------------------------===//
#pragma once

#include "compiler/frontend/Value.h"
#include "mlir/IR/Builders.h"
#include <functional>

namespace heddle::frontend {

/// Creates the ops of tensor computations. In check mode, without a builder, every method returns a value of
/// the right type without IR; with one, all dimensions must be known. Operands are expected to be well typed:
/// users' mistakes are reported by the builtins, before. Nothing is folded.
class OpEmitter {
public:
  using LocationOf = std::function<mlir::Location(Span)>;

  /// Check mode.
  OpEmitter() = default;
  OpEmitter(mlir::OpBuilder &builder, LocationOf locationOf)
      : builder(&builder), locationOf(std::move(locationOf)) {}

  bool isEmitting() const { return builder != nullptr; }
  mlir::OpBuilder &getBuilder() const { return *builder; }
  mlir::Location location(Span span) const { return locationOf(span); }

  /// The MLIR type of a tensor type with known dimensions.
  mlir::Type mlirType(const Type &tensor) const;

  /// The SSA value of a tensor; constants become ops here, literals as f32 or i32. Null in check mode.
  mlir::Value leaf(const Value &value);
  /// The SSA values of any value, tuples included, in the order of Type::leaves. Empty in check mode.
  llvm::SmallVector<mlir::Value> leaves(const Value &value);

private:
  mlir::OpBuilder *builder = nullptr;
  LocationOf locationOf;
};

} // namespace heddle::frontend
