//===- Scalar.cpp - The table of elementwise derivatives ------------------===//
//
// The derivative of an elementwise operation is, for each operand, a product with a number per element. Its
// transpose is itself, so one entry serves both modes: it maps `c`, a cotangent of the result or a tangent of
// the operand, to its product with the partial derivative. `y` is the result.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/Rules/Rules.h"

#include <cmath>

using namespace mlir;
using namespace heddle::ir;
using P = ComparePredicate;

namespace heddle::autodiff {
namespace {

/// The entries: for unary operations, and for each operand of binary ones.
template <typename Op>
Term unary(Term c, Term x, Term y);
template <typename Op>
Term left(Term c, Term a, Term b, Term y);
template <typename Op>
Term right(Term c, Term a, Term b, Term y);

#define UNARY(OP, ENTRY)                                                                                     \
  template <>                                                                                                \
  Term unary<OP>(Term c, Term x, Term y) {                                                                   \
    return ENTRY;                                                                                            \
  }
#define BINARY(OP, LHS, RHS)                                                                                 \
  template <>                                                                                                \
  Term left<OP>(Term c, Term a, Term b, Term y) {                                                            \
    return LHS;                                                                                              \
  }                                                                                                          \
  template <>                                                                                                \
  Term right<OP>(Term c, Term a, Term b, Term y) {                                                           \
    return RHS;                                                                                              \
  }

/// c where `a` is preferred to `b`, half of it where they are equal.
Term share(Term c, P preferred, Term a, Term b) {
  return a.compare(preferred, b).choose(c, a.compare(P::eq, b).choose(c * 0.5, 0.0));
}

/// c b a^(b - 1). Where b is 0 the derivative is 0, though a^(b - 1) may not be finite.
Term powBase(Term c, Term a, Term b) {
  if (auto exponent = b.constant()) {
    if (*exponent == 1)
      return c;
    if (*exponent == 2)
      return c * (a * 2);
    if (*exponent == 0)
      return c.number(0);
    return c * (b * a.apply<PowOp>(b.number(*exponent - 1)));
  }
  return b.compare(P::eq, 0.0).choose(c.number(0), c * (b * a.apply<PowOp>(b - 1)));
}

// clang-format off
UNARY(NegOp, -c)
UNARY(AbsOp, c * x.apply<SignOp>())
UNARY(ExpOp, c * y)
UNARY(Expm1Op, c * x.apply<ExpOp>())
UNARY(LogOp, c / x)
UNARY(Log1pOp, c / (x + 1))
UNARY(SqrtOp, y.compare(P::eq, 0.0).choose(c.number(0), (c * 0.5) / y))
UNARY(RsqrtOp, (c * -0.5) * (y * y * y))
UNARY(SinOp, c * x.apply<CosOp>())
UNARY(CosOp, -(c * x.apply<SinOp>()))
UNARY(TanhOp, c * (1 - y * y))
UNARY(ErfOp, (c * M_2_SQRTPI) * (-(x * x)).apply<ExpOp>())
UNARY(SigmoidOp, c * (y * (1 - y)))
UNARY(FenceOp, c)

BINARY(AddOp, c, c)
BINARY(SubOp, c, -c)
BINARY(MulOp, c * b, c * a)
BINARY(DivOp, c / b, -((c * y) / b))
BINARY(RemOp, c, -(c * (a / b).apply<FloorOp>()))
BINARY(PowOp, powBase(c, a, b), a.compare(P::eq, 0.0).choose(c.number(0), c * (y * a.apply<LogOp>())))
BINARY(MaxOp, share(c, P::gt, a, b), share(c, P::gt, b, a))
BINARY(MinOp, share(c, P::lt, a, b), share(c, P::lt, b, a))
// clang-format on

#undef UNARY
#undef BINARY

template <typename Op>
struct UnaryRule : Rule<UnaryRule<Op>, Op> {
  static Value map(Op op, OpBuilder &builder, Value c) {
    auto term = [&](Value value) { return Term(builder, op.getLoc(), value); };
    return unary<Op>(term(c), term(op.getX()), term(op.getResult())).get();
  }
  static void adjoint(Op op, OpBuilder &builder, CotangentScope &scope) {
    scope.accumulate(op.getX(), map(op, builder, scope.cotangent(op.getResult())));
  }
  static void tangent(Op op, OpBuilder &builder, TangentScope &scope) {
    if (Value c = scope.tangent(op.getX()))
      scope.setTangent(op.getResult(), map(op, builder, c));
  }
};

template <typename Op>
struct BinaryRule : Rule<BinaryRule<Op>, Op> {
  static Value map(Op op, OpBuilder &builder, Term (*entry)(Term, Term, Term, Term), Value c) {
    auto term = [&](Value value) { return Term(builder, op.getLoc(), value); };
    return entry(term(c), term(op.getLhs()), term(op.getRhs()), term(op.getResult())).get();
  }
  static void adjoint(Op op, OpBuilder &builder, CotangentScope &scope) {
    Value c = scope.cotangent(op.getResult());
    if (scope.wanted(op.getLhs()))
      scope.accumulate(op.getLhs(), map(op, builder, left<Op>, c));
    if (scope.wanted(op.getRhs()))
      scope.accumulate(op.getRhs(), map(op, builder, right<Op>, c));
  }
  static void tangent(Op op, OpBuilder &builder, TangentScope &scope) {
    Value lhs = scope.tangent(op.getLhs()), rhs = scope.tangent(op.getRhs());
    if (lhs)
      lhs = map(op, builder, left<Op>, lhs);
    if (rhs)
      rhs = map(op, builder, right<Op>, rhs);
    if (Value sum = addOrNull(builder, op.getLoc(), lhs, rhs))
      scope.setTangent(op.getResult(), sum);
  }
};

/// Operations whose derivative is zero wherever it exists.
template <typename Op>
struct ZeroRule : Rule<ZeroRule<Op>, Op> {
  static void adjoint(Op, OpBuilder &, CotangentScope &) {}
  static void tangent(Op, OpBuilder &, TangentScope &) {}
};

struct SelectRule : Rule<SelectRule, SelectOp> {
  static void adjoint(SelectOp op, OpBuilder &builder, CotangentScope &scope) {
    Value c = scope.cotangent(op.getResult()), zero = zeros(builder, op.getLoc(), op.getType());
    if (scope.wanted(op.getOnTrue()))
      scope.accumulate(op.getOnTrue(), SelectOp::create(builder, op.getLoc(), op.getCondition(), c, zero));
    if (scope.wanted(op.getOnFalse()))
      scope.accumulate(op.getOnFalse(), SelectOp::create(builder, op.getLoc(), op.getCondition(), zero, c));
  }
  static void tangent(SelectOp op, OpBuilder &builder, TangentScope &scope) {
    Value a = scope.tangent(op.getOnTrue()), b = scope.tangent(op.getOnFalse());
    if (!a && !b)
      return;
    a = orZeros(builder, op.getLoc(), a, op.getType());
    b = orZeros(builder, op.getLoc(), b, op.getType());
    scope.setTangent(op.getResult(), SelectOp::create(builder, op.getLoc(), op.getCondition(), a, b));
  }
};

/// Between floating-point types the derivative is converted as the value is; elsewhere there is none.
struct CastRule : Rule<CastRule, CastOp> {
  static void adjoint(CastOp op, OpBuilder &builder, CotangentScope &scope) {
    if (isFloat(op.getX()))
      scope.accumulate(op.getX(), CastOp::create(builder, op.getLoc(), op.getX().getType(),
                                                 scope.cotangent(op.getResult())));
  }
  static void tangent(CastOp op, OpBuilder &builder, TangentScope &scope) {
    Value c = scope.tangent(op.getX());
    if (c && isFloat(op.getResult()))
      scope.setTangent(op.getResult(), CastOp::create(builder, op.getLoc(), op.getType(), c));
  }
};

template <template <typename> class Model, typename... Ops>
void attach(MLIRContext *context) {
  (Ops::template attachInterface<Model<Ops>>(*context), ...);
}

} // namespace

void attachScalarRules(MLIRContext *context) {
  attach<UnaryRule, NegOp, AbsOp, ExpOp, Expm1Op, LogOp, Log1pOp, SqrtOp, RsqrtOp, SinOp, CosOp, TanhOp,
         ErfOp, SigmoidOp, FenceOp>(context);
  attach<BinaryRule, AddOp, SubOp, MulOp, DivOp, RemOp, PowOp, MaxOp, MinOp>(context);
  attach<ZeroRule, SignOp, FloorOp, CeilOp, RoundOp, StopGradientOp>(context);
  SelectOp::attachInterface<SelectRule>(*context);
  CastOp::attachInterface<CastRule>(*context);
}

} // namespace heddle::autodiff
