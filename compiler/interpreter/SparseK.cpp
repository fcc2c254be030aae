//===- SparseK.cpp - Learned selection and sparse attention ---------------===//
//
// The definitions, row by row, in O(N^2): no tiles, no intervals beyond what the operations are given.

#include "compiler/interpreter/Attended.h"
#include "compiler/interpreter/Evaluate.h"
#include "compiler/interpreter/SparseKMath.h"

#include "dialects/sparsek/IR/SparseK.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace heddle::interp;
namespace sk = heddle::sparsek;

static constexpr double infinity = std::numeric_limits<double>::infinity();
static constexpr double notANumber = std::numeric_limits<double>::quiet_NaN();

/// Stores sums that were taken in double.
static void assign(Array &array, ArrayRef<double> values) {
  for (auto [cell, value] : llvm::zip_equal(array.edit(), values))
    cell.real = roundTo(array.element(), value);
}

/// The array of an operand that may be left out, null where it is.
static const Array *optionalInput(Operation *op, Inputs inputs, Value operand) {
  for (auto [value, array] : llvm::zip_equal(op->getOperands(), inputs))
    if (operand && value == operand)
      return &array;
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Projection and thresholds
//===----------------------------------------------------------------------===//

static void projectRow(ArrayRef<Cell> z, double k, MutableArrayRef<Cell> p, Element element) {
  std::vector<double> scores;
  for (Cell cell : z)
    scores.push_back(boundedScore(cell.real));
  if (llvm::any_of(scores, [](double score) { return std::isnan(score); })) {
    for (Cell &cell : p)
      cell.real = notANumber;
    return;
  }
  Threshold threshold = {-infinity, 0};
  if (k < static_cast<double>(scores.size())) {
    std::vector<double> descending = scores;
    llvm::sort(descending, std::greater<>());
    threshold = solveThreshold(descending, k);
  }
  for (auto [cell, score] : llvm::zip_equal(p, scores))
    cell.real = roundTo(element, gate(Element::f64, score, threshold));
}

static Array evaluateProject(const Context &context, sk::ProjectOp op, const Array &z, double k) {
  if (!(k > 0))
    fail(op, "sparsek needs k > 0, but k is " + Array::scalar(Element::f64, k).str());
  Array result = context.make(op, z.shape());
  auto out = result.edit();
  int64_t m = z.extent(z.rank() - 1);
  for (int64_t row = 0; m > 0 && row < z.count() / m; ++row)
    projectRow(z.cells().slice(row * m, m), k, out.slice(row * m, m), result.element());
  return result;
}

static Array evaluateSegments(const Context &context, sk::SegmentsOp op, const Array &offsets) {
  int64_t n = op.getLength(), last = offsets.count() - 1;
  auto wrong = [&](int64_t s, const Twine &rest) {
    fail(op, "segments[" + Twine(s) + "] is " + Twine(offsets.integer(s)) + rest);
  };
  if (offsets.integer(0) != 0)
    wrong(0, ", not 0");
  for (int64_t s = 1; s <= last; ++s)
    if (offsets.integer(s) < offsets.integer(s - 1))
      wrong(s, ", below segments[" + Twine(s - 1) + "], which is " + Twine(offsets.integer(s - 1)));
  if (offsets.integer(last) != n)
    wrong(last, ", not " + Twine(n) + ", the number of positions");
  Array result = context.make(op, {2, n});
  auto bounds = result.edit();
  for (int64_t s = 0; s < last; ++s)
    for (int64_t i = offsets.integer(s); i < offsets.integer(s + 1); ++i) {
      bounds[i].integer = offsets.integer(s);
      bounds[n + i].integer = offsets.integer(s + 1);
    }
  return result;
}

namespace {

/// The sequence of a position. Bounds are the last operand where there are any; without, there is one
/// sequence.
struct Sequences {
  const Array *bounds;
  int64_t length;

  template <typename Op>
  Sequences(Op op, Inputs inputs, int64_t length)
      : bounds(op.getBounds() ? &inputs.back() : nullptr), length(length) {
    if (bounds && bounds->shape() != ArrayRef<int64_t>{2, length})
      fail(op, "bounds are " + bounds->typeString() + " for " + Twine(length) + " positions");
    for (int64_t i = 0; bounds && i < length; ++i)
      if (start(i) < 0 || start(i) > i || stop(i) <= i || stop(i) > length)
        fail(op, "bounds of position " + Twine(i) + " are " + Twine(start(i)) + " and " + Twine(stop(i)));
  }
  int64_t start(int64_t i) const { return bounds ? bounds->integer(i) : 0; }
  int64_t stop(int64_t i) const { return bounds ? bounds->integer(length + i) : length; }
};

} // namespace

static void evaluateThreshold(const Context &context, sk::ThresholdOp op, Inputs inputs, Results &results) {
  const Array &u = inputs[0];
  int64_t n = u.extent(2), topk = op.getTopk(), window = op.getWindow();
  Sequences sequences(op, inputs, n);
  for (unsigned i = 0; i < 4; ++i)
    results.push_back(context.make(op, u.shape(), i));
  auto hi = results[0].edit(), lo = results[1].edit(), count = results[2].edit(), end = results[3].edit();
  Element element = u.element();
  std::vector<double> scores;
  for (Cell cell : u.cells())
    scores.push_back(boundedScore(cell.real));

  for (int64_t row = 0; n > 0 && row < u.count() / n; ++row) {
    int64_t base = row * n;
    for (int64_t j = 0; j < n; ++j)
      end[base + j].integer = window < sequences.stop(j) - j ? j + window : sequences.stop(j);
    for (int64_t i = 0; i < n; ++i) {
      hi[base + i].real = -infinity;
      int64_t start = sequences.start(i);
      int64_t candidates = topk > 0 ? std::max<int64_t>(i - window + 1 - start, 0) : 0;
      ArrayRef<double> seen = ArrayRef(scores).slice(base + start, candidates);
      std::vector<int64_t> order = descendingOrder(seen);
      for (int64_t j : ArrayRef(order).take_front(topk))
        end[base + start + j].integer = i + 1; // the attending queries are one run
      if (llvm::any_of(seen, [](double score) { return std::isnan(score); })) {
        hi[base + i].real = notANumber;
      } else if (candidates > topk) {
        std::vector<double> descending;
        for (int64_t j : order)
          descending.push_back(seen[j]);
        Threshold threshold = solveThreshold(descending, static_cast<double>(topk));
        threshold.lo = roundTo(element, threshold.lo);
        hi[base + i].real = threshold.hi;
        lo[base + i].real = threshold.lo;
        count[base + i].integer = llvm::count_if(
            seen, [&](double score) { return insideSupport(gate(element, score, threshold)); });
      }
    }
  }
}

static Array evaluateThresholdBackward(const Context &context, sk::ThresholdBackwardOp op, Inputs inputs) {
  const Array &u = inputs[0], &hi = inputs[1], &lo = inputs[2], &count = inputs[3], &dtau = inputs[4];
  int64_t n = u.extent(2);
  Sequences sequences(op, inputs, n);
  Array result = context.make(op, u.shape());
  std::vector<double> du(u.count(), 0);
  for (int64_t row = 0; n > 0 && row < u.count() / n; ++row)
    for (int64_t i = 0, query = row * n; i < n; ++i, ++query) {
      if (count.integer(query) <= 0)
        continue;
      for (int64_t j = sequences.start(i), key = row * n + j; j <= i - static_cast<int64_t>(op.getWindow());
           ++j, ++key)
        if (insideSupport(gate(u.element(), u.real(key), {hi.real(query), lo.real(query)})))
          du[key] += dtau.real(query) / static_cast<double>(count.integer(query));
    }
  assign(result, du);
  return result;
}

static Array evaluateThresholdTangent(const Context &context, sk::ThresholdTangentOp op, Inputs inputs) {
  const Array &u = inputs[0], &hi = inputs[1], &lo = inputs[2], &count = inputs[3], &du = inputs[4];
  int64_t n = u.extent(2);
  Sequences sequences(op, inputs, n);
  Array result = context.make(op, u.shape());
  std::vector<double> dtau(u.count(), 0);
  for (int64_t row = 0; n > 0 && row < u.count() / n; ++row)
    for (int64_t i = 0, query = row * n; i < n; ++i, ++query) {
      if (count.integer(query) <= 0)
        continue;
      for (int64_t j = sequences.start(i), key = row * n + j; j <= i - static_cast<int64_t>(op.getWindow());
           ++j, ++key)
        if (insideSupport(gate(u.element(), u.real(key), {hi.real(query), lo.real(query)})))
          dtau[query] += du.real(key);
      dtau[query] /= static_cast<double>(count.integer(query));
    }
  assign(result, dtau);
  return result;
}

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

namespace {

/// The operands and attributes that attention and its backward pass share.
struct Attention {
  const Array &q, &k, &v, &u, &hi, &lo, &end;
  int64_t topk, window;
  double scale;
  sk::Gate gateMode;
  bool straightThrough;
  int64_t batches, queryHeads, heads, length, width, valueWidth;
  Sequences sequences;

  template <typename Op>
  Attention(Op op, Inputs in)
      : q(in[0]), k(in[1]), v(in[2]), u(in[3]), hi(in[4]), lo(in[5]), end(in[6]), topk(op.getTopk()),
        window(op.getWindow()), scale(op.getScale().convertToDouble()), gateMode(op.getGate()),
        straightThrough(op.getEstimator() == sk::Estimator::straight_through), batches(q.extent(0)),
        queryHeads(q.extent(1)), heads(k.extent(1)), length(q.extent(2)), width(q.extent(3)),
        valueWidth(v.extent(3)), sequences(op, in, length) {
    int64_t b = batches, h = heads, n = length;
    if (h == 0 || queryHeads % h)
      fail(op, Twine(queryHeads) + " query heads are not a multiple of " + Twine(h) + " key-value heads");
    bool agree =
        ArrayRef<int64_t>{b, h, n, width} == k.shape() &&
        ArrayRef<int64_t>{b, h, n, valueWidth} == v.shape() &&
        llvm::all_of(in.slice(3, 4), [&](const Array &x) { return ArrayRef<int64_t>{b, h, n} == x.shape(); });
    if (!agree)
      fail(op, "operands disagree: q is " + q.typeString() + ", k " + k.typeString() + ", v " +
                   v.typeString() + ", u " + u.typeString());
  }

  /// Offset of row `i` of a key-value head in the arrays [B, H, N], and of a query head in [B, Hq, N].
  int64_t keyRow(int64_t b, int64_t head, int64_t i) const {
    return (b * heads + head / (queryHeads / heads)) * length + i;
  }
  int64_t queryRow(int64_t b, int64_t head, int64_t i) const { return (b * queryHeads + head) * length + i; }

  double dot(const Array &x, int64_t xRow, const Array &y, int64_t yRow, int64_t extent) const {
    double total = 0;
    for (int64_t e = 0; e < extent; ++e)
      total += x.real(xRow * extent + e) * y.real(yRow * extent + e);
    return total;
  }

  /// What query `i` of the head attends to; `first` is the head's keyRow of 0.
  SmallVector<Attended> attendedBy(int64_t first, int64_t i) const {
    SmallVector<Attended> keys;
    for (int64_t j = sequences.start(i); j <= i; ++j) {
      if (j > i - window) {
        keys.push_back({j, false, 1, 1, 1});
      } else if (topk > 0 && i < end.integer(first + j)) {
        double g = gate(u.element(), u.real(first + j), {hi.real(first + i), lo.real(first + i)});
        bool both = !straightThrough && gateMode == sk::Gate::both;
        bool value = !straightThrough && gateMode == sk::Gate::value;
        keys.push_back({j, true, g, both ? g : 1, both || value ? g : 1});
      }
    }
    return keys;
  }

  template <typename Visit>
  void forEachQuery(Visit visit) const {
    for (int64_t b = 0; b < batches; ++b)
      for (int64_t head = 0; head < queryHeads; ++head)
        for (int64_t i = 0; i < length; ++i)
          visit(queryRow(b, head, i), keyRow(b, head, 0), i);
  }
};

} // namespace

SmallVector<Attended> heddle::interp::attendedKeys(sk::AttentionOp op, ArrayRef<Array> operands,
                                                   int64_t batch, int64_t queryHead, int64_t query) {
  Attention a(op, operands);
  return a.attendedBy(a.keyRow(batch, queryHead, 0), query);
}

static void evaluateAttention(const Context &context, sk::AttentionOp op, Inputs inputs, Results &results) {
  Attention a(op, inputs);
  results.push_back(context.make(op, {a.batches, a.queryHeads, a.length, a.valueWidth}, 0));
  results.push_back(context.make(op, {a.batches, a.queryHeads, a.length}, 1));
  std::vector<double> o(results[0].count(), 0), lse(results[1].count(), -infinity);

  a.forEachQuery([&](int64_t query, int64_t first, int64_t i) {
    MutableArrayRef<double> out = MutableArrayRef(o).slice(query * a.valueWidth, a.valueWidth);
    if (a.topk > 0 && std::isnan(a.hi.real(first + i))) {
      llvm::fill(out, notANumber);
      lse[query] = notANumber;
      return;
    }
    SmallVector<Attended> keys = a.attendedBy(first, i);
    SmallVector<double> s;
    double top = -infinity, total = 0;
    for (const Attended &at : keys) {
      s.push_back(a.scale * at.keyGate * a.dot(a.q, query, a.k, first + at.key, a.width));
      top = std::max(top, s.back());
    }
    if (!std::isfinite(top))
      top = 0;
    for (double &x : s)
      total += x = std::exp(x - top);
    if (total == 0) // nothing attended, or all of it at -inf
      return;
    lse[query] = top + std::log(total);
    for (auto [at, weight] : llvm::zip_equal(keys, s))
      for (int64_t f = 0; f < a.valueWidth; ++f)
        out[f] += weight / total * at.valueGate * a.v.real((first + at.key) * a.valueWidth + f);
  });
  assign(results[0], o);
  assign(results[1], lse);
}

static void evaluateAttentionBackward(const Context &context, sk::AttentionBackwardOp op, Inputs inputs,
                                      Results &results) {
  Attention a(op, inputs);
  const Array &o = inputs[7], &lse = inputs[8], &dout = inputs[9];
  if (o.shape() != dout.shape() || lse.shape() != ArrayRef<int64_t>{a.batches, a.queryHeads, a.length} ||
      o.shape() != ArrayRef<int64_t>{a.batches, a.queryHeads, a.length, a.valueWidth})
    fail(op, "operands disagree: o is " + o.typeString() + ", lse " + lse.typeString() + ", dout " +
                 dout.typeString());
  const Array *dlse = optionalInput(op, inputs, op.getDlse());
  std::vector<double> dq(a.q.count(), 0), dk(a.k.count(), 0), dv(a.v.count(), 0), du(a.u.count(), 0),
      dtau(a.u.count(), 0);

  a.forEachQuery([&](int64_t query, int64_t first, int64_t i) {
    if (lse.real(query) == -infinity)
      return;
    double d = a.dot(dout, query, o, query, a.valueWidth) - (dlse ? dlse->real(query) : 0);
    for (const Attended &at : a.attendedBy(first, i)) {
      int64_t key = first + at.key;
      double product = a.dot(a.q, query, a.k, key, a.width), e = a.dot(dout, query, a.v, key, a.valueWidth);
      double p = std::exp(a.scale * at.keyGate * product - lse.real(query));
      double ds = p * (at.valueGate * e - d);
      for (int64_t w = 0; w < a.width; ++w) {
        dq[query * a.width + w] += a.scale * ds * at.keyGate * a.k.real(key * a.width + w);
        dk[key * a.width + w] += a.scale * ds * at.keyGate * a.q.real(query * a.width + w);
      }
      for (int64_t f = 0; f < a.valueWidth; ++f)
        dv[key * a.valueWidth + f] += p * at.valueGate * dout.real(query * a.valueWidth + f);
      if (!at.selected || !insideSupport(at.gate) || a.gateMode == sk::Gate::none)
        continue;
      double dg = p * e + (a.gateMode == sk::Gate::both ? a.scale * ds * product : 0);
      du[key] += dg;
      dtau[first + i] -= dg;
    }
  });
  const std::vector<double> *cotangents[] = {&dq, &dk, &dv, &du, &dtau};
  for (unsigned i = 0; i < 5; ++i) {
    results.push_back(context.make(op, (i < 3 ? inputs[i] : a.u).shape(), i));
    assign(results.back(), *cotangents[i]);
  }
}

static void evaluateAttentionTangent(const Context &context, sk::AttentionTangentOp op, Inputs inputs,
                                     Results &results) {
  Attention a(op, inputs);
  const Array &o = inputs[7], &lse = inputs[8];
  auto given = [&](Value operand) { return optionalInput(op, inputs, operand); };
  const Array *dq = given(op.getDq()), *dk = given(op.getDk()), *dv = given(op.getDv()),
              *du = given(op.getDu()), *dtau = given(op.getDtau());
  results.push_back(context.make(op, {a.batches, a.queryHeads, a.length, a.valueWidth}, 0));
  results.push_back(context.make(op, {a.batches, a.queryHeads, a.length}, 1));
  std::vector<double> dout(results[0].count(), 0), dlse(results[1].count(), 0);
  const bool keysGated = a.gateMode == sk::Gate::both, valuesGated = a.gateMode != sk::Gate::none;

  a.forEachQuery([&](int64_t query, int64_t first, int64_t i) {
    MutableArrayRef<double> out = MutableArrayRef(dout).slice(query * a.valueWidth, a.valueWidth);
    if (std::isnan(lse.real(query))) {
      llvm::fill(out, notANumber);
      dlse[query] = notANumber;
      return;
    }
    if (lse.real(query) == -infinity)
      return;
    for (const Attended &at : a.attendedBy(first, i)) {
      int64_t key = first + at.key;
      double product = a.dot(a.q, query, a.k, key, a.width), dg = 0, moved = 0;
      double p = std::exp(a.scale * at.keyGate * product - lse.real(query));
      if (at.selected && insideSupport(at.gate))
        dg = (du ? du->real(key) : 0) - (dtau ? dtau->real(first + i) : 0);
      if (dq)
        moved += a.dot(*dq, query, a.k, key, a.width);
      if (dk)
        moved += a.dot(a.q, query, *dk, key, a.width);
      double ds = a.scale * ((keysGated ? dg * product : 0) + at.keyGate * moved);
      dlse[query] += p * ds;
      for (int64_t f = 0; f < a.valueWidth; ++f) {
        double change = (ds * at.valueGate + (valuesGated ? dg : 0)) * a.v.real(key * a.valueWidth + f);
        if (dv)
          change += at.valueGate * dv->real(key * a.valueWidth + f);
        out[f] += p * change;
      }
    }
    for (int64_t f = 0; f < a.valueWidth; ++f)
      out[f] -= dlse[query] * o.real(query * a.valueWidth + f);
  });
  assign(results[0], dout);
  assign(results[1], dlse);
}

bool heddle::interp::evaluateSparseK(const Context &context, Operation *op, Inputs inputs, Results &results) {
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case([&](sk::ProjectOp o) {
        return results.push_back(evaluateProject(context, o, inputs[0], inputs[1].real(0))), true;
      })
      .Case(
          [&](sk::SegmentsOp o) { return results.push_back(evaluateSegments(context, o, inputs[0])), true; })
      .Case([&](sk::ThresholdOp o) { return evaluateThreshold(context, o, inputs, results), true; })
      .Case([&](sk::ThresholdBackwardOp o) {
        return results.push_back(evaluateThresholdBackward(context, o, inputs)), true;
      })
      .Case([&](sk::ThresholdTangentOp o) {
        return results.push_back(evaluateThresholdTangent(context, o, inputs)), true;
      })
      .Case([&](sk::AttentionOp o) { return evaluateAttention(context, o, inputs, results), true; })
      .Case([&](sk::AttentionBackwardOp o) {
        return evaluateAttentionBackward(context, o, inputs, results), true;
      })
      .Case([&](sk::AttentionTangentOp o) {
        return evaluateAttentionTangent(context, o, inputs, results), true;
      })
      .Default([](Operation *) { return false; });
}
