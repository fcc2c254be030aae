//===- HeddleFoldsMoves.cpp - Folding of movement of elements -------------===//
//
// Moves of constants, moves that move nothing, and two moves that are one of the same kind. How moves of
// different kinds combine is in HeddleFoldsMovePairs.cpp.
//
//===----------------------------------------------------------------------===//

#include "dialects/heddle/IR/HeddleNumbers.h"

using namespace mlir;
using namespace heddle::ir;

/// The constant whose element at each position is the operand's at `source(position)`; null where the operand
/// is not a constant or the result is too large.
static Attribute foldMove(Attribute operand, Type resultType,
                          llvm::function_ref<SmallVector<int64_t>(ArrayRef<int64_t>)> source) {
  auto type = cast<RankedTensorType>(resultType);
  auto numbers = Numbers::of(operand);
  if (!numbers || !type.hasStaticShape() || type.getNumElements() == 0)
    return {};
  if (numbers->isSplat())
    return resplat(cast<DenseElementsAttr>(operand), type.getShape());
  if (type.getNumElements() > Numbers::limit)
    return {};
  ArrayRef<int64_t> from = numbers->type().getShape(), to = type.getShape();
  SmallVector<Number> cells;
  for (int64_t i = 0, n = type.getNumElements(); i < n; ++i) {
    SmallVector<int64_t> position(to.size());
    for (int64_t d = to.size() - 1, rest = i; d >= 0; rest /= to[d], --d)
      position[d] = rest % to[d];
    int64_t at = 0;
    for (auto [extent, index] : llvm::zip_equal(from, source(position)))
      at = at * extent + index;
    cells.push_back((*numbers)[at]);
  }
  return Numbers(type, std::move(cells)).attr();
}

OpFoldResult IotaOp::fold(FoldAdaptor) {
  return cast<RankedTensorType>(getType()).getDimSize(getAxis()) == 1 ? splatAttr(getType(), 0) : Attribute();
}

OpFoldResult BroadcastOp::fold(FoldAdaptor adaptor) {
  if (getX().getType() == getType())
    return getX();
  ArrayRef<int64_t> axes = getAxes();
  if (auto inner = getX().getDefiningOp<BroadcastOp>()) {
    setAxes(llvm::map_to_vector(inner.getAxes(), [&](int64_t axis) { return axes[axis]; }));
    getXMutable().assign(inner.getX());
    return getResult();
  }
  return foldMove(adaptor.getX(), getType(), [&](ArrayRef<int64_t> position) {
    return llvm::map_to_vector(axes, [&](int64_t axis) { return position[axis]; });
  });
}

OpFoldResult ReshapeOp::fold(FoldAdaptor adaptor) {
  if (getX().getType() == getType() && tensorOf(getX()).hasStaticShape())
    return getX();
  if (auto inner = getX().getDefiningOp<ReshapeOp>()) {
    getXMutable().assign(inner.getX());
    return getResult();
  }
  auto type = cast<RankedTensorType>(getType());
  auto numbers = Numbers::of(adaptor.getX());
  if (!numbers || !type.hasStaticShape())
    return {};
  return cast<DenseElementsAttr>(adaptor.getX()).reshape(type);
}

OpFoldResult TransposeOp::fold(FoldAdaptor adaptor) {
  ArrayRef<int64_t> permutation = getPermutation();
  if (llvm::is_sorted(permutation))
    return getX();
  if (auto inner = getX().getDefiningOp<TransposeOp>()) {
    setPermutation(
        llvm::map_to_vector(permutation, [&](int64_t axis) { return inner.getPermutation()[axis]; }));
    getXMutable().assign(inner.getX());
    return getResult();
  }
  return foldMove(adaptor.getX(), getType(), [&](ArrayRef<int64_t> position) {
    SmallVector<int64_t> from(position.size());
    for (auto [d, axis] : llvm::enumerate(permutation))
      from[axis] = position[d];
    return from;
  });
}

OpFoldResult SliceOp::fold(FoldAdaptor adaptor) {
  // Sizes that are all the extents leave starts of 0 and steps of 1 only.
  if (getX().getType() == getType())
    return getX();
  SmallVector<int64_t> starts(getStarts()), strides(getStrides());
  if (auto inner = getX().getDefiningOp<SliceOp>(); inner && !llvm::is_contained(getSizes(), 0)) {
    for (size_t d = 0; d < starts.size(); ++d) {
      starts[d] = inner.getStarts()[d] + starts[d] * inner.getStrides()[d];
      strides[d] *= inner.getStrides()[d];
    }
    setStarts(starts);
    setStrides(strides);
    getXMutable().assign(inner.getX());
    return getResult();
  }
  return foldMove(adaptor.getX(), getType(), [&](ArrayRef<int64_t> position) {
    SmallVector<int64_t> from(position);
    for (size_t d = 0; d < from.size(); ++d)
      from[d] = starts[d] + from[d] * strides[d];
    return from;
  });
}

OpFoldResult ReverseOp::fold(FoldAdaptor adaptor) {
  auto type = cast<RankedTensorType>(getType());
  if (getX().getType() != type)
    return {};
  if (llvm::all_of(getAxes(),
                   [&](int64_t axis) { return type.getDimSize(axis) == 1 || type.getDimSize(axis) == 0; }))
    return getX();
  if (auto inner = getX().getDefiningOp<ReverseOp>(); inner && inner.getX().getType() == type) {
    SmallVector<int64_t> axes;
    for (int64_t axis = 0; axis < type.getRank(); ++axis)
      if (llvm::is_contained(getAxes(), axis) != llvm::is_contained(inner.getAxes(), axis))
        axes.push_back(axis);
    if (axes.empty())
      return inner.getX();
    setAxes(axes);
    getXMutable().assign(inner.getX());
    return getResult();
  }
  return foldMove(adaptor.getX(), type, [&](ArrayRef<int64_t> position) {
    SmallVector<int64_t> from(position);
    for (int64_t axis : getAxes())
      from[axis] = type.getDimSize(axis) - 1 - from[axis];
    return from;
  });
}

OpFoldResult PadOp::fold(FoldAdaptor adaptor) {
  if (getX().getType() == getType())
    return getX();
  auto type = cast<RankedTensorType>(getType());
  auto x = dyn_cast_or_null<DenseElementsAttr>(adaptor.getX()),
       value = dyn_cast_or_null<DenseElementsAttr>(adaptor.getValue());
  if (!x || !value || !x.isSplat() || !type.hasStaticShape() || !Numbers::of(x) || !Numbers::of(value))
    return {};
  return resplat(x, {}) == value ? resplat(x, type.getShape()) : Attribute();
}

OpFoldResult ConcatOp::fold(FoldAdaptor adaptor) {
  if (getInputs().size() == 1)
    return getInputs().front();
  auto type = cast<RankedTensorType>(getType());
  if (!type.hasStaticShape())
    return {};
  SmallVector<Numbers> parts;
  for (Attribute input : adaptor.getInputs()) {
    auto numbers = Numbers::of(input);
    if (!numbers)
      return {};
    parts.push_back(std::move(*numbers));
  }
  auto isSame = [&](const Numbers &part) { return part.isSplat() && part[0].integer == parts[0][0].integer; };
  if (llvm::all_of(parts, isSame)) // The members of Number share their bits.
    return resplat(cast<DenseElementsAttr>(adaptor.getInputs().front()), type.getShape());
  if (type.getNumElements() > Numbers::limit)
    return {};
  // Runs of elements of each part in turn, for each position before the axis.
  int64_t outer = 1, inner = 1;
  for (int64_t d = 0; d < type.getRank(); ++d)
    if (d != static_cast<int64_t>(getAxis()))
      (d < static_cast<int64_t>(getAxis()) ? outer : inner) *= type.getDimSize(d);
  SmallVector<Number> cells;
  for (int64_t o = 0; o < outer; ++o)
    for (const Numbers &part : parts) {
      int64_t run = part.type().getDimSize(getAxis()) * inner;
      for (int64_t i = 0; i < run; ++i)
        cells.push_back(part[o * run + i]);
    }
  return Numbers(type, std::move(cells)).attr();
}
