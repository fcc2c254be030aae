// Thresholds of causal SPARSEK on a device. Internal to this folder.
//
// A query's threshold depends on a prefix of its sequence's scores. Scores of f32 are cut into chunks: the
// prefixes that end between chunks are solved all at once (ThresholdSolve.h), and chunks then finish alone
// (ThresholdChunks.h). Scores of f64 are sorted whole and swept by one thread a sequence
// (ThresholdSerial.cpp).
#pragma once

#include "compiler/conversion/SparseKToGPU/Steps.h"

#include "mlir/IR/BuiltinTypes.h"

namespace heddle::gpu {

/// Elements of a block where one thread takes one.
constexpr int64_t elementThreads = 256;

/// Rows of n scores that hold one sequence, or several after each other with bounds [2, n].
struct ScoreRows {
  int64_t rows = 0, n = 0, window = 0; ///< the window is n at most
  mlir::Type element;
  bool packed = false;

  /// Of u [batch, heads, n].
  static ScoreRows of(mlir::Value u, int64_t window, mlir::Value bounds);
  int64_t size() const { return rows * n; }
  int64_t tiles() const { return (n + elementThreads - 1) / elementThreads; }
  int64_t elementBytes() const { return element.getIntOrFloatBitWidth() / 8; }
};

/// One position of a row in a kernel.
struct Position {
  Scalar row, rowStart; ///< i64; rowStart is the row's first element
  Scalar i;             ///< i32
  Scalar at(KernelCode &k, Scalar position) const { return rowStart + k.cast(position, k.i64Type()); }
};

/// The sequence of a position, from bounds where the rows are packed.
struct SequenceBounds {
  Scalar start, stop; ///< i32
};
SequenceBounds sequenceAt(KernelCode &k, const ScoreRows &rows, Pointer bounds, Scalar position);

/// That of the thread where every position has one; it may be beyond the row. Those at the beginning of rows,
/// whose keys live longest, come first.
Position positionOfThread(KernelCode &k, const ScoreRows &rows);

/// A kernel with a thread for every position.
void eachPosition(StepBuilder &steps, llvm::StringRef name, const ScoreRows &rows,
                  llvm::ArrayRef<DeviceOperand> operands,
                  llvm::function_ref<void(KernelCode &k, const Position &)> body);

/// What the stages of a threshold share.
struct ThresholdBuffers {
  ScoreRows rows;
  int64_t topk = 0;
  bool serial = false; ///< rows are sorted whole
  DeviceOperand u, bounds, hi, lo, count, end;
  DeviceOperand
      kappa; ///< [rows, n]: the order of query i's topk-th largest candidate; the least integer if none
  DeviceOperand order;    ///< [rows, n] of each key, for whole rows
  DeviceOperand firstNan; ///< [rows, n] i32, at the first position of a sequence: where it has its first NaN
  /// [rows * tiles / 32] i32: a bit for each chunk that too many keys matter to, and then how many there are.
  DeviceOperand crowded;
  int64_t crowdedWords() const { return (rows.rows * rows.tiles() + 31) / 32; } ///< without the last one

  /// The rank in the row as i32 for rows that are sorted whole; else an i64: the score's ordered bits, then
  /// the key's index, inverted.
  mlir::Type orderType() const;
};

/// The order of a key with this score, which is not NaN, in f32.
Scalar keyOrder(KernelCode &k, Scalar clamped, Scalar key);
Scalar orderScore(KernelCode &k, Scalar order); ///< f32
Scalar orderKey(KernelCode &k, Scalar order);   ///< i32

/// Fills hi, lo and kappa of queries with more than topk candidates, where the defaults are set.
void emitSerialThresholds(StepBuilder &steps, ThresholdBuffers &buffers);
/// What results do not depend on.
struct ThresholdTuning {
  int64_t mostChunks = 128;        ///< rows of up to as many chunks have no longer lists
  int64_t laneLists = 2;           ///< a prefix of others has about as many lists for each lane of a warp
  int64_t fewChunks = 640;         ///< up to here what the first chunks of rows take is all that counts
  int64_t sharedBytes = 163 << 10; ///< of a block of threads on the device
};
/// The same with the defaults and first NaNs, where some query has more than topk candidates.
void emitChunkedThresholds(StepBuilder &steps, ThresholdBuffers &buffers, const ThresholdTuning &tuning);

/// What `emitThreshold` does, tuned as given.
DeviceProgram emitTunedThreshold(mlir::gpu::GPUModuleOp module, mlir::Operation *op, llvm::StringRef prefix,
                                 const ThresholdTuning &tuning);

/// Ends of selections, sizes of supports, and NaN.
void emitRuns(StepBuilder &steps, const ThresholdBuffers &buffers);

} // namespace heddle::gpu
