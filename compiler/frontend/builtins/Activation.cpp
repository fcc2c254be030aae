//===- Activation.cpp - Activation functions --------------------------------===//
#include "compiler/frontend/builtins/Math.h"
#include <cmath>
#include <numbers>

namespace heddle::frontend {

/// Evaluates a formula in f32 for bf16 and f16, and rounds once.
template <typename Formula>
static Value rounded(Call &call, Formula formula) {
  std::optional<Value> x = call.floatTensor("x");
  if (!x)
    return Value::error();
  return call.emit.cast(formula(call.widen(*x)), x->getType().element(), call.span());
}

/// x where it is above 0, else 0; NaN stays NaN, and the derivative at 0 is 0.
static Value relu(Call &call) {
  std::optional<Value> x = call.floatTensor("x");
  if (!x)
    return Value::error();
  Math math(call);
  Value zero = math.number(*x, 0);
  return call.emit.select(math.compare(CompareKind::Le, *x, zero), zero, *x, call.span());
}

static Value gelu(Call &call) {
  std::optional<std::string> form = call.choice("approximate", {"none", "tanh"});
  if (!form)
    return Value::error();
  Math math(call);
  return rounded(call, [&](const Value &x) {
    Value inner;
    if (*form == "none") {
      inner = math.unary(UnaryKind::Erf, math.mul(x, std::numbers::sqrt2 / 2));
    } else {
      Value cube = math.mul(math.mul(x, x), x);
      Value argument = math.mul(math.add(x, math.mul(cube, 0.044715)), std::sqrt(2 / std::numbers::pi));
      inner = math.unary(UnaryKind::Tanh, argument);
    }
    return math.mul(math.mul(x, 0.5), math.add(inner, 1));
  });
}

static Value silu(Call &call) {
  Math math(call);
  return rounded(call, [&](const Value &x) { return math.mul(x, math.unary(UnaryKind::Sigmoid, x)); });
}

/// log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)), which neither overflows nor loses small results.
static Value softplus(Call &call) {
  Math math(call);
  return rounded(call, [&](const Value &x) {
    Value small = math.exp(math.neg(math.unary(UnaryKind::Abs, x)));
    return math.add(math.max(x, math.number(x, 0)), math.unary(UnaryKind::Log1p, small));
  });
}

llvm::ArrayRef<Builtin> activationBuiltins() {
  static const Builtin table[] = {
      {"relu", "relu(x)", "x where it is positive, else 0.", relu},
      {"gelu", "gelu(x, approximate = \"none\")",
       "x times the normal distribution function; \"tanh\" approximates it.", gelu},
      {"silu", "silu(x)", "x sigmoid(x).", silu},
      {"softplus", "softplus(x)", "log(1 + exp(x)).", softplus},
  };
  return table;
}

} // namespace heddle::frontend
