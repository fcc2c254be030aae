// The walk of a tile of keys over the queries that see them, block by block and head by head of the group.
// Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/AttentionBackward.h"

namespace heddle::gpu::attention {

/// A block of queries in shared memory.
struct QueryBlock {
  SharedRows queries, outs;
  Pointer position, lse, shared, hi, lo;
  Scalar first; ///< position of the first one
};

/// Puts the wanted operands of a walk on the next kernel's list; `selects` where keys have gates.
struct QueryWalkOperands {
  QueryWalkOperands(ProgramBuilder &builder, const Plan &plan, const QueryStatistics &statistics,
                    bool selects);
  unsigned lse = 0, shared = 0;
  bool selects;
};

class QueryWalk {
public:
  /// Takes shared memory: once, before the walk.
  QueryWalk(TileCode &t, const Plan &plan, const ProgramBuilder &builder, const QueryWalkOperands &operands);

  using Body = llvm::function_ref<Scalars(const QueryBlock &block, llvm::ArrayRef<Scalar> carried)>;
  /// Over the queries [first, end) of every head of key-value head `row`. Rows that were staged before are
  /// there when `body` runs for the first time.
  Scalars forEachBlock(Scalar row, Scalar first, Scalar end, llvm::ArrayRef<Scalar> init, Body body);

  QuerySide querySide(const QueryBlock &block, int64_t tile, int64_t column);
  Scalar load(Pointer of, int64_t tile, int64_t column) { return k.load(of, t.column(tile) + column); }

private:
  struct Place {
    Scalar head, first;
  };
  Place placeOf(Scalar number);
  /// What a thread knows of a query of block `number`: position (-1: none), lse, D, and where keys are
  /// selected hi and lo.
  Scalars loadQuery(Scalar number);
  void storeQuery(Scalar number, llvm::ArrayRef<Scalar> query);
  void stageBlock(Scalar number);
  QueryBlock blockOf(Scalar number);

  TileCode &t;
  KernelCode &k;
  const Plan &p;
  const bool selects;
  Pointer queryRows, outRows, lseRows, sharedRows, hiRows, loRows;
  SharedRows queries, outs; ///< all stages
  Pointer position, lse, shared, hi, lo;
  Scalar row, first, end, blocksOfHead, blocks;
};

} // namespace heddle::gpu::attention
