// The keys that matter one by one to the queries of a chunk, in shared memory. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/ChunkedThresholds.h"

namespace heddle::gpu::chunked {

/// Threads of a chunk's block; each has two of the chunk's positions. Where more keys than these join,
/// another block solves the queries of those beyond.
constexpr int64_t chunkThreads = 128, threadKeys = chunkSize / chunkThreads, halfJoining = 128;

struct ChunkKeys {
  Chunks::Place place;
  Piece piece;
  Scalar half; ///< 0 or 1: which of its blocks this is
  ThresholdBracket ends;
  Scalar fits;    ///< there is room for all
  Pointer orders; ///< i64, ascending
  Pointer fixed;  ///< i64: their scores in fixed point
  Scalar total;   ///< how many
  /// Of older keys that are not taken one by one.
  Scalar insideCount, saturatedCount, insideSum;
  Pointer ranks;   ///< i32, of the chunk's own keys by time; -1 where they have none
  Pointer joining; ///< i32: places in the chunk of keys that join from piece.first on, in time order
  Scalar joined;   ///< how many; others lie at or below the left threshold
  /// For the thread's positions: where their results stand. Those before the first that joins have the left
  /// threshold, at chunkSize; -1 where this block has no result.
  Scalar sources[threadKeys];
};

/// Copies the older keys of a piece that exists, if they fit. The operands of the lists are those from number
/// `lists` on. Like the next one it is called by every thread of the block, and sets what it finds in `keys`.
void gatherOlderKeys(Chunks &chunks, KernelCode &k, unsigned lists, ChunkKeys &keys);

/// Whether a key of the chunk is above the left threshold.
Scalar isAboveLeft(Chunks &chunks, KernelCode &k, const ChunkKeys &keys, Scalar order);

/// Adds the thread's own orders of the chunk, sorts all, and finds which of the chunk's keys join.
void addOwnKeys(Chunks &chunks, KernelCode &k, unsigned lists, llvm::ArrayRef<Scalar> orders,
                ChunkKeys &keys);

/// Solves the queries; results go to the operands with these numbers.
void solveChunkQueries(Chunks &chunks, KernelCode &k, const ChunkKeys &keys, unsigned hi, unsigned lo,
                       unsigned kappa);

} // namespace heddle::gpu::chunked
