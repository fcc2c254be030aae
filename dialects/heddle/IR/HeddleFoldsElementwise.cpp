//===- HeddleFoldsElementwise.cpp - Elementwise folding -------------------===//
//
// Operations on constants, and operations that give one of their operands. Only what keeps every bit of every
// result (but the sign and payload of NaN): x - 0 is x, but x + 0 is not, since -0 + 0 is 0, and x * 0 is not
// 0.
//
//===----------------------------------------------------------------------===//

#include "dialects/heddle/IR/HeddleNumbers.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace heddle::ir;

/// `value` where it has the result's type: with dynamic extents the types of operands and result may differ.
template <typename Op>
static OpFoldResult orNone(Op op, Value value) {
  return value.getType() == op.getType() ? OpFoldResult(value) : OpFoldResult();
}

//===----------------------------------------------------------------------===//
// Functions of one operand
//===----------------------------------------------------------------------===//

#define FOLD_CONSTANTS(OP)                                                                                   \
  OpFoldResult OP::fold(FoldAdaptor adaptor) { return foldElementwise(*this, adaptor.getOperands()); }

FOLD_CONSTANTS(ExpOp)
FOLD_CONSTANTS(Expm1Op)
FOLD_CONSTANTS(LogOp)
FOLD_CONSTANTS(Log1pOp)
FOLD_CONSTANTS(SqrtOp)
FOLD_CONSTANTS(RsqrtOp)
FOLD_CONSTANTS(SinOp)
FOLD_CONSTANTS(CosOp)
FOLD_CONSTANTS(TanhOp)
FOLD_CONSTANTS(ErfOp)
FOLD_CONSTANTS(SigmoidOp)

#undef FOLD_CONSTANTS

/// f(f(x)) = x.
template <typename Op>
static OpFoldResult foldInvolution(Op op, ArrayRef<Attribute> operands) {
  if (auto inner = op.getX().template getDefiningOp<Op>())
    return orNone(op, inner.getX());
  return foldElementwise(op, operands);
}

OpFoldResult NegOp::fold(FoldAdaptor adaptor) { return foldInvolution(*this, adaptor.getOperands()); }
OpFoldResult NotOp::fold(FoldAdaptor adaptor) { return foldInvolution(*this, adaptor.getOperands()); }

OpFoldResult AbsOp::fold(FoldAdaptor adaptor) {
  if (getX().getDefiningOp<AbsOp>())
    return orNone(*this, getX());
  if (auto neg = getX().getDefiningOp<NegOp>()) {
    getXMutable().assign(neg.getX());
    return getResult();
  }
  return foldElementwise(*this, adaptor.getOperands());
}

OpFoldResult SignOp::fold(FoldAdaptor adaptor) {
  return getX().getDefiningOp<SignOp>() ? orNone(*this, getX())
                                        : foldElementwise(*this, adaptor.getOperands());
}

/// Rounding what is an integer already.
template <typename Op>
static OpFoldResult foldRounding(Op op, ArrayRef<Attribute> operands) {
  return isa_and_nonnull<FloorOp, CeilOp, RoundOp, SignOp>(op.getX().getDefiningOp())
             ? orNone(op, op.getX())
             : foldElementwise(op, operands);
}

OpFoldResult FloorOp::fold(FoldAdaptor adaptor) { return foldRounding(*this, adaptor.getOperands()); }
OpFoldResult CeilOp::fold(FoldAdaptor adaptor) { return foldRounding(*this, adaptor.getOperands()); }
OpFoldResult RoundOp::fold(FoldAdaptor adaptor) { return foldRounding(*this, adaptor.getOperands()); }

/// A constant has no derivative to stop.
OpFoldResult StopGradientOp::fold(FoldAdaptor adaptor) {
  if (getX().getDefiningOp<StopGradientOp>())
    return orNone(*this, getX());
  return getX().getType() == getType() ? adaptor.getX() : Attribute();
}

OpFoldResult CastOp::fold(FoldAdaptor adaptor) {
  if (getX().getType() == getType())
    return getX();
  if (Attribute value = foldElementwise(*this, adaptor.getOperands()))
    return value;
  // cast(cast(x)) = cast(x) where the inner one loses nothing. From integer to floating point and back only
  // to a type that holds all of x: the detour saturates, the direct way wraps.
  auto inner = getX().getDefiningOp<CastOp>();
  if (!inner)
    return {};
  Type a = tensorOf(inner.getX()).getElementType(), b = tensorOf(getX()).getElementType(),
       c = cast<RankedTensorType>(getType()).getElementType();
  bool detour = isa<FloatType>(b) && !isa<FloatType>(a) && !isa<FloatType>(c) && !c.isInteger(1);
  if (!keepsValues(a, b) || (detour && !keepsValues(a, c)))
    return {};
  getXMutable().assign(inner.getX());
  return getResult();
}

//===----------------------------------------------------------------------===//
// Functions of two operands
//===----------------------------------------------------------------------===//

OpFoldResult AddOp::fold(FoldAdaptor adaptor) {
  if (isAll(adaptor.getRhs(), isReal(getType()) ? -0.0 : 0.0))
    return orNone(*this, getLhs());
  return foldElementwise(*this, adaptor.getOperands());
}

OpFoldResult SubOp::fold(FoldAdaptor adaptor) {
  if (isAll(adaptor.getRhs(), 0.0))
    return orNone(*this, getLhs());
  if (getLhs() == getRhs() && !isReal(getType()))
    return splatAttr(getType(), 0);
  return foldElementwise(*this, adaptor.getOperands());
}

OpFoldResult MulOp::fold(FoldAdaptor adaptor) {
  if (isAll(adaptor.getRhs(), 1.0))
    return orNone(*this, getLhs());
  if (!isReal(getType()) && isAll(adaptor.getRhs(), 0.0))
    return splatAttr(getType(), 0);
  return foldElementwise(*this, adaptor.getOperands());
}

OpFoldResult DivOp::fold(FoldAdaptor adaptor) {
  if (isAll(adaptor.getRhs(), 1.0))
    return orNone(*this, getLhs());
  if (!isReal(getType()) && isAll(adaptor.getRhs(), 0.0))
    return splatAttr(getType(), 0);
  return foldElementwise(*this, adaptor.getOperands());
}

OpFoldResult RemOp::fold(FoldAdaptor adaptor) {
  if (!isReal(getType()))
    for (double divisor : {-1.0, 0.0, 1.0})
      if (isAll(adaptor.getRhs(), divisor))
        return splatAttr(getType(), 0);
  return foldElementwise(*this, adaptor.getOperands());
}

OpFoldResult PowOp::fold(FoldAdaptor adaptor) {
  if (isAll(adaptor.getRhs(), 1.0))
    return orNone(*this, getLhs());
  // As C's pow, also of NaN.
  if (isAll(adaptor.getRhs(), 0.0) || isAll(adaptor.getRhs(), -0.0) || isAll(adaptor.getLhs(), 1.0))
    return splatAttr(getType(), 1);
  return foldElementwise(*this, adaptor.getOperands());
}

/// Maximum (`sign` 1) or minimum (-1): of x and itself, and of x and the number below or above all others.
template <typename Op>
static OpFoldResult foldExtremum(Op op, typename Op::FoldAdaptor adaptor, int sign) {
  if (op.getLhs() == op.getRhs())
    return orNone(op, op.getLhs());
  auto element = cast<RankedTensorType>(op.getType()).getElementType();
  if (isa<FloatType>(element)) {
    if (isAll(adaptor.getRhs(), -sign * std::numeric_limits<double>::infinity()))
      return orNone(op, op.getLhs());
  } else if (auto numbers = Numbers::of(adaptor.getRhs()); numbers && numbers->isSplat()) {
    unsigned width = element.getIntOrFloatBitWidth();
    APInt end = sign > 0 ? APInt::getSignedMinValue(width) : APInt::getSignedMaxValue(width);
    if ((*numbers)[0].integer == end.getSExtValue())
      return orNone(op, op.getLhs());
  }
  return foldElementwise(op, adaptor.getOperands());
}

OpFoldResult MaxOp::fold(FoldAdaptor adaptor) { return foldExtremum(*this, adaptor, 1); }
OpFoldResult MinOp::fold(FoldAdaptor adaptor) { return foldExtremum(*this, adaptor, -1); }

/// x op x = x, x op neutral = x, x op other = other.
template <typename Op>
static OpFoldResult foldLogical(Op op, typename Op::FoldAdaptor adaptor, double neutral) {
  if (op.getLhs() == op.getRhs() || isAll(adaptor.getRhs(), neutral))
    return orNone(op, op.getLhs());
  if (isAll(adaptor.getRhs(), 1 - neutral))
    return splatAttr(op.getType(), 1 - neutral);
  return foldElementwise(op, adaptor.getOperands());
}

OpFoldResult AndOp::fold(FoldAdaptor adaptor) { return foldLogical(*this, adaptor, 1); }
OpFoldResult OrOp::fold(FoldAdaptor adaptor) { return foldLogical(*this, adaptor, 0); }

//===----------------------------------------------------------------------===//
// Choices
//===----------------------------------------------------------------------===//

/// What a comparison of the numbers of an axis, 0 to extent - 1, with one number always gives, if it does.
static std::optional<bool> compareRange(ComparePredicate predicate, IotaOp iota, Attribute other) {
  auto numbers = Numbers::of(other);
  auto type = cast<RankedTensorType>(iota.getType());
  int64_t extent = type.getDimSize(iota.getAxis());
  if (!numbers || !numbers->isSplat() || isReal(type) || ShapedType::isDynamic(extent) || extent == 0)
    return std::nullopt;
  unsigned width = type.getElementType().getIntOrFloatBitWidth();
  if (extent - 1 > APInt::getSignedMaxValue(width).getSExtValue())
    return std::nullopt;
  int64_t x = (*numbers)[0].integer, last = extent - 1;
  auto decide = [](bool always, bool never) {
    return always ? std::optional(true) : never ? std::optional(false) : std::nullopt;
  };
  bool outside = x < 0 || x > last, only = x == 0 && last == 0;
  switch (predicate) {
  case ComparePredicate::eq:
    return decide(only, outside);
  case ComparePredicate::ne:
    return decide(outside, only);
  case ComparePredicate::lt:
    return decide(last < x, x <= 0);
  case ComparePredicate::le:
    return decide(last <= x, x < 0);
  case ComparePredicate::gt:
    return decide(x < 0, last <= x);
  case ComparePredicate::ge:
    return decide(x <= 0, last < x);
  }
  return std::nullopt;
}

OpFoldResult CompareOp::fold(FoldAdaptor adaptor) {
  ComparePredicate p = getPredicate();
  if (getLhs() == getRhs()) {
    bool strict = p == ComparePredicate::lt || p == ComparePredicate::gt;
    // NaN differs from itself, but no number is below itself.
    if (strict || !isReal(getLhs().getType()))
      return splatAttr(getType(), !strict && p != ComparePredicate::ne);
  }
  if (auto iota = getLhs().getDefiningOp<IotaOp>())
    if (auto known = compareRange(p, iota, adaptor.getRhs()))
      return splatAttr(getType(), *known);
  return foldElementwise(*this, adaptor.getOperands());
}

OpFoldResult SelectOp::fold(FoldAdaptor adaptor) {
  if (getOnTrue() == getOnFalse() || isAll(adaptor.getCondition(), 1))
    return getOnTrue();
  if (isAll(adaptor.getCondition(), 0))
    return getOnFalse();
  if (isAll(adaptor.getOnTrue(), 1) && isAll(adaptor.getOnFalse(), 0) &&
      getCondition().getType() == getType())
    return getCondition(); // of truth values
  return foldElementwise(*this, adaptor.getOperands());
}
