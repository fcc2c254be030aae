// Tiles that a kernel of warpgroups marks, since some of what they computed is not finite, or a row may have
// seen no key: they are computed again by the kernel that keeps rows apart which are not finite. Internal to
// this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/ProgramBuilder.h"

namespace heddle::gpu::attention {

/// In the workspace: a word for each warp that multiplies of each tile, and whether any tile is marked.
struct TileMarks {
  DeviceOperand words, any;
};
struct TileMarkNumbers {
  unsigned words = 0, any = 0; ///< of a kernel's parameters
};

/// Adds the kernel that clears `any`; the kernel of warpgroups stores all words.
TileMarks emitTileMarks(ProgramBuilder &builder, const Plan &plan);
TileMarkNumbers takeTileMarks(ProgramBuilder &builder, const TileMarks &marks);

// ---- Within the kernel that computes them again ----
Scalar anyTileMarked(KernelCode &k, const TileMarkNumbers &numbers); ///< i1
/// Runs body for the marked tiles of this block of threads.
void forEachMarkedTile(KernelCode &k, const Plan &plan, const TileMarkNumbers &numbers,
                       llvm::function_ref<void(Scalar number)> body);

} // namespace heddle::gpu::attention
