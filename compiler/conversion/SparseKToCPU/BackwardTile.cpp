#include "compiler/conversion/SparseKToCPU/BackwardTile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace heddle::cpu::attention {

BackwardTile::BackwardTile(AttentionCode &v, const KernelArguments &arguments, int64_t heads)
    : v(v), p(v.plan), args(arguments) {
  queryRows = v.scratch(heads * p.tile * p.keyPad);
  outRows = v.scratch(heads * p.tile * p.valuePad);
  queries = v.scratch(heads * p.tile * p.spec.keyWidth);
  outs = v.scratch(heads * p.tile * p.spec.valueWidth);
  lse = v.scratch(heads * p.tile);
  shared = v.scratch(heads * p.tile);
  weights = v.scratch(p.keyBlock * p.tile);
  slopes = v.scratch(p.keyBlock * p.tile);
}

void BackwardTile::stage(Value query, Value count, Value head) {
  const int64_t width = p.spec.keyWidth, valueWidth = p.spec.valueWidth;
  Value keyBase = v.mul(head, p.tile * p.keyPad), valueBase = v.mul(head, p.tile * p.valuePad);
  // Queries are scaled once: scores, dk and the gradients of the pairs then need no factor.
  v.stageRows(args.q, v.mul(query, width), count, width, p.keyPad, queryRows, keyBase);
  v.scaleRows(queryRows, keyBase, p.keyPad, p.spec.scale);
  v.toPanels(queryRows, keyBase, width, p.keyPad, queries, v.mul(head, p.tile * width));
  v.stageRows(args.dout, v.mul(query, valueWidth), count, valueWidth, p.valuePad, outRows, valueBase);
  v.toPanels(outRows, valueBase, valueWidth, p.valuePad, outs, v.mul(head, p.tile * valueWidth));
}

void BackwardTile::computeStatistics(Value query, Value count, Value head) {
  Value stats = v.mul(head, p.tile), valueBase = v.mul(head, p.tile * p.valuePad);
  Value lowest = v.lowest(), largest = v.subf(v.zero(), lowest);
  auto eachVector = [&](llvm::function_ref<void(Value)> body) {
    v.loop(v.index(0), v.index(p.tile), p.lanes, [&](Value i) { body(v.add(stats, i)); });
  };
  eachVector([&](Value i) { v.storeLanes(largest, lse, i); });
  v.zeroFill(shared, stats, v.index(p.tile));
  v.loop(v.index(0), count, 1, [&](Value r) {
    Value at = v.add(query, r);
    v.storeScalar(v.loadScalar(args.lse, at), lse, v.add(stats, r));
    Value d = outProduct(at, v.add(valueBase, v.mul(r, p.valuePad)));
    if (args.dlse.memref)
      d = v.subf(d, v.loadScalar(args.dlse, at));
    v.storeScalar(d, shared, v.add(stats, r));
  });
  eachVector([&](Value i) {
    Value x = v.loadVector(lse, i);
    v.storeLanes(v.select(v.isGreater(lowest, x), largest, x), lse, i);
  });
}

/// do . o of one query: its row of o times its staged row of the cotangent.
Value BackwardTile::outProduct(Value query, Value staged) {
  const int64_t width = p.spec.valueWidth, whole = width / p.lanes * p.lanes;
  Value source = v.mul(query, width);
  Values sum{v.zero()};
  if (whole)
    sum = v.loopCarrying(v.index(0), v.index(whole), p.lanes, sum, [&](Value c, ValueRange sums) {
      return Values{v.multiplyAdd(v.loadLanes(args.o, v.add(source, c)),
                                  v.loadVector(outRows, v.add(staged, c)), sums[0])};
    });
  if (width > whole)
    sum[0] = v.multiplyAdd(v.loadLanes(args.o, v.add(source, whole), width - whole),
                           v.loadVector(outRows, v.add(staged, whole)), sum[0]);
  return v.sumOfLanes(sum[0]);
}

PanelRange BackwardTile::rounded(const PanelRange &range, Value &addsKeys) {
  PanelRange outer = range;
  outer.begin = v.mul(v.div(range.begin, p.tileRows), p.tileRows);
  outer.end = v.mul(v.div(v.add(range.end, p.tileRows - 1), p.tileRows), p.tileRows);
  auto differs = [&](Value x, Value y) {
    return arith::CmpIOp::create(v.b, arith::CmpIPredicate::ne, x, y).getResult();
  };
  addsKeys = arith::OrIOp::create(v.b, differs(range.begin, outer.begin), differs(range.end, outer.end));
  return outer;
}

void BackwardTile::multiply(const KeyBlock &block, Value head, Value panel, const PanelRange &range) {
  const int64_t width = p.spec.keyWidth, valueWidth = p.spec.valueWidth;
  Value keyBase = v.add(v.mul(head, p.tile * width), v.mul(panel, width * p.panel));
  Value valueBase = v.add(v.mul(head, p.tile * valueWidth), v.mul(panel, valueWidth * p.panel));
  v.scoreProduct(block.keys, p.keyPad, width, queries, keyBase, range, weights, p.tile, range.panelStart);
  v.scoreProduct(block.values, p.valuePad, valueWidth, outs, valueBase, range, slopes, p.tile,
                 range.panelStart);
}

void BackwardTile::addKeySums(const KeyBlock &block, Value head, const PanelRange &range, Buffer part,
                              Value firstRow) {
  v.keySums(slopes, p.tile, range, queryRows, v.mul(head, p.tile * p.keyPad), p.keyPad, part, p.partWidth(),
            firstRow, block.slot, 0);
  v.keySums(weights, p.tile, range, outRows, v.mul(head, p.tile * p.valuePad), p.valuePad, part,
            p.partWidth(), firstRow, block.slot, p.keyPad);
}

} // namespace heddle::cpu::attention
