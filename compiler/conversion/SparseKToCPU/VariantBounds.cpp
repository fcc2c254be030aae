// The kernel that evaluates the bounds of a variant's visibility once for all: for each panel of queries
// where its keys begin and end, for each block of keys the same of its queries. A task is a row of the
// tables.
#include "compiler/conversion/SparseKToCPU/VariantPlan.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace heddle::cpu::attention {
namespace {

/// Where what a query (key) sees begins and ends.
struct Interval {
  Value from, until;
};

class BoundsKernel {
public:
  BoundsKernel(AttentionCode &v, VariantBuilder &builder)
      : v(v), p(builder.plan), tables(builder.bounds()), code(v, p.block, builder.captures()) {}

  void emit(Value begin, Value end) {
    v.loop(begin, end, 1, [&](Value task) {
      unsigned bits = p.block.boundsDepend();
      const int64_t heads = bits & OnHead ? p.block.queryHeads : 1;
      code.setRow(v.div(task, heads), v.rem(task, heads));
      // What depends on the row alone.
      SmallVector<Value> roots;
      for (const Bound &bound : p.block.bounds()) {
        if (bound.condition)
          roots.push_back(bound.condition);
        for (auto [value, coefficient] : bound.limit.others)
          roots.push_back(value);
      }
      for (Operation *op : p.block.slice(roots))
        if (!(p.block.depends(op->getResult(0)) & (OnQuery | OnKey)))
          code.get(op->getResult(0), 0);
      if (p.boundsKeys)
        v.loop(v.index(0), v.index(p.panels()), 1, [&](Value panel) {
          storeEntries(tables.panels, v.add(v.mul(task, p.panels()), panel), panelEntries(panel));
        });
      if (p.boundsQueries)
        v.loop(v.index(0), v.index(p.blocks()), 1, [&](Value block) {
          storeEntries(tables.blocks, v.add(v.mul(task, p.blocks()), block), blockEntries(block));
        });
      if (p.visits)
        storeVisits(task);
    });
  }

private:
  Value i64(int64_t number) { return arith::ConstantOp::create(v.b, v.b.getI64IntegerAttr(number)); }

  void storeEntries(Value table, Value number, ArrayRef<Value> entries) {
    for (auto [i, entry] : llvm::enumerate(entries)) {
      Value narrow = arith::TruncIOp::create(v.b, v.b.getI32Type(), entry);
      memref::StoreOp::create(v.b, narrow, table, v.add(v.mul(number, boundEntries), int64_t(i)));
    }
  }

  /// The interval of all bounds on keys (or queries) within [0, extent), as lanes or scalars; one that is
  /// empty becomes [extent, 0).
  Interval interval(bool onKeys, int64_t extent, int64_t part) {
    auto shaped = [&](Value x) { return onKeys ? code.asLanes(x) : x; };
    Value zero = shaped(i64(0)), all = shaped(i64(extent));
    Interval result{zero, all};
    for (const Bound &bound : p.block.bounds()) {
      if (bound.isOnKeys() != onKeys)
        continue;
      if (bound.condition) {
        Value holds = shaped(code.get(bound.condition, part));
        result.until = arith::SelectOp::create(v.b, holds, result.until, zero);
        continue;
      }
      Value limit = shaped(code.limit(bound.limit, part));
      if (bound.kind == Bound::KeyFrom || bound.kind == Bound::QueryFrom)
        result.from = arith::MaxSIOp::create(v.b, result.from, limit);
      else
        result.until = arith::MinSIOp::create(v.b, result.until, limit);
    }
    Value empty = arith::CmpIOp::create(v.b, arith::CmpIPredicate::sge, result.from, result.until);
    return {arith::SelectOp::create(v.b, empty, all, result.from),
            arith::SelectOp::create(v.b, empty, zero, result.until)};
  }

  Value least(Value x, Value y) { return arith::MinSIOp::create(v.b, x, y); }
  Value most(Value x, Value y) { return arith::MaxSIOp::create(v.b, x, y); }

  SmallVector<Value, 4> panelEntries(Value panel) {
    code.setQueries(v.mul(panel, p.plan.panel));
    Interval a = interval(/*onKeys=*/true, p.block.keys, 0), c = interval(/*onKeys=*/true, p.block.keys, 1);
    auto reduce = [&](vector::CombiningKind kind, Value x) -> Value {
      return vector::ReductionOp::create(v.b, kind, x);
    };
    using K = vector::CombiningKind;
    return {reduce(K::MINSI, least(a.from, c.from)), reduce(K::MAXSI, most(a.from, c.from)),
            reduce(K::MINSI, least(a.until, c.until)), reduce(K::MAXSI, most(a.until, c.until))};
  }

  SmallVector<Value, 4> blockEntries(Value block) {
    Value first = v.mul(block, p.plan.keyBlock);
    Value last = v.min(v.add(first, p.plan.keyBlock), v.index(p.block.keys));
    Value low = i64(0), high = i64(p.block.queries);
    Values entries =
        v.loopCarrying(first, last, 1, Values{high, low, high, low}, [&](Value key, ValueRange e) {
          code.setKey(key);
          Interval a = interval(/*onKeys=*/false, p.block.queries, 0);
          return Values{least(e[0], a.from), most(e[1], a.from), least(e[2], a.until), most(e[3], a.until)};
        });
    return {entries[0], entries[1], entries[2], entries[3]};
  }

  /// The first and the last panel that come to each block, as queries. As many steps as panels visit blocks.
  void storeVisits(Value row) {
    const int64_t size = p.plan.keyBlock;
    auto at = [&](Value block, int64_t entry) {
      return v.add(v.mul(v.add(v.mul(row, p.blocks()), block), 2), entry);
    };
    v.loop(v.index(0), v.index(p.blocks()), 1, [&](Value block) {
      v.storeI32(v.index(p.block.queries), tables.visits, at(block, 0));
      v.storeI32(v.index(0), tables.visits, at(block, 1));
    });
    v.loop(v.index(0), v.index(p.panels()), 1, [&](Value panel) {
      Value entries = v.mul(v.add(v.mul(row, p.panels()), panel), boundEntries);
      Value begin = v.div(v.loadIndex(tables.panels, v.add(entries, LeastFrom)), size);
      Value end = v.div(v.add(v.loadIndex(tables.panels, v.add(entries, MostUntil)), size - 1), size);
      Value first = v.mul(panel, p.plan.panel);
      Value last = v.min(v.add(first, p.plan.panel), v.index(p.block.queries));
      v.loop(begin, end, 1, [&](Value block) {
        v.storeI32(v.min(v.loadIndex(tables.visits, at(block, 0)), first), tables.visits, at(block, 0));
        v.storeI32(last, tables.visits, at(block, 1));
      });
    });
  }

  AttentionCode &v;
  const VariantPlan &p;
  const BoundTables &tables;
  VariantCode code;
};

} // namespace

void emitBounds(VariantBuilder &builder) {
  const VariantPlan &plan = builder.plan;
  if (!plan.boundsKeys && !plan.boundsQueries)
    return;
  builder.addBlock(/*reports=*/false);
  builder.addBounds();
  builder.kernel("bounds", plan.boundRows(), [&](AttentionCode &v, Value begin, Value end) {
    BoundsKernel(v, builder).emit(begin, end);
  });
}

} // namespace heddle::cpu::attention
