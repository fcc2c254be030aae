//===- HeddleNumbers.h - The elements of constants --------------*- C++ -*-===//
//
// What folding shares: elements of constants as C++ numbers, and the elementwise operations on them.

#ifndef HEDDLE_DIALECTS_HEDDLE_IR_HEDDLENUMBERS_H
#define HEDDLE_DIALECTS_HEDDLE_IR_HEDDLENUMBERS_H

#include "dialects/heddle/IR/Heddle.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"

namespace heddle::ir {

inline mlir::RankedTensorType tensorOf(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}

/// The same element type under another shape.
inline mlir::RankedTensorType reshaped(mlir::RankedTensorType type, llvm::ArrayRef<int64_t> shape) {
  return mlir::RankedTensorType::get(shape, type.getElementType());
}

inline bool isReal(mlir::Type tensor) {
  return llvm::isa<mlir::FloatType>(llvm::cast<mlir::RankedTensorType>(tensor).getElementType());
}

/// One element: `real` where the element type is floating point, which a double holds exactly; else
/// `integer`, where a truth value is 0 or 1.
union Number {
  double real;
  int64_t integer;
};

/// The elements of a constant: one that stands for all, or a few distinct ones.
class Numbers {
public:
  /// Constants of more elements are left alone unless all their elements are equal.
  static constexpr int64_t limit = 64;

  /// The elements of a constant's value; none where it is null, large or of an unknown form.
  static std::optional<Numbers> of(mlir::Attribute value);

  /// The elements of the result of `heddle.constant`.
  static std::optional<Numbers> of(mlir::Value value);

  Numbers(mlir::RankedTensorType type, llvm::SmallVector<Number> cells)
      : tensor(type), cells(std::move(cells)) {}

  mlir::RankedTensorType type() const { return tensor; }
  bool isSplat() const { return cells.size() == 1; }
  Number operator[](int64_t i) const { return cells[isSplat() ? 0 : i]; }

  /// Whether every element is `value`: the same bits, so that 0 is not -0.
  bool all(double value) const;

  /// The attribute; elements that are all equal become a splat. The elements are rounded and wrapped already.
  mlir::DenseElementsAttr attr() const;

private:
  mlir::RankedTensorType tensor;
  llvm::SmallVector<Number> cells;
};

/// Whether `value` is a constant, all of whose elements are `number`.
bool isAll(mlir::Attribute value, double number);
bool isAll(mlir::Value value, double number);

/// A constant of `number` everywhere; null where the type is not static.
mlir::Attribute splatAttr(mlir::Type tensor, double number);
mlir::Value splatValue(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type tensor, double number);

/// The constant `value`, all of whose elements are equal, under another shape.
mlir::DenseElementsAttr resplat(mlir::DenseElementsAttr value, llvm::ArrayRef<int64_t> shape);

/// A number in another element type, by the rules of `heddle.cast`.
Number convert(Number number, mlir::Type from, mlir::Type to);

/// Whether `heddle.cast` from one element type to the other keeps every value.
bool keepsValues(mlir::Type from, mlir::Type to);

/// Whether an operation's result elements depend on the operands' elements at the same position alone and all
/// shapes are equal. `heddle.stop_gradient` and `heddle.fence`, which mean more than their value, are not
/// counted.
bool isElementwise(mlir::Operation *op);

/// Whether a reshape only adds or drops axes of extent 1.
bool isUnitReshape(ReshapeOp op);

/// The value of an elementwise operation on constants, each rounded once from double as the interpreter does;
/// null where an operand is no constant or the result is too large.
mlir::Attribute foldElementwise(mlir::Operation *op, llvm::ArrayRef<mlir::Attribute> operands);

} // namespace heddle::ir

#endif // HEDDLE_DIALECTS_HEDDLE_IR_HEDDLENUMBERS_H
