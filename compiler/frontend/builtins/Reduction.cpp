//===- Reduction.cpp - Reductions, scans and sorting ------------------------===//
#include "compiler/frontend/builtins/Math.h"

namespace heddle::frontend {

/// Removes the reduced axes, which a formula left with extent 1, unless `keepdims` is set.
static Value finish(Call &call, const Value &kept, llvm::ArrayRef<int64_t> axes, bool keepdims) {
  if (keepdims)
    return kept;
  llvm::SmallVector<Dim> dims;
  for (auto [index, dim] : llvm::enumerate(kept.getType().dims()))
    if (!llvm::is_contained(axes, int64_t(index)))
      dims.push_back(dim);
  return call.emit.reshape(kept, dims, call.span());
}

/// The arguments that reductions share.
struct Reduction {
  Value x;
  llvm::SmallVector<int64_t> axes;
  bool keepdims;
};

static std::optional<Reduction> reductionArguments(Call &call, std::optional<Value> x) {
  std::optional<bool> keepdims = call.flag("keepdims", false);
  if (!x || !keepdims)
    return std::nullopt;
  std::optional<llvm::SmallVector<int64_t>> axes = call.axes("axis", *x);
  if (!axes)
    return std::nullopt;
  return Reduction{*x, *axes, *keepdims};
}

static Value reduced(Call &call, ReduceKind kind, const Reduction &reduction) {
  if (!reduction.keepdims)
    return call.emit.reduce(kind, reduction.x, reduction.axes, call.span());
  return Math(call).reduceKeeping(kind, reduction.x, reduction.axes);
}

template <ReduceKind kind>
static Value numberReduction(Call &call) {
  std::optional<Reduction> reduction = reductionArguments(call, call.numberTensor("x"));
  return reduction ? reduced(call, kind, *reduction) : Value::error();
}

template <ReduceKind kind>
static Value truthReduction(Call &call) {
  std::optional<Value> x = call.tensor("x");
  if (x && x->getType().element() != ElementType::Bool) {
    call.errorAt("x", call.name().str() + " needs truth values, but 'x' is " + x->getType().str())
        .hint("x != 0 gives truth values");
    return Value::error();
  }
  std::optional<Reduction> reduction = reductionArguments(call, x);
  return reduction ? reduced(call, kind, *reduction) : Value::error();
}

/// `max(x, axis = …)` reduces, `max(a, b)` compares element by element.
template <ReduceKind reduce, BinaryKind binary>
static Value extremum(Call &call) {
  if (!call.has("y"))
    return numberReduction<reduce>(call);
  for (llvm::StringRef reducing : {"axis", "keepdims"})
    if (call.has(reducing)) {
      call.errorAt(reducing,
                   call.name().str() + " of two tensors is elementwise and has no '" + reducing.str() + "'")
          .hint(call.name().str() + "(x, axis = 0) reduces one tensor");
      return Value::error();
    }
  std::vector<Value> operands;
  for (llvm::StringRef parameter : {"x", "y"}) {
    if (!call[parameter].getType().isLiteral() && !call.numberTensor(parameter))
      return Value::error();
    operands.push_back(call[parameter]);
  }
  const Dim *a = operands[0].dim(), *b = operands[1].dim();
  if (a && b) {
    Dim value = Dim::apply(binary == BinaryKind::Max ? DimFunction::Max : DimFunction::Min, *a, *b);
    bool literals = operands[0].getType().isLiteral() && operands[1].getType().isLiteral();
    return literals ? Value::intLiteral(value.value(), call.span()) : Value::dimension(value, call.span());
  }
  std::optional<std::vector<Value>> together = broadcastTogether(call, operands);
  return together ? call.emit.binary(binary, (*together)[0], (*together)[1], call.span()) : Value::error();
}

static Value mean(Call &call) {
  std::optional<Reduction> reduction = reductionArguments(call, call.floatTensor("x"));
  if (!reduction)
    return Value::error();
  Value wide = call.widen(reduction->x);
  Value sum = call.emit.reduce(ReduceKind::Sum, wide, reduction->axes, call.span());
  Value count = call.emit.constant(sum.getType(), Math::count(wide, reduction->axes), call.span());
  Value result = call.emit.cast(Math(call).div(sum, count), reduction->x.getType().element(), call.span());
  if (!reduction->keepdims)
    return result;
  llvm::SmallVector<Dim> dims(wide.getType().dims());
  for (int64_t axis : reduction->axes)
    dims[axis] = Dim(1);
  return call.emit.reshape(result, dims, call.span());
}

/// The mean of the squared distance from the mean: sums of squares would cancel.
static Value variance(Call &call) {
  std::optional<Reduction> reduction = reductionArguments(call, call.floatTensor("x"));
  if (!reduction)
    return Value::error();
  Math math(call);
  Value wide = call.widen(reduction->x);
  Value centred = math.sub(wide, math.meanKeeping(wide, reduction->axes));
  Value result = math.meanKeeping(math.mul(centred, centred), reduction->axes);
  return finish(call, call.emit.cast(result, reduction->x.getType().element(), call.span()), reduction->axes,
                reduction->keepdims);
}

/// m + log(sum(exp(x - m))) with m the maximum, or 0 where that is infinite.
static Value logsumexp(Call &call) {
  std::optional<Reduction> reduction = reductionArguments(call, call.floatTensor("x"));
  if (!reduction)
    return Value::error();
  Math math(call);
  Value wide = call.widen(reduction->x);
  Value largest = math.stopGradient(math.reduceKeeping(ReduceKind::Max, wide, reduction->axes));
  Value zero = math.number(largest, 0);
  Value isFinite = math.compare(CompareKind::Eq, math.sub(largest, largest), zero);
  Value shift = call.emit.select(isFinite, largest, zero, call.span());
  Value sum = math.reduceKeeping(ReduceKind::Sum, math.exp(math.sub(wide, shift)), reduction->axes);
  Value result =
      call.emit.cast(math.add(math.log(sum), shift), reduction->x.getType().element(), call.span());
  return finish(call, result, reduction->axes, reduction->keepdims);
}

template <ArgReduceKind kind>
static Value argReduction(Call &call) {
  std::optional<Value> x = call.numberTensor("x");
  std::optional<bool> keepdims = call.flag("keepdims", false);
  if (!x || !keepdims)
    return Value::error();
  llvm::SmallVector<Dim> keptDims(x->getType().dims());
  int64_t axis = 0;
  if (call.has("axis")) {
    std::optional<int64_t> given = call.axis("axis", *x);
    if (!given)
      return Value::error();
    axis = *given;
    keptDims[axis] = Dim(1);
  } else {
    // Over all axes, the position in row-major order.
    Dim count(1);
    for (Dim &dim : keptDims) {
      count *= dim;
      dim = Dim(1);
    }
    x = call.emit.reshape(*x, count, call.span());
  }
  if (x->getType().dims()[axis].isConstant(0)) {
    call.errorAt("x", call.name().str() + " of an empty axis: axis " + std::to_string(axis) + " of " +
                          x->getType().str() + " has no elements");
    return Value::error();
  }
  Value result = call.emit.argReduce(kind, *x, axis, call.span());
  return *keepdims ? call.emit.reshape(result, keptDims, call.span()) : result;
}

static Value cumsum(Call &call) {
  std::optional<Value> x = call.numberTensor("x");
  if (!x)
    return Value::error();
  if (!call.has("axis") && x->getType().rank() != 1) {
    call.errorAt("x", "cumsum needs an axis for " + x->getType().str())
        .hint("cumsum(x, axis = -1) sums along the last");
    return Value::error();
  }
  std::optional<int64_t> axis = call.axis("axis", *x);
  return axis ? call.emit.cumsum(*x, *axis, call.span()) : Value::error();
}

llvm::ArrayRef<Builtin> reductionBuiltins() {
  static const Builtin table[] = {
      {"sum", "sum(x, axis = all, keepdims = false)", "The sum over axes.", numberReduction<ReduceKind::Sum>},
      {"prod", "prod(x, axis = all, keepdims = false)", "The product over axes.",
       numberReduction<ReduceKind::Prod>},
      {"max", "max(x, y?, axis = all, keepdims = false)",
       "The largest element over axes, or the larger of two.", extremum<ReduceKind::Max, BinaryKind::Max>},
      {"min", "min(x, y?, axis = all, keepdims = false)",
       "The smallest element over axes, or the smaller of two.", extremum<ReduceKind::Min, BinaryKind::Min>},
      {"any", "any(x, axis = all, keepdims = false)", "Whether one element is true.",
       truthReduction<ReduceKind::Any>},
      {"all", "all(x, axis = all, keepdims = false)", "Whether all elements are true.",
       truthReduction<ReduceKind::All>},
      {"mean", "mean(x, axis = all, keepdims = false)", "The mean over axes.", mean},
      {"var", "var(x, axis = all, keepdims = false)", "The population variance over axes.", variance},
      {"logsumexp", "logsumexp(x, axis = all, keepdims = false)", "log(sum(exp(x))), without overflow.",
       logsumexp},
      {"argmax", "argmax(x, axis = all, keepdims = false)", "The i32 position of the first largest element.",
       argReduction<ArgReduceKind::Argmax>},
      {"argmin", "argmin(x, axis = all, keepdims = false)", "The i32 position of the first smallest element.",
       argReduction<ArgReduceKind::Argmin>},
      {"cumsum", "cumsum(x, axis = -1)",
       "Running sums along an axis, which must be given unless x is a vector.", cumsum},
  };
  return table;
}

} // namespace heddle::frontend
