#include "compiler/conversion/SparseKToCPU/AttentionReduce.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace heddle::cpu::attention {
namespace {

class ReduceKernel {
public:
  ReduceKernel(AttentionCode &v, const KernelArguments &arguments) : v(v), p(v.plan), args(arguments) {}

  void emit() {
    const AttentionSpec &s = p.spec;
    const int64_t width = p.partWidth(), tasksOfRow = (s.length + p.reduceKeys - 1) / p.reduceKeys;
    sums = v.scratch(p.reduceKeys * width);
    scores = v.scratch((p.reduceKeys + p.lanes - 1) / p.lanes * p.lanes);
    v.loop(args.begin, args.end, 1, [&](Value task) {
      Value waveRow = v.div(task, tasksOfRow), row = v.add(args.firstRow, waveRow);
      first = v.mul(v.rem(task, tasksOfRow), p.reduceKeys);
      last = v.min(v.add(first, p.reduceKeys), v.index(s.length));
      v.zeroFill(sums, v.index(0), v.index(p.reduceKeys * width));
      v.zeroFill(scores, v.index(0), v.index(p.reduceKeys));
      // A key is seen by its own chunk and later ones.
      v.loop(v.div(first, p.chunk), v.index(p.chunks()), 1, [&](Value chunk) {
        Value part = v.add(v.mul(waveRow, p.chunks()), chunk);
        if (s.topk > 0)
          addSlots(v.add(v.mul(row, p.chunks()), chunk), part);
        if (s.window > 0)
          addWindow(chunk, v.add(v.mul(part, p.partRows()), p.firstWindowRow()));
      });
      v.loop(first, last, 1, [&](Value key) {
        Value local = v.sub(key, first), at = v.add(v.mul(row, s.length), key);
        Value from = v.mul(local, width);
        v.copyRow(sums, from, args.dk, v.mul(at, s.keyWidth), s.keyWidth);
        v.copyRow(sums, v.add(from, p.keyPad), args.dv, v.mul(at, s.valueWidth), s.valueWidth);
        v.storeScalar(v.loadScalar(scores, local), args.du, at);
      });
    });
  }

private:
  /// Adds a row of partial sums to that of a key.
  void addRow(Value row, Value key) {
    Value source = v.mul(row, p.partWidth()), target = v.mul(v.sub(key, first), p.partWidth());
    v.loop(v.index(0), v.index(p.partWidth()), p.lanes, [&](Value c) {
      Value at = v.add(target, c);
      v.storeLanes(v.sumOf(v.loadVector(sums, at), v.loadVector(args.part, v.add(source, c))), sums, at);
    });
  }

  void addWindow(Value chunk, Value base) {
    Value start = v.mul(chunk, p.chunk);
    Value origin = firstWindowKey(v, args, start);
    Value end = v.min(v.add(start, p.chunk), v.index(p.spec.length));
    v.loop(v.max(first, origin), v.min(last, end), 1,
           [&](Value key) { addRow(v.add(base, v.sub(key, origin)), key); });
  }

  void addSlots(Value list, Value part) {
    Value rows = v.mul(part, p.partRows()), scoreRows = v.mul(part, p.slotStride);
    Value keys = v.mul(list, p.slotStride), total = v.loadIndex(args.slotTotal, list);
    Value begin = lowerBound(keys, total, first), end = lowerBound(keys, total, last);
    v.loop(begin, end, 1, [&](Value slot) {
      Value key = v.loadIndex(args.slotKeys, v.add(keys, slot));
      addRow(v.add(rows, slot), key);
      Value local = v.sub(key, first);
      Value sum = v.sumOf(v.loadScalar(scores, local), v.loadScalar(args.scorePart, v.add(scoreRows, slot)));
      v.storeScalar(sum, scores, local);
    });
  }

  /// The first of the ascending slots whose key is not below `key`.
  Value lowerBound(Value keys, Value total, Value key) {
    int64_t steps = 1;
    while ((int64_t(1) << steps) <= p.slotStride)
      ++steps;
    Values bounds =
        v.loopCarrying(v.index(0), v.index(steps), 1, Values{v.index(0), total}, [&](Value, ValueRange b) {
          Value middle = v.div(v.add(b[0], b[1]), 2);
          Value open = v.less(b[0], b[1]);
          // Once the bounds meet nothing changes; the element read then may be the one after the last, so
          // read the first.
          Value at = v.select(open, middle, v.index(0));
          Value below = v.less(v.loadIndex(args.slotKeys, v.add(keys, at)), key);
          Value goUp = arith::AndIOp::create(v.b, open, below);
          Value low = v.select(goUp, v.add(middle, 1), b[0]);
          Value high = v.select(below, b[1], v.select(open, middle, b[1]));
          return Values{low, high};
        });
    return bounds[0];
  }

  AttentionCode &v;
  const Plan &p;
  const KernelArguments &args;
  Buffer sums, scores;
  Value first, last;
};

} // namespace

void emitReduceKernel(AttentionCode &v, const KernelArguments &args) { ReduceKernel(v, args).emit(); }

} // namespace heddle::cpu::attention
