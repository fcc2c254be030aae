// Thresholds of f32 scores by chunks: what its stages share. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/ThresholdSolve.h"

#include <limits>

namespace heddle::gpu::chunked {

constexpr int64_t least = std::numeric_limits<int64_t>::min(), most = std::numeric_limits<int64_t>::max();
/// Keys that a chunk takes one by one, its own included.
constexpr int64_t chunkCapacity = 2048;
/// Warps of a block that solve, and queries that one of them solves in turn.
constexpr int64_t solvingWarps = 4, solvedQueries = 32;
/// More than what rounding may move a threshold by, where keys are sorted out by thresholds.
constexpr double slack = 1e-9;

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

/// The part of a chunk whose sequence begins before it.
struct Piece {
  Scalar start;  ///< of the sequence
  Scalar first;  ///< the left threshold is that of the candidates [start, first)
  Scalar stop;   ///< of the chunk's candidates
  Scalar exists; ///< some query has more than topk candidates
  Scalar isLast; ///< the sequence has no candidates beyond the chunk
};

/// Emits the stages.
class Chunks {
public:
  Chunks(StepBuilder &steps, ThresholdBuffers &s)
      : steps(steps), s(s), rows(s.rows), chunks((rows.n - rows.window + chunkSize - 1) / chunkSize),
        geometry(rows, chunks > 1) {
    mlir::MLIRContext *context = rows.element.getContext();
    i32 = mlir::IntegerType::get(context, 32);
    i64 = mlir::IntegerType::get(context, 64);
    f32 = mlir::Float32Type::get(context);
    f64 = mlir::Float64Type::get(context);
  }

  void emit() {
    if (s.topk >= rows.n - rows.window)
      return; // no query has more candidates
    lists = emitScoreLists(steps, s, geometry);
    const int64_t all = rows.rows * chunks;
    kappa = steps.reserve(2 * all * 8);
    base = steps.reserve(2 * all * 8);
    offset = steps.reserve(2 * all * 8);
    crowded = steps.reserve(all * 4);
    const bool several = chunks > 1;
    if (several)
      emitBoundaries();
    emitSweeps(several);
    if (several)
      emitCrowded();
  }

  Piece pieceOf(KernelCode &k, Pointer bounds, Scalar chunkStart) {
    SequenceBounds sequence = sequenceAt(k, rows, bounds, chunkStart);
    Scalar candidates = sequence.stop - rows.window, stop = k.min(candidates, chunkStart + chunkSize);
    Scalar first = k.max(chunkStart, sequence.start + (s.topk + 1));
    Scalar exists = (sequence.start < chunkStart) & (stop > chunkStart) & (stop - sequence.start > s.topk);
    return {sequence.start, first, stop, exists, candidates <= chunkStart + chunkSize};
  }
  ListCode listCode(KernelCode &k, unsigned first) {
    return ListCode(k, geometry, k.pointer(first, i64), k.pointer(first + 1, i64), k.pointer(first + 2, i64));
  }
  Solved solved(KernelCode &k, unsigned first) {
    return {k.pointer(first, i64), k.pointer(first + 1, f64), k.pointer(first + 2, f64)};
  }

  void emitBoundaries();
  void emitSweeps(bool several);
  void emitCrowded();

  StepBuilder &steps;
  ThresholdBuffers &s;
  const ScoreRows rows;
  const int64_t chunks;
  const ListGeometry geometry;
  mlir::Type i32, i64, f32, f64;
  ScoreLists lists;
  /// Solved, [rows, chunks, 2]: at the left end of a chunk, and at the right one of a sequence's last chunk.
  DeviceOperand kappa, base, offset;
  DeviceOperand crowded; ///< [rows, chunks]: whether too many keys matter
};

} // namespace heddle::gpu::chunked
