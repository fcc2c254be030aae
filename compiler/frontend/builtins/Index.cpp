//===- Index.cpp - Indexing and slicing -------------------------------------===//
#include "compiler/frontend/builtins/Call.h"

namespace heddle::frontend {

namespace {

/// What one item does to its axis.
struct AxisStep {
  Dim start = 0, size = 0;
  Dim stride = 1;
  bool reversed = false;
  bool drop = false;
  std::optional<Value> runtime; // the position, when it is computed
};

class Indexer {
public:
  Indexer(CallContext &context, const Value &base) : context(context), base(base) {}

  Value evaluate(llvm::ArrayRef<IndexItem> items);

private:
  Diagnostic &error(Span span, std::string message) {
    return context.diagnostics.error(span, std::move(message));
  }
  Value tupleElement(llvm::ArrayRef<IndexItem> items);
  Value stackItem(const IndexItem &item);
  std::optional<Dim> bound(const std::optional<Value> &value, const char *what, Span span);
  std::optional<AxisStep> step(const IndexItem &item, const Dim &extent, size_t axis);
  std::optional<AxisStep> at(const IndexItem &item, const Dim &extent, size_t axis);
  std::optional<AxisStep> slice(const IndexItem &item, const Dim &extent, size_t axis);
  Value apply(const Value &tensor, llvm::ArrayRef<AxisStep> steps);
  Value read(llvm::ArrayRef<AxisStep> steps);

  CallContext &context;
  const Value &base;
};

} // namespace

/// Whether a position counts from the end: negative whatever the variables are.
static bool countsFromEnd(const Dim &position) {
  return position != Dim(0) && Dim(0).provablyAtLeast(position);
}

static std::string axisOf(const Value &base, size_t axis) {
  return "axis " + std::to_string(axis) + " of " + base.getType().str();
}

std::optional<AxisStep> Indexer::at(const IndexItem &item, const Dim &extent, size_t axis) {
  AxisStep step;
  step.size = 1;
  step.drop = true;
  Value index = withDefaultType(context.emit, item.at);
  const Type &type = index.getType();
  if (const Dim *position = index.dim()) {
    Dim start = countsFromEnd(*position) ? extent + *position : *position;
    if (start.compare(extent).value_or(-1) >= 0 || start.compare(0) == -1) {
      error(item.span, "index " + position->str() + " is out of range for " + axisOf(base, axis) +
                           ", which has " + extent.str() + " elements")
          .note(base.span(), "this is " + base.getType().str());
      return std::nullopt;
    }
    step.start = start;
    return step;
  }
  if (type.isScalar() && (type.element() == ElementType::I32 || type.element() == ElementType::I64)) {
    step.runtime = index;
    return step;
  }
  Diagnostic &report = error(item.span, "an index must be an integer or a slice, not " + type.str());
  if (type.isTensor() && isInteger(type.element()))
    report.hint("take(x, ids, axis = " + std::to_string(axis) + ") picks many elements");
  else if (type.isTensor() && type.element() == ElementType::Bool)
    report.hint("where(mask, x, 0) keeps the shape; shapes cannot depend on values");
  return std::nullopt;
}

std::optional<Dim> Indexer::bound(const std::optional<Value> &value, const char *what, Span span) {
  if (const Dim *dim = value->dim())
    return *dim;
  error(span, std::string("the ") + what + " of a slice must be known to the compiler, not " +
                  value->getType().str())
      .hint("take(x, start + arange(count)) picks a block at a run-time position");
  return std::nullopt;
}

std::optional<AxisStep> Indexer::slice(const IndexItem &item, const Dim &extent, size_t axis) {
  AxisStep result;
  Dim step(1);
  if (item.step) {
    std::optional<Dim> given = bound(item.step, "step", item.span);
    if (!given)
      return std::nullopt;
    step = *given;
    if (step == Dim(0)) {
      error(item.span, "the step of a slice cannot be 0");
      return std::nullopt;
    }
  }
  bool backward = countsFromEnd(step);
  auto position = [&](const std::optional<Value> &value, const char *what,
                      const Dim &otherwise) -> std::optional<Dim> {
    if (!value)
      return otherwise;
    std::optional<Dim> given = bound(value, what, item.span);
    if (given && countsFromEnd(*given))
      return extent + *given;
    return given;
  };
  std::optional<Dim> start = position(item.start, "start", backward ? extent - Dim(1) : Dim(0));
  std::optional<Dim> stop = start ? position(item.stop, "stop", backward ? Dim(-1) : extent) : std::nullopt;
  if (!stop)
    return std::nullopt;

  // Positions are in [0, extent]; backward ones in [-1, extent - 1].
  Dim lowest = backward ? Dim(-1) : Dim(0), highest = backward ? extent - Dim(1) : extent;
  for (const auto &[place, what] : {std::pair(*start, "starts"), std::pair(*stop, "stops")})
    if (place.compare(lowest) == -1 || place.compare(highest) == 1) {
      error(item.span, std::string("the slice ") + what + " at " + place.str() + ", outside " +
                           axisOf(base, axis) + ", which has " + extent.str() + " elements")
          .note(base.span(), "this is " + base.getType().str())
          .hint("slices are not clamped: their extent is what they say");
      return std::nullopt;
    }
  Dim span = backward ? *start - *stop : *stop - *start;
  if (span.compare(0) == -1) {
    error(item.span, "the slice runs from " + start->str() + " to " + stop->str() + ", the wrong way round");
    return std::nullopt;
  }
  result.stride = backward ? -step : step;
  result.size = result.stride.isConstant(1) ? span : Dim::apply(DimFunction::CeilDiv, span, result.stride);
  result.reversed = backward;
  result.start = backward ? *start - (result.size - Dim(1)) * result.stride : *start;
  // Over nothing, any start will do.
  if (result.size == Dim(0))
    result.start = 0;
  return result;
}

std::optional<AxisStep> Indexer::step(const IndexItem &item, const Dim &extent, size_t axis) {
  return item.kind == IndexItem::Kind::At ? at(item, extent, axis) : slice(item, extent, axis);
}

Value Indexer::apply(const Value &tensor, llvm::ArrayRef<AxisStep> steps) {
  OpEmitter &emit = context.emit;
  Value result = tensor;
  llvm::ArrayRef<Dim> extents = tensor.getType().dims();
  llvm::SmallVector<Dim> starts, sizes, strides, kept;
  llvm::SmallVector<int64_t> reversed;
  bool whole = true;
  for (auto [axis, extent] : llvm::enumerate(extents)) {
    const AxisStep *step = axis < steps.size() ? &steps[axis] : nullptr;
    bool all = !step || step->runtime || (step->size == extent && step->stride == Dim(1));
    whole &= all;
    starts.push_back(all ? Dim(0) : step->start);
    sizes.push_back(all ? extent : step->size);
    strides.push_back(all ? Dim(1) : step->stride);
    if (step && step->reversed)
      reversed.push_back(int64_t(axis));
    if (!step || !step->drop)
      kept.push_back(sizes.back());
  }
  if (!whole)
    result = emit.slice(result, starts, sizes, strides, context.span);
  for (auto [axis, step] : llvm::enumerate(steps))
    if (step.runtime)
      result = emit.dynamicSlice(result, *step.runtime, int64_t(axis), 1, context.span);
  if (!reversed.empty())
    result = emit.reverse(result, reversed, context.span);
  return emit.reshape(result, kept, context.span);
}

/// In the block of an attention variant: one element.
Value Indexer::read(llvm::ArrayRef<AxisStep> steps) {
  const Type &type = base.getType();
  if (steps.size() < type.rank() || !llvm::all_of(steps, [](const AxisStep &step) { return step.drop; })) {
    error(context.span, "the block of attention reads one element of " + type.str() + " at a time")
        .note(base.span(), "this is " + type.str())
        .hint("give an index for each of its " + std::to_string(type.rank()) + " axes");
    return Value::error();
  }
  llvm::SmallVector<Value> indices;
  for (const AxisStep &step : steps)
    indices.push_back(step.runtime ? *step.runtime : Value::dimension(step.start, context.span));
  return context.emit.read(base, indices, context.span);
}

Value Indexer::tupleElement(llvm::ArrayRef<IndexItem> items) {
  const Dim *position =
      items.size() == 1 && items[0].kind == IndexItem::Kind::At ? items[0].at.dim() : nullptr;
  if (!position || !position->isConstant()) {
    error(context.span, "a tuple is indexed by one number known to the compiler");
    return Value::error();
  }
  int64_t count = int64_t(base.elements().size());
  int64_t index = position->value() < 0 ? position->value() + count : position->value();
  if (index < 0 || index >= count) {
    error(items[0].span, "index " + position->str() + " is out of range for " + base.getType().str() +
                             ", which has " + std::to_string(count) +
                             (count == 1 ? " element" : " elements"));
    return Value::error();
  }
  return base.elements()[size_t(index)];
}

/// A stack is indexed along its leading axis, every leaf alike.
Value Indexer::stackItem(const IndexItem &item) {
  if (item.kind == IndexItem::Kind::Ellipsis)
    return base;
  std::optional<AxisStep> only = step(item, base.getType().stackLength(), 0);
  if (!only)
    return Value::error();
  llvm::SmallVector<mlir::Value> leaves;
  std::vector<Type::Leaf> types = base.getType().leaves();
  for (auto [index, leaf] : llvm::enumerate(base.leaves()))
    leaves.push_back(context.emit.leaf(apply(Value::ofLeaves(types[index].type, leaf, base.span()), *only)));
  Type type =
      only->drop ? base.getType().stackElement() : Type::stack(base.getType().stackElement(), only->size);
  return Value::ofLeaves(type, leaves, context.span);
}

Value Indexer::evaluate(llvm::ArrayRef<IndexItem> items) {
  const Type &type = base.getType();
  if (type.isError() || type.kind() == Type::Kind::Variable)
    return Value::error();
  if (context.evaluator.pairs && type.isStack()) {
    error(context.span, "the block of attention cannot index a stack")
        .note(base.span(), "this is " + type.str())
        .hint("index it before, and use the element in the block");
    return Value::error();
  }
  for (const IndexItem &item : items)
    for (const Value *part : {&item.at, item.start ? &*item.start : nullptr,
                              item.stop ? &*item.stop : nullptr, item.step ? &*item.step : nullptr})
      if (part && part->isError() && (part != &item.at || item.kind == IndexItem::Kind::At))
        return Value::error();
  if (type.isTuple())
    return tupleElement(items);
  if (type.isStack() && items.size() == 1)
    return stackItem(items.front());
  if (!type.isTensor()) {
    Diagnostic &report = error(
        context.span, type.isStack() ? "a stack is indexed along its one axis, but " +
                                           std::to_string(items.size()) + " indices are given"
                                     : "only tensors, stacks and tuples are indexed, not " + type.str());
    if (type.isStack())
      report.hint("index the fields: layers.w[0, 1]");
    return Value::error();
  }
  size_t ellipses =
      llvm::count_if(items, [](const IndexItem &item) { return item.kind == IndexItem::Kind::Ellipsis; });
  size_t named = items.size() - ellipses;
  if (ellipses > 1) {
    error(context.span, "an index has one '...' at most");
    return Value::error();
  }
  if (named > type.rank()) {
    error(context.span,
          std::to_string(named) + (named == 1 ? " index is" : " indices are") + " given for " + type.str() +
              (type.rank() == 0
                   ? ", a scalar"
                   : ", which has " + std::to_string(type.rank()) + (type.rank() == 1 ? " axis" : " axes")))
        .note(base.span(), "this is " + type.str());
    return Value::error();
  }
  std::vector<AxisStep> steps;
  for (const IndexItem &item : items) {
    if (item.kind == IndexItem::Kind::Ellipsis) {
      for (size_t skipped = type.rank() - named; skipped > 0; --skipped) {
        AxisStep all;
        all.size = type.dims()[steps.size()];
        steps.push_back(all);
      }
      continue;
    }
    std::optional<AxisStep> next = step(item, type.dims()[steps.size()], steps.size());
    if (!next)
      return Value::error();
    steps.push_back(*next);
  }
  return (context.evaluator.pairs ? read(steps) : apply(base, steps)).withSpan(context.span);
}

Value evaluateIndex(CallContext &context, const Value &base, llvm::ArrayRef<IndexItem> items) {
  return Indexer(context, base).evaluate(items);
}

} // namespace heddle::frontend
