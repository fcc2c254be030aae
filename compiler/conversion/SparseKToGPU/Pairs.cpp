#include "compiler/conversion/SparseKToGPU/Pairs.h"

#include <cfloat>

namespace heddle::gpu::attention {

Scalar finiteScore(KernelCode &k, Scalar score) {
  auto number = [&](double x) { return k.constant(score.type(), x); };
  return k.min(k.max(score, number(-double(FLT_MAX))), number(FLT_MAX));
}

Pair GatePairs::pair(const QuerySide &query, const KeySide &key, Scalar product) {
  Pair pair{product, {}, {}};
  if (gateKeys || gateValues || routes()) {
    // The same expression as everywhere: with hi = -inf the gate is 1.
    argument = (key.score - query.hi) - query.lo;
    gate = k.min(k.max(argument, t.number(0)), t.number(1));
    if (gateKeys)
      pair.score = product * gate;
    if (gateValues)
      pair.gate = gate;
  }
  if (masked)
    pair.seen = k.both(key.from <= query.position, query.position < key.until);
  return pair;
}

Scalar GatePairs::gateMoves() { return k.both(argument > 0.0, argument < 1.0); }

PairAdjoint GatePairs::adjoint(const Pair &pair, Scalar product, Scalar dscore, Scalar dgate) {
  PairAdjoint result;
  if (routes()) {
    Scalar gradient = dgate;
    if (routesKeys)
      gradient = k.multiplyAdd(dscore, product * (1 / t.logOfE()), dgate);
    Scalar moves = gateMoves();
    if (pair.seen.value)
      moves = k.both(moves, pair.seen);
    result.sums.push_back(k.select(moves, gradient, t.number(0)));
  }
  result.product = timesKeyGate(dscore);
  return result;
}

} // namespace heddle::gpu::attention
