//===- DenseBuilder.h - Builds dense forms ----------------------*- C++ -*-===//
//
// Private to the decomposition.

#ifndef HEDDLE_DIALECTS_SPARSEK_TRANSFORMS_DENSEBUILDER_H
#define HEDDLE_DIALECTS_SPARSEK_TRANSFORMS_DENSEBUILDER_H

#include "dialects/heddle/IR/Heddle.h"
#include "dialects/sparsek/IR/SparseK.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <limits>

namespace heddle::sparsek {

constexpr double infinity = std::numeric_limits<double>::infinity();

inline mlir::RankedTensorType typeOf(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}

/// Replaces one operation and erases it (DecomposeVariant.cpp).
void decomposeVariant(VariantAttentionOp op);
void decomposeVariant(VariantAttentionBackwardOp op);

/// Short names for building heddle operations.
class DenseBuilder {
public:
  explicit DenseBuilder(mlir::Operation *op) : b(op->getLoc(), op) {}

  mlir::Value constant(mlir::Type type, double number) {
    auto tensor = llvm::cast<mlir::RankedTensorType>(type);
    mlir::Attribute value = llvm::isa<mlir::FloatType>(tensor.getElementType())
                                ? mlir::Attribute(b.getFloatAttr(tensor.getElementType(), number))
                                : mlir::Attribute(b.getIntegerAttr(tensor.getElementType(), (int64_t)number));
    return ir::ConstantOp::create(b, tensor, mlir::DenseElementsAttr::get(tensor, value));
  }
  mlir::Value add(mlir::Value x, mlir::Value y) { return ir::AddOp::create(b, x, y); }
  mlir::Value sub(mlir::Value x, mlir::Value y) { return ir::SubOp::create(b, x, y); }
  mlir::Value mul(mlir::Value x, mlir::Value y) { return ir::MulOp::create(b, x, y); }
  mlir::Value mul(mlir::Value x, double y) { return mul(x, constant(x.getType(), y)); }
  mlir::Value div(mlir::Value x, mlir::Value y) { return ir::DivOp::create(b, x, y); }
  mlir::Value neg(mlir::Value x) { return ir::NegOp::create(b, x); }
  mlir::Value exp(mlir::Value x) { return ir::ExpOp::create(b, x); }
  mlir::Value both(mlir::Value x, mlir::Value y) { return ir::AndOp::create(b, x, y); }
  mlir::Value either(mlir::Value x, mlir::Value y) { return ir::OrOp::create(b, x, y); }
  mlir::Value stop(mlir::Value x) { return ir::StopGradientOp::create(b, x); }
  mlir::Value compare(ir::ComparePredicate p, mlir::Value x, mlir::Value y) {
    return ir::CompareOp::create(b, p, x, y);
  }
  mlir::Value compare(ir::ComparePredicate p, mlir::Value x, double y) {
    return compare(p, x, constant(x.getType(), y));
  }
  mlir::Value select(mlir::Value c, mlir::Value x, mlir::Value y) { return ir::SelectOp::create(b, c, x, y); }
  mlir::Value select(mlir::Value c, mlir::Value x, double y) {
    return select(c, x, constant(x.getType(), y));
  }
  mlir::Value select(mlir::Value c, double x, mlir::Value y) {
    return select(c, constant(y.getType(), x), y);
  }
  mlir::Value reduce(ir::ReductionKind kind, mlir::Value x, llvm::ArrayRef<int64_t> axes) {
    return ir::ReduceOp::create(b, kind, x, axes);
  }
  mlir::Value sum(mlir::Value x, llvm::ArrayRef<int64_t> axes) {
    return reduce(ir::ReductionKind::sum, x, axes);
  }
  mlir::Value einsum(llvm::StringRef equation, mlir::Value x, mlir::Value y) {
    return ir::EinsumOp::create(b, equation, x, y);
  }
  mlir::Value broadcast(mlir::Value x, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> axes) {
    return ir::BroadcastOp::create(b, mlir::RankedTensorType::get(shape, typeOf(x).getElementType()), x,
                                   axes);
  }
  mlir::Value reshape(mlir::Value x, llvm::ArrayRef<int64_t> shape) {
    if (typeOf(x).getShape() == shape)
      return x;
    return ir::ReshapeOp::create(b, mlir::RankedTensorType::get(shape, typeOf(x).getElementType()), x);
  }
  mlir::Value cast(mlir::Value x, mlir::Type element) {
    if (typeOf(x).getElementType() == element)
      return x;
    return ir::CastOp::create(b, mlir::RankedTensorType::get(typeOf(x).getShape(), element), x);
  }

protected:
  mlir::ImplicitLocOpBuilder b;
};

} // namespace heddle::sparsek

#endif // HEDDLE_DIALECTS_SPARSEK_TRANSFORMS_DENSEBUILDER_H
