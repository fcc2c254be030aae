#include "compiler/conversion/SparseKToCPU/GatePairs.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace heddle::cpu::attention {

GatePairs::GatePairs(AttentionCode &v, const KeyBlock &block, const PanelRange &range,
                     const Thresholds &thresholds, bool selected, bool masked, const GateGradients *gradients)
    : v(v), block(block), range(range), gradients(gradients), masked(masked),
      gateKeys(selected && v.plan.gateKeys()), gateValues(selected && v.plan.gateValues()),
      routesKeys(gradients && selected && v.plan.routesKeys()),
      routesValues(gradients && selected && v.plan.routesValues()) {
  if (gateKeys || gateValues || routes())
    for (int64_t part = 0; part < 2; ++part) {
      hi.push_back(v.loadVector(thresholds.hi, v.add(range.panelStart, part * v.lanes)));
      lo.push_back(v.loadVector(thresholds.lo, v.add(range.panelStart, part * v.lanes)));
    }
}

Pair GatePairs::pair(Value j, int64_t part, Value product) {
  Pair pair{product, {}, {}};
  if (!hi.empty()) {
    argument = v.gateArgument(v.splat(v.loadScalar(block.scores, j)), hi[part], lo[part]);
    gate = v.clipped(argument);
    if (gateKeys)
      pair.score = v.mulf(product, gate);
    if (gateValues)
      pair.gate = gate;
  }
  if (masked)
    pair.seen = v.sees(block, j, range.panelStart, part);
  return pair;
}

Values GatePairs::carried() {
  Values tau;
  if (routes())
    for (int64_t part = 0; part < 2; ++part)
      tau.push_back(v.loadVector(gradients->thresholds, v.add(range.panelStart, part * v.lanes)));
  return tau;
}

Value GatePairs::adjoint(Value j, int64_t part, const Pair &pair, Value product, Value dscore, Value dgate,
                         llvm::MutableArrayRef<Value> carried) {
  if (routes()) {
    Value gradient = routesKeys ? v.multiplyAdd(dscore, product, dgate) : dgate;
    Value inside = gateMoves();
    if (pair.seen)
      inside = arith::AndIOp::create(v.b, inside, pair.seen);
    gradient = v.select(inside, gradient, v.zero());
    carried[part] = v.subf(carried[part], gradient);
    keyGradient = part > 0 ? v.sumOf(keyGradient, gradient) : gradient;
  }
  return timesKeyGate(dscore);
}

Value GatePairs::gateMoves() {
  // The same predicate as everywhere.
  return arith::AndIOp::create(v.b, v.isGreater(argument, v.zero()), v.isGreater(v.constant(1), argument));
}

void GatePairs::endKey(Value j) {
  if (!routes())
    return;
  Value at = v.mul(j, v.lanes);
  v.storeLanes(v.sumOf(v.loadVector(gradients->scores, at), keyGradient), gradients->scores, at);
}

void GatePairs::finish(ValueRange carried) {
  for (auto [part, tau] : llvm::enumerate(carried))
    v.storeLanes(tau, gradients->thresholds, v.add(range.panelStart, int64_t(part) * v.lanes));
}

} // namespace heddle::cpu::attention
