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

/// Copies the rows [0, rows) x [0, steps) of A, widened, to rows of `rowLength` elements. `stepsTail` is the
/// part of every `steps` beyond whole vectors, where it is not a multiple of the lanes.
void emitPackRows(VectorCode &v, const PanelView &a, Value rows, Value steps, int64_t stepsTail, Buffer to,
                  int64_t rowLength);

/// Copies `lanes` rows of A that are contiguous along rows, widened, as [steps][lanes].
void emitPackColumns(VectorCode &v, const PanelView &a, int64_t rows, Value steps, Buffer to, Value toBase);

/// Copies one panel of B, `columns` columns wide, widened, as [steps][width]; lanes beyond `columns` in the
/// last vector are zero.
void emitPackPanel(VectorCode &v, const PanelView &b, int64_t columns, int64_t width, Value steps,
                   int64_t stepsTail, Buffer to, Value toBase);

/// The kernel bodies, at the builder's insertion point. `arguments` are begin, end and the phase's operands.
void emitPackKernel(VectorCode &v, const MatmulPlan &plan, ValueRange arguments);
void emitTiledKernel(VectorCode &v, const MatmulPlan &plan, ValueRange arguments);
void emitDotKernel(VectorCode &v, const MatmulPlan &plan, ValueRange arguments);
void emitFillKernel(VectorCode &v, const MatmulPlan &plan, ValueRange arguments);

} // namespace heddle::cpu::matmul
