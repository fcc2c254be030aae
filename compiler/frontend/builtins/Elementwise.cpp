//===- Elementwise.cpp - Functions of one element at a time -----------------===//
#include "compiler/frontend/builtins/Math.h"

namespace heddle::frontend {

template <UnaryKind kind>
static Value floatFunction(Call &call) {
  std::optional<Value> x = call.floatTensor("x");
  return x ? call.emit.unary(kind, *x, call.span()) : Value::error();
}

template <UnaryKind kind>
static Value numberFunction(Call &call) {
  std::optional<Value> x = call.numberTensor("x");
  return x ? call.emit.unary(kind, *x, call.span()) : Value::error();
}

static Value clip(Call &call) {
  std::optional<Value> x = call.numberTensor("x");
  if (!x)
    return Value::error();
  std::vector<Value> operands{*x};
  for (llvm::StringRef bound : {"low", "high"}) {
    if (!call[bound].getType().isLiteral() && !call.numberTensor(bound))
      return Value::error();
    operands.push_back(call[bound]);
  }
  std::optional<std::vector<Value>> together = broadcastTogether(call, operands);
  if (!together)
    return Value::error();
  Math math(call);
  return math.min(math.max((*together)[0], (*together)[1]), (*together)[2]);
}

static Value where(Call &call) {
  std::optional<Value> condition = call.tensor("condition");
  if (!condition)
    return Value::error();
  if (condition->getType().element() != ElementType::Bool) {
    call.errorAt("condition", "where needs truth values as its condition, not " + condition->getType().str())
        .hint("x != 0 gives truth values");
    return Value::error();
  }
  std::vector<Value> branches;
  for (llvm::StringRef side : {"a", "b"}) {
    if (!call[side].getType().isLiteral() && !call.tensor(side))
      return Value::error();
    branches.push_back(call[side]);
  }
  std::optional<std::vector<Value>> unified = unifyElements(call, branches);
  if (!unified)
    return Value::error();
  Value all[] = {*condition, (*unified)[0], (*unified)[1]};
  std::optional<llvm::SmallVector<Dim>> dims = broadcastShapes(call, all);
  if (!dims)
    return Value::error();
  for (Value &operand : all)
    operand = call.emit.broadcastTo(operand, *dims, call.span());
  return call.emit.select(all[0], all[1], all[2], call.span());
}

/// To an element type, or to that of another tensor: a leaf's own type in code over all leaves.
static Value cast(Call &call) {
  const Type &like = call["type"].getType();
  std::optional<Type> target =
      like.isTensor() ? std::optional(Type::tensor(like.element())) : call.type("type");
  if (!target)
    return Value::error();
  if (!target->isScalar()) {
    call.errorAt("type", "cast takes an element type, such as f32, not " + target->str());
    return Value::error();
  }
  // Literals and dimensions are converted exactly, without a detour through their default type.
  const Value &given = call["x"];
  ElementType element = target->element();
  if (given.dim() && !given.dim()->isConstant())
    return element == ElementType::I32 ? Value::dimension(*given.dim(), call.span())
                                       : Value::ofLeaves(*target, {}, call.span());
  if (std::optional<Value> literal = literalAs(call.emit, given, element))
    return *literal;
  std::optional<Value> x = call.tensor("x");
  return x ? call.emit.cast(*x, element, call.span()) : Value::error();
}

static Value isnan(Call &call) {
  std::optional<Value> x = call.floatTensor("x");
  return x ? call.emit.compare(CompareKind::Ne, *x, *x, call.span()) : Value::error();
}

llvm::ArrayRef<Builtin> elementwiseBuiltins() {
  static const Builtin table[] = {
      {"abs", "abs(x)", "The absolute value.", numberFunction<UnaryKind::Abs>},
      {"sign", "sign(x)", "-1, 0 or 1.", numberFunction<UnaryKind::Sign>},
      {"exp", "exp(x)", "e to the power x.", floatFunction<UnaryKind::Exp>},
      {"expm1", "expm1(x)", "exp(x) - 1, exact near 0.", floatFunction<UnaryKind::Expm1>},
      {"log", "log(x)", "The natural logarithm.", floatFunction<UnaryKind::Log>},
      {"log1p", "log1p(x)", "log(1 + x), exact near 0.", floatFunction<UnaryKind::Log1p>},
      {"sqrt", "sqrt(x)", "The square root.", floatFunction<UnaryKind::Sqrt>},
      {"rsqrt", "rsqrt(x)", "1 / sqrt(x).", floatFunction<UnaryKind::Rsqrt>},
      {"sin", "sin(x)", "The sine.", floatFunction<UnaryKind::Sin>},
      {"cos", "cos(x)", "The cosine.", floatFunction<UnaryKind::Cos>},
      {"tanh", "tanh(x)", "The hyperbolic tangent.", floatFunction<UnaryKind::Tanh>},
      {"erf", "erf(x)", "The error function.", floatFunction<UnaryKind::Erf>},
      {"sigmoid", "sigmoid(x)", "1 / (1 + exp(-x)).", floatFunction<UnaryKind::Sigmoid>},
      {"floor", "floor(x)", "The largest whole number not above x.", floatFunction<UnaryKind::Floor>},
      {"ceil", "ceil(x)", "The smallest whole number not below x.", floatFunction<UnaryKind::Ceil>},
      {"round", "round(x)", "The nearest whole number, halves to even.", floatFunction<UnaryKind::Round>},
      {"clip", "clip(x, low, high)", "min(max(x, low), high).", clip},
      {"where", "where(condition, a, b)", "a where the condition holds, else b.", where},
      {"cast", "cast(x, type)", "x in another element type, or in that of a tensor.", cast},
      {"isnan", "isnan(x)", "Whether an element is not a number.", isnan},
  };
  return table;
}

} // namespace heddle::frontend
