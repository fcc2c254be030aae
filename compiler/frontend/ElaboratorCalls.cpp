// Calls of functions and lambdas, and what they give.
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
