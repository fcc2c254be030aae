// Calls: arguments to parameters, dimensions and types from arguments.
#include "compiler/frontend/Elaborator.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace heddle::frontend {

Value FnCallable::call(CallContext &context) const {
  std::optional<BoundCall> bound = elaborator.bindCall(*this, context.args, context.span);
  return bound ? elaborator.callFunction(fn, *bound, context.span) : Value::error();
}

Value LambdaCallable::call(CallContext &context) const {
  return elaborator.callLambda(*this, context.args, context.span);
}

bool Elaborator::tooDeep(Span span) {
  // Bodies are evaluated on the machine's stack; main threads have 8 MB of it.
  constexpr ptrdiff_t budget = 3 << 20;
  const char *here = reinterpret_cast<const char *>(__builtin_frame_address(0));
  if (stackBase - here < budget && here - stackBase < budget)
    return false;
  diagnostics.error(span, "calls are nested too deeply").hint("does this call lead back to itself?");
  return true;
}

/// In `wrt = (p, x)` names mean the parameters, as strings would: values cannot be meant.
Value Elaborator::parameterNames(const ast::Expr &e, ScopePtr scope) {
  if (auto *name = e.as<ast::NameExpr>())
    return Value::string(name->name, e.span);
  if (auto *tuple = e.as<ast::TupleExpr>()) {
    std::vector<Value> items;
    for (const ast::ExprPtr &item : tuple->items)
      items.push_back(parameterNames(*item, scope));
    return Value::tuple(items, e.span);
  }
  return expr(e, scope);
}

Value Elaborator::call(const ast::CallExpr &call, ScopePtr scope) {
  if (tooDeep(call.span))
    return Value::error();
  Value callee = expr(*call.callee, scope);
  std::vector<Argument> args;
  bool ok = !callee.isError();
  bool differentiates = false;
  if (auto *builtin = dynamic_cast<const BuiltinCallable *>(callee.callable()))
    differentiates = builtin->builtin.name == "grad" || builtin->builtin.name == "value_and_grad" ||
                     builtin->builtin.name == "vjp" || builtin->builtin.name == "jvp";
  for (const ast::Argument &argument : call.arguments) {
    Value value = differentiates && argument.name.text == "wrt" ? parameterNames(*argument.value, scope)
                                                                : expr(*argument.value, scope);
    ok &= !value.isError();
    args.push_back({argument.name.text, value, argument.value->span, argument.name.span});
  }
  if (!ok)
    return Value::error();
  if (!callee.callable()) {
    Diagnostic &error = diagnostics.error(call.callee->span, "'" + ast::print(*call.callee) + "' is " +
                                                                 callee.getType().str() + ", not a function");
    if (callee.getType().kind() == Type::Kind::TypeValue) {
      const Type &type = callee.getType().elements().front();
      if (type.isStruct())
        error.hint("a struct is built with braces: '" + type.name().str() + " { field: value }'");
      else if (type.isScalar())
        error.hint("convert with 'cast(x, " + type.str() + ")'");
    } else if (callee.span() != call.callee->span) {
      error.note(callee.span(), "its value comes from here");
    }
    return Value::error();
  }
  std::string name = call.callee->kind == ast::ExprKind::Name
                         ? static_cast<const ast::NameExpr &>(*call.callee).name
                         : ast::print(*call.callee);
  if (auto *builtin = dynamic_cast<const BuiltinCallable *>(callee.callable()))
    name = builtin->builtin.name.str();
  CallContext context(name, call.callee->span, call.span, std::move(args), diagnostics, emit, *this);
  if (call.with) {
    auto *builtin = dynamic_cast<const BuiltinCallable *>(callee.callable());
    if (!builtin || !builtin->builtin.takesBlock) {
      diagnostics.error(call.with->span, "'" + name + "' takes no block after its arguments")
          .hint("'with (s, b, h, i, j) { … }' belongs to attention");
      return Value::error();
    }
    const auto &lambda = static_cast<const ast::LambdaExpr &>(*call.with);
    WithBlock block{expr(lambda, scope), lambda.span, {}, lambda.body->closing, {}};
    for (const ast::Parameter &parameter : lambda.parameters)
      block.names.push_back(parameter.span);
    if (const ast::Expr *last =
            lambda.body->statements.empty() ? nullptr : lambda.body->statements.back().value.get()) {
      block.result = last->span;
      if (auto *tuple = last->as<ast::TupleExpr>())
        for (const ast::ExprPtr &item : tuple->items)
          block.elements.push_back(item->span);
    }
    context.with = std::move(block);
  }
  return callee.sharedCallable()->call(context);
}

Value Elaborator::instantiateFunction(const ast::IndexExpr &index, const FnCallable &fn, ScopePtr scope) {
  auto result = std::make_shared<FnCallable>(*this, fn.fn);
  result->dims = fn.dims;
  const auto &declared = fn.fn.item->dims;
  size_t next = 0;
  bool ok = true;
  bool named = false;
  for (const ast::IndexItem &item : index.items) {
    if (item.kind != ast::IndexItem::Value) {
      diagnostics.error(item.span, "expected a dimension, found a slice")
          .note(fn.fn.item->name.span,
                "'" + fn.fn.name() + "' is a function; the brackets give its dimensions");
      return Value::error();
    }
    std::string name = item.name.text;
    if (!name.empty()) {
      named = true;
      std::vector<std::string> names;
      for (const ast::Name &dim : fn.fn.dims)
        names.push_back(dim.text);
      if (!llvm::is_contained(names, name)) {
        Diagnostic &error =
            diagnostics.error(item.name.span, "'" + fn.fn.name() + "' has no dimension '" + name + "'");
        error.note(fn.fn.item->name.span, "it is declared here");
        if (std::string near = nearest(name, names); !near.empty())
          error.hint("did you mean '" + near + "'?");
        ok = false;
        continue;
      }
    } else {
      if (named) {
        diagnostics.error(item.span, "a dimension without a name follows one with a name")
            .hint("put those without names first");
        return Value::error();
      }
      if (next >= declared.size()) {
        diagnostics
            .error(item.span, "'" + fn.fn.name() + "' takes " + std::to_string(declared.size()) +
                                  (declared.size() == 1 ? " dimension" : " dimensions") +
                                  " in brackets, got " + std::to_string(index.items.size()))
            .note(fn.fn.item->name.span, "it is declared here");
        return Value::error();
      }
      name = declared[next++].name.text;
    }
    if (auto given = result->dims.find(name); given != result->dims.end()) {
      diagnostics.error(item.span, "the dimension '" + name + "' is given twice")
          .note(given->second.span, "it was given here");
      ok = false;
      continue;
    }
    std::optional<Dim> value = resolveDim(*item.value, *scope);
    if (value && value->isConstant() && value->value() < 0) {
      diagnostics.error(item.span, "dimension " + name + " = " + value->str() + " is negative");
      value.reset();
    }
    ok &= value.has_value();
    if (value)
      result->dims[name] = {*value, item.span};
  }
  return ok ? Value::function(result, index.span) : Value::error();
}

std::optional<std::vector<std::optional<Argument>>>
Elaborator::order(const std::string &what, llvm::ArrayRef<ast::Parameter> parameters,
                  llvm::ArrayRef<Argument> args, Span span, Span declared) {
  std::vector<std::optional<Argument>> result(parameters.size());
  size_t next = 0;
  bool named = false;
  bool ok = true;
  size_t positional = 0;
  for (const Argument &arg : args)
    positional += arg.name.empty();
  for (const Argument &arg : args) {
    size_t at = 0;
    if (arg.name.empty()) {
      if (named) {
        diagnostics.error(arg.span, "an argument without a name follows one with a name")
            .hint("put those without names first");
        return std::nullopt;
      }
      if (next >= parameters.size()) {
        Diagnostic &error =
            diagnostics.error(arg.span, what + " takes " + std::to_string(parameters.size()) +
                                            (parameters.size() == 1 ? " argument" : " arguments") + ", got " +
                                            std::to_string(positional));
        error.note(declared, "it is declared here");
        return std::nullopt;
      }
      at = next++;
    } else {
      named = true;
      while (at < parameters.size() && parameters[at].name.text != arg.name)
        ++at;
      if (at == parameters.size()) {
        std::vector<std::string> names;
        std::string list;
        for (const ast::Parameter &parameter : parameters) {
          names.push_back(parameter.name.text);
          list += (list.empty() ? "'" : ", '") + parameter.name.text + "'";
        }
        Diagnostic &error = diagnostics.error(arg.nameSpan.valid() ? arg.nameSpan : arg.span,
                                              what + " has no parameter '" + arg.name + "'");
        error.note(declared, "it is declared here");
        std::string near = nearest(arg.name, names);
        error.hint(near.empty() ? "its parameters are " + list : "did you mean '" + near + "'?");
        ok = false;
        continue;
      }
    }
    if (result[at]) {
      diagnostics.error(arg.span, "the argument '" + parameters[at].name.text + "' is given twice")
          .note(result[at]->span, "it was given here");
      ok = false;
      continue;
    }
    result[at] = arg;
  }
  std::string missing;
  size_t count = 0;
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (result[i] || parameters[i].defaultValue)
      continue;
    missing += (missing.empty() ? "'" : ", '") + parameters[i].name.text + "'";
    ++count;
  }
  if (count && ok) {
    diagnostics
        .error(span, (count == 1 ? "the argument " : "the arguments ") + missing + " of " + what +
                         (count == 1 ? " is missing" : " are missing"))
        .note(declared, "it is declared here");
    ok = false;
  }
  if (!ok)
    return std::nullopt;
  return result;
}

bool Elaborator::addDefaultDims(const FnDecl &fn, Frame &frame, std::vector<std::string> &added) {
  bool missing = false;
  for (const ast::DimParameter &dim : fn.item->dims) {
    if (frame.dims.count(dim.name.text))
      continue;
    if (!dim.defaultValue) {
      missing = true;
      continue;
    }
    bool wasSilent = diagnostics.isSilent();
    diagnostics.setSilent(wasSilent || missing);
    std::optional<Dim> value = resolveDim(*dim.defaultValue, *root(std::make_shared<Frame>(frame)));
    diagnostics.setSilent(wasSilent);
    if (!value && !missing)
      return false;
    if (value) {
      frame.dims[dim.name.text] = *value;
      added.push_back(dim.name.text);
    }
  }
  return true;
}

std::optional<BoundCall> Elaborator::bindCall(const FnCallable &callable, llvm::ArrayRef<Argument> args,
                                              Span span) {
  const FnDecl &fn = callable.fn;
  const ast::FnItem &item = *fn.item;
  auto ordered = order("'" + fn.name() + "'", item.parameters, args, span, item.name.span);
  if (!ordered)
    return std::nullopt;
  auto frame = std::make_shared<Frame>();
  frame->module = fn.module;
  frame->fn = &fn;
  Inference inference(*this, root(frame));
  for (const ast::Name &dim : fn.dims)
    inference.addDim(dim.text);
  for (const ast::TypeParameter &type : item.typeParameters)
    inference.addType(type.name.text, type.isFloat);
  for (const auto &[name, given] : callable.dims)
    inference.give(name, given.value, given.span, "here");

  bool ok = true;
  auto report = [&](const Inference::Mismatch &failure, Span place, const ast::Parameter *parameter) {
    ok = false;
    if (failure.message.empty())
      return;
    Diagnostic &error = diagnostics.error(place, failure.message);
    for (const Remark &note : failure.notes)
      error.note(note.span, note.message);
    if (parameter)
      error.note(parameter->span, "the parameter is declared here");
    if (!failure.hint.empty())
      error.hint(failure.hint);
  };
  // Literals adapt to the others, so they come last.
  for (bool literals : {false, true}) {
    for (size_t i = 0; i < item.parameters.size(); ++i) {
      const ast::Parameter &parameter = item.parameters[i];
      const std::optional<Argument> &arg = (*ordered)[i];
      if (!arg || !parameter.type || arg->value.getType().isLiteral() != literals)
        continue;
      Type type = arg->value.getType();
      auto *name = parameter.type->as<ast::NameExpr>();
      if (literals && name && inference.types.count(name->name)) {
        auto &slot = inference.types[name->name];
        if (slot.value)
          continue; // coercion below reports what does not fit
        type = withDefaultType(emit, arg->value).getType();
      }
      if (auto failure = inference.unify(*parameter.type, type, arg->span,
                                         "argument '" + parameter.name.text + "' of '" + fn.name() + "'"))
        report(*failure, arg->span, &parameter);
    }
  }
  if (!ok)
    return std::nullopt;
  if (auto failure = inference.settle()) {
    report(*failure, span, nullptr);
    return std::nullopt;
  }
  auto fill = [&] {
    for (const auto &[name, slot] : inference.dims)
      if (slot.value)
        frame->dims[name] = *slot.value;
    for (const auto &[name, slot] : inference.types)
      if (slot.value)
        frame->types[name] = *slot.value;
  };
  fill();
  std::vector<std::string> added;
  if (!addDefaultDims(fn, *frame, added))
    return std::nullopt;
  for (const std::string &name : added)
    inference.give(name, frame->dims.find(name)->second, item.name.span, "its default");
  if (auto failure = inference.finish()) {
    report(*failure, span, nullptr);
    return std::nullopt;
  }
  fill();
  for (const ast::Name &dim : fn.dims) {
    if (frame->dims.count(dim.text))
      continue;
    Diagnostic &error =
        diagnostics.error(span, "the dimension '" + dim.text + "' of '" + fn.name() + "' is not given");
    error.note(dim.span, "it is declared here");
    error.hint("write '" + fn.name() + "[" + dim.text + " = …](…)'");
    return std::nullopt;
  }
  for (const ast::TypeParameter &type : item.typeParameters) {
    if (frame->types.count(type.name.text))
      continue;
    diagnostics
        .error(span,
               "the type '" + type.name.text + "' of '" + fn.name() + "' cannot be told from the arguments")
        .note(type.name.span, "it is declared here");
    return std::nullopt;
  }

  BoundCall bound;
  bound.frame = frame;
  ScopePtr scope = root(frame);
  diagnostics.pushContext(span, "in this call of '" + fn.name() + "'");
  for (size_t i = 0; i < item.parameters.size() && ok; ++i) {
    const ast::Parameter &parameter = item.parameters[i];
    if (!parameter.type) {
      ok = false;
      break;
    }
    Type type = resolveType(*parameter.type, *scope);
    const std::optional<Argument> &arg = (*ordered)[i];
    Value value = arg ? arg->value : expr(*parameter.defaultValue, scope);
    if (type.isError() || value.isError()) {
      ok = false;
      break;
    }
    std::optional<Value> fitted = coerce(emit, value, type);
    if (!fitted) {
      Diagnostic &error = diagnostics.error(arg ? arg->span : parameter.defaultValue->span,
                                            (arg ? "argument '" : "the default of '") + parameter.name.text +
                                                "' of '" + fn.name() + "' has type " + value.getType().str() +
                                                ", expected " + type.str());
      error.note(parameter.span, "the parameter is declared here");
      if (value.getType().isTensor() && type.isTensor() && llvm::equal(value.getType().dims(), type.dims()))
        error.hint("convert it with 'cast(…, " + spelling(type.element()).str() + ")'");
      ok = false;
      break;
    }
    bound.values.push_back(*fitted);
  }
  diagnostics.popContext();
  if (!ok)
    return std::nullopt;
  return bound;
}

/// The result that a function declares, in check mode.
Value Elaborator::declaredResult(const FnDecl &fn, const BoundCall &bound, Span span) {
  if (!fn.item->result)
    return Value::error();
  diagnostics.pushContext(span, "in this call of '" + fn.name() + "'");
  Type type = resolveType(*fn.item->result, *root(bound.frame));
  diagnostics.popContext();
  return type.isError() ? Value::error() : Value::ofLeaves(type, {}, span);
}

Value Elaborator::callFunction(const FnDecl &fn, const BoundCall &bound, Span span) {
  if (!active.empty())
    calls[active.back().first].emplace(&fn, span);
  if (pairs)
    return inlineFunction(fn, bound, span);
  // Where all dimensions are known, what depends on their values is checked as well.
  bool known = llvm::all_of(bound.frame->dims, [](const auto &dim) { return dim.second.isConstant(); });
  if (!isEmitting() && !fn.isGeneric() && known && !fn.dims.empty()) {
    checkFunction(fn);
    if (failed.count(&fn))
      return declaredResult(fn, bound, span);
  } else if (!isEmitting() && !fn.isGeneric()) {
    // The body is checked once, with its own dimensions as variables.
    if (fn.item->result)
      return declaredResult(fn, bound, span);
    checkFunction(fn);
    auto symbolic = symbolicResults.find(&fn);
    if (symbolic == symbolicResults.end()) {
      for (const auto &[other, use] : active)
        if (other == &fn && !failed.count(&fn)) {
          diagnostics.error(span, "'" + fn.name() + "' calls itself")
              .hint("use 'for … carry' to repeat something");
          failed.insert(&fn);
        }
      return Value::error();
    }
    std::optional<Type> type = symbolic->second.substitute(bound.frame->dims);
    if (!type) {
      diagnostics
          .error(span, "the result " + symbolic->second.str() + " of '" + fn.name() +
                           "' has a dimension that is not whole here")
          .note(fn.item->name.span, "it is declared here");
      return Value::error();
    }
    return Value::ofLeaves(*type, {}, span);
  }
  const Instance *made = instance(fn, bound.frame, span);
  if (!made)
    return Value::error();
  if (!isEmitting())
    return Value::ofLeaves(made->result, {}, span);
  llvm::SmallVector<mlir::Value> operands;
  for (const Value &value : bound.values)
    llvm::append_range(operands, emit.leaves(value));
  llvm::SmallVector<mlir::Type> types;
  for (const Type::Leaf &leaf : made->result.leaves())
    types.push_back(emit.mlirType(leaf.type));
  auto call = mlir::func::CallOp::create(*builder, location(span), made->symbol, types, operands);
  return Value::ofLeaves(made->result, llvm::SmallVector<mlir::Value>(call.getResults()), span);
}

/// In the block of a variant a function is evaluated where it is called: what it reads of a tensor depends on
/// the pair.
Value Elaborator::inlineFunction(const FnDecl &fn, const BoundCall &bound, Span span) {
  if (tooDeep(span) || callsItself(fn, span))
    return Value::error();
  if (fn.rule) {
    diagnostics
        .error(span,
               "'" + fn.name() + "' has a derivative of its own, so the block of attention cannot call it")
        .note(fn.rule->item->name.span, "the rule is here");
    return Value::error();
  }
  if (!fn.item->body)
    return Value::error();
  instantiated.insert(&fn);
  diagnostics.pushContext(span, "in this call of '" + fn.name() + "'");
  active.push_back({&fn, span});
  ScopePtr scope = root(bound.frame);
  for (auto [parameter, value] : llvm::zip(fn.item->parameters, bound.values))
    if (parameter.name.text != "_")
      scope->values[parameter.name.text] = value;
  Value result = body(fn, scope);
  active.pop_back();
  diagnostics.popContext();
  return result.withSpan(span);
}

Value Elaborator::callLambda(const LambdaCallable &callable, llvm::ArrayRef<Argument> args, Span span) {
  if (tooDeep(span))
    return Value::error();
  const ast::LambdaExpr &lambda = callable.lambda;
  auto ordered = order("this lambda", lambda.parameters, args, span, lambda.span);
  if (!ordered)
    return Value::error();
  ScopePtr scope = child(callable.scope);
  for (size_t i = 0; i < lambda.parameters.size(); ++i) {
    const ast::Parameter &parameter = lambda.parameters[i];
    Value value = (*ordered)[i] ? (*ordered)[i]->value : expr(*parameter.defaultValue, scope);
    if (parameter.type && !value.isError()) {
      Type type = resolveType(*parameter.type, *callable.scope);
      if (type.isError())
        return Value::error();
      std::optional<Value> fitted = coerce(emit, value, type);
      if (!fitted) {
        diagnostics
            .error((*ordered)[i] ? (*ordered)[i]->span : parameter.span,
                   "argument '" + parameter.name.text + "' of this lambda has type " + value.getType().str() +
                       ", expected " + type.str())
            .note(parameter.span, "the parameter is declared here");
        return Value::error();
      }
      value = *fitted;
    }
    if (parameter.name.text != "_")
      scope->values[parameter.name.text] = value;
  }
  // The body is checked anew at every use, so an error in it says which use it was.
  bool sameLine =
      span.source == lambda.span.source && span.begin <= lambda.span.begin && lambda.span.end <= span.end;
  if (!sameLine)
    diagnostics.pushContext(span, "in this call of the lambda");
  Value result = block(*lambda.body, scope);
  if (!sameLine)
    diagnostics.popContext();
  return result;
}

} // namespace heddle::frontend
