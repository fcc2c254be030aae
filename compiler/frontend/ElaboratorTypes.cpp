// Types and dimensions: what written types denote.
#include "compiler/frontend/Elaborator.h"

namespace heddle::frontend {

const StructDecl *Elaborator::structNamed(std::string_view name, const ModuleInfo &module) const {
  std::vector<Decl> found = module.lookup(name);
  if (found.empty())
    return nullptr;
  auto *decl = std::get_if<const StructDecl *>(&found.front());
  return decl ? *decl : nullptr;
}

const StructDecl *Elaborator::libraryStruct(llvm::StringRef name) const {
  return structNamed(name, *program.prelude);
}

bool Elaborator::isAccumulator(const ast::TypeApplyExpr &apply, const ModuleInfo &module) const {
  auto *name = apply.base->as<ast::NameExpr>();
  return &module == program.prelude && name && name->name == "Accumulator" && apply.arguments.size() == 1;
}

bool Elaborator::isType(const ast::Expr &expr, const Scope &scope) const {
  if (auto *name = expr.as<ast::NameExpr>()) {
    if (scope.find(name->name))
      return false;
    return elementTypeNamed(name->name) || scope.frame->types.count(name->name) ||
           structNamed(name->name, *scope.frame->module);
  }
  if (auto *index = expr.as<ast::IndexExpr>())
    return (index->base->kind == ast::ExprKind::Name || index->base->kind == ast::ExprKind::TypeApply) &&
           isType(*index->base, scope);
  if (auto *tuple = expr.as<ast::TupleExpr>())
    return !tuple->items.empty() &&
           llvm::all_of(tuple->items, [&](const ast::ExprPtr &item) { return isType(*item, scope); });
  return expr.kind == ast::ExprKind::TypeApply || expr.kind == ast::ExprKind::StackType;
}

static std::string count(size_t n, const char *what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

Type Elaborator::instantiateAt(const StructDecl &decl, llvm::ArrayRef<Type> types, llvm::ArrayRef<Dim> dims,
                               Span use) {
  const ast::StructItem &item = *decl.item;
  for (const Type &type : types)
    if (type.isError())
      return Type();
  if (types.size() != item.typeParameters.size()) {
    Diagnostic &error = diagnostics.error(use, "struct '" + decl.name() + "' takes " +
                                                   count(item.typeParameters.size(), "type argument") +
                                                   ", got " + std::to_string(types.size()));
    error.note(item.name.span, "it is declared here");
    if (!item.typeParameters.empty() && types.empty())
      error.hint("write '" + decl.name() + "<" +
                 (item.typeParameters[0].isFloat ? "f32" : item.typeParameters[0].name.text) + ">'");
    return Type();
  }
  auto frame = std::make_shared<Frame>();
  frame->module = decl.module;
  for (auto [parameter, type] : llvm::zip(item.typeParameters, types)) {
    bool fits = !parameter.isFloat || (type.isScalar() && isFloat(type.element()));
    if (!fits) {
      diagnostics
          .error(use, "type argument '" + parameter.name.text + "' of '" + decl.name() +
                          "' must be a float element type, got " + type.str())
          .note(parameter.name.span, "it is declared here")
          .hint("the float element types are f64, f32, bf16 and f16");
      return Type();
    }
    frame->types[parameter.name.text] = type;
  }
  // Dimensions that are left out take their defaults.
  std::vector<Dim> all(dims.begin(), dims.end());
  for (size_t i = 0; i < item.dims.size(); ++i) {
    if (i >= all.size()) {
      if (!item.dims[i].defaultValue)
        break;
      std::optional<Dim> value = resolveDim(*item.dims[i].defaultValue, *root(frame));
      if (!value)
        return Type();
      all.push_back(*value);
    }
    frame->dims[item.dims[i].name.text] = all[i];
  }
  if (all.size() != item.dims.size()) {
    std::string list;
    for (const ast::DimParameter &dim : item.dims)
      list += (list.empty() ? "" : ", ") + dim.name.text;
    Diagnostic &error =
        diagnostics.error(use, "struct '" + decl.name() + "' takes " + count(item.dims.size(), "dimension") +
                                   ", got " + std::to_string(dims.size()));
    error.note(item.name.span, "it is declared here");
    if (!list.empty())
      error.hint("write '" + decl.name() + "[" + list + "]'");
    return Type();
  }
  std::string key = std::to_string(reinterpret_cast<uintptr_t>(&decl));
  for (const Type &type : types)
    key +=
        "|" + type.str() +
        (type.isStruct() ? std::to_string(reinterpret_cast<uintptr_t>(type.declaration())) : std::string());
  for (const Dim &dim : all)
    key += "," + dim.str();
  if (auto known = structCache.find(key); known != structCache.end() && !known->second.isError())
    return known->second;
  if (!activeStructs.insert(&decl).second) {
    diagnostics.error(use, "struct '" + decl.name() + "' contains itself")
        .note(item.name.span, "it is declared here")
        .hint("a value of it would have no end; hold several parts in a stack '[T; L]'");
    return Type();
  }
  std::vector<Type::Field> fields;
  bool ok = true;
  ScopePtr scope = root(frame);
  for (const ast::FieldDecl &field : item.fields) {
    Type type = resolveType(*field.type, *scope);
    ok &= !type.isError();
    fields.push_back({field.name.text, type});
  }
  activeStructs.erase(&decl);
  if (!ok)
    return Type();
  Type result = Type::structure(&decl, decl.name(), types, all, fields);
  structCache[key] = result;
  return result;
}

std::optional<Type> Elaborator::instantiate(const StructDecl &decl, llvm::ArrayRef<Type> types,
                                            llvm::ArrayRef<Dim> dims) {
  bool wasSilent = diagnostics.isSilent();
  diagnostics.setSilent(true);
  Type type = instantiateAt(decl, types, dims, decl.item->name.span);
  diagnostics.setSilent(wasSilent);
  if (type.isError())
    return std::nullopt;
  return type;
}

Type Elaborator::resolveType(const ast::Expr &expr, const Scope &scope) {
  const Frame &frame = *scope.frame;
  auto dimsOf = [&](const ast::IndexExpr &index) -> std::optional<std::vector<Dim>> {
    std::vector<Dim> dims;
    bool ok = true;
    for (const ast::IndexItem &item : index.items) {
      if (item.kind != ast::IndexItem::Value || !item.name.empty()) {
        diagnostics.error(item.span, "expected a dimension")
            .hint("a dimension is an integer, a variable, or an "
                  "expression of those such as '2 * N + 1'");
        ok = false;
        continue;
      }
      std::optional<Dim> dim = resolveDim(*item.value, scope);
      if (dim && dim->isConstant() && dim->value() < 0) {
        std::string text = ast::print(*item.value);
        diagnostics.error(item.span, "dimension " + (text == dim->str() ? text : text + " = " + dim->str()) +
                                         " is negative");
        dim.reset();
      }
      ok &= dim.has_value();
      dims.push_back(dim.value_or(Dim()));
    }
    if (!ok)
      return std::nullopt;
    return dims;
  };
  auto typesOf = [&](const ast::TypeApplyExpr &apply) {
    std::vector<Type> types;
    for (const ast::ExprPtr &argument : apply.arguments)
      types.push_back(resolveType(*argument, scope));
    return types;
  };
  auto structFor = [&](const ast::Expr &base) -> const StructDecl * {
    auto *name = base.as<ast::NameExpr>();
    return name ? structNamed(name->name, *frame.module) : nullptr;
  };

  switch (expr.kind) {
  case ast::ExprKind::Error:
    return Type();
  case ast::ExprKind::Name: {
    const auto &name = static_cast<const ast::NameExpr &>(expr);
    if (auto element = elementTypeNamed(name.name))
      return Type::tensor(*element);
    if (auto bound = frame.types.find(name.name); bound != frame.types.end())
      return bound->second;
    if (const StructDecl *decl = structFor(expr))
      return instantiateAt(*decl, {}, {}, expr.span);
    break;
  }
  case ast::ExprKind::Index: {
    const auto &index = static_cast<const ast::IndexExpr &>(expr);
    if (auto *apply = index.base->as<ast::TypeApplyExpr>()) {
      const StructDecl *decl = structFor(*apply->base);
      bool isAccumulated = isAccumulator(*apply, *frame.module);
      if (!decl && !isAccumulated)
        return resolveType(*apply, scope);
      std::vector<Type> types = typesOf(*apply);
      std::optional<std::vector<Dim>> dims = dimsOf(index);
      if (isAccumulated)
        return dims ? Type::tensor(accumulatorOf(types.front().element()), *dims) : Type();
      return dims ? instantiateAt(*decl, types, *dims, expr.span) : Type();
    }
    if (const StructDecl *decl = structFor(*index.base)) {
      std::optional<std::vector<Dim>> dims = dimsOf(index);
      return dims ? instantiateAt(*decl, {}, *dims, expr.span) : Type();
    }
    if (index.base->kind != ast::ExprKind::Name)
      break;
    Type base = resolveType(*index.base, scope);
    if (base.isError())
      return base;
    std::optional<std::vector<Dim>> dims = dimsOf(index);
    if (!dims)
      return Type();
    if (!base.isTensor() || base.rank() != 0) {
      diagnostics
          .error(expr.span,
                 "'" + ast::print(*index.base) + "' is " + base.str() + ", which takes no dimensions here")
          .hint("only an element type or a struct is followed by dimensions");
      return Type();
    }
    return base.withDims(*dims);
  }
  case ast::ExprKind::TypeApply: {
    const auto &apply = static_cast<const ast::TypeApplyExpr &>(expr);
    if (const StructDecl *decl = structFor(*apply.base))
      return instantiateAt(*decl, typesOf(apply), {}, expr.span);
    Type base = resolveType(*apply.base, scope);
    if (!base.isError())
      diagnostics.error(expr.span, "'" + ast::print(*apply.base) + "' takes no type arguments");
    return Type();
  }
  case ast::ExprKind::StackType: {
    const auto &stack = static_cast<const ast::StackTypeExpr &>(expr);
    Type element = resolveType(*stack.element, scope);
    std::optional<Dim> length = resolveDim(*stack.count, scope);
    if (element.isError() || !length)
      return Type();
    if (length->isConstant() && length->value() < 0) {
      diagnostics.error(stack.count->span, "the length " + length->str() + " of a stack is negative");
      return Type();
    }
    if (!element.isStruct()) {
      diagnostics.error(stack.element->span, "a stack holds structs, not " + element.str())
          .hint(element.isTensor() ? "write a tensor with one more axis: '" +
                                         element
                                             .withDims([&] {
                                               llvm::SmallVector<Dim> dims{*length};
                                               dims.append(element.dims().begin(), element.dims().end());
                                               return dims;
                                             }())
                                             .str() +
                                         "'"
                                   : "put the parts into a struct");
      return Type();
    }
    return Type::stack(element, *length);
  }
  case ast::ExprKind::Tuple: {
    std::vector<Type> elements;
    bool ok = true;
    for (const ast::ExprPtr &item : static_cast<const ast::TupleExpr &>(expr).items) {
      elements.push_back(resolveType(*item, scope));
      ok &= !elements.back().isError();
    }
    return ok ? Type::tuple(elements) : Type();
  }
  default:
    break;
  }
  Diagnostic &error = diagnostics.error(expr.span, expr.kind == ast::ExprKind::Name
                                                       ? "unknown type '" + ast::print(expr) + "'"
                                                       : "expected a type, found '" + ast::print(expr) + "'");
  if (auto *name = expr.as<ast::NameExpr>()) {
    if (frame.dims.count(name->name)) {
      error.hint("'" + name->name + "' is a dimension; a tensor type is 'f32[" + name->name + "]'");
      return Type();
    }
    std::vector<std::string> names = {"f64", "f32", "bf16", "f16", "i64", "i32", "i8", "bool"};
    for (const auto &[type, unused] : frame.types)
      names.push_back(type);
    auto addModule = [&](const ModuleInfo &module) {
      for (const auto &decl : module.structs)
        names.push_back(decl->name());
    };
    addModule(*frame.module);
    for (const ModuleInfo *imported : frame.module->imports)
      addModule(*imported);
    if (frame.module->prelude)
      addModule(*frame.module->prelude);
    std::string near = nearest(name->name, names);
    static const std::map<std::string, std::string> elsewhere = {
        {"float", "f32"},     {"double", "f64"},  {"int", "i32"},       {"float32", "f32"},
        {"float64", "f64"},   {"half", "f16"},    {"int32", "i32"},     {"int64", "i64"},
        {"bfloat16", "bf16"}, {"float16", "f16"}, {"Tensor", "f32[N]"}, {"int8", "i8"}};
    if (auto known = elsewhere.find(name->name); known != elsewhere.end())
      error.hint("write '" + known->second + "'");
    else if (!near.empty())
      error.hint("did you mean '" + near + "'?");
  }
  return Type();
}

std::optional<Dim> Elaborator::resolveDim(const ast::Expr &expr, const Scope &scope) {
  switch (expr.kind) {
  case ast::ExprKind::Error:
    return std::nullopt;
  case ast::ExprKind::Integer:
    return Dim(static_cast<const ast::IntegerExpr &>(expr).value);
  case ast::ExprKind::Name: {
    const auto &name = static_cast<const ast::NameExpr &>(expr);
    if (auto bound = scope.frame->dims.find(name.name);
        bound != scope.frame->dims.end() && !scope.find(name.name))
      return bound->second;
    std::optional<Value> value;
    if (const Value *local = scope.find(name.name))
      value = *local;
    else if (Decl decl = declaration(name.name, *scope.frame->module, expr.span);
             auto *constantDecl = std::get_if<const ConstDecl *>(&decl))
      value = constant(**constantDecl, expr.span);
    if (value) {
      if (value->isError())
        return std::nullopt;
      if (const Dim *dim = value->dim())
        return *dim;
      diagnostics
          .error(expr.span, "'" + name.name + "' is no dimension: its value, " + value->getType().str() +
                                ", is not known to the compiler")
          .note(value->span(), "it comes from here")
          .hint("a dimension is an integer, a dimension variable, or an expression of those");
      return std::nullopt;
    }
    Diagnostic &error = diagnostics.error(expr.span, "unknown dimension '" + name.name + "'");
    std::vector<std::string> names;
    for (const auto &[dim, unused] : scope.frame->dims)
      names.push_back(dim);
    if (std::string near = nearest(name.name, names); !near.empty())
      error.hint("did you mean '" + near + "'?");
    else if (scope.frame->fn)
      error.hint("dimensions come from the types of the parameters, or from brackets after the name: 'fn " +
                 scope.frame->fn->name() + "[" + name.name + "](…)'");
    return std::nullopt;
  }
  case ast::ExprKind::Unary: {
    const auto &unary = static_cast<const ast::UnaryExpr &>(expr);
    if (unary.op != ast::UnaryOp::Negate)
      break;
    std::optional<Dim> value = resolveDim(*unary.operand, scope);
    if (value)
      return -*value;
    return std::nullopt;
  }
  case ast::ExprKind::Binary: {
    const auto &binary = static_cast<const ast::BinaryExpr &>(expr);
    bool arithmetic = binary.op == ast::BinaryOp::Add || binary.op == ast::BinaryOp::Sub ||
                      binary.op == ast::BinaryOp::Mul || binary.op == ast::BinaryOp::Div;
    if (!arithmetic)
      break;
    std::optional<Dim> lhs = resolveDim(*binary.lhs, scope);
    std::optional<Dim> rhs = resolveDim(*binary.rhs, scope);
    if (!lhs || !rhs)
      return std::nullopt;
    if (binary.op == ast::BinaryOp::Add)
      return *lhs + *rhs;
    if (binary.op == ast::BinaryOp::Sub)
      return *lhs - *rhs;
    if (binary.op == ast::BinaryOp::Mul) {
      // Products of sums are multiplied out, which takes terms without bound.
      constexpr size_t most = 1000;
      if (lhs->termCount() * rhs->termCount() <= most)
        return *lhs * *rhs;
      diagnostics
          .error(binary.opSpan, "this product of " + std::to_string(lhs->termCount()) + " and " +
                                    std::to_string(rhs->termCount()) + " terms has more than " +
                                    std::to_string(most))
          .hint("give a part of the dimension a variable of its own");
      return std::nullopt;
    }
    if (rhs->isConstant(0)) {
      diagnostics.error(binary.rhs->span, "division of a dimension by 0");
      return std::nullopt;
    }
    if (std::optional<Dim> quotient = Dim::divide(*lhs, *rhs))
      return quotient;
    diagnostics.error(expr.span, "dimension " + ast::print(expr) + " is not whole: " + lhs->str() +
                                     " is not divisible by " + rhs->str());
    return std::nullopt;
  }
  default:
    break;
  }
  diagnostics.error(expr.span, "expected a dimension, found '" + ast::print(expr) + "'")
      .hint("a dimension is an integer, a variable, or an expression of those with '+ - * /'");
  return std::nullopt;
}

} // namespace heddle::frontend
