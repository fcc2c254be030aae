//===- HeddleToGPU.h - From heddle IR to kernels for GPUs --------*- C++ -*-===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_HEDDLETOGPU_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_HEDDLETOGPU_H

#include "compiler/conversion/GPU/Choice.h"

#include <memory>
#include <vector>

namespace mlir {
class Operation;
class OpPassManager;
class Pass;
} // namespace mlir

namespace heddle::gpu {

/// What decides about kernels.
struct GpuOptions {
  /// Groups of more than one operation.
  bool fuse = true;
  int capability = 90; ///< of the device: 90 for 9.0
  int64_t multiprocessors = 132;
  int64_t sharedBytes = 232448; ///< the most that one block may have
  /// Dense products are calls of heddle_cuda_matmul; otherwise kernels.
  bool hasMatmul = true;
  /// Products of f32 round their factors to TF32.
  bool tf32 = false;
  /// Measured choices, by planKey; the rest is chosen by models.
  std::shared_ptr<const Choices> measured;
};

/// Names what an operation's plan depends on: equal operations share a choice. Empty where no choice is
/// measured.
std::string planKey(mlir::Operation *op, const GpuOptions &options);
/// Choices that are worth measuring; the model's comes first and is empty. Several may lead to the same
/// kernels.
std::vector<Choice> candidatesOf(mlir::Operation *op, const GpuOptions &options);

/// From the stage `grad` to `fused`: everything in the public functions, grouped.
void buildFusedPipeline(mlir::OpPassManager &manager, const GpuOptions &options);
/// From `fused` to `lowered`: each public function becomes an entry over buffers of the device that launches
/// the kernels of a gpu.module.
void buildLoweredPipeline(mlir::OpPassManager &manager, const GpuOptions &options);

/// `heddle-fuse-epilogues`: what follows a product and reads nothing but it becomes part of it. `matmul`:
/// dense products are left to the runtime.
std::unique_ptr<mlir::Pass> createFuseEpiloguesPass(bool matmul = true);
/// `heddle-order-selection`: other work between scores and what needs their thresholds.
std::unique_ptr<mlir::Pass> createOrderSelectionPass();
/// `heddle-to-gpu`: buffers, kernels and launches.
std::unique_ptr<mlir::Pass> createHeddleToGPUPass(const GpuOptions &options = {});

/// Makes the pass and the pipelines known to command lines.
void registerHeddleToGPUPasses();

} // namespace heddle::gpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_HEDDLETOGPU_H
