// The selected keys of chunks and tiles of queries. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/ProgramBuilder.h"

namespace heddle::gpu::attention {

/// Lists in the workspace, of chunks [row, chunk, slotStride] and of tiles [row, tile, listStride]: the keys
/// that some of their queries select. Those of tiles, and of chunks where asked for, hold first the `full`
/// ones that all queries select, then the others. Both parts of a chunk ascend; those of a tile are in its
/// chunk's order.
struct KeyLists {
  DeviceOperand slotKeys, slotFull, slotTotal; ///< of chunks
  DeviceOperand keys, full, total;             ///< of tiles
};

/// The lists of chunks in a kernel.
struct SlotLists {
  /// Puts them on the next kernel's list.
  static SlotLists take(ProgramBuilder &builder, const KeyLists &lists);
  void open(KernelCode &k); ///< within the kernel
  /// The place of a key in the list of a chunk of which a query selects it; its run of queries ends at
  /// `until`.
  Scalar slotOf(KernelCode &k, const Plan &plan, Scalar row, Scalar chunk, Scalar key, Scalar until) const;

  Pointer keys, full, total;

private:
  unsigned keysNumber = 0, fullNumber = 0, totalNumber = 0;
};

/// Parameters of a kernel that walks over the keys of tiles.
struct TileListNumbers {
  unsigned keys = 0, full = 0, total = 0;
};
/// Puts what tells the keys of a tile on the next kernel's list: bounds of packed sequences, scores,
/// thresholds and lists.
TileListNumbers takeTileLists(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists);

/// Of the keys of chunks. Full ones first takes a second look at all candidates.
enum class ChunkOrder { Ascending, FullFirst };
/// Adds the kernels that fill the lists, as early steps: runs of queries are all they read.
KeyLists emitKeyLists(ProgramBuilder &builder, const Plan &plan, ChunkOrder order);

} // namespace heddle::gpu::attention
