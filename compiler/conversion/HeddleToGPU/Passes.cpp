//===- Passes.cpp - The passes and their order ----------------------------===//

#include "compiler/conversion/HeddleToCPU/HeddleToCPU.h"
#include "compiler/conversion/HeddleToGPU/GpuEntryLowering.h"
#include "compiler/conversion/MathExpansion/MathExpansion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace heddle::gpu;

namespace {

struct HeddleToGPUPass : PassWrapper<HeddleToGPUPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(HeddleToGPUPass)
  HeddleToGPUPass() = default;
  HeddleToGPUPass(const GpuOptions &given) : given(given) {
    capability = given.capability;
    matmul = given.hasMatmul;
    tf32 = given.tf32;
  }
  HeddleToGPUPass(const HeddleToGPUPass &other) : PassWrapper(other), given(other.given) {}
  StringRef getArgument() const final { return "heddle-to-gpu"; }
  StringRef getDescription() const final {
    return "Give tensors places in one arena of a GPU and turn groups into its kernels";
  }
  void getDependentDialects(DialectRegistry &registry) const final {
    registry.insert<arith::ArithDialect, func::FuncDialect, mlir::gpu::GPUDialect, LLVM::LLVMDialect,
                    math::MathDialect, memref::MemRefDialect, NVVM::NVVMDialect, scf::SCFDialect,
                    vector::VectorDialect>();
  }
  Option<int> capability{*this, "capability", llvm::cl::desc("Compute capability of the device, 90 for 9.0"),
                         llvm::cl::init(90)};
  Option<bool> matmul{*this, "matmul", llvm::cl::desc("Leave dense products to the runtime"),
                      llvm::cl::init(true)};
  Option<bool> tf32{*this, "tf32", llvm::cl::desc("Round the factors of f32 products to TF32"),
                    llvm::cl::init(false)};

  void runOnOperation() final {
    GpuOptions options = given;
    options.capability = capability;
    options.hasMatmul = matmul;
    options.tf32 = tf32;
    SmallVector<func::FuncOp> entries;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && function.isPublic())
        entries.push_back(function);
    for (func::FuncOp function : entries)
      if (failed(GpuEntryLowering(function, options).run()))
        return signalPassFailure();
  }

private:
  GpuOptions given;
};

} // namespace

std::unique_ptr<Pass> heddle::gpu::createHeddleToGPUPass(const GpuOptions &options) {
  return std::make_unique<HeddleToGPUPass>(options);
}

void heddle::gpu::buildFusedPipeline(OpPassManager &manager, const GpuOptions &options) {
  cpu::FusedOptions fused;
  fused.fuse = options.fuse;
  // Hundreds of blocks, each with a row of some thousand elements, 32 pieces of a column or some rows.
  fused.columnSums = true;
  fused.repeats = true;
  fused.reductions.enoughTasks = 528;
  fused.reductions.rowsPerTask = 8;
  fused.reductions.columnsPerTask = 128;
  fused.reductions.rowPart = 8192;
  fused.reductions.interleaved = true;
  fused.beforeGroups = [&](OpPassManager &inner) {
    if (options.fuse)
      inner.addPass(createFuseEpiloguesPass(options.hasMatmul));
  };
  cpu::buildFusedPipeline(manager, fused);
  manager.addPass(createOrderSelectionPass());
}

void heddle::gpu::buildLoweredPipeline(OpPassManager &manager, const GpuOptions &options) {
  manager.addPass(createHeddleToGPUPass(options));
  manager.addPass(cpu::createExpandMath({.fused = true, .library = false}));
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
}

void heddle::gpu::registerHeddleToGPUPasses() {
  registerPass([] { return createHeddleToGPUPass(); });
  registerPass([] { return createFuseEpiloguesPass(); });
  registerPass([] { return createOrderSelectionPass(); });
  PassPipelineRegistration<>("heddle-gpu-fused", "From the stage grad to fused, for GPUs",
                             [](OpPassManager &manager) { buildFusedPipeline(manager, {}); });
  PassPipelineRegistration<>("heddle-gpu-lowered", "From the stage fused to lowered, for GPUs",
                             [](OpPassManager &manager) { buildLoweredPipeline(manager, {}); });
}
