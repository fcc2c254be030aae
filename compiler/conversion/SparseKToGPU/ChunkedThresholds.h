// Thresholds of f32 scores by chunks: what its stages share. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/ThresholdSolve.h"

#include <limits>

namespace heddle::gpu::chunked {

constexpr int64_t least = std::numeric_limits<int64_t>::min(), most = std::numeric_limits<int64_t>::max();
/// Keys that a chunk takes one by one, its own included.
constexpr int64_t chunkCapacity = 1536;

/// Solved thresholds in memory, one after the other.
struct Solved {
  Pointer kappa, base, offset;

  PrefixThreshold load(KernelCode &k, Scalar at) const {
    Scalar none = k.constant(base.element, -std::numeric_limits<double>::infinity());
    return {k.load(kappa, at), k.load(base, at), k.load(offset, at), none};
  }
  void store(KernelCode &k, const PrefixThreshold &t, Scalar at) const {
    k.store(t.kappa, kappa, at);
    k.store(t.base, base, at);
    k.store(t.offset, offset, at);
  }
};

/// The part of a chunk whose sequence begins before it or with it.
struct Piece {
  Scalar start;  ///< of the sequence
  Scalar first;  ///< the left threshold is that of the candidates [start, first)
  Scalar stop;   ///< of the chunk's candidates
  Scalar exists; ///< some query has more than topk candidates
  Scalar isLast; ///< the sequence has no candidates beyond the chunk
};

/// Where in a list the threshold after a prefix lies: the first keys above tau, and above tau + 1, each less
/// and more what rounding may move them by, and kappa, and what is behind it. All i32, 256 at most.
struct ChunkPlaces {
  Scalar aliveFrom, aliveTo, saturatedFrom, saturatedTo, kappa, behindKappa;

  Scalar packed(KernelCode &k) const {
    Scalar all = k.i64(0);
    for (Scalar place : {behindKappa, kappa, saturatedTo, saturatedFrom, aliveTo, aliveFrom})
      all = (all << 10) | k.extendUnsigned(place, k.i64Type());
    return all;
  }
  static ChunkPlaces of(KernelCode &k, Scalar packed) {
    auto field = [&](int64_t i) { return k.cast(packed >> (10 * i), k.i32Type()) & 1023; };
    return {field(0), field(1), field(2), field(3), field(4), field(5)};
  }
};

/// Emits the stages.
class Chunks {
public:
  Chunks(StepBuilder &steps, ThresholdBuffers &s, const ThresholdTuning &tuning)
      : steps(steps), s(s), rows(s.rows), chunks((rows.n - rows.window + chunkSize - 1) / chunkSize),
        geometry(rows, tuning), sharedBytes(tuning.sharedBytes),
        chunkThreads(rows.rows * chunks <= tuning.fewChunks ? 256 : 128),
        sharedChunks(chunkThreads == 128 ? std::min(chunks, 2 * s.topk / chunkSize + 1) : 0) {
    mlir::MLIRContext *context = rows.element.getContext();
    i32 = mlir::IntegerType::get(context, 32);
    i64 = mlir::IntegerType::get(context, 64);
    f32 = mlir::Float32Type::get(context);
    f64 = mlir::Float64Type::get(context);
  }

  void emit() {
    const int64_t all = rows.rows * chunks;
    lists = emitScoreLists(steps, s, geometry);
    kappa = steps.reserve(2 * all * 8);
    base = steps.reserve(2 * all * 8);
    offset = steps.reserve(2 * all * 8);
    if (hasPlaces()) {
      places = steps.reserve(2 * all * geometry.mostLists * 8);
      emitRowBoundaries();
    } else {
      emitBoundaries();
    }
    emitChunkQueries();
    if (mayBeCrowded())
      emitCrowded();
  }

  int64_t threadKeys() const { return chunkSize / chunkThreads; } ///< positions of each thread of a chunk
  /// Whether rows fit in shared memory, and boundaries know their places in the lists.
  bool hasPlaces() const;
  /// Whether more keys than a chunk can take may matter to it.
  bool mayBeCrowded() const { return chunks * chunkSize > chunkCapacity; }

  /// Chunk `number` of all; those that stand at the beginning of their row, where most happens, come first.
  struct Place {
    Scalar chunk;      ///< in [rows, chunks]
    Scalar row, start; ///< i64; the first position
  };
  int64_t chunkBlocks() const { return rows.rows * (chunks + sharedChunks); }
  Scalar numberOfBlock(KernelCode &k) {
    const int64_t shared = rows.rows * sharedChunks;
    return k.select(k.block() < 2 * shared, k.block() >> 1, k.block() - shared);
  }
  /// Which of the two blocks of its chunk this one is, 0 or 1; -1 where it is the only one.
  Scalar halfOfBlock(KernelCode &k) {
    return k.select(k.block() < 2 * rows.rows * sharedChunks, k.block() & 1, k.i32(-1));
  }
  Place place(KernelCode &k, Scalar number) {
    Scalar row = number % rows.rows, chunk = number / rows.rows;
    return {row * chunks + chunk, k.cast(row, i64), chunk * chunkSize};
  }
  Piece pieceOf(KernelCode &k, Pointer bounds, Scalar chunkStart) {
    SequenceBounds sequence = sequenceAt(k, rows, bounds, chunkStart);
    Scalar candidates = sequence.stop - rows.window, stop = k.min(candidates, chunkStart + chunkSize);
    Scalar first = k.max(chunkStart, sequence.start + (s.topk + 1));
    Scalar exists = (sequence.start <= chunkStart) & (stop > chunkStart) & (stop - sequence.start > s.topk);
    return {sequence.start, first, stop, exists, candidates <= chunkStart + chunkSize};
  }
  /// The thresholds at both ends of a piece.
  ThresholdBracket ends(KernelCode &k, const Solved &solved, Scalar chunk, const Piece &piece) {
    Scalar at = chunk << 1;
    return {solved.load(k, at), solved.load(k, k.select(piece.isLast, at + 1, at + 2))};
  }
  ListCode listCode(KernelCode &k, unsigned first) {
    return ListCode(k, geometry, k.pointer(first, i64), k.pointer(first + 1, i64));
  }
  Solved solved(KernelCode &k, unsigned first) {
    return {k.pointer(first, i64), k.pointer(first + 1, f64), k.pointer(first + 2, f64)};
  }

  void emitBoundaries();
  void emitRowBoundaries(); ///< the same for rows that fit in shared memory
  void emitChunkQueries();
  void emitCrowded();

  StepBuilder &steps;
  ThresholdBuffers &s;
  const ScoreRows rows;
  const int64_t chunks;
  const ListGeometry geometry;
  const int64_t sharedBytes;
  const int64_t chunkThreads; ///< of a chunk's block
  /// Of each row: so many chunks at its beginning, of whose keys more than half may join, have two blocks of
  /// few threads. They would take as long as all others together.
  const int64_t sharedChunks;
  mlir::Type i32, i64, f32, f64;
  ScoreLists lists;
  /// Solved, [rows, chunks, 2]: at the left end of a chunk, and at the right one of a sequence's last chunk.
  DeviceOperand kappa, base, offset;
  DeviceOperand places; ///< [rows, chunks, 2, mostLists] i64, where there are places
};

} // namespace heddle::gpu::chunked
