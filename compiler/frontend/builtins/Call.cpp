//===- Call.cpp - The arguments of a builtin's call -------------------------===//
#include "compiler/frontend/builtins/Call.h"
#include "llvm/ADT/STLExtras.h"

namespace heddle::frontend {

//===----------------------------------------------------------------------===//
// Binding
//===----------------------------------------------------------------------===//

namespace {
struct Parameter {
  llvm::StringRef name;
  bool optional = false;
  bool variadic = false;
  bool anyName = false; // `**sizes`: takes every other named argument
};
} // namespace

static llvm::SmallVector<Parameter> parseSignature(llvm::StringRef signature) {
  llvm::SmallVector<Parameter> parameters;
  llvm::StringRef list = signature.split('(').second;
  list = list.take_front(list.rfind(')'));
  // Defaults such as `(0, 1)` contain commas; only those outside brackets separate.
  while (!list.empty()) {
    size_t end = 0;
    for (int depth = 0; end < list.size() && (depth > 0 || list[end] != ','); ++end)
      depth += list[end] == '(' ? 1 : list[end] == ')' ? -1 : 0;
    auto [name, standard] = list.take_front(end).split('=');
    Parameter parameter;
    parameter.name = name.trim();
    parameter.optional = !standard.empty() || parameter.name.consume_back("?");
    parameter.variadic = parameter.name.consume_back("...");
    parameter.anyName = parameter.name.consume_front("**");
    parameter.optional |= parameter.anyName;
    parameters.push_back(parameter);
    list = list.drop_front(std::min(end + 1, list.size()));
  }
  return parameters;
}

static bool dependsOnTypeParameter(const Type &type) {
  return type.kind() == Type::Kind::Variable || llvm::any_of(type.elements(), dependsOnTypeParameter) ||
         llvm::any_of(type.fields(),
                      [](const Type::Field &field) { return dependsOnTypeParameter(field.type); });
}

static std::string countOf(size_t count) {
  return std::to_string(count) + (count == 1 ? " argument" : " arguments");
}

std::optional<Call> Call::bind(CallContext &context, llvm::StringRef signature) {
  Call call(context);
  llvm::SmallVector<Parameter> parameters = parseSignature(signature);
  for (const Argument &argument : context.args)
    if (argument.value.isError() || dependsOnTypeParameter(argument.value.getType()))
      return std::nullopt;

  std::string usage = "usage: " + signature.str();
  size_t position = 0;
  const Argument *firstNamed = nullptr;
  for (const Argument &argument : context.args) {
    const Parameter *parameter = nullptr;
    if (argument.name.empty()) {
      if (firstNamed) {
        call.error(argument.span,
                   "a positional argument stands after the named argument '" + firstNamed->name + "'")
            .note(firstNamed->span, "the named argument");
        return std::nullopt;
      }
      if (position < parameters.size() && parameters[position].variadic) {
        call.variadic.push_back(argument);
        continue;
      }
      if (position == parameters.size() || parameters[position].anyName) {
        size_t given = llvm::count_if(context.args, [](const Argument &other) { return other.name.empty(); });
        call.error(argument.span, context.name + " takes at most " + countOf(position) + ", but " +
                                      std::to_string(given) + " are given")
            .hint(usage);
        return std::nullopt;
      }
      parameter = &parameters[position++];
    } else {
      firstNamed = firstNamed ? firstNamed : &argument;
      parameter =
          llvm::find_if(parameters, [&](const Parameter &other) { return other.name == argument.name; });
      bool unknown = parameter == parameters.end() || parameter->variadic || parameter->anyName;
      if (unknown && !parameters.empty() && parameters.back().anyName) {
        call.others.push_back(argument);
        continue;
      }
      if (unknown) {
        std::vector<std::string> names;
        for (const Parameter &other : parameters)
          names.push_back(other.name.str());
        std::string near = nearest(argument.name, names);
        Diagnostic &error = call.error(argument.nameSpan.end ? argument.nameSpan : argument.span,
                                       context.name + " has no parameter '" + argument.name + "'");
        if (!near.empty())
          error.hint("did you mean '" + near + "'?");
        error.hint(usage);
        return std::nullopt;
      }
    }
    if (const Argument *earlier = call.find(parameter->name)) {
      call.error(argument.span, "argument '" + parameter->name.str() + "' is given twice")
          .note(earlier->span, "first given here");
      return std::nullopt;
    }
    call.bound.push_back({parameter->name, &argument});
  }
  for (const Parameter &parameter : parameters) {
    bool missing = parameter.variadic ? call.variadic.empty() && !parameter.optional
                                      : !parameter.optional && !call.has(parameter.name);
    if (!missing)
      continue;
    call.error(context.callee,
               context.name + " is called without its argument '" + parameter.name.str() + "'")
        .hint(usage);
    return std::nullopt;
  }
  return call;
}

const Argument *Call::find(llvm::StringRef parameter) const {
  for (auto [name, argument] : bound)
    if (name == parameter)
      return argument;
  return nullptr;
}

Span Call::spanOf(llvm::StringRef parameter) const {
  const Argument *argument = find(parameter);
  return argument ? argument->span : context.callee;
}

Diagnostic &Call::errorAt(llvm::StringRef parameter, std::string message) {
  return error(spanOf(parameter), std::move(message));
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

/// `'x'` for a function's argument, `the operand` for an operator's.
static std::string named(const Call &call, llvm::StringRef parameter) {
  return llvm::isAlpha(call.name().front()) ? "'" + parameter.str() + "'" : "an operand";
}

std::optional<Value> Call::asTensor(const Value &value, const std::string &what, Span span) {
  Value tensor = withDefaultType(emit, value);
  if (tensor.getType().isTensor())
    return tensor;
  Diagnostic &report =
      error(span, name().str() + " needs a tensor, but " + what + " is " + value.getType().str());
  if (value.getType().isStruct() || value.getType().isStack())
    report.hint("map_leaves applies a function to every tensor of a struct");
  return std::nullopt;
}

std::optional<Value> Call::tensor(llvm::StringRef parameter) {
  return asTensor((*this)[parameter], named(*this, parameter), spanOf(parameter));
}

std::optional<Value> Call::floatTensor(llvm::StringRef parameter) {
  // An integer literal stands for the float it is.
  if (const Value &given = (*this)[parameter]; given.getType().kind() == Type::Kind::IntLiteral)
    return literalAs(emit, given, ElementType::F32);
  std::optional<Value> value = tensor(parameter);
  if (!value || value->getType().isFloatTensor())
    return value;
  errorAt(parameter, name().str() + " needs a floating-point tensor, but " + named(*this, parameter) +
                         " is " + value->getType().str())
      .hint("cast(x, f32) converts it");
  return std::nullopt;
}

std::optional<Value> Call::numberTensor(llvm::StringRef parameter) {
  std::optional<Value> value = tensor(parameter);
  if (!value || value->getType().element() != ElementType::Bool)
    return value;
  errorAt(parameter,
          name().str() + " needs numbers, but " + named(*this, parameter) + " is " + value->getType().str())
      .hint("cast(x, i32) converts truth values to 0 and 1");
  return std::nullopt;
}

std::optional<Value> Call::indexTensor(llvm::StringRef parameter) {
  std::optional<Value> value = tensor(parameter);
  if (!value || value->getType().element() == ElementType::I32 ||
      value->getType().element() == ElementType::I64)
    return value;
  errorAt(parameter, name().str() + " needs i32 or i64 indices, but " + named(*this, parameter) + " is " +
                         value->getType().str())
      .hint("cast(x, i32) converts it");
  return std::nullopt;
}

std::optional<Value> Call::tensorLike(llvm::StringRef parameter, const Value &like) {
  const Value &given = (*this)[parameter];
  ElementType element = like.getType().element();
  if (given.getType().isLiteral())
    if (std::optional<Value> literal = literalAs(emit, given, element))
      return literal;
  std::optional<Value> value = tensor(parameter);
  if (!value || value->getType().element() == element)
    return value;
  errorAt(parameter, name().str() + " needs " + spelling(element).str() + " for " + named(*this, parameter) +
                         ", but it is " + value->getType().str())
      .note(like.span(), "to go with this " + like.getType().str())
      .hint("cast(x, " + spelling(element).str() + ") converts it");
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Compile-time values
//===----------------------------------------------------------------------===//

std::optional<bool> Call::flag(llvm::StringRef parameter, bool otherwise) {
  if (!has(parameter))
    return otherwise;
  if (const bool *known = (*this)[parameter].boolean())
    return *known;
  errorAt(parameter, "'" + parameter.str() + "' must be true or false, known to the compiler, not " +
                         (*this)[parameter].getType().str());
  return std::nullopt;
}

std::optional<Dim> Call::asInteger(const Value &value, const std::string &what, Span span) {
  if (const Dim *dim = value.dim())
    return *dim;
  Diagnostic &report = error(span, what + " must be an integer known to the compiler, not " +
                                       (value.isConstant() ? "" : "a computed ") + value.getType().str());
  if (value.getType().isScalar())
    report.hint("literals, dimensions and their arithmetic are known to the compiler");
  return std::nullopt;
}

std::optional<Dim> Call::integer(llvm::StringRef parameter) {
  return asInteger((*this)[parameter], "'" + parameter.str() + "'", spanOf(parameter));
}

std::optional<std::string> Call::choice(llvm::StringRef parameter, llvm::ArrayRef<llvm::StringRef> choices) {
  if (!has(parameter))
    return choices.front().str();
  const std::string *text = (*this)[parameter].text();
  if (text && llvm::is_contained(choices, *text))
    return *text;
  std::string list;
  for (auto [index, item] : llvm::enumerate(choices))
    list += (index == 0 ? "" : index + 1 == choices.size() ? " or " : ", ") + ("\"" + item.str() + "\"");
  errorAt(parameter, "'" + parameter.str() + "' must be " + list + ", not " +
                         (text ? "\"" + *text + "\"" : (*this)[parameter].getType().str()));
  return std::nullopt;
}

std::optional<double> Call::number(llvm::StringRef parameter, double otherwise) {
  if (!has(parameter))
    return otherwise;
  const Value &value = (*this)[parameter];
  if (const double *known = value.number())
    return *known;
  if (const Dim *dim = value.dim(); dim && value.getType().isLiteral())
    return double(dim->value());
  errorAt(parameter, "'" + parameter.str() + "' must be a number literal, not " + value.getType().str());
  return std::nullopt;
}

std::optional<Value> Call::scalar(llvm::StringRef parameter, ElementType element, double otherwise) {
  if (!has(parameter))
    return emit.constant(Type::tensor(element), otherwise, span());
  if (const Value &given = (*this)[parameter]; given.getType().isLiteral())
    return literalAs(emit, given, element);
  std::optional<Value> value = floatTensor(parameter);
  if (!value)
    return std::nullopt;
  if (value->getType().isScalar())
    return emit.cast(*value, element, span());
  errorAt(parameter,
          name().str() + " needs a scalar for '" + parameter.str() + "', not " + value->getType().str());
  return std::nullopt;
}

bool Call::requireExtent(const Dim &extent, Span span) {
  if (extent.compare(0) != -1)
    return true;
  error(span, name().str() + " with an extent of " + extent.str() + ", below 0");
  return false;
}

std::optional<Type> Call::type(llvm::StringRef parameter) {
  const Value &value = (*this)[parameter];
  if (value.getType().kind() == Type::Kind::TypeValue)
    return value.getType().elements().front();
  errorAt(parameter, name().str() + " needs a type for " + named(*this, parameter) +
                         ", such as f32[N, D], but it is " + value.getType().str());
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Axes and lists
//===----------------------------------------------------------------------===//

std::optional<int64_t> Call::asAxis(const Value &value, const Type &of, Span span, size_t extra) {
  std::optional<Dim> dim = asInteger(value, "an axis", span);
  if (!dim)
    return std::nullopt;
  int64_t rank = int64_t(of.rank() + extra);
  if (!dim->isConstant()) {
    error(span, "an axis must be a number, not the dimension " + dim->str());
    return std::nullopt;
  }
  int64_t axis = dim->value();
  if (axis >= -rank && axis < rank)
    return axis < 0 ? axis + rank : axis;
  error(span, "axis " + std::to_string(axis) + " is out of range for " + of.str())
      .hint(rank == 0 ? "a scalar has no axes"
                      : "its axes are 0 to " + std::to_string(rank - 1) + ", or -" + std::to_string(rank) +
                            " to -1 from the end");
  return std::nullopt;
}

std::optional<int64_t> Call::axis(llvm::StringRef parameter, const Value &x, std::optional<int64_t> otherwise,
                                  size_t extra) {
  if (has(parameter))
    return asAxis((*this)[parameter], x.getType(), spanOf(parameter), extra);
  return asAxis(Value::intLiteral(otherwise.value_or(-1), context.callee), x.getType(), context.callee,
                extra);
}

std::optional<llvm::SmallVector<int64_t>> Call::axes(llvm::StringRef parameter, const Value &x) {
  llvm::SmallVector<int64_t> result;
  if (!has(parameter)) {
    for (size_t i = 0; i < x.getType().rank(); ++i)
      result.push_back(int64_t(i));
    return result;
  }
  const Value &given = (*this)[parameter];
  llvm::ArrayRef<Value> items = given.getType().isTuple() ? given.elements() : llvm::ArrayRef<Value>(given);
  for (const Value &item : items) {
    std::optional<int64_t> axis = asAxis(item, x.getType(), spanOf(parameter));
    if (!axis)
      return std::nullopt;
    if (llvm::is_contained(result, *axis)) {
      error(spanOf(parameter),
            "axis " + std::to_string(*axis) + " of " + x.getType().str() + " is named twice");
      return std::nullopt;
    }
    result.push_back(*axis);
  }
  llvm::sort(result);
  return result;
}

std::vector<std::pair<Value, Span>> Call::items() const {
  std::vector<std::pair<Value, Span>> result;
  if (rest().size() == 1 && rest().front().value.getType().isTuple()) {
    for (const Value &item : rest().front().value.elements())
      result.push_back({item, rest().front().span});
    return result;
  }
  for (const Argument &argument : rest())
    result.push_back({argument.value, argument.span});
  return result;
}

std::optional<llvm::SmallVector<Dim>> Call::dimensions(const std::string &what) {
  llvm::SmallVector<Dim> dims;
  for (const auto &[item, span] : items()) {
    std::optional<Dim> dim = asInteger(item, what, span);
    if (!dim)
      return std::nullopt;
    dims.push_back(*dim);
  }
  return dims;
}

std::optional<std::vector<Value>> Call::tensors(const std::string &what) {
  std::vector<Value> operands;
  for (const auto &[item, span] : items()) {
    operands.push_back(item);
    if (item.getType().isLiteral())
      continue;
    std::optional<Value> tensor = asTensor(item, what, span);
    if (!tensor)
      return std::nullopt;
    operands.back() = *tensor;
  }
  if (!operands.empty())
    return unifyElements(*this, operands);
  error(context.callee, name().str() + " needs at least one tensor");
  return std::nullopt;
}

} // namespace heddle::frontend
