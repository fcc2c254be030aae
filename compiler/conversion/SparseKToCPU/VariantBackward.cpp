// The backward pass of a variant. Which keys a chunk of queries sees is not known beforehand, so there are no
// partial sums of dk and dv: one kernel goes over tiles of queries and makes dq, another one over blocks of
// keys and makes dk and dv, from the same products and weights. Both have the same pairs; each sums up the
// cotangents of captures that suit it.
#include "compiler/conversion/SparseKToCPU/BackwardTile.h"
#include "compiler/conversion/SparseKToCPU/VariantSites.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace heddle::cpu::attention {
namespace {

/// The statistics of all queries [batch, query head, padded length], from the first kernel to the second.
struct Statistics {
  Buffer lse, shared;
};

//===--- dq ---===//

class QueryKernel : VariantWalk {
public:
  QueryKernel(AttentionCode &v, VariantBuilder &builder, VariantSites &sites,
              const KernelArguments &arguments, const Statistics &statistics)
      : VariantWalk(v, builder, arguments), plan(v.plan), sites(sites), args(arguments),
        statistics(statistics), tile(v, arguments, v.plan.headBlock) {
    gradients = v.scratch(plan.headBlock * plan.tile * plan.spec.keyWidth);
    for (const SiteSums &entry : sites.sums)
      if (entry.site->kind == Site::Scattered)
        rooms[entry.site] = laneRoom(v, entry.lanes.getElementType());
  }

  void emit() {
    v.loop(args.begin, args.end, 1, [&](Value number) {
      task = number;
      row = v.add(args.firstRow, v.div(task, sites.chunks()));
      clearCopies();
      Value begin = v.mul(v.rem(task, sites.chunks()), sites.chunkTiles);
      Value end = v.min(v.add(begin, sites.chunkTiles), v.index(plan.tiles()));
      v.loop(begin, end, 1, [&](Value tile) { emitTile(tile); });
    });
  }

private:
  void clearCopies() {
    for (const SiteSums &entry : sites.sums) {
      if (entry.site->kind != Site::Scattered || entry.isDirect)
        continue;
      const int64_t size = plan.spec.group() * entry.inner;
      Value none = arith::ConstantOp::create(v.b, v.b.getZeroAttr(entry.lanes.getElementType()));
      Value base = v.mul(task, size);
      v.loop(base, v.add(base, size), 1,
             [&](Value at) { memref::StoreOp::create(v.b, none, sites.memref(entry), at); });
    }
  }

  void emitTile(Value number) {
    first = v.mul(number, plan.tile);
    count = v.min(v.index(plan.tile), v.sub(v.index(plan.spec.length), first));
    startTile({row, number, first, count});
    v.loop(v.index(0), v.index(plan.spec.group()), plan.headBlock, [&](Value head) { emitHeads(head); });
  }

  void emitHeads(Value firstHead) {
    headOffset = firstHead;
    auto eachHead = [&](llvm::function_ref<void(Value)> body) {
      v.loop(v.index(0), v.index(plan.headBlock), 1, body);
    };
    eachHead([&](Value head) { start(head); });
    forEachBlock(firstHead, [&](const KeyBlock &block, PanelRangeOf rangeOf) {
      eachHead([&](Value head) {
        v.loop(v.index(0), v.index(plan.tile / plan.panel), 1, [&](Value panel) {
          rangeOf(v.mul(panel, plan.panel), [&](const PanelRange &range, Value masked) {
            accumulate(block, head, panel, range, masked);
          });
        });
      });
    });
    eachHead([&](Value head) { finish(head); });
  }

  /// The row of q's first two axes.
  Value queryHead(Value headOfGroup) { return v.add(v.mul(row, plan.spec.group()), headOfGroup); }

  void start(Value head) {
    Value number = queryHead(v.add(headOffset, head));
    Value query = v.add(v.mul(number, plan.spec.length), first);
    tile.stage(query, count, head);
    tile.computeStatistics(query, count, head);
    const int64_t width = plan.spec.keyWidth;
    v.zeroFill(gradients, v.mul(head, plan.tile * width), v.index(plan.tile * width));
    Value padded = v.add(v.mul(number, sites.paddedQueries), first);
    v.loop(v.index(0), v.index(plan.tile), v.lanes, [&](Value i) {
      Value from = v.add(v.mul(head, plan.tile), i), to = v.add(padded, i);
      v.storeLanes(v.loadVector(tile.lse, from), statistics.lse, to);
      v.storeLanes(v.loadVector(tile.shared, from), statistics.shared, to);
      for (const SiteSums &entry : sites.sums)
        if (entry.site->kind == Site::Queries) {
          Value none = arith::ConstantOp::create(v.b, v.b.getZeroAttr(entry.lanes));
          vector::StoreOp::create(v.b, none, sites.memref(entry), to);
        }
    });
  }

  Values emitPairs(const PairsPlace &place, bool masked, PairsUse body) override {
    SmallVector<VariantAdjoint::Target> targets;
    for (const SiteSums &entry : sites.sums) {
      Value base;
      if (entry.site->kind == Site::Queries)
        base = v.add(v.mul(queryHead(place.headOfGroup), sites.paddedQueries), place.firstQuery);
      else if (entry.site->kind == Site::Scattered)
        base = entry.isDirect ? v.index(0)
                              : v.mul(v.add(v.mul(task, plan.spec.group()), place.headOfGroup), entry.inner);
      else
        continue;
      targets.push_back({&entry, sites.memref(entry), base, rooms.lookup(entry.site)});
    }
    VariantAdjoint pairs(v, builder, builder.reports(), place, masked, targets);
    return body(pairs);
  }

  void accumulate(const KeyBlock &block, Value head, Value panel, const PanelRange &range, Value masked) {
    Value addsKeys;
    PanelRange outer = tile.rounded(range, addsKeys);
    tile.multiply(block, head, panel, outer);
    Value stats = v.add(v.mul(head, plan.tile), range.panelStart);
    Value anyMasked = arith::OrIOp::create(v.b, masked, addsKeys);
    withPairs({}, v.add(headOffset, head), outer, anyMasked, [&](Pairs &pairs) {
      emitSlopes(v, pairs, outer, tile.weights, tile.slopes, plan.tile, tile.lse, tile.shared, stats);
      return Values();
    });
    const int64_t width = plan.spec.keyWidth;
    Value base = v.add(v.mul(head, plan.tile * width), v.mul(panel, width * plan.panel));
    v.when(
        arith::AndIOp::create(v.b, masked, block.oddKeys),
        [&] {
          auto counts = [&](Value j, int64_t part, Value weight) {
            return takesPart(range, j, part, weight);
          };
          v.maskedSum(counts, block.keys, plan.keyPad, width, tile.slopes, plan.tile, range.panelStart, range,
                      {}, gradients, base);
        },
        [&] {
          v.weightedSum(block.keys, plan.keyPad, width, tile.slopes, plan.tile, range.panelStart, range, {},
                        gradients, base);
        });
  }

  void finish(Value head) {
    const int64_t width = plan.spec.keyWidth;
    // The tile's statistics and staged queries are no longer needed.
    Value scale = v.constant(plan.spec.scale);
    v.loop(v.index(0), v.index(plan.tile), v.lanes, [&](Value i) { v.storeLanes(scale, tile.lse, i); });
    v.fromPanels(gradients, v.mul(head, plan.tile * width), width, plan.keyPad, tile.lse, v.index(0),
                 tile.queryRows);
    Value at = v.add(v.mul(queryHead(v.add(headOffset, head)), plan.spec.length), first);
    v.loop(v.index(0), count, 1, [&](Value r) {
      v.copyRow(tile.queryRows, v.mul(r, plan.keyPad), args.dq, v.mul(v.add(at, r), width), width);
    });
  }

  const Plan &plan;
  VariantSites &sites;
  const KernelArguments &args;
  const Statistics &statistics;
  BackwardTile tile;
  Buffer gradients; ///< dq without its scale, as panels
  llvm::DenseMap<const Site *, LaneRoom> rooms;
  Value task, row, first, count, headOffset;
};

//===--- dk and dv ---===//

class KeyKernel {
public:
  KeyKernel(AttentionCode &v, VariantBuilder &builder, VariantSites &sites, const KernelArguments &arguments,
            const Statistics &statistics)
      : v(v), p(builder.plan), plan(v.plan), builder(builder), sites(sites), args(arguments),
        statistics(statistics), tile(v, arguments, 1) {
    block.keys = v.scratch(plan.keyBlock * plan.keyPad);
    block.values = v.scratch(plan.keyBlock * plan.valuePad);
    block.slot = v.intScratch(plan.keyBlock);
    sums = v.scratch(plan.keyBlock * plan.partWidth());
    // Rows after the last key are read too, so they must be finite.
    v.zeroFill(block.keys, v.index(0), v.index(plan.keyBlock * plan.keyPad));
    v.zeroFill(block.values, v.index(0), v.index(plan.keyBlock * plan.valuePad));
    v.loop(v.index(0), v.index(plan.keyBlock), 1, [&](Value j) { v.storeI32(j, block.slot, j); });
    for (const SiteSums &entry : sites.sums)
      if (entry.site->kind == Site::Keys)
        keySums[entry.site] = memref::AllocaOp::create(
            v.b, MemRefType::get({plan.keyBlock * v.lanes}, entry.lanes.getElementType()),
            v.b.getI64IntegerAttr(64));
  }

  void emit() {
    v.loop(args.begin, args.end, 1, [&](Value task) {
      row = v.div(task, p.blocks());
      Value number = v.rem(task, p.blocks());
      firstKey = v.mul(number, plan.keyBlock);
      count = v.min(v.index(plan.keyBlock), v.sub(v.index(p.block.keys), firstKey));
      v.gather(block, args.k, args.v, row, count, [&](Value j) { return v.add(firstKey, j); });
      v.zeroFill(sums, v.index(0), v.index(plan.keyBlock * plan.partWidth()));
      v.loop(v.index(0), v.index(plan.spec.group()), 1, [&](Value head) { emitHead(number, head); });
      const int64_t width = plan.spec.keyWidth, valueWidth = plan.spec.valueWidth;
      Value first = v.add(v.mul(row, p.block.keys), firstKey);
      v.loop(v.index(0), count, 1, [&](Value j) {
        Value from = v.mul(j, plan.partWidth()), at = v.add(first, j);
        v.copyRow(sums, from, args.dk, v.mul(at, width), width);
        v.copyRow(sums, v.add(from, plan.keyPad), args.dv, v.mul(at, valueWidth), valueWidth);
      });
    });
  }

private:
  void emitHead(Value number, Value head) {
    for (auto [site, memref] : keySums) {
      auto type = cast<MemRefType>(memref.getType());
      Value none = arith::ConstantOp::create(v.b, v.b.getZeroAttr(type.getElementType()));
      v.loop(v.index(0), v.index(type.getNumElements()), 1,
             [&](Value i) { memref::StoreOp::create(v.b, none, memref, i); });
    }
    place.batch = v.div(row, p.heads());
    place.headOfGroup = head;
    place.head = v.add(v.mul(v.rem(row, p.heads()), plan.spec.group()), head);
    place.firstKey = firstKey;
    queryHead = v.add(v.mul(row, plan.spec.group()), head);
    bounds = boundRow(v, p, place.batch, place.head);
    // The queries that may see the block.
    Value begin = v.index(0), end = v.index(p.block.queries);
    Value entry = v.add(v.mul(bounds, p.blocks()), number);
    auto narrow = [&](Value table, int64_t width, int64_t from, int64_t until) {
      Value at = v.mul(entry, width);
      begin = v.max(begin, v.loadIndex(table, v.add(at, from)));
      end = v.min(end, v.loadIndex(table, v.add(at, until)));
    };
    if (Value table = builder.bounds().blocks)
      narrow(table, boundEntries, LeastFrom, MostUntil);
    if (Value table = builder.bounds().visits)
      narrow(table, 2, 0, 1);
    begin = v.div(begin, plan.tile);
    end = v.div(v.add(end, plan.tile - 1), plan.tile);
    v.loop(begin, end, 1, [&](Value tile) { emitTile(tile); });
    v.loop(v.index(0), count, 1, [&](Value j) {
      for (auto [site, memref] : keySums) {
        const SiteSums &entry = *llvm::find_if(sites.sums, [&](auto &x) { return x.site == site; });
        Value lanes = vector::LoadOp::create(v.b, entry.lanes, memref, v.mul(j, v.lanes));
        Value at = v.add(v.add(v.mul(queryHead, sites.paddedKeys), firstKey), j);
        memref::StoreOp::create(v.b, v.sumOfLanes(lanes), sites.memref(entry), at);
      }
    });
  }

  VariantWalk::Meeting meet(Value panelStart) {
    return VariantWalk::meet(v, p, builder.bounds(), bounds, v.add(first, panelStart), firstKey, count);
  }

  void emitTile(Value number) {
    first = v.mul(number, plan.tile);
    auto visit = [&] {
      Value queries = v.min(v.index(plan.tile), v.sub(v.index(plan.spec.length), first));
      tile.stage(v.add(v.mul(queryHead, plan.spec.length), first), queries, v.index(0));
      Value padded = v.add(v.mul(queryHead, sites.paddedQueries), first);
      v.loop(v.index(0), v.index(plan.tile), v.lanes, [&](Value i) {
        v.storeLanes(v.loadVector(statistics.lse, v.add(padded, i)), tile.lse, i);
        v.storeLanes(v.loadVector(statistics.shared, v.add(padded, i)), tile.shared, i);
      });
      v.loop(v.index(0), v.index(plan.tile), plan.panel, [&](Value panelStart) {
        VariantWalk::Meeting m = meet(panelStart);
        v.when(m.any, [&] { accumulate({m.begin, m.end, panelStart}, m.masked); });
      });
    };
    if (!builder.bounds().panels && !builder.bounds().blocks)
      return visit();
    Value none = arith::ConstantOp::create(v.b, v.b.getBoolAttr(false));
    Values any = v.loopCarrying(v.index(0), v.index(plan.tile), plan.panel, Values{none},
                                [&](Value panelStart, ValueRange any) {
                                  return Values{arith::OrIOp::create(v.b, any[0], meet(panelStart).any)};
                                });
    v.when(any[0], visit);
  }

  void accumulate(const PanelRange &range, Value masked) {
    Value addsKeys, panel = v.div(range.panelStart, plan.panel);
    PanelRange outer = tile.rounded(range, addsKeys);
    tile.multiply(block, v.index(0), panel, outer);
    Value anyMasked = arith::OrIOp::create(v.b, masked, addsKeys);
    withVariantPairs(v, p.block, {}, anyMasked, [&](bool isMasked) {
      SmallVector<VariantAdjoint::Target> targets;
      for (const SiteSums &entry : sites.sums)
        if (entry.site->kind == Site::Keys)
          targets.push_back({&entry, keySums.lookup(entry.site), {}, {}});
      place.firstQuery = v.add(first, range.panelStart);
      VariantAdjoint pairs(v, builder, Reports(), place, isMasked, targets);
      emitSlopes(v, pairs, outer, tile.weights, tile.slopes, plan.tile, tile.lse, tile.shared,
                 range.panelStart);
      return Values();
    });
    tile.addKeySums(block, v.index(0), outer, sums, v.index(0));
  }

  AttentionCode &v;
  const VariantPlan &p;
  const Plan &plan;
  VariantBuilder &builder;
  VariantSites &sites;
  const KernelArguments &args;
  const Statistics &statistics;
  BackwardTile tile;
  KeyBlock block;
  Buffer sums;                                  ///< [keyBlock, partWidth]: dk, then dv
  llvm::MapVector<const Site *, Value> keySums; ///< [keyBlock, lanes]
  PairsPlace place;
  Value row, firstKey, count, queryHead, bounds, first;
};

} // namespace

void emitVariantBackward(VariantBuilder &builder) {
  const VariantPlan &p = builder.plan;
  const Plan &plan = p.plan;
  auto op = cast<sparsek::VariantAttentionBackwardOp>(p.op);
  VariantSites sites(builder);
  sites.emitClear();

  const int64_t rows = plan.spec.rows();
  Type score = matmulElementType(op.getContext(), plan.compute);
  const int64_t statisticsExtent = plan.spec.batch * plan.spec.queryHeads * sites.paddedQueries;
  VariantOperand logSums = builder.reserve(score, statisticsExtent),
                 shared = builder.reserve(score, statisticsExtent);
  const unsigned firstOther = 3 + unsigned(op.getCaptures().size());
  // The operands that both kernels take.
  auto frame =
      [&](bool isFirst,
          llvm::function_ref<void(AttentionCode &, const KernelArguments &, const Statistics &)> body) {
        int q = builder.operand(0), k = builder.operand(1), v = builder.operand(2),
            dout = builder.operand(firstOther + 2), sums = builder.add(logSums), d = builder.add(shared);
        int o = isFirst ? builder.operand(firstOther) : -1,
            lse = isFirst ? builder.operand(firstOther + 1) : -1,
            dlse = isFirst && op.getDlse() ? builder.operand(firstOther + 3) : -1;
        int dq = isFirst ? builder.result(0) : -1, dk = isFirst ? -1 : builder.result(1),
            dv = isFirst ? -1 : builder.result(2);
        builder.addBlock(/*reports=*/isFirst);
        builder.addBounds();
        if (isFirst)
          sites.addOperands({Site::Queries, Site::Scattered});
        else
          sites.addOperands({Site::Keys});
        int firstRow = builder.integer(0);
        int64_t count = isFirst ? sites.waveRows * sites.chunks() : rows * p.blocks();
        builder.kernel(isFirst ? "queries" : "keys", count, [&](AttentionCode &code, Value begin, Value end) {
          KernelArguments arguments;
          arguments.begin = begin;
          arguments.end = end;
          auto set = [&](Buffer KernelArguments::*member, int number) {
            if (number >= 0)
              arguments.*member = builder.buffer(number);
          };
          set(&KernelArguments::q, q);
          set(&KernelArguments::k, k);
          set(&KernelArguments::v, v);
          set(&KernelArguments::o, o);
          set(&KernelArguments::lse, lse);
          set(&KernelArguments::dout, dout);
          set(&KernelArguments::dlse, dlse);
          set(&KernelArguments::dq, dq);
          set(&KernelArguments::dk, dk);
          set(&KernelArguments::dv, dv);
          arguments.firstRow = builder.argument(firstRow);
          body(code, arguments, {builder.buffer(sums), builder.buffer(d)});
        });
      };
  if (rows > 0 && plan.spec.length > 0) {
    frame(/*isFirst=*/true, [&](AttentionCode &v, const KernelArguments &arguments, const Statistics &stats) {
      QueryKernel(v, builder, sites, arguments, stats).emit();
    });
    VariantStep step = builder.program.steps.pop_back_val();
    sites.emitScattered();
    for (int64_t row = 0; row < rows; row += sites.waveRows) {
      int64_t waveRows = std::min(sites.waveRows, rows - row);
      step.count = waveRows * sites.chunks();
      step.operands.back().number = row;
      builder.program.steps.push_back(step);
      sites.pushScattered(row, waveRows);
    }
  }
  if (rows > 0 && p.block.keys > 0)
    frame(/*isFirst=*/false,
          [&](AttentionCode &v, const KernelArguments &arguments, const Statistics &stats) {
            KeyKernel(v, builder, sites, arguments, stats).emit();
          });
  sites.emitGather();
}

} // namespace heddle::cpu::attention
