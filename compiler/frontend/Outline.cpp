// What builtins ask of the elaborator: calling function values, and making functions of them.
#include "compiler/frontend/Elaborator.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace heddle::frontend {

Value Elaborator::apply(const Value &callee, llvm::ArrayRef<Argument> args, Span span) {
  if (callee.isError() || tooDeep(span))
    return Value::error();
  std::shared_ptr<const Callable> callable = callee.sharedCallable();
  if (!callable) {
    diagnostics.error(callee.span(), "expected a function, got " + callee.getType().str());
    return Value::error();
  }
  for (const Argument &arg : args)
    if (arg.value.isError())
      return Value::error();
  std::string name = callable->describe();
  if (auto *builtin = dynamic_cast<const BuiltinCallable *>(callable.get()))
    name = builtin->builtin.name.str();
  CallContext context(name, callee.span(), span, args.vec(), diagnostics, emit, *this);
  return callable->call(context);
}

std::optional<std::vector<Value>> Elaborator::bind(const Value &callee, llvm::ArrayRef<Argument> args,
                                                   Span span) {
  if (auto *fn = dynamic_cast<const FnCallable *>(callee.callable())) {
    std::optional<BoundCall> bound = bindCall(*fn, args, span);
    if (!bound)
      return std::nullopt;
    return bound->values;
  }
  std::vector<Value> values;
  if (auto *lambda = dynamic_cast<const LambdaCallable *>(callee.callable())) {
    auto ordered = order("this lambda", lambda->lambda.parameters, args, span, lambda->lambda.span);
    if (!ordered)
      return std::nullopt;
    for (size_t i = 0; i < ordered->size(); ++i) {
      Value value = (*ordered)[i] ? (*ordered)[i]->value
                                  : expr(*lambda->lambda.parameters[i].defaultValue, child(lambda->scope));
      if (value.isError())
        return std::nullopt;
      values.push_back(value);
    }
    return values;
  }
  for (const Argument &arg : args) {
    if (!arg.name.empty()) {
      diagnostics.error(arg.span, (callee.callable() ? callee.callable()->describe() : "this value") +
                                      " takes no arguments by name here");
      return std::nullopt;
    }
    values.push_back(arg.value);
  }
  return values;
}

std::vector<ParameterInfo> Elaborator::parameters(const Value &callee) {
  llvm::ArrayRef<ast::Parameter> list;
  if (auto *fn = dynamic_cast<const FnCallable *>(callee.callable()))
    list = fn->fn.item->parameters;
  else if (auto *lambda = dynamic_cast<const LambdaCallable *>(callee.callable()))
    list = lambda->lambda.parameters;
  std::vector<ParameterInfo> result;
  for (const ast::Parameter &parameter : list)
    result.push_back({parameter.name.text, parameter.defaultValue != nullptr});
  return result;
}

/// The uses, in a function, of values from outside it. The values may live in loops that are still being
/// built and have no parent yet, so the function's own regions are what is known for certain.
static llvm::SmallVector<mlir::OpOperand *> outsideUses(mlir::func::FuncOp function) {
  llvm::DenseSet<mlir::Region *> regions;
  function->walk([&](mlir::Operation *op) {
    for (mlir::Region &region : op->getRegions())
      regions.insert(&region);
  });
  llvm::SmallVector<mlir::OpOperand *> uses;
  function.walk([&](mlir::Operation *op) {
    for (mlir::OpOperand &operand : op->getOpOperands())
      if (!regions.contains(operand.get().getParentRegion()))
        uses.push_back(&operand);
  });
  return uses;
}

std::optional<Outlined> Elaborator::outline(const Value &callee, llvm::ArrayRef<Value> given, Span span) {
  if (callee.isError() || tooDeep(span))
    return std::nullopt;
  if (pairs) {
    diagnostics.error(span, "the block of attention cannot take a derivative")
        .hint("its own derivative is taken with that of the attention");
    return std::nullopt;
  }
  std::vector<Value> args;
  for (const Value &value : given) {
    args.push_back(withDefaultType(emit, value));
    if (args.back().isError())
      return std::nullopt;
  }
  auto asArguments = [&](llvm::ArrayRef<Value> values) {
    std::vector<Argument> result;
    for (const Value &value : values)
      result.push_back({"", value, value.span(), {}});
    return result;
  };
  // A function of the program has its instance already, or gets it here.
  if (auto *fn = dynamic_cast<const FnCallable *>(callee.callable())) {
    std::optional<BoundCall> bound = bindCall(*fn, asArguments(args), span);
    if (!bound)
      return std::nullopt;
    if (!isEmitting()) {
      Value result = callFunction(fn->fn, *bound, span);
      if (result.isError())
        return std::nullopt;
      return Outlined{"", result.getType(), {}};
    }
    if (!active.empty())
      calls[active.back().first].emplace(&fn->fn, span);
    const Instance *made = instance(fn->fn, bound->frame, span);
    if (!made)
      return std::nullopt;
    return Outlined{made->symbol, made->result, {}};
  }
  // Everything else becomes a function of its own; what it uses from outside becomes further arguments.
  if (!isEmitting()) {
    std::vector<Value> plain;
    for (const Value &value : args)
      plain.push_back(Value::ofLeaves(value.getType(), {}, value.span()));
    Value result = apply(callee, asArguments(plain), span);
    if (!result.isError())
      result = withDefaultType(emit, result);
    if (result.isError())
      return std::nullopt;
    return Outlined{"", result.getType(), {}};
  }
  mlir::OpBuilder::InsertionGuard guard(*builder);
  llvm::SmallVector<mlir::Type> inputs;
  for (const Value &value : args)
    for (const Type::Leaf &leaf : value.getType().leaves())
      inputs.push_back(emit.mlirType(leaf.type));
  std::string base = active.empty() ? "lambda" : active.back().first->name() + "$lambda";
  std::string symbol = uniqueSymbol(base);
  builder->setInsertionPointToEnd(module.getBody());
  auto function = mlir::func::FuncOp::create(*builder, location(callee.span()), symbol,
                                             builder->getFunctionType(inputs, {}));
  function.setPrivate();
  mlir::Block *entry = function.addEntryBlock();
  builder->setInsertionPointToStart(entry);
  llvm::SmallVector<mlir::Value> arguments(entry->getArguments());
  llvm::ArrayRef<mlir::Value> rest = arguments;
  std::vector<Value> inner;
  for (const Value &value : args) {
    size_t count = value.getType().leafCount();
    inner.push_back(Value::ofLeaves(value.getType(), rest.take_front(count), value.span()));
    rest = rest.drop_front(count);
  }
  Value result = apply(callee, asArguments(inner), span);
  if (!result.isError())
    result = withDefaultType(emit, result);
  if (result.isError()) {
    function.erase();
    return std::nullopt;
  }
  llvm::SmallVector<mlir::Value> leaves = emit.leaves(result);
  mlir::func::ReturnOp::create(*builder, location(span), leaves);
  Outlined outlined;
  outlined.symbol = symbol;
  outlined.result = result.getType();
  llvm::DenseMap<mlir::Value, mlir::Value> captured;
  for (mlir::OpOperand *use : outsideUses(function)) {
    mlir::Value &argument = captured[use->get()];
    if (!argument) {
      argument = entry->addArgument(use->get().getType(), use->get().getLoc());
      inputs.push_back(use->get().getType());
      outlined.captures.push_back(use->get());
    }
    use->set(argument);
  }
  llvm::SmallVector<mlir::Type> outputs;
  for (mlir::Value leaf : entry->getTerminator()->getOperands())
    outputs.push_back(leaf.getType());
  function.setFunctionType(builder->getFunctionType(inputs, outputs));
  return outlined;
}

} // namespace heddle::frontend
