//===- Operators.cpp - Arithmetic, comparison and logic ---------------------===//
#include "compiler/frontend/builtins/Math.h"
#include <cmath>

namespace heddle::frontend {

//===----------------------------------------------------------------------===//
// Values known to the compiler
//===----------------------------------------------------------------------===//

static Value integerResult(const Call &call, const Dim &value, bool literal) {
  if (literal && value.isConstant())
    return Value::intLiteral(value.value(), call.span());
  return Value::dimension(value, call.span());
}

/// Arithmetic on literals and dimensions. Empty after an error.
static std::optional<Dim> foldIntegers(Call &call, BinaryKind kind, const Dim &a, const Dim &b,
                                       bool literals) {
  switch (kind) {
  case BinaryKind::Add:
    return a + b;
  case BinaryKind::Sub:
    return a - b;
  case BinaryKind::Mul:
    return a * b;
  case BinaryKind::Div: {
    if (std::optional<Dim> quotient = Dim::divide(a, b))
      return quotient;
    if (b == Dim(0)) {
      call.error(call.context.callee, "division of " + a.str() + " by zero");
    } else {
      Diagnostic &report =
          call.error(call.context.callee, "the division " + a.str() + " / " + b.str() + " is not exact");
      report.hint(literals ? "write " + a.str() + ".0 / " + b.str() + ".0 for a float"
                           : "dimensions divide without remainder; cast(x, f32) divides floats");
    }
    return std::nullopt;
  }
  case BinaryKind::Rem:
    if (b == Dim(0)) {
      call.error(call.context.callee, "remainder of " + a.str() + " by zero");
      return std::nullopt;
    }
    return Dim::apply(DimFunction::Mod, a, b);
  case BinaryKind::Pow: {
    if (!b.isConstant() || b.value() < 0 || b.value() > 64) {
      call.error(call.context.callee, "an integer is raised to the power " + b.str())
          .hint("the exponent of an integer is a literal from 0 to 64; write a float such as 2.0 otherwise");
      return std::nullopt;
    }
    Dim power(1);
    for (int64_t i = 0; i < b.value(); ++i)
      power *= a;
    return power;
  }
  default:
    return std::nullopt;
  }
}

static double foldFloats(BinaryKind kind, double a, double b) {
  switch (kind) {
  case BinaryKind::Add:
    return a + b;
  case BinaryKind::Sub:
    return a - b;
  case BinaryKind::Mul:
    return a * b;
  case BinaryKind::Div:
    return a / b;
  case BinaryKind::Rem:
    return a - b * std::floor(a / b);
  default:
    return std::pow(a, b);
  }
}

static double literalNumber(const Value &value) {
  return value.number() ? *value.number() : double(value.dim()->value());
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

/// The operands of an operator as they are: literals stay literals.
static std::optional<Value> operand(Call &call, llvm::StringRef parameter) {
  return call[parameter].getType().isLiteral() ? call[parameter] : call.numberTensor(parameter);
}

/// x ** n for an integer tensor and a small literal n, by squaring.
static Value integerPower(Call &call, const Value &x, int64_t exponent) {
  Math math(call);
  std::optional<Value> result;
  for (Value square = x; exponent > 0; exponent /= 2) {
    if (exponent % 2 == 1)
      result = result ? math.mul(*result, square) : square;
    if (exponent > 1)
      square = math.mul(square, square);
  }
  return result ? *result : math.number(x, 1);
}

template <BinaryKind kind>
static Value arithmetic(Call &call) {
  std::optional<Value> a = operand(call, "a"), b = operand(call, "b");
  if (!a || !b)
    return Value::error();
  bool literals = a->getType().isLiteral() && b->getType().isLiteral();
  if (a->dim() && b->dim()) {
    std::optional<Dim> result = foldIntegers(call, kind, *a->dim(), *b->dim(), literals);
    return result ? integerResult(call, *result, literals) : Value::error();
  }
  if (literals)
    return Value::floatLiteral(foldFloats(kind, literalNumber(*a), literalNumber(*b)), call.span());
  if (kind == BinaryKind::Pow && a->getType().isTensor() && !a->getType().isFloatTensor()) {
    const Dim *exponent = b->dim();
    if (exponent && exponent->isConstant() && exponent->value() >= 0 && exponent->value() <= 64)
      return integerPower(call, *a, exponent->value());
    call.error(call.context.callee, "** needs a floating-point base, but it is " + a->getType().str())
        .hint("an integer is raised to literal powers from 0 to 64 only; cast(x, f32) converts it");
    return Value::error();
  }
  std::optional<std::vector<Value>> operands = broadcastTogether(call, {*a, *b});
  if (!operands)
    return Value::error();
  if (kind == BinaryKind::Pow && !(*operands)[0].getType().isFloatTensor()) {
    // A literal base and an integer exponent.
    call.error(call.context.callee,
               "** needs a floating-point exponent here, but it is " + b->getType().str())
        .hint("cast(x, f32) converts it");
    return Value::error();
  }
  return call.emit.binary(kind, (*operands)[0], (*operands)[1], call.span());
}

static Value negate(Call &call) {
  std::optional<Value> x = operand(call, "x");
  if (!x)
    return Value::error();
  if (const Dim *dim = x->dim())
    return integerResult(call, -*dim, x->getType().isLiteral());
  if (const double *number = x->number())
    return Value::floatLiteral(-*number, call.span());
  return call.emit.unary(UnaryKind::Neg, *x, call.span());
}

//===----------------------------------------------------------------------===//
// Comparison
//===----------------------------------------------------------------------===//

/// The truth of a comparison of dimensions, empty where it depends on the variables.
static std::optional<bool> compareDims(CompareKind kind, const Dim &a, const Dim &b) {
  std::optional<int> order = a.compare(b);
  switch (kind) {
  case CompareKind::Eq:
    return order ? std::optional(*order == 0) : std::nullopt;
  case CompareKind::Ne:
    return order ? std::optional(*order != 0) : std::nullopt;
  case CompareKind::Lt:
    return order ? std::optional(*order < 0) : a.provablyAtLeast(b) ? std::optional(false) : std::nullopt;
  case CompareKind::Le:
    return order ? std::optional(*order <= 0) : b.provablyAtLeast(a) ? std::optional(true) : std::nullopt;
  case CompareKind::Gt:
    return compareDims(CompareKind::Lt, b, a);
  case CompareKind::Ge:
    return compareDims(CompareKind::Le, b, a);
  }
  return std::nullopt;
}

static bool compareNumbers(CompareKind kind, double a, double b) {
  switch (kind) {
  case CompareKind::Eq:
    return a == b;
  case CompareKind::Ne:
    return a != b;
  case CompareKind::Lt:
    return a < b;
  case CompareKind::Le:
    return a <= b;
  case CompareKind::Gt:
    return a > b;
  case CompareKind::Ge:
    return a >= b;
  }
  return false;
}

template <CompareKind kind>
static Value comparison(Call &call) {
  bool equality = kind == CompareKind::Eq || kind == CompareKind::Ne;
  auto get = [&](llvm::StringRef parameter) {
    if (call[parameter].getType().isLiteral())
      return std::optional(call[parameter]);
    return equality ? call.tensor(parameter) : call.numberTensor(parameter);
  };
  std::optional<Value> a = get("a"), b = get("b");
  if (!a || !b)
    return Value::error();
  if (a->dim() && b->dim()) {
    if (std::optional<bool> known = compareDims(kind, *a->dim(), *b->dim()))
      return Value::boolean(*known, call.span());
    return Value::ofLeaves(Type::tensor(ElementType::Bool), {}, call.span());
  }
  if (a->getType().isLiteral() && b->getType().isLiteral())
    return Value::boolean(compareNumbers(kind, literalNumber(*a), literalNumber(*b)), call.span());
  std::optional<std::vector<Value>> operands = broadcastTogether(call, {*a, *b});
  return operands ? call.emit.compare(kind, (*operands)[0], (*operands)[1], call.span()) : Value::error();
}

//===----------------------------------------------------------------------===//
// Logic
//===----------------------------------------------------------------------===//

static std::optional<Value> truth(Call &call, llvm::StringRef parameter) {
  std::optional<Value> value = call.tensor(parameter);
  if (!value || value->getType().element() == ElementType::Bool)
    return value;
  call.errorAt(parameter,
               "'" + call.name().str() + "' needs truth values, but an operand is " + value->getType().str())
      .hint("x != 0 gives truth values");
  return std::nullopt;
}

template <BinaryKind kind>
static Value logic(Call &call) {
  std::optional<Value> a = truth(call, "a"), b = truth(call, "b");
  if (!a || !b)
    return Value::error();
  // A scalar that decides the result decides it whatever the other scalar is.
  bool decisive = kind == BinaryKind::Or;
  if (a->getType().isScalar() && b->getType().isScalar()) {
    for (const Value *known : {&*a, &*b})
      if (known->boolean() && *known->boolean() == decisive)
        return Value::boolean(decisive, call.span());
    if (a->boolean() && b->boolean())
      return Value::boolean(!decisive, call.span());
  }
  std::optional<std::vector<Value>> operands = broadcastTogether(call, {*a, *b});
  return operands ? call.emit.binary(kind, (*operands)[0], (*operands)[1], call.span()) : Value::error();
}

static Value logicalNot(Call &call) {
  std::optional<Value> x = truth(call, "x");
  if (!x)
    return Value::error();
  if (const bool *known = x->boolean())
    return Value::boolean(!*known, call.span());
  return call.emit.unary(UnaryKind::Not, *x, call.span());
}

llvm::ArrayRef<Builtin> negationBuiltins() {
  static const Builtin table[] = {{"neg", "neg(x)", "The negative of every element.", negate}};
  return table;
}

llvm::ArrayRef<Builtin> operatorBuiltins() {
  static const Builtin table[] = {
      {"+", "+(a, b)", "The sum.", arithmetic<BinaryKind::Add>},
      {"-", "-(a, b)", "The difference.", arithmetic<BinaryKind::Sub>},
      {"*", "*(a, b)", "The product.", arithmetic<BinaryKind::Mul>},
      {"/", "/(a, b)", "The quotient; integers round down, dimensions divide exactly.",
       arithmetic<BinaryKind::Div>},
      {"%", "%(a, b)", "The remainder, of the divisor's sign.", arithmetic<BinaryKind::Rem>},
      {"**", "**(a, b)", "The power.", arithmetic<BinaryKind::Pow>},
      {"==", "==(a, b)", "Whether the elements are equal.", comparison<CompareKind::Eq>},
      {"!=", "!=(a, b)", "Whether the elements differ.", comparison<CompareKind::Ne>},
      {"<", "<(a, b)", "Whether the first is smaller.", comparison<CompareKind::Lt>},
      {"<=", "<=(a, b)", "Whether the first is not larger.", comparison<CompareKind::Le>},
      {">", ">(a, b)", "Whether the first is larger.", comparison<CompareKind::Gt>},
      {">=", ">=(a, b)", "Whether the first is not smaller.", comparison<CompareKind::Ge>},
      {"and", "and(a, b)", "Whether both are true.", logic<BinaryKind::And>},
      {"or", "or(a, b)", "Whether one is true.", logic<BinaryKind::Or>},
      {"not", "not(x)", "Whether it is false.", logicalNot},
  };
  return table;
}

} // namespace heddle::frontend
