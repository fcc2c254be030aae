// The backward kernels. A task of the first one is a chunk of queries of one key-value head: it recomputes
// the weights tile by tile from the stored lse, writes dq and dtau, and adds dk, dv and du to partial sums of
// its own, one row per key that the chunk sees. The second kernel adds the partial sums of all chunks, in
// their order.
#include "compiler/conversion/SparseKToCPU/AttentionCode.h"
#include "compiler/conversion/SparseKToCPU/AttentionReduce.h"
#include "compiler/conversion/SparseKToCPU/BackwardTile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace heddle::cpu {
namespace attention {
namespace {

class BackwardKernel {
public:
  BackwardKernel(AttentionCode &v, const KernelArguments &arguments)
      : v(v), p(v.plan), args(arguments), staged(v, arguments, p.headBlock) {}

  void emit() {
    queryGradients = v.scratch(p.headBlock * p.tile * p.spec.keyWidth);
    gradients.thresholds = v.scratch(p.tile);
    if (routes())
      gradients.scores = v.scratch(p.keyBlock * p.lanes);
    blocks.emplace(v, args);
    blocks->gradients = &gradients;
    v.loop(args.begin, args.end, 1, [&](Value task) {
      row = v.add(args.firstRow, v.div(task, p.chunks()));
      Value chunk = v.rem(task, p.chunks());
      partBase = v.mul(task, p.partRows());
      scoreBase = v.mul(task, p.slotStride);
      clearParts(chunk);
      Value firstTile = v.mul(chunk, p.chunk / p.tile);
      Value lastTile = v.min(v.add(firstTile, p.chunk / p.tile), v.index(p.tiles()));
      v.loop(firstTile, lastTile, 1, [&](Value tile) { emitTile(tile); });
    });
  }

private:
  bool routes() const { return p.routesKeys() || p.routesValues(); }

  void clearParts(Value chunk) {
    const AttentionSpec &s = p.spec;
    const int64_t width = p.partWidth();
    if (s.topk > 0) {
      Value total = v.loadIndex(args.slotTotal, v.add(v.mul(row, p.chunks()), chunk));
      v.zeroFill(args.part, v.mul(partBase, width), v.mul(total, width));
      v.loop(v.index(0), total, 1,
             [&](Value i) { v.storeScalar(v.zeroScalar(), args.scorePart, v.add(scoreBase, i)); });
    }
    if (s.window > 0) {
      Value start = v.mul(chunk, p.chunk);
      Value end = v.min(v.add(start, p.chunk), v.index(s.length));
      Value begin = firstWindowKey(v, args, start);
      v.zeroFill(args.part, v.mul(v.add(partBase, p.firstWindowRow()), width),
                 v.mul(v.sub(end, begin), width));
    }
  }

  void emitTile(Value tile) {
    first = v.mul(tile, p.tile);
    count = v.min(v.index(p.tile), v.sub(v.index(p.spec.length), first));
    blocks->startTile({row, tile, first, count});
    v.zeroFill(gradients.thresholds, v.index(0), v.index(p.tile));
    v.loop(v.index(0), v.index(p.spec.group()), p.headBlock, [&](Value head) { emitHeads(head); });
    Value at = v.add(v.mul(row, p.spec.length), first);
    v.loop(v.index(0), count, 1,
           [&](Value i) { v.storeScalar(v.loadScalar(gradients.thresholds, i), args.dtau, v.add(at, i)); });
  }

  void emitHeads(Value firstHead) {
    auto eachHead = [&](llvm::function_ref<void(Value)> body) {
      v.loop(v.index(0), v.index(p.headBlock), 1, body);
    };
    eachHead([&](Value head) { start(firstHead, head); });
    blocks->forEachBlock(firstHead, [&](const KeyBlock &block, PanelRangeOf rangeOf) {
      if (routes())
        v.zeroFill(gradients.scores, v.index(0), v.index(p.keyBlock * p.lanes));
      eachHead([&](Value head) {
        v.loop(v.index(0), v.index(p.tile / p.panel), 1, [&](Value panel) {
          rangeOf(v.mul(panel, p.panel), [&](const PanelRange &range, Value masked) {
            accumulate(block, head, panel, range, masked);
          });
        });
      });
      if (routes())
        blocks->kind.each(v, {}, [&](bool selected) {
          if (selected)
            addScoreGradients(block);
          return Values();
        });
    });
    eachHead([&](Value head) { finish(firstHead, head); });
  }

  void addScoreGradients(const KeyBlock &block) {
    v.loop(v.index(0), blocks->blockCount, 1, [&](Value j) {
      Value at = v.add(scoreBase, v.loadIndex(block.slot, j));
      Value sum = v.sumOfLanes(v.loadVector(gradients.scores, v.mul(j, p.lanes)));
      v.storeScalar(v.sumOf(v.loadScalar(args.scorePart, at), sum), args.scorePart, at);
    });
  }

  Value queryRow(Value firstHead, Value head) {
    Value queryHead = v.add(v.mul(row, p.spec.group()), v.add(firstHead, head));
    return v.add(v.mul(queryHead, p.spec.length), first);
  }

  void start(Value firstHead, Value head) {
    const int64_t panels = p.tile * p.spec.keyWidth;
    Value query = queryRow(firstHead, head);
    staged.stage(query, count, head);
    staged.computeStatistics(query, count, head);
    v.zeroFill(queryGradients, v.mul(head, panels), v.index(panels));
  }

  void accumulate(const KeyBlock &block, Value head, Value panel, const PanelRange &range, Value masked) {
    const int64_t width = p.spec.keyWidth;
    // Whole register tiles of keys; the pairs that this adds are masked.
    Value addsKeys;
    PanelRange outer = staged.rounded(range, addsKeys);
    staged.multiply(block, head, panel, outer);
    Value anyMasked = arith::OrIOp::create(v.b, masked, addsKeys);
    Value stats = v.add(v.mul(head, p.tile), range.panelStart);
    blocks->withPairs({}, head, outer, anyMasked, [&](Pairs &pairs) {
      emitSlopes(v, pairs, outer, staged.weights, staged.slopes, p.tile, staged.lse, staged.shared, stats);
      return Values();
    });
    Value gradientBase = v.add(v.mul(head, p.tile * width), v.mul(panel, width * p.panel));
    v.when(
        arith::AndIOp::create(v.b, masked, block.oddKeys),
        [&] {
          auto takesPart = [&](Value j, int64_t part, Value weight) {
            return blocks->takesPart(range, j, part, weight);
          };
          v.maskedSum(takesPart, block.keys, p.keyPad, width, staged.slopes, p.tile, range.panelStart, range,
                      {}, queryGradients, gradientBase);
        },
        [&] {
          v.weightedSum(block.keys, p.keyPad, width, staged.slopes, p.tile, range.panelStart, range, {},
                        queryGradients, gradientBase);
        });
    staged.addKeySums(block, head, outer, args.part, partBase);
  }

  void finish(Value firstHead, Value head) {
    const int64_t width = p.spec.keyWidth;
    // The tile's statistics and staged queries are no longer needed.
    Value scale = v.constant(p.spec.scale);
    v.loop(v.index(0), v.index(p.tile), p.lanes, [&](Value i) { v.storeLanes(scale, staged.lse, i); });
    v.fromPanels(queryGradients, v.mul(head, p.tile * width), width, p.keyPad, staged.lse, v.index(0),
                 staged.queryRows);
    Value at = queryRow(firstHead, head);
    v.loop(v.index(0), count, 1, [&](Value r) {
      v.copyRow(staged.queryRows, v.mul(r, p.keyPad), args.dq, v.mul(v.add(at, r), width), width);
    });
  }

  AttentionCode &v;
  const Plan &p;
  const KernelArguments &args;
  std::optional<KeyBlocks> blocks;
  BackwardTile staged;   ///< of p.headBlock heads
  Buffer queryGradients; ///< panels of dq without its scale
  GateGradients gradients;
  Value row, first, count;
  Value partBase, scoreBase; ///< rows of the chunk's partial sums
};

} // namespace
} // namespace attention

static AttentionProgram backwardProgram(const attention::Plan &plan, StringRef namePrefix) {
  using namespace attention;
  using A = AttentionArgument;
  using E = AttentionOperand::Element;
  const AttentionSpec &s = plan.spec;
  AttentionProgram program;
  if (s.rows() == 0 || s.length == 0 || s.queryHeads == 0)
    return program;

  Workspace workspace;
  llvm::SmallVector<AttentionOperand, 5> lists;
  if (s.topk > 0) {
    const int64_t tiles = s.rows() * plan.tiles(), chunks = s.rows() * plan.chunks();
    for (int64_t extent : {tiles * plan.listStride, tiles, tiles, chunks * plan.slotStride, chunks})
      lists.push_back(workspace.take(plan, E::I32, extent));
    AttentionStep call;
    call.isRuntimeCall = true;
    call.symbol = "heddle_call_sparsek_tile_slots";
    call.operands.push_back(bufferOperand(plan, A::End));
    for (int64_t value :
         {s.rows(), s.length, s.topk, s.window, plan.tile, plan.listStride, plan.chunk, plan.slotStride})
      call.operands.push_back(integerOperand(value));
    call.operands.append(lists.begin(), lists.end());
    program.steps.push_back(call);
  }
  const int64_t parts = plan.wave * plan.chunks();
  llvm::SmallVector<AttentionOperand, 2> partOperands{
      workspace.take(plan, E::Score, parts * plan.partRows() * plan.partWidth()),
      workspace.take(plan, E::Score, parts * plan.slotStride)};
  program.workspaceBytes = workspace.bytes();

  AttentionStep main, reduce;
  main.symbol = (namePrefix + "_attention_backward").str();
  for (A argument : {A::Q, A::K, A::V, A::O, A::Lse, A::DOut})
    main.operands.push_back(bufferOperand(plan, argument));
  if (s.has(A::DLse))
    main.operands.push_back(bufferOperand(plan, A::DLse));
  if (s.topk > 0)
    for (A argument : {A::U, A::Hi, A::Lo, A::End})
      main.operands.push_back(bufferOperand(plan, argument));
  if (s.packed)
    for (AttentionStep *step : {&main, &reduce})
      step->operands.push_back(bufferOperand(plan, A::Bounds));
  main.operands.append(lists.begin(), lists.end());
  main.operands.append(partOperands.begin(), partOperands.end());
  main.operands.push_back(bufferOperand(plan, A::DQ));
  main.operands.push_back(bufferOperand(plan, A::DTau));
  main.operands.push_back(integerOperand(0));

  reduce.symbol = (namePrefix + "_attention_reduce").str();
  reduce.operands.append(lists.begin(), lists.end());
  reduce.operands.append(partOperands.begin(), partOperands.end());
  for (A argument : {A::DK, A::DV, A::DU})
    reduce.operands.push_back(bufferOperand(plan, argument));
  reduce.operands.push_back(integerOperand(0));

  // Waves of rows share the memory of the partial sums.
  for (int64_t row = 0; row < s.rows(); row += plan.wave) {
    const int64_t rows = std::min(plan.wave, s.rows() - row);
    main.count = rows * plan.chunks();
    reduce.count = rows * ((s.length + plan.reduceKeys - 1) / plan.reduceKeys);
    main.operands.back().integer = reduce.operands.back().integer = row;
    program.steps.push_back(main);
    program.steps.push_back(reduce);
  }
  return program;
}

AttentionProgram emitAttentionBackward(OpBuilder &builder, ModuleOp module, const AttentionSpec &spec,
                                       const MatmulTarget &target, StringRef namePrefix) {
  using namespace attention;
  const Plan plan = makePlan(spec, target, Pass::Backward);
  AttentionProgram program = backwardProgram(plan, namePrefix);
  if (program.steps.empty())
    return program;
  // Every wave runs the same two kernels.
  emitKernel(
      builder, module, plan, program.steps[program.steps.size() - 2],
      [&](AttentionCode &v, const KernelArguments &arguments) { BackwardKernel(v, arguments).emit(); });
  emitKernel(builder, module, plan, program.steps.back(), emitReduceKernel);
  return program;
}

} // namespace heddle::cpu
