//===- Gather.cpp - Picking elements by number, and sorting -----------------===//
#include "compiler/frontend/builtins/Call.h"

namespace heddle::frontend {

static Value take(Call &call) {
  std::optional<Value> table = call.tensor("table"), ids = call.indexTensor("ids");
  if (!table || !ids)
    return Value::error();
  std::optional<int64_t> axis = call.axis("axis", *table, 0);
  return axis ? call.emit.gather(*table, *ids, *axis, call.span()) : Value::error();
}

static Value scatterAdd(Call &call) {
  std::optional<Value> base = call.numberTensor("base"), ids = call.indexTensor("ids");
  if (!base || !ids)
    return Value::error();
  std::optional<Value> updates = call.tensorLike("updates", *base);
  std::optional<int64_t> axis = call.axis("axis", *base, 0);
  if (!updates || !axis)
    return Value::error();
  llvm::SmallVector<Dim> dims(base->getType().dims());
  dims.erase(dims.begin() + *axis);
  dims.insert(dims.begin() + *axis, ids->getType().dims().begin(), ids->getType().dims().end());
  if (!updates->getType().dims().empty() && !llvm::equal(updates->getType().dims(), dims)) {
    call.errorAt("updates", "scatter_add needs updates of shape " + shapeString(dims) + ", not " +
                                shapeString(updates->getType().dims()))
        .note(base->span(), "the base is " + base->getType().str())
        .note(ids->span(), "the ids are " + ids->getType().str());
    return Value::error();
  }
  Value full = call.emit.broadcastTo(*updates, dims, call.span());
  return call.emit.scatterAdd(*base, *ids, full, *axis, call.span());
}

/// The arguments of argsort and sort: the tensor, the axis and the order of its elements.
struct Order {
  Value x, positions;
  int64_t axis;
};

static std::optional<Order> orderOf(Call &call) {
  std::optional<Value> x = call.numberTensor("x");
  std::optional<bool> descending = call.flag("descending", false);
  if (!x || !descending)
    return std::nullopt;
  std::optional<int64_t> axis = call.axis("axis", *x);
  if (!axis)
    return std::nullopt;
  return Order{*x, call.emit.argsort(*x, *axis, *descending, std::nullopt, call.span()), *axis};
}

static Value argsort(Call &call) {
  std::optional<Order> order = orderOf(call);
  return order ? order->positions : Value::error();
}

static Value sort(Call &call) {
  std::optional<Order> order = orderOf(call);
  return order ? call.emit.takeAlong(order->x, order->positions, order->axis, call.span()) : Value::error();
}

static Value topK(Call &call) {
  std::optional<Value> x = call.numberTensor("x");
  std::optional<Dim> k = call.integer("k");
  if (!x || !k)
    return Value::error();
  std::optional<int64_t> axis = call.axis("axis", *x);
  if (!axis)
    return Value::error();
  const Dim &extent = x->getType().dims()[*axis];
  if (k->compare(extent) == 1 || k->compare(0) == -1) {
    call.errorAt("k", "top_k with k = " + k->str() + " of an axis of " + extent.str() + " elements")
        .note(x->span(), "this is " + x->getType().str());
    return Value::error();
  }
  Value positions = call.emit.argsort(*x, *axis, true, *k, call.span());
  Value values = call.emit.takeAlong(*x, positions, *axis, call.span());
  return Value::tuple({values, positions}, call.span());
}

llvm::ArrayRef<Builtin> gatherBuiltins() {
  static const Builtin table[] = {
      {"take", "take(table, ids, axis = 0)", "The slices of the table that the ids number.", take},
      {"scatter_add", "scatter_add(base, ids, updates, axis = 0)",
       "The base with the updates added to the slices that the ids number.", scatterAdd},
      {"sort", "sort(x, axis = -1, descending = false)", "The elements in order; NaN comes last.", sort},
      {"argsort", "argsort(x, axis = -1, descending = false)", "The i32 positions that sort x; stable.",
       argsort},
      {"top_k", "top_k(x, k, axis = -1)",
       "The k largest elements in descending order, and their i32 positions: selected, equal ones by "
       "position, "
       "NaN last.",
       topK},
  };
  return table;
}

} // namespace heddle::frontend
