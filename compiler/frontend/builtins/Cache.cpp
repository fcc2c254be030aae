//===- Cache.cpp - Generation with a cache of selected keys -----------------===//
//
// A cache is the struct SparseKCache of compiler/std/sparsek.heddle. A prompt goes through the attention over
// a whole sequence and fills a cache beside it; tokens after that go through sparsek.append, which reads and
// writes the cache. Left-padded prompts are rolled to the left first: what stands at the end of a causal
// sequence reaches nothing before it.
//
//===----------------------------------------------------------------------===//
#include "compiler/frontend/builtins/Attention.h"
#include "compiler/frontend/builtins/Math.h"
#include "dialects/heddle/IR/Heddle.h"
#include "dialects/sparsek/IR/SparseK.h"
#include <cmath>

namespace heddle::frontend {

/// The leaves of a cache that tokens change come first, then its options.
static constexpr size_t stateLeaves = sparsek::AppendOp::stateCount;

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

namespace {
/// The dimensions of a cache's type.
struct CacheShape {
  Dim batch, heads, width, valueWidth, topk, window, capacity;
};

/// Tokens and the cache that is to take them.
struct Tokens {
  Value q, k, v, u, cache;
};

struct Options {
  double scale = 1;
  std::optional<Value> computedScale;
  int gate = 0, estimator = 0;
};
} // namespace

static CacheShape shapeOf(const Type &cache) {
  llvm::ArrayRef<Dim> dims = cache.dims();
  return {dims[0], dims[1], dims[2], dims[3], dims[4], dims[5], dims[6]};
}

static Type cacheType(Call &call, ElementType element, const CacheShape &s) {
  Evaluator &evaluator = call.context.evaluator;
  return *evaluator.instantiate(*evaluator.libraryStruct("SparseKCache"), {Type::tensor(element)},
                                {s.batch, s.heads, s.width, s.valueWidth, s.topk, s.window, s.capacity});
}

/// `capacity`, by default 8 (topk + window) and at least 4096; a prompt's length in whole 4096s where that is
/// more, so that no prompt can fail for want of room.
static std::optional<Dim> capacityArgument(Call &call, const Dim &topk, const Dim &window,
                                           const Dim &prompt) {
  constexpr int64_t least = 4096;
  if (!call.has("capacity")) {
    Dim blocks = Dim::apply(DimFunction::CeilDiv, prompt, least);
    Dim room = Dim::apply(DimFunction::Max, Dim(least), Dim(8) * (topk + window));
    return Dim::apply(DimFunction::Max, room, blocks * Dim(least));
  }
  std::optional<Dim> capacity = call.integer("capacity");
  if (capacity && capacity->compare(topk) == -1) {
    call.errorAt("capacity", "a cache for topk = " + topk.str() + " needs a capacity of at least " +
                                 topk.str() + " live scores, not " + capacity->str());
    return std::nullopt;
  }
  return capacity;
}

static std::optional<Options> options(Call &call, const Dim &width) {
  Options result;
  std::optional<std::string> gate = call.choice("gate", {"both", "value", "none"});
  std::optional<std::string> estimator = call.choice("estimator", {"soft", "straight_through"});
  if (!gate || !estimator)
    return std::nullopt;
  result.gate = *gate == "both" ? 0 : *gate == "value" ? 1 : 2;
  result.estimator = *estimator == "soft" ? 0 : 1;
  if (!call.has("scale")) {
    if (width.isConstant() && width.value() > 0)
      result.scale = 1.0 / std::sqrt(double(width.value()));
  } else if (call["scale"].getType().isLiteral()) {
    std::optional<double> scale = call.number("scale", 1.0);
    if (!scale)
      return std::nullopt;
    result.scale = *scale;
  } else {
    result.computedScale = call.scalar("scale", ElementType::F64, 1.0);
    if (!result.computedScale)
      return std::nullopt;
  }
  return result;
}

static std::optional<Value> cacheArgument(Call &call) {
  const Value &cache = call["cache"];
  const Type &type = cache.getType();
  if (type.isStruct() && type.declaration() == call.context.evaluator.libraryStruct("SparseKCache"))
    return cache;
  call.errorAt("cache", call.name().str() + " needs a SparseKCache for 'cache', not " + type.str())
      .hint("sparsek_cache makes an empty one, sparsek_prefill one that holds a prompt");
  return std::nullopt;
}

/// Reports an extent that is not the cache's.
static bool fits(Call &call, llvm::StringRef parameter, const Value &value, size_t axis, const Dim &wanted,
                 const Value &cache) {
  const Dim &extent = value.getType().dims()[axis];
  if (extent == wanted)
    return true;
  call.errorAt(parameter, call.name().str() + " needs axis " + std::to_string(axis) + " of '" +
                              parameter.str() + "' to be " + wanted.str() + " as in the cache, but it is " +
                              extent.str())
      .note(cache.span(), "the cache is " + cache.getType().str())
      .note(value.span(), "'" + parameter.str() + "' is " + value.getType().str());
  return false;
}

/// An i32[B] of lengths between 0 and `positions`, checked at run time.
static std::optional<Value> lengthsArgument(Call &call, const Dim &batch, const Dim &positions) {
  OpEmitter &emit = call.emit;
  Type type = Type::tensor(ElementType::I32, {batch});
  if (!call.has("lengths"))
    return emit.constant(type, positions, call.span());
  std::optional<Value> lengths = call.indexTensor("lengths");
  if (!lengths || !requireRank(call, "lengths", *lengths, 1, "[B]"))
    return std::nullopt;
  if (lengths->getType().dims()[0] != batch) {
    call.errorAt("lengths", call.name().str() + " needs one length for each of " + batch.str() +
                                " rows, but 'lengths' is " + lengths->getType().str());
    return std::nullopt;
  }
  if (emit.isEmitting()) {
    std::string message = "a length of {} is outside 0 to " + positions.str();
    ir::CheckIndexOp::create(emit.getBuilder(), emit.location(call.spanOf("lengths")), emit.leaf(*lengths),
                             positions.value() + 1, message);
  }
  return emit.cast(*lengths, ElementType::I32, call.span());
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

/// A cache of the leaves that tokens change and of these options.
static Value assemble(Call &call, const Type &type, llvm::ArrayRef<mlir::Value> state,
                      const Options &options) {
  OpEmitter &emit = call.emit;
  std::vector<Type::Leaf> leaves = type.leaves();
  const Type &scaleType = leaves[stateLeaves].type, &numberType = leaves[stateLeaves + 1].type;
  Value scale = options.computedScale
                    ? emit.broadcastTo(*options.computedScale, scaleType.dims(), call.span())
                    : emit.constant(scaleType, options.scale, call.span());
  Value gate = emit.constant(numberType, Dim(options.gate), call.span());
  Value estimator = emit.constant(numberType, Dim(options.estimator), call.span());
  llvm::SmallVector<mlir::Value> all(state);
  if (emit.isEmitting())
    all.append({emit.leaf(scale), emit.leaf(gate), emit.leaf(estimator)});
  return Value::ofLeaves(type, all, call.span());
}

static Value append(Call &call, const Tokens &t, const Value &lengths) {
  OpEmitter &emit = call.emit;
  const Type &type = t.cache.getType();
  CacheShape s = shapeOf(type);
  llvm::SmallVector<Dim> dims(t.q.getType().dims());
  dims.back() = s.valueWidth;
  Type outType = t.q.getType().withDims(dims);
  mlir::Value out;
  llvm::SmallVector<mlir::Value> leaves;
  if (emit.isEmitting()) {
    leaves = emit.leaves(t.cache);
    llvm::SmallVector<mlir::Value> operands = {emit.leaf(t.q), emit.leaf(t.k), emit.leaf(t.v), emit.leaf(t.u),
                                               emit.leaf(lengths)};
    operands.append(leaves);
    llvm::SmallVector<mlir::Type> results = {emit.mlirType(outType)};
    for (mlir::Value leaf : llvm::ArrayRef(leaves).take_front(stateLeaves))
      results.push_back(leaf.getType());
    mlir::OpBuilder &builder = emit.getBuilder();
    mlir::NamedAttribute attributes[] = {
        builder.getNamedAttr("topk", builder.getI64IntegerAttr(s.topk.value())),
        builder.getNamedAttr("window", builder.getI64IntegerAttr(s.window.value()))};
    auto op = sparsek::AppendOp::create(builder, emit.location(call.span()), results, operands, attributes);
    out = op.getO();
    llvm::copy(op.getResults().drop_front(), leaves.begin());
  }
  return Value::tuple(
      {Value::ofLeaves(outType, out ? llvm::ArrayRef(out) : llvm::ArrayRef<mlir::Value>(), call.span()),
       Value::ofLeaves(type, leaves, call.span())},
      call.span());
}

/// Positions of the rows of [B, H, N, …] in [B * H * N, …], where position i of a row b stands for i -
/// shift_b (modulo N) if `right`, else for i + shift_b.
static Value rolledRows(Call &call, llvm::ArrayRef<Dim> dims, const Value &shift, bool right) {
  OpEmitter &emit = call.emit;
  Math math(call);
  Type type = Type::tensor(ElementType::I64, dims);
  Value n = emit.constant(type, dims[2], call.span()), zero = emit.constant(type, Dim(0), call.span());
  Value moved =
      math.binary(right ? BinaryKind::Sub : BinaryKind::Add, emit.iota(type, 2, call.span()), shift);
  Value wrapped = right ? math.add(moved, n) : math.sub(moved, n);
  Value inside = right ? math.compare(CompareKind::Ge, moved, zero) : math.compare(CompareKind::Lt, moved, n);
  Value row =
      math.mul(math.add(math.mul(emit.iota(type, 0, call.span()), emit.constant(type, dims[1], call.span())),
                        emit.iota(type, 1, call.span())),
               n);
  return math.add(row, emit.select(inside, moved, wrapped, call.span()));
}

/// x [B, H, N, …] with the positions of each row moved around.
static Value roll(Call &call, const Value &x, const Value &shift, bool right) {
  llvm::ArrayRef<Dim> dims = x.getType().dims();
  llvm::SmallVector<Dim> flat = {dims[0] * dims[1] * dims[2]};
  flat.append(dims.begin() + 3, dims.end());
  Value ids = rolledRows(call, dims.take_front(3), shift, right);
  return call.emit.gather(call.emit.reshape(x, flat, call.span()), ids, 0, call.span());
}

//===----------------------------------------------------------------------===//
// Builtins
//===----------------------------------------------------------------------===//

static Value sparsekCache(Call &call) {
  std::optional<Type> type = call.type("type");
  if (!type)
    return Value::error();
  if (!type->isFloatTensor() || type->rank() != 4) {
    call.errorAt("type",
                 "sparsek_cache needs a type such as f32[B, H, E, V]: batch, key-value heads, width of "
                 "keys and of values; not " +
                     type->str());
    return Value::error();
  }
  std::optional<Dim> topk = count(call, "topk"), window = count(call, "window");
  if (!topk || !window || !requireSome(call, *topk, *window))
    return Value::error();
  llvm::ArrayRef<Dim> dims = type->dims();
  std::optional<Dim> capacity = capacityArgument(call, *topk, *window, Dim(0));
  std::optional<Options> chosen = options(call, dims[2]);
  if (!capacity || !chosen)
    return Value::error();
  Type cache =
      cacheType(call, type->element(), {dims[0], dims[1], dims[2], dims[3], *topk, *window, *capacity});
  std::vector<Type::Leaf> leaves = cache.leaves();
  llvm::SmallVector<mlir::Value> state;
  for (const Type::Leaf &leaf : llvm::ArrayRef(leaves).take_front(stateLeaves)) {
    Value value = leaf.name == "hi" ? call.emit.constant(leaf.type, -INFINITY, call.span())
                                    : call.emit.constant(leaf.type, Dim(0), call.span());
    if (call.emit.isEmitting())
      state.push_back(call.emit.leaf(value));
  }
  return assemble(call, cache, state, *chosen);
}

/// q, k, v and u of one shape (`rank` 4: several positions, 3: one) that fit the cache.
static std::optional<Tokens> tokensArgument(Call &call, size_t rank) {
  std::optional<Value> cache = cacheArgument(call);
  std::optional<Value> q = call.floatTensor("q"), k = call.floatTensor("k"), v = call.floatTensor("v");
  bool several = rank == 4;
  if (!cache || !q || !k || !v ||
      !requireRank(call, "q", *q, rank, several ? "[B, Hq, T, E]" : "[B, Hq, E]") ||
      !requireRank(call, "k", *k, rank, several ? "[B, H, T, E]" : "[B, H, E]") ||
      !requireRank(call, "v", *v, rank, several ? "[B, H, T, V]" : "[B, H, V]"))
    return std::nullopt;
  CacheShape s = shapeOf(cache->getType());
  ElementType element = cache->getType().elements().front().element();
  for (auto [name, value] : {std::pair("q", &*q), std::pair("k", &*k), std::pair("v", &*v)})
    if (value->getType().element() != element) {
      call.errorAt(name, call.name().str() + " needs '" + name + "' in " + spelling(element).str() +
                             " as in the cache, but it is " + value->getType().str())
          .note(cache->span(), "the cache is " + cache->getType().str())
          .hint("cast(x, " + spelling(element).str() + ") converts it");
      return std::nullopt;
    }
  if (!fits(call, "q", *q, 0, s.batch, *cache) || !fits(call, "q", *q, rank - 1, s.width, *cache) ||
      !fits(call, "k", *k, 0, s.batch, *cache) || !fits(call, "k", *k, 1, s.heads, *cache) ||
      !fits(call, "k", *k, rank - 1, s.width, *cache) || !fits(call, "v", *v, 0, s.batch, *cache) ||
      !fits(call, "v", *v, 1, s.heads, *cache) || !fits(call, "v", *v, rank - 1, s.valueWidth, *cache))
    return std::nullopt;
  if (several &&
      (!requireExtent(call, "k", *k, 2, "q", *q, 2) || !requireExtent(call, "v", *v, 2, "q", *q, 2)))
    return std::nullopt;
  if (!requireGroups(call, *q, *k))
    return std::nullopt;
  std::optional<Value> u = scores(call, *k, several ? "[B, H, T]" : "[B, H]");
  return u ? std::optional<Tokens>({*q, *k, *v, *u, *cache}) : std::nullopt;
}

static Value prefillOnto(Call &call) {
  for (llvm::StringRef parameter : {"topk", "window", "scale", "gate", "estimator", "capacity"})
    if (call.has(parameter)) {
      call.errorAt(parameter, "'" + parameter.str() + "' cannot be given with a cache, which has its own")
          .note(call["cache"].span(), "the cache is " + call["cache"].getType().str());
      return Value::error();
    }
  std::optional<Tokens> t = tokensArgument(call, 4);
  if (!t)
    return Value::error();
  llvm::ArrayRef<Dim> dims = t->q.getType().dims();
  std::optional<Value> lengths = lengthsArgument(call, dims[0], dims[2]);
  return lengths ? append(call, *t, *lengths) : Value::error();
}

static Value sparsekPrefill(Call &call) {
  if (call.has("cache"))
    return prefillOnto(call);
  if (!call.has("topk")) {
    call.errorAt("topk", "sparsek_prefill is called without its argument 'topk'")
        .hint("give the options of a new cache, or one that exists as 'cache'");
    return Value::error();
  }
  OpEmitter &emit = call.emit;
  std::optional<Value> q = call.floatTensor("q"), k = call.floatTensor("k"), v = call.floatTensor("v"),
                       u = call.floatTensor("u");
  if (!q || !k || !v || !u || !requireRank(call, "q", *q, 4, "[B, Hq, N, E]") ||
      !requireRank(call, "k", *k, 4, "[B, H, N, E]") || !requireRank(call, "v", *v, 4, "[B, H, N, V]") ||
      !requireRank(call, "u", *u, 3, "[B, H, N]"))
    return Value::error();
  llvm::ArrayRef<Dim> dims = k->getType().dims();
  Dim positions = dims[2];
  std::optional<Value> lengths = lengthsArgument(call, dims[0], positions);
  if (!lengths)
    return Value::error();

  // The attention of the prompt, which checks the rest of the arguments.
  bool padded = call.has("lengths") && !positions.isConstant(0);
  Value shift;
  if (padded) {
    Type column = Type::tensor(ElementType::I64, {dims[0], 1, 1});
    Value rows = emit.reshape(emit.cast(*lengths, ElementType::I64, call.span()), column.dims(), call.span());
    shift = Math(call).sub(emit.constant(column, positions, call.span()), rows);
  }
  std::vector<Argument> arguments;
  for (auto [name, value] :
       {std::pair("q", &*q), std::pair("k", &*k), std::pair("v", &*v), std::pair("u", &*u)})
    arguments.push_back({name, padded ? roll(call, *value, shift, false).withSpan(value->span()) : *value,
                         call.spanOf(name), call.spanOf(name)});
  for (const char *name : {"topk", "window", "scale", "gate", "estimator"})
    if (call.has(name))
      arguments.push_back({name, call[name], call.spanOf(name), call.spanOf(name)});
  CallContext inner(call.name(), call.context.callee, call.span(), std::move(arguments),
                    call.context.diagnostics, emit, call.context.evaluator);
  Value out = lookupBuiltin("sparsek_attention")->evaluate(inner);
  if (out.isError())
    return out;
  if (padded) {
    Value rolled = roll(call, out, shift, true);
    llvm::ArrayRef<Dim> outDims = out.getType().dims();
    Type index = Type::tensor(ElementType::I64, outDims);
    Value first =
        emit.broadcastTo(emit.reshape(shift, {dims[0], 1, 1, 1}, call.span()), outDims, call.span());
    Value real = emit.compare(CompareKind::Ge, emit.iota(index, 2, call.span()), first, call.span());
    out = emit.select(real, rolled, emit.constant(rolled.getType(), Dim(0), call.span()), call.span());
  }

  std::optional<Dim> topk = count(call, "topk"), window = count(call, "window");
  std::optional<Dim> capacity = capacityArgument(call, *topk, *window, positions);
  std::optional<Options> chosen = options(call, dims[3]);
  if (!capacity || !chosen)
    return Value::error();
  Type cache = cacheType(call, k->getType().element(),
                         {dims[0], dims[1], dims[3], v->getType().dims()[3], *topk, *window, *capacity});
  llvm::SmallVector<mlir::Value> state;
  if (emit.isEmitting()) {
    std::vector<Type::Leaf> leaves = cache.leaves();
    llvm::SmallVector<mlir::Type> types;
    for (const Type::Leaf &leaf : llvm::ArrayRef(leaves).take_front(stateLeaves))
      types.push_back(emit.mlirType(leaf.type));
    auto op = sparsek::FillCacheOp::create(emit.getBuilder(), emit.location(call.span()), types,
                                           emit.leaf(*k), emit.leaf(*v), emit.leaf(*u), emit.leaf(*lengths),
                                           topk->value(), window->value(), capacity->value());
    state.append(op->result_begin(), op->result_end());
  }
  return Value::tuple({out, assemble(call, cache, state, *chosen)}, call.span());
}

static Value sparsekDecode(Call &call) {
  OpEmitter &emit = call.emit;
  std::optional<Tokens> t = tokensArgument(call, 3);
  if (!t)
    return Value::error();
  Dim batch = t->q.getType().dims()[0];
  Type numbers = Type::tensor(ElementType::I32, {batch});
  Value lengths = emit.constant(numbers, Dim(1), call.span());
  if (call.has("active")) {
    std::optional<Value> active = call.tensor("active");
    if (!active)
      return Value::error();
    if (active->getType() != numbers.withElement(ElementType::Bool)) {
      call.errorAt("active", "sparsek_decode needs bool[" + batch.str() + "] for 'active', not " +
                                 active->getType().str());
      return Value::error();
    }
    lengths = emit.cast(*active, ElementType::I32, call.span());
  }
  // One position.
  for (Value *x : {&t->q, &t->k, &t->v, &t->u}) {
    llvm::SmallVector<Dim> dims(x->getType().dims());
    dims.insert(dims.begin() + 2, Dim(1));
    *x = emit.reshape(*x, dims, call.span());
  }
  Value both = append(call, *t, lengths);
  const Value &out = both.elements()[0];
  llvm::SmallVector<Dim> dims(out.getType().dims());
  dims.erase(dims.begin() + 2);
  return Value::tuple({emit.reshape(out, dims, call.span()), both.elements()[1]}, call.span());
}

llvm::ArrayRef<Builtin> cacheBuiltins() {
  static const Builtin table[] = {
      {"sparsek_cache",
       "sparsek_cache(type, topk, window = 0, scale = 1/sqrt(E), gate = \"both\", estimator = \"soft\", "
       "capacity = "
       "max(4096, 8 * (topk + window)))",
       "An empty cache for keys and values of the type F[B, H, E, V].", sparsekCache},
      {"sparsek_prefill",
       "sparsek_prefill(q, k, v, u, topk?, window = 0, scale = 1/sqrt(E), gate = \"both\", estimator = "
       "\"soft\", "
       "capacity = max(4096, 8 * (topk + window), N), cache?, lengths = N)",
       "(o, cache): attention over a prompt and the cache that continues it; with a cache, over tokens that "
       "follow it.",
       sparsekPrefill},
      {"sparsek_decode", "sparsek_decode(q, k, v, u, cache, active = all)",
       "(o, cache): attention of one further token a row; rows that are not active stay as they are.",
       sparsekDecode},
  };
  return table;
}

} // namespace heddle::frontend
