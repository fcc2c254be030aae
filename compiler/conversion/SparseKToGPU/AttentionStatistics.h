// What the backward pass needs of every query: lse and D. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/ProgramBuilder.h"

namespace heddle::gpu::attention {

/// In the workspace, [batch, query head, length] each: lse in the base of TileCode::power, the largest number
/// for queries that see nothing, so that they weigh nothing; and D = do . o - dlse.
struct QueryStatistics {
  DeviceOperand lse, shared;
};

/// Adds the kernel that computes them.
QueryStatistics emitStatistics(ProgramBuilder &builder, const Plan &plan);

} // namespace heddle::gpu::attention
