#include "compiler/conversion/SparseKToCPU/VariantWalk.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace heddle::cpu::attention {

//===--- Pairs ---===//

VariantPairs::VariantPairs(AttentionCode &v, const VariantBlock &block, ArrayRef<Value> captures,
                           const Reports &reports, const PairsPlace &place, bool masked,
                           ArrayRef<Value> adjointRoots)
    : v(v), block(block), code(v, block, captures), reports(reports), place(place), masked(masked) {
  SmallVector<Value> roots{block.score, block.gate};
  if (masked)
    roots.push_back(block.visible);
  forward = block.slice(roots).takeVector();
  llvm::append_range(roots, adjointRoots);
  all = block.slice(roots).takeVector();
  code.setRow(place.batch, place.head);
  code.setQueries(place.firstQuery);
  for (Operation *op : all)
    if (!(block.depends(op->getResult(0)) & (OnKey | OnPair)))
      for (int64_t part = 0; part < 2; ++part)
        code.get(op->getResult(0), part);
}

Pair VariantPairs::pair(Value j, int64_t part, Value product) {
  if (part == 0) {
    code.setKey(v.add(place.firstKey, j));
    for (Operation *op : all)
      if (Value x = op->getResult(0); (block.depends(x) & (OnQuery | OnKey | OnPair)) == OnKey)
        code.get(x, 0);
  }
  code.setPair(block.s, part, product);
  Pair pair{code.lanes(block.score, part), {}, {}};
  if (hasGate())
    pair.gate = code.lanes(block.gate, part);
  if (masked) {
    pair.seen = code.lanes(block.visible, part);
    // Register tiles run over the last key.
    Value exists = v.less(v.add(place.firstKey, j), v.index(block.keys));
    pair.seen = arith::AndIOp::create(v.b, pair.seen, v.splat(exists));
  }
  if (reports.call)
    if (Value bad = code.outside(forward, part)) {
      if (pair.seen)
        bad = arith::AndIOp::create(v.b, bad, pair.seen);
      code.report(forward, part, bad, reports);
    }
  return pair;
}

Value VariantPairs::adjoint(Value, int64_t part, const Pair &, Value, Value dscore, Value dgate,
                            llvm::MutableArrayRef<Value>) {
  code.setPair(block.dscore, part, dscore);
  code.setPair(block.dgate, part, dgate);
  return code.lanes(block.ds, part);
}

Values withVariantPairs(AttentionCode &v, const VariantBlock &block, TypeRange types, Value masked,
                        llvm::function_ref<Values(bool)> body) {
  // Without bounds that say all, every pair is masked.
  if (!block.isBounded())
    return body(true);
  return v.choose(masked, types, body);
}

//===--- Blocks ---===//

VariantWalk::VariantWalk(AttentionCode &v, VariantBuilder &builder, const KernelArguments &arguments)
    : v(v), p(builder.plan), builder(builder), args(arguments) {
  const Plan &plan = p.plan;
  block.keys = v.scratch(plan.keyBlock * plan.keyPad);
  block.values = v.scratch(plan.keyBlock * plan.valuePad);
  // The padding is read when rows are checked, so it must be finite.
  if (plan.keyPad != plan.spec.keyWidth)
    v.zeroFill(block.keys, v.index(0), v.index(plan.keyBlock * plan.keyPad));
  if (plan.valuePad != plan.spec.valueWidth)
    v.zeroFill(block.values, v.index(0), v.index(plan.keyBlock * plan.valuePad));
}

void VariantWalk::startTile(const QueryTile &tile) {
  queries = tile;
  batch = v.div(tile.row, p.heads());
  firstHeadOfRow = v.mul(v.rem(tile.row, p.heads()), p.plan.spec.group());
}

VariantWalk::Meeting VariantWalk::meet(AttentionCode &v, const VariantPlan &p, const BoundTables &tables,
                                       Value boundRow, Value firstQuery, Value firstKey, Value keyCount) {
  auto flag = [&](bool x) -> Value { return arith::ConstantOp::create(v.b, v.b.getBoolAttr(x)); };
  auto both = [&](Value x, Value y) -> Value { return arith::AndIOp::create(v.b, x, y); };
  auto either = [&](Value x, Value y) -> Value { return arith::OrIOp::create(v.b, x, y); };
  auto entry = [&](Value table, Value number, BoundEntry which) {
    return v.loadIndex(table, v.add(v.mul(number, boundEntries), which));
  };
  Meeting m{v.index(0), keyCount, flag(!p.block.isBounded()), v.less(firstQuery, v.index(p.block.queries))};
  Value endQuery = v.min(v.add(firstQuery, p.plan.panel), v.index(p.block.queries));
  if (tables.panels) {
    Value panel = v.min(v.div(firstQuery, p.plan.panel), v.index(p.panels() - 1));
    Value row = v.add(v.mul(boundRow, p.panels()), panel);
    m.begin = v.max(m.begin, v.sub(entry(tables.panels, row, LeastFrom), firstKey));
    m.end = v.min(m.end, v.sub(entry(tables.panels, row, MostUntil), firstKey));
    Value late = v.less(v.add(firstKey, m.begin), entry(tables.panels, row, MostFrom));
    Value early = v.less(entry(tables.panels, row, LeastUntil), v.add(firstKey, m.end));
    m.masked = either(m.masked, either(late, early));
  }
  if (tables.blocks) {
    Value row = v.add(v.mul(boundRow, p.blocks()), v.div(firstKey, p.plan.keyBlock));
    Value from = v.less(entry(tables.blocks, row, LeastFrom), endQuery);
    Value until = v.less(firstQuery, entry(tables.blocks, row, MostUntil));
    m.any = both(m.any, both(from, until));
    Value late = v.less(firstQuery, entry(tables.blocks, row, MostFrom));
    Value early = v.less(entry(tables.blocks, row, LeastUntil), endQuery);
    m.masked = either(m.masked, either(late, early));
  }
  m.any = both(m.any, v.less(m.begin, m.end));
  return m;
}

void VariantWalk::forEachBlock(Value firstHead, BlockUse body) {
  const int64_t size = p.plan.keyBlock;
  const BoundTables &tables = builder.bounds();
  bounds = boundRow(v, p, batch, v.add(firstHeadOfRow, firstHead));
  Value begin = v.index(0), end = v.index(p.block.keys);
  if (tables.panels) {
    // The keys of all panels.
    const int64_t panels = p.plan.tile / p.plan.panel;
    Value row = v.add(v.mul(bounds, p.panels()), v.mul(queries.tile, panels));
    Values range =
        v.loopCarrying(v.index(0), v.index(panels), 1, Values{end, begin}, [&](Value panel, ValueRange r) {
          Value at = v.mul(v.add(row, panel), boundEntries);
          return Values{v.min(r[0], v.loadIndex(tables.panels, v.add(at, LeastFrom))),
                        v.max(r[1], v.loadIndex(tables.panels, v.add(at, MostUntil)))};
        });
    begin = range[0];
    end = range[1];
  }
  v.loop(v.div(begin, size), v.div(v.add(end, size - 1), size), 1, [&](Value number) {
    start = v.mul(number, size);
    auto visit = [&] {
      Value count = v.min(v.index(size), v.sub(v.index(p.block.keys), start));
      v.gather(block, args.k, args.v, queries.row, count,
               [&](Value position) { return v.add(start, position); });
      block.oddKeys = v.hasNonFinite(block.keys, p.plan.keyPad, count);
      block.oddValues = v.hasNonFinite(block.values, p.plan.valuePad, count);
      body(block, [&](Value panelStart, PanelUse use) {
        Meeting m = meet(v, p, tables, bounds, v.add(queries.first, panelStart), start, count);
        v.when(m.any, [&] { use({m.begin, m.end, panelStart}, m.masked); });
      });
    };
    if (!tables.blocks)
      return visit();
    Value at = v.mul(v.add(v.mul(bounds, p.blocks()), number), boundEntries);
    Value from =
        v.less(v.loadIndex(tables.blocks, v.add(at, LeastFrom)), v.add(queries.first, queries.count));
    Value until = v.less(queries.first, v.loadIndex(tables.blocks, v.add(at, MostUntil)));
    v.when(arith::AndIOp::create(v.b, from, until), visit);
  });
}

Value VariantWalk::takesPart(const PanelRange &, Value, int64_t, Value weight) {
  return arith::CmpFOp::create(v.b, arith::CmpFPredicate::UNE, weight, v.zero());
}

Values VariantWalk::withPairs(TypeRange types, Value head, const PanelRange &range, Value masked,
                              PairsUse body) {
  return withVariantPairs(v, p.block, types, masked, [&](bool isMasked) {
    PairsPlace place;
    place.batch = batch;
    place.headOfGroup = head;
    place.head = v.add(firstHeadOfRow, head);
    place.firstQuery = v.add(queries.first, range.panelStart);
    place.firstKey = start;
    return emitPairs(place, isMasked, body);
  });
}

Values VariantWalk::emitPairs(const PairsPlace &place, bool masked, PairsUse body) {
  VariantPairs pairs(v, p.block, builder.captures(), builder.reports(), place, masked);
  return body(pairs);
}

} // namespace heddle::cpu::attention
