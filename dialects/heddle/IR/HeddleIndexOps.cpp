//===- HeddleIndexOps.cpp - Shapes of gathers, scatters and sorting -------===//

#include "dialects/heddle/IR/Heddle.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace heddle::ir;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// The shape of `table` with `axis` replaced by the shape of `ids`.
static SmallVector<int64_t> gatheredShape(RankedTensorType table, RankedTensorType ids, int64_t axis) {
  SmallVector<int64_t> shape(table.getShape().take_front(axis));
  llvm::append_range(shape, ids.getShape());
  llvm::append_range(shape, table.getShape().drop_front(axis + 1));
  return shape;
}

static bool agree(ArrayRef<int64_t> a, ArrayRef<int64_t> b) {
  return a.size() == b.size() && llvm::all_of(llvm::zip(a, b), [](auto pair) {
           return extentsAgree(std::get<0>(pair), std::get<1>(pair));
         });
}

LogicalResult GatherOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc, Adaptor adaptor,
                                         SmallVectorImpl<Type> &results) {
  auto table = typeOf(adaptor.getTable());
  int64_t axis = adaptor.getAxis();
  if (axis < 0 || axis >= table.getRank())
    return emitOptionalError(loc, "axis ", axis, " is out of range for ", table);
  results.push_back(
      RankedTensorType::get(gatheredShape(table, typeOf(adaptor.getIds()), axis), table.getElementType()));
  return success();
}

LogicalResult ScatterAddOp::verify() {
  auto base = typeOf(getBase()), ids = typeOf(getIds()), updates = typeOf(getUpdates());
  int64_t axis = getAxis();
  if (axis < 0 || axis >= base.getRank())
    return emitOpError("axis ") << axis << " is out of range for " << base;
  SmallVector<int64_t> shape = gatheredShape(base, ids, axis);
  if (!agree(shape, updates.getShape()) || base.getElementType() != updates.getElementType())
    return emitOpError("updates have type ")
           << updates << ", not " << RankedTensorType::get(shape, base.getElementType());
  return success();
}

/// The extents of x with that of `axis` replaced by the one of `ids`; failure where they differ elsewhere.
static FailureOr<SmallVector<int64_t>> alongShape(RankedTensorType x, RankedTensorType ids, int64_t axis) {
  if (axis < 0 || axis >= x.getRank() || ids.getRank() != x.getRank())
    return failure();
  SmallVector<int64_t> shape(x.getShape());
  shape[axis] = ids.getDimSize(axis);
  if (!agree(shape, ids.getShape()))
    return failure();
  return shape;
}

LogicalResult TakeAlongOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc, Adaptor adaptor,
                                            SmallVectorImpl<Type> &results) {
  auto x = typeOf(adaptor.getX()), ids = typeOf(adaptor.getIds());
  auto shape = alongShape(x, ids, adaptor.getAxis());
  if (failed(shape))
    return emitOptionalError(loc, "ids ", ids, " do not fit ", x, " along axis ", (int64_t)adaptor.getAxis());
  results.push_back(RankedTensorType::get(*shape, x.getElementType()));
  return success();
}

LogicalResult PutAlongOp::verify() {
  auto base = typeOf(getBase()), ids = typeOf(getIds()), updates = typeOf(getUpdates());
  auto shape = alongShape(base, ids, getAxis());
  if (failed(shape))
    return emitOpError("ids ") << ids << " do not fit " << base << " along axis " << (int64_t)getAxis();
  if (!agree(*shape, updates.getShape()) || base.getElementType() != updates.getElementType())
    return emitOpError("updates have type ")
           << updates << ", not " << RankedTensorType::get(*shape, base.getElementType());
  return success();
}

LogicalResult ArgsortOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc, Adaptor adaptor,
                                          SmallVectorImpl<Type> &results) {
  auto x = typeOf(adaptor.getX());
  int64_t axis = adaptor.getAxis();
  if (axis < 0 || axis >= x.getRank())
    return emitOptionalError(loc, "axis ", axis, " is out of range for ", x);
  SmallVector<int64_t> shape(x.getShape());
  if (std::optional<uint64_t> limit = adaptor.getLimit()) {
    auto first = static_cast<int64_t>(*limit);
    if (first < 0 || (!ShapedType::isDynamic(shape[axis]) && first > shape[axis]))
      return emitOptionalError(loc, "limit ", first, " is out of range for ", x, " along axis ", axis);
    shape[axis] = first;
  }
  results.push_back(RankedTensorType::get(shape, IntegerType::get(context, 32)));
  return success();
}
