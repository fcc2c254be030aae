// Matching written types with actual ones: binds dimension variables and type parameters.
#include "compiler/frontend/Elaborator.h"

namespace heddle::frontend {

// Unbound variables of the callee get names that no variable of the caller can have.
static std::string unboundName(const std::string &name) { return "?" + name; }

Inference::Inference(Elaborator &elaborator, std::shared_ptr<const Scope> scope)
    : elaborator(elaborator), scope(std::move(scope)) {}

void Inference::give(const std::string &name, const Dim &value, Span span, std::string what) {
  dims[name] = DimSlot{value, span, std::move(what)};
}

/// The value of a dimension expression in which unbound variables stand for themselves; empty after an error.
std::optional<Dim> Inference::evaluate(const ast::Expr &pattern) {
  auto frame = std::make_shared<Frame>(*scope->frame);
  for (const auto &[name, slot] : dims)
    frame->dims[name] = slot.value ? *slot.value : Dim::variable(unboundName(name));
  Scope inner;
  inner.frame = frame;
  return elaborator.resolveDim(pattern, inner);
}

bool isLinear(const Dim &dim, const std::string &variable) {
  std::optional<Dim> at[3];
  for (int i = 0; i < 3; ++i)
    if (!(at[i] = dim.substitute({{variable, Dim(i)}})))
      return false;
  return *at[2] - *at[1] == *at[1] - *at[0];
}

/// 1 matched, 0 must wait for other variables, -1 differs from the expected value, -2 no value of the
/// variable fits.
int Inference::unifyDim(const ast::Expr &pattern, const Dim &actual, Span span, const std::string &what,
                        std::optional<Dim> &expected) {
  expected = evaluate(pattern);
  if (!expected)
    return -1;
  std::string unknown;
  unsigned unknowns = 0;
  for (const std::string &variable : expected->variables()) {
    if (variable[0] == '?') {
      unknown = variable;
      ++unknowns;
    }
  }
  if (unknowns == 0)
    return *expected == actual ? 1 : -1;
  if (unknowns > 1)
    return 0;
  std::optional<Dim> solution = expected->solveFor(unknown, actual);
  if (!solution)
    return actual.isConstant() && isLinear(*expected, unknown) ? -2 : 0;
  if (solution->isConstant() && solution->value() < 0)
    return -2;
  dims[unknown.substr(1)] = DimSlot{solution, span, what};
  return 1;
}

/// Adds where the variables of a dimension got their values.
void Inference::explain(const ast::Expr &pattern, Mismatch &mismatch) const {
  if (auto *name = pattern.as<ast::NameExpr>()) {
    if (auto slot = dims.find(name->name);
        slot != dims.end() && slot->second.value && slot->second.span.valid()) {
      std::string value = slot->second.value->str();
      Remark remark{slot->second.span, (value == name->name ? value : name->name + " = " + value) +
                                           " comes from " + slot->second.what};
      for (const Remark &note : mismatch.notes)
        if (note.message == remark.message)
          return;
      mismatch.notes.push_back(std::move(remark));
    }
  } else if (auto *binary = pattern.as<ast::BinaryExpr>()) {
    explain(*binary->lhs, mismatch);
    explain(*binary->rhs, mismatch);
  }
}

Inference::Mismatch Inference::mismatch(const ast::Expr &pattern, const Type &actual,
                                        const std::string &what) {
  Mismatch result;
  result.message = what + " has type " + actual.str() + ", expected " + ast::print(pattern);
  return result;
}

static std::string axisName(size_t axis) { return "axis " + std::to_string(axis); }

std::optional<Inference::Mismatch> Inference::unifyDims(llvm::ArrayRef<const ast::Expr *> patterns,
                                                        llvm::ArrayRef<Dim> actual, Span span,
                                                        const std::string &what, const ast::Expr &whole,
                                                        const Type &wholeActual) {
  for (size_t i = 0; i < patterns.size(); ++i) {
    std::optional<Dim> expected;
    int state = unifyDim(*patterns[i], actual[i], span, what, expected);
    if (state == 1)
      continue;
    if (state == 0) {
      waiting.push_back({patterns[i], actual[i], span, what});
      continue;
    }
    Mismatch result = mismatch(whole, wholeActual, what);
    if (!expected)
      return result;
    std::string text = ast::print(*patterns[i]);
    std::string value = expected->str();
    if (state == -2) {
      result.message += ": no " + text + " is " + actual[i].str();
      explain(*patterns[i], result);
      return result;
    }
    result.message += ": " + (wholeActual.isTensor() ? axisName(i) : "dimension " + std::to_string(i)) +
                      " is " + actual[i].str() + ", not " + (text == value ? text : text + " = " + value);
    explain(*patterns[i], result);
    // A permutation of the wanted dimensions is the commonest slip.
    if (wholeActual.isTensor() && patterns.size() == 2) {
      std::optional<Dim> first = evaluate(*patterns[0]), second = evaluate(*patterns[1]);
      auto fits = [](const std::optional<Dim> &wanted, const Dim &found) {
        return wanted && (*wanted == found || wanted->str()[0] == '?');
      };
      if (fits(first, actual[1]) && fits(second, actual[0]))
        result.hint = "its axes are the other way round: write 'transpose(…)'";
    }
    return result;
  }
  return std::nullopt;
}

std::optional<Inference::Mismatch> Inference::unifyType(const std::string &name, const Type &actual,
                                                        Span span, const std::string &what) {
  TypeSlot &slot = types[name];
  if (slot.isFloat && !(actual.isScalar() && isFloat(actual.element()))) {
    return Mismatch{what + " has element type " + actual.str() + ", expected a float element type", {}, ""};
  }
  if (!slot.value) {
    slot.value = actual;
    slot.span = span;
    slot.what = what;
    return std::nullopt;
  }
  if (*slot.value == actual)
    return std::nullopt;
  Mismatch result;
  result.message = what + " has type " + actual.str() + ", expected " + name + " = " + slot.value->str();
  result.notes.push_back({slot.span, name + " = " + slot.value->str() + " comes from " + slot.what});
  return result;
}

std::optional<Inference::Mismatch> Inference::unifyStruct(const StructDecl &decl,
                                                          const ast::TypeApplyExpr *apply,
                                                          llvm::ArrayRef<ast::IndexItem> items,
                                                          const ast::Expr &pattern, const Type &actual,
                                                          Span span, const std::string &what) {
  if (!actual.isStruct() || actual.declaration() != &decl)
    return mismatch(pattern, actual, what);
  size_t typeCount = apply ? apply->arguments.size() : 0;
  if (typeCount != actual.elements().size() || items.size() > actual.dims().size()) {
    // Resolving reports what is wrong with the written type itself.
    elaborator.resolveType(pattern, *scope);
    return Mismatch{};
  }
  for (size_t i = 0; i < typeCount; ++i)
    if (auto failure = unify(*apply->arguments[i], actual.elements()[i], span, what)) {
      Mismatch outer = mismatch(pattern, actual, what);
      outer.notes = failure->notes;
      return outer;
    }
  std::vector<const ast::Expr *> patterns;
  for (const ast::IndexItem &item : items) {
    if (item.kind != ast::IndexItem::Value || !item.name.empty()) {
      elaborator.resolveType(pattern, *scope);
      return Mismatch{};
    }
    patterns.push_back(item.value.get());
  }
  return unifyDims(patterns, actual.dims().take_front(patterns.size()), span, what, pattern, actual);
}

std::optional<Inference::Mismatch> Inference::unify(const ast::Expr &pattern, const Type &actual, Span span,
                                                    const std::string &what) {
  if (actual.isError() || pattern.kind == ast::ExprKind::Error)
    return std::nullopt;
  const ModuleInfo &module = *scope->frame->module;
  if (auto *name = pattern.as<ast::NameExpr>()) {
    if (types.count(name->name)) {
      if (actual.isLiteral())
        return std::nullopt; // other arguments decide; a default is set by the caller
      return unifyType(name->name, actual, span, what);
    }
    if (auto element = elementTypeNamed(name->name)) {
      bool literalFits = actual.kind() == Type::Kind::IntLiteral ? *element != ElementType::Bool
                                                                 : actual.isLiteral() && isFloat(*element);
      if (literalFits || actual.isScalar(*element))
        return std::nullopt;
      Mismatch result = mismatch(pattern, actual, what);
      if (actual.isTensor() && actual.rank() == 0)
        result.hint = "convert it with 'cast(…, " + name->name + ")'";
      return result;
    }
    if (const StructDecl *decl = elaborator.structNamed(name->name, module))
      return unifyStruct(*decl, nullptr, {}, pattern, actual, span, what);
  } else if (auto *index = pattern.as<ast::IndexExpr>()) {
    auto *apply = index->base->as<ast::TypeApplyExpr>();
    const ast::Expr &base = apply ? *apply->base : *index->base;
    auto *name = base.as<ast::NameExpr>();
    if (name && !types.count(name->name) && !elementTypeNamed(name->name))
      if (const StructDecl *decl = elaborator.structNamed(name->name, module))
        return unifyStruct(*decl, apply, index->items, pattern, actual, span, what);
    if (apply && elaborator.isAccumulator(*apply, module)) {
      auto *argument = apply->arguments.front()->as<ast::NameExpr>();
      auto slot = types.find(argument ? argument->name : "");
      bool elementFits =
          actual.isTensor() && (slot == types.end() || !slot->second.value ||
                                actual.element() == accumulatorOf(slot->second.value->element()));
      if (!elementFits || actual.rank() != index->items.size()) {
        Mismatch result = mismatch(pattern, actual, what);
        if (slot != types.end() && slot->second.value)
          result.message += " with " + slot->first + " = " + slot->second.value->str();
        return result;
      }
      std::vector<const ast::Expr *> patterns;
      for (const ast::IndexItem &item : index->items)
        patterns.push_back(item.value.get());
      return unifyDims(patterns, actual.dims(), span, what, pattern, actual);
    }
    if (name && !apply && (types.count(name->name) || elementTypeNamed(name->name))) {
      if (!actual.isTensor())
        return mismatch(pattern, actual, what);
      if (actual.rank() != index->items.size()) {
        Mismatch result = mismatch(pattern, actual, what);
        result.message +=
            ": it has rank " + std::to_string(actual.rank()) + ", not " + std::to_string(index->items.size());
        return result;
      }
      if (auto element = elementTypeNamed(name->name); element && !types.count(name->name)) {
        if (actual.element() != *element) {
          Mismatch result = mismatch(pattern, actual, what);
          result.hint = "convert it with 'cast(…, " + name->name + ")'";
          return result;
        }
      } else if (auto failure = unifyType(name->name, Type::tensor(actual.element()), span, what)) {
        failure->message = mismatch(pattern, actual, what).message;
        if (types[name->name].value)
          failure->message += " with " + name->name + " = " + types[name->name].value->str();
        return failure;
      }
      std::vector<const ast::Expr *> patterns;
      for (const ast::IndexItem &item : index->items) {
        if (item.kind != ast::IndexItem::Value || !item.name.empty()) {
          elaborator.resolveType(pattern, *scope);
          return Mismatch{};
        }
        patterns.push_back(item.value.get());
      }
      return unifyDims(patterns, actual.dims(), span, what, pattern, actual);
    }
  } else if (auto *apply = pattern.as<ast::TypeApplyExpr>()) {
    auto *name = apply->base->as<ast::NameExpr>();
    if (const StructDecl *decl = name ? elaborator.structNamed(name->name, module) : nullptr)
      return unifyStruct(*decl, apply, {}, pattern, actual, span, what);
  } else if (auto *stack = pattern.as<ast::StackTypeExpr>()) {
    if (!actual.isStack())
      return mismatch(pattern, actual, what);
    if (auto failure = unify(*stack->element, actual.stackElement(), span, what))
      return failure;
    const ast::Expr *length = stack->count.get();
    return unifyDims({length}, {actual.stackLength()}, span, what, pattern, actual);
  } else if (auto *tuple = pattern.as<ast::TupleExpr>()) {
    if (!actual.isTuple() || actual.elements().size() != tuple->items.size())
      return mismatch(pattern, actual, what);
    for (size_t i = 0; i < tuple->items.size(); ++i)
      if (auto failure = unify(*tuple->items[i], actual.elements()[i], span,
                               "element " + std::to_string(i) + " of " + what))
        return failure;
    return std::nullopt;
  }
  // What is written here is no type: resolving it says why.
  if (!elaborator.resolveType(pattern, *scope).isError())
    return mismatch(pattern, actual, what);
  return Mismatch{};
}

std::optional<Inference::Mismatch> Inference::settle() {
  bool progress = true;
  while (progress && !waiting.empty()) {
    progress = false;
    std::vector<Waiting> rest;
    for (Waiting &entry : waiting) {
      std::optional<Dim> expected;
      int state = unifyDim(*entry.pattern, entry.actual, entry.span, entry.what, expected);
      if (state == 1) {
        progress = true;
      } else if (state == 0) {
        rest.push_back(entry);
      } else {
        Mismatch result;
        std::string text = ast::print(*entry.pattern);
        result.message = entry.what + " has the dimension " + entry.actual.str() + " where " + text;
        if (expected && state == -1)
          result.message += " = " + expected->str();
        result.message += " is expected";
        explain(*entry.pattern, result);
        return result;
      }
    }
    waiting = std::move(rest);
  }
  return std::nullopt;
}

std::optional<Inference::Mismatch> Inference::finish() {
  if (auto failure = settle())
    return failure;
  if (waiting.empty())
    return std::nullopt;
  Mismatch result;
  result.message = "the dimensions in " + ast::print(*waiting[0].pattern) + " cannot be told from " +
                   waiting[0].what + ", where it is " + waiting[0].actual.str();
  std::string name = "N";
  if (std::optional<Dim> open = evaluate(*waiting[0].pattern))
    for (const std::string &variable : open->variables())
      if (variable[0] == '?')
        name = variable.substr(1);
  result.hint = "give one by name, in brackets after what is called: '[" + name + " = …]'";
  return result;
}

} // namespace heddle::frontend
