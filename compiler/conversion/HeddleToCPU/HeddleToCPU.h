//===- HeddleToCPU.h - From heddle IR to kernels for CPUs --------*- C++ -*-===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_HEDDLETOCPU_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_HEDDLETOCPU_H

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace mlir {
class OpPassManager;
class Pass;
} // namespace mlir

namespace heddle::cpu {

/// What decides about kernels.
struct CpuOptions {
  /// Groups of more than one operation.
  bool fuse = true;
  /// The level of the x86-64 psABI to generate for: 2, 3 or 4; 0 is the machine at hand.
  int level = 0;
};

/// Into how many tasks long reductions are split. The order of sums follows from it and from shapes alone.
struct ReductionTasks {
  int64_t enoughTasks = 16;     ///< fewer leave threads idle
  int64_t columnsPerTask = 512; ///< where rows are summed up
  int64_t rowPart = 4096;       ///< elements of one part of a long row
  int64_t rowsPerTask = 0;      ///< where rows are summed up, in 64 or more parts; 0: as tasks need
  /// Rows of a part lie that far apart that all parts together go through memory from its start to its end.
  bool interleaved = false;
};

/// What decides about groups.
struct FusedOptions {
  bool fuse = true;        ///< groups of more than one operation
  bool columnSums = false; ///< groups over rows may reduce over rows as well
  bool repeats = false;    ///< groups compute again what takes more bytes than what it is computed from
  ReductionTasks reductions = {};
  /// Adds what one kind of processor does before operations are grouped.
  std::function<void(mlir::OpPassManager &)> beforeGroups = nullptr;
};

/// From the stage `grad` to `fused`: everything in the public functions, grouped.
void buildFusedPipeline(mlir::OpPassManager &manager, const FusedOptions &options);
/// From `fused` to `lowered`: each public function becomes an entry over buffers, with its kernels.
void buildLoweredPipeline(mlir::OpPassManager &manager, const CpuOptions &options);

/// `heddle-fold-empty`: operations whose results hold no elements, and reductions over none, become
/// constants.
std::unique_ptr<mlir::Pass> createFoldEmptyPass();
/// `heddle-prepare`: checks that shapes are static, drops gradient stops and fences, removes moves that do
/// nothing, and puts `heddle.check_index` before operations that read or write at run-time positions.
std::unique_ptr<mlir::Pass> createPreparePass();
/// `heddle-einsum-to-matmul`: contractions become `heddle.matmul`, others elementwise operations and
/// reductions.
std::unique_ptr<mlir::Pass> createEinsumToMatmulPass();
/// `heddle-split-reductions`: reductions over adjacent axes only, and long ones in two steps with enough
/// tasks each.
std::unique_ptr<mlir::Pass> createSplitReductionsPass(const ReductionTasks &tasks = {});
/// `heddle-fuse`: groups of operations become `heddle.fusion`. Without `merge` each group holds one
/// operation; with `columnSums` groups over rows may reduce over rows as well; with `repeats` they compute
/// again what takes more bytes than what it is computed from.
std::unique_ptr<mlir::Pass> createFusePass(bool merge = true, bool columnSums = false, bool repeats = false);
/// `heddle-order`: in each block, what lets go of more memory than it takes runs as soon as it can.
std::unique_ptr<mlir::Pass> createOrderPass();
/// `heddle-to-cpu`: buffers, kernels and launches.
std::unique_ptr<mlir::Pass> createHeddleToCPUPass(const CpuOptions &options = {});

/// Makes the passes above known to command lines.
void registerHeddleToCPUPasses();

} // namespace heddle::cpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_HEDDLETOCPU_H
