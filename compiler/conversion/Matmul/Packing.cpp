// Copies of operands in the order in which the register tiles read them.
#include "compiler/conversion/Matmul/Kernels.h"

namespace heddle::cpu::matmul {

// Runs `whole` over the vectors of [0, steps) and `part` for the rest, whose size is known when compiling.
static void overVectors(VectorCode &v, Value steps, int64_t stepsTail, llvm::function_ref<void(Value)> whole,
                        llvm::function_ref<void(Value)> part) {
  if (stepsTail == 0)
    return v.loop(v.index(0), steps, v.lanes, whole);
  Value over = v.rem(steps, v.lanes);
  Value limit = v.sub(steps, over);
  v.loop(v.index(0), limit, v.lanes, whole);
  v.when(v.equal(over, stepsTail), [&] { part(limit); });
}

void emitPackRows(VectorCode &v, const PanelView &a, Value rows, Value steps, int64_t stepsTail, Buffer to,
                  int64_t rowLength) {
  v.loop(v.index(0), rows, 1, [&](Value row) {
    Value from = v.add(a.base, v.mul(row, a.laneStride));
    Value target = v.mul(row, rowLength);
    if (a.stepStride != 1) {
      v.loop(v.index(0), steps, 1, [&](Value k) {
        v.storeScalar(v.loadScalar(a.buffer, v.add(from, v.mul(k, a.stepStride))), to, v.add(target, k));
      });
      return;
    }
    auto copy = [&](Value k, int64_t count) {
      v.storeLanes(v.loadLanes(a.buffer, v.add(from, k), count), to, v.add(target, k), count);
    };
    overVectors(
        v, steps, stepsTail, [&](Value k) { copy(k, v.lanes); }, [&](Value k) { copy(k, stepsTail); });
  });
}

void emitPackColumns(VectorCode &v, const PanelView &a, int64_t rows, Value steps, Buffer to, Value toBase) {
  v.loop(v.index(0), steps, 1, [&](Value k) {
    Value panel = v.loadShort(a.buffer, v.add(a.base, v.mul(k, a.stepStride)), rows);
    v.storeShort(panel, to, v.add(toBase, v.mul(k, rows)));
  });
}

// Columns that are contiguous along k: squares of lanes x lanes elements are transposed in registers.
static void emitPackTransposed(VectorCode &v, const PanelView &b, int64_t columns, int64_t width, Value steps,
                               int64_t stepsTail, Buffer to, Value toBase) {
  auto square = [&](Value k, int64_t first, int64_t stepCount) {
    int64_t present = std::min(columns - first, v.lanes);
    Values rows;
    for (int64_t i = 0; i < v.lanes; ++i) {
      Value at = v.add(v.add(b.base, k), (first + std::min(i, present - 1)) * b.laneStride);
      rows.push_back(i < present ? v.loadLanes(b.buffer, at, stepCount) : v.zero());
    }
    rows = v.transpose(std::move(rows));
    Value target = v.add(v.add(toBase, v.mul(k, width)), first);
    for (int64_t i = 0; i < stepCount; ++i)
      v.storeLanes(rows[i], to, v.add(target, i * width));
  };
  for (int64_t first = 0; first < columns; first += v.lanes)
    overVectors(
        v, steps, stepsTail, [&](Value k) { square(k, first, v.lanes); },
        [&](Value k) { square(k, first, stepsTail); });
}

void emitPackPanel(VectorCode &v, const PanelView &b, int64_t columns, int64_t width, Value steps,
                   int64_t stepsTail, Buffer to, Value toBase) {
  if (b.stepStride == 1 && b.laneStride != 1)
    return emitPackTransposed(v, b, columns, width, steps, stepsTail, to, toBase);
  v.loop(v.index(0), steps, 1, [&](Value k) {
    Value from = v.add(b.base, v.mul(k, b.stepStride));
    Value target = v.add(toBase, v.mul(k, width));
    for (int64_t first = 0; first < columns; first += v.lanes) {
      int64_t count = std::min(columns - first, v.lanes);
      Value row = v.gatherLanes(b.buffer, v.add(from, first * b.laneStride), b.laneStride, count);
      v.storeLanes(row, to, v.add(target, first));
    }
  });
}

void emitPackKernel(VectorCode &v, const MatmulPlan &plan, ValueRange arguments) {
  const MatmulSpec &spec = plan.spec;
  Buffer from{arguments[2], spec.b.element};
  Buffer to{arguments[3], plan.accumulator};
  int64_t width = plan.tileVectors * plan.lanes;
  int64_t chunks = (spec.k + plan.packSteps - 1) / plan.packSteps;
  int64_t last = plan.lastColumnLanes();
  v.loop(arguments[0], arguments[1], 1, [&](Value task) {
    // Tasks are ordered batch, chunk of k, panel: neighbours read the same rows of B.
    Value panel = v.rem(task, plan.columnPanels);
    Value rest = v.div(task, plan.columnPanels);
    Value first = v.mul(v.rem(rest, chunks), plan.packSteps);
    Value batch = v.div(rest, chunks);
    Value steps = v.min(v.index(plan.packSteps), v.sub(v.index(spec.k), first));
    Value base = v.add(v.mul(batch, spec.b.batchStride), v.mul(first, spec.b.rowStride));
    base = v.add(base, v.mul(panel, width * spec.b.columnStride));
    Value target = v.add(v.mul(batch, plan.columnPanels), panel);
    target = v.add(v.mul(target, width * spec.k), v.mul(first, width));
    PanelView view{from, base, spec.b.columnStride, spec.b.rowStride};
    int64_t tail = spec.k % plan.lanes;
    auto pack = [&](int64_t columns) { emitPackPanel(v, view, columns, width, steps, tail, to, target); };
    if (last == width)
      return pack(width);
    if (plan.columnPanels == 1)
      return pack(last);
    v.when(v.equal(panel, plan.columnPanels - 1), [&] { pack(last); }, [&] { pack(width); });
  });
}

} // namespace heddle::cpu::matmul
