// The pieces that the kernels of a product are made of. Internal to this folder.
#pragma once

#include "compiler/conversion/Matmul/VectorCode.h"

namespace heddle::cpu::matmul {

/// What a register tile reads of one operand: element (lane, step) is at base + lane * laneStride +
/// step * stepStride, where lane counts rows of A or columns of B.
struct PanelView {
  Buffer buffer;
  Value base;
  int64_t laneStride = 1;
  int64_t stepStride = 1;
  bool padded = false; ///< whole vectors may be read beyond the last column
};

/// `rows` x `vectors` vectors of accumulators; the last vector of a row has `lastLanes` lanes in use.
struct TileShape {
  int64_t rows = 1;
  int64_t vectors = 1;
  int64_t lastLanes = 1;
};

/// C (+)= A * B for one register tile over `steps` k steps. `start` gives the accumulators, row by row, and
/// `finish` takes them.
void emitTile(VectorCode &v, const TileShape &shape, const PanelView &a, const PanelView &b, Value steps,
              llvm::function_ref<Values()> start, llvm::function_ref<void(ValueRange)> finish);

/// How many steps of k a piece of work has: a number that is computed at run time, with what is known of it
/// beforehand: it is a multiple of the lanes, or a multiple plus `tail`.
struct Steps {
  Value count;
  int64_t tail = 0;
  bool atLeastOneVector = false;
};

/// The steps of the chunk of k that begins at `first`, where chunks have `chunk` steps (a multiple of the
/// lanes, or all of k).
Steps chunkSteps(VectorCode &v, int64_t k, int64_t chunk, Value first);

/// Copies the rows [0, rows) x [0, steps) of A, widened, to rows of `rowLength` elements.
void emitPackRows(VectorCode &v, const PanelView &a, Value rows, const Steps &steps, Buffer to,
                  int64_t rowLength);

/// Runs of row panels with equal heights; `start` is the row of a run's first panel, counted from the task's
/// first row.
struct ColumnPanels {
  struct Group {
    Value first, last, start;
    int64_t rows = 0;
  };
  llvm::SmallVector<Group, 2> groups;
  int64_t rowLength = 0; ///< elements of the copy for each row
};

/// Copies rows of A that are contiguous along rows, widened, each panel as [steps][rows].
void emitPackColumns(VectorCode &v, const PanelView &a, const ColumnPanels &panels, Value steps, Buffer to);

/// The columns of one panel of B that exist: `whole` in whole vectors and, where `hasPartial`, `partial`
/// more.
struct PanelColumns {
  Value whole;
  int64_t partial = 0;
  Value hasPartial;
};
PanelColumns panelColumns(VectorCode &v, const MatmulPlan &plan, Value panel);

/// Copies one panel of B, widened, as [steps][width]; the lanes of a partial vector beyond the last column
/// are zero.
void emitPackPanel(VectorCode &v, const PanelView &b, const PanelColumns &columns, int64_t width,
                   const Steps &steps, Buffer to, Value toBase);

/// The kernel bodies, at the builder's insertion point. `arguments` are begin, end and the phase's operands.
void emitPackKernel(VectorCode &v, const MatmulPlan &plan, ValueRange arguments);
void emitTiledKernel(VectorCode &v, const MatmulPlan &plan, ValueRange arguments);
void emitDotKernel(VectorCode &v, const MatmulPlan &plan, ValueRange arguments);
void emitFillKernel(VectorCode &v, const MatmulPlan &plan, ValueRange arguments);

} // namespace heddle::cpu::matmul
