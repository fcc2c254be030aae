// The sums over keys of a tile of queries: dq and the cotangents of what a query has. Internal to this
// folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/AttentionBackward.h"
#include "compiler/conversion/SparseKToGPU/KeyWalk.h"

namespace heddle::gpu::attention {

/// A block of threads has a tile of queries of one query head and walks over their keys, as the forward pass
/// does, with weights from lse.
class QueryTile {
public:
  QueryTile(TileCode &t, const Plan &plan, const ProgramBuilder &builder, KeyWalk &walk);

  Pointer lse, shared;                      ///< statistics of the queries
  llvm::SmallVector<Pointer, 2> sumsOfRows; ///< [query head, length]: what pairs add to their rows
  double signOfSums = 1;

  /// Computes tile `number`, counted over the heads; stores dq and the sums.
  void emit(Scalar number);

private:
  Scalars accumulate(const KeyBlock &keys, llvm::ArrayRef<Scalar> state);
  Scalars slopes(const KeyBlock &keys, Pairs &pairs, Fragment products, Fragment along,
                 llvm::ArrayRef<Scalar> state);

  TileCode &t;
  KernelCode &k;
  const Plan &p;
  const ProgramBuilder &builder;
  SharedRows queries, outs;
  KeyWalk &walk;
  QuerySide sides[2];
  Scalar logSums[2], shares[2];
};

} // namespace heddle::gpu::attention
