// The kernels of the backward pass. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/AttentionKernels.h"
#include "compiler/conversion/SparseKToGPU/AttentionStatistics.h"
#include "compiler/conversion/SparseKToGPU/KeyLists.h"
#include "compiler/conversion/SparseKToGPU/Pairs.h"
#include "compiler/conversion/SparseKToGPU/Warpgroup.h"

namespace heddle::gpu::attention {

/// What a pair adds: its factor of do in dv, the cotangent of its product, and the sums of its row.
struct PairSlope {
  Scalar weight, product;
  Scalars sums;
};

/// The slopes of pairs from products as they come from the tile.
class PairSlopes {
public:
  PairSlopes(TileCode &t, Pairs &pairs) : t(t), pairs(pairs), scale(t.number(pairs.productFactor())) {}

  PairSlope of(const QuerySide &query, const KeySide &key, Scalar product, Scalar along, Scalar lse,
               Scalar shared);

private:
  TileCode &t;
  Pairs &pairs;
  Scalar scale;
};

/// What the kernel of the gradients of queries by warpgroups computes for those of keys.
struct QuerySides {
  QueryStatistics statistics;
  RelativeThresholds thresholds; ///< where gates have cotangents
};

/// dq and dtau, by tiles.
void emitQueryGradients(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists,
                        const QueryStatistics &statistics);
/// The same by products of warpgroups.
QuerySides emitQueryGradients(ProgramBuilder &builder, const Plan &plan, const WarpgroupPlan &sizes,
                              const KeyLists &lists, const Target &target);
/// dk, dv and du, by tiles.
void emitKeyGradients(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists,
                      const QueryStatistics &statistics);

} // namespace heddle::gpu::attention
