//===- Variant.cpp - Attention with a written score and mask --------------===//
//
// The definitions, pair by pair.

#include "compiler/interpreter/Evaluate.h"

#include "dialects/sparsek/IR/SparseK.h"

#include <cmath>
#include <limits>
#include <variant>

using namespace mlir;
using namespace heddle::interp;
namespace sk = heddle::sparsek;

static constexpr double infinity = std::numeric_limits<double>::infinity();

//===----------------------------------------------------------------------===//
// Elements of captures
//===----------------------------------------------------------------------===//

/// The offset of an element, or how the indices miss the array.
static std::variant<int64_t, std::string> offsetOf(const Array &array, Inputs indices) {
  int64_t offset = 0;
  for (auto [index, extent] : llvm::zip_equal(indices, array.shape())) {
    if (index.integer(0) < 0 || index.integer(0) >= extent)
      return ("index " + Twine(index.integer(0)) + " is outside a dimension of " + Twine(extent)).str();
    offset = offset * extent + index.integer(0);
  }
  return offset;
}

bool heddle::interp::evaluateAccess(const Context &context, Operation *op, Inputs inputs, Results &results,
                                    PairEffects &effects) {
  if (isa<sk::ReadOp>(op)) {
    results.push_back(context.make(op, {}));
    auto offset = offsetOf(inputs[0], inputs.drop_front());
    if (auto *at = std::get_if<int64_t>(&offset))
      results.back().edit()[0] = inputs[0].cells()[*at];
    else if (!effects.failure)
      effects.failure = Failure{op->getLoc(), std::get<std::string>(offset)};
    return true;
  }
  if (auto accumulate = dyn_cast<sk::AccumulateOp>(op)) {
    auto offset = offsetOf(inputs[1], inputs.drop_front(2));
    if (auto *at = std::get_if<int64_t>(&offset))
      effects.additions.push_back(
          {cast<BlockArgument>(accumulate.getCapture()).getArgNumber(), *at, inputs[0].real(0)});
    return true;
  }
  return false;
}

//===----------------------------------------------------------------------===//
// Pairs
//===----------------------------------------------------------------------===//

namespace {

/// A key that a query sees.
struct Visible {
  int64_t key; // row of k and v
  int64_t i, j;
  double product; // s, rounded to its type
  double score, gate;
};

/// The operands that the forward and the backward pass share.
class Variant {
public:
  const Array &q, &k, &v;
  int64_t batches, queryHeads, heads, queries, keys, width, valueWidth;
  double scale;

  template <typename Op>
  Variant(const Context &context, Op op, Inputs in, RunPair run)
      : q(in[0]), k(in[1]), v(in[2]), batches(q.extent(0)), queryHeads(q.extent(1)), heads(k.extent(1)),
        queries(q.extent(2)), keys(k.extent(2)), width(q.extent(3)), valueWidth(v.extent(3)),
        scale(op.getScale().convertToDouble()), run(run),
        score(context.elementOf(op.getBody().getArgument(0).getType())) {
    if (heads == 0 || queryHeads % heads)
      fail(op, Twine(queryHeads) + " query heads are not a multiple of " + Twine(heads) + " key-value heads");
    if (ArrayRef<int64_t>{batches, heads, keys, width} != k.shape() ||
        ArrayRef<int64_t>{batches, heads, keys, valueWidth} != v.shape())
      fail(op,
           "operands disagree: q is " + q.typeString() + ", k " + k.typeString() + ", v " + v.typeString());
    captures.append(in.begin() + 3, in.begin() + 3 + op.getCaptures().size());
  }

  static double dot(const Array &x, int64_t xRow, const Array &y, int64_t yRow, int64_t extent) {
    double total = 0;
    for (int64_t e = 0; e < extent; ++e)
      total += x.real(xRow * extent + e) * y.real(yRow * extent + e);
    return total;
  }

  /// Runs the block on a pair. Fails where a visible pair reads outside a capture.
  PairEffects pair(int64_t b, int64_t head, int64_t i, int64_t j, double product,
                   ArrayRef<double> cotangents = {}) const {
    SmallVector<Array> arguments = {Array::scalar(score, product)};
    for (int64_t position : {b, head, i, j})
      arguments.push_back(Array::scalar(Element::i32, static_cast<double>(position)));
    for (double cotangent : cotangents)
      arguments.push_back(Array::scalar(score, cotangent));
    llvm::append_range(arguments, captures);
    PairEffects effects = run(arguments);
    if (effects.failure && effects.yielded[2].integer(0))
      throw *effects.failure;
    return effects;
  }

  /// Calls `visit(b, head, row of q, what the query sees)` for each query.
  template <typename Visit>
  void forEachQuery(Visit visit, ArrayRef<double> cotangents = {}) const {
    for (int64_t b = 0; b < batches; ++b)
      for (int64_t head = 0; head < queryHeads; ++head)
        for (int64_t i = 0; i < queries; ++i) {
          int64_t row = (b * queryHeads + head) * queries + i;
          SmallVector<Visible> seen;
          for (int64_t j = 0; j < keys; ++j) {
            int64_t key = (b * heads + head / (queryHeads / heads)) * keys + j;
            double product = roundTo(score, scale * dot(q, row, k, key, width));
            PairEffects found = pair(b, head, i, j, product, cotangents);
            if (found.yielded[2].integer(0))
              seen.push_back({key, i, j, product, found.yielded[0].real(0), found.yielded[1].real(0)});
          }
          visit(b, head, row, seen);
        }
  }

private:
  RunPair run;
  Element score;
  SmallVector<Array> captures;
};

/// Stores sums that were taken in double.
void assign(Array &array, ArrayRef<double> values) {
  for (auto [cell, value] : llvm::zip_equal(array.edit(), values))
    cell.real = roundTo(array.element(), value);
}

} // namespace

void heddle::interp::evaluateVariant(const Context &context, sk::VariantAttentionOp op, Inputs inputs,
                                     Results &results, RunPair run) {
  Variant a(context, op, inputs, run);
  results.push_back(context.make(op, {a.batches, a.queryHeads, a.queries, a.valueWidth}, 0));
  results.push_back(context.make(op, {a.batches, a.queryHeads, a.queries}, 1));
  std::vector<double> o(results[0].count(), 0), lse(results[1].count(), -infinity);

  a.forEachQuery([&](int64_t, int64_t, int64_t row, ArrayRef<Visible> seen) {
    double top = -infinity, total = 0;
    for (const Visible &at : seen)
      top = std::max(top, at.score);
    if (!std::isfinite(top))
      top = 0;
    for (const Visible &at : seen)
      total += std::exp(at.score - top);
    if (total == 0) // nothing visible, or all of it at -inf
      return;
    lse[row] = top + std::log(total);
    for (const Visible &at : seen)
      for (int64_t f = 0; f < a.valueWidth; ++f)
        o[row * a.valueWidth + f] +=
            std::exp(at.score - top) / total * at.gate * a.v.real(at.key * a.valueWidth + f);
  });
  assign(results[0], o);
  assign(results[1], lse);
}

void heddle::interp::evaluateVariantBackward(const Context &context, sk::VariantAttentionBackwardOp op,
                                             Inputs inputs, Results &results, RunPair run) {
  Variant a(context, op, inputs, run);
  size_t numCaptures = op.getCaptures().size();
  const Array &o = inputs[3 + numCaptures], &lse = inputs[4 + numCaptures], &dout = inputs[5 + numCaptures];
  const Array *dlse = op.getDlse() ? &inputs[6 + numCaptures] : nullptr;
  Shape rows = {a.batches, a.queryHeads, a.queries}, outputs = rows;
  outputs.push_back(a.valueWidth);
  if (o.shape() != ArrayRef(outputs) || dout.shape() != ArrayRef(outputs) || lse.shape() != ArrayRef(rows) ||
      (dlse && dlse->shape() != ArrayRef(rows)))
    fail(op, "operands disagree: o is " + o.typeString() + ", lse " + lse.typeString() + ", dout " +
                 dout.typeString());
  std::vector<double> dq(a.q.count(), 0), dk(a.k.count(), 0), dv(a.v.count(), 0);
  std::vector<std::vector<double>> dcaptures(numCaptures);
  for (int64_t i : op.getWanted())
    dcaptures[i].resize(inputs[3 + i].count(), 0);

  auto visit = [&](int64_t b, int64_t head, int64_t row, ArrayRef<Visible> seen) {
    if (lse.real(row) == -infinity)
      return;
    double d = Variant::dot(dout, row, o, row, a.valueWidth) - (dlse ? dlse->real(row) : 0);
    for (const Visible &at : seen) {
      double p = std::exp(at.score - lse.real(row)), e = Variant::dot(dout, row, a.v, at.key, a.valueWidth);
      PairEffects found = a.pair(b, head, at.i, at.j, at.product, {p * (at.gate * e - d), p * e});
      double ds = found.yielded[3].real(0);
      for (int64_t w = 0; w < a.width; ++w) {
        dq[row * a.width + w] += a.scale * ds * a.k.real(at.key * a.width + w);
        dk[at.key * a.width + w] += a.scale * ds * a.q.real(row * a.width + w);
      }
      for (int64_t f = 0; f < a.valueWidth; ++f)
        dv[at.key * a.valueWidth + f] += p * at.gate * dout.real(row * a.valueWidth + f);
      for (auto [argument, offset, value] : found.additions)
        dcaptures[argument - op.numPairArguments][offset] += value;
    }
  };
  a.forEachQuery(visit, {0, 0});
  std::vector<const std::vector<double> *> cotangents = {&dq, &dk, &dv};
  for (int64_t i : op.getWanted())
    cotangents.push_back(&dcaptures[i]);
  for (auto [i, values] : llvm::enumerate(cotangents)) {
    const Array &like = inputs[i < 3 ? i : 3 + op.getWanted()[i - 3]];
    results.push_back(context.make(op, like.shape(), i));
    assign(results.back(), *values);
  }
}
