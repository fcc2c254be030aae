// The kernel of forward mode: one task is one tile of queries of one key-value head, with all query heads of
// its group, as in the forward pass.
//
// The weights come again from the stored lse, so nothing has to be rescaled: per block of keys two products
// give the scores and their change, and one or two weighted sums the change of the output. The tangent of lse
// is the mean change of the scores; what it takes from the output is subtracted at the end of the tile.
#include "compiler/conversion/SparseKToCPU/AttentionCode.h"
#include "compiler/conversion/SparseKToCPU/KeyBlocks.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace heddle::cpu {
namespace attention {
namespace {

class TangentKernel {
public:
  TangentKernel(AttentionCode &v, const KernelArguments &arguments) : v(v), p(v.plan), args(arguments) {}

  void emit() {
    const AttentionSpec &s = p.spec;
    rows = v.scratch(p.tile * std::max(p.keyPad, p.valuePad));
    queries = v.scratch(p.headBlock * p.tile * s.keyWidth);
    if (args.dq.memref)
      queryTangents = v.scratch(p.headBlock * p.tile * s.keyWidth);
    output = v.scratch(p.headBlock * p.tile * s.valueWidth);
    lse = v.scratch(p.headBlock * p.tile);
    shift = v.scratch(p.headBlock * p.tile);
    ones = v.scratch(p.tile);
    if (args.dtau.memref)
      tau = v.scratch(p.tile);
    weights = v.scratch(p.keyBlock * p.panel);
    if (movesProducts() || args.dv.memref)
      changes = v.scratch(p.keyBlock * p.panel);
    Value one = v.constant(1);
    v.loop(v.index(0), v.index(p.tile), p.lanes, [&](Value i) { v.storeLanes(one, ones, i); });
    blocks.emplace(v, args);
    if (movesGates())
      blocks->gradients = &gradients;
    v.loop(args.begin, args.end, 1, [&](Value task) {
      row = v.div(task, p.tiles());
      Value tile = v.rem(task, p.tiles());
      first = v.mul(tile, p.tile);
      count = v.min(v.index(p.tile), v.sub(v.index(s.length), first));
      blocks->startTile({row, tile, first, count});
      if (tau.memref) {
        v.zeroFill(tau, v.index(0), v.index(p.tile));
        Value at = v.add(v.mul(row, s.length), first);
        v.loop(v.index(0), count, 1,
               [&](Value i) { v.storeScalar(v.loadScalar(args.dtau, v.add(at, i)), tau, i); });
      }
      v.loop(v.index(0), v.index(s.group()), p.headBlock, [&](Value head) { emitHeads(head); });
    });
  }

private:
  /// Whether q . k changes, and whether the gate of a selected pair does.
  bool movesProducts() const { return args.dq.memref || args.dk.memref; }
  bool movesGates() const { return args.du.memref || args.dtau.memref; }

  void emitHeads(Value firstHead) {
    auto eachHead = [&](llvm::function_ref<void(Value)> body) {
      v.loop(v.index(0), v.index(p.headBlock), 1, body);
    };
    eachHead([&](Value head) { start(firstHead, head); });
    blocks->forEachBlock(firstHead, [&](const KeyBlock &block, PanelRangeOf rangeOf) {
      eachHead([&](Value head) {
        v.loop(v.index(0), v.index(p.tile / p.panel), 1, [&](Value panel) {
          rangeOf(v.mul(panel, p.panel), [&](const PanelRange &range, Value masked) {
            accumulate(block, head, panel, range, masked);
          });
        });
      });
    });
    eachHead([&](Value head) { finish(firstHead, head); });
  }

  Value queryRow(Value firstHead, Value head) {
    Value queryHead = v.add(v.mul(row, p.spec.group()), v.add(firstHead, head));
    return v.add(v.mul(queryHead, p.spec.length), first);
  }

  void start(Value firstHead, Value head) {
    const int64_t width = p.spec.keyWidth, valueWidth = p.spec.valueWidth;
    Value at = queryRow(firstHead, head);
    // Queries and their tangents carry the scale: scores and their changes need no factor.
    auto stage = [&](Buffer from, Buffer panels) {
      v.stageRows(from, v.mul(at, width), count, width, p.keyPad, rows, v.index(0));
      v.scaleRows(rows, v.index(0), p.keyPad, p.spec.scale);
      v.toPanels(rows, v.index(0), width, p.keyPad, panels, v.mul(head, p.tile * width));
    };
    stage(args.q, queries);
    if (args.dq.memref)
      stage(args.dq, queryTangents);
    v.zeroFill(output, v.mul(head, p.tile * valueWidth), v.index(p.tile * valueWidth));
    Value stats = v.mul(head, p.tile);
    v.zeroFill(shift, stats, v.index(p.tile));
    // With the largest number as lse, queries that see nothing and those that do not exist weigh nothing.
    Value lowest = v.lowest(), largest = v.subf(v.zero(), lowest);
    auto eachVector = [&](llvm::function_ref<void(Value)> body) {
      v.loop(v.index(0), v.index(p.tile), p.lanes, [&](Value i) { body(v.add(stats, i)); });
    };
    eachVector([&](Value i) { v.storeLanes(largest, lse, i); });
    v.loop(v.index(0), count, 1,
           [&](Value r) { v.storeScalar(v.loadScalar(args.lse, v.add(at, r)), lse, v.add(stats, r)); });
    eachVector([&](Value i) {
      Value x = v.loadVector(lse, i);
      v.storeLanes(v.select(v.isGreater(lowest, x), largest, x), lse, i);
    });
  }

  void accumulate(const KeyBlock &block, Value head, Value panel, const PanelRange &range, Value masked) {
    const AttentionSpec &s = p.spec;
    Value queryBase = v.add(v.mul(head, p.tile * s.keyWidth), v.mul(panel, s.keyWidth * p.panel));
    auto product = [&](Buffer keys, Buffer panels, Buffer out, bool accumulate) {
      v.scoreProduct(keys, p.keyPad, s.keyWidth, panels, queryBase, range, out, p.panel, v.index(0),
                     accumulate);
    };
    product(block.keys, queries, weights, false);
    if (args.dq.memref)
      product(block.keys, queryTangents, changes, false);
    if (args.dk.memref)
      product(block.keyTangents, queries, changes, args.dq.memref != nullptr);
    Value stats = v.add(v.mul(head, p.tile), range.panelStart);
    blocks->withGatePairs({}, range, masked, [&](GatePairs &pairs) {
      weigh(block, pairs, range, stats);
      return Values();
    });
    Value outputBase = v.add(v.mul(head, p.tile * s.valueWidth), v.mul(panel, s.valueWidth * p.panel));
    auto sum = [&](Buffer values, Buffer factors) {
      v.when(
          arith::AndIOp::create(v.b, masked, block.oddValues),
          [&] {
            auto takesPart = [&](Value j, int64_t part, Value weight) {
              return blocks->takesPart(range, j, part, weight);
            };
            v.maskedSum(takesPart, values, p.valuePad, s.valueWidth, factors, p.panel, v.index(0), range, {},
                        output, outputBase);
          },
          [&] {
            v.weightedSum(values, p.valuePad, s.valueWidth, factors, p.panel, v.index(0), range, {}, output,
                          outputBase);
          });
    };
    if (movesProducts() || movesGates())
      sum(block.values, weights);
    if (args.dv.memref)
      sum(block.valueTangents, changes);
  }

  /// From scores and their changes, in place: the factors of the values and of their tangents. Adds to the
  /// tangent of lse.
  void weigh(const KeyBlock &block, GatePairs &pairs, const PanelRange &range, Value stats) {
    Values logSum, tauTangent, shifts;
    for (int64_t part = 0; part < 2; ++part) {
      logSum.push_back(v.loadVector(lse, v.add(stats, part * p.lanes)));
      shifts.push_back(v.loadVector(shift, v.add(stats, part * p.lanes)));
      if (tau.memref)
        tauTangent.push_back(v.loadVector(tau, v.add(range.panelStart, part * p.lanes)));
    }
    shifts = v.loopCarrying(range.begin, range.end, 1, shifts, [&](Value j, ValueRange sums) {
      Values next;
      for (int64_t part = 0; part < 2; ++part) {
        Value at = v.add(v.mul(j, p.panel), part * p.lanes);
        Value product = v.loadVector(weights, at);
        Value change = movesProducts() ? v.loadVector(changes, at) : v.zero();
        Pair pair = pairs.pair(j, part, product);
        Value weight = v.exponential(v.subf(pair.score, logSum[part]));
        change = pairs.timesKeyGate(change);
        Value gateTangent;
        if (pairs.gateMovesScore() || pairs.gateMovesValue()) {
          gateTangent = block.scoreTangents.memref ? v.splat(v.loadScalar(block.scoreTangents, j)) : v.zero();
          if (tau.memref)
            gateTangent = v.subf(gateTangent, tauTangent[part]);
          gateTangent = v.select(pairs.gateMoves(), gateTangent, v.zero());
        }
        if (pairs.gateMovesScore())
          change = v.multiplyAdd(gateTangent, product, change);
        Value moved = v.mulf(weight, change);
        Value factor = pair.gate ? v.mulf(change, pair.gate) : change;
        if (pairs.gateMovesValue())
          factor = v.sumOf(factor, gateTangent);
        factor = v.mulf(weight, factor);
        Value valueWeight = pair.gate ? v.mulf(weight, pair.gate) : weight;
        if (pair.seen) { // what a masked pair holds may not be finite
          moved = v.select(pair.seen, moved, v.zero());
          factor = v.select(pair.seen, factor, v.zero());
          valueWeight = v.select(pair.seen, valueWeight, v.zero());
        }
        v.storeLanes(factor, weights, at);
        if (args.dv.memref)
          v.storeLanes(valueWeight, changes, at);
        next.push_back(v.sumOf(sums[part], moved));
      }
      return next;
    });
    for (int64_t part = 0; part < 2; ++part)
      v.storeLanes(shifts[part], shift, v.add(stats, part * p.lanes));
  }

  void finish(Value firstHead, Value head) {
    const int64_t width = p.spec.valueWidth, whole = width / p.lanes * p.lanes;
    Value stats = v.mul(head, p.tile);
    v.loop(v.index(0), v.index(p.tile), p.lanes, [&](Value i) {
      // A query with a NaN threshold is NaN, whether it attends to something or not.
      Value at = v.add(stats, i), logSum = v.loadVector(lse, at);
      v.storeLanes(v.select(v.isNan(logSum), logSum, v.loadVector(shift, at)), shift, at);
    });
    v.fromPanels(output, v.mul(head, p.tile * width), width, p.valuePad, ones, v.index(0), rows);
    Value at = queryRow(firstHead, head);
    v.loop(v.index(0), count, 1, [&](Value r) {
      Value source = v.mul(v.add(at, r), width), target = v.mul(r, p.valuePad);
      Value change = v.loadScalar(shift, v.add(stats, r)), minus = v.subf(v.zero(), v.splat(change));
      auto subtract = [&](Value c, int64_t lanes) {
        Value here = v.add(target, c);
        v.storeLanes(
            v.multiplyAdd(minus, v.loadLanes(args.o, v.add(source, c), lanes), v.loadVector(rows, here)),
            rows, here);
      };
      v.loop(v.index(0), v.index(whole), p.lanes, [&](Value c) { subtract(c, p.lanes); });
      if (width > whole)
        subtract(v.index(whole), width - whole);
      v.copyRow(rows, target, args.dout, source, width);
      v.storeScalar(change, args.dlse, v.add(at, r));
    });
  }

  AttentionCode &v;
  const Plan &p;
  const KernelArguments &args;
  std::optional<KeyBlocks> blocks;
  GateGradients gradients;               ///< nothing is added up: says that the gates move
  Buffer rows;                           ///< [tile, pad], in transit
  Buffer queries, queryTangents, output; ///< panels of each head; output is that of the tangent
  Buffer lse, shift;                     ///< [head, tile]; shift is the tangent of lse
  Buffer ones, tau;                      ///< [tile]; tau is the thresholds' tangent
  Buffer weights, changes;               ///< [keyBlock, panel]
  Value row, first, count;
};

} // namespace
} // namespace attention

static AttentionProgram tangentProgram(const attention::Plan &plan, StringRef namePrefix) {
  using namespace attention;
  using A = AttentionArgument;
  AttentionProgram program;
  if (plan.spec.rows() == 0 || plan.spec.length == 0 || plan.spec.queryHeads == 0)
    return program;
  AttentionStep step;
  step.symbol = (namePrefix + "_attention_tangent").str();
  step.count = plan.spec.rows() * plan.tiles();
  auto take = [&](A argument) { step.operands.push_back(bufferOperand(plan, argument)); };
  for (A argument : {A::Q, A::K, A::V})
    take(argument);
  if (plan.spec.topk > 0) {
    Workspace workspace;
    AttentionStep lists;
    auto listOperands = takeTileLists(plan, workspace, lists);
    program.steps.push_back(lists);
    program.workspaceBytes = workspace.bytes();
    for (A argument : {A::U, A::Hi, A::Lo, A::End})
      take(argument);
    step.operands.append(listOperands);
  }
  if (plan.spec.packed)
    take(A::Bounds);
  for (A argument : {A::O, A::Lse})
    take(argument);
  for (A argument : {A::DQ, A::DK, A::DV})
    if (plan.spec.has(argument))
      take(argument);
  for (A argument : {A::DU, A::DTau})
    if (plan.spec.has(argument) && plan.routesValues())
      take(argument);
  for (A argument : {A::DOut, A::DLse})
    take(argument);
  program.steps.push_back(step);
  return program;
}

AttentionProgram emitAttentionTangent(OpBuilder &builder, ModuleOp module, const AttentionSpec &spec,
                                      const MatmulTarget &target, StringRef namePrefix) {
  using namespace attention;
  const Plan plan = makePlan(spec, target, Pass::Tangent);
  AttentionProgram program = tangentProgram(plan, namePrefix);
  if (!program.steps.empty())
    emitKernel(
        builder, module, plan, program.steps.back(),
        [&](AttentionCode &v, const KernelArguments &arguments) { TangentKernel(v, arguments).emit(); });
  return program;
}

} // namespace heddle::cpu
