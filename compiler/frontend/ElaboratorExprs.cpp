// Expressions other than control flow and calls.
#include "compiler/frontend/Elaborator.h"

namespace heddle::frontend {

const Value *Scope::find(std::string_view name) const {
  for (const Scope *scope = this; scope; scope = scope->parent.get())
    if (auto found = scope->values.find(name); found != scope->values.end())
      return &found->second;
  return nullptr;
}

ScopePtr Elaborator::child(std::shared_ptr<const Scope> parent) const {
  auto scope = std::make_shared<Scope>();
  scope->frame = parent->frame;
  scope->parent = std::move(parent);
  return scope;
}

ScopePtr Elaborator::root(std::shared_ptr<const Frame> frame) const {
  auto scope = std::make_shared<Scope>();
  scope->frame = std::move(frame);
  return scope;
}

Decl Elaborator::declaration(std::string_view name, const ModuleInfo &module, Span use) {
  std::vector<Decl> found = module.lookup(name);
  if (found.empty())
    return {};
  if (found.size() > 1) {
    Diagnostic &error = diagnostics.error(use, "'" + std::string(name) + "' is declared by several imports");
    for (const Decl &decl : found)
      error.note(nameSpan(decl), "here");
    error.hint("rename one of them, or import only one of the files");
  }
  return found.front();
}

std::vector<std::string> Elaborator::visibleNames(const Scope &scope) const {
  std::vector<std::string> names;
  for (const Scope *s = &scope; s; s = s->parent.get())
    for (const auto &[name, value] : s->values)
      names.push_back(name);
  for (const auto &[name, dim] : scope.frame->dims)
    names.push_back(name);
  for (const auto &[name, type] : scope.frame->types)
    names.push_back(name);
  for (const auto &[name, decl] : scope.frame->module->names)
    names.push_back(name);
  for (const ModuleInfo *module : scope.frame->module->imports)
    for (const auto &[name, decl] : module->names)
      names.push_back(name);
  if (const ModuleInfo *prelude = scope.frame->module->prelude)
    for (const auto &[name, decl] : prelude->names)
      names.push_back(name);
  for (llvm::StringRef name : allBuiltinNames())
    names.push_back(name.str());
  for (const char *name : {"f64", "f32", "bf16", "f16", "i64", "i32", "i8", "bool"})
    names.push_back(name);
  return names;
}

Value Elaborator::lookup(const ast::NameExpr &name, ScopePtr scope) {
  if (name.name == "_") {
    diagnostics.error(name.span, "'_' has no value").hint("it stands for what is not used; choose a name");
    return Value::error();
  }
  if (const Value *value = scope->find(name.name))
    return *value;
  const Frame &frame = *scope->frame;
  if (auto dim = frame.dims.find(name.name); dim != frame.dims.end())
    return Value::dimension(dim->second, name.span);
  if (auto type = frame.types.find(name.name); type != frame.types.end())
    return Value::type(type->second, name.span);
  Decl decl = declaration(name.name, *frame.module, name.span);
  if (auto *fn = std::get_if<const FnDecl *>(&decl))
    return Value::function(std::make_shared<FnCallable>(*this, **fn), name.span);
  if (auto *constantDecl = std::get_if<const ConstDecl *>(&decl))
    return constant(**constantDecl, name.span);
  if (std::holds_alternative<const StructDecl *>(decl) || elementTypeNamed(name.name)) {
    Type type = resolveType(name, *scope);
    return type.isError() ? Value::error() : Value::type(type, name.span);
  }
  if (const Builtin *builtin = lookupBuiltin(name.name); builtin && (std::isalpha(name.name[0])))
    return Value::function(std::make_shared<BuiltinCallable>(*builtin), name.span);

  // After a syntax error the declaration may be in what could not be read.
  if (program.incomplete)
    return Value::error();
  Diagnostic &error = diagnostics.error(name.span, "unknown name '" + name.name + "'");
  static const std::map<std::string, std::string> elsewhere = {{"True", "true"},
                                                               {"False", "false"},
                                                               {"pow", "**"},
                                                               {"matmul", "@"},
                                                               {"dot", "@"},
                                                               {"fabs", "abs"},
                                                               {"maximum", "max"},
                                                               {"minimum", "min"},
                                                               {"concatenate", "concat"},
                                                               {"cat", "concat"},
                                                               {"swapaxes", "transpose"},
                                                               {"permute", "transpose"},
                                                               {"view", "reshape"},
                                                               {"gather", "take"},
                                                               {"unsqueeze", "expand_dims"},
                                                               {"rand", "random_uniform"},
                                                               {"randn", "random_normal"},
                                                               {"ones_like", "ones"},
                                                               {"zeros_like", "zeros"},
                                                               {"len", "N"},
                                                               {"logsoftmax", "log_softmax"},
                                                               {"layernorm", "layer_norm"},
                                                               {"rmsnorm", "rms_norm"},
                                                               {"scan", "for … carry"},
                                                               {"std", "sqrt(var(x))"},
                                                               {"average", "mean"},
                                                               {"power", "**"},
                                                               {"absolute", "abs"},
                                                               {"topk", "top_k"},
                                                               {"amax", "max"},
                                                               {"amin", "min"}};
  if (name.name == "None")
    error.hint("there is no 'None'; an axis of extent 1 is added by 'expand_dims'");
  else if (auto known = elsewhere.find(name.name); known != elsewhere.end())
    error.hint("write '" + known->second + "'");
  else if (std::string near = nearest(name.name, visibleNames(*scope)); !near.empty())
    error.hint("did you mean '" + near + "'?");
  else if (std::isupper(static_cast<unsigned char>(name.name[0])) && frame.fn)
    error.hint("dimensions come from the types of the parameters, or from brackets after the name: 'fn " +
               frame.fn->name() + "[" + name.name + "](…)'");
  return Value::error();
}

Value Elaborator::operation(const std::string &name, Span op, Span span, std::vector<Argument> args) {
  for (const Argument &operand : args)
    if (operand.value.isError())
      return Value::error();
  const Builtin *builtin = lookupBuiltin(name);
  if (!builtin) {
    diagnostics.error(op, "there is no operator '" + name + "'");
    return Value::error();
  }
  CallContext context(name, op, span, std::move(args), diagnostics, emit, *this);
  return builtin->evaluate(context);
}

Value Elaborator::field(const ast::FieldExpr &access, ScopePtr scope) {
  Value base = expr(*access.base, scope);
  if (base.isError())
    return base;
  const Type &type = base.getType();
  const Type &record = type.isStack() ? type.stackElement() : type;
  const std::string &name = access.name.text;
  if (!record.isStruct()) {
    Diagnostic &error = diagnostics.error(access.name.span, type.str() + " has no field '" + name + "'");
    if (name == "shape" && type.isTensor())
      error.hint("its dimensions are " + shapeString(type.dims()) + "; use their names");
    else if (name == "T")
      error.hint("write 'transpose(x)'");
    else if (type.isTuple())
      error.hint("an element of a tuple is 't[0]', or take it apart with 'let (a, b) = t'");
    else if (lookupBuiltin(name))
      error.hint("functions are called with their value inside: '" + name + "(x)'");
    return Value::error();
  }
  std::optional<size_t> position = record.fieldIndex(name);
  if (!position) {
    std::vector<std::string> names;
    std::string list;
    for (const Type::Field &f : record.fields()) {
      names.push_back(f.name);
      list += (list.empty() ? "'" : ", '") + f.name + "'";
    }
    Diagnostic &error = diagnostics.error(access.name.span,
                                          "struct '" + record.name().str() + "' has no field '" + name + "'");
    error.note(record.declaration()->item->name.span, "it is declared here");
    std::string near = nearest(name, names);
    error.hint(near.empty() ? (list.empty() ? "it has no fields" : "its fields are " + list)
                            : "did you mean '" + near + "'?");
    return Value::error();
  }
  return base.field(*position, access.span);
}

Value Elaborator::index(const ast::IndexExpr &access, ScopePtr scope) {
  if (isType(access, *scope)) {
    Type type = resolveType(access, *scope);
    return type.isError() ? Value::error() : Value::type(type, access.span);
  }
  Value base = expr(*access.base, scope);
  if (base.isError())
    return base;
  if (auto *fn = dynamic_cast<const FnCallable *>(base.callable()))
    return instantiateFunction(access, *fn, scope);
  if (base.getType().isFunction()) {
    diagnostics.error(access.span, base.callable()->describe() + " takes no dimensions in brackets");
    return Value::error();
  }
  if (access.items.empty()) {
    diagnostics.error(access.span, "the index is empty").hint("write 'x[0]' or 'x[:]'");
    return Value::error();
  }
  std::vector<IndexItem> items;
  bool ok = true;
  auto part = [&](const ast::ExprPtr &written) -> std::optional<Value> {
    if (!written)
      return std::nullopt;
    Value value = expr(*written, scope);
    ok &= !value.isError();
    return value;
  };
  for (const ast::IndexItem &written : access.items) {
    if (!written.name.empty()) {
      diagnostics.error(written.span, "'" + written.name.text + " = …' in the index of a value")
          .note(base.span(), "this is " + base.getType().str() + ", not a function");
      return Value::error();
    }
    IndexItem item;
    item.span = written.span;
    if (written.kind == ast::IndexItem::Ellipsis) {
      item.kind = IndexItem::Kind::Ellipsis;
    } else if (written.kind == ast::IndexItem::Slice) {
      item.kind = IndexItem::Kind::Slice;
      item.start = part(written.start);
      item.stop = part(written.stop);
      item.step = part(written.step);
    } else {
      item.at = *part(written.value);
    }
    items.push_back(std::move(item));
  }
  if (!ok)
    return Value::error();
  const Type &type = base.getType();
  if (type.isTuple()) {
    const Dim *position =
        items.size() == 1 && items[0].kind == IndexItem::Kind::At ? items[0].at.dim() : nullptr;
    if (!position || !position->isConstant()) {
      diagnostics.error(access.span, "the index of a tuple is one integer that is known to the compiler")
          .hint("write 't[0]', or take it apart with 'let (a, b) = t'");
      return Value::error();
    }
    int64_t count = static_cast<int64_t>(base.elements().size());
    int64_t at = position->value() < 0 ? position->value() + count : position->value();
    if (at < 0 || at >= count) {
      diagnostics
          .error(items[0].span,
                 "index " + position->str() + " is out of range for a tuple of " + std::to_string(count))
          .note(base.span(), "the tuple comes from here");
      return Value::error();
    }
    return base.elements()[static_cast<size_t>(at)];
  }
  CallContext context("[]", access.span, access.span, {}, diagnostics, emit, *this);
  return evaluateIndex(context, base, items);
}

Value Elaborator::structLiteral(const ast::StructLiteralExpr &literal, ScopePtr scope) {
  // The written type may leave out dimensions and type arguments; the fields decide them.
  const ast::Expr *base = literal.type.get();
  const ast::IndexExpr *dimensions = base->as<ast::IndexExpr>();
  if (dimensions)
    base = dimensions->base.get();
  const ast::TypeApplyExpr *apply = base->as<ast::TypeApplyExpr>();
  const ast::Expr &nameExpr = apply ? *apply->base : *base;
  auto *name = nameExpr.as<ast::NameExpr>();
  const StructDecl *decl = name ? structNamed(name->name, *scope->frame->module) : nullptr;
  Type written;
  if (!decl || apply || dimensions) {
    written = resolveType(*literal.type, *scope);
    if (!written.isError() && !written.isStruct()) {
      diagnostics.error(literal.type->span, written.str() + " is no struct");
      written = Type();
    }
    if (!written.isError())
      decl = written.declaration();
  }
  std::map<std::string, Value> given;
  std::map<std::string, Span> places;
  bool ok = true;
  for (const ast::FieldInit &init : literal.fields) {
    Value value;
    if (init.value) {
      value = expr(*init.value, scope);
    } else {
      ast::NameExpr shorthand(init.name.span);
      shorthand.name = init.name.text;
      value = lookup(shorthand, scope);
    }
    ok &= !value.isError();
    if (auto [entry, fresh] = places.emplace(init.name.text, init.name.span); !fresh) {
      diagnostics.error(init.name.span, "the field '" + init.name.text + "' is given twice")
          .note(entry->second, "it was given here");
      ok = false;
    }
    given[init.name.text] = value;
  }
  if (!decl || ((apply || dimensions) && written.isError()))
    return Value::error();
  const ast::StructItem &item = *decl->item;
  std::vector<std::string> names;
  for (const ast::FieldDecl &field : item.fields)
    names.push_back(field.name.text);
  for (const ast::FieldInit &init : literal.fields) {
    if (llvm::is_contained(names, init.name.text))
      continue;
    Diagnostic &error = diagnostics.error(init.name.span, "struct '" + decl->name() + "' has no field '" +
                                                              init.name.text + "'");
    error.note(item.name.span, "it is declared here");
    if (std::string near = nearest(init.name.text, names); !near.empty())
      error.hint("did you mean '" + near + "'?");
    ok = false;
  }
  std::string missing;
  for (const std::string &field : names)
    if (!given.count(field))
      missing += (missing.empty() ? "'" : ", '") + field + "'";
  if (!missing.empty()) {
    bool several = missing.find(',') != std::string::npos;
    diagnostics
        .error(literal.type->span, std::string(several ? "the fields " : "the field ") + missing + " of '" +
                                       decl->name() + (several ? "' are missing" : "' is missing"))
        .note(item.name.span, "it is declared here");
    ok = false;
  }
  if (!ok)
    return Value::error();

  auto frame = std::make_shared<Frame>();
  frame->module = decl->module;
  Inference inference(*this, root(frame));
  for (size_t i = 0; i < item.dims.size(); ++i) {
    inference.addDim(item.dims[i].name.text);
    if (written.isStruct())
      inference.give(item.dims[i].name.text, written.dims()[i], literal.type->span, "the type");
  }
  for (size_t i = 0; i < item.typeParameters.size(); ++i) {
    inference.addType(item.typeParameters[i].name.text, item.typeParameters[i].isFloat);
    if (written.isStruct()) {
      auto &slot = inference.types[item.typeParameters[i].name.text];
      slot.value = written.elements()[i];
      slot.span = literal.type->span;
      slot.what = "the type";
    }
  }
  auto report = [&](const Inference::Mismatch &failure, Span place, Span declared,
                    const std::string &fieldName) {
    if (failure.message.empty())
      return;
    Diagnostic &error = diagnostics.error(place, failure.message);
    for (const Remark &note : failure.notes)
      error.note(note.span, note.message);
    if (declared.valid())
      error.note(declared, "'" + fieldName + "' is declared here");
    if (!failure.hint.empty())
      error.hint(failure.hint);
  };
  for (const ast::FieldDecl &field : item.fields) {
    const Value &value = given[field.name.text];
    if (auto failure = inference.unify(*field.type, value.getType(), places[field.name.text],
                                       "field '" + field.name.text + "'")) {
      report(*failure, places[field.name.text], field.name.span, field.name.text);
      ok = false;
    }
  }
  if (ok)
    if (auto failure = inference.finish()) {
      report(*failure, literal.span, {}, "");
      ok = false;
    }
  if (!ok)
    return Value::error();
  std::vector<Type> types;
  std::vector<Dim> dims;
  for (const ast::TypeParameter &parameter : item.typeParameters) {
    auto &slot = inference.types[parameter.name.text];
    if (!slot.value && parameter.isFloat)
      slot.value = Type::tensor(ElementType::F32);
    if (!slot.value) {
      diagnostics
          .error(literal.type->span, "the type argument '" + parameter.name.text + "' of '" + decl->name() +
                                         "' cannot be told from the fields")
          .note(parameter.name.span, "it is declared here")
          .hint("write it: '" + decl->name() + "<…> { … }'");
      return Value::error();
    }
    types.push_back(*slot.value);
  }
  for (const ast::DimParameter &parameter : item.dims) {
    auto &slot = inference.dims[parameter.name.text];
    if (!slot.value) {
      diagnostics
          .error(literal.type->span, "the dimension '" + parameter.name.text + "' of '" + decl->name() +
                                         "' cannot be told from the fields")
          .note(parameter.name.span, "it is declared here")
          .hint("write all dimensions: '" + decl->name() + "[…] { … }'");
      return Value::error();
    }
    dims.push_back(*slot.value);
  }
  Type type = instantiateAt(*decl, types, dims, literal.type->span);
  if (type.isError())
    return Value::error();
  llvm::SmallVector<mlir::Value> leaves;
  for (const Type::Field &field : type.fields()) {
    std::optional<Value> value = coerce(emit, given[field.name], field.type);
    if (!value) {
      diagnostics
          .error(places[field.name], "field '" + field.name + "' has type " +
                                         given[field.name].getType().str() + ", expected " + field.type.str())
          .note(item.name.span, "the struct is declared here");
      return Value::error();
    }
    llvm::append_range(leaves, emit.leaves(*value));
  }
  return Value::ofLeaves(type, leaves, literal.span);
}

Value Elaborator::expr(const ast::Expr &e, ScopePtr scope) {
  switch (e.kind) {
  case ast::ExprKind::Integer:
    return Value::intLiteral(static_cast<const ast::IntegerExpr &>(e).value, e.span);
  case ast::ExprKind::Float:
    return Value::floatLiteral(static_cast<const ast::FloatExpr &>(e).value, e.span);
  case ast::ExprKind::Bool:
    return Value::boolean(static_cast<const ast::BoolExpr &>(e).value, e.span);
  case ast::ExprKind::String:
    return Value::string(static_cast<const ast::StringExpr &>(e).value, e.span);
  case ast::ExprKind::Name:
    return lookup(static_cast<const ast::NameExpr &>(e), scope);
  case ast::ExprKind::Unary: {
    const auto &unary = static_cast<const ast::UnaryExpr &>(e);
    Value operand = expr(*unary.operand, scope);
    if (operand.isError())
      return operand;
    return operation(unary.op == ast::UnaryOp::Negate ? "neg" : "not", unary.opSpan, e.span,
                     {{"", operand, unary.operand->span, {}}});
  }
  case ast::ExprKind::Binary: {
    const auto &binary = static_cast<const ast::BinaryExpr &>(e);
    Value lhs = expr(*binary.lhs, scope);
    Value rhs = expr(*binary.rhs, scope);
    return operation(ast::spelling(binary.op), binary.opSpan, e.span,
                     {{"", lhs, binary.lhs->span, {}}, {"", rhs, binary.rhs->span, {}}});
  }
  case ast::ExprKind::Call:
    return call(static_cast<const ast::CallExpr &>(e), scope);
  case ast::ExprKind::Index:
    return index(static_cast<const ast::IndexExpr &>(e), scope);
  case ast::ExprKind::Field:
    return field(static_cast<const ast::FieldExpr &>(e), scope);
  case ast::ExprKind::TypeApply:
  case ast::ExprKind::StackType: {
    Type type = resolveType(e, *scope);
    return type.isError() ? Value::error() : Value::type(type, e.span);
  }
  case ast::ExprKind::Tuple: {
    if (isType(e, *scope)) {
      Type type = resolveType(e, *scope);
      return type.isError() ? Value::error() : Value::type(type, e.span);
    }
    std::vector<Value> items;
    bool ok = true;
    for (const ast::ExprPtr &item : static_cast<const ast::TupleExpr &>(e).items) {
      items.push_back(expr(*item, scope));
      ok &= !items.back().isError();
    }
    return ok ? Value::tuple(items, e.span) : Value::error();
  }
  case ast::ExprKind::StructLiteral:
    return structLiteral(static_cast<const ast::StructLiteralExpr &>(e), scope);
  case ast::ExprKind::Block:
    return block(static_cast<const ast::BlockExpr &>(e), scope);
  case ast::ExprKind::If:
    return ifExpr(static_cast<const ast::IfExpr &>(e), scope);
  case ast::ExprKind::For:
    return forExpr(static_cast<const ast::ForExpr &>(e), scope);
  case ast::ExprKind::Lambda:
    return Value::function(
        std::make_shared<LambdaCallable>(*this, static_cast<const ast::LambdaExpr &>(e), scope), e.span);
  case ast::ExprKind::Error:
    return Value::error();
  }
  return Value::error();
}

} // namespace heddle::frontend
