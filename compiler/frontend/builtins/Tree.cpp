//===- Tree.cpp - Functions over the leaves of structs ----------------------===//
#include "compiler/frontend/builtins/Call.h"

namespace heddle::frontend {

static std::optional<Value> functionArgument(Call &call, llvm::StringRef parameter) {
  if (call[parameter].callable())
    return call[parameter];
  call.errorAt(parameter,
               call.name().str() + " needs a function first, not " + call[parameter].getType().str())
      .hint("write for example " + call.name().str() + "(fn (x) { x * 2.0 }, p)");
  return std::nullopt;
}

namespace {
/// A value taken apart into its leaves; no SSA values in check mode.
struct Leaves {
  Leaves(OpEmitter &emit, const Value &tree)
      : types(tree.getType().leaves()), values(emit.leaves(tree)), span(tree.span()) {}
  Value operator[](size_t index) const {
    llvm::ArrayRef<mlir::Value> all = values;
    return Value::ofLeaves(types[index].type, all.empty() ? all : all.slice(index, 1), span);
  }

  std::vector<Type::Leaf> types;
  llvm::SmallVector<mlir::Value> values;
  Span span;
};
} // namespace

/// `leaf 'm.w', f32[N]`; only the type where the tree is one tensor.
static std::string describe(const Type::Leaf &leaf) {
  return leaf.name.empty() ? leaf.type.str() : "leaf '" + leaf.name + "', " + leaf.type.str();
}

/// Type arguments tried for a struct whose leaves changed from one element type to others.
static std::optional<Type> withElements(Evaluator &evaluator, const Type &type,
                                        llvm::ArrayRef<Type::Leaf> wanted) {
  auto fits = [&](const Type &candidate) {
    std::vector<Type::Leaf> leaves = candidate.leaves();
    if (leaves.size() != wanted.size())
      return false;
    for (auto [leaf, want] : llvm::zip(leaves, wanted))
      if (leaf.type != want.type)
        return false;
    return true;
  };
  if (fits(type))
    return type;
  switch (type.kind()) {
  case Type::Kind::Tensor:
    return wanted.front().type;
  case Type::Kind::Tuple: {
    std::vector<Type> elements;
    for (const Type &element : type.elements()) {
      size_t count = element.leafCount();
      std::optional<Type> changed = withElements(evaluator, element, wanted.take_front(count));
      if (!changed)
        return std::nullopt;
      elements.push_back(*changed);
      wanted = wanted.drop_front(count);
    }
    return Type::tuple(elements);
  }
  case Type::Kind::Stack: {
    std::vector<Type::Leaf> inner(wanted);
    for (Type::Leaf &leaf : inner)
      leaf.type = leaf.type.withDims(leaf.type.dims().drop_front());
    std::optional<Type> changed = withElements(evaluator, type.stackElement(), inner);
    return changed ? std::optional(Type::stack(*changed, type.stackLength())) : std::nullopt;
  }
  case Type::Kind::Struct:
    break;
  default:
    return std::nullopt;
  }
  // A struct is its declaration with other type arguments. Element types are tried among those wanted;
  // arguments that are types of their own are found from the fields of that type.
  std::vector<Type> choices;
  for (const Type::Leaf &leaf : wanted)
    if (Type scalar = Type::tensor(leaf.type.element()); !llvm::is_contained(choices, scalar))
      choices.push_back(scalar);
  std::vector<std::vector<Type>> candidates;
  for (const Type &argument : type.elements()) {
    std::vector<Type> options{argument};
    if (argument.isScalar()) {
      llvm::append_range(options, choices);
    } else {
      llvm::ArrayRef<Type::Leaf> rest = wanted;
      for (const Type::Field &field : type.fields()) {
        size_t count = field.type.leafCount();
        if (field.type == argument)
          if (std::optional<Type> changed = withElements(evaluator, field.type, rest.take_front(count)))
            options.push_back(*changed);
        rest = rest.drop_front(count);
      }
    }
    candidates.push_back(std::move(options));
  }
  std::vector<size_t> pick(candidates.size(), 0);
  for (int tries = 0; tries < 4096; ++tries) {
    std::vector<Type> arguments;
    for (auto [options, index] : llvm::zip(candidates, pick))
      arguments.push_back(options[index]);
    if (type.declaration())
      if (std::optional<Type> made = evaluator.instantiate(*type.declaration(), arguments, type.dims());
          made && fits(*made))
        return made;
    size_t place = 0;
    while (place < pick.size() && ++pick[place] == candidates[place].size())
      pick[place++] = 0;
    if (place == pick.size())
      return std::nullopt;
  }
  return std::nullopt;
}

static Value mapLeaves(Call &call) {
  std::optional<Value> function = functionArgument(call, "f");
  if (!function)
    return Value::error();
  llvm::ArrayRef<Argument> trees = call.rest();
  const Type &type = trees.front().value.getType();
  std::vector<Type::Leaf> leaves = type.leaves();
  if (leaves.empty()) {
    call.error(trees.front().span, "map_leaves needs a value made of tensors, not " + type.str());
    return Value::error();
  }
  // Structs that differ in element types only go together: masters and moments beside bf16 weights.
  std::vector<Leaves> flat;
  for (const Argument &tree : trees) {
    flat.emplace_back(call.emit, tree.value);
    const std::vector<Type::Leaf> &types = flat.back().types;
    bool fits = types.size() == leaves.size();
    for (size_t i = 0; fits && i < leaves.size(); ++i)
      fits = types[i].name == leaves[i].name && llvm::equal(types[i].type.dims(), leaves[i].type.dims());
    if (fits)
      continue;
    call.error(tree.span, "map_leaves goes through " + type.str() + " and " + tree.value.getType().str() +
                              ", which have different leaves")
        .note(trees.front().value.span(), "this is " + type.str())
        .note(tree.value.span(), "this is " + tree.value.getType().str());
    return Value::error();
  }

  std::vector<std::vector<Value>> results; // one list of leaves for each struct that comes out
  bool tuple = false;
  for (auto [index, leaf] : llvm::enumerate(leaves)) {
    std::vector<Argument> args;
    for (size_t tree = 0; tree < flat.size(); ++tree)
      args.push_back({"", flat[tree][index], trees[tree].span, {}});
    Value result = withDefaultType(call.emit, call.context.evaluator.apply(*function, args, call.span()));
    if (result.isError())
      return Value::error();
    llvm::ArrayRef<Value> parts =
        result.getType().isTuple() ? result.elements() : llvm::ArrayRef<Value>(result);
    if (index == 0) {
      tuple = result.getType().isTuple();
      results.resize(parts.size());
    }
    for (auto [place, part] : llvm::enumerate(parts)) {
      if (part.getType().isTensor() && tuple == result.getType().isTuple() &&
          parts.size() == results.size() && llvm::equal(part.getType().dims(), leaf.type.dims())) {
        results[place].push_back(part);
        continue;
      }
      call.errorAt("f", "map_leaves' function turns " + describe(leaf) +
                            (leaf.name.empty() ? " into " : ", into ") + result.getType().str() +
                            "; a leaf's shape must stay");
      return Value::error();
    }
  }

  std::vector<Value> made;
  for (const std::vector<Value> &list : results) {
    std::vector<Type::Leaf> wanted = leaves;
    llvm::SmallVector<mlir::Value> values;
    for (auto [want, value] : llvm::zip(wanted, list)) {
      want.type = value.getType();
      if (call.emit.isEmitting())
        values.push_back(call.emit.leaf(value));
    }
    std::optional<Type> resultType = withElements(call.context.evaluator, type, wanted);
    if (!resultType) {
      for (auto [want, leaf] : llvm::zip(wanted, leaves))
        if (want.type != leaf.type) {
          call.errorAt("f", "map_leaves turns leaf '" + leaf.name + "' of " + type.str() + " from " +
                                leaf.type.str() + " into " + want.type.str() + ", which no " +
                                type.name().str() + " has")
              .hint("a type parameter such as struct " + type.name().str() +
                    "<F: float> lets the element type of leaves declared with F change");
          break;
        }
      return Value::error();
    }
    made.push_back(Value::ofLeaves(*resultType, values, call.span()));
  }
  return tuple ? Value::tuple(made, call.span()) : made.front();
}

static Value reduceLeaves(Call &call) {
  std::optional<Value> function = functionArgument(call, "f");
  if (!function)
    return Value::error();
  const Value &tree = call["tree"];
  std::vector<Type::Leaf> leaves = tree.getType().leaves();
  if (leaves.empty()) {
    call.errorAt("tree", "reduce_leaves needs a value made of tensors, not " + tree.getType().str());
    return Value::error();
  }
  Leaves flat(call.emit, tree);
  Value state = withDefaultType(call.emit, call["init"]);
  for (auto [index, leaf] : llvm::enumerate(leaves)) {
    std::vector<Argument> args{{"", state, call.spanOf("init"), {}},
                               {"", flat[index], call.spanOf("tree"), {}}};
    Value next = call.context.evaluator.apply(*function, args, call.span());
    if (next.isError())
      return Value::error();
    std::optional<Value> same = coerce(call.emit, next, state.getType());
    if (!same) {
      call.errorAt("f", "reduce_leaves' function turns a state of " + state.getType().str() + " and " +
                            describe(leaf) + ", into " + next.getType().str() +
                            "; the state's type must stay")
          .note(call.spanOf("init"), "the first state is " + state.getType().str());
      return Value::error();
    }
    state = *same;
  }
  return state;
}

llvm::ArrayRef<Builtin> treeBuiltins() {
  static const Builtin table[] = {
      {"map_leaves", "map_leaves(f, trees...)",
       "f on the leaves of structs of one shape: a struct, or a tuple of structs where f gives a tuple.",
       mapLeaves},
      {"reduce_leaves", "reduce_leaves(f, init, tree)", "f(state, leaf) over all leaves, from init.",
       reduceLeaves},
  };
  return table;
}

} // namespace heddle::frontend
