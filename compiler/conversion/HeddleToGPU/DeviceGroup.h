//===- DeviceGroup.h - The kernel of a group for GPUs ------------*- C++ -*-===//
//
// The same plan as on the CPU, cut into threads:
//   elementwise  a thread computes as many adjacent elements as 16 bytes hold
//   rows         2 to 1024 threads work on a row; what passes over it share stays in registers. Where rows
//   are
//                summed up as well, a block works on a part of the rows, one after the other
//   columns      a block sums the rows of a piece of columns: lanes along the columns, warps down the rows
// Sums have a fixed order: of a thread's elements, then of lanes by shuffles, then of warps.
//
//===----------------------------------------------------------------------===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_DEVICEGROUP_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_DEVICEGROUP_H

#include "compiler/conversion/GPU/KernelCode.h"
#include "compiler/conversion/HeddleToCPU/GroupPlan.h"

namespace heddle::gpu {

/// What one block keeps in registers: rows up to `keptColumns`, and longer ones of few values.
cpu::GroupLimits groupLimits();

class DeviceGroup : public cpu::GroupPlan {
public:
  DeviceGroup(llvm::ArrayRef<mlir::Operation *> reductions, llvm::ArrayRef<mlir::Value> outputs,
              std::function<bool(mlir::Value)> isLeaf)
      : GroupPlan(reductions, outputs, std::move(isLeaf), groupLimits()) {}

  /// Cuts the planned group into threads.
  void cut();
  int64_t blocks() const { return blockCount; }
  int64_t threads() const { return blockThreads; }

  /// Fills a kernel of `threads()` threads a block. `inputs` are the leaves with the memrefs that hold them;
  /// `results` are the memrefs of the outputs, in order.
  void emit(KernelCode &code, llvm::ArrayRef<std::pair<mlir::Value, mlir::Value>> inputs,
            mlir::ValueRange results);

private:
  using Linear = cpu::Linear;
  using Values = llvm::SmallVector<mlir::Value, 4>;

  int64_t widestVector() const;
  void cutRows();
  void emitElementwise(mlir::ValueRange results);
  void emitRows(mlir::ValueRange results);
  void emitRowsOfPart(mlir::ValueRange results);
  /// This thread's vectors of a row, whose positions change at `level`.
  void placeVectors(unsigned level);
  void emitPasses(mlir::ValueRange results);
  /// One more piece of a row for the reductions over rows that a pass feeds.
  void stepColumnSums(const Phase &phase, size_t piece);
  void storeColumnSums(mlir::ValueRange results);
  void emitPass(const Phase &phase, mlir::ValueRange results);
  void emitRowOutputs(mlir::ValueRange results);
  void emitColumns(mlir::ValueRange results);

  /// Evaluates outputs at `count` adjacent columns from `start` on, then stores them, where `condition` holds
  /// if there is one: everything is read before anything is written.
  void storeOutputs(llvm::ArrayRef<unsigned> numbers, const Linear &start, int64_t count,
                    mlir::ValueRange results, mlir::Value condition);
  /// One more piece of a row for the reductions of a pass.
  Values stepPass(const Phase &phase, mlir::ValueRange accumulators, const Linear &start,
                  mlir::Value condition);
  /// What the threads of a row have together, the same for each.
  Values mergeThreads(llvm::ArrayRef<mlir::Operation *> operations, mlir::ValueRange accumulators);

  // ---- Positions ----
  /// Where code goes from here on: before a placeholder at the end of the builder's block.
  void openHere(llvm::ArrayRef<unsigned> levels);
  mlir::Value index(int64_t value);
  mlir::Value threadNumber();
  mlir::Value blockNumber();
  /// A counter with the given value, in `range`.
  Linear counter(cpu::Range range, unsigned level, mlir::Value value);
  void storeIf(mlir::Value condition, llvm::function_ref<void()> body);
  mlir::Value both(mlir::Value a, mlir::Value b);

  int64_t vector = 1; ///< adjacent elements that a thread computes
  int64_t blockThreads = 256, blockCount = 0;
  int64_t rowThreads = 1; ///< threads of a row, a power of two
  int64_t steps = 1;      ///< vectors of a row that a thread computes
  bool looped = false;    ///< over those in a loop: every pass reads the row again
  int64_t laneCount = 32; ///< vectors of columns of a block, where rows are summed up

  KernelCode *code = nullptr;
  llvm::SmallVector<mlir::Operation *> placeholders;
  mlir::Value rowLane, rowValid;    ///< this thread's number in its row; whether there is such a row
  llvm::SmallVector<Linear> starts; ///< of the vectors of this thread
  Values startValid;                ///< whether there is such a vector, null where there always is
  /// Of the rows so far: for each reduction over rows, vector of this thread and element.
  Values columnSums;
  llvm::SmallVector<unsigned> sumOutputs; ///< the outputs that they become
};

} // namespace heddle::gpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_DEVICEGROUP_H
