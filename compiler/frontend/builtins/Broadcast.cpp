//===- Broadcast.cpp - Literals, element types and broadcasting -------------===//
#include "compiler/frontend/builtins/Call.h"
#include "llvm/ADT/STLExtras.h"
#include <cstdio>

namespace heddle::frontend {

//===----------------------------------------------------------------------===//
// Literals
//===----------------------------------------------------------------------===//

static bool fits(const Dim &value, ElementType element) {
  switch (element) {
  case ElementType::I8:
    return value.value() >= INT8_MIN && value.value() <= INT8_MAX;
  case ElementType::I32:
    return value.value() >= INT32_MIN && value.value() <= INT32_MAX;
  case ElementType::Bool:
    return false;
  default:
    return true;
  }
}

std::string numberText(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

std::optional<Value> literalAs(OpEmitter &emit, const Value &literal, ElementType element) {
  Type scalar = Type::tensor(element);
  if (const double *number = literal.number())
    return isFloat(element) ? std::optional(emit.constant(scalar, *number, literal.span())) : std::nullopt;
  const Dim *dim = literal.dim();
  if (!dim || !dim->isConstant() || !fits(*dim, element))
    return std::nullopt;
  // An i32 stays known to the compiler, so that it may still serve as an axis or an extent.
  if (element == ElementType::I32)
    return Value::dimension(*dim, literal.span());
  return emit.constant(scalar, *dim, literal.span());
}

Value withDefaultType(OpEmitter &emit, const Value &value) {
  switch (value.getType().kind()) {
  case Type::Kind::IntLiteral:
    if (std::optional<Value> small = literalAs(emit, value, ElementType::I32))
      return *small;
    return *literalAs(emit, value, ElementType::I64);
  case Type::Kind::FloatLiteral:
    return *literalAs(emit, value, ElementType::F32);
  case Type::Kind::Tuple: {
    std::vector<Value> elements;
    for (const Value &element : value.elements())
      elements.push_back(withDefaultType(emit, element));
    return Value::tuple(elements, value.span());
  }
  default:
    return value;
  }
}

std::optional<Value> coerce(OpEmitter &emit, const Value &value, const Type &target) {
  const Type &type = value.getType();
  if (type.isError() || target.isError() || type == target)
    return value;
  if (type.isLiteral() && target.isScalar())
    return literalAs(emit, value, target.element());
  if (!type.isTuple() || !target.isTuple() || type.elements().size() != target.elements().size())
    return std::nullopt;
  std::vector<Value> elements;
  for (auto [element, wanted] : llvm::zip(value.elements(), target.elements())) {
    std::optional<Value> converted = coerce(emit, element, wanted);
    if (!converted)
      return std::nullopt;
    elements.push_back(*converted);
  }
  return Value::tuple(elements, value.span());
}

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

/// Where the two operands came from, unless that is where the error already points.
static void noteOperands(Diagnostic &report, Span at, const Value &a, const Value &b) {
  for (const Value *operand : {&a, &b})
    if (!(operand->span() == at))
      report.note(operand->span(), "this is " + operand->getType().str());
}

/// Whether the value is a dimension rather than something computed.
static bool isDimension(const Value &value) { return value.dim() && !value.getType().isLiteral(); }

static void reportLiteral(Call &call, const Value &literal, const Value &other) {
  std::string element = spelling(other.getType().element()).str();
  if (literal.number()) {
    Diagnostic &report =
        call.error(call.context.callee, "a float literal cannot be combined with " + other.getType().str());
    noteOperands(report, call.context.callee, literal, other);
    report.hint(isDimension(other)
                    ? "a dimension is an i32: cast(" + other.dim()->str() + ", f32) converts it"
                    : "cast(x, f32) converts the " + element);
    return;
  }
  Diagnostic &report = call.error(
      call.context.callee, other.getType().element() == ElementType::Bool
                               ? "an int literal cannot be combined with " + other.getType().str()
                               : "the literal " + literal.dim()->str() + " does not fit in " + element);
  noteOperands(report, call.context.callee, literal, other);
}

std::optional<std::vector<Value>> unifyElements(Call &call, llvm::ArrayRef<Value> operands) {
  const Value *model =
      llvm::find_if(operands, [](const Value &operand) { return operand.getType().isTensor(); });
  std::vector<Value> result;
  if (model == operands.end()) {
    bool anyFloat = llvm::any_of(operands, [](const Value &operand) { return operand.number() != nullptr; });
    for (const Value &operand : operands)
      result.push_back(anyFloat ? *literalAs(call.emit, operand, ElementType::F32)
                                : withDefaultType(call.emit, operand));
    return result;
  }
  ElementType element = model->getType().element();
  for (const Value &operand : operands) {
    if (operand.getType().isLiteral()) {
      std::optional<Value> converted = literalAs(call.emit, operand, element);
      if (!converted) {
        reportLiteral(call, operand, *model);
        return std::nullopt;
      }
      result.push_back(*converted);
      continue;
    }
    if (operand.getType().element() != element) {
      Diagnostic &report =
          call.error(call.context.callee, call.name().str() + " combines " + model->getType().str() +
                                              " with " + operand.getType().str() +
                                              ", and element types are not converted implicitly");
      noteOperands(report, call.context.callee, *model, operand);
      bool floats = isFloat(element) || !isFloat(operand.getType().element());
      const Value &odd = floats ? operand : *model;
      ElementType wanted = floats ? element : operand.getType().element();
      std::string what = isDimension(odd) ? odd.dim()->str() : "x";
      report.hint("cast(" + what + ", " + spelling(wanted).str() + ") converts the " +
                  spelling(odd.getType().element()).str());
      return std::nullopt;
    }
    result.push_back(operand);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

std::optional<llvm::SmallVector<Dim>> broadcastShapes(Call &call, llvm::ArrayRef<Value> operands) {
  size_t rank = 0;
  for (const Value &operand : operands)
    rank = std::max(rank, operand.getType().rank());
  llvm::SmallVector<Dim> dims(rank, Dim(1));
  llvm::SmallVector<const Value *> source(rank, nullptr); // the operand that gave each extent
  for (const Value &operand : operands) {
    size_t shift = rank - operand.getType().rank();
    for (auto [index, dim] : llvm::enumerate(operand.getType().dims())) {
      size_t axis = index + shift;
      if (dim.isConstant(1) || dim == dims[axis])
        continue;
      if (dims[axis].isConstant(1)) {
        dims[axis] = dim;
        source[axis] = &operand;
        continue;
      }
      const Value &other = source[axis] ? *source[axis] : operands.front();
      Diagnostic &report =
          call.error(call.context.callee, "cannot broadcast " + other.getType().str() + " with " +
                                              operand.getType().str() + ": " + dims[axis].str() + " and " +
                                              dim.str() + " differ on axis -" + std::to_string(rank - axis));
      noteOperands(report, call.context.callee, other, operand);
      llvm::ArrayRef<Dim> a = other.getType().dims(), b = operand.getType().dims();
      bool leading = a.size() > b.size() && llvm::equal(a.take_front(b.size()), b);
      leading |= b.size() > a.size() && llvm::equal(b.take_front(a.size()), a);
      report.hint(leading ? "axes are matched from the last: expand_dims(x, axis = -1) adds one there"
                          : "axes are matched from the last, and must be equal or literally 1");
      return std::nullopt;
    }
  }
  return dims;
}

std::optional<std::vector<Value>> broadcastTogether(Call &call, llvm::ArrayRef<Value> operands) {
  std::optional<std::vector<Value>> unified = unifyElements(call, operands);
  if (!unified)
    return std::nullopt;
  std::optional<llvm::SmallVector<Dim>> dims = broadcastShapes(call, *unified);
  if (!dims)
    return std::nullopt;
  for (Value &operand : *unified)
    operand = call.emit.broadcastTo(operand, *dims, call.span());
  return unified;
}

} // namespace heddle::frontend
