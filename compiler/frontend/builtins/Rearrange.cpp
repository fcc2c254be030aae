//===- Rearrange.cpp - Splitting, permuting and merging axes by name --------===//
#include "compiler/frontend/builtins/Formula.h"

namespace heddle::frontend {

/// The extents of all names of the pattern's left side. Reports what cannot be known or does not fit.
static std::optional<std::map<std::string, Dim>> solveExtents(Call &call, const FormulaTerm &left,
                                                              const Value &x) {
  std::map<std::string, Dim> extents;
  for (const Argument &size : call.otherNamed()) {
    std::optional<Dim> dim = call.asInteger(size.value, "'" + size.name + "'", size.span);
    if (!dim || !call.requireExtent(*dim, size.span))
      return std::nullopt;
    bool known = llvm::any_of(
        left, [&](const FormulaAxis &axis) { return llvm::is_contained(axis.names, size.name); });
    if (!known) {
      call.error(size.nameSpan.end ? size.nameSpan : size.span,
                 "the pattern has no axis '" + size.name + "' on its left");
      return std::nullopt;
    }
    extents[size.name] = *dim;
  }
  for (auto [index, axis] : llvm::enumerate(left)) {
    const Dim &extent = x.getType().dims()[index];
    Dim product(1);
    std::vector<std::string> open;
    for (const std::string &name : axis.names) {
      if (auto known = extents.find(name); known != extents.end())
        product *= known->second;
      else
        open.push_back(name);
    }
    if (open.size() > 1) {
      call.errorAt("pattern",
                   "the extents of '" + open[0] + "' and '" + open[1] + "' in one group are both unknown")
          .hint("give one: rearrange(x, pattern, " + open[1] + " = 4)");
      return std::nullopt;
    }
    if (open.size() == 1) {
      std::optional<Dim> rest = Dim::divide(extent, product);
      if (!rest) {
        call.errorAt("pattern", "axis " + std::to_string(index) + " of " + x.getType().str() + " is " +
                                    extent.str() + ", which " + product.str() + " does not divide")
            .note(x.span(), "this is " + x.getType().str());
        return std::nullopt;
      }
      extents[open[0]] = *rest;
    } else if (std::optional<int> order = product.compare(extent);
               product != extent && (!order || *order != 0)) {
      // Undecided products are checked once the dimensions are known.
      if (!order && !axis.names.empty())
        continue;
      call.errorAt("pattern", "axis " + std::to_string(index) + " of " + x.getType().str() + " is " +
                                  extent.str() + ", but the pattern makes it " + product.str())
          .note(x.span(), "this is " + x.getType().str());
      return std::nullopt;
    }
  }
  return extents;
}

static Value rearrange(Call &call) {
  std::optional<Value> x = call.tensor("x");
  if (!x)
    return Value::error();
  const std::string *text = call["pattern"].text();
  Span span = call.spanOf("pattern");
  if (!text) {
    call.errorAt("pattern", "rearrange needs a pattern, a string, not " + call["pattern"].getType().str())
        .hint("write for example rearrange(x, \"b n (h e) -> b h n e\", h = 8)");
    return Value::error();
  }
  std::optional<Formula> formula = parseFormula(call, *text, span, true);
  if (!formula)
    return Value::error();
  if (formula->inputs.size() != 1) {
    call.error(span, "a pattern has one operand, but this one has " + std::to_string(formula->inputs.size()))
        .hint("einsum combines several tensors");
    return Value::error();
  }
  if (!expandEllipsis(call, *formula, *x, span))
    return Value::error();
  const FormulaTerm &left = formula->inputs.front();
  std::optional<std::map<std::string, Dim>> extents = solveExtents(call, left, *x);
  if (!extents)
    return Value::error();

  std::vector<std::string> order;
  llvm::SmallVector<Dim> split, merged;
  llvm::SmallVector<int64_t> permutation;
  for (const FormulaAxis &axis : left)
    for (const std::string &name : axis.names) {
      order.push_back(name);
      split.push_back(extents->at(name));
    }
  for (const FormulaAxis &axis : formula->output) {
    Dim product(1);
    for (const std::string &name : axis.names) {
      auto place = llvm::find(order, name);
      if (place == order.end()) {
        call.error(span, "axis '" + name + "' of the result does not stand in the operand")
            .hint("broadcast_to repeats along new axes");
        return Value::error();
      }
      permutation.push_back(place - order.begin());
      product *= extents->at(name);
    }
    merged.push_back(product);
  }
  for (auto [index, name] : llvm::enumerate(order))
    if (!llvm::is_contained(permutation, int64_t(index))) {
      call.error(span, "axis '" + name + "' of the operand is missing in the result")
          .hint("sum(x, axis = " + std::to_string(index) + ") or mean removes an axis");
      return Value::error();
    }
  Value parts = call.emit.transpose(call.emit.reshape(*x, split, call.span()), permutation, call.span());
  return call.emit.reshape(parts, merged, call.span());
}

llvm::ArrayRef<Builtin> rearrangeBuiltins() {
  static const Builtin table[] = {
      {"rearrange", "rearrange(x, pattern, **sizes)",
       "Axes split, permuted and merged as einops writes it: rearrange(x, \"b n (h e) -> b h n e\", h = 8).",
       rearrange},
  };
  return table;
}

} // namespace heddle::frontend
