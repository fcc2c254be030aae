// A task of a tiled product: a block of rows times a block of columns of C, over all of k.
#include "compiler/conversion/Matmul/Kernels.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace heddle::cpu::matmul {
namespace {

class TiledKernel {
public:
  TiledKernel(VectorCode &v, const MatmulPlan &plan, ValueRange arguments)
      : v(v), plan(plan), spec(plan.spec), width(plan.tileVectors * plan.lanes) {
    begin = arguments[0];
    end = arguments[1];
    const auto &roles = plan.phases.back().arguments;
    for (size_t i = 0; i < roles.size(); ++i)
      bind(roles[i], arguments[i + 2]);
    if (plan.sourceA == MatmulSource::Local)
      scratchA = scratch(plan.stackElementsA);
    if (plan.sourceB == MatmulSource::Local)
      scratchB = scratch(plan.stackElementsB);
  }

  void emit() {
    v.loop(begin, end, 1, [&](Value task) {
      int64_t tasks = plan.rowTasks * plan.columnTasks;
      Value inBatch = v.rem(task, tasks);
      batch = spec.batch == 1 ? v.index(0) : v.div(task, tasks);
      Value rowTask = v.rem(inBatch, plan.rowTasks);
      Value columnTask = v.div(inBatch, plan.rowTasks);
      firstRowPanel = v.mul(rowTask, plan.rowPanelsPerTask);
      lastRowPanel = v.min(v.add(firstRowPanel, plan.rowPanelsPerTask), v.index(plan.rowPanels));
      firstColumnPanel = v.mul(columnTask, plan.columnPanelsPerTask);
      lastColumnPanel = v.min(v.add(firstColumnPanel, plan.columnPanelsPerTask), v.index(plan.columnPanels));
      firstRow = rowStart(firstRowPanel);
      if (!plan.blocked())
        return emitBlock(v.index(0));
      v.loop(v.index(0), v.index(spec.k), plan.kBlock, [&](Value k) { emitBlock(k); });
    });
  }

private:
  void bind(MatmulArgument role, Value memref) {
    switch (role) {
    case MatmulArgument::A:
      a = {memref, spec.a.element};
      break;
    case MatmulArgument::B:
      b = {memref, spec.b.element};
      break;
    case MatmulArgument::C:
      c = {memref, spec.c.element};
      break;
    case MatmulArgument::Workspace:
      workspace = {memref, plan.accumulator};
      break;
    }
  }

  Buffer scratch(int64_t elements) {
    auto type = mlir::MemRefType::get(elements, v.accumulatorType());
    Value memref =
        mlir::memref::AllocaOp::create(v.b, type, ValueRange(), ValueRange(), v.b.getI64IntegerAttr(64));
    return {memref, plan.accumulator};
  }

  // Panels before tallPanels have tileRows rows, the others one less.
  Value rowStart(Value panel) {
    if (plan.tallPanels == plan.rowPanels)
      return v.mul(panel, plan.tileRows);
    return v.add(v.mul(panel, plan.tileRows - 1), v.min(panel, v.index(plan.tallPanels)));
  }

  // Calls body(first, last, rows) for the panels of the task with equal height.
  void overHeights(llvm::function_ref<void(Value, Value, int64_t)> body) {
    if (plan.tallPanels == plan.rowPanels)
      return body(firstRowPanel, lastRowPanel, plan.tileRows);
    Value border = v.index(plan.tallPanels);
    body(firstRowPanel, v.min(lastRowPanel, border), plan.tileRows);
    body(v.max(firstRowPanel, border), lastRowPanel, plan.tileRows - 1);
  }

  // All of the task's part of C over the k steps from k0 on.
  void emitBlock(Value k0) {
    block = k0;
    steps = chunkSteps(v, spec.k, plan.kBlock, k0);
    if (plan.sourceA == MatmulSource::Local)
      packA();
    if (plan.sourceB == MatmulSource::Local)
      packB();
    int64_t last = plan.lastColumnLanes();
    bool partial = last != width;
    int64_t whole = plan.columnPanels - (partial ? 1 : 0);
    if (whole > 0)
      v.loop(firstColumnPanel, v.min(lastColumnPanel, v.index(whole)), 1,
             [&](Value panel) { emitColumn(panel, plan.tileVectors, plan.lanes); });
    if (!partial)
      return;
    int64_t vectors = (last + plan.lanes - 1) / plan.lanes;
    v.when(v.equal(lastColumnPanel, plan.columnPanels),
           [&] { emitColumn(v.index(plan.columnPanels - 1), vectors, last - (vectors - 1) * plan.lanes); });
  }

  void packA() {
    PanelView view{a, atA(firstRow), spec.a.rowStride, spec.a.columnStride};
    if (plan.copyRows) {
      Value rows = v.sub(rowStart(lastRowPanel), firstRow);
      return emitPackRows(v, view, rows, steps, scratchA, plan.copyRowLength);
    }
    ColumnPanels panels;
    panels.rowLength = plan.copyRowLength;
    overHeights([&](Value first, Value last, int64_t rows) {
      panels.groups.push_back({first, last, v.sub(rowStart(first), firstRow), rows});
    });
    emitPackColumns(v, view, panels, steps.count, scratchA);
  }

  void packB() {
    v.loop(firstColumnPanel, lastColumnPanel, 1, [&](Value panel) {
      PanelView view{b, atB(panel), spec.b.columnStride, spec.b.rowStride};
      Value target = v.mul(v.sub(panel, firstColumnPanel), width * plan.kBlock);
      emitPackPanel(v, view, panelColumns(v, plan, panel), width, steps, scratchB, target);
    });
  }

  Value atA(Value row) {
    Value at = v.add(v.mul(batch, spec.a.batchStride), v.mul(block, spec.a.columnStride));
    return v.add(at, v.mul(row, spec.a.rowStride));
  }

  Value atB(Value panel) {
    Value at = v.add(v.mul(batch, spec.b.batchStride), v.mul(block, spec.b.rowStride));
    return v.add(at, v.mul(panel, width * spec.b.columnStride));
  }

  PanelView viewA(Value row, int64_t rows) {
    if (plan.sourceA == MatmulSource::Direct)
      return {a, atA(row), spec.a.rowStride, spec.a.columnStride};
    Value at = v.mul(v.sub(row, firstRow), plan.copyRowLength);
    return plan.copyRows ? PanelView{scratchA, at, plan.copyRowLength, 1} : PanelView{scratchA, at, 1, rows};
  }

  PanelView viewB(Value panel) {
    if (plan.sourceB == MatmulSource::Direct)
      return {b, atB(panel), 1, spec.b.rowStride};
    if (plan.sourceB == MatmulSource::Local)
      return {scratchB, v.mul(v.sub(panel, firstColumnPanel), width * plan.kBlock), 1, width, true};
    Value at = v.add(v.mul(panel, width * spec.k), v.mul(block, width));
    if (spec.b.batchStride != 0)
      at = v.add(at, v.mul(batch, plan.columnPanels * width * spec.k));
    return {workspace, at, 1, width, true};
  }

  // One panel of columns times all row panels of the task. One loop for both heights: LLVM would unroll a
  // loop over the few short panels.
  void emitColumn(Value panel, int64_t vectors, int64_t lastLanes) {
    PanelView columns = viewB(panel);
    Value column = v.mul(panel, width);
    v.loop(firstRowPanel, lastRowPanel, 1, [&](Value rowPanel) {
      Value row = rowStart(rowPanel);
      auto tile = [&](int64_t rows) {
        TileShape shape{rows, vectors, lastLanes};
        emitTile(
            v, shape, viewA(row, rows), columns, steps.count, [&] { return loadTile(shape, row, column); },
            [&](ValueRange sums) { storeTile(shape, row, column, sums); });
      };
      if (plan.tallPanels == plan.rowPanels)
        return tile(plan.tileRows);
      v.when(
          v.less(rowPanel, v.index(plan.tallPanels)), [&] { tile(plan.tileRows); },
          [&] { tile(plan.tileRows - 1); });
    });
  }

  // Reads or writes a tile of C, or of the partial sums in the workspace.
  void overTile(const TileShape &shape, Value row, Value column, bool partialSums,
                llvm::function_ref<void(Buffer, Value, int64_t, int64_t)> body) {
    int64_t rowStride = partialSums ? spec.n : spec.c.rowStride;
    int64_t columnStride = partialSums ? 1 : spec.c.columnStride;
    int64_t batchStride = partialSums ? spec.m * spec.n : spec.c.batchStride;
    Value at = v.add(v.mul(batch, batchStride), v.mul(row, rowStride));
    at = v.add(at, v.mul(column, columnStride));
    if (partialSums)
      at = v.add(at, plan.wideCOffset);
    for (int64_t i = 0; i < shape.rows; ++i)
      for (int64_t j = 0; j < shape.vectors; ++j)
        body(partialSums ? workspace : c, v.add(at, i * rowStride + j * plan.lanes * columnStride),
             columnStride, j + 1 == shape.vectors ? shape.lastLanes : plan.lanes);
  }

  Values readTile(const TileShape &shape, Value row, Value column, bool partialSums) {
    Values tile;
    overTile(shape, row, column, partialSums, [&](Buffer from, Value at, int64_t stride, int64_t count) {
      tile.push_back(v.gatherLanes(from, at, stride, count));
    });
    return tile;
  }

  void writeTile(const TileShape &shape, Value row, Value column, bool partialSums, ValueRange sums) {
    int64_t next = 0;
    overTile(shape, row, column, partialSums, [&](Buffer to, Value at, int64_t stride, int64_t count) {
      v.scatterLanes(sums[next++], to, at, stride, count);
    });
  }

  Values loadTile(const TileShape &shape, Value row, Value column) {
    auto fresh = [&] {
      return spec.accumulate ? readTile(shape, row, column, false)
                             : Values(shape.rows * shape.vectors, v.zero());
    };
    auto continued = [&] { return readTile(shape, row, column, plan.wideC); };
    if (!plan.blocked() || (spec.accumulate && !plan.wideC))
      return fresh();
    llvm::SmallVector<Type> types(shape.rows * shape.vectors, v.laneVectorType());
    return v.choose(v.equal(block, 0), types, fresh, continued);
  }

  void storeTile(const TileShape &shape, Value row, Value column, ValueRange sums) {
    if (!plan.wideC)
      return writeTile(shape, row, column, false, sums);
    Value more = v.less(v.add(block, plan.kBlock), v.index(spec.k));
    v.when(
        more, [&] { writeTile(shape, row, column, true, sums); },
        [&] { writeTile(shape, row, column, false, sums); });
  }

  VectorCode &v;
  const MatmulPlan &plan;
  const MatmulSpec &spec;
  const int64_t width;
  Buffer a, b, c, workspace, scratchA, scratchB;
  Value begin, end, batch, block, firstRow;
  Steps steps;
  Value firstRowPanel, lastRowPanel, firstColumnPanel, lastColumnPanel;
};

} // namespace

void emitTiledKernel(VectorCode &v, const MatmulPlan &plan, ValueRange arguments) {
  TiledKernel(v, plan, arguments).emit();
}

void emitFillKernel(VectorCode &v, const MatmulPlan &plan, ValueRange arguments) {
  const MatmulSpec &spec = plan.spec;
  Buffer c{arguments[2], spec.c.element};
  v.loop(arguments[0], arguments[1], 1, [&](Value batch) {
    v.loop(v.index(0), v.index(spec.m), 1, [&](Value row) {
      Value at = v.add(v.mul(batch, spec.c.batchStride), v.mul(row, spec.c.rowStride));
      v.loop(v.index(0), v.index(spec.n), 1, [&](Value column) {
        v.storeScalar(v.zeroScalar(), c, v.add(at, v.mul(column, spec.c.columnStride)));
      });
    });
  });
}

} // namespace heddle::cpu::matmul
