#include "compiler/conversion/SparseKToCPU/Pairs.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include <limits>

using namespace mlir;

namespace heddle::cpu::attention {

static Value weightOf(AttentionCode &v, const Pairs &pairs, Value exponent) {
  return pairs.mayVanish() ? v.exponentialOrZero(exponent) : v.exponential(exponent);
}

/// The score with -inf where the pair is not seen.
static Value seenScore(AttentionCode &v, const Pair &pair) {
  if (!pair.seen)
    return pair.score;
  return v.select(pair.seen, pair.score, v.constant(-std::numeric_limits<double>::infinity()));
}

Values emitSoftmax(AttentionCode &v, Pairs &pairs, const PanelRange &range, Buffer weights, Buffer gates,
                   const SoftmaxState &state, Value stats) {
  const Plan &p = v.plan;
  auto at = [&](Value j, int64_t part) { return v.add(v.mul(j, p.panel), part * p.lanes); };
  Values before;
  for (int64_t part = 0; part < 2; ++part)
    before.push_back(v.loadVector(state.largest, v.add(stats, part * p.lanes)));
  Values top = v.loopCarrying(range.begin, range.end, 1, before, [&](Value j, ValueRange tops) {
    Values next;
    for (int64_t part = 0; part < 2; ++part) {
      Value product = v.loadVector(weights, at(j, part));
      Pair pair = pairs.pair(j, part, product);
      Value score = seenScore(v, pair);
      if (score != product)
        v.storeLanes(score, weights, at(j, part));
      if (pair.gate)
        v.storeLanes(pair.gate, gates, at(j, part));
      next.push_back(v.larger(score, tops[part]));
    }
    return next;
  });
  Values rescale, sums;
  for (int64_t part = 0; part < 2; ++part) {
    rescale.push_back(v.exponential(v.subf(before[part], top[part])));
    v.storeLanes(top[part], state.largest, v.add(stats, part * p.lanes));
    sums.push_back(v.mulf(v.loadVector(state.total, v.add(stats, part * p.lanes)), rescale[part]));
  }
  sums = v.loopCarrying(range.begin, range.end, 1, sums, [&](Value j, ValueRange sums) {
    Values next;
    for (int64_t part = 0; part < 2; ++part) {
      Value weight = weightOf(v, pairs, v.subf(v.loadVector(weights, at(j, part)), top[part]));
      next.push_back(v.sumOf(sums[part], weight));
      if (pairs.hasGate())
        weight = v.mulf(weight, v.loadVector(gates, at(j, part)));
      v.storeLanes(weight, weights, at(j, part));
    }
    return next;
  });
  for (int64_t part = 0; part < 2; ++part)
    v.storeLanes(sums[part], state.total, v.add(stats, part * p.lanes));
  return rescale;
}

void emitSlopes(AttentionCode &v, Pairs &pairs, const PanelRange &range, Buffer weights, Buffer slopes,
                int64_t stride, Buffer logSums, Buffer shared, Value stats) {
  const Plan &p = v.plan;
  Values logSum, d;
  for (int64_t part = 0; part < 2; ++part) {
    logSum.push_back(v.loadVector(logSums, v.add(stats, part * p.lanes)));
    d.push_back(v.loadVector(shared, v.add(stats, part * p.lanes)));
  }
  Values carried = v.loopCarrying(range.begin, range.end, 1, pairs.carried(), [&](Value j, ValueRange old) {
    Values next(old.begin(), old.end());
    for (int64_t part = 0; part < 2; ++part) {
      Value at = v.add(v.add(v.mul(j, stride), range.panelStart), part * p.lanes);
      Value product = v.loadVector(weights, at), along = v.loadVector(slopes, at);
      Pair pair = pairs.pair(j, part, product);
      Value weight = weightOf(v, pairs, v.subf(seenScore(v, pair), logSum[part]));
      Value dscore = v.mulf(weight, v.subf(pair.gate ? v.mulf(pair.gate, along) : along, d[part]));
      Value dgate = v.mulf(weight, along);
      if (pair.seen) { // lse and the cotangent may not be finite
        weight = v.select(pair.seen, weight, v.zero());
        dscore = v.select(pair.seen, dscore, v.zero());
        dgate = v.select(pair.seen, dgate, v.zero());
      }
      v.storeLanes(pair.gate ? v.mulf(weight, pair.gate) : weight, weights, at);
      Value slope = pairs.adjoint(j, part, pair, product, dscore, dgate, next);
      v.storeLanes(slope, slopes, at);
    }
    pairs.endKey(j);
    return next;
  });
  pairs.finish(carried);
}

} // namespace heddle::cpu::attention
