//===- Decompose.cpp - Dense forms of sparsek operations ------------------===//
//
// Axes: b batch, h key-value head, g query head of the group, i query, j key, e width of q and k, f width of
// v. Values per pair are [b, h, i, j], or [b, h, g, i, j] where they depend on the query head.
//
//===----------------------------------------------------------------------===//

#include "dialects/sparsek/Transforms/Decompose.h"
#include "dialects/sparsek/Transforms/DenseBuilder.h"
#include "dialects/sparsek/Transforms/Passes.h"

#include "llvm/ADT/TypeSwitch.h"

#include <limits>

using namespace mlir;
using namespace heddle;
using namespace heddle::sparsek;
using ir::ComparePredicate;
using ir::ReductionKind;

namespace heddle::sparsek {
#define GEN_PASS_DEF_SPARSEKDECOMPOSE
#include "dialects/sparsek/Transforms/Passes.h.inc"
} // namespace heddle::sparsek

namespace {

/// What infinite scores act as.
constexpr double largestScore = std::numeric_limits<float>::max();

/// Which pairs are what, and the soft gate of each, from scores and thresholds.
class Pairs : public DenseBuilder {
public:
  /// `bounds` of packed sequences, or null.
  Pairs(Operation *op, Value scores, int64_t window, Value bounds) : DenseBuilder(op), window(window) {
    auto type = scores.getType();
    u = ir::MaxOp::create(b, ir::MinOp::create(b, scores, constant(type, largestScore)),
                          constant(type, -largestScore));
    for (int64_t extent : typeOf(u).getShape())
      pairShape.push_back(extent);
    pairShape.push_back(pairShape.back());
    auto index = RankedTensorType::get(pairShape, b.getI32Type());
    query = ir::IotaOp::create(b, index, 2);
    key = ir::IotaOp::create(b, index, 3);
    // The first key of the window.
    int64_t clipped = std::min<int64_t>(window, pairShape.back());
    first = sub(query, constant(index, clipped - 1));
    if (!bounds)
      return;
    int64_t n = pairShape.back();
    Value starts =
        ir::SliceOp::create(b, RankedTensorType::get({1, n}, b.getI32Type()), bounds, ArrayRef<int64_t>{0, 0},
                            ArrayRef<int64_t>{1, n}, ArrayRef<int64_t>{1, 1});
    together = compare(ComparePredicate::ge, key, broadcast(reshape(starts, {n}), pairShape, {2}));
  }

  Value perQuery(Value x) { return broadcast(x, pairShape, {0, 1, 2}); }
  Value perKey(Value x) { return broadcast(x, pairShape, {0, 1, 3}); }
  Value candidates() { return ofSequence(compare(ComparePredicate::lt, key, first)); }
  Value inWindow() {
    return ofSequence(
        both(compare(ComparePredicate::le, key, query), compare(ComparePredicate::ge, key, first)));
  }
  Value selected(Value end) { return both(candidates(), compare(ComparePredicate::lt, query, perKey(end))); }

  /// (u_j - hi_i) - lo_i, in these two steps.
  Value distance(Value hi, Value lo) { return sub(sub(perKey(u), perQuery(hi)), perQuery(lo)); }
  Value strictlyInside(Value distance) {
    return both(compare(ComparePredicate::gt, distance, 0.0), compare(ComparePredicate::lt, distance, 1.0));
  }
  /// S: candidates with 0 < u - tau < 1.
  Value support(Value hi, Value lo) { return both(candidates(), strictlyInside(distance(hi, lo))); }

protected:
  Value ofSequence(Value pairs) { return together ? both(pairs, together) : pairs; }

  Value u;
  int64_t window;
  SmallVector<int64_t> pairShape;
  Value query, key, first;
  Value together; ///< keys at or after the start of the query's sequence; null where there is one sequence
};

/// What attention and its backward pass share.
template <typename Op>
class Attention : public Pairs {
public:
  explicit Attention(Op op) : Pairs(op, op.getU(), op.getWindow(), op.getBounds()), op(op) {
    auto q = typeOf(op.getQ()), k = typeOf(op.getK()), v = typeOf(op.getV());
    batches = q.getDimSize(0), heads = k.getDimSize(1), group = heads ? q.getDimSize(1) / heads : 1;
    length = q.getDimSize(2), width = q.getDimSize(3), valueWidth = v.getDimSize(3);
    score = typeOf(op.getU()).getElementType();
    scale = op.getScale().convertToDouble();
    attended = inWindow();
    if (op.getTopk() > 0) {
      chosen = selected(op.getEnd());
      attended = either(attended, chosen);
    }
    gated = op.getTopk() > 0 && op.getGate() != Gate::none;
    if (gated)
      buildGate();
    queries = grouped(op.getQ(), width);
    keys = cast(op.getK(), score);
    values = cast(op.getV(), score);
    products = einsum("bhgie,bhje->bhgij", queries, keys);
    attendedAll = perGroup(attended);
    Value logits = keyGate ? mul(products, perGroup(keyGate)) : products;
    logits = select(attendedAll, mul(logits, scale), -infinity);
    this->logits = logits;
  }

protected:
  Value grouped(Value x, int64_t last) {
    return reshape(cast(x, score), {batches, heads, group, length, last});
  }
  Value grouped(Value x) { return reshape(cast(x, score), {batches, heads, group, length}); }
  Value perGroup(Value pairs) {
    return broadcast(pairs, {batches, heads, group, length, length}, {0, 1, 3, 4});
  }
  Value perGroupQuery(Value x) { return broadcast(x, {batches, heads, group, length, length}, {0, 1, 2, 3}); }
  /// Of [b, h, i] for all query heads.
  Value perQueryHead(Value x) { return broadcast(x, {batches, heads, group, length}, {0, 1, 3}); }
  Value gateValues(Value weights) { return valueGate ? mul(weights, perGroup(valueGate)) : weights; }
  /// A result in the type and shape of the operation's own.
  Value as(Value x, Value like) {
    return cast(reshape(x, typeOf(like).getShape()), typeOf(like).getElementType());
  }

  void buildGate() {
    Value raw = distance(op.getHi(), op.getLo());
    inside = strictlyInside(raw);
    auto type = raw.getType();
    Value clipped =
        ir::MinOp::create(b, ir::MaxOp::create(b, stop(raw), constant(type, 0)), constant(type, 1));
    // tau = -inf: at most topk candidates, all of them whole. NaN stays, to reach the result.
    Value open = perQuery(compare(ComparePredicate::eq, op.getHi(), -infinity));
    Value soft = either(open, ir::NotOp::create(b, chosen));
    inside = both(inside, ir::NotOp::create(b, soft));
    Value gate = select(soft, 1, select(inside, raw, clipped));
    if (op.getEstimator() == Estimator::straight_through)
      gate = select(inside, add(constant(type, 1), sub(raw, stop(raw))), 1);
    keyGate = op.getGate() == Gate::both ? gate : Value();
    valueGate = gate;
  }

  Op op;
  int64_t batches, heads, group, length, width, valueWidth;
  Type score;
  double scale;
  bool gated;
  /// [b, h, i, j]: truth values; gates, null for 1.
  Value attended, chosen, inside, keyGate, valueGate;
  /// [b, h, g, i, j], logits -inf where not attended.
  Value attendedAll, products, logits;
  Value queries, keys, values;
};

class DenseAttention : public Attention<AttentionOp> {
public:
  using Attention::Attention;

  void replace() {
    Value top = stop(reduce(ReductionKind::max, logits, {4}));
    Value finite = compare(ComparePredicate::lt, ir::AbsOp::create(b, top), infinity);
    top = select(finite, top, 0);
    Value weights = exp(sub(logits, perGroupQuery(top)));
    Value total = sum(weights, {4});
    Value empty = compare(ComparePredicate::eq, total, 0);
    Value divisor = select(empty, 1, total);
    Value p = div(weights, perGroupQuery(divisor));
    Value o = einsum("bhgij,bhjf->bhgif", gateValues(p), values);
    Value lse = select(empty, -infinity, add(top, ir::LogOp::create(b, divisor)));
    if (op.getTopk() > 0) { // A NaN among the candidates makes the whole row NaN.
      Value poisoned = perQueryHead(compare(ComparePredicate::ne, op.getHi(), op.getHi()));
      double nan = std::numeric_limits<double>::quiet_NaN();
      lse = select(poisoned, nan, lse);
      o = select(broadcast(poisoned, typeOf(o).getShape(), {0, 1, 2, 3}), nan, o);
    }
    op.getO().replaceAllUsesWith(as(o, op.getO()));
    op.getLse().replaceAllUsesWith(as(lse, op.getLse()));
    op.erase();
  }
};

class DenseBackward : public Attention<AttentionBackwardOp> {
public:
  using Attention::Attention;

  void replace() {
    Value o = grouped(op.getO(), valueWidth), cotangent = grouped(op.getDout(), valueWidth),
          lse = grouped(op.getLse());
    lse = select(compare(ComparePredicate::eq, lse, -infinity), 0, lse);
    // Masked once more: a NaN of one query must not reach keys that it does not attend to.
    Value p = select(attendedAll, exp(sub(logits, perGroupQuery(lse))), 0);
    Value e = einsum("bhgif,bhjf->bhgij", cotangent, values);
    Value shared = sum(mul(cotangent, o), {4});
    if (op.getDlse())
      shared = sub(shared, grouped(op.getDlse()));
    Value d = perGroupQuery(shared);
    Value ds = select(attendedAll, mul(p, sub(gateValues(e), d)), 0);
    Value gatedDs = keyGate ? mul(ds, perGroup(keyGate)) : ds;
    Value dq = mul(einsum("bhgij,bhje->bhgie", gatedDs, keys), scale);
    Value dk = mul(einsum("bhgij,bhgie->bhje", gatedDs, queries), scale);
    Value dv = einsum("bhgij,bhgif->bhjf", gateValues(p), cotangent);
    Value du, dtau;
    if (gated) {
      Value dg = mul(p, e);
      if (op.getGate() == Gate::both)
        dg = add(dg, mul(mul(ds, products), scale));
      dg = select(inside, sum(dg, {2}), 0);
      du = sum(dg, {2});
      dtau = neg(sum(dg, {3}));
    } else {
      du = dtau = constant(op.getDu().getType(), 0);
    }
    SmallVector<Value> results = {dq, dk, dv, du, dtau};
    for (auto [result, value] : llvm::zip(op->getResults(), results))
      result.replaceAllUsesWith(as(value, result));
    op.erase();
  }
};

class DenseTangent : public Attention<AttentionTangentOp> {
public:
  using Attention::Attention;

  void replace() {
    Value lse = grouped(op.getLse());
    Value shift = select(compare(ComparePredicate::eq, lse, -infinity), 0, lse);
    Value p = select(attendedAll, exp(sub(logits, perGroupQuery(shift))), 0);
    Value gateTangent = gated ? movedGate() : Value();
    Value moved;
    if (op.getDq())
      moved = einsum("bhgie,bhje->bhgij", grouped(op.getDq(), width), keys);
    if (op.getDk()) {
      Value keysMoved = einsum("bhgie,bhje->bhgij", queries, cast(op.getDk(), score));
      moved = moved ? add(moved, keysMoved) : keysMoved;
    }
    if (moved && keyGate)
      moved = mul(moved, perGroup(keyGate));
    if (gateTangent && op.getGate() == Gate::both) {
      Value through = mul(products, perGroup(gateTangent));
      moved = moved ? add(moved, through) : through;
    }
    Value ds = moved ? mul(moved, scale) : constant(products.getType(), 0);
    Value weighted = mul(p, ds);
    Value dlse = sum(select(attendedAll, weighted, 0), {4});
    Value weights = gateValues(weighted);
    if (gateTangent)
      weights = add(weights, mul(p, perGroup(gateTangent)));
    weights = select(attendedAll, weights, 0);
    Value dout = einsum("bhgij,bhjf->bhgif", weights, values);
    if (op.getDv())
      dout = add(dout, einsum("bhgij,bhjf->bhgif", gateValues(p), cast(op.getDv(), score)));
    Value o = grouped(op.getO(), valueWidth);
    dout = sub(dout, mul(broadcast(dlse, typeOf(o).getShape(), {0, 1, 2, 3}), o));
    Value poisoned = compare(ComparePredicate::ne, lse, lse);
    double nan = std::numeric_limits<double>::quiet_NaN();
    dlse = select(poisoned, nan, dlse);
    dout = select(broadcast(poisoned, typeOf(o).getShape(), {0, 1, 2, 3}), nan, dout);
    op.getDout().replaceAllUsesWith(as(dout, op.getDout()));
    op.getDlse().replaceAllUsesWith(as(dlse, op.getDlse()));
    op.erase();
  }

private:
  /// The tangent of the gate of each selected pair, null where it is zero.
  Value movedGate() {
    Value change;
    if (op.getDu())
      change = perKey(op.getDu());
    if (op.getDtau()) {
      Value dtau = perQuery(op.getDtau());
      change = change ? sub(change, dtau) : neg(dtau);
    }
    return change ? select(inside, change, 0) : change;
  }
};

/// Thresholds that keep their bits and get the derivative 1 / |S| for the scores in S.
class DenseThreshold : public Pairs {
public:
  explicit DenseThreshold(ThresholdOp op) : Pairs(op, op.getU(), op.getWindow(), op.getBounds()), op(op) {}

  void replace() {
    auto made = ThresholdOp::create(b, stop(op.getU()), op.getBounds(), op.getTopk(), op.getWindow());
    Value change = sub(u, stop(u));
    Value moved = sum(select(support(made.getHi(), made.getLo()), perKey(change), 0), {3});
    auto type = typeOf(moved);
    Value count = cast(made.getCount(), type.getElementType());
    count = ir::MaxOp::create(b, count, constant(type, 1));
    Value hi = add(made.getHi(), div(moved, count));
    SmallVector<Value> results = {hi, made.getLo(), made.getCount(), made.getEnd()};
    for (auto [result, value] : llvm::zip(op->getResults(), results))
      result.replaceAllUsesWith(value);
    op.erase();
  }

private:
  ThresholdOp op;
};

class DenseThresholdBackward : public Pairs {
public:
  explicit DenseThresholdBackward(ThresholdBackwardOp op)
      : Pairs(op, op.getU(), op.getWindow(), op.getBounds()), op(op) {}

  void replace() {
    auto type = typeOf(op.getDtau());
    Value count = ir::MaxOp::create(b, cast(op.getCount(), type.getElementType()), constant(type, 1));
    Value share = perQuery(div(op.getDtau(), count));
    Value du = sum(select(support(op.getHi(), op.getLo()), share, 0), {2});
    op.getDu().replaceAllUsesWith(du);
    op.erase();
  }

private:
  ThresholdBackwardOp op;
};

class DenseThresholdTangent : public Pairs {
public:
  explicit DenseThresholdTangent(ThresholdTangentOp op)
      : Pairs(op, op.getU(), op.getWindow(), op.getBounds()), op(op) {}

  void replace() {
    auto type = typeOf(op.getDu());
    Value count = ir::MaxOp::create(b, cast(op.getCount(), type.getElementType()), constant(type, 1));
    Value total = sum(select(support(op.getHi(), op.getLo()), perKey(op.getDu()), 0), {3});
    op.getDtau().replaceAllUsesWith(div(total, count));
    op.erase();
  }

private:
  ThresholdTangentOp op;
};

} // namespace

bool heddle::sparsek::decompose(Operation *op) {
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case([](AttentionOp op) { return DenseAttention(op).replace(), true; })
      .Case([](VariantAttentionOp op) { return decomposeVariant(op), true; })
      .Case([](VariantAttentionBackwardOp op) { return decomposeVariant(op), true; })
      .Case([](AttentionBackwardOp op) { return DenseBackward(op).replace(), true; })
      .Case([](AttentionTangentOp op) { return DenseTangent(op).replace(), true; })
      .Case([](ThresholdBackwardOp op) { return DenseThresholdBackward(op).replace(), true; })
      .Case([](ThresholdTangentOp op) { return DenseThresholdTangent(op).replace(), true; })
      .Case([](ThresholdOp op) {
        if (op.getU().getDefiningOp<ir::StopGradientOp>())
          return false;
        return DenseThreshold(op).replace(), true;
      })
      .Default([](Operation *) { return false; });
}

namespace {
struct Decompose : heddle::sparsek::impl::SparseKDecomposeBase<Decompose> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation()->walk([&](Operation *op) {
      if (isa<SparseKDialect>(op->getDialect()))
        ops.push_back(op);
    });
    for (Operation *op : ops)
      decompose(op);
  }
};
} // namespace
