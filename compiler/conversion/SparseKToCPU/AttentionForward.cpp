// The forward kernel: one task is one tile of queries of one key-value head, with all query heads of its
// group.
//
// Keys come in blocks: first the selected ones, gathered by the tile's list, then the window. A block is
// copied once for all heads; per panel of queries its scores (keys x queries) pass through the online softmax
// into the weights of the values. The running output is kept as widths x queries, so a rescaling is a product
// of lanes.
#include "compiler/conversion/SparseKToCPU/AttentionCode.h"
#include "compiler/conversion/SparseKToCPU/KeyBlocks.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinOps.h"
#include <limits>

using namespace mlir;

namespace heddle::cpu {
namespace attention {
namespace {

class ForwardKernel {
public:
  ForwardKernel(AttentionCode &v, const KernelArguments &arguments, KeyWalk &walk)
      : v(v), p(v.plan), args(arguments), walk(walk) {}

  void emit() {
    const AttentionSpec &s = p.spec;
    rows = v.scratch(p.tile * std::max(p.keyPad, p.valuePad));
    queries = v.scratch(p.headBlock * p.tile * s.keyWidth);
    output = v.scratch(p.headBlock * p.tile * s.valueWidth);
    state = {v.scratch(p.headBlock * p.tile), v.scratch(p.headBlock * p.tile)};
    factor = v.scratch(p.tile);
    weights = v.scratch(p.keyBlock * p.panel);
    if (walk.hasGates())
      gates = v.scratch(p.keyBlock * p.panel);
    v.loop(args.begin, args.end, 1, [&](Value task) {
      row = v.div(task, p.tiles());
      tile = v.rem(task, p.tiles());
      first = v.mul(tile, p.tile);
      count = v.min(v.index(p.tile), v.sub(v.index(s.length), first));
      walk.startTile({row, tile, first, count});
      v.loop(v.index(0), v.index(s.group()), p.headBlock, [&](Value head) { emitHeads(head); });
    });
  }

private:
  void emitHeads(Value firstHead) {
    auto eachHead = [&](llvm::function_ref<void(Value)> body) {
      v.loop(v.index(0), v.index(p.headBlock), 1, body);
    };
    eachHead([&](Value head) { start(firstHead, head); });
    walk.forEachBlock(firstHead, [&](const KeyBlock &block, PanelRangeOf rangeOf) {
      eachHead([&](Value head) {
        v.loop(v.index(0), v.index(p.tile / p.panel), 1, [&](Value panel) {
          rangeOf(v.mul(panel, p.panel), [&](const PanelRange &range, Value masked) {
            accumulate(block, firstHead, head, panel, range, masked);
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
    v.stageRows(args.q, v.mul(queryRow(firstHead, head), width), count, width, p.keyPad, rows, v.index(0));
    v.scaleRows(rows, v.index(0), p.keyPad, p.spec.scale);
    v.toPanels(rows, v.index(0), width, p.keyPad, queries, v.mul(head, p.tile * width));
    v.zeroFill(output, v.mul(head, p.tile * valueWidth), v.index(p.tile * valueWidth));
    v.zeroFill(state.total, v.mul(head, p.tile), v.index(p.tile));
    Value lowest = v.lowest();
    v.loop(v.index(0), v.index(p.tile), p.lanes,
           [&](Value i) { v.storeLanes(lowest, state.largest, v.add(v.mul(head, p.tile), i)); });
  }

  void accumulate(const KeyBlock &block, Value firstHead, Value head, Value panel, const PanelRange &range,
                  Value masked) {
    const AttentionSpec &s = p.spec;
    Value queryBase = v.add(v.mul(head, p.tile * s.keyWidth), v.mul(panel, s.keyWidth * p.panel));
    v.scoreProduct(block.keys, p.keyPad, s.keyWidth, queries, queryBase, range, weights, p.panel, v.index(0));
    Value stats = v.add(v.mul(head, p.tile), range.panelStart);
    const Type types[] = {v.laneVectorType(), v.laneVectorType()};
    Values rescale = walk.withPairs(types, v.add(firstHead, head), range, masked, [&](Pairs &pairs) {
      return emitSoftmax(v, pairs, range, weights, gates, state, stats);
    });
    Value outputBase = v.add(v.mul(head, p.tile * s.valueWidth), v.mul(panel, s.valueWidth * p.panel));
    v.when(
        arith::AndIOp::create(v.b, masked, block.oddValues),
        [&] {
          auto takesPart = [&](Value j, int64_t part, Value weight) {
            return walk.takesPart(range, j, part, weight);
          };
          v.maskedSum(takesPart, block.values, p.valuePad, s.valueWidth, weights, p.panel, v.index(0), range,
                      rescale, output, outputBase);
        },
        [&] {
          v.weightedSum(block.values, p.valuePad, s.valueWidth, weights, p.panel, v.index(0), range, rescale,
                        output, outputBase);
        });
  }

  void finish(Value firstHead, Value head) {
    const int64_t valueWidth = p.spec.valueWidth;
    const double infinity = std::numeric_limits<double>::infinity();
    v.loop(v.index(0), v.index(p.tile), p.lanes, [&](Value i) {
      Value at = v.add(v.mul(head, p.tile), i);
      Value sum = v.loadVector(state.total, at);
      // A query that attends to nothing: zero, and a logarithm of -inf.
      Value empty = arith::CmpFOp::create(v.b, arith::CmpFPredicate::OEQ, sum, v.zero());
      Value inverse = v.select(empty, v.zero(), v.divf(v.constant(1), sum));
      Value lse = v.sumOf(v.loadVector(state.largest, at), v.logarithm(sum));
      lse = v.select(empty, v.constant(-infinity), lse);
      if (Value nan = walk.brokenQueries(i)) {
        Value quiet = v.constant(std::numeric_limits<double>::quiet_NaN());
        inverse = v.select(nan, quiet, inverse);
        lse = v.select(nan, quiet, lse);
      }
      // NaN scores make the sum NaN; the logarithm by steps does not carry that.
      lse = v.select(v.isNan(sum), sum, lse);
      v.storeLanes(inverse, factor, i);
      v.storeLanes(lse, state.total, at);
    });
    v.fromPanels(output, v.mul(head, p.tile * valueWidth), valueWidth, p.valuePad, factor, v.index(0), rows);
    Value at = queryRow(firstHead, head);
    v.loop(v.index(0), count, 1, [&](Value r) {
      v.copyRow(rows, v.mul(r, p.valuePad), args.o, v.mul(v.add(at, r), valueWidth), valueWidth);
      v.storeScalar(v.loadScalar(state.total, v.add(v.mul(head, p.tile), r)), args.lse, v.add(at, r));
    });
  }

  AttentionCode &v;
  const Plan &p;
  const KernelArguments &args;
  KeyWalk &walk;
  Buffer rows, queries, output, factor, weights, gates;
  SoftmaxState state;
  Value row, tile, first, count;
};

} // namespace

void emitForwardKernel(AttentionCode &v, const KernelArguments &args, KeyWalk &walk) {
  ForwardKernel(v, args, walk).emit();
}

} // namespace attention

static AttentionProgram forwardProgram(const attention::Plan &plan, StringRef namePrefix) {
  using namespace attention;
  using A = AttentionArgument;
  AttentionProgram program;
  if (plan.spec.rows() == 0 || plan.spec.length == 0 || plan.spec.queryHeads == 0)
    return program;
  AttentionStep step;
  step.symbol = (namePrefix + "_attention").str();
  step.count = plan.spec.rows() * plan.tiles();
  for (A argument : {A::Q, A::K, A::V})
    step.operands.push_back(bufferOperand(plan, argument));
  if (plan.spec.packed)
    step.operands.push_back(bufferOperand(plan, A::Bounds));
  if (plan.spec.topk > 0) {
    Workspace workspace;
    AttentionStep lists;
    auto listOperands = takeTileLists(plan, workspace, lists);
    program.steps.push_back(lists);
    program.workspaceBytes = workspace.bytes();
    for (A argument : {A::U, A::Hi, A::Lo, A::End})
      step.operands.push_back(bufferOperand(plan, argument));
    step.operands.append(listOperands);
  }
  step.operands.push_back(bufferOperand(plan, A::O));
  step.operands.push_back(bufferOperand(plan, A::Lse));
  program.steps.push_back(step);
  return program;
}

AttentionProgram emitAttentionForward(OpBuilder &builder, ModuleOp module, const AttentionSpec &spec,
                                      const MatmulTarget &target, StringRef namePrefix) {
  using namespace attention;
  const Plan plan = makePlan(spec, target, Pass::Forward);
  AttentionProgram program = forwardProgram(plan, namePrefix);
  if (!program.steps.empty())
    emitKernel(builder, module, plan, program.steps.back(),
               [&](AttentionCode &v, const KernelArguments &arguments) {
                 KeyBlocks blocks(v, arguments);
                 emitForwardKernel(v, arguments, blocks);
               });
  return program;
}

} // namespace heddle::cpu
