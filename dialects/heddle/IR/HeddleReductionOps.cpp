//===- HeddleReductionOps.cpp - Shapes of reductions ----------------------===//

#include "dialects/heddle/IR/Heddle.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace heddle::ir;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

LogicalResult ReduceOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc, Adaptor adaptor,
                                         SmallVectorImpl<Type> &results) {
  auto type = typeOf(adaptor.getX());
  ArrayRef<int64_t> axes = adaptor.getAxes();
  for (auto [i, axis] : llvm::enumerate(axes)) {
    if (axis < 0 || axis >= type.getRank())
      return emitOptionalError(loc, "axis ", axis, " is out of range for ", type);
    if (i && axis <= axes[i - 1])
      return emitOptionalError(loc, "axes are not strictly increasing: ", axes[i - 1], " then ", axis);
  }
  bool logical = adaptor.getKind() == ReductionKind::any || adaptor.getKind() == ReductionKind::all;
  if (logical != type.getElementType().isInteger(1))
    return emitOptionalError(loc, "reduction ", stringifyReductionKind(adaptor.getKind()),
                             " does not apply to ", type);
  SmallVector<int64_t> shape;
  for (int64_t d = 0; d < type.getRank(); ++d)
    if (!llvm::is_contained(axes, d))
      shape.push_back(type.getDimSize(d));
  results.push_back(RankedTensorType::get(shape, type.getElementType()));
  return success();
}

LogicalResult ArgReduceOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc,
                                            Adaptor adaptor, SmallVectorImpl<Type> &results) {
  auto type = typeOf(adaptor.getX());
  int64_t axis = adaptor.getAxis();
  if (axis < 0 || axis >= type.getRank())
    return emitOptionalError(loc, "axis ", axis, " is out of range for ", type);
  if (type.getDimSize(axis) == 0)
    return emitOptionalError(loc, "axis ", axis, " of ", type, " is empty");
  SmallVector<int64_t> shape(type.getShape());
  shape.erase(shape.begin() + axis);
  results.push_back(RankedTensorType::get(shape, IntegerType::get(context, 32)));
  return success();
}

LogicalResult CumsumOp::verify() {
  if ((int64_t)getAxis() < 0 || (int64_t)getAxis() >= typeOf(getX()).getRank())
    return emitOpError("axis ") << (int64_t)getAxis() << " is out of range for " << getType();
  return success();
}
