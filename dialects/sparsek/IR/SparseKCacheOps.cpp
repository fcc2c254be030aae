//===- SparseKCacheOps.cpp - Shapes of the operations on caches ------------------===//

#include "dialects/sparsek/IR/SparseK.h"
#include "dialects/sparsek/IR/SparseKShapes.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace heddle::sparsek;

/// What appending and filling share: keys, values, scores and lengths of T tokens.
template <typename Adaptor>
static LogicalResult checkTokens(MLIRContext *context, std::optional<Location> loc, Adaptor adaptor) {
  auto k = typeOf(adaptor.getK()), v = typeOf(adaptor.getV()), u = typeOf(adaptor.getU());
  for (auto [name, type] : {std::pair{"k", k}, std::pair{"v", v}})
    if (type.getRank() != 4)
      return emitOptionalError(loc, name, " has type ", type, ", not rank 4: batch, head, position, width");
  Type element = k.getElementType(), score = u.getElementType();
  if (score.isF64() != element.isF64())
    return emitOptionalError(loc, "scores of type ", score, " do not go with k of type ", element);
  int64_t b = k.getDimSize(0), h = k.getDimSize(1), t = k.getDimSize(2);
  if (failed(checkBudget(loc, adaptor.getTopk(), adaptor.getWindow())) ||
      failed(checkShape(loc, "v", v, {b, h, t, v.getDimSize(3)}, element)) ||
      failed(checkShape(loc, "u", u, {b, h, t}, score)))
    return failure();
  return checkShape(loc, "lengths", typeOf(adaptor.getLengths()), {b}, IntegerType::get(context, 32));
}

LogicalResult AppendOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc, Adaptor adaptor,
                                         SmallVectorImpl<Type> &results) {
  auto q = typeOf(adaptor.getQ()), k = typeOf(adaptor.getK()), v = typeOf(adaptor.getV()),
       u = typeOf(adaptor.getU()), live = typeOf(adaptor.getLive());
  if (q.getRank() != 4)
    return emitOptionalError(loc, "q has type ", q, ", not rank 4: batch, head, position, width");
  if (failed(checkTokens(context, loc, adaptor)))
    return failure();
  int64_t b = k.getDimSize(0), h = k.getDimSize(1), hq = q.getDimSize(1);
  Type element = k.getElementType(), score = u.getElementType(), i32 = IntegerType::get(context, 32);
  if (!ShapedType::isDynamic(h) && !ShapedType::isDynamic(hq) && (h == 0 || hq % h))
    return emitOptionalError(loc, hq, " query heads are not a multiple of ", h, " key-value heads");
  if (live.getRank() != 3)
    return emitOptionalError(loc, "live has type ", live, ", not rank 3: batch, head, score");
  int64_t slots = adaptor.getTopk() + adaptor.getWindow(), capacity = live.getDimSize(2);
  if (!ShapedType::isDynamic(capacity) && capacity < (int64_t)adaptor.getTopk())
    return emitOptionalError(loc, "a capacity of ", capacity, " live scores is below topk ",
                             adaptor.getTopk());
  if (failed(checkShape(loc, "q", q, {b, hq, k.getDimSize(2), k.getDimSize(3)}, element)) ||
      failed(checkShape(loc, "keys", typeOf(adaptor.getKeys()), {b, h, slots, k.getDimSize(3)}, element)) ||
      failed(
          checkShape(loc, "values", typeOf(adaptor.getValues()), {b, h, slots, v.getDimSize(3)}, element)) ||
      failed(checkShape(loc, "score", typeOf(adaptor.getScore()), {b, h, slots}, score)) ||
      failed(checkShape(loc, "key", typeOf(adaptor.getKey()), {b, h, slots}, i32)) ||
      failed(checkShape(loc, "live", live, {b, h, capacity}, score)) ||
      failed(checkShape(loc, "count", typeOf(adaptor.getCount()), {b, h}, i32)) ||
      failed(checkShape(loc, "hi", typeOf(adaptor.getHi()), {b, h}, score)) ||
      failed(checkShape(loc, "lo", typeOf(adaptor.getLo()), {b, h}, score)) ||
      failed(checkShape(loc, "position", typeOf(adaptor.getPosition()), {b}, i32)) ||
      failed(checkShape(loc, "scale", typeOf(adaptor.getScale()), {b}, Float64Type::get(context))) ||
      failed(checkShape(loc, "gate", typeOf(adaptor.getGate()), {b}, i32)) ||
      failed(checkShape(loc, "estimator", typeOf(adaptor.getEstimator()), {b}, i32)))
    return failure();
  results.push_back(RankedTensorType::get({b, hq, k.getDimSize(2), v.getDimSize(3)}, element));
  for (Value leaf :
       {adaptor.getKeys(), adaptor.getValues(), adaptor.getScore(), adaptor.getKey(), adaptor.getLive(),
        adaptor.getCount(), adaptor.getHi(), adaptor.getLo(), adaptor.getPosition()})
    results.push_back(leaf.getType());
  return success();
}

LogicalResult FillCacheOp::inferReturnTypes(MLIRContext *context, std::optional<Location> loc,
                                            Adaptor adaptor, SmallVectorImpl<Type> &results) {
  if (failed(checkTokens(context, loc, adaptor)))
    return failure();
  int64_t capacity = adaptor.getCapacity(), slots = adaptor.getTopk() + adaptor.getWindow();
  if (capacity < (int64_t)adaptor.getTopk())
    return emitOptionalError(loc, "a capacity of ", capacity, " live scores is below topk ",
                             adaptor.getTopk());
  auto k = typeOf(adaptor.getK()), v = typeOf(adaptor.getV());
  int64_t b = k.getDimSize(0), h = k.getDimSize(1);
  Type element = k.getElementType(), score = typeOf(adaptor.getU()).getElementType(),
       i32 = IntegerType::get(context, 32);
  results.append({RankedTensorType::get({b, h, slots, k.getDimSize(3)}, element),
                  RankedTensorType::get({b, h, slots, v.getDimSize(3)}, element),
                  RankedTensorType::get({b, h, slots}, score), RankedTensorType::get({b, h, slots}, i32),
                  RankedTensorType::get({b, h, capacity}, score), RankedTensorType::get({b, h}, i32),
                  RankedTensorType::get({b, h}, score), RankedTensorType::get({b, h}, score),
                  RankedTensorType::get({b}, i32)});
  return success();
}
