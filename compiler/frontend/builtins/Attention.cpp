//===- Attention.cpp - SPARSEK and attention --------------------------------===//
#include "compiler/frontend/builtins/Attention.h"
#include "compiler/frontend/builtins/Math.h"
#include "compiler/frontend/builtins/Variant.h"
#include "dialects/sparsek/IR/SparseK.h"
#include <cmath>

namespace heddle::frontend {

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

namespace {
struct AttentionArguments {
  Value q, k, v;
  Dim batch, queryHeads, heads, positions, keys, width;
};
} // namespace

ElementType scoreElement(const Value &q) {
  return q.getType().element() == ElementType::F64 ? ElementType::F64 : ElementType::F32;
}

bool requireRank(Call &call, llvm::StringRef parameter, const Value &value, size_t rank, const char *shape) {
  if (value.getType().rank() == rank)
    return true;
  call.errorAt(parameter, call.name().str() + " needs '" + parameter.str() + "' of shape " + shape +
                              ", not " + value.getType().str());
  return false;
}

bool requireExtent(Call &call, llvm::StringRef parameter, const Value &value, size_t axis,
                   llvm::StringRef modelName, const Value &model, size_t modelAxis) {
  const Dim &extent = value.getType().dims()[axis], &wanted = model.getType().dims()[modelAxis];
  if (extent == wanted)
    return true;
  call.errorAt(parameter, call.name().str() + " needs axis " + std::to_string(axis) + " of '" +
                              parameter.str() + "' to be " + wanted.str() + " as in '" + modelName.str() +
                              "', but it is " + extent.str())
      .note(model.span(), "'" + modelName.str() + "' is " + model.getType().str())
      .note(value.span(), "'" + parameter.str() + "' is " + value.getType().str());
  return false;
}

bool requireGroups(Call &call, const Value &q, const Value &k) {
  const Dim &queryHeads = q.getType().dims()[1], &heads = k.getType().dims()[1];
  if (Dim::divide(queryHeads, heads))
    return true;
  call.errorAt("q", call.name().str() + " shares each key-value head among equally many query heads, but " +
                        heads.str() + " key-value heads do not divide " + queryHeads.str() + " query heads")
      .note(q.span(), "'q' is " + q.getType().str())
      .note(k.span(), "'k' is " + k.getType().str());
  return false;
}

static std::optional<AttentionArguments> attentionArguments(Call &call, bool sameLength) {
  std::optional<Value> q = call.floatTensor("q"), k = call.floatTensor("k"), v = call.floatTensor("v");
  if (!q || !k || !v)
    return std::nullopt;
  for (llvm::StringRef other : {"k", "v"})
    if (!call.tensorLike(other, *q))
      return std::nullopt;
  if (!requireRank(call, "q", *q, 4, "[B, Hq, N, E]") || !requireRank(call, "k", *k, 4, "[B, H, N, E]") ||
      !requireRank(call, "v", *v, 4, "[B, H, N, V]"))
    return std::nullopt;
  if (!requireExtent(call, "k", *k, 0, "q", *q, 0) || !requireExtent(call, "k", *k, 3, "q", *q, 3) ||
      !requireExtent(call, "v", *v, 0, "k", *k, 0) || !requireExtent(call, "v", *v, 1, "k", *k, 1) ||
      !requireExtent(call, "v", *v, 2, "k", *k, 2) ||
      (sameLength && !requireExtent(call, "k", *k, 2, "q", *q, 2)))
    return std::nullopt;
  llvm::ArrayRef<Dim> dims = q->getType().dims(), keyDims = k->getType().dims();
  if (!requireGroups(call, *q, *k))
    return std::nullopt;
  return AttentionArguments{*q, *k, *v, dims[0], dims[1], keyDims[1], dims[2], keyDims[2], dims[3]};
}

std::optional<Dim> count(Call &call, llvm::StringRef parameter) {
  if (!call.has(parameter))
    return Dim(0);
  std::optional<Dim> value = call.integer(parameter);
  if (value && value->compare(0) == -1) {
    call.errorAt(parameter, "'" + parameter.str() + "' must be at least 0, not " + value->str());
    return std::nullopt;
  }
  return value;
}

bool requireSome(Call &call, const Dim &topk, const Dim &window) {
  if (topk != Dim(0) || window != Dim(0))
    return true;
  call.errorAt("topk", call.name().str() + " attends to nothing: topk and window are both 0")
      .hint("topk = 0 with a window is sliding-window attention");
  return false;
}

/// The scale as an attribute; a computed one is multiplied into q.
static std::optional<double> scaleArgument(Call &call, AttentionArguments &args) {
  if (!call.has("scale"))
    return args.width.isConstant() && args.width.value() > 0 ? 1.0 / std::sqrt(double(args.width.value()))
                                                             : 1.0;
  if (call["scale"].getType().isLiteral())
    return call.number("scale", 1.0);
  std::optional<Value> scale = call.floatTensor("scale");
  if (!scale)
    return std::nullopt;
  if (!scale->getType().isScalar()) {
    call.errorAt("scale", "'scale' must be a scalar, not " + scale->getType().str());
    return std::nullopt;
  }
  args.q = Math(call).mul(args.q, call.emit.cast(*scale, args.q.getType().element(), call.span()));
  return 1.0;
}

std::optional<Value> scores(Call &call, const Value &k, const char *shape) {
  std::optional<Value> u = call.floatTensor("u");
  const size_t rank = k.getType().rank() - 1;
  if (!u || !requireRank(call, "u", *u, rank, shape))
    return std::nullopt;
  ElementType wanted = scoreElement(k);
  if (u->getType().element() != wanted) {
    call.errorAt("u", call.name().str() + " needs scores in " + spelling(wanted).str() + ", but 'u' is " +
                          u->getType().str())
        .hint("cast(u, " + spelling(wanted).str() + ") converts them");
    return std::nullopt;
  }
  for (size_t axis = 0; axis < rank; ++axis)
    if (!requireExtent(call, "u", *u, axis, "k", k, axis))
      return std::nullopt;
  return u;
}

/// Sets the bounds i32[2, N] of packed sequences, where any are given; false where they are given wrongly.
static bool boundsArgument(Call &call, const Dim &positions, std::optional<Value> &bounds) {
  if (!call.has("segments"))
    return true;
  std::optional<Value> offsets = call.tensor("segments");
  if (!offsets)
    return false;
  const Type &given = offsets->getType();
  if (given.element() != ElementType::I32 || given.rank() != 1 || given.dims()[0] == Dim(0)) {
    Diagnostic &error = call.errorAt(
        "segments", call.name().str() +
                        " needs 'segments' of type i32[S + 1], the offsets of S sequences, but it is " +
                        given.str());
    if (given.element() == ElementType::I64)
      error.hint("cast(x, i32) converts them");
    return false;
  }
  Type type = Type::tensor(ElementType::I32, {Dim(2), positions});
  bounds = call.emit.make(type, call.spanOf("segments"),
                          [&](mlir::OpBuilder &builder, mlir::Location location) -> mlir::Value {
                            return sparsek::SegmentsOp::create(builder, location, call.emit.mlirType(type),
                                                               call.emit.leaf(*offsets), positions.value());
                          });
  return true;
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

namespace {
struct Thresholds {
  Value hi, lo, count, end;
};
} // namespace

/// The operand of an operation for bounds that may not be there. In emit mode only.
static mlir::Value boundsOperand(Call &call, const std::optional<Value> &bounds) {
  return bounds ? call.emit.leaf(*bounds) : mlir::Value();
}

static Thresholds threshold(Call &call, const Value &u, const std::optional<Value> &bounds, const Dim &topk,
                            const Dim &window) {
  OpEmitter &emit = call.emit;
  Type counts = u.getType().withElement(ElementType::I32);
  const Type types[] = {u.getType(), u.getType(), counts, counts};
  Value results[4];
  mlir::Operation *op = nullptr;
  if (emit.isEmitting()) {
    llvm::SmallVector<mlir::Type> mlirTypes;
    for (const Type &type : types)
      mlirTypes.push_back(emit.mlirType(type));
    op = sparsek::ThresholdOp::create(emit.getBuilder(), emit.location(call.span()), mlirTypes, emit.leaf(u),
                                      boundsOperand(call, bounds), topk.value(), window.value());
  }
  for (size_t i = 0; i < 4; ++i)
    results[i] = emit.make(types[i], call.span(), [&](mlir::OpBuilder &, mlir::Location) -> mlir::Value {
      return op->getResult(unsigned(i));
    });
  return {results[0], results[1], results[2], results[3]};
}

/// The output, or (output, lse) where `withLse`.
static Value attend(Call &call, const AttentionArguments &args, const Value &u, const Thresholds &thresholds,
                    const std::optional<Value> &bounds, const Dim &topk, const Dim &window, double scale,
                    int gate, int estimator, bool withLse) {
  OpEmitter &emit = call.emit;
  llvm::SmallVector<Dim> dims(args.q.getType().dims());
  dims.back() = args.v.getType().dims().back();
  Type type = args.q.getType().withDims(dims);
  Type lseType = Type::tensor(scoreElement(args.q), llvm::ArrayRef<Dim>(dims).drop_back());
  sparsek::AttentionOp op;
  if (emit.isEmitting()) {
    mlir::Type types[] = {emit.mlirType(type), emit.mlirType(lseType)};
    op = sparsek::AttentionOp::create(
        emit.getBuilder(), emit.location(call.span()), types, emit.leaf(args.q), emit.leaf(args.k),
        emit.leaf(args.v), emit.leaf(u), emit.leaf(thresholds.hi), emit.leaf(thresholds.lo),
        emit.leaf(thresholds.end), boundsOperand(call, bounds), topk.value(), window.value(),
        llvm::APFloat(scale), sparsek::Gate(gate), sparsek::Estimator(estimator));
  }
  Value o = emit.make(type, call.span(),
                      [&](mlir::OpBuilder &, mlir::Location) -> mlir::Value { return op.getO(); });
  if (!withLse)
    return o;
  Value lse = emit.make(lseType, call.span(),
                        [&](mlir::OpBuilder &, mlir::Location) -> mlir::Value { return op.getLse(); });
  return Value::tuple({o, lse}, call.span());
}

/// Operands in the place of scores and thresholds where there is no selection.
static std::pair<Value, Thresholds> noSelection(Call &call, const AttentionArguments &args) {
  Type type = Type::tensor(scoreElement(args.q), {args.batch, args.heads, args.positions});
  Value zero = call.emit.constant(type, Dim(0), call.span());
  Value none = call.emit.constant(type.withElement(ElementType::I32), Dim(0), call.span());
  return {zero, {zero, zero, none, none}};
}

//===----------------------------------------------------------------------===//
// Builtins
//===----------------------------------------------------------------------===//

static Value sparsekProject(Call &call) {
  std::optional<Value> z = call.floatTensor("z");
  if (!z)
    return Value::error();
  if (z->getType().isScalar()) {
    call.errorAt("z", "sparsek works along the last axis, but 'z' is a scalar " + z->getType().str());
    return Value::error();
  }
  const Value &given = call["k"];
  double known = given.number()                             ? *given.number()
                 : given.dim() && given.dim()->isConstant() ? double(given.dim()->value())
                                                            : 1;
  if (!(known > 0)) {
    call.errorAt("k",
                 "sparsek needs k above 0, not " + (given.dim() ? given.dim()->str() : numberText(known)));
    return Value::error();
  }
  // Literals and dimensions count; anything else is an f32 scalar.
  Type scalar = Type::tensor(ElementType::F32);
  Value k =
      given.dim() ? call.emit.constant(scalar, *given.dim(), call.span()) : withDefaultType(call.emit, given);
  if (!k.getType().isScalar(ElementType::F32) && !k.getType().isScalar(ElementType::F64)) {
    call.errorAt("k", "sparsek needs a number or an f32 scalar for 'k', not " + k.getType().str());
    return Value::error();
  }
  return call.emit.make(
      z->getType(), call.span(), [&](mlir::OpBuilder &builder, mlir::Location location) -> mlir::Value {
        return sparsek::ProjectOp::create(builder, location, call.emit.mlirType(z->getType()),
                                          call.emit.leaf(*z), call.emit.leaf(k));
      });
}

static Value sparsekThreshold(Call &call) {
  std::optional<Value> u = call.floatTensor("u");
  std::optional<Dim> topk = count(call, "topk"), window = count(call, "window");
  if (!u || !topk || !window || !requireRank(call, "u", *u, 3, "[B, H, N]"))
    return Value::error();
  if (accumulatorOf(u->getType().element()) != u->getType().element()) {
    call.errorAt("u", "sparsek_threshold needs scores in f32 or f64, but 'u' is " + u->getType().str())
        .hint("cast(u, f32) converts them");
    return Value::error();
  }
  if (*topk == Dim(0)) {
    call.errorAt("topk", "sparsek_threshold needs topk above 0");
    return Value::error();
  }
  std::optional<Value> bounds;
  if (!boundsArgument(call, u->getType().dims()[2], bounds))
    return Value::error();
  Thresholds found = threshold(call, *u, bounds, *topk, *window);
  return Value::tuple({Math(call).add(found.hi, found.lo), found.count, found.end}, call.span());
}

static Value sparsekAttention(Call &call) {
  std::optional<AttentionArguments> args = attentionArguments(call, true);
  std::optional<Value> u = args ? scores(call, args->k, "[B, H, N]") : std::nullopt;
  if (!u)
    return Value::error();
  std::optional<Dim> topk = count(call, "topk"), window = count(call, "window");
  std::optional<std::string> gate = call.choice("gate", {"both", "value", "none"});
  std::optional<std::string> estimator = call.choice("estimator", {"soft", "straight_through"});
  std::optional<bool> lse = call.flag("lse", false);
  if (!topk || !window || !gate || !estimator || !lse || !requireSome(call, *topk, *window))
    return Value::error();
  std::optional<double> scale = scaleArgument(call, *args);
  std::optional<Value> bounds;
  if (!scale || !boundsArgument(call, args->positions, bounds))
    return Value::error();
  int gateNumber = *gate == "both" ? 0 : *gate == "value" ? 1 : 2;
  Thresholds thresholds =
      *topk == Dim(0) ? noSelection(call, *args).second : threshold(call, *u, bounds, *topk, *window);
  return attend(call, *args, *u, thresholds, bounds, *topk, *window, *scale, gateNumber,
                *estimator == "soft" ? 0 : 1, *lse);
}

static Value attention(Call &call) {
  std::optional<bool> causal = call.flag("causal", false), lse = call.flag("lse", false);
  if (!causal || !lse)
    return Value::error();
  // Packed sequences are those of queries and keys alike.
  std::optional<AttentionArguments> args = attentionArguments(call, *causal || call.has("segments"));
  std::optional<Dim> window = count(call, "window");
  if (!args || !window)
    return Value::error();
  if (call.has("window") && (!*causal || *window == Dim(0))) {
    call.errorAt("window", *causal ? "attention with window = 0 attends to nothing"
                                   : "attention with a window must be causal")
        .hint(*causal ? "leave the window out for all earlier positions" : "add causal = true");
    return Value::error();
  }
  std::optional<double> scale = scaleArgument(call, *args);
  std::optional<Value> bounds;
  if (!scale || !boundsArgument(call, args->positions, bounds))
    return Value::error();
  if (call.context.with || !*causal)
    return variantAttention(call, args->q, args->k, args->v, *causal,
                            call.has("window") ? std::optional(*window) : std::nullopt, bounds, *scale, *lse);
  auto [u, thresholds] = noSelection(call, *args);
  Dim reach = call.has("window") ? *window : args->positions;
  return attend(call, *args, u, thresholds, bounds, 0, reach, *scale, 2, 0, *lse);
}

llvm::ArrayRef<Builtin> attentionBuiltins() {
  static const Builtin table[] = {
      {"sparsek", "sparsek(z, k)", "The projection of z onto the vectors between 0 and 1 that sum to k.",
       sparsekProject},
      {"sparsek_attention",
       "sparsek_attention(q, k, v, u, topk, window = 0, scale = 1/sqrt(E), gate = \"both\", estimator = "
       "\"soft\", segments?, lse = false)",
       "Causal attention over the topk keys of largest score and a window of recent ones. lse = true: (o, "
       "log of each query's sum of exponentials).",
       sparsekAttention},
      {"sparsek_threshold", "sparsek_threshold(u, topk, window = 0, segments?)",
       "(tau, count, end): thresholds, support sizes and the ends of the intervals in which keys are "
       "attended.",
       sparsekThreshold},
      {"attention",
       "attention(q, k, v, causal = false, window = all, scale = 1/sqrt(E), segments?, lse = false)",
       "Dense softmax attention. 'with (s, b, h, i, j) { (score, gate, visible) }' after it writes what each "
       "pair gets. lse = true: (o, log of each query's sum of exponentials).",
       attention, true},
  };
  return table;
}

} // namespace heddle::frontend
