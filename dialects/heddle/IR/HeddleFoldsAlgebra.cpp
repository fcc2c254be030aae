//===- HeddleFoldsAlgebra.cpp - Rewriting of elementwise formulas ---------===//
//
// Rules that make a new operation. Each result keeps its value to the bit, but for powers with a small
// constant exponent, which become products within their rounding error. Constants stand on the right and
// signs move outward and into constants, so that they meet: a + -(b * c) ==> a - b * c.
//
//===----------------------------------------------------------------------===//

#include "dialects/heddle/IR/HeddleNumbers.h"

#include "mlir/IR/PatternMatch.h"

#include <cmath>

using namespace mlir;
using namespace heddle::ir;

namespace {

/// Shorthand for the results of rules: an operation of `op`'s type in its place.
template <typename New, typename... Operands>
LogicalResult become(PatternRewriter &rewriter, Operation *op, Operands... operands) {
  rewriter.replaceOpWithNewOp<New>(op, op->getResult(0).getType(), operands...);
  return success();
}

/// The operand of a negation.
Value negated(Value value, bool onlyUse = false) {
  auto neg = value.getDefiningOp<NegOp>();
  return neg && (!onlyUse || neg->hasOneUse()) ? neg.getX() : Value();
}

/// The negative of a constant of floating point.
Value negatedConstant(PatternRewriter &rewriter, Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  if (!constant || !isReal(value.getType()) || !Numbers::of(value))
    return {};
  auto neg = NegOp::create(rewriter, constant.getLoc(), value.getType(), value);
  auto folded = cast<ElementsAttr>(foldElementwise(neg, constant.getValue()));
  rewriter.eraseOp(neg);
  return ConstantOp::create(rewriter, constant.getLoc(), folded);
}

//===----------------------------------------------------------------------===//
// Signs
//===----------------------------------------------------------------------===//

/// a + -b ==> a - b.
struct AddOfNeg : OpRewritePattern<AddOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AddOp op, PatternRewriter &rewriter) const override {
    if (Value b = negated(op.getRhs()))
      return become<SubOp>(rewriter, op, op.getLhs(), b);
    if (Value a = negated(op.getLhs()))
      return become<SubOp>(rewriter, op, op.getRhs(), a);
    return failure();
  }
};

/// a - -b ==> a + b; -0 - b ==> -b, for integers 0 - b ==> -b.
struct SubOfNeg : OpRewritePattern<SubOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SubOp op, PatternRewriter &rewriter) const override {
    if (Value b = negated(op.getRhs()))
      return become<AddOp>(rewriter, op, op.getLhs(), b);
    if (isAll(op.getLhs(), isReal(op.getType()) ? -0.0 : 0.0))
      return become<NegOp>(rewriter, op, op.getRhs());
    return failure();
  }
};

/// a * -1 ==> -a; -a * -b ==> a * b; -a * c ==> a * (-c); -a * b ==> -(a * b).
template <typename Op>
struct SignOfProduct : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    bool real = isReal(op.getType());
    if ((real || std::is_same_v<Op, MulOp>) && isAll(op.getRhs(), -1.0))
      return become<NegOp>(rewriter, op, op.getLhs());
    if (!real)
      return failure();
    Value a = negated(op.getLhs()), b = negated(op.getRhs());
    if (a && b)
      return become<Op>(rewriter, op, a, b);
    if (a)
      if (Value c = negatedConstant(rewriter, op.getRhs()))
        return become<Op>(rewriter, op, a, c);
    a = negated(op.getLhs(), true);
    b = negated(op.getRhs(), true);
    if (!a && !b)
      return failure();
    Value product = Op::create(rewriter, op.getLoc(), op.getType(), a ? a : op.getLhs(), b ? b : op.getRhs());
    return become<NegOp>(rewriter, op, product);
  }
};

/// -(a * c) ==> a * (-c), and for quotients.
template <typename Op>
struct NegOfProduct : OpRewritePattern<NegOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(NegOp op, PatternRewriter &rewriter) const override {
    auto product = op.getX().getDefiningOp<Op>();
    if (!product || !product->hasOneUse())
      return failure();
    Value c = negatedConstant(rewriter, product.getRhs());
    return c ? become<Op>(rewriter, op, product.getLhs(), c) : failure();
  }
};

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

/// a / c ==> a * (1 / c) where c is a power of two and 1 / c a normal number: both are a scaling, rounded
/// once.
struct DivByPowerOfTwo : OpRewritePattern<DivOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(DivOp op, PatternRewriter &rewriter) const override {
    auto numbers = Numbers::of(op.getRhs());
    if (!numbers || !numbers->isSplat() || !isReal(op.getType()))
      return failure();
    double c = (*numbers)[0].real;
    if (!std::isfinite(c) || c == 0 || std::fabs(c) != std::exp2(std::ilogb(c)))
      return failure();
    auto &semantics = cast<FloatType>(tensorOf(op.getRhs()).getElementType()).getFloatSemantics();
    int exponent = -std::ilogb(c);
    if (exponent < APFloat::semanticsMinExponent(semantics) ||
        exponent > APFloat::semanticsMaxExponent(semantics))
      return failure();
    return become<MulOp>(rewriter, op, op.getLhs(),
                         splatValue(rewriter, op.getLoc(), op.getRhs().getType(), 1 / c));
  }
};

/// (a op c) op d ==> a op (c op d) on integers, which wrap.
template <typename Op>
struct IntegerChain : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    auto inner = op.getLhs().template getDefiningOp<Op>();
    if (!inner || isReal(op.getType()) || !Numbers::of(op.getRhs()) || !Numbers::of(inner.getRhs()))
      return failure();
    Value both = rewriter.createOrFold<Op>(op.getLoc(), op.getRhs().getType(), inner.getRhs(), op.getRhs());
    return become<Op>(rewriter, op, inner.getLhs(), both);
  }
};

/// a - c ==> a + (-c) on integers.
struct IntegerSub : OpRewritePattern<SubOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SubOp op, PatternRewriter &rewriter) const override {
    if (isReal(op.getType()) || !Numbers::of(op.getRhs()))
      return failure();
    Value minus = rewriter.createOrFold<NegOp>(op.getLoc(), op.getRhs().getType(), op.getRhs());
    return become<AddOp>(rewriter, op, op.getLhs(), minus);
  }
};

//===----------------------------------------------------------------------===//
// Powers
//===----------------------------------------------------------------------===//

/// Whether no element is negative, -0 included; NaN may occur.
bool isNeverNegative(Value value, int depth = 4) {
  if (auto numbers = Numbers::of(value)) {
    for (int64_t i = 0, n = numbers->isSplat() ? 1 : numbers->type().getNumElements(); i < n; ++i)
      if (std::signbit((*numbers)[i].real))
        return false;
    return true;
  }
  Operation *op = value.getDefiningOp();
  if (!op || depth == 0)
    return false;
  auto operandsAre = [&] {
    return llvm::all_of(op->getOperands(),
                        [&](Value operand) { return isNeverNegative(operand, depth - 1); });
  };
  if (isa<AbsOp, ExpOp, SigmoidOp>(op))
    return true;
  if (isa<MulOp>(op) && op->getOperand(0) == op->getOperand(1))
    return true;
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return (reduce.getKind() == ReductionKind::sum || reduce.getKind() == ReductionKind::prod) &&
           operandsAre();
  return isa<AddOp, MulOp, DivOp, BroadcastOp, ReshapeOp, TransposeOp, SliceOp, ReverseOp>(op) &&
         operandsAre();
}

/// Powers with a constant exponent: x^2 ==> x * x, x^3 ==> x * x * x (types of single precision and more: in
/// smaller ones the second rounding shows), x^-1 ==> 1 / x, and x^0.5 ==> sqrt x, x^-0.5 ==> rsqrt x where x
/// has no sign: C's pow gives 0 for -0 and infinity for -infinity, and the roots do not.
struct PowOfConstant : OpRewritePattern<PowOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(PowOp op, PatternRewriter &rewriter) const override {
    auto numbers = Numbers::of(op.getRhs());
    if (!numbers || !numbers->isSplat())
      return failure();
    Value x = op.getLhs();
    double exponent = (*numbers)[0].real;
    if (exponent == 2)
      return become<MulOp>(rewriter, op, x, x);
    if (exponent == 3 && numbers->type().getElementTypeBitWidth() >= 32) {
      Value square = MulOp::create(rewriter, op.getLoc(), x.getType(), x, x);
      return become<MulOp>(rewriter, op, square, x);
    }
    if (exponent == -1)
      return become<DivOp>(rewriter, op, splatValue(rewriter, op.getLoc(), op.getRhs().getType(), 1), x);
    if (exponent == 0.5 && isNeverNegative(x))
      return become<SqrtOp>(rewriter, op, x);
    if (exponent == -0.5 && isNeverNegative(x))
      return become<RsqrtOp>(rewriter, op, x);
    return failure();
  }
};

//===----------------------------------------------------------------------===//
// Truth values
//===----------------------------------------------------------------------===//

ComparePredicate mirrored(ComparePredicate predicate) {
  switch (predicate) {
  case ComparePredicate::lt:
    return ComparePredicate::gt;
  case ComparePredicate::le:
    return ComparePredicate::ge;
  case ComparePredicate::gt:
    return ComparePredicate::lt;
  case ComparePredicate::ge:
    return ComparePredicate::le;
  default:
    return predicate;
  }
}

ComparePredicate opposite(ComparePredicate predicate) {
  switch (predicate) {
  case ComparePredicate::eq:
    return ComparePredicate::ne;
  case ComparePredicate::ne:
    return ComparePredicate::eq;
  case ComparePredicate::lt:
    return ComparePredicate::ge;
  case ComparePredicate::le:
    return ComparePredicate::gt;
  case ComparePredicate::gt:
    return ComparePredicate::le;
  case ComparePredicate::ge:
    return ComparePredicate::lt;
  }
  return predicate;
}

/// c < a ==> a > c.
struct ConstantToTheRight : OpRewritePattern<CompareOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(CompareOp op, PatternRewriter &rewriter) const override {
    if (!op.getLhs().getDefiningOp<ConstantOp>() || op.getRhs().getDefiningOp<ConstantOp>())
      return failure();
    return become<CompareOp>(rewriter, op, mirrored(op.getPredicate()), op.getRhs(), op.getLhs());
  }
};

/// not (a == b) ==> a != b, and for integers not (a < b) ==> a >= b; a NaN is neither.
struct NotOfCompare : OpRewritePattern<NotOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(NotOp op, PatternRewriter &rewriter) const override {
    auto compare = op.getX().getDefiningOp<CompareOp>();
    if (!compare || !compare->hasOneUse())
      return failure();
    ComparePredicate p = compare.getPredicate();
    if (isReal(compare.getLhs().getType()) && p != ComparePredicate::eq && p != ComparePredicate::ne)
      return failure();
    return become<CompareOp>(rewriter, op, opposite(p), compare.getLhs(), compare.getRhs());
  }
};

/// select(not c, a, b) ==> select(c, b, a); select(c, false, true) ==> not c.
struct SelectOfNot : OpRewritePattern<SelectOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SelectOp op, PatternRewriter &rewriter) const override {
    if (auto inner = op.getCondition().getDefiningOp<NotOp>())
      return become<SelectOp>(rewriter, op, inner.getX(), op.getOnFalse(), op.getOnTrue());
    if (op.getCondition().getType() == op.getType() && isAll(op.getOnTrue(), 0) && isAll(op.getOnFalse(), 1))
      return become<NotOp>(rewriter, op, op.getCondition());
    return failure();
  }
};

/// select(c, select(c, a, x), b) ==> select(c, a, b), and on the other side.
struct SelectOfSelect : OpRewritePattern<SelectOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SelectOp op, PatternRewriter &rewriter) const override {
    auto onTrue = op.getOnTrue().getDefiningOp<SelectOp>(),
         onFalse = op.getOnFalse().getDefiningOp<SelectOp>();
    Value c = op.getCondition();
    if (onTrue && onTrue.getCondition() == c)
      return become<SelectOp>(rewriter, op, c, onTrue.getOnTrue(), op.getOnFalse());
    if (onFalse && onFalse.getCondition() == c)
      return become<SelectOp>(rewriter, op, c, op.getOnTrue(), onFalse.getOnFalse());
    return failure();
  }
};

/// cast(iota) ==> iota where the new type counts as far.
struct CastOfIota : OpRewritePattern<CastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(CastOp op, PatternRewriter &rewriter) const override {
    auto iota = op.getX().getDefiningOp<IotaOp>();
    if (!iota)
      return failure();
    int64_t extent = tensorOf(iota.getResult()).getDimSize(iota.getAxis());
    // All of 0 to extent - 1 are exact in either type.
    auto counts = [&](Type element) {
      auto real = dyn_cast<FloatType>(element);
      unsigned bits =
          real ? APFloat::semanticsPrecision(real.getFloatSemantics()) : element.getIntOrFloatBitWidth() - 1;
      return bits >= 63 || extent <= int64_t(1) << bits;
    };
    if (ShapedType::isDynamic(extent) || !counts(tensorOf(op.getX()).getElementType()) ||
        !counts(tensorOf(op.getResult()).getElementType()) ||
        tensorOf(op.getResult()).getElementType().isInteger(1))
      return failure();
    rewriter.replaceOpWithNewOp<IotaOp>(op, op.getType(), iota.getAxis());
    return success();
  }
};

} // namespace

void CastOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<CastOfIota>(context);
}

void NegOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<NegOfProduct<MulOp>, NegOfProduct<DivOp>>(context);
}

void AddOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<AddOfNeg, IntegerChain<AddOp>>(context);
}

void SubOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<SubOfNeg, IntegerSub>(context);
}

void MulOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<SignOfProduct<MulOp>, IntegerChain<MulOp>>(context);
}

void DivOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<SignOfProduct<DivOp>, DivByPowerOfTwo>(context);
}

void PowOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<PowOfConstant>(context);
}

void NotOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<NotOfCompare>(context);
}

void CompareOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<ConstantToTheRight>(context);
}

void SelectOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<SelectOfNot, SelectOfSelect>(context);
}
