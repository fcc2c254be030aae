//===- Support.h - Small builders shared by the rules -----------*- C++ -*-===//

#ifndef HEDDLE_COMPILER_AUTODIFF_SUPPORT_H
#define HEDDLE_COMPILER_AUTODIFF_SUPPORT_H

#include "dialects/heddle/IR/Heddle.h"

#include "mlir/IR/Builders.h"

namespace heddle::autodiff {

/// Whether values of this type carry a derivative: a tensor of floating point.
bool isFloat(mlir::Type type);
inline bool isFloat(mlir::Value value) { return isFloat(value.getType()); }

inline mlir::RankedTensorType tensorType(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}

/// Reports an operation that no rule differentiates; `what` was asked for by `request`. Always fails.
mlir::LogicalResult reportNoDerivative(mlir::Operation &op, mlir::Location request, llvm::StringRef what);

/// The same element type under another shape.
mlir::RankedTensorType withShape(mlir::RankedTensorType type, llvm::ArrayRef<int64_t> shape);

/// A tensor with one number everywhere. `type` has a static shape.
mlir::Value splat(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type type, double number);
inline mlir::Value zeros(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type type) {
  return splat(builder, loc, type, 0.0);
}

/// The number of a constant that holds one number everywhere.
std::optional<double> splatNumber(mlir::Value value);

/// `value`, or zeros of `type` where it is null.
mlir::Value orZeros(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value, mlir::Type type);

/// The sum of two values of one type, either of which may be null for zero.
mlir::Value addOrNull(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value a, mlir::Value b);

/// Sums over `axes`, or the value itself where there are none.
mlir::Value reduceSum(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value,
                      llvm::ArrayRef<int64_t> axes);

/// The axes of 0 .. rank - 1 that are not in `axes`.
llvm::SmallVector<int64_t> otherAxes(int64_t rank, llvm::ArrayRef<int64_t> axes);

/// An elementwise expression under construction, so that rules read as formulas. All terms of a formula have
/// one type; numbers become constants of that type.
class Term {
public:
  Term(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value)
      : builder(&builder), loc(loc), value(value) {}

  mlir::Value get() const { return value; }
  mlir::Type type() const { return value.getType(); }
  Term number(double x) const { return with(splat(*builder, loc, type(), x)); }
  std::optional<double> constant() const { return splatNumber(value); }

  /// A unary or binary operation of the heddle dialect.
  template <typename Op>
  Term apply() const {
    return with(Op::create(*builder, loc, value));
  }
  template <typename Op>
  Term apply(Term other) const {
    return with(Op::create(*builder, loc, value, other.value));
  }
  /// A truth value, for `choose`.
  Term compare(ir::ComparePredicate predicate, Term other) const {
    return with(ir::CompareOp::create(*builder, loc, predicate, value, other.value));
  }
  Term compare(ir::ComparePredicate predicate, double other) const {
    return compare(predicate, number(other));
  }
  /// Of a truth value: `a` where it holds, else `b`.
  Term choose(Term a, Term b) const {
    return with(ir::SelectOp::create(*builder, loc, value, a.value, b.value));
  }
  Term choose(Term a, double b) const { return choose(a, a.number(b)); }

private:
  Term with(mlir::Value other) const { return Term(*builder, loc, other); }

  mlir::OpBuilder *builder;
  mlir::Location loc;
  mlir::Value value;
};

inline Term operator+(Term a, Term b) { return a.apply<ir::AddOp>(b); }
inline Term operator-(Term a, Term b) { return a.apply<ir::SubOp>(b); }
inline Term operator*(Term a, Term b) { return a.apply<ir::MulOp>(b); }
inline Term operator/(Term a, Term b) { return a.apply<ir::DivOp>(b); }
inline Term operator-(Term a) { return a.apply<ir::NegOp>(); }
inline Term operator+(Term a, double b) { return a + a.number(b); }
inline Term operator-(double a, Term b) { return b.number(a) - b; }
inline Term operator-(Term a, double b) { return a - a.number(b); }
inline Term operator*(Term a, double b) { return a * a.number(b); }

} // namespace heddle::autodiff

#endif // HEDDLE_COMPILER_AUTODIFF_SUPPORT_H
