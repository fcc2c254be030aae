// The keys that matter one by one to the queries of a chunk, in shared memory. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/ChunkedThresholds.h"

namespace heddle::gpu::chunked {

/// Older keys, and the chunk's own, which join one after the other; the latter are numbered by rank.
struct ChunkKeys {
  Chunks::Place place;
  Piece piece;
  ThresholdBracket ends;
  Scalar fits;    ///< there is room for all
  Pointer orders; ///< i64, ascending; the place of a key is its rank
  Scalar total;   ///< how many
  /// Of older keys that are not taken one by one.
  Scalar insideCount, saturatedCount, insideSum;
  Pointer sums;          ///< i64 [total + 1], in fixed point: of the older keys of lower rank
  Pointer marks, before; ///< i32, a word for 32 ranks: which of them join, and how many before the word
  Scalar joined;         ///< how many join from piece.first on; others lie at or below the left threshold
  Pointer times;         ///< i32, by number: which of them in the order of time
  Pointer scores;        ///< i64, by number, in fixed point
  Pointer numbers;       ///< i32, by time
  /// For the thread's positions: in the order of time the last key that has joined, so where their results
  /// stand; chunkSize before the first; -1 where the position has no query.
  llvm::SmallVector<Scalar, 2> sources;

  /// Reserves the memory, and clears what is counted in.
  void reserve(KernelCode &k);
};

/// Copies the older keys of a piece that exists, if they fit. The operands of the lists are those from number
/// `lists` on, `places` is that of places, where there are any. Like the next one it is called by every
/// thread of the block, and sets what it finds in `keys`.
void gatherOlderKeys(Chunks &chunks, KernelCode &k, unsigned lists, unsigned places, ChunkKeys &keys);

/// Adds the thread's own orders of the chunk, sorts all, and finds which of the chunk's keys join.
void addOwnKeys(Chunks &chunks, KernelCode &k, llvm::ArrayRef<Scalar> orders, ChunkKeys &keys);

/// Solves the queries; results go to the operands with these numbers.
void solveChunkQueries(Chunks &chunks, KernelCode &k, const ChunkKeys &keys, unsigned hi, unsigned lo,
                       unsigned kappa);

} // namespace heddle::gpu::chunked
