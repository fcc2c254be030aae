//===- HeddleShapeOps.cpp - Shapes of creation and movement ---------------===//

#include "dialects/heddle/IR/Heddle.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace heddle::ir;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

LogicalResult IotaOp::verify() {
  int64_t rank = cast<RankedTensorType>(getType()).getRank();
  int64_t axis = getAxis();
  if (axis < 0 || axis >= rank)
    return emitOpError("axis ") << axis << " is out of range for " << getType();
  return success();
}

LogicalResult BroadcastOp::verify() {
  auto from = typeOf(getX()), to = cast<RankedTensorType>(getType());
  if (from.getElementType() != to.getElementType())
    return emitOpError("changes the element type from ")
           << from.getElementType() << " to " << to.getElementType();
  if ((int64_t)getAxes().size() != from.getRank())
    return emitOpError("has ") << getAxes().size() << " axes for an operand of rank " << from.getRank();
  for (auto [i, axis] : llvm::enumerate(getAxes())) {
    if (axis < 0 || axis >= to.getRank())
      return emitOpError("axis ") << axis << " is out of range for " << to;
    if (i && axis <= getAxes()[i - 1])
      return emitOpError("axes are not strictly increasing: ") << getAxes()[i - 1] << " then " << axis;
    if (!extentsAgree(from.getDimSize(i), to.getDimSize(axis)))
      return emitOpError("extent ") << from.getDimSize(i) << " of operand axis " << i
                                    << " differs from extent " << to.getDimSize(axis) << " of result axis "
                                    << axis;
  }
  return success();
}

LogicalResult ReshapeOp::verify() {
  auto from = typeOf(getX()), to = cast<RankedTensorType>(getType());
  if (from.getElementType() != to.getElementType())
    return emitOpError("changes the element type from ")
           << from.getElementType() << " to " << to.getElementType();
  if (from.hasStaticShape() && to.hasStaticShape() && from.getNumElements() != to.getNumElements())
    return emitOpError("changes the number of elements from ")
           << from.getNumElements() << " to " << to.getNumElements();
  return success();
}

LogicalResult TransposeOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc, Adaptor adaptor,
                                            SmallVectorImpl<Type> &results) {
  auto type = typeOf(adaptor.getX());
  ArrayRef<int64_t> permutation = adaptor.getPermutation();
  SmallVector<int64_t> sorted(permutation);
  llvm::sort(sorted);
  if (!llvm::equal(sorted, llvm::seq<int64_t>(0, type.getRank())))
    return emitOptionalError(loc, "permutation ", adaptor.getPermutationAttr(),
                             " does not list each axis of ", type, " once");
  SmallVector<int64_t> shape =
      llvm::map_to_vector(permutation, [&](int64_t axis) { return type.getDimSize(axis); });
  results.push_back(RankedTensorType::get(shape, type.getElementType()));
  return success();
}

LogicalResult SliceOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc, Adaptor adaptor,
                                        SmallVectorImpl<Type> &results) {
  auto type = typeOf(adaptor.getX());
  size_t rank = type.getRank();
  ArrayRef<int64_t> starts = adaptor.getStarts(), sizes = adaptor.getSizes(), strides = adaptor.getStrides();
  if (starts.size() != rank || sizes.size() != rank || strides.size() != rank)
    return emitOptionalError(loc, "starts, sizes and strides need ", rank, " numbers each for ", type);
  for (size_t d = 0; d < rank; ++d) {
    if (starts[d] < 0 || sizes[d] < 0 || strides[d] < 1)
      return emitOptionalError(loc, "slice [", starts[d], " + i * ", strides[d], " for i < ", sizes[d],
                               "] of axis ", d, " needs start and size >= 0 and stride >= 1");
    int64_t last = sizes[d] ? starts[d] + (sizes[d] - 1) * strides[d] : starts[d] - 1;
    if (!type.isDynamicDim(d) && last >= type.getDimSize(d))
      return emitOptionalError(loc, "slice reaches element ", last, " of axis ", d, ", which has extent ",
                               type.getDimSize(d));
  }
  results.push_back(RankedTensorType::get(sizes, type.getElementType()));
  return success();
}

LogicalResult PadOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc, Adaptor adaptor,
                                      SmallVectorImpl<Type> &results) {
  auto type = typeOf(adaptor.getX());
  auto value = typeOf(adaptor.getValue());
  if (value.getRank() != 0 || value.getElementType() != type.getElementType())
    return emitOptionalError(loc, "padding value has type ", value, ", not a scalar ", type.getElementType());
  size_t rank = type.getRank();
  ArrayRef<int64_t> low = adaptor.getLow(), high = adaptor.getHigh(), interior = adaptor.getInterior();
  if (low.size() != rank || high.size() != rank || interior.size() != rank)
    return emitOptionalError(loc, "low, high and interior need ", rank, " numbers each for ", type);
  SmallVector<int64_t> shape;
  for (size_t d = 0; d < rank; ++d) {
    if (low[d] < 0 || high[d] < 0 || interior[d] < 0)
      return emitOptionalError(loc, "padding of axis ", d, " is negative: low ", low[d], ", high ", high[d],
                               ", interior ", interior[d]);
    int64_t n = type.getDimSize(d);
    shape.push_back(type.isDynamicDim(d) ? ShapedType::kDynamic
                                         : low[d] + n + std::max<int64_t>(n - 1, 0) * interior[d] + high[d]);
  }
  results.push_back(RankedTensorType::get(shape, type.getElementType()));
  return success();
}

LogicalResult ConcatOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc, Adaptor adaptor,
                                         SmallVectorImpl<Type> &results) {
  ValueRange inputs = adaptor.getInputs();
  if (inputs.empty())
    return emitOptionalError(loc, "concat needs at least one operand");
  auto first = typeOf(inputs.front());
  int64_t axis = adaptor.getAxis();
  if (axis < 0 || axis >= first.getRank())
    return emitOptionalError(loc, "axis ", axis, " is out of range for ", first);
  SmallVector<int64_t> shape(first.getShape());
  for (Value input : inputs.drop_front()) {
    auto type = typeOf(input);
    bool fits = type.getRank() == first.getRank() && type.getElementType() == first.getElementType();
    for (int64_t d = 0; fits && d < type.getRank(); ++d)
      fits = d == axis || extentsAgree(type.getDimSize(d), first.getDimSize(d));
    if (!fits)
      return emitOptionalError(loc, "operand ", type, " does not fit ", first, " along axis ", axis);
    shape[axis] = type.isDynamicDim(axis) || ShapedType::isDynamic(shape[axis])
                      ? ShapedType::kDynamic
                      : shape[axis] + type.getDimSize(axis);
  }
  results.push_back(RankedTensorType::get(shape, first.getElementType()));
  return success();
}

LogicalResult ReverseOp::verify() {
  for (int64_t axis : getAxes())
    if (axis < 0 || axis >= typeOf(getX()).getRank())
      return emitOpError("axis ") << axis << " is out of range for " << getType();
  return success();
}

LogicalResult DynamicSliceOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc, Adaptor adaptor,
                                               SmallVectorImpl<Type> &results) {
  auto type = typeOf(adaptor.getX());
  int64_t axis = adaptor.getAxis(), size = adaptor.getSize();
  if (axis < 0 || axis >= type.getRank())
    return emitOptionalError(loc, "axis ", axis, " is out of range for ", type);
  if (size < 0 || (!type.isDynamicDim(axis) && size > type.getDimSize(axis)))
    return emitOptionalError(loc, "size ", size, " does not fit extent ", type.getDimSize(axis), " of axis ",
                             axis);
  SmallVector<int64_t> shape(type.getShape());
  shape[axis] = size;
  results.push_back(RankedTensorType::get(shape, type.getElementType()));
  return success();
}

LogicalResult DynamicUpdateSliceOp::verify() {
  auto type = typeOf(getX()), update = typeOf(getUpdate());
  int64_t axis = getAxis();
  if (axis < 0 || axis >= type.getRank())
    return emitOpError("axis ") << axis << " is out of range for " << type;
  bool fits = update.getRank() == type.getRank() && update.getElementType() == type.getElementType();
  for (int64_t d = 0; fits && d < type.getRank(); ++d)
    fits = d == axis ? update.getDimSize(d) <= type.getDimSize(d) || type.isDynamicDim(d)
                     : extentsAgree(update.getDimSize(d), type.getDimSize(d));
  if (!fits)
    return emitOpError("update ") << update << " does not fit " << type << " along axis " << axis;
  return success();
}

LogicalResult RandomOp::verify() {
  Type element = cast<RankedTensorType>(getType()).getElementType();
  if (getDistribution() == RandomDistribution::bits ? !element.isInteger(32) : !isa<FloatType>(element))
    return emitOpError("cannot draw ")
           << stringifyRandomDistribution(getDistribution()) << " numbers of type " << element;
  return success();
}
