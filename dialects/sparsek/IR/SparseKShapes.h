//===- SparseKShapes.h - Checks of shapes, shared by the operations *- C++ -*-===//
//
// Private to the dialect.

#ifndef HEDDLE_DIALECTS_SPARSEK_IR_SPARSEKSHAPES_H
#define HEDDLE_DIALECTS_SPARSEK_IR_SPARSEKSHAPES_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Value.h"

namespace heddle::sparsek {

inline mlir::RankedTensorType typeOf(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}

/// Whether the extents are equal where both are known.
inline bool agree(llvm::ArrayRef<int64_t> a, llvm::ArrayRef<int64_t> b) {
  return a.size() == b.size() && llvm::all_of(llvm::zip(a, b), [](auto pair) {
           auto [x, y] = pair;
           return x == y || mlir::ShapedType::isDynamic(x) || mlir::ShapedType::isDynamic(y);
         });
}

inline mlir::LogicalResult checkShape(std::optional<mlir::Location> loc, llvm::StringRef name,
                                      mlir::RankedTensorType type, llvm::ArrayRef<int64_t> shape,
                                      mlir::Type element) {
  if (agree(type.getShape(), shape) && type.getElementType() == element)
    return mlir::success();
  return emitOptionalError(loc, name, " has type ", type, ", not ",
                           mlir::RankedTensorType::get(shape, element));
}

inline mlir::LogicalResult checkBudget(std::optional<mlir::Location> loc, int64_t topk, int64_t window) {
  if (topk < 0 || window < 0)
    return emitOptionalError(loc, "topk ", topk, " and window ", window, " must not be negative");
  if (topk == 0 && window == 0)
    return emitOptionalError(loc, "topk and window are both 0, so no query attends to anything");
  return mlir::success();
}

} // namespace heddle::sparsek

#endif // HEDDLE_DIALECTS_SPARSEK_IR_SPARSEKSHAPES_H
