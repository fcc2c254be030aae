// What the backward pass needs of every query: lse and D. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/ProgramBuilder.h"

namespace heddle::gpu::attention {

/// In the workspace, [batch, query head, length] each: lse in the base of TileCode::power, the largest number
/// for queries that see nothing, so that they weigh nothing; and D = do . o - dlse.
struct QueryStatistics {
  DeviceOperand lse, shared;
};

/// What gates measure scores and thresholds from, so that both are small numbers: a threshold of each tile of
/// queries, and what thresholds lack of it. In the workspace, f32.
struct RelativeThresholds {
  DeviceOperand centers; ///< [batch, key-value head, tiles]
  DeviceOperand below;   ///< [batch, key-value head, length]: center - threshold
  int64_t tile = 0;      ///< queries
};

QueryStatistics reserveStatistics(ProgramBuilder &builder, const Plan &plan);
/// Adds the kernel that computes them.
QueryStatistics emitStatistics(ProgramBuilder &builder, const Plan &plan);

} // namespace heddle::gpu::attention
