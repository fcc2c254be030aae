// Declarations: constants, functions and their instances.
#include "compiler/frontend/Elaborator.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace heddle::frontend {

Elaborator::Elaborator(const Program &program, Diagnostics &diagnostics)
    : program(program), diagnostics(diagnostics) {
  stackBase = reinterpret_cast<const char *>(__builtin_frame_address(0));
}

Elaborator::Elaborator(const Program &program, Diagnostics &diagnostics, mlir::ModuleOp module)
    : program(program), diagnostics(diagnostics), module(module),
      builder(std::make_unique<mlir::OpBuilder>(module.getContext())),
      emit(*builder, [this](Span span) { return location(span); }) {
  stackBase = reinterpret_cast<const char *>(__builtin_frame_address(0));
}

Elaborator::~Elaborator() = default;

mlir::Location Elaborator::location(Span span) const {
  if (!span.valid())
    return mlir::UnknownLoc::get(builder->getContext());
  LineColumn at = span.source->position(span.begin);
  return mlir::FileLineColLoc::get(builder->getContext(), span.source->name(), at.line, at.column);
}

std::string Elaborator::uniqueSymbol(const std::string &wish) {
  std::string name = wish;
  for (unsigned i = 2; !symbols.insert(name).second; ++i)
    name = wish + "$" + std::to_string(i);
  return name;
}

std::string Elaborator::describeFrame(const Frame &frame) const {
  std::string text;
  auto add = [&](const std::string &name, const std::string &value) {
    if (name != value)
      text += (text.empty() ? "" : ", ") + name + " = " + value;
  };
  for (const auto &[name, type] : frame.types)
    add(name, type.str());
  if (frame.fn) {
    for (const ast::Name &dim : frame.fn->dims)
      if (auto value = frame.dims.find(dim.text); value != frame.dims.end())
        add(dim.text, value->second.str());
  }
  return text;
}

//===--- Constants ----------------------------------------------------------------------------------===//

Value Elaborator::constant(const ConstDecl &decl, Span use) {
  if (!activeConsts.insert(&decl).second) {
    diagnostics.error(use, "the constant '" + decl.item->name.text + "' depends on itself")
        .note(decl.item->name.span, "it is declared here");
    return Value::error();
  }
  auto frame = std::make_shared<Frame>();
  frame->module = decl.module;
  ScopePtr scope = root(frame);
  // A constant used in the block of a variant is computed outside.
  const PairBlock *block = std::exchange(pairs, nullptr);
  std::optional<mlir::OpBuilder::InsertionGuard> guard;
  if (block && isEmitting()) {
    guard.emplace(*builder);
    builder->restoreInsertionPoint(block->outside);
  }
  Value value = expr(*decl.item->value, scope);
  if (decl.item->annotation && !value.isError()) {
    Type type = resolveType(*decl.item->annotation, *scope);
    if (type.isError()) {
      value = Value::error();
    } else {
      std::optional<Value> fitted = coerce(emit, value, type);
      if (!fitted)
        diagnostics
            .error(decl.item->value->span,
                   "the value has type " + value.getType().str() + ", expected " + type.str())
            .note(decl.item->annotation->span, "the expected type is written here");
      value = fitted.value_or(Value::error());
    }
  }
  pairs = block;
  activeConsts.erase(&decl);
  return value;
}

//===--- Checking -----------------------------------------------------------------------------------===//

std::shared_ptr<Frame> Elaborator::symbolicFrame(const FnDecl &fn) {
  auto frame = std::make_shared<Frame>();
  frame->module = fn.module;
  frame->fn = &fn;
  for (const ast::Name &dim : fn.dims)
    frame->dims[dim.text] = Dim::variable(dim.text);
  return frame;
}

/// Whether the parser left something out of this tree.
static bool hasError(const ast::BlockExpr &block) {
  for (const ast::Stmt &statement : block.statements)
    if (statement.value && statement.value->kind == ast::ExprKind::Error)
      return true;
  return false;
}

void Elaborator::checkFunction(const FnDecl &fn) {
  if (symbolicResults.count(&fn) || failed.count(&fn))
    return;
  for (const auto &[other, use] : active)
    if (other == &fn)
      return;
  size_t before = diagnostics.errorCount();
  // What a function does wrong for all dimensions has nothing to do with who calls it.
  std::vector<Remark> contexts = diagnostics.swapContexts({});
  active.push_back({&fn, fn.item->name.span});
  auto frame = symbolicFrame(fn);
  for (const ast::TypeParameter &type : fn.item->typeParameters)
    frame->types[type.name.text] = Type::tensor(ElementType::F32);
  ScopePtr scope = root(frame);
  for (const ast::Parameter &parameter : fn.item->parameters) {
    Type type = parameter.type ? resolveType(*parameter.type, *scope) : Type();
    if (parameter.name.text != "_")
      scope->values[parameter.name.text] =
          type.isError() ? Value::error() : Value::ofLeaves(type, {}, parameter.span);
    if (parameter.defaultValue && !type.isError()) {
      Value value = expr(*parameter.defaultValue, root(frame));
      if (!value.isError() && !coerce(emit, value, type))
        diagnostics
            .error(parameter.defaultValue->span, "the default of '" + parameter.name.text + "' has type " +
                                                     value.getType().str() + ", expected " + type.str())
            .note(parameter.type->span, "the expected type is written here");
    }
  }
  for (const ast::DimParameter &dim : fn.item->dims)
    if (dim.defaultValue)
      resolveDim(*dim.defaultValue, *scope);
  Value result = fn.item->body && !hasError(*fn.item->body) ? body(fn, scope) : Value::error();
  active.pop_back();
  diagnostics.swapContexts(std::move(contexts));
  if (result.isError() || diagnostics.errorCount() != before)
    failed.insert(&fn);
  else
    symbolicResults[&fn] = result.getType();
}

Value Elaborator::body(const FnDecl &fn, ScopePtr scope) {
  const ast::FnItem &item = *fn.item;
  Value value = block(*item.body, scope);
  Span place = item.body->statements.empty() ? item.body->span : item.body->statements.back().span;
  if (item.result) {
    Type type = resolveType(*item.result, *root(scope->frame));
    if (value.isError() || type.isError())
      return Value::error();
    std::optional<Value> fitted = coerce(emit, value, type);
    if (!fitted) {
      Diagnostic &error = diagnostics.error(place, "'" + fn.name() + "' gives " + value.getType().str() +
                                                       ", expected " + type.str());
      error.note(item.result->span, "the result type is written here");
      if (value.getType().isTensor() && type.isTensor() && llvm::equal(value.getType().dims(), type.dims()))
        error.hint("convert it with 'cast(…, " + spelling(type.element()).str() + ")'");
      return Value::error();
    }
    return *fitted;
  }
  if (value.isError())
    return value;
  value = withDefaultType(emit, value);
  if (value.isError())
    return value;
  std::function<bool(const Type &)> isData = [&](const Type &type) {
    if (type.isTuple())
      return llvm::all_of(type.elements(), isData);
    return type.isTensor() || type.isStruct() || type.isStack();
  };
  if (!isData(value.getType())) {
    diagnostics.error(place, "a function cannot return " + value.getType().str())
        .hint("it returns tensors, structs, stacks and tuples of those");
    return Value::error();
  }
  return value;
}

void Elaborator::checkRecursion() {
  std::set<const FnDecl *> finished;
  std::vector<std::pair<const FnDecl *, Span>> path;
  std::function<void(const FnDecl *)> visit = [&](const FnDecl *fn) {
    if (finished.count(fn))
      return;
    for (const auto &[callee, span] : calls[fn]) {
      path.push_back({fn, span});
      auto first = llvm::find_if(path, [&](const auto &step) { return step.first == callee; });
      if (first == path.end()) {
        visit(callee);
      } else if (!failed.count(callee)) {
        failed.insert(callee);
        Diagnostic &error = diagnostics.error(first->second, "'" + callee->name() + "' calls itself");
        for (auto step = first + 1; step < path.end(); ++step)
          error.note(step->second, "through '" + step->first->name() + "'");
        error.hint("use 'for … carry' to repeat something");
      }
      path.pop_back();
    }
    finished.insert(fn);
  };
  for (const auto &moduleInfo : program.modules)
    for (const auto &fn : moduleInfo->functions)
      visit(fn.get());
}

void Elaborator::checkAll() {
  for (const auto &moduleInfo : program.modules) {
    for (const auto &decl : moduleInfo->structs) {
      // A struct is checked with its dimensions as variables, and float parameters as f32.
      const ast::StructItem &item = *decl->item;
      bool general = llvm::any_of(item.typeParameters, [](const auto &p) { return !p.isFloat; });
      std::vector<Type> types(item.typeParameters.size(),
                              general ? Type::variable("T") : Type::tensor(ElementType::F32));
      for (size_t i = 0; i < types.size(); ++i)
        types[i] = item.typeParameters[i].isFloat ? Type::tensor(ElementType::F32)
                                                  : Type::variable(item.typeParameters[i].name.text);
      std::vector<Dim> dims;
      for (const ast::DimParameter &dim : item.dims)
        dims.push_back(Dim::variable(dim.name.text));
      instantiateAt(*decl, types, dims, item.name.span);
    }
    for (const auto &decl : moduleInfo->consts)
      constant(*decl, decl->item->name.span);
    for (const auto &fn : moduleInfo->functions)
      if (!fn->isGeneric())
        checkFunction(*fn);
  }
  for (const auto &moduleInfo : program.modules)
    for (const auto &fn : moduleInfo->functions)
      checkRule(*fn);
  // Functions with type parameters are checked for each use. Those without a use: with f32 for every float
  // type, and where a parameter may be any type, their names alone.
  for (const auto &moduleInfo : program.modules)
    for (const auto &fn : moduleInfo->functions) {
      if (!fn->isGeneric() || instantiated.count(fn.get()))
        continue;
      if (llvm::all_of(fn->item->typeParameters, [](const auto &type) { return type.isFloat; }))
        checkFunction(*fn);
      else
        checkNames(*fn);
    }
  checkRecursion();
}

//===--- Instances ----------------------------------------------------------------------------------===//

std::string Elaborator::instanceKey(const FnDecl &fn, const Frame &frame) const {
  std::function<std::string(const Type &)> typeKey = [&](const Type &type) {
    std::string key = type.str();
    if (type.isStruct())
      key += "#" + std::to_string(reinterpret_cast<uintptr_t>(type.declaration()));
    for (const Type &element : type.elements())
      key += "<" + typeKey(element) + ">";
    return key;
  };
  std::string key = std::to_string(reinterpret_cast<uintptr_t>(&fn));
  for (const auto &[name, type] : frame.types)
    key += "|" + name + "=" + typeKey(type);
  for (const ast::Name &dim : fn.dims)
    key += "," + frame.dims.find(dim.text)->second.str();
  return key;
}

std::optional<BoundCall> Elaborator::bindRule(const FnDecl &fn, std::shared_ptr<const Frame> frame,
                                              const Type &result, Type &expected) {
  // The rule takes the function's arguments and the cotangent of its result.
  FnCallable rule(*this, *fn.rule);
  for (const ast::DimParameter &dim : fn.rule->item->dims)
    if (auto value = frame->dims.find(dim.name.text); value != frame->dims.end())
      rule.dims[dim.name.text] = {value->second, dim.name.span};
  std::vector<Argument> args;
  ScopePtr scope = root(frame);
  llvm::SmallVector<Type> wanted;
  for (const ast::Parameter &parameter : fn.item->parameters) {
    Type type = resolveType(*parameter.type, *scope);
    args.push_back({"", Value::ofLeaves(type, {}, parameter.span), parameter.span, {}});
    if (llvm::any_of(type.leaves(), [](const Type::Leaf &leaf) { return isFloat(leaf.type.element()); }))
      wanted.push_back(type);
  }
  args.push_back({"", Value::ofLeaves(result, {}, fn.item->name.span), fn.item->name.span, {}});
  expected = wanted.size() == 1 ? wanted[0] : Type::tuple(wanted);
  // Only types matter here, so the arguments are bound without emitting anything.
  OpEmitter emitting = emit;
  emit = OpEmitter();
  std::optional<BoundCall> bound = bindCall(rule, args, fn.rule->item->name.span);
  emit = emitting;
  return bound;
}

bool Elaborator::ruleFits(const FnDecl &fn, const Type &actual, const Type &expected) {
  if (actual == expected)
    return true;
  diagnostics
      .error(fn.rule->item->name.span,
             "the rule '" + fn.rule->name() + "' gives " + actual.str() + ", expected " + expected.str())
      .note(fn.item->name.span, "it belongs to this function")
      .hint("a rule gives the gradient of each parameter that has floats, in order");
  return false;
}

bool Elaborator::decorate(mlir::Operation *function, const FnDecl &fn, std::shared_ptr<const Frame> frame,
                          const Type &result) {
  if (fn.checkpoint)
    function->setAttr("heddle.checkpoint", mlir::UnitAttr::get(function->getContext()));
  if (!fn.rule)
    return true;
  Type expected;
  std::optional<BoundCall> bound = bindRule(fn, frame, result, expected);
  const Instance *made = bound ? instance(*fn.rule, bound->frame, fn.rule->item->name.span) : nullptr;
  if (!made || !ruleFits(fn, made->result, expected))
    return false;
  function->setAttr("heddle.custom_vjp", mlir::FlatSymbolRefAttr::get(function->getContext(), made->symbol));
  return true;
}

/// Rules are checked with the dimensions of their functions as variables.
void Elaborator::checkRule(const FnDecl &fn) {
  auto result = symbolicResults.find(&fn);
  if (!fn.rule || fn.isGeneric() || fn.rule->isGeneric() || result == symbolicResults.end() ||
      failed.count(fn.rule))
    return;
  Type expected;
  std::optional<BoundCall> bound = bindRule(fn, symbolicFrame(fn), result->second, expected);
  if (!bound)
    return;
  Value value = callFunction(*fn.rule, *bound, fn.rule->item->name.span);
  if (!value.isError())
    ruleFits(fn, value.getType(), expected);
}

bool Elaborator::callsItself(const FnDecl &fn, Span use) {
  auto again = llvm::find_if(active, [&](const auto &step) { return step.first == &fn; });
  if (again == active.end())
    return false;
  if (failed.insert(&fn).second) {
    Diagnostic &error = diagnostics.error(use, "'" + fn.name() + "' calls itself");
    for (auto step = again + 1; step < active.end(); ++step)
      error.note(step->second, "through '" + step->first->name() + "'");
    error.hint("use 'for … carry' to repeat something");
  }
  return true;
}

const Instance *Elaborator::instance(const FnDecl &fn, std::shared_ptr<const Frame> frame, Span use) {
  if (tooDeep(use))
    return nullptr;
  std::string key = instanceKey(fn, *frame);
  if (auto known = instances.find(key); known != instances.end() && known->second->done)
    return known->second->result.isError() ? nullptr : known->second.get();
  if (callsItself(fn, use))
    return nullptr;
  if (!fn.item->body || hasError(*fn.item->body))
    return nullptr;
  auto &made = instances[key];
  made = std::make_unique<Instance>();
  Instance &result = *made;
  result.fn = &fn;
  instantiated.insert(&fn);
  std::string with = describeFrame(*frame);
  diagnostics.pushContext(use,
                          "in '" + fn.name() + "'" + (with.empty() ? "" : " with " + with) + ", called here");
  active.push_back({&fn, use});

  std::optional<mlir::OpBuilder::InsertionGuard> guard;
  mlir::func::FuncOp function;
  ScopePtr scope = root(frame);
  llvm::SmallVector<mlir::Value> arguments;
  std::vector<Type> types;
  bool ok = true;
  for (const ast::Parameter &parameter : fn.item->parameters) {
    types.push_back(parameter.type ? resolveType(*parameter.type, *scope) : Type());
    ok &= !types.back().isError();
  }
  if (ok && isEmitting()) {
    guard.emplace(*builder);
    std::string symbol = fn.name();
    for (const auto &[name, type] : frame->types)
      symbol += (symbol.find('$') == std::string::npos ? "$" : ",") + name + "=" + type.str();
    for (const ast::Name &dim : fn.dims)
      symbol += (symbol.find('$') == std::string::npos ? "$" : ",") + dim.text + "=" +
                frame->dims.find(dim.text)->second.str();
    result.symbol = uniqueSymbol(symbol);
    llvm::SmallVector<mlir::Type> inputs;
    for (const Type &type : types)
      for (const Type::Leaf &leaf : type.leaves())
        inputs.push_back(emit.mlirType(leaf.type));
    builder->setInsertionPointToEnd(module.getBody());
    function = mlir::func::FuncOp::create(*builder, location(fn.item->name.span), result.symbol,
                                          builder->getFunctionType(inputs, {}));
    function.setPrivate();
    mlir::Block *entry = function.addEntryBlock();
    llvm::append_range(arguments, entry->getArguments());
    builder->setInsertionPointToStart(entry);
  }
  if (ok) {
    llvm::ArrayRef<mlir::Value> rest = arguments;
    for (auto [parameter, type] : llvm::zip(fn.item->parameters, types)) {
      size_t count = isEmitting() ? type.leafCount() : 0;
      if (parameter.name.text != "_")
        scope->values[parameter.name.text] = Value::ofLeaves(type, rest.take_front(count), parameter.span);
      rest = rest.drop_front(count);
    }
    Value value = body(fn, scope);
    if (!value.isError()) {
      result.result = value.getType();
      if (isEmitting()) {
        llvm::SmallVector<mlir::Value> leaves = emit.leaves(value);
        mlir::func::ReturnOp::create(*builder, location(fn.item->body->closing), leaves);
        llvm::SmallVector<mlir::Type> outputs;
        for (mlir::Value leaf : leaves)
          outputs.push_back(leaf.getType());
        function.setFunctionType(builder->getFunctionType(function.getFunctionType().getInputs(), outputs));
      }
    }
  }
  active.pop_back();
  diagnostics.popContext();
  result.done = true;
  if (!result.result.isError() && isEmitting() && !decorate(function, fn, frame, result.result))
    result.result = Type();
  if (result.result.isError() && function)
    function.erase();
  return result.result.isError() ? nullptr : &result;
}

} // namespace heddle::frontend
