//===- OpEmitter.h - Creates ops for values ---------------------------------===//
#pragma once

#include "compiler/frontend/Value.h"
#include "mlir/IR/Builders.h"
#include <functional>

namespace heddle::frontend {

enum class UnaryKind : uint8_t {
  Neg,
  Abs,
  Sign,
  Exp,
  Expm1,
  Log,
  Log1p,
  Sqrt,
  Rsqrt,
  Sin,
  Cos,
  Tanh,
  Erf,
  Sigmoid,
  Floor,
  Ceil,
  Round,
  Not,
  StopGradient
};
enum class BinaryKind : uint8_t { Add, Sub, Mul, Div, Rem, Pow, Max, Min, And, Or };
enum class CompareKind : uint8_t { Eq, Ne, Lt, Le, Gt, Ge };
enum class ReduceKind : uint8_t { Sum, Prod, Max, Min, Any, All };
enum class ArgReduceKind : uint8_t { Argmax, Argmin };
enum class RandomKind : uint8_t { Uniform, Normal, Bits };

/// Creates the ops of tensor computations. In check mode, without a builder, every method returns a value of
/// the right type without IR; with one, all dimensions must be known. Operands must be well typed tensors (or
/// constants of the right scalar type): users' mistakes are reported by the builtins, before. Nothing is
/// folded. Axes are not negative.
class OpEmitter {
public:
  using LocationOf = std::function<mlir::Location(Span)>;
  using Dims = llvm::ArrayRef<Dim>;
  using Axes = llvm::ArrayRef<int64_t>;

  /// Check mode.
  OpEmitter() = default;
  OpEmitter(mlir::OpBuilder &builder, LocationOf locationOf)
      : builder(&builder), locationOf(std::move(locationOf)) {}

  bool isEmitting() const { return builder != nullptr; }
  mlir::OpBuilder &getBuilder() const { return *builder; }
  mlir::Location location(Span span) const { return locationOf(span); }

  /// The MLIR type of a tensor type with known dimensions.
  mlir::RankedTensorType mlirType(const Type &tensor) const;

  /// The SSA value of a tensor; constants become ops here, literals as f32 or i32. Null in check mode.
  mlir::Value leaf(const Value &value);
  /// The SSA values of any value, tuples included, in the order of Type::leaves. Empty in check mode.
  llvm::SmallVector<mlir::Value> leaves(const Value &value);

  //===--- Making ---------------------------------------------------------------------------------------===//

  /// Every element of the tensor is `value`, rounded to the element type.
  Value constant(const Type &type, double value, Span span);
  /// The same for an integer or truth value, exactly; also for float types.
  Value constant(const Type &type, const Dim &value, Span span);
  Value iota(const Type &type, int64_t axis, Span span);
  Value random(RandomKind kind, const Value &key, int64_t stream, const Type &type, Span span);
  Value foldIn(const Value &key, const Value &data, Span span);

  //===--- Elementwise, operands of one shape -----------------------------------------------------------===//

  Value unary(UnaryKind kind, const Value &x, Span span);
  Value binary(BinaryKind kind, const Value &a, const Value &b, Span span);
  Value compare(CompareKind kind, const Value &a, const Value &b, Span span);
  Value select(const Value &condition, const Value &a, const Value &b, Span span);
  /// The same value where the element type is already that.
  Value cast(const Value &x, ElementType element, Span span);

  //===--- Shape ----------------------------------------------------------------------------------------===//

  /// NumPy's broadcasting to `dims`, which x's shape must be compatible with. x itself where nothing changes.
  Value broadcastTo(const Value &x, Dims dims, Span span);
  /// x itself where the shape is the same.
  Value reshape(const Value &x, Dims dims, Span span);
  /// x itself for the identity.
  Value transpose(const Value &x, Axes permutation, Span span);
  Value slice(const Value &x, Dims starts, Dims sizes, Dims strides, Span span);
  /// A slice of step 1 along one axis; x itself where that is all of it.
  Value sliceAxis(const Value &x, int64_t axis, const Dim &start, const Dim &size, Span span);
  Value pad(const Value &x, const Value &fill, Dims low, Dims high, Span span);
  Value concat(llvm::ArrayRef<Value> inputs, int64_t axis, Span span);
  Value reverse(const Value &x, Axes axes, Span span);
  Value dynamicSlice(const Value &x, const Value &start, int64_t axis, const Dim &size, Span span);
  Value dynamicUpdateSlice(const Value &x, const Value &update, const Value &start, int64_t axis, Span span);

  //===--- Reductions, products, indices ----------------------------------------------------------------===//

  /// The axes disappear; `axes` is strictly increasing. x itself over no axes.
  Value reduce(ReduceKind kind, const Value &x, Axes axes, Span span);
  Value argReduce(ArgReduceKind kind, const Value &x, int64_t axis, Span span);
  Value cumsum(const Value &x, int64_t axis, Span span);
  /// `equation` names axes by letters: "bnd,dh->bnh".
  Value einsum(llvm::StringRef equation, const Value &a, const Value &b, Span span);
  Value gather(const Value &table, const Value &ids, int64_t axis, Span span);
  Value scatterAdd(const Value &base, const Value &ids, const Value &updates, int64_t axis, Span span);
  Value takeAlong(const Value &x, const Value &ids, int64_t axis, Span span);
  /// The first `limit` positions in order, all of them without.
  Value argsort(const Value &x, int64_t axis, bool descending, const std::optional<Dim> &limit, Span span);

  /// One element of a tensor in the block of an attention variant. Indices are i32 or i64 scalars.
  Value read(const Value &x, llvm::ArrayRef<Value> indices, Span span);

  //===--- Derivatives of a function given by its symbol
  //-------------------------------------------------===//

  /// The callee's results and, for each leaf in `wrt`, its cotangent. Not in check mode.
  llvm::SmallVector<mlir::Value> vjp(llvm::StringRef symbol, llvm::ArrayRef<mlir::Value> args,
                                     llvm::ArrayRef<mlir::Value> cotangents, Axes wrt,
                                     llvm::ArrayRef<Type> results, Span span);
  /// The callee's results and the tangent of each of floating point. Not in check mode.
  llvm::SmallVector<mlir::Value> jvp(llvm::StringRef symbol, llvm::ArrayRef<mlir::Value> args,
                                     llvm::ArrayRef<mlir::Value> tangents, Axes wrt,
                                     llvm::ArrayRef<Type> results, Span span);

  /// A value of one leaf made by `create`, which is not called in check mode.
  Value make(const Type &type, Span span,
             llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location)> create);

private:
  mlir::OpBuilder *builder = nullptr;
  LocationOf locationOf;
};

/// Known dimensions as integers.
llvm::SmallVector<int64_t> valuesOf(llvm::ArrayRef<Dim> dims);

} // namespace heddle::frontend
