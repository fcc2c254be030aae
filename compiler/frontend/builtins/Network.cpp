//===- Network.cpp - Layers of neural networks ------------------------------===//
#include "compiler/frontend/builtins/Math.h"
#include <cmath>

namespace heddle::frontend {

//===----------------------------------------------------------------------===//
// Softmax and losses
//===----------------------------------------------------------------------===//

struct SoftmaxArguments {
  Value wide; ///< in f32 at least
  ElementType element;
  llvm::SmallVector<int64_t> axes;
};

static std::optional<SoftmaxArguments> softmaxArguments(Call &call) {
  std::optional<Value> x = call.floatTensor("x");
  if (!x)
    return std::nullopt;
  llvm::SmallVector<int64_t> axes;
  if (call.has("axis")) {
    std::optional<llvm::SmallVector<int64_t>> given = call.axes("axis", *x);
    if (!given)
      return std::nullopt;
    axes = *given;
  } else {
    std::optional<int64_t> last = call.axis("axis", *x, -1);
    if (!last)
      return std::nullopt;
    axes.push_back(*last);
  }
  return SoftmaxArguments{call.widen(*x), x->getType().element(), axes};
}

/// x minus its largest element; the shift carries no derivative, since the result does not depend on it.
static Value shifted(Math &math, const Value &x, llvm::ArrayRef<int64_t> axes) {
  return math.sub(x, math.stopGradient(math.reduceKeeping(ReduceKind::Max, x, axes)));
}

static Value softmax(Call &call) {
  std::optional<SoftmaxArguments> args = softmaxArguments(call);
  if (!args)
    return Value::error();
  Math math(call);
  Value exponentials = math.exp(shifted(math, args->wide, args->axes));
  Value sum = math.reduceKeeping(ReduceKind::Sum, exponentials, args->axes);
  return call.emit.cast(math.div(exponentials, sum), args->element, call.span());
}

static Value logSoftmax(Call &call) {
  std::optional<SoftmaxArguments> args = softmaxArguments(call);
  if (!args)
    return Value::error();
  Math math(call);
  Value z = shifted(math, args->wide, args->axes);
  Value sum = math.reduceKeeping(ReduceKind::Sum, math.exp(z), args->axes);
  return call.emit.cast(math.sub(z, math.log(sum)), args->element, call.span());
}

/// log(sum(exp(logits))) - logits[label], both relative to the largest logit.
static Value crossEntropy(Call &call) {
  std::optional<Value> logits = call.floatTensor("logits"), labels = call.indexTensor("labels");
  if (!logits || !labels)
    return Value::error();
  llvm::ArrayRef<Dim> dims = logits->getType().dims();
  if (dims.empty() || !llvm::equal(dims.drop_back(), labels->getType().dims())) {
    call.errorAt("labels", "cross_entropy needs one label for each row of the logits: " +
                               (dims.empty() ? "logits with a last axis of classes"
                                             : "labels of shape " + shapeString(dims.drop_back())) +
                               ", not " + labels->getType().str())
        .note(logits->span(), "the logits are " + logits->getType().str())
        .note(labels->span(), "the labels are " + labels->getType().str());
    return Value::error();
  }
  Math math(call);
  int64_t last = int64_t(dims.size()) - 1;
  Value z = shifted(math, call.widen(*logits), last);
  Value sum = call.emit.reduce(ReduceKind::Sum, math.exp(z), last, call.span());
  llvm::SmallVector<Dim> column(labels->getType().dims());
  column.push_back(1);
  Value picked = call.emit.takeAlong(z, call.emit.reshape(*labels, column, call.span()), last, call.span());
  picked = call.emit.reshape(picked, labels->getType().dims(), call.span());
  return call.emit.cast(math.sub(math.log(sum), picked), logits->getType().element(), call.span());
}

//===----------------------------------------------------------------------===//
// Normalisation
//===----------------------------------------------------------------------===//

/// A weight of the last axis, in x's element type or in f32 beside a narrower x, widened.
static std::optional<Value> weight(Call &call, llvm::StringRef parameter, const Value &x) {
  std::optional<Value> value = call.floatTensor(parameter);
  if (!value)
    return std::nullopt;
  ElementType element = x.getType().element(), given = value->getType().element();
  if (given != element && given != accumulatorOf(element)) {
    call.errorAt(parameter, call.name().str() + " of " + x.getType().str() + " needs '" + parameter.str() +
                                "' in " + spelling(element).str() + ", not " + value->getType().str())
        .hint("cast(x, " + spelling(element).str() + ") converts it");
    return std::nullopt;
  }
  llvm::ArrayRef<Dim> dims = value->getType().dims();
  if (!dims.empty() && (dims.size() != 1 || dims[0] != x.getType().dims().back())) {
    call.errorAt(parameter, call.name().str() + " of " + x.getType().str() + " needs '" + parameter.str() +
                                "' of shape [" + x.getType().dims().back().str() + "], not " +
                                value->getType().str())
        .note(x.span(), "the input is " + x.getType().str())
        .note(value->span(), "'" + parameter.str() + "' is " + value->getType().str());
    return std::nullopt;
  }
  return call.emit.cast(*value, accumulatorOf(element), call.span());
}

/// A floating-point tensor with a last axis.
static std::optional<Value> rowsArgument(Call &call) {
  std::optional<Value> x = call.floatTensor("x");
  if (!x || !x->getType().isScalar())
    return x;
  call.errorAt("x",
               call.name().str() + " works along the last axis, but 'x' is a scalar " + x->getType().str());
  return std::nullopt;
}

static Value rmsNorm(Call &call) {
  std::optional<Value> x = rowsArgument(call);
  std::optional<Value> gain = x ? weight(call, "gain", *x) : std::nullopt;
  std::optional<Value> eps = gain ? call.scalar("eps", gain->getType().element(), 1e-5) : std::nullopt;
  if (!eps)
    return Value::error();
  Math math(call);
  Value wide = call.widen(*x);
  int64_t last = int64_t(x->getType().rank()) - 1;
  Value square = math.meanKeeping(math.mul(wide, wide), last);
  Value normal = math.mul(wide, math.unary(UnaryKind::Rsqrt, math.add(square, *eps)));
  return call.emit.cast(math.mul(normal, *gain), x->getType().element(), call.span());
}

static Value layerNorm(Call &call) {
  std::optional<Value> x = rowsArgument(call);
  std::optional<Value> gain = x ? weight(call, "gain", *x) : std::nullopt;
  std::optional<Value> bias = gain ? weight(call, "bias", *x) : std::nullopt;
  std::optional<Value> eps = bias ? call.scalar("eps", bias->getType().element(), 1e-5) : std::nullopt;
  if (!eps)
    return Value::error();
  Math math(call);
  Value wide = call.widen(*x);
  int64_t last = int64_t(x->getType().rank()) - 1;
  Value centred = math.sub(wide, math.meanKeeping(wide, last));
  Value variance = math.meanKeeping(math.mul(centred, centred), last);
  Value normal = math.mul(centred, math.unary(UnaryKind::Rsqrt, math.add(variance, *eps)));
  return call.emit.cast(math.add(math.mul(normal, *gain), *bias), x->getType().element(), call.span());
}

/// Elements are dropped with probability `rate`, the others scaled so that the mean stays.
static Value dropout(Call &call) {
  std::optional<Value> x = call.floatTensor("x");
  if (!x)
    return Value::error();
  const Value &key = call["key"];
  std::optional<Value> seed = key.getType().isLiteral() ? literalAs(call.emit, key, ElementType::I64)
                              : key.getType().isScalar(ElementType::I64) ? std::optional(key)
                                                                         : std::nullopt;
  if (!seed) {
    call.errorAt("key", "a key is an i64 scalar, not " + key.getType().str());
    return Value::error();
  }
  std::optional<double> known;
  const Value &given = call["rate"];
  if (given.getType().isLiteral())
    known = given.number() ? *given.number() : double(given.dim()->value());
  if (known && !(*known >= 0 && *known < 1)) {
    call.errorAt("rate", "dropout with rate " + numberText(*known) + ", outside [0, 1)");
    return Value::error();
  }
  std::optional<Value> rate =
      known ? std::optional(call.emit.constant(Type::tensor(ElementType::F32), *known, call.span()))
            : call.floatTensor("rate");
  if (!rate)
    return Value::error();
  if (!rate->getType().isScalar()) {
    call.errorAt("rate", "dropout needs a scalar rate, not " + rate->getType().str());
    return Value::error();
  }
  Math math(call);
  Value wideRate = call.emit.cast(*rate, ElementType::F32, call.span());
  Value uniform = call.emit.random(RandomKind::Uniform, *seed, 0, x->getType().withElement(ElementType::F32),
                                   call.span());
  Value keep = math.compare(CompareKind::Ge, uniform, wideRate);
  Value one = math.number(wideRate, 1);
  Value scale = call.emit.cast(math.div(one, math.sub(one, wideRate)), x->getType().element(), call.span());
  return call.emit.select(keep, math.mul(*x, scale), math.number(*x, 0), call.span());
}

//===----------------------------------------------------------------------===//
// Rotary position embedding
//===----------------------------------------------------------------------===//

/// Position numbers in the element type of the angles, of a shape that broadcasts to x's without its last
/// axis.
static std::optional<Value> ropePositions(Call &call, const Value &x, ElementType element) {
  llvm::ArrayRef<Dim> outer = x.getType().dims().drop_back();
  if (!call.has("positions")) {
    if (outer.empty())
      return call.emit.constant(Type::tensor(element), Dim(0), call.span());
    return call.emit.iota(Type::tensor(element, outer.back()), 0, call.span());
  }
  std::optional<Value> positions = call.numberTensor("positions");
  if (!positions)
    return std::nullopt;
  llvm::ArrayRef<Dim> dims = positions->getType().dims();
  bool fits = dims.size() <= outer.size();
  for (size_t i = 0; fits && i < dims.size(); ++i)
    fits = dims[i].isConstant(1) || dims[i] == outer[i + outer.size() - dims.size()];
  if (!fits) {
    call.errorAt("positions", "rope of " + x.getType().str() + " needs positions that broadcast to " +
                                  shapeString(outer) + ", not " + positions->getType().str())
        .note(x.span(), "the input is " + x.getType().str());
    return std::nullopt;
  }
  return call.emit.cast(*positions, element, call.span());
}

/// -2 log(base) / E, in double for a literal base.
static std::optional<Value> ropeSlope(Call &call, const Dim &extent, ElementType element) {
  double share = extent.isConstant() && extent.value() > 0 ? -2.0 / double(extent.value()) : 0.0;
  if (call.has("base") && !call["base"].getType().isLiteral()) {
    std::optional<Value> base = call.scalar("base", element, 0);
    Math math(call);
    return base ? std::optional(math.mul(math.log(*base), share)) : std::nullopt;
  }
  std::optional<double> base = call.number("base", 10000.0);
  if (!base)
    return std::nullopt;
  if (*base > 0)
    return call.emit.constant(Type::tensor(element), share * std::log(*base), call.span());
  call.errorAt("base", "rope needs a base above 0, not " + numberText(*base));
  return std::nullopt;
}

/// Pair i of the last axis, of extent E, is turned by the angle position * base^(-2 i / E).
static Value rope(Call &call) {
  std::optional<Value> x = rowsArgument(call);
  std::optional<bool> interleaved = call.flag("interleaved", false);
  if (!x || !interleaved)
    return Value::error();
  const Dim extent = x->getType().dims().back();
  std::optional<Dim> half = Dim::divide(extent, 2);
  if (!half) {
    call.errorAt("x",
                 "rope turns pairs along the last axis, but its extent in " + x->getType().str() + " is odd");
    return Value::error();
  }
  Value wide = call.widen(*x);
  ElementType element = wide.getType().element();
  std::optional<Value> positions = ropePositions(call, *x, element);
  if (!positions)
    return Value::error();

  Math math(call);
  int64_t last = int64_t(x->getType().rank()) - 1;
  std::optional<Value> slope = ropeSlope(call, extent, element);
  if (!slope)
    return Value::error();
  Value frequency = math.exp(math.mul(call.emit.iota(Type::tensor(element, *half), 0, call.span()), *slope));
  llvm::SmallVector<Dim> column(positions->getType().dims());
  column.push_back(1);
  Value angle = math.mul(call.emit.reshape(*positions, column, call.span()), frequency);
  Value cosine = math.unary(UnaryKind::Cos, angle), sine = math.unary(UnaryKind::Sin, angle);

  llvm::SmallVector<Dim> outer(x->getType().dims().drop_back());
  Value first, second;
  if (*interleaved) {
    llvm::SmallVector<Dim> paired(outer);
    paired.append({*half, Dim(2)});
    Value pairs = call.emit.reshape(wide, paired, call.span());
    paired.pop_back();
    first = call.emit.reshape(call.emit.sliceAxis(pairs, last + 1, 0, 1, call.span()), paired, call.span());
    second = call.emit.reshape(call.emit.sliceAxis(pairs, last + 1, 1, 1, call.span()), paired, call.span());
  } else {
    first = call.emit.sliceAxis(wide, last, 0, *half, call.span());
    second = call.emit.sliceAxis(wide, last, *half, *half, call.span());
  }
  Value turnedFirst = math.sub(math.mul(first, cosine), math.mul(second, sine));
  Value turnedSecond = math.add(math.mul(second, cosine), math.mul(first, sine));
  Value result;
  if (*interleaved) {
    llvm::SmallVector<Dim> single(outer);
    single.append({*half, Dim(1)});
    Value parts[] = {call.emit.reshape(turnedFirst, single, call.span()),
                     call.emit.reshape(turnedSecond, single, call.span())};
    result =
        call.emit.reshape(call.emit.concat(parts, last + 1, call.span()), x->getType().dims(), call.span());
  } else {
    result = call.emit.concat({turnedFirst, turnedSecond}, last, call.span());
  }
  return call.emit.cast(result, x->getType().element(), call.span());
}

llvm::ArrayRef<Builtin> networkBuiltins() {
  static const Builtin table[] = {
      {"softmax", "softmax(x, axis = -1)", "exp(x) over its sum along an axis, without overflow.", softmax},
      {"log_softmax", "log_softmax(x, axis = -1)", "The logarithm of softmax.", logSoftmax},
      {"cross_entropy", "cross_entropy(logits, labels)",
       "The negative log-probability of each label, over the last axis of the logits.", crossEntropy},
      {"rms_norm", "rms_norm(x, gain, eps = 1e-5)",
       "The last axis scaled to a root mean square of 1, times gain.", rmsNorm},
      {"layer_norm", "layer_norm(x, gain, bias, eps = 1e-5)",
       "The last axis with mean 0 and variance 1, times gain, plus bias.", layerNorm},
      {"rope", "rope(x, base = 10000.0, positions = arange(N), interleaved = false)",
       "Rotary position embedding of the last axis.", rope},
      {"dropout", "dropout(x, rate, key)", "Elements dropped with probability rate, the others scaled up.",
       dropout},
  };
  return table;
}

} // namespace heddle::frontend
