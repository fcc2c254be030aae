//===- Variant.cpp - Attention with a block for each pair -------------------===//
#include "compiler/frontend/builtins/Variant.h"
#include "compiler/frontend/builtins/Math.h"
#include "dialects/sparsek/IR/SparseK.h"

namespace heddle::frontend {

//===----------------------------------------------------------------------===//
// What may stand in the block
//===----------------------------------------------------------------------===//

/// A leaf that is no scalar, or empty.
static std::optional<Type> wideLeaf(const Type &type) {
  for (const Type::Leaf &leaf : type.leaves())
    if (leaf.type.isTensor() && leaf.type.rank() > 0)
      return leaf.type;
  return std::nullopt;
}

bool allowedInPairBlock(CallContext &context) {
  llvm::StringRef name = context.name;
  for (llvm::StringRef random : {"random_normal", "random_uniform", "fold_in", "dropout"})
    if (name == random) {
      context.diagnostics.error(context.callee, name.str() + " cannot stand in the block of attention")
          .hint("draw random numbers before, and read them in the block");
      return false;
    }
  if (name == "einsum") {
    context.diagnostics.error(context.callee, "einsum cannot stand in the block of attention")
        .hint("scalars are multiplied with '*'");
    return false;
  }
  for (const Argument &argument : context.args) {
    std::optional<Type> wide = wideLeaf(argument.value.getType());
    if (!wide)
      continue;
    size_t rank = wide->rank();
    context.diagnostics
        .error(argument.span, "the block of attention works on scalars, but '" + name.str() + "' takes " +
                                  wide->str() + " here")
        .note(argument.value.span(), "this is " + argument.value.getType().str())
        .hint(rank == 1 ? "read one element of it, with an index in brackets"
                        : "read one element of it, with an index for each of its " + std::to_string(rank) +
                              " axes");
    return false;
  }
  return true;
}

bool allowedInPairBlock(CallContext &context, const Value &result) {
  std::optional<Type> wide = wideLeaf(result.getType());
  if (wide)
    context.diagnostics
        .error(context.span, "the block of attention works on scalars, but '" + context.name + "' gives " +
                                 wide->str() + " here")
        .hint("compute it before, and read one element of it in the block");
  return !wide;
}

//===----------------------------------------------------------------------===//
// The block
//===----------------------------------------------------------------------===//

/// s, b, h, i, j.
static constexpr size_t numNames = 5;

/// The values of a block, in the types that attention takes.
namespace {
struct PairResult {
  Value score, gate, visible;
};

class PairEvaluation {
public:
  PairEvaluation(Call &call, ElementType element)
      : call(call), emit(call.emit), scoreType(Type::tensor(element)) {}

  /// Evaluates the block, or that of plain attention where none is written, with further conditions on what
  /// is visible. Empty after an error.
  std::optional<PairResult> evaluate(bool causal, const std::optional<Dim> &window,
                                     const std::optional<Value> &bounds);

  /// What the block reads from around it, as operands, once it is closed.
  llvm::SmallVector<mlir::Value> captures;
  std::unique_ptr<mlir::Region> region;

  void close(const PairResult &result);

private:
  Value argument(size_t i);
  std::optional<PairResult> run(const WithBlock &block);
  std::optional<PairResult> check(const WithBlock &block, const Value &value);
  std::optional<Value> number(const Value &value, const char *what, Span span);

  Call &call;
  OpEmitter &emit;
  Type scoreType, position = Type::tensor(ElementType::I32);
  PairBlock pairs;
};
} // namespace

std::optional<Value> PairEvaluation::number(const Value &value, const char *what, Span span) {
  if (std::optional<Value> fitted = coerce(emit, value, scoreType))
    return fitted;
  const Type &type = value.getType();
  Diagnostic &error = call.error(span, std::string("the ") + what + " of a pair is " + scoreType.str() +
                                           ", but the block of attention gives " + type.str());
  if (type.isScalar() && type.element() != ElementType::Bool)
    error.hint("cast(…, " + scoreType.str() + ") converts it");
  else if (type.isTensor() && type.rank() > 0)
    error.note(value.span(), "this is " + type.str())
        .hint("read one element of it, with an index for each of its axes");
  return std::nullopt;
}

std::optional<PairResult> PairEvaluation::check(const WithBlock &block, const Value &value) {
  if (value.isError())
    return std::nullopt;
  if (!value.getType().isTuple() || value.elements().size() != 3) {
    call.error(block.result,
               "the block of attention gives (score, gate, visible), not " + value.getType().str())
        .hint("'(s, 1.0, true)' is plain attention");
    return std::nullopt;
  }
  auto spanOf = [&](size_t i) { return block.elements.size() == 3 ? block.elements[i] : block.result; };
  std::optional<Value> score = number(value.elements()[0], "score", spanOf(0)),
                       gate = number(value.elements()[1], "gate", spanOf(1));
  Value visible = value.elements()[2];
  if (!visible.getType().isScalar(ElementType::Bool)) {
    Diagnostic &error = call.error(spanOf(2), "whether a pair is visible is a bool, but the block of "
                                              "attention gives " +
                                                  visible.getType().str());
    if (visible.getType().isScalar() || visible.getType().isLiteral())
      error.hint("compare it, as in '… != 0'");
    return std::nullopt;
  }
  if (!score || !gate)
    return std::nullopt;
  return PairResult{*score, *gate, visible};
}

/// s, b, h, i or j.
Value PairEvaluation::argument(size_t i) {
  const std::optional<WithBlock> &block = call.context.with;
  llvm::SmallVector<mlir::Value, 1> leaves;
  if (emit.isEmitting())
    leaves.push_back(region->front().getArgument(unsigned(i)));
  return Value::ofLeaves(i == 0 ? scoreType : position, leaves, block ? block->names[i] : call.span());
}

std::optional<PairResult> PairEvaluation::run(const WithBlock &block) {
  std::vector<Argument> args;
  for (size_t i = 0; i < numNames; ++i)
    args.push_back({"", argument(i), block.names[i], {}});
  Evaluator &evaluator = call.context.evaluator;
  const PairBlock *outer = std::exchange(evaluator.pairs, &pairs);
  Value value = evaluator.apply(block.function, args, block.span);
  evaluator.pairs = outer;
  return check(block, value);
}

std::optional<PairResult> PairEvaluation::evaluate(bool causal, const std::optional<Dim> &window,
                                                   const std::optional<Value> &bounds) {
  std::optional<mlir::OpBuilder::InsertionGuard> guard;
  if (emit.isEmitting()) {
    mlir::OpBuilder &builder = emit.getBuilder();
    guard.emplace(builder);
    pairs.outside = builder.saveInsertionPoint();
    region = std::make_unique<mlir::Region>();
    mlir::Block &body = region->emplaceBlock();
    for (size_t i = 0; i < numNames; ++i)
      body.addArgument(emit.mlirType(i == 0 ? scoreType : position), emit.location(call.span()));
    builder.setInsertionPointToStart(&body);
  }
  std::optional<PairResult> result = call.context.with
                                         ? run(*call.context.with)
                                         : PairResult{argument(0), emit.constant(scoreType, 1.0, call.span()),
                                                      Value::boolean(true, call.span())};
  if (!result)
    return std::nullopt;
  // Bounds come first: a target that reads the conditions in order skips most pairs by them.
  Value i = argument(3), j = argument(4);
  Span span = call.span();
  std::optional<Value> sees;
  auto require = [&](CompareKind kind, const Value &a, const Value &b) {
    Value condition = emit.compare(kind, a, b, span);
    sees = sees ? emit.binary(BinaryKind::And, *sees, condition, span) : condition;
  };
  if (causal)
    require(CompareKind::Le, j, i);
  if (window)
    require(CompareKind::Lt, emit.binary(BinaryKind::Sub, i, j, span),
            emit.constant(position, *window, span));
  if (bounds) {
    auto bound = [&](int64_t row) { return emit.read(*bounds, {Value::dimension(Dim(row), span), i}, span); };
    require(CompareKind::Ge, j, bound(0));
    if (!causal)
      require(CompareKind::Lt, j, bound(1));
  }
  const bool *known = result->visible.boolean();
  if (sees)
    result->visible = known && *known ? *sees : emit.binary(BinaryKind::And, *sees, result->visible, span);
  return result;
}

/// Ends the block and makes arguments of what it uses from around it.
void PairEvaluation::close(const PairResult &result) {
  mlir::OpBuilder &builder = emit.getBuilder();
  mlir::OpBuilder::InsertionGuard guard(builder);
  mlir::Block &body = region->front();
  builder.setInsertionPointToEnd(&body);
  mlir::Value score = emit.leaf(result.score), gate = emit.leaf(result.gate),
              visible = emit.leaf(result.visible);
  sparsek::YieldOp::create(builder, emit.location(call.span()), score, gate, visible);

  llvm::DenseMap<mlir::Value, mlir::Value> arguments, scalars;
  auto argumentFor = [&](mlir::Value value) {
    mlir::Value &argument = arguments[value];
    if (!argument) {
      captures.push_back(value);
      argument = body.addArgument(value.getType(), value.getLoc());
    }
    return argument;
  };
  llvm::SmallVector<mlir::OpOperand *> uses;
  for (mlir::Operation &op : body)
    for (mlir::OpOperand &operand : op.getOpOperands())
      if (operand.get().getParentRegion() != region.get())
        uses.push_back(&operand);
  for (mlir::OpOperand *use : uses) {
    mlir::Value value = use->get();
    if (auto read = llvm::dyn_cast<sparsek::ReadOp>(use->getOwner()); read && use->getOperandNumber() == 0) {
      use->set(argumentFor(value));
      continue;
    }
    mlir::Value &scalar = scalars[value];
    if (!scalar) {
      builder.setInsertionPointToStart(&body);
      mlir::Operation *definition = value.getDefiningOp();
      if (definition && definition->hasTrait<mlir::OpTrait::ConstantLike>())
        scalar = builder.clone(*definition)->getResult(0);
      else
        scalar = sparsek::ReadOp::create(builder, use->getOwner()->getLoc(), argumentFor(value),
                                         mlir::ValueRange());
    }
    use->set(scalar);
  }
}

Value variantAttention(Call &call, const Value &q, const Value &k, const Value &v, bool causal,
                       const std::optional<Dim> &window, const std::optional<Value> &bounds, double scale,
                       bool withLse) {
  OpEmitter &emit = call.emit;
  if (const auto &block = call.context.with; block && block->names.size() != numNames) {
    call.error(block->span,
               "the block of attention takes 5 names, not " + std::to_string(block->names.size()))
        .hint("'with (s, b, h, i, j) { … }': scaled product, batch, query head, query and key position");
    return Value::error();
  }
  ElementType element = q.getType().element() == ElementType::F64 ? ElementType::F64 : ElementType::F32;
  PairEvaluation block(call, element);
  std::optional<PairResult> result = block.evaluate(causal, window, bounds);
  if (!result)
    return Value::error();
  if (emit.isEmitting())
    block.close(*result);
  sparsek::VariantAttentionOp op;
  if (emit.isEmitting()) {
    op =
        sparsek::VariantAttentionOp::create(emit.getBuilder(), emit.location(call.span()), emit.leaf(q),
                                            emit.leaf(k), emit.leaf(v), block.captures, llvm::APFloat(scale));
    op.getBody().takeBody(*block.region);
  }
  llvm::SmallVector<Dim> dims(q.getType().dims());
  dims.back() = v.getType().dims().back();
  Value o = emit.make(q.getType().withDims(dims), call.span(),
                      [&](mlir::OpBuilder &, mlir::Location) -> mlir::Value { return op.getO(); });
  if (!withLse)
    return o;
  Value lse = emit.make(Type::tensor(element, llvm::ArrayRef<Dim>(dims).drop_back()), call.span(),
                        [&](mlir::OpBuilder &, mlir::Location) -> mlir::Value { return op.getLse(); });
  return Value::tuple({o, lse}, call.span());
}

} // namespace heddle::frontend
