// Copies of operands in the order in which the register tiles read them.
#include "compiler/conversion/Matmul/Kernels.h"

namespace heddle::cpu::matmul {

// Runs `whole` over the vectors of [0, steps) and `part` for the rest, whose size is known when compiling.
static void overVectors(VectorCode &v, const Steps &steps, llvm::function_ref<void(Value)> whole,
                        llvm::function_ref<void(Value)> part) {
  if (steps.tail == 0)
    return v.loop(v.index(0), steps.count, v.lanes, whole);
  Value over = v.rem(steps.count, v.lanes);
  Value limit = v.sub(steps.count, over);
  v.loop(v.index(0), limit, v.lanes, whole);
  v.when(v.equal(over, steps.tail), [&] { part(limit); });
}

Steps chunkSteps(VectorCode &v, int64_t k, int64_t chunk, Value first) {
  int64_t last = k - (k - 1) / chunk * chunk;
  return {v.min(v.index(chunk), v.sub(v.index(k), first)), k % v.lanes, last >= v.lanes};
}

void emitPackRows(VectorCode &v, const PanelView &a, Value rows, const Steps &steps, Buffer to,
                  int64_t rowLength) {
  v.loop(v.index(0), rows, 1, [&](Value row) {
    Value from = v.add(a.base, v.mul(row, a.laneStride));
    Value target = v.mul(row, rowLength);
    if (a.stepStride != 1) {
      v.loop(v.index(0), steps.count, 1, [&](Value k) {
        v.storeScalar(v.loadScalar(a.buffer, v.add(from, v.mul(k, a.stepStride))), to, v.add(target, k));
      });
      return;
    }
    auto copy = [&](Value k, int64_t count) {
      v.storeLanes(v.loadLanes(a.buffer, v.add(from, k), count), to, v.add(target, k), count);
    };
    overVectors(v, steps, [&](Value k) { copy(k, v.lanes); }, [&](Value k) { copy(k, steps.tail); });
  });
}

void emitPackColumns(VectorCode &v, const PanelView &a, const ColumnPanels &panels, Value steps, Buffer to) {
  // Steps outside: with a long stride every step is a page of its own.
  v.loop(v.index(0), steps, 1, [&](Value k) {
    Value from = v.add(a.base, v.mul(k, a.stepStride));
    for (const ColumnPanels::Group &group : panels.groups)
      v.loop(group.first, group.last, 1, [&](Value panel) {
        Value row = v.add(group.start, v.mul(v.sub(panel, group.first), group.rows));
        Value target = v.add(v.mul(row, panels.rowLength), v.mul(k, group.rows));
        v.storeShort(v.loadShort(a.buffer, v.add(from, row), group.rows), to, target);
      });
  });
}

// Columns that are contiguous along k: squares of lanes x lanes elements are transposed in registers.
static void emitPackTransposed(VectorCode &v, const PanelView &b, const PanelColumns &columns, int64_t width,
                               const Steps &steps, Buffer to, Value toBase) {
  auto square = [&](Value k, Value first, int64_t present, int64_t stepCount) {
    Value from = v.add(v.add(b.base, k), v.mul(first, b.laneStride));
    Values rows;
    for (int64_t i = 0; i < v.lanes; ++i)
      rows.push_back(i < present ? v.loadLanes(b.buffer, v.add(from, i * b.laneStride), stepCount)
                                 : v.zero());
    rows = v.transpose(std::move(rows));
    Value target = v.add(v.add(toBase, v.mul(k, width)), first);
    for (int64_t i = 0; i < stepCount; ++i)
      v.storeLanes(rows[i], to, v.add(target, i * width));
  };
  auto strip = [&](Value first, int64_t present) {
    // The last square may overlap the one before it: less code than a second, shorter kind.
    if (steps.tail > 0 && steps.atLeastOneVector) {
      Value latest = v.sub(steps.count, v.index(v.lanes));
      return v.loop(v.index(0), steps.count, v.lanes,
                    [&](Value k) { square(v.min(k, latest), first, present, v.lanes); });
    }
    overVectors(
        v, steps, [&](Value k) { square(k, first, present, v.lanes); },
        [&](Value k) { square(k, first, present, steps.tail); });
  };
  v.loop(v.index(0), columns.whole, v.lanes, [&](Value first) { strip(first, v.lanes); });
  if (columns.partial > 0)
    v.when(columns.hasPartial, [&] { strip(columns.whole, columns.partial); });
}

void emitPackPanel(VectorCode &v, const PanelView &b, const PanelColumns &columns, int64_t width,
                   const Steps &steps, Buffer to, Value toBase) {
  if (b.stepStride == 1 && b.laneStride != 1)
    return emitPackTransposed(v, b, columns, width, steps, to, toBase);
  v.loop(v.index(0), steps.count, 1, [&](Value k) {
    Value from = v.add(b.base, v.mul(k, b.stepStride));
    Value target = v.add(toBase, v.mul(k, width));
    auto copy = [&](Value first, int64_t count) {
      Value at = v.add(from, v.mul(first, b.laneStride));
      v.storeLanes(v.gatherLanes(b.buffer, at, b.laneStride, count), to, v.add(target, first));
    };
    v.loop(v.index(0), columns.whole, v.lanes, [&](Value first) { copy(first, v.lanes); });
    if (columns.partial > 0)
      v.when(columns.hasPartial, [&] { copy(columns.whole, columns.partial); });
  });
}

PanelColumns panelColumns(VectorCode &v, const MatmulPlan &plan, Value panel) {
  int64_t width = plan.tileVectors * plan.lanes, last = plan.lastColumnLanes();
  if (last == width)
    return {v.index(width), 0, {}};
  int64_t partial = last % plan.lanes;
  Value isLast = v.equal(panel, plan.columnPanels - 1);
  Value whole = plan.columnPanels == 1 ? v.index(last - partial)
                                       : v.select(isLast, v.index(last - partial), v.index(width));
  return {whole, partial, isLast};
}

void emitPackKernel(VectorCode &v, const MatmulPlan &plan, ValueRange arguments) {
  const MatmulSpec &spec = plan.spec;
  Buffer from{arguments[2], spec.b.element};
  Buffer to{arguments[3], plan.accumulator};
  int64_t width = plan.tileVectors * plan.lanes;
  int64_t chunks = (spec.k + plan.packSteps - 1) / plan.packSteps;
  v.loop(arguments[0], arguments[1], 1, [&](Value task) {
    // Tasks are ordered batch, chunk of k, panel: neighbours read the same rows of B.
    Value panel = v.rem(task, plan.columnPanels);
    Value rest = v.div(task, plan.columnPanels);
    Value first = v.mul(v.rem(rest, chunks), plan.packSteps);
    Value batch = v.div(rest, chunks);
    Steps steps = chunkSteps(v, spec.k, plan.packSteps, first);
    Value base = v.add(v.mul(batch, spec.b.batchStride), v.mul(first, spec.b.rowStride));
    base = v.add(base, v.mul(panel, width * spec.b.columnStride));
    Value target = v.add(v.mul(batch, plan.columnPanels), panel);
    target = v.add(v.mul(target, width * spec.k), v.mul(first, width));
    PanelView view{from, base, spec.b.columnStride, spec.b.rowStride};
    emitPackPanel(v, view, panelColumns(v, plan, panel), width, steps, to, target);
  });
}

} // namespace heddle::cpu::matmul
