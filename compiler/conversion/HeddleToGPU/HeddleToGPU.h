//===- HeddleToGPU.h - From heddle IR to kernels for GPUs --------*- C++ -*-===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_HEDDLETOGPU_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_HEDDLETOGPU_H

#include <cstdint>
#include <memory>

namespace mlir {
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
};

/// From the stage `grad` to `fused`: everything in the public functions, grouped.
void buildFusedPipeline(mlir::OpPassManager &manager, const GpuOptions &options);
/// From `fused` to `lowered`: each public function becomes an entry over buffers of the device that launches
/// the kernels of a gpu.module.
void buildLoweredPipeline(mlir::OpPassManager &manager, const GpuOptions &options);

/// `heddle-fuse-epilogues`: what follows a product and reads nothing but it becomes part of it. `matmul`:
/// dense products are left to the runtime.
std::unique_ptr<mlir::Pass> createFuseEpiloguesPass(bool matmul = true);
/// `heddle-to-gpu`: buffers, kernels and launches.
std::unique_ptr<mlir::Pass> createHeddleToGPUPass(const GpuOptions &options = {});

/// Makes the pass and the pipelines known to command lines.
void registerHeddleToGPUPasses();

} // namespace heddle::gpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_HEDDLETOGPU_H
