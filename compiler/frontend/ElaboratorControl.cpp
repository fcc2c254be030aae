// Blocks, conditions, loops and assertions.
#include "compiler/frontend/Elaborator.h"
#include "dialects/heddle/IR/Heddle.h"

namespace heddle::frontend {

/// Binds every name of a pattern to an erroneous value, so that one error does not become many.
static void poison(const ast::Pattern &pattern, Scope &scope) {
  if (pattern.isTuple)
    for (const ast::Pattern &item : pattern.items)
      poison(item, scope);
  else
    scope.values[pattern.name.text] = Value::error();
}

bool Elaborator::bindPattern(const ast::Pattern &pattern, const Value &value, Scope &scope) {
  if (value.isError()) {
    poison(pattern, scope);
    return false;
  }
  if (!pattern.isTuple) {
    if (pattern.name.text != "_")
      scope.values[pattern.name.text] = value;
    return true;
  }
  if (!value.getType().isTuple() || value.elements().size() != pattern.items.size()) {
    std::string wanted = std::to_string(pattern.items.size());
    std::string actual = value.getType().isTuple() ? "a tuple of " + std::to_string(value.elements().size())
                                                   : value.getType().str();
    diagnostics.error(pattern.span, "the pattern takes a tuple of " + wanted + ", but the value is " + actual)
        .note(value.span(), "the value comes from here, " + value.getType().str());
    poison(pattern, scope);
    return false;
  }
  bool ok = true;
  for (size_t i = 0; i < pattern.items.size(); ++i)
    ok &= bindPattern(pattern.items[i], value.elements()[i], scope);
  return ok;
}

void Elaborator::assertion(const ast::Stmt &statement, ScopePtr scope) {
  std::string message = "assertion failed: " + ast::print(*statement.value);
  if (statement.message) {
    Value text = expr(*statement.message, scope);
    if (text.text())
      message = *text.text();
    else if (!text.isError())
      diagnostics.error(statement.message->span,
                        "the message of an assertion is a string, got " + text.getType().str());
  }
  Value condition = expr(*statement.value, scope);
  if (condition.isError())
    return;
  if (!condition.getType().isScalar(ElementType::Bool)) {
    Diagnostic &error = diagnostics.error(
        statement.value->span, "the condition of an assertion is a bool, got " + condition.getType().str());
    if (condition.getType().isTensor() && condition.getType().element() == ElementType::Bool)
      error.hint("write 'all(…)' or 'any(…)' around it");
    return;
  }
  if (const bool *known = condition.boolean()) {
    if (*known)
      return;
    diagnostics.error(statement.value->span, statement.message ? "assertion failed: " + message : message);
    return;
  }
  if (pairs) {
    diagnostics.error(statement.value->span, "the block of attention asserts only what the compiler knows")
        .hint("assert on values before the attention");
    return;
  }
  if (isEmitting())
    heddle::ir::AssertOp::create(*builder, location(statement.span), emit.leaf(condition), message);
}

Value Elaborator::block(const ast::BlockExpr &block, ScopePtr outer) {
  ScopePtr scope = child(outer);
  Value result;
  bool hasResult = false;
  for (size_t i = 0; i < block.statements.size(); ++i) {
    const ast::Stmt &statement = block.statements[i];
    bool last = i + 1 == block.statements.size();
    if (statement.kind == ast::Stmt::Assert) {
      assertion(statement, scope);
    } else if (statement.kind == ast::Stmt::Let) {
      Value value = expr(*statement.value, scope);
      if (statement.annotation) {
        Type type = resolveType(*statement.annotation, *scope);
        if (type.isError()) {
          value = Value::error();
        } else if (!value.isError()) {
          std::optional<Value> fitted = coerce(emit, value, type);
          if (!fitted)
            diagnostics
                .error(statement.value->span,
                       "the value has type " + value.getType().str() + ", expected " + type.str())
                .note(statement.annotation->span, "the expected type is written here");
          value = fitted.value_or(Value::error());
        }
      }
      // Each `let` opens a scope of its own: a lambda keeps seeing the names as they were where it stands.
      scope = child(scope);
      bindPattern(statement.pattern, value, *scope);
    } else {
      Value value = expr(*statement.value, scope);
      if (last) {
        result = value;
        hasResult = true;
      } else if (!value.isError()) {
        diagnostics.error(statement.span, "the value of this line is not used")
            .hint("name it with 'let', or remove the line");
      }
    }
  }
  if (!hasResult) {
    diagnostics.error(block.closing, "this block has no value")
        .hint("end it with an expression; a 'let' gives none");
    return Value::error();
  }
  return result;
}

Value Elaborator::ifExpr(const ast::IfExpr &e, ScopePtr scope) {
  Value condition = expr(*e.condition, scope);
  if (!e.otherwise)
    return Value::error();
  bool usable = condition.getType().isScalar(ElementType::Bool);
  if (!condition.isError() && !usable) {
    Diagnostic &error = diagnostics.error(e.condition->span, "the condition of 'if' is a bool, got " +
                                                                 condition.getType().str());
    if (condition.getType().isTensor() && condition.getType().element() == ElementType::Bool)
      error.hint("write 'where(c, a, b)' to choose elementwise");
    else if (condition.getType().isTensor() && condition.getType().rank() == 0)
      error.hint("compare it: '" + ast::print(*e.condition) + " != 0'");
  }
  // A condition on dimensions chooses what is compiled; the other arm need not even fit these dimensions.
  if (const bool *known = condition.boolean())
    return *known ? block(*e.then, scope) : expr(*e.otherwise, scope);
  if (pairs && usable) {
    diagnostics
        .error(e.condition->span, "the block of attention computes the same for every pair, so 'if' "
                                  "cannot depend on a value in it")
        .hint("choose between two values with 'where(" + ast::print(*e.condition) + ", a, b)'");
    return Value::error();
  }

  std::unique_ptr<mlir::Region> regions[2];
  Value values[2];
  for (int arm = 0; arm < 2; ++arm) {
    std::optional<mlir::OpBuilder::InsertionGuard> guard;
    if (isEmitting()) {
      guard.emplace(*builder);
      regions[arm] = std::make_unique<mlir::Region>();
      builder->setInsertionPointToStart(&regions[arm]->emplaceBlock());
    }
    values[arm] = arm == 0 ? block(*e.then, scope) : expr(*e.otherwise, scope);
  }
  if (condition.isError() || !usable || values[0].isError() || values[1].isError())
    return Value::error();
  // Literals take the type of the other arm.
  Type type;
  std::optional<Value> fitted[2];
  auto fit = [&](int arm, const Type &target) {
    std::optional<mlir::OpBuilder::InsertionGuard> guard;
    if (isEmitting()) {
      guard.emplace(*builder);
      builder->setInsertionPointToEnd(&regions[arm]->front());
    }
    fitted[arm] = coerce(emit, values[arm], target);
    return fitted[arm].has_value();
  };
  for (int first = 0; first < 2 && type.isError(); ++first) {
    std::optional<mlir::OpBuilder::InsertionGuard> guard;
    if (isEmitting()) {
      guard.emplace(*builder);
      builder->setInsertionPointToEnd(&regions[first]->front());
    }
    Value defaulted = withDefaultType(emit, values[first]);
    if (defaulted.isError())
      return Value::error();
    if (fit(first, defaulted.getType()) && fit(1 - first, defaulted.getType()))
      type = defaulted.getType();
  }
  if (type.isError()) {
    diagnostics
        .error(e.otherwise->span,
               "'else' gives " + values[1].getType().str() + ", but 'if' gives " + values[0].getType().str())
        .note(e.then->span, "the other value is here")
        .hint("both values of an 'if' have one type");
    return Value::error();
  }
  if (!isEmitting())
    return Value::ofLeaves(type, {}, e.span);
  llvm::SmallVector<mlir::Type> resultTypes;
  for (const Type::Leaf &leaf : type.leaves())
    resultTypes.push_back(emit.mlirType(leaf.type));
  for (int arm = 0; arm < 2; ++arm) {
    mlir::OpBuilder::InsertionGuard guard(*builder);
    builder->setInsertionPointToEnd(&regions[arm]->front());
    heddle::ir::YieldOp::create(*builder, location(e.span), emit.leaves(*fitted[arm]));
  }
  mlir::OperationState state(location(e.span), heddle::ir::IfOp::getOperationName());
  state.addOperands(emit.leaf(condition));
  state.addTypes(resultTypes);
  state.addRegion(std::move(regions[0]));
  state.addRegion(std::move(regions[1]));
  mlir::Operation *op = builder->create(state);
  return Value::ofLeaves(type, llvm::SmallVector<mlir::Value>(op->getResults()), e.span);
}

/// The value of one step from the step number and the slices, in the order in which `iterate` met them.
static Value stepValue(const Value &iterable, mlir::Value number, llvm::ArrayRef<mlir::Value> &slices,
                       Span span) {
  const Type &type = iterable.getType();
  if (type.kind() == Type::Kind::Range)
    return Value::ofLeaves(Type::tensor(ElementType::I32),
                           number ? llvm::ArrayRef<mlir::Value>(number) : llvm::ArrayRef<mlir::Value>(),
                           span);
  if (type.isTuple()) {
    std::vector<Value> items;
    for (const Value &element : iterable.elements())
      items.push_back(stepValue(element, number, slices, span));
    return Value::tuple(items, span);
  }
  Type step = type.isStack() ? type.stackElement() : type.withDims(type.dims().drop_front());
  size_t count = number ? step.leafCount() : 0;
  Value value = Value::ofLeaves(step, slices.take_front(count), span);
  slices = slices.drop_front(count);
  return value;
}

Value Elaborator::forExpr(const ast::ForExpr &e, ScopePtr scope) {
  if (pairs) {
    diagnostics.error(e.span, "the block of attention has no loops")
        .hint("compute a table before, and read it in the block");
    return Value::error();
  }
  Value iterable = expr(*e.iterable, scope);
  Value init;
  if (e.hasCarry) {
    if (e.init) {
      init = expr(*e.init, scope);
    } else {
      // `carry s` and `carry (a, b)` start from the values of those names.
      std::function<Value(const ast::Pattern &)> current = [&](const ast::Pattern &pattern) -> Value {
        if (pattern.isTuple) {
          std::vector<Value> items;
          for (const ast::Pattern &item : pattern.items) {
            items.push_back(current(item));
            if (items.back().isError())
              return Value::error();
          }
          return Value::tuple(items, pattern.span);
        }
        ast::NameExpr name(pattern.span);
        name.name = pattern.name.text;
        return lookup(name, scope);
      };
      init = current(e.carry);
    }
    if (!init.isError()) {
      Value defaulted = withDefaultType(emit, init);
      std::function<bool(const Type &)> isData = [&](const Type &type) {
        if (type.isTuple())
          return llvm::all_of(type.elements(), isData);
        return type.isTensor() || type.isStruct() || type.isStack();
      };
      if (!defaulted.isError() && !isData(defaulted.getType())) {
        diagnostics.error(e.init ? e.init->span : e.carry.span, "a loop cannot carry " + init.getType().str())
            .hint("it carries tensors, structs, stacks and tuples of those");
        defaulted = Value::error();
      }
      init = defaulted;
    }
  }
  // Every part runs over its leading axis, and all have the same length.
  std::optional<Dim> length;
  Span lengthSpan;
  bool ok = !iterable.isError() && !(e.hasCarry && init.isError());
  llvm::SmallVector<mlir::Value> scanned;
  std::vector<Type> sliceTypes;
  std::function<void(const Value &)> visit = [&](const Value &part) {
    const Type &type = part.getType();
    std::optional<Dim> extent;
    if (type.kind() == Type::Kind::Range) {
      extent = type.dims().front();
    } else if (type.isTuple() && !part.elements().empty()) {
      for (const Value &element : part.elements())
        visit(element);
      return;
    } else if (type.isStack()) {
      extent = type.stackLength();
      for (const Type::Leaf &leaf : type.stackElement().leaves())
        sliceTypes.push_back(leaf.type);
    } else if (type.isTensor() && type.rank() > 0) {
      extent = type.dims().front();
      sliceTypes.push_back(type.withDims(type.dims().drop_front()));
    } else {
      Diagnostic &error = diagnostics.error(e.iterable->span, "a loop cannot run over " + type.str());
      error.hint(type.isScalar() || type.isLiteral()
                     ? "write 'range(n)' to count"
                     : "it runs over the leading axis of a tensor, a stack, a tuple of those, or 'range(n)'");
      ok = false;
      return;
    }
    if (isEmitting())
      llvm::append_range(scanned, emit.leaves(part));
    if (!length) {
      length = extent;
      lengthSpan = part.span();
    } else if (*length != *extent) {
      diagnostics
          .error(e.iterable->span,
                 "the parts of the loop differ in length: " + length->str() + " and " + extent->str())
          .note(lengthSpan, "the length " + length->str() + " comes from here")
          .note(part.span(), "the length " + extent->str() + " comes from here");
      ok = false;
    }
  };
  if (!iterable.isError())
    visit(iterable);

  // The body, with the step's value and the carry as runtime values.
  std::unique_ptr<mlir::Region> region;
  std::optional<mlir::OpBuilder::InsertionGuard> guard;
  mlir::Value number;
  llvm::SmallVector<mlir::Value> slices, carries;
  if (isEmitting()) {
    if (!ok)
      return Value::error();
    guard.emplace(*builder);
    region = std::make_unique<mlir::Region>();
    mlir::Block &body = region->emplaceBlock();
    mlir::Location where = location(e.span);
    number = body.addArgument(emit.mlirType(Type::tensor(ElementType::I32)), where);
    for (const Type &type : sliceTypes)
      slices.push_back(body.addArgument(emit.mlirType(type), where));
    if (e.hasCarry)
      for (const Type::Leaf &leaf : init.getType().leaves())
        carries.push_back(body.addArgument(emit.mlirType(leaf.type), where));
    builder->setInsertionPointToStart(&body);
  }
  ScopePtr inner = child(scope);
  if (ok) {
    llvm::ArrayRef<mlir::Value> rest = slices;
    bindPattern(e.pattern, stepValue(iterable, number, rest, e.iterable->span), *inner);
  } else {
    poison(e.pattern, *inner);
  }
  if (e.hasCarry) {
    if (init.isError())
      poison(e.carry, *inner);
    else if (!bindPattern(e.carry, Value::ofLeaves(init.getType(), carries, init.span()), *inner))
      ok = false;
  }
  Value result = block(*e.body, inner);
  if (!ok || result.isError())
    return Value::error();

  Span resultSpan = e.body->statements.empty() ? e.body->span : e.body->statements.back().span;
  Value next = result, collected;
  if (e.collect && e.hasCarry) {
    if (!result.getType().isTuple() || result.elements().size() != 2) {
      diagnostics
          .error(resultSpan, "the body of a loop with 'collect' gives (next carry, collected value), got " +
                                 result.getType().str())
          .note(e.collectSpan, "'collect' is here");
      return Value::error();
    }
    next = result.elements()[0];
    collected = result.elements()[1];
  } else if (e.collect) {
    collected = result;
  }
  if (e.hasCarry) {
    std::optional<Value> fitted = coerce(emit, next, init.getType());
    if (!fitted) {
      Diagnostic &error =
          diagnostics.error(resultSpan, "the body gives " + next.getType().str() +
                                            " as the next carry, expected " + init.getType().str());
      error.note(e.init ? e.init->span : e.carry.span,
                 "the carry starts as " + init.getType().str() + " here");
      if (init.getType().isTensor() && next.getType().isTensor() &&
          llvm::equal(init.getType().dims(), next.getType().dims()))
        error.hint("start from a value of element type " + spelling(next.getType().element()).str() +
                   ", or 'cast' the result");
      else
        error.hint("a carry keeps its type from step to step");
      return Value::error();
    }
    next = *fitted;
  }
  Type collectedType;
  if (e.collect) {
    collected = withDefaultType(emit, collected);
    if (collected.isError())
      return collected;
    // Tensors and structs get a leading axis, in every element of a tuple.
    std::function<Type(const Type &)> stacked = [&](const Type &type) -> Type {
      if (type.isTensor()) {
        llvm::SmallVector<Dim> dims{*length};
        dims.append(type.dims().begin(), type.dims().end());
        return type.withDims(dims);
      }
      if (type.isTuple()) {
        std::vector<Type> elements;
        for (const Type &element : type.elements()) {
          elements.push_back(stacked(element));
          if (elements.back().isError())
            return Type();
        }
        return Type::tuple(elements);
      }
      if (type.isStruct() || type.isStack())
        return Type::stack(type, *length);
      return Type();
    };
    collectedType = stacked(collected.getType());
    if (collectedType.isError()) {
      diagnostics.error(resultSpan, "a loop cannot collect " + collected.getType().str());
      return Value::error();
    }
  }
  Type carryType = e.hasCarry ? init.getType() : Type();
  auto assemble = [&](llvm::ArrayRef<mlir::Value> leaves) {
    size_t carryLeaves = e.hasCarry && !leaves.empty() ? carryType.leafCount() : 0;
    Value last = e.hasCarry ? Value::ofLeaves(carryType, leaves.take_front(carryLeaves), e.span) : Value();
    if (!e.collect)
      return last;
    Value all = Value::ofLeaves(collectedType, leaves.drop_front(carryLeaves), e.span);
    return e.hasCarry ? Value::tuple({last, all}, e.span) : all;
  };
  if (!isEmitting())
    return assemble({});

  llvm::SmallVector<mlir::Value> yielded;
  llvm::SmallVector<mlir::Type> resultTypes;
  llvm::SmallVector<mlir::Value> inits;
  if (e.hasCarry) {
    llvm::append_range(yielded, emit.leaves(next));
    for (const Type::Leaf &leaf : carryType.leaves())
      resultTypes.push_back(emit.mlirType(leaf.type));
  }
  if (e.collect) {
    llvm::append_range(yielded, emit.leaves(collected));
    for (const Type::Leaf &leaf : collectedType.leaves())
      resultTypes.push_back(emit.mlirType(leaf.type));
  }
  heddle::ir::YieldOp::create(*builder, location(resultSpan), yielded);
  guard.reset();
  if (e.hasCarry)
    inits = emit.leaves(init);
  auto loop =
      heddle::ir::ForOp::create(*builder, location(e.span), resultTypes,
                                static_cast<uint64_t>(length->value()), scanned, inits, /*reverse=*/false);
  loop.getBody().takeBody(*region);
  return assemble(llvm::SmallVector<mlir::Value>(loop.getResults()));
}

} // namespace heddle::frontend
