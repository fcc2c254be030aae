//===- Differentiate.cpp - grad, value_and_grad, vjp, jvp -------------------===//
#include "compiler/frontend/builtins/Math.h"

namespace heddle::frontend {

namespace {

enum class Mode : uint8_t { Grad, ValueAndGrad, Vjp, Jvp };

constexpr llvm::StringLiteral modeNames[] = {"grad", "value_and_grad", "vjp", "jvp"};

/// A parameter that is differentiated, as it was named.
struct Wrt {
  std::string name; // or empty
  int64_t position = 0;
};

/// What `grad(f, wrt = …)` evaluates to.
class Derivative : public Callable {
public:
  Derivative(Mode mode, const Value &inner, std::vector<Wrt> wrt, Span wrtSpan)
      : mode(mode), inner(inner), wrt(std::move(wrt)), wrtSpan(wrtSpan) {}

  Value call(CallContext &context) const override;
  std::string describe() const override {
    return modeNames[size_t(mode)].str() + "(" + inner.callable()->describe() + ")";
  }

  bool hasSeed() const { return mode == Mode::Vjp || mode == Mode::Jvp; }
  const char *seedName() const { return mode == Mode::Vjp ? "cotangent" : "tangent"; }

  const Mode mode;
  const Value inner;

private:
  std::optional<llvm::SmallVector<size_t>> resolve(CallContext &context, llvm::ArrayRef<Value> args) const;
  std::optional<llvm::SmallVector<mlir::Value>> seeds(CallContext &context, const Value &seed,
                                                      const Type &wanted) const;

  std::vector<Wrt> wrt;
  Span wrtSpan;
};

} // namespace

//===----------------------------------------------------------------------===//
// Arguments of functions that may be derivatives themselves
//===----------------------------------------------------------------------===//

static const Derivative *asDerivative(const Value &callee) {
  return dynamic_cast<const Derivative *>(callee.callable());
}

static std::vector<ParameterInfo> parametersOf(Evaluator &evaluator, const Value &callee) {
  const Derivative *derivative = asDerivative(callee);
  if (!derivative)
    return evaluator.parameters(callee);
  std::vector<ParameterInfo> parameters = parametersOf(evaluator, derivative->inner);
  if (derivative->hasSeed() && !parameters.empty())
    parameters.push_back({derivative->seedName(), false});
  return parameters;
}

/// Takes the cotangent or tangent out of the arguments: the one of that name, else the last positional one.
static std::optional<Argument> takeSeed(const char *name, std::vector<Argument> &args) {
  for (auto place = args.begin(); place != args.end(); ++place)
    if (place->name == name) {
      Argument seed = *place;
      args.erase(place);
      return seed;
    }
  for (size_t i = args.size(); i-- > 0;)
    if (args[i].name.empty()) {
      Argument seed = args[i];
      args.erase(args.begin() + int64_t(i));
      return seed;
    }
  return std::nullopt;
}

static std::optional<std::vector<Value>> bindArguments(CallContext &context, const Value &callee,
                                                       std::vector<Argument> args) {
  const Derivative *derivative = asDerivative(callee);
  if (!derivative)
    return context.evaluator.bind(callee, args, context.span);
  std::optional<Argument> seed;
  if (derivative->hasSeed()) {
    seed = takeSeed(derivative->seedName(), args);
    if (!seed) {
      context.diagnostics.error(context.span,
                                derivative->describe() + " is called without its " + derivative->seedName());
      return std::nullopt;
    }
  }
  std::optional<std::vector<Value>> values = bindArguments(context, derivative->inner, args);
  if (values && seed)
    values->push_back(seed->value);
  return values;
}

//===----------------------------------------------------------------------===//
// Application
//===----------------------------------------------------------------------===//

static bool hasFloatLeaves(const Type &type) {
  return llvm::any_of(type.leaves(), [](const Type::Leaf &leaf) { return leaf.type.isFloatTensor(); });
}

std::optional<llvm::SmallVector<size_t>> Derivative::resolve(CallContext &context,
                                                             llvm::ArrayRef<Value> args) const {
  std::vector<ParameterInfo> parameters = parametersOf(context.evaluator, inner);
  llvm::SmallVector<size_t> result;
  std::string function = inner.callable()->describe();
  for (const Wrt &item : wrt) {
    size_t index = size_t(item.position);
    if (!item.name.empty()) {
      std::vector<std::string> names;
      for (const ParameterInfo &parameter : parameters)
        names.push_back(parameter.name);
      index = size_t(llvm::find(names, item.name) - names.begin());
      if (index == names.size()) {
        std::string near = nearest(item.name, names);
        Diagnostic &error = context.diagnostics.error(wrtSpan, function + " has no parameter '" + item.name +
                                                                   "' to differentiate in");
        if (!near.empty())
          error.hint("did you mean '" + near + "'?");
        return std::nullopt;
      }
    }
    if (index >= args.size()) {
      context.diagnostics.error(wrtSpan, "wrt = " + std::to_string(item.position) + ", but " + function +
                                             " has " + std::to_string(args.size()) +
                                             (args.size() == 1 ? " parameter" : " parameters"));
      return std::nullopt;
    }
    std::string name = index < parameters.size() && !parameters[index].name.empty()
                           ? "'" + parameters[index].name + "'"
                           : std::to_string(index);
    if (!hasFloatLeaves(args[index].getType())) {
      Diagnostic &error = context.diagnostics.error(
          context.span, modeNames[size_t(mode)].str() + " differentiates in parameter " + name +
                            ", but integers have no derivative: it is " + args[index].getType().str());
      if (wrt.size() == 1 && args.size() > 1)
        error.hint("wrt = names another parameter");
      return std::nullopt;
    }
    if (llvm::is_contained(result, index)) {
      context.diagnostics.error(wrtSpan, "parameter " + name + " stands twice in wrt");
      return std::nullopt;
    }
    result.push_back(index);
  }
  return result;
}

/// The floating-point leaves of a cotangent or tangent of the given type; empty in check mode.
std::optional<llvm::SmallVector<mlir::Value>> Derivative::seeds(CallContext &context, const Value &seed,
                                                                const Type &wanted) const {
  std::optional<Value> value = coerce(context.emit, seed, wanted);
  if (!value) {
    context.diagnostics
        .error(context.span, describe() + " needs a " + seedName() + " of type " + wanted.str() +
                                 ", but it is " + seed.getType().str())
        .note(seed.span(), std::string("the ") + seedName());
    return std::nullopt;
  }
  llvm::SmallVector<mlir::Value> all = context.emit.leaves(*value), floats;
  for (auto [leaf, ssa] : llvm::zip(wanted.leaves(), all))
    if (leaf.type.isFloatTensor())
      floats.push_back(ssa);
  return floats;
}

/// A value of `type` from the derivatives of its floating-point leaves, taken from the front of `floats`;
/// integer leaves are 0.
static Value derivativeValue(CallContext &context, const Type &type, llvm::ArrayRef<mlir::Value> &floats) {
  llvm::SmallVector<mlir::Value> leaves;
  if (context.emit.isEmitting())
    for (const Type::Leaf &leaf : type.leaves()) {
      if (!leaf.type.isFloatTensor()) {
        leaves.push_back(context.emit.leaf(context.emit.constant(leaf.type, Dim(0), context.span)));
        continue;
      }
      leaves.push_back(floats.front());
      floats = floats.drop_front();
    }
  return Value::ofLeaves(type, leaves, context.span);
}

Value Derivative::call(CallContext &context) const {
  OpEmitter &emit = context.emit;
  std::vector<Argument> given = context.args;
  std::optional<Argument> seed;
  if (hasSeed() && !(seed = takeSeed(seedName(), given))) {
    context.diagnostics.error(context.span, describe() + " is called without its " + seedName())
        .hint(std::string("the ") + seedName() + " stands after the function's arguments");
    return Value::error();
  }
  std::optional<std::vector<Value>> args = bindArguments(context, inner, given);
  if (!args)
    return Value::error();
  for (Value &arg : *args) {
    arg = withDefaultType(emit, arg);
    if (arg.isError())
      return Value::error();
  }
  std::optional<llvm::SmallVector<size_t>> positions = resolve(context, *args);
  if (!positions)
    return Value::error();
  std::optional<Outlined> function = context.evaluator.outline(inner, *args, context.span);
  if (!function || function->result.isError())
    return Value::error();
  const Type &result = function->result;
  bool needsScalar = mode == Mode::Grad || mode == Mode::ValueAndGrad;
  if (needsScalar && !(result.isScalar() && result.isFloatTensor())) {
    Diagnostic &error = context.diagnostics.error(
        context.span, modeNames[size_t(mode)].str() +
                          " needs a function with one floating-point scalar as its result, but " +
                          inner.callable()->describe() + " gives " + result.str());
    error.hint(result.isFloatTensor() ? "sum or mean makes a scalar of it; vjp takes a cotangent of any shape"
                                      : "vjp takes a cotangent for every floating-point result");
    return Value::error();
  }

  std::vector<Type> differentiated;
  llvm::SmallVector<int64_t> wrtLeaves;
  llvm::SmallVector<Type> floatTypes;
  for (size_t position : *positions) {
    differentiated.push_back((*args)[position].getType());
    size_t first = 0;
    for (size_t before = 0; before < position; ++before)
      first += (*args)[before].getType().leafCount();
    for (const auto &[index, leaf] : llvm::enumerate(differentiated.back().leaves()))
      if (leaf.type.isFloatTensor()) {
        wrtLeaves.push_back(int64_t(first + index));
        floatTypes.push_back(leaf.type);
      }
  }
  Type inputs = differentiated.size() == 1 ? differentiated.front() : Type::tuple(differentiated);
  Type seeded = mode == Mode::Jvp ? inputs : result;
  std::optional<llvm::SmallVector<mlir::Value>> seedLeaves =
      seed ? seeds(context, seed->value, seeded)
           : std::optional(emit.leaves(emit.constant(result, 1.0, context.span)));
  if (!seedLeaves)
    return Value::error();

  llvm::SmallVector<mlir::Value> made;
  size_t resultCount = result.leafCount();
  if (emit.isEmitting()) {
    llvm::SmallVector<mlir::Value> operands;
    for (const Value &arg : *args)
      operands.append(emit.leaves(arg));
    operands.append(function->captures);
    llvm::SmallVector<Type> types;
    for (const Type::Leaf &leaf : result.leaves())
      types.push_back(leaf.type);
    if (mode == Mode::Jvp) {
      for (const Type::Leaf &leaf : result.leaves())
        if (leaf.type.isFloatTensor())
          types.push_back(leaf.type);
      made = emit.jvp(function->symbol, operands, *seedLeaves, wrtLeaves, types, context.span);
    } else {
      types.append(floatTypes);
      made = emit.vjp(function->symbol, operands, *seedLeaves, wrtLeaves, types, context.span);
    }
  }
  llvm::ArrayRef<mlir::Value> all = made;
  llvm::ArrayRef<mlir::Value> values = all.take_front(std::min(resultCount, all.size()));
  llvm::ArrayRef<mlir::Value> floats = all.drop_front(values.size());
  Value derivative = derivativeValue(context, mode == Mode::Jvp ? result : inputs, floats);
  if (mode == Mode::Grad)
    return derivative;
  return Value::tuple({Value::ofLeaves(result, values, context.span), derivative}, context.span);
}

//===----------------------------------------------------------------------===//
// Builtins
//===----------------------------------------------------------------------===//

template <Mode mode>
static Value differentiate(Call &call) {
  const Value &function = call["f"];
  if (!function.callable()) {
    call.errorAt("f", call.name().str() + " needs a function, not " + function.getType().str())
        .hint("write for example " + call.name().str() + "(loss)(p, batch)");
    return Value::error();
  }
  std::vector<Wrt> wrt;
  if (call.has("wrt")) {
    const Value &given = call["wrt"];
    llvm::ArrayRef<Value> items = given.getType().isTuple() ? given.elements() : llvm::ArrayRef<Value>(given);
    for (const Value &item : items) {
      const Dim *position = item.dim();
      if (item.text()) {
        wrt.push_back({*item.text(), 0});
      } else if (position && position->isConstant() && position->value() >= 0) {
        wrt.push_back({"", position->value()});
      } else {
        call.errorAt("wrt", "'wrt' names parameters or gives their positions from 0, but it is " +
                                (position ? position->str() : item.getType().str()))
            .hint("write wrt = \"p\", wrt = 0 or wrt = (0, 1)");
        return Value::error();
      }
    }
    if (wrt.empty()) {
      call.errorAt("wrt", "'wrt' names no parameter");
      return Value::error();
    }
  } else {
    wrt.push_back({"", 0});
  }
  return Value::function(std::make_shared<const Derivative>(mode, function, wrt, call.spanOf("wrt")),
                         call.span());
}

static Value stopGradient(Call &call) {
  const Value x = withDefaultType(call.emit, call["x"]);
  if (x.getType().leafCount() == 0) {
    call.errorAt("x", "stop_gradient needs a value made of tensors, not " + x.getType().str());
    return Value::error();
  }
  llvm::SmallVector<mlir::Value> leaves = call.emit.leaves(x);
  for (auto [leaf, ssa] : llvm::zip(x.getType().leaves(), leaves))
    if (leaf.type.isFloatTensor())
      ssa = call.emit.leaf(
          call.emit.unary(UnaryKind::StopGradient, Value::ofLeaves(leaf.type, ssa, x.span()), call.span()));
  return Value::ofLeaves(x.getType(), leaves, call.span());
}

llvm::ArrayRef<Builtin> differentiateBuiltins() {
  static const Builtin table[] = {
      {"grad", "grad(f, wrt = 0)", "A function that gives the gradient of f.", differentiate<Mode::Grad>},
      {"value_and_grad", "value_and_grad(f, wrt = 0)", "A function that gives (value, gradient) of f.",
       differentiate<Mode::ValueAndGrad>},
      {"vjp", "vjp(f, wrt = 0)", "A function of f's arguments and a cotangent that gives (value, gradient).",
       differentiate<Mode::Vjp>},
      {"jvp", "jvp(f, wrt = 0)", "A function of f's arguments and a tangent that gives (value, tangent).",
       differentiate<Mode::Jvp>},
      {"stop_gradient", "stop_gradient(x)", "x, through which no derivative passes.", stopGradient},
  };
  return table;
}

} // namespace heddle::frontend
