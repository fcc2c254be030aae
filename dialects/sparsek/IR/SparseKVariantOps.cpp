//===- SparseKVariantOps.cpp - Shapes and rules of written variants -------===//

#include "dialects/sparsek/IR/SparseK.h"
#include "dialects/sparsek/IR/SparseKShapes.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace heddle::sparsek;

//===----------------------------------------------------------------------===//
// Operands and results
//===----------------------------------------------------------------------===//

/// f64 for f64, else f32.
static Type scoreType(Type element) {
  return element.isF64() ? element : Float32Type::get(element.getContext());
}

/// What the forward and the backward pass share. On success the results of the forward pass.
template <typename Adaptor>
static LogicalResult checkOperands(std::optional<Location> loc, Adaptor adaptor, RankedTensorType &o,
                                   RankedTensorType &lse) {
  auto q = typeOf(adaptor.getQ()), k = typeOf(adaptor.getK()), v = typeOf(adaptor.getV());
  for (auto [name, type] : {std::pair{"q", q}, std::pair{"k", k}, std::pair{"v", v}})
    if (type.getRank() != 4)
      return emitOptionalError(loc, name, " has type ", type, ", not rank 4: batch, head, position, width");
  int64_t b = q.getDimSize(0), hq = q.getDimSize(1), n = q.getDimSize(2), e = q.getDimSize(3),
          h = k.getDimSize(1), m = k.getDimSize(2);
  Type element = q.getElementType();
  if (!ShapedType::isDynamic(h) && !ShapedType::isDynamic(hq) && (h == 0 || hq % h))
    return emitOptionalError(loc, hq, " query heads are not a multiple of ", h, " key-value heads");
  if (failed(checkShape(loc, "k", k, {b, h, m, e}, element)) ||
      failed(checkShape(loc, "v", v, {b, h, m, v.getDimSize(3)}, element)))
    return failure();
  o = RankedTensorType::get({b, hq, n, v.getDimSize(3)}, element);
  lse = RankedTensorType::get({b, hq, n}, scoreType(element));
  return success();
}

LogicalResult VariantAttentionOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                                   Adaptor adaptor, SmallVectorImpl<Type> &results) {
  RankedTensorType o, lse;
  if (failed(checkOperands(loc, adaptor, o, lse)))
    return failure();
  results.append({o, lse});
  return success();
}

LogicalResult VariantAttentionBackwardOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc,
                                                           Adaptor adaptor, SmallVectorImpl<Type> &results) {
  RankedTensorType o, lse;
  if (failed(checkOperands(loc, adaptor, o, lse)) ||
      failed(checkShape(loc, "o", typeOf(adaptor.getO()), o.getShape(), o.getElementType())) ||
      failed(checkShape(loc, "dout", typeOf(adaptor.getDout()), o.getShape(), o.getElementType())) ||
      failed(checkShape(loc, "lse", typeOf(adaptor.getLse()), lse.getShape(), lse.getElementType())) ||
      (adaptor.getDlse() &&
       failed(checkShape(loc, "dlse", typeOf(adaptor.getDlse()), lse.getShape(), lse.getElementType()))))
    return failure();
  results.append({adaptor.getQ().getType(), adaptor.getK().getType(), adaptor.getV().getType()});
  int64_t count = adaptor.getCaptures().size(), last = -1;
  for (int64_t i : adaptor.getWanted()) {
    if (i <= last || i >= count)
      return emitOptionalError(loc, "wanted names capture ", i, ", but must name some of the ", count,
                               " captures in increasing order");
    last = i;
    Type type = adaptor.getCaptures()[i].getType();
    if (!isa<FloatType>(cast<RankedTensorType>(type).getElementType()))
      return emitOptionalError(loc, "capture ", i, " of type ", type, " has no cotangent");
    results.push_back(type);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// The block
//===----------------------------------------------------------------------===//

/// Checks the block's arguments, `cotangents` of them for dscore and dgate, and its operations.
template <typename Op>
static LogicalResult checkBlock(Op op, unsigned cotangents) {
  MLIRContext *context = op.getContext();
  Type score = RankedTensorType::get({}, scoreType(typeOf(op.getQ()).getElementType()));
  Type number = RankedTensorType::get({}, IntegerType::get(context, 32));
  SmallVector<Type> expected = {score, number, number, number, number};
  expected.append(cotangents, score);
  llvm::append_range(expected, op.getCaptures().getTypes());
  Block &block = op.getBody().front();
  if (block.getNumArguments() != expected.size())
    return op.emitOpError() << "has a block of " << block.getNumArguments() << " arguments, not "
                            << expected.size() << ": s, b, h, i, j" << (cotangents ? ", dscore, dgate" : "")
                            << " and " << op.getCaptures().size() << " captures";
  for (auto [i, type] : llvm::enumerate(expected))
    if (Type given = block.getArgument(i).getType(); given != type)
      return op.emitOpError() << "has block argument " << i << " of type " << given << ", not " << type;

  auto isScalar = [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && tensor.getRank() == 0;
  };
  for (Operation &inner : block) {
    if (isa<ReadOp, AccumulateOp>(inner))
      continue;
    if (inner.getNumRegions() || !isMemoryEffectFree(&inner))
      return inner.emitError() << "'" << inner.getName()
                               << "' has effects or regions, so it cannot stand in the block of a variant";
    for (Type type : llvm::concat<const Type>(SmallVector<Type>(inner.getOperandTypes()),
                                              SmallVector<Type>(inner.getResultTypes())))
      if (!isScalar(type))
        return inner.emitError() << "'" << inner.getName() << "' works on " << type
                                 << ", but the block of a variant works on tensors of rank 0";
  }
  auto yield = op.getYield();
  if (yield.getScore().getType() != score)
    return yield.emitOpError() << "gives a score of type " << yield.getScore().getType() << ", not " << score;
  return success();
}

YieldOp VariantAttentionOp::getYield() { return cast<YieldOp>(getBody().front().getTerminator()); }
YieldAdjointOp VariantAttentionBackwardOp::getYield() {
  return cast<YieldAdjointOp>(getBody().front().getTerminator());
}

LogicalResult VariantAttentionOp::verifyRegions() {
  if (!isa<YieldOp>(getBody().front().getTerminator()))
    return emitOpError("has a block that does not end in sparsek.yield");
  return checkBlock(*this, 0);
}

LogicalResult VariantAttentionBackwardOp::verifyRegions() {
  if (!isa<YieldAdjointOp>(getBody().front().getTerminator()))
    return emitOpError("has a block that does not end in sparsek.yield_adjoint");
  if (failed(checkBlock(*this, 2)))
    return failure();
  for (auto accumulate : getBody().front().getOps<AccumulateOp>()) {
    unsigned capture = cast<BlockArgument>(accumulate.getCapture()).getArgNumber() - numPairArguments;
    if (!llvm::is_contained(getWanted(), capture))
      return accumulate.emitOpError() << "adds to capture " << capture << ", which is not wanted";
  }
  return success();
}

/// Checks the capture and the number of indices of a read or an accumulation.
template <typename Op>
static LogicalResult checkAccess(Op op) {
  auto argument = dyn_cast<BlockArgument>(op.getCapture());
  auto isCapture = [&](auto variant) {
    return variant && argument.getOwner() == op->getBlock() &&
           argument.getArgNumber() >= variant.numPairArguments;
  };
  if (!argument || !(isCapture(dyn_cast<VariantAttentionOp>(op->getParentOp())) ||
                     isCapture(dyn_cast<VariantAttentionBackwardOp>(op->getParentOp()))))
    return op.emitOpError("needs an argument of the block that stands for a capture");
  int64_t rank = typeOf(op.getCapture()).getRank(), given = op.getIndices().size();
  if (rank != given)
    return op.emitOpError() << "gives " << given << " indices for " << op.getCapture().getType();
  return success();
}

LogicalResult ReadOp::inferReturnTypes(MLIRContext *, std::optional<Location>, Adaptor adaptor,
                                       SmallVectorImpl<Type> &results) {
  results.push_back(RankedTensorType::get({}, typeOf(adaptor.getCapture()).getElementType()));
  return success();
}

LogicalResult ReadOp::verify() { return checkAccess(*this); }
LogicalResult AccumulateOp::verify() { return checkAccess(*this); }
