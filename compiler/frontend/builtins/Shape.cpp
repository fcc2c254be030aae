//===- Shape.cpp - Reshaping, joining and splitting -------------------------===//
#include "compiler/frontend/builtins/Call.h"

namespace heddle::frontend {

static Dim productOf(llvm::ArrayRef<Dim> dims) {
  Dim product(1);
  for (const Dim &dim : dims)
    product *= dim;
  return product;
}

/// Whether two products or sums differ unless some dimension is 0.
static bool differ(const Dim &a, const Dim &b) {
  return a != b && (a.provablyAtLeast(b) || b.provablyAtLeast(a));
}

static Value reshape(Call &call) {
  std::optional<Value> x = call.tensor("x");
  std::optional<llvm::SmallVector<Dim>> dims = call.dimensions("an extent");
  if (!x || !dims)
    return Value::error();
  Span span = call.rest().front().span;
  Dim *open = nullptr;
  Dim known(1);
  for (Dim &dim : *dims) {
    if (dim.isConstant() && dim.value() < 0) {
      if (dim.value() != -1 || open) {
        call.error(span, open ? "reshape to " + shapeString(*dims) + ": only one extent may be -1"
                              : "reshape to " + shapeString(*dims) + ": an extent cannot be " + dim.str());
        return Value::error();
      }
      open = &dim;
      continue;
    }
    known *= dim;
  }
  Dim total = productOf(x->getType().dims());
  auto fail = [&]() {
    call.error(span, "cannot reshape " + x->getType().str() + " of " + total.str() + " elements to " +
                         shapeString(*dims) + (open ? "" : " of " + known.str()))
        .note(x->span(), "this is " + x->getType().str());
    return Value::error();
  };
  if (open) {
    std::optional<Dim> rest = Dim::divide(total, known);
    if (!rest)
      return fail();
    *open = *rest;
  } else if (differ(total, known)) {
    return fail();
  }
  return call.emit.reshape(*x, *dims, call.span());
}

static Value transpose(Call &call) {
  std::optional<Value> x = call.tensor("x");
  if (!x)
    return Value::error();
  llvm::SmallVector<int64_t> permutation;
  for (const auto &[item, span] : call.items()) {
    std::optional<int64_t> axis = call.asAxis(item, x->getType(), span);
    if (!axis)
      return Value::error();
    if (llvm::is_contained(permutation, *axis)) {
      call.error(span, "axis " + std::to_string(*axis) + " of " + x->getType().str() + " is named twice");
      return Value::error();
    }
    permutation.push_back(*axis);
  }
  if (call.rest().empty())
    for (int64_t axis = int64_t(x->getType().rank()) - 1; axis >= 0; --axis)
      permutation.push_back(axis);
  if (permutation.size() != x->getType().rank()) {
    call.error(call.rest().front().span, "transpose names " + std::to_string(permutation.size()) +
                                             " of the " + std::to_string(x->getType().rank()) + " axes of " +
                                             x->getType().str())
        .hint("name all axes in their new order, or none to reverse them");
    return Value::error();
  }
  return call.emit.transpose(*x, permutation, call.span());
}

static Value broadcastTo(Call &call) {
  std::optional<Value> x = call.tensor("x");
  std::optional<llvm::SmallVector<Dim>> dims = call.dimensions("an extent");
  if (!x || !dims)
    return Value::error();
  for (const Dim &dim : *dims)
    if (!call.requireExtent(dim, call.rest().front().span))
      return Value::error();
  llvm::ArrayRef<Dim> from = x->getType().dims();
  bool fits = from.size() <= dims->size();
  for (size_t i = 0; fits && i < from.size(); ++i)
    fits = from[i].isConstant(1) || from[i] == (*dims)[i + dims->size() - from.size()];
  if (!fits) {
    call.error(call.rest().front().span,
               "cannot broadcast " + x->getType().str() + " to " + shapeString(*dims))
        .note(x->span(), "this is " + x->getType().str())
        .hint("axes are matched from the last, and must be equal or literally 1");
    return Value::error();
  }
  return call.emit.broadcastTo(*x, *dims, call.span());
}

/// Checks that the tensors agree but on `axis` (all axes for -1).
static bool shapesAgree(Call &call, llvm::ArrayRef<Value> items, int64_t axis) {
  const Value &first = items.front();
  for (const Value &item : items.drop_front()) {
    bool fits = item.getType().rank() == first.getType().rank();
    for (size_t i = 0; fits && i < first.getType().rank(); ++i)
      fits = int64_t(i) == axis || item.getType().dims()[i] == first.getType().dims()[i];
    if (fits)
      continue;
    call.error(call.context.callee,
               call.name().str() + " of " + first.getType().str() + " and " + item.getType().str() +
                   (axis < 0 ? ": the shapes must be equal"
                             : ": all axes but " + std::to_string(axis) + " must be equal"))
        .note(first.span(), "this is " + first.getType().str())
        .note(item.span(), "this is " + item.getType().str());
    return false;
  }
  return true;
}

static Value concat(Call &call) {
  std::optional<std::vector<Value>> items = call.tensors("an item");
  if (!items)
    return Value::error();
  std::optional<int64_t> axis = call.axis("axis", items->front(), 0);
  if (!axis || !shapesAgree(call, *items, *axis))
    return Value::error();
  return items->size() == 1 ? items->front() : call.emit.concat(*items, *axis, call.span());
}

static Value insertAxis(Call &call, const Value &x, int64_t axis) {
  llvm::SmallVector<Dim> dims(x.getType().dims());
  dims.insert(dims.begin() + axis, Dim(1));
  return call.emit.reshape(x, dims, call.span());
}

static Value stack(Call &call) {
  std::optional<std::vector<Value>> items = call.tensors("an item");
  if (!items)
    return Value::error();
  std::optional<int64_t> axis = call.axis("axis", items->front(), 0, 1);
  if (!axis || !shapesAgree(call, *items, -1))
    return Value::error();
  for (Value &item : *items)
    item = insertAxis(call, item, *axis);
  return items->size() == 1 ? items->front() : call.emit.concat(*items, *axis, call.span());
}

/// Into equal parts by their number, or into parts of the given extents.
static Value split(Call &call) {
  std::optional<Value> x = call.tensor("x");
  if (!x)
    return Value::error();
  std::optional<int64_t> axis = call.axis("axis", *x, 0);
  if (!axis)
    return Value::error();
  const Dim &extent = x->getType().dims()[*axis];
  Span span = call.spanOf("parts");
  llvm::SmallVector<Dim> sizes;
  const Value &parts = call["parts"];
  if (parts.getType().isTuple()) {
    Dim total(0);
    for (const Value &item : parts.elements()) {
      std::optional<Dim> size = call.asInteger(item, "an extent", span);
      if (!size || !call.requireExtent(*size, span))
        return Value::error();
      sizes.push_back(*size);
      total += *size;
    }
    if (sizes.empty() || differ(total, extent)) {
      call.error(span, "split into parts of " + shapeString(sizes) + " makes " + total.str() + ", but axis " +
                           std::to_string(*axis) + " of " + x->getType().str() + " is " + extent.str())
          .note(x->span(), "this is " + x->getType().str())
          .hint("a tuple gives the extent of every part, a number how many equal parts there are");
      return Value::error();
    }
  } else {
    std::optional<Dim> count = call.asInteger(parts, "the number of parts", span);
    if (!count)
      return Value::error();
    std::optional<Dim> size = Dim::divide(extent, *count);
    if (!count->isConstant() || count->value() < 1 || count->value() > 65536 || !size) {
      call.error(span, !count->isConstant() ? "the number of parts must be a number, not " + count->str()
                                            : "axis " + std::to_string(*axis) + " of " + x->getType().str() +
                                                  " cannot be split into " + count->str() + " equal parts")
          .note(x->span(), "this is " + x->getType().str())
          .hint("a tuple gives the extent of every part");
      return Value::error();
    }
    sizes.assign(size_t(count->value()), *size);
  }
  std::vector<Value> results;
  Dim start(0);
  for (const Dim &size : sizes) {
    results.push_back(call.emit.sliceAxis(*x, *axis, start, size, call.span()));
    start += size;
  }
  return Value::tuple(results, call.span());
}

static Value flip(Call &call) {
  std::optional<Value> x = call.tensor("x");
  std::optional<llvm::SmallVector<int64_t>> axes = x ? call.axes("axis", *x) : std::nullopt;
  if (!axes)
    return Value::error();
  return axes->empty() ? *x : call.emit.reverse(*x, *axes, call.span());
}

/// The amounts before and after each axis from NumPy's forms: n, (before, after), ((before, after), …).
static bool padWidths(Call &call, const Value &x, llvm::SmallVector<Dim> &low, llvm::SmallVector<Dim> &high) {
  const Value &width = call["width"];
  Span span = call.spanOf("width");
  size_t rank = x.getType().rank();
  auto amount = [&](const Value &value) { return call.asInteger(value, "a pad width", span); };
  auto pair = [&](const Value &value, size_t times) {
    bool isPair = value.getType().isTuple();
    if (isPair && value.elements().size() != 2) {
      call.error(span, "a pad width is a number or a pair (before, after), not " + value.getType().str());
      return false;
    }
    std::optional<Dim> before = amount(isPair ? value.elements()[0] : value);
    std::optional<Dim> after = before ? amount(isPair ? value.elements()[1] : value) : std::nullopt;
    if (!after)
      return false;
    for (const Dim &given : {*before, *after})
      if (given.compare(0) == -1) {
        call.error(span, "a pad width cannot be " + given.str())
            .hint("slices such as x[1:-1] remove elements");
        return false;
      }
    low.append(times, *before);
    high.append(times, *after);
    return true;
  };
  bool perAxis =
      width.getType().isTuple() && !width.elements().empty() && width.elements()[0].getType().isTuple();
  if (!perAxis)
    return pair(width, rank);
  if (width.elements().size() != rank) {
    call.error(span,
               std::to_string(width.elements().size()) + " pad widths are given for " + x.getType().str())
        .hint("give one pair for each axis, or one for all");
    return false;
  }
  return llvm::all_of(width.elements(), [&](const Value &item) { return pair(item, 1); });
}

static Value pad(Call &call) {
  std::optional<Value> x = call.tensor("x");
  if (!x)
    return Value::error();
  llvm::SmallVector<Dim> low, high;
  if (!padWidths(call, *x, low, high))
    return Value::error();
  Type scalar = Type::tensor(x->getType().element());
  std::optional<Value> fill = call.has("value")
                                  ? call.tensorLike("value", *x)
                                  : std::optional(call.emit.constant(scalar, Dim(0), call.span()));
  if (!fill)
    return Value::error();
  if (!fill->getType().isScalar()) {
    call.errorAt("value", "pad fills with a scalar, not " + fill->getType().str());
    return Value::error();
  }
  return call.emit.pad(*x, *fill, low, high, call.span());
}

static Value expandDims(Call &call) {
  std::optional<Value> x = call.tensor("x");
  std::optional<int64_t> axis = x ? call.axis("axis", *x, 0, 1) : std::nullopt;
  return axis ? insertAxis(call, *x, *axis) : Value::error();
}

static Value squeeze(Call &call) {
  std::optional<Value> x = call.tensor("x");
  std::optional<llvm::SmallVector<int64_t>> axes = x ? call.axes("axis", *x) : std::nullopt;
  if (!axes)
    return Value::error();
  llvm::SmallVector<Dim> dims;
  for (auto [index, dim] : llvm::enumerate(x->getType().dims())) {
    bool named = llvm::is_contained(*axes, int64_t(index));
    if (named && dim.isConstant(1))
      continue;
    if (named && call.has("axis")) {
      call.errorAt("axis", "cannot squeeze axis " + std::to_string(index) + " of " + x->getType().str() +
                               ": its extent is " + dim.str() + ", not 1");
      return Value::error();
    }
    dims.push_back(dim);
  }
  return call.emit.reshape(*x, dims, call.span());
}

llvm::ArrayRef<Builtin> shapeBuiltins() {
  static const Builtin table[] = {
      {"reshape", "reshape(x, shape...)", "The same elements in row-major order; one extent may be -1.",
       reshape},
      {"transpose", "transpose(x, axes...?)", "The axes in another order, reversed by default.", transpose},
      {"broadcast_to", "broadcast_to(x, shape...)", "x repeated to a shape.", broadcastTo},
      {"concat", "concat(items..., axis = 0)", "Tensors one after another along an axis.", concat},
      {"stack", "stack(items..., axis = 0)", "Tensors along a new axis.", stack},
      {"split", "split(x, parts, axis = 0)",
       "A tuple of equal parts, or of parts with the extents in a tuple.", split},
      {"flip", "flip(x, axis = all)", "The elements in opposite order.", flip},
      {"pad", "pad(x, width, value = 0)", "x with a border: n, (before, after), or one pair for each axis.",
       pad},
      {"expand_dims", "expand_dims(x, axis)", "x with a new axis of extent 1.", expandDims},
      {"squeeze", "squeeze(x, axis = all)", "x without axes of extent 1.", squeeze},
  };
  return table;
}

} // namespace heddle::frontend
