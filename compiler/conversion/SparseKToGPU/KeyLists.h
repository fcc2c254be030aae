// The selected keys of chunks and tiles of queries. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/ProgramBuilder.h"

namespace heddle::gpu::attention {

/// Lists in the workspace. Those of chunks [row, chunk, slotStride] hold, ascending, the keys that some query
/// of the chunk selects; those of tiles [row, tile, listStride] first the `full` ones that all of its queries
/// select, then the others, both parts ascending.
struct KeyLists {
  DeviceOperand slotKeys, slotTotal;
  DeviceOperand keys, full, total; ///< of tiles
};

/// Parameters of a kernel that walks over the keys of tiles.
struct TileListNumbers {
  unsigned keys = 0, full = 0, total = 0;
};
/// Puts what tells the keys of a tile on the next kernel's list: bounds of packed sequences, scores,
/// thresholds and lists.
TileListNumbers takeTileLists(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists);

/// Adds the kernels that fill the lists of chunks, and of tiles where `tiles`.
KeyLists emitKeyLists(ProgramBuilder &builder, const Plan &plan, bool tiles);

} // namespace heddle::gpu::attention
