//===- OpEmitter.cpp - Creates ops for values -------------------------------===//
#include "compiler/frontend/OpEmitter.h"
#include "dialects/heddle/IR/Heddle.h"
#include "dialects/sparsek/IR/SparseK.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include <limits>

namespace heddle::frontend {

llvm::SmallVector<int64_t> valuesOf(llvm::ArrayRef<Dim> dims) {
  llvm::SmallVector<int64_t> values;
  for (const Dim &dim : dims)
    values.push_back(dim.value());
  return values;
}

static mlir::Type mlirElement(mlir::OpBuilder &builder, ElementType element) {
  switch (element) {
  case ElementType::F64:
    return builder.getF64Type();
  case ElementType::F32:
    return builder.getF32Type();
  case ElementType::BF16:
    return builder.getBF16Type();
  case ElementType::F16:
    return builder.getF16Type();
  case ElementType::I64:
    return builder.getI64Type();
  case ElementType::I32:
    return builder.getI32Type();
  case ElementType::I8:
    return builder.getI8Type();
  case ElementType::Bool:
    return builder.getI1Type();
  }
  return {};
}

mlir::RankedTensorType OpEmitter::mlirType(const Type &tensor) const {
  return mlir::RankedTensorType::get(valuesOf(tensor.dims()), mlirElement(*builder, tensor.element()));
}

Value OpEmitter::make(const Type &type, Span span,
                      llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location)> create) {
  if (!builder)
    return Value::ofLeaves(type, {}, span);
  return Value::ofLeaves(type, create(*builder, location(span)), span);
}

mlir::Value OpEmitter::leaf(const Value &value) {
  if (!builder)
    return {};
  if (!value.leaves().empty())
    return value.leaves().front();
  Type type = value.getType().leaves().front().type;
  if (const Dim *dim = value.dim())
    return constant(type, *dim, value.span()).leaves().front();
  if (const double *number = value.number())
    return constant(type, *number, value.span()).leaves().front();
  if (const bool *truth = value.boolean())
    return constant(type, Dim(*truth), value.span()).leaves().front();
  return {};
}

llvm::SmallVector<mlir::Value> OpEmitter::leaves(const Value &value) {
  llvm::SmallVector<mlir::Value> result;
  if (!builder)
    return result;
  if (value.getType().isTuple()) {
    for (const Value &element : value.elements())
      result.append(leaves(element));
  } else if (value.isConstant()) {
    if (mlir::Value constant = leaf(value))
      result.push_back(constant);
  } else {
    result.append(value.leaves().begin(), value.leaves().end());
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Making
//===----------------------------------------------------------------------===//

Value OpEmitter::constant(const Type &type, double value, Span span) {
  return make(type, span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    mlir::RankedTensorType tensor = mlirType(type);
    mlir::Attribute element = b.getFloatAttr(tensor.getElementType(), value);
    return ir::ConstantOp::create(b, loc, mlir::DenseElementsAttr::get(tensor, element));
  });
}

Value OpEmitter::constant(const Type &type, const Dim &value, Span span) {
  if (!builder || isFloat(type.element()))
    return constant(type, builder ? double(value.value()) : 0.0, span);
  return make(type, span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    mlir::RankedTensorType tensor = mlirType(type);
    unsigned width = tensor.getElementType().getIntOrFloatBitWidth();
    llvm::APInt bits = llvm::APInt(64, uint64_t(value.value()), true).sextOrTrunc(width);
    return ir::ConstantOp::create(b, loc, mlir::DenseElementsAttr::get(tensor, bits));
  });
}

Value OpEmitter::iota(const Type &type, int64_t axis, Span span) {
  return make(type, span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    return ir::IotaOp::create(b, loc, mlirType(type), b.getI64IntegerAttr(axis));
  });
}

Value OpEmitter::random(RandomKind kind, const Value &key, int64_t stream, const Type &type, Span span) {
  return make(type, span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    return ir::RandomOp::create(b, loc, mlirType(type), ir::RandomDistribution(kind), leaf(key), stream);
  });
}

Value OpEmitter::foldIn(const Value &key, const Value &data, Span span) {
  return make(key.getType(), span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    return ir::FoldInOp::create(b, loc, mlirType(key.getType()), leaf(key), leaf(data));
  });
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

Value OpEmitter::unary(UnaryKind kind, const Value &x, Span span) {
  return make(x.getType(), span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    mlir::Value operand = leaf(x);
    switch (kind) {
#define HEDDLE_UNARY(NAME)                                                                                   \
  case UnaryKind::NAME:                                                                                      \
    return ir::NAME##Op::create(b, loc, operand);
      HEDDLE_UNARY(Neg)
      HEDDLE_UNARY(Abs)
      HEDDLE_UNARY(Sign)
      HEDDLE_UNARY(Exp)
      HEDDLE_UNARY(Expm1)
      HEDDLE_UNARY(Log)
      HEDDLE_UNARY(Log1p)
      HEDDLE_UNARY(Sqrt)
      HEDDLE_UNARY(Rsqrt)
      HEDDLE_UNARY(Sin)
      HEDDLE_UNARY(Cos)
      HEDDLE_UNARY(Tanh)
      HEDDLE_UNARY(Erf)
      HEDDLE_UNARY(Sigmoid)
      HEDDLE_UNARY(Floor)
      HEDDLE_UNARY(Ceil)
      HEDDLE_UNARY(Round)
      HEDDLE_UNARY(Not)
      HEDDLE_UNARY(StopGradient)
#undef HEDDLE_UNARY
    }
    return {};
  });
}

Value OpEmitter::binary(BinaryKind kind, const Value &x, const Value &y, Span span) {
  return make(x.getType(), span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    mlir::Value lhs = leaf(x), rhs = leaf(y);
    switch (kind) {
#define HEDDLE_BINARY(NAME)                                                                                  \
  case BinaryKind::NAME:                                                                                     \
    return ir::NAME##Op::create(b, loc, lhs, rhs);
      HEDDLE_BINARY(Add)
      HEDDLE_BINARY(Sub)
      HEDDLE_BINARY(Mul)
      HEDDLE_BINARY(Div)
      HEDDLE_BINARY(Rem)
      HEDDLE_BINARY(Pow)
      HEDDLE_BINARY(Max)
      HEDDLE_BINARY(Min)
      HEDDLE_BINARY(And)
      HEDDLE_BINARY(Or)
#undef HEDDLE_BINARY
    }
    return {};
  });
}

Value OpEmitter::compare(CompareKind kind, const Value &x, const Value &y, Span span) {
  Type type = Type::tensor(ElementType::Bool, x.getType().dims());
  return make(type, span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    return ir::CompareOp::create(b, loc, ir::ComparePredicate(kind), leaf(x), leaf(y));
  });
}

Value OpEmitter::select(const Value &condition, const Value &x, const Value &y, Span span) {
  return make(x.getType(), span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    return ir::SelectOp::create(b, loc, leaf(condition), leaf(x), leaf(y));
  });
}

Value OpEmitter::cast(const Value &x, ElementType element, Span span) {
  if (x.getType().element() == element)
    return x;
  Type type = x.getType().withElement(element);
  return make(type, span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    return ir::CastOp::create(b, loc, mlirType(type), leaf(x));
  });
}

//===----------------------------------------------------------------------===//
// Shape
//===----------------------------------------------------------------------===//

Value OpEmitter::broadcastTo(const Value &x, Dims dims, Span span) {
  Dims from = x.getType().dims();
  if (llvm::equal(from, dims))
    return x;
  // Repeated axes of extent 1 are dropped first; the others stay where they are, counted from the last.
  llvm::SmallVector<Dim> kept;
  llvm::SmallVector<int64_t> axes;
  for (size_t i = 0, shift = dims.size() - from.size(); i < from.size(); ++i) {
    if (from[i].isConstant(1) && !dims[i + shift].isConstant(1))
      continue;
    kept.push_back(from[i]);
    axes.push_back(int64_t(i + shift));
  }
  Value narrow = reshape(x, kept, span);
  Type type = x.getType().withDims(dims);
  return make(type, span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    return ir::BroadcastOp::create(b, loc, mlirType(type), leaf(narrow), axes);
  });
}

Value OpEmitter::reshape(const Value &x, Dims dims, Span span) {
  if (llvm::equal(x.getType().dims(), dims))
    return x;
  Type type = x.getType().withDims(dims);
  return make(type, span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    return ir::ReshapeOp::create(b, loc, mlirType(type), leaf(x));
  });
}

Value OpEmitter::transpose(const Value &x, Axes permutation, Span span) {
  bool identity = true;
  llvm::SmallVector<Dim> dims;
  for (auto [index, axis] : llvm::enumerate(permutation)) {
    identity &= int64_t(index) == axis;
    dims.push_back(x.getType().dims()[axis]);
  }
  if (identity)
    return x;
  Type type = x.getType().withDims(dims);
  return make(type, span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    return ir::TransposeOp::create(b, loc, mlirType(type), leaf(x), permutation);
  });
}

Value OpEmitter::slice(const Value &x, Dims starts, Dims sizes, Dims strides, Span span) {
  Type type = x.getType().withDims(sizes);
  return make(type, span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    return ir::SliceOp::create(b, loc, mlirType(type), leaf(x), valuesOf(starts), valuesOf(sizes),
                               valuesOf(strides));
  });
}

Value OpEmitter::sliceAxis(const Value &x, int64_t axis, const Dim &start, const Dim &size, Span span) {
  if (size == x.getType().dims()[axis])
    return x;
  llvm::SmallVector<Dim> starts(x.getType().rank(), Dim(0)), strides(x.getType().rank(), Dim(1));
  llvm::SmallVector<Dim> sizes(x.getType().dims());
  starts[axis] = start;
  sizes[axis] = size;
  return slice(x, starts, sizes, strides, span);
}

Value OpEmitter::pad(const Value &x, const Value &fill, Dims low, Dims high, Span span) {
  llvm::SmallVector<Dim> dims;
  for (auto [extent, before, after] : llvm::zip(x.getType().dims(), low, high))
    dims.push_back(extent + before + after);
  Type type = x.getType().withDims(dims);
  return make(type, span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    llvm::SmallVector<int64_t> interior(dims.size(), 0);
    return ir::PadOp::create(b, loc, mlirType(type), leaf(x), leaf(fill), valuesOf(low), valuesOf(high),
                             interior);
  });
}

Value OpEmitter::concat(llvm::ArrayRef<Value> inputs, int64_t axis, Span span) {
  llvm::SmallVector<Dim> dims(inputs.front().getType().dims());
  for (const Value &input : inputs.drop_front())
    dims[axis] += input.getType().dims()[axis];
  Type type = inputs.front().getType().withDims(dims);
  return make(type, span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    llvm::SmallVector<mlir::Value> operands;
    for (const Value &input : inputs)
      operands.push_back(leaf(input));
    return ir::ConcatOp::create(b, loc, mlirType(type), operands, axis);
  });
}

Value OpEmitter::reverse(const Value &x, Axes axes, Span span) {
  return make(x.getType(), span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    return ir::ReverseOp::create(b, loc, mlirType(x.getType()), leaf(x), axes);
  });
}

Value OpEmitter::dynamicSlice(const Value &x, const Value &start, int64_t axis, const Dim &size, Span span) {
  llvm::SmallVector<Dim> dims(x.getType().dims());
  dims[axis] = size;
  Type type = x.getType().withDims(dims);
  return make(type, span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    return ir::DynamicSliceOp::create(b, loc, mlirType(type), leaf(x), leaf(start), axis, size.value());
  });
}

Value OpEmitter::dynamicUpdateSlice(const Value &x, const Value &update, const Value &start, int64_t axis,
                                    Span span) {
  return make(x.getType(), span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    return ir::DynamicUpdateSliceOp::create(b, loc, mlirType(x.getType()), leaf(x), leaf(update), leaf(start),
                                            axis);
  });
}

//===----------------------------------------------------------------------===//
// Reductions, products, indices
//===----------------------------------------------------------------------===//

static Type withoutAxes(const Type &type, llvm::ArrayRef<int64_t> axes) {
  llvm::SmallVector<Dim> dims;
  for (auto [index, dim] : llvm::enumerate(type.dims()))
    if (!llvm::is_contained(axes, int64_t(index)))
      dims.push_back(dim);
  return type.withDims(dims);
}

Value OpEmitter::reduce(ReduceKind kind, const Value &x, Axes axes, Span span) {
  if (axes.empty())
    return x;
  Type type = withoutAxes(x.getType(), axes);
  return make(type, span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    return ir::ReduceOp::create(b, loc, mlirType(type), ir::ReductionKind(kind), leaf(x), axes);
  });
}

Value OpEmitter::argReduce(ArgReduceKind kind, const Value &x, int64_t axis, Span span) {
  Type type = withoutAxes(x.getType(), axis).withElement(ElementType::I32);
  return make(type, span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    return ir::ArgReduceOp::create(b, loc, mlirType(type), ir::ArgReductionKind(kind), leaf(x), axis);
  });
}

Value OpEmitter::cumsum(const Value &x, int64_t axis, Span span) {
  return make(x.getType(), span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    return ir::CumsumOp::create(b, loc, mlirType(x.getType()), leaf(x), b.getI64IntegerAttr(axis),
                                mlir::UnitAttr());
  });
}

Value OpEmitter::einsum(llvm::StringRef equation, const Value &x, const Value &y, Span span) {
  auto [operands, result] = equation.split("->");
  auto [left, right] = operands.split(',');
  llvm::SmallVector<Dim> dims;
  for (char letter : result)
    dims.push_back(left.contains(letter) ? x.getType().dims()[left.find(letter)]
                                         : y.getType().dims()[right.find(letter)]);
  Type type = x.getType().withDims(dims);
  return make(type, span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    return ir::EinsumOp::create(b, loc, mlirType(type), b.getStringAttr(equation), leaf(x), leaf(y));
  });
}

Value OpEmitter::gather(const Value &table, const Value &ids, int64_t axis, Span span) {
  llvm::SmallVector<Dim> dims(table.getType().dims());
  dims.erase(dims.begin() + axis);
  dims.insert(dims.begin() + axis, ids.getType().dims().begin(), ids.getType().dims().end());
  Type type = table.getType().withDims(dims);
  return make(type, span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    return ir::GatherOp::create(b, loc, mlirType(type), leaf(table), leaf(ids), axis);
  });
}

Value OpEmitter::scatterAdd(const Value &base, const Value &ids, const Value &updates, int64_t axis,
                            Span span) {
  return make(base.getType(), span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    return ir::ScatterAddOp::create(b, loc, mlirType(base.getType()), leaf(base), leaf(ids), leaf(updates),
                                    axis);
  });
}

Value OpEmitter::takeAlong(const Value &x, const Value &ids, int64_t axis, Span span) {
  Type type = x.getType().withDims(ids.getType().dims());
  return make(type, span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    return ir::TakeAlongOp::create(b, loc, mlirType(type), leaf(x), leaf(ids), axis);
  });
}

Value OpEmitter::argsort(const Value &x, int64_t axis, bool descending, const std::optional<Dim> &limit,
                         Span span) {
  llvm::SmallVector<Dim> dims(x.getType().dims());
  const bool all = !limit || *limit == dims[axis];
  if (!all)
    dims[axis] = *limit;
  Type type = x.getType().withElement(ElementType::I32).withDims(dims);
  return make(type, span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    return ir::ArgsortOp::create(b, loc, mlirType(type), leaf(x), b.getI64IntegerAttr(axis),
                                 descending ? b.getUnitAttr() : mlir::UnitAttr(),
                                 all ? mlir::IntegerAttr() : b.getI64IntegerAttr(limit->value()));
  });
}

Value OpEmitter::read(const Value &x, llvm::ArrayRef<Value> indices, Span span) {
  llvm::SmallVector<Value> narrow;
  for (const Value &index : indices) {
    if (index.getType().element() == ElementType::I32) {
      narrow.push_back(index);
      continue;
    }
    // What i32 cannot hold stays outside every axis.
    Value lowest = constant(index.getType(), Dim(-1), span);
    Value highest = constant(index.getType(), Dim(std::numeric_limits<int32_t>::max()), span);
    Value clipped = binary(BinaryKind::Min, binary(BinaryKind::Max, index, lowest, span), highest, span);
    narrow.push_back(cast(clipped, ElementType::I32, span));
  }
  Type type = Type::tensor(x.getType().element());
  return make(type, span, [&](mlir::OpBuilder &b, mlir::Location loc) -> mlir::Value {
    llvm::SmallVector<mlir::Value> operands;
    for (const Value &index : narrow)
      operands.push_back(leaf(index));
    return sparsek::ReadOp::create(b, loc, leaf(x), operands);
  });
}

//===----------------------------------------------------------------------===//
// Derivatives
//===----------------------------------------------------------------------===//

template <typename Op>
static llvm::SmallVector<mlir::Value>
derivative(OpEmitter &emit, llvm::StringRef symbol, llvm::ArrayRef<mlir::Value> args,
           llvm::ArrayRef<mlir::Value> seeds, llvm::ArrayRef<int64_t> wrt, llvm::ArrayRef<Type> results,
           Span span) {
  mlir::OpBuilder &b = emit.getBuilder();
  llvm::SmallVector<mlir::Type> types;
  for (const Type &type : results)
    types.push_back(emit.mlirType(type));
  llvm::SmallVector<mlir::Value> operands(args);
  operands.append(seeds.begin(), seeds.end());
  auto op = Op::create(b, emit.location(span), types, symbol, operands, wrt);
  return llvm::to_vector_of<mlir::Value>(op.getResults());
}

llvm::SmallVector<mlir::Value> OpEmitter::vjp(llvm::StringRef symbol, llvm::ArrayRef<mlir::Value> args,
                                              llvm::ArrayRef<mlir::Value> cotangents, Axes wrt,
                                              llvm::ArrayRef<Type> results, Span span) {
  return derivative<ir::VjpOp>(*this, symbol, args, cotangents, wrt, results, span);
}

llvm::SmallVector<mlir::Value> OpEmitter::jvp(llvm::StringRef symbol, llvm::ArrayRef<mlir::Value> args,
                                              llvm::ArrayRef<mlir::Value> tangents, Axes wrt,
                                              llvm::ArrayRef<Type> results, Span span) {
  return derivative<ir::JvpOp>(*this, symbol, args, tangents, wrt, results, span);
}

} // namespace heddle::frontend
