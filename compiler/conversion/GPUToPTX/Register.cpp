//===- Register.cpp - The passes of device code by name -------------------===//

#include "compiler/conversion/GPUToPTX/GPUToPTX.h"
#include "compiler/conversion/GPUToPTX/LowerKernels.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"

using namespace mlir;

void heddle::gpu::registerDeviceDialects(DialectRegistry &registry) {
  registry.insert<mlir::gpu::GPUDialect, NVVM::NVVMDialect, cf::ControlFlowDialect>();
  registerBuiltinDialectTranslation(registry);
  registerGPUDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerNVVMDialectTranslation(registry);
}

namespace {

/// For tests: writes the PTX of each gpu.module to the standard output.
struct PrintPTXPass : PassWrapper<PrintPTXPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(PrintPTXPass)
  PrintPTXPass() = default;
  PrintPTXPass(const PrintPTXPass &other) : PassWrapper(other) {}
  StringRef getArgument() const final { return "heddle-print-ptx"; }
  StringRef getDescription() const final { return "Print the PTX of lowered device kernels"; }
  void getDependentDialects(DialectRegistry &registry) const final {
    heddle::gpu::registerDeviceDialects(registry);
  }
  Option<std::string> chip{*this, "chip", llvm::cl::desc("sm_80, sm_90a or sm_100a"),
                           llvm::cl::init("sm_90a")};

  void runOnOperation() final {
    auto known = heddle::gpu::Chip::named(chip);
    if (!known) {
      emitError(getOperation().getLoc()) << llvm::toString(known.takeError());
      return signalPassFailure();
    }
    for (auto module : getOperation().getOps<mlir::gpu::GPUModuleOp>()) {
      auto ptx = heddle::gpu::emitPTX(module, *known);
      if (!ptx) {
        module.emitError() << llvm::toString(ptx.takeError());
        return signalPassFailure();
      }
      llvm::outs() << *ptx;
    }
  }
};

} // namespace

void heddle::gpu::registerGPUToPTXPasses() {
  PassRegistration<PrintPTXPass>();
  PassPipelineRegistration<>("heddle-gpu-to-nvvm", "From device kernels to the LLVM and NVVM dialects",
                             buildKernelPipeline);
}
