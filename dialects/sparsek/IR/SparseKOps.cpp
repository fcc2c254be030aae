//===- SparseKOps.cpp - Shapes and rules of the operations ----------------===//

#include "dialects/sparsek/IR/SparseK.h"
#include "dialects/sparsek/IR/SparseKShapes.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace heddle::sparsek;

#define GET_OP_CLASSES
#include "dialects/sparsek/IR/SparseKOps.cpp.inc"

/// Checks the type of an operand that may be left out.
static LogicalResult checkLike(std::optional<Location> loc, StringRef name, Value operand,
                               RankedTensorType type) {
  return operand ? checkShape(loc, name, typeOf(operand), type.getShape(), type.getElementType()) : success();
}

/// Checks the bounds of packed sequences, where there are any, over `n` positions.
static LogicalResult checkBounds(std::optional<Location> loc, Value bounds, int64_t n) {
  if (!bounds)
    return success();
  return checkShape(loc, "bounds", typeOf(bounds), {2, n}, IntegerType::get(bounds.getContext(), 32));
}

LogicalResult ProjectOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc, Adaptor adaptor,
                                          SmallVectorImpl<Type> &results) {
  if (typeOf(adaptor.getZ()).getRank() == 0)
    return emitOptionalError(loc, "scores have no axis to project along");
  results.push_back(adaptor.getZ().getType());
  return success();
}

LogicalResult SegmentsOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc, Adaptor adaptor,
                                           SmallVectorImpl<Type> &results) {
  auto offsets = typeOf(adaptor.getOffsets());
  if (offsets.getRank() != 1 || offsets.getDimSize(0) == 0)
    return emitOptionalError(loc, "offsets have type ", offsets, ", not rank 1 with one or more of them");
  int64_t length = adaptor.getLength();
  if (length < 0)
    return emitOptionalError(loc, "length ", length, " must not be negative");
  results.push_back(RankedTensorType::get({2, length}, offsets.getElementType()));
  return success();
}

LogicalResult ThresholdOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc,
                                            Adaptor adaptor, SmallVectorImpl<Type> &results) {
  auto u = typeOf(adaptor.getU());
  if (u.getRank() != 3)
    return emitOptionalError(loc, "scores have type ", u, ", not rank 3: batch, head, position");
  if (failed(checkBudget(loc, adaptor.getTopk(), adaptor.getWindow())) ||
      failed(checkBounds(loc, adaptor.getBounds(), u.getDimSize(2))))
    return failure();
  auto counts = RankedTensorType::get(u.getShape(), IntegerType::get(context, 32));
  results.append({u, u, counts, counts});
  return success();
}

/// What the derivatives of the threshold share: `moved` is the cotangent of tau or the tangent of u.
template <typename Adaptor>
static LogicalResult checkThresholdDerivative(MLIRContext *context, std::optional<Location> loc,
                                              Adaptor adaptor, StringRef name, Value moved,
                                              SmallVectorImpl<Type> &results) {
  auto u = typeOf(adaptor.getU());
  if (u.getRank() != 3)
    return emitOptionalError(loc, "scores have type ", u, ", not rank 3: batch, head, position");
  if (failed(checkShape(loc, "hi", typeOf(adaptor.getHi()), u.getShape(), u.getElementType())) ||
      failed(checkShape(loc, "lo", typeOf(adaptor.getLo()), u.getShape(), u.getElementType())) ||
      failed(checkShape(loc, name, typeOf(moved), u.getShape(), u.getElementType())) ||
      failed(checkShape(loc, "count", typeOf(adaptor.getCount()), u.getShape(),
                        IntegerType::get(context, 32))) ||
      failed(checkBounds(loc, adaptor.getBounds(), u.getDimSize(2))))
    return failure();
  results.push_back(u);
  return success();
}

LogicalResult ThresholdBackwardOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc,
                                                    Adaptor adaptor, SmallVectorImpl<Type> &results) {
  return checkThresholdDerivative(context, loc, adaptor, "dtau", adaptor.getDtau(), results);
}

LogicalResult ThresholdTangentOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc,
                                                   Adaptor adaptor, SmallVectorImpl<Type> &results) {
  return checkThresholdDerivative(context, loc, adaptor, "du", adaptor.getDu(), results);
}

/// What attention and its backward pass share. On success the results of attention.
template <typename Adaptor>
static LogicalResult checkAttention(MLIRContext *context, std::optional<Location> loc, Adaptor adaptor,
                                    RankedTensorType &o, RankedTensorType &lse) {
  auto q = typeOf(adaptor.getQ()), k = typeOf(adaptor.getK()), v = typeOf(adaptor.getV()),
       u = typeOf(adaptor.getU());
  for (auto [name, type] : {std::pair{"q", q}, std::pair{"k", k}, std::pair{"v", v}})
    if (type.getRank() != 4)
      return emitOptionalError(loc, name, " has type ", type, ", not rank 4: batch, head, position, width");
  int64_t b = q.getDimSize(0), hq = q.getDimSize(1), n = q.getDimSize(2), e = q.getDimSize(3),
          h = k.getDimSize(1);
  Type element = q.getElementType(), score = u.getElementType();
  if (score.isF64() != element.isF64())
    return emitOptionalError(loc, "scores of type ", score, " do not go with q of type ", element);
  if (!ShapedType::isDynamic(h) && !ShapedType::isDynamic(hq) && (h == 0 || hq % h))
    return emitOptionalError(loc, hq, " query heads are not a multiple of ", h, " key-value heads");
  if (failed(checkBudget(loc, adaptor.getTopk(), adaptor.getWindow())) ||
      failed(checkShape(loc, "k", k, {b, h, n, e}, element)) ||
      failed(checkShape(loc, "v", v, {b, h, n, v.getDimSize(3)}, element)) ||
      failed(checkShape(loc, "u", u, {b, h, n}, score)) ||
      failed(checkShape(loc, "hi", typeOf(adaptor.getHi()), {b, h, n}, score)) ||
      failed(checkShape(loc, "lo", typeOf(adaptor.getLo()), {b, h, n}, score)) ||
      failed(checkShape(loc, "end", typeOf(adaptor.getEnd()), {b, h, n}, IntegerType::get(context, 32))) ||
      failed(checkBounds(loc, adaptor.getBounds(), n)))
    return failure();
  o = RankedTensorType::get({b, hq, n, v.getDimSize(3)}, element);
  lse = RankedTensorType::get({b, hq, n}, score);
  return success();
}

LogicalResult AttentionOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc,
                                            Adaptor adaptor, SmallVectorImpl<Type> &results) {
  RankedTensorType o, lse;
  if (failed(checkAttention(context, loc, adaptor, o, lse)))
    return failure();
  results.append({o, lse});
  return success();
}

LogicalResult AttentionBackwardOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc,
                                                    Adaptor adaptor, SmallVectorImpl<Type> &results) {
  RankedTensorType o, lse;
  if (failed(checkAttention(context, loc, adaptor, o, lse)) ||
      failed(checkShape(loc, "o", typeOf(adaptor.getO()), o.getShape(), o.getElementType())) ||
      failed(checkShape(loc, "dout", typeOf(adaptor.getDout()), o.getShape(), o.getElementType())) ||
      failed(checkShape(loc, "lse", typeOf(adaptor.getLse()), lse.getShape(), lse.getElementType())) ||
      failed(checkLike(loc, "dlse", adaptor.getDlse(), lse)))
    return failure();
  results.append({adaptor.getQ().getType(), adaptor.getK().getType(), adaptor.getV().getType(),
                  adaptor.getU().getType(), adaptor.getU().getType()});
  return success();
}

LogicalResult AttentionTangentOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc,
                                                   Adaptor adaptor, SmallVectorImpl<Type> &results) {
  RankedTensorType o, lse;
  if (failed(checkAttention(context, loc, adaptor, o, lse)) ||
      failed(checkShape(loc, "o", typeOf(adaptor.getO()), o.getShape(), o.getElementType())) ||
      failed(checkShape(loc, "lse", typeOf(adaptor.getLse()), lse.getShape(), lse.getElementType())) ||
      failed(checkLike(loc, "dq", adaptor.getDq(), typeOf(adaptor.getQ()))) ||
      failed(checkLike(loc, "dk", adaptor.getDk(), typeOf(adaptor.getK()))) ||
      failed(checkLike(loc, "dv", adaptor.getDv(), typeOf(adaptor.getV()))) ||
      failed(checkLike(loc, "du", adaptor.getDu(), typeOf(adaptor.getU()))) ||
      failed(checkLike(loc, "dtau", adaptor.getDtau(), typeOf(adaptor.getU()))))
    return failure();
  results.append({o, lse});
  return success();
}
