//===- Make.cpp - Values made from a type or a number -----------------------===//
#include "compiler/frontend/builtins/Math.h"

namespace heddle::frontend {

/// A value of any type, leaf by leaf; `make` gives a tensor of the leaf's type, or a poisoned value after an
/// error.
static Value fromType(Call &call, const Type &type,
                      llvm::function_ref<Value(const Type::Leaf &leaf, int64_t index)> make) {
  if (type.leafCount() == 0) {
    call.errorAt("type", call.name().str() + " needs a type of tensors, not " + type.str());
    return Value::error();
  }
  llvm::SmallVector<mlir::Value> leaves;
  for (const auto &[index, leaf] : llvm::enumerate(type.leaves())) {
    Value value = make(leaf, int64_t(index));
    if (value.isError())
      return value;
    if (call.emit.isEmitting())
      leaves.push_back(call.emit.leaf(value));
  }
  return Value::ofLeaves(type, leaves, call.span());
}

template <int number>
static Value filled(Call &call) {
  std::optional<Type> type = call.type("type");
  if (!type)
    return Value::error();
  return fromType(call, *type, [&](const Type::Leaf &leaf, int64_t) {
    return call.emit.constant(leaf.type, Dim(number), call.span());
  });
}

/// `leaf 'm.w' of Model[V], f32[V]`; only the type for a tensor.
static std::string describe(const Type &whole, const Type::Leaf &leaf) {
  return leaf.name.empty() ? leaf.type.str()
                           : "leaf '" + leaf.name + "' of " + whole.str() + ", " + leaf.type.str();
}

static Value full(Call &call) {
  std::optional<Type> type = call.type("type");
  if (!type)
    return Value::error();
  return fromType(call, *type, [&](const Type::Leaf &leaf, int64_t) {
    const Value &given = call["x"];
    std::optional<Value> scalar = given.getType().isLiteral()
                                      ? literalAs(call.emit, given, leaf.type.element())
                                  : given.getType().isScalar(leaf.type.element()) ? std::optional(given)
                                                                                  : std::nullopt;
    if (scalar)
      return call.emit.broadcastTo(*scalar, leaf.type.dims(), call.span());
    call.errorAt("x", "full needs a scalar of " + spelling(leaf.type.element()).str() + " for " +
                          describe(*type, leaf) + ", not " + given.getType().str());
    return Value::error();
  });
}

static std::optional<Value> keyArgument(Call &call) {
  const Value &key = call["key"];
  if (key.getType().isLiteral())
    if (std::optional<Value> literal = literalAs(call.emit, key, ElementType::I64))
      return literal;
  if (key.getType().isScalar(ElementType::I64))
    return key;
  Diagnostic &report = call.errorAt("key", "a key is an i64 scalar, not " + key.getType().str());
  if (key.getType().isScalar() && isInteger(key.getType().element()))
    report.hint("cast(key, i64) converts it");
  return std::nullopt;
}

template <RandomKind kind>
static Value random(Call &call) {
  std::optional<Type> type = call.type("type");
  std::optional<Value> key = keyArgument(call);
  if (!type || !key)
    return Value::error();
  return fromType(call, *type, [&](const Type::Leaf &leaf, int64_t stream) {
    if (isFloat(leaf.type.element()))
      return call.emit.random(kind, *key, stream, leaf.type, call.span());
    call.errorAt("type", call.name().str() + " makes floating-point numbers, but the type is " +
                             describe(*type, leaf))
        .hint("floor(random_uniform(f32[N], key) * 10.0) and cast make integers");
    return Value::error();
  });
}

static Value foldIn(Call &call) {
  std::optional<Value> key = keyArgument(call), data = call.indexTensor("data");
  if (!key || !data)
    return Value::error();
  if (!data->getType().isScalar()) {
    call.errorAt("data", "fold_in needs an integer scalar, not " + data->getType().str());
    return Value::error();
  }
  return call.emit.foldIn(*key, *data, call.span());
}

static Value arange(Call &call) {
  std::optional<Dim> start(Dim(0)), stop = call.integer(call.has("stop") ? "stop" : "start"), step(Dim(1));
  if (call.has("stop"))
    start = call.integer("start");
  if (call.has("step"))
    step = call.integer("step");
  if (!start || !stop || !step)
    return Value::error();
  bool down = *step != Dim(0) && Dim(0).provablyAtLeast(*step);
  if (*step == Dim(0)) {
    call.errorAt("step", "the step of arange cannot be 0");
    return Value::error();
  }
  Dim span = down ? *start - *stop : *stop - *start;
  if (span.compare(0) == -1) {
    call.error(call.span(), "arange from " + start->str() + " to " + stop->str() + " in steps of " +
                                step->str() + " runs the wrong way");
    return Value::error();
  }
  for (const Dim &end : {*start, *stop})
    if (end.compare(Dim(INT32_MAX)) == 1 || end.compare(Dim(INT32_MIN)) == -1) {
      call.error(call.span(), "arange makes i32 numbers, and " + end.str() + " is out of their range");
      return Value::error();
    }
  Type type = Type::tensor(ElementType::I32, Dim::apply(DimFunction::CeilDiv, span, down ? -*step : *step));
  Math math(call);
  Value result = call.emit.iota(type, 0, call.span());
  if (*step != Dim(1))
    result = math.mul(result, call.emit.constant(type, *step, call.span()));
  if (*start != Dim(0))
    result = math.add(result, call.emit.constant(type, *start, call.span()));
  return result;
}

static Value oneHot(Call &call) {
  std::optional<Value> ids = call.indexTensor("ids");
  std::optional<Dim> count = call.integer("count");
  if (!ids || !count || !call.requireExtent(*count, call.spanOf("count")))
    return Value::error();
  ElementType element = ElementType::F32;
  if (call.has("type")) {
    std::optional<Type> type = call.type("type");
    if (!type || !type->isScalar()) {
      if (type)
        call.errorAt("type", "one_hot takes an element type, such as f32, not " + type->str());
      return Value::error();
    }
    element = type->element();
  }
  llvm::SmallVector<Dim> column(ids->getType().dims()), dims(column);
  column.push_back(1);
  dims.push_back(*count);
  Value numbers = call.emit.iota(ids->getType().withDims(dims), int64_t(dims.size()) - 1, call.span());
  Value wanted = call.emit.broadcastTo(call.emit.reshape(*ids, column, call.span()), dims, call.span());
  return call.emit.cast(call.emit.compare(CompareKind::Eq, wanted, numbers, call.span()), element,
                        call.span());
}

static Value range(Call &call) {
  std::optional<Dim> count = call.integer("n");
  if (!count)
    return Value::error();
  if (count->compare(0) == -1) {
    call.errorAt("n", "range of " + count->str() + ", a negative number of steps");
    return Value::error();
  }
  return Value::range(*count, call.span());
}

llvm::ArrayRef<Builtin> makeBuiltins() {
  static const Builtin table[] = {
      {"zeros", "zeros(type)", "A value of a type, all 0.", filled<0>},
      {"ones", "ones(type)", "A value of a type, all 1.", filled<1>},
      {"full", "full(type, x)", "A value of a type, all x.", full},
      {"random_normal", "random_normal(type, key)", "Normal random numbers, every leaf its own stream.",
       random<RandomKind::Normal>},
      {"random_uniform", "random_uniform(type, key)",
       "Uniform random numbers in [0, 1), every leaf its own stream.", random<RandomKind::Uniform>},
      {"fold_in", "fold_in(key, data)", "Another key, derived from a key and a number.", foldIn},
      {"arange", "arange(start, stop?, step = 1)",
       "i32 numbers from start (0 where it stands alone) up to stop.", arange},
      {"one_hot", "one_hot(ids, count, type = f32)",
       "1 at the position an id names along a new last axis, else 0.", oneHot},
      {"range", "range(n)", "The numbers 0 to n - 1, for a loop.", range},
  };
  return table;
}

} // namespace heddle::frontend
