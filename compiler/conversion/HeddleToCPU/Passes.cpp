//===- Passes.cpp - The passes and their order ----------------------------===//

#include "dialects/heddle/Transforms/Passes.h"
#include "compiler/conversion/HeddleToCPU/CpuEntryLowering.h"
#include "compiler/conversion/HeddleToCPU/HeddleToCPU.h"
#include "compiler/conversion/MathExpansion/MathExpansion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace heddle::cpu;

namespace {

struct HeddleToCPUPass : PassWrapper<HeddleToCPUPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(HeddleToCPUPass)
  HeddleToCPUPass() = default;
  HeddleToCPUPass(const CpuOptions &options) { level = options.level; }
  HeddleToCPUPass(const HeddleToCPUPass &other) : PassWrapper(other) {}
  StringRef getArgument() const final { return "heddle-to-cpu"; }
  StringRef getDescription() const final {
    return "Give tensors places in one arena and turn groups into kernels";
  }
  void getDependentDialects(DialectRegistry &registry) const final {
    registry.insert<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect, math::MathDialect,
                    memref::MemRefDialect, scf::SCFDialect, vector::VectorDialect>();
  }
  Option<int> level{*this, "level", llvm::cl::desc("Level of the x86-64 psABI; 0 is the machine at hand"),
                    llvm::cl::init(0)};

  void runOnOperation() final {
    MatmulTarget target = MatmulTarget::of(level);
    SmallVector<func::FuncOp> entries;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && function.isPublic())
        entries.push_back(function);
    for (func::FuncOp function : entries)
      if (failed(CpuEntryLowering(function, target).run()))
        return signalPassFailure();
  }
};

/// Conversions between bf16 and f32 as integer arithmetic, which is vectorised on every processor.
struct ExpandBF16Pass : PassWrapper<ExpandBF16Pass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ExpandBF16Pass)
  StringRef getArgument() const final { return "heddle-expand-bf16"; }
  StringRef getDescription() const final { return "Convert between bf16 and f32 by integer arithmetic"; }
  void runOnOperation() final {
    RewritePatternSet patterns(&getContext());
    arith::populateExpandBFloat16Patterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

std::unique_ptr<Pass> heddle::cpu::createHeddleToCPUPass(const CpuOptions &options) {
  return std::make_unique<HeddleToCPUPass>(options);
}

void heddle::cpu::buildFusedPipeline(OpPassManager &manager, const FusedOptions &options) {
  manager.addPass(createInlinerPass());
  manager.addPass(createSymbolDCEPass());
  manager.addPass(createCanonicalizerPass());
  manager.addPass(ir::createHeddleHoistInvariants());
  manager.addPass(createCSEPass());
  manager.addPass(createFoldEmptyPass());
  manager.addPass(createEinsumToMatmulPass());
  manager.addPass(createCSEPass()); // of what products read in another order
  manager.addPass(createSplitReductionsPass(options.reductions));
  // No elimination of common subexpressions from here on: fences, which keep recomputed work apart, are gone.
  manager.addPass(createPreparePass());
  if (options.beforeGroups)
    options.beforeGroups(manager);
  manager.addPass(createFusePass(options.fuse, options.columnSums, options.fuse && options.repeats));
  manager.addPass(createOrderPass());
}

void heddle::cpu::buildLoweredPipeline(OpPassManager &manager, const CpuOptions &options) {
  manager.addPass(createHeddleToCPUPass(options));
  MatmulTarget target = MatmulTarget::of(options.level);
  manager.addPass(createExpandMath({.fused = target.fusedMultiplyAdd}));
  manager.addPass(std::make_unique<ExpandBF16Pass>());
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
}

void heddle::cpu::registerHeddleToCPUPasses() {
  PassRegistration<HeddleToCPUPass>();
  PassRegistration<ExpandBF16Pass>();
  registerPass([] { return createFoldEmptyPass(); });
  registerPass([] { return createPreparePass(); });
  registerPass([] { return createEinsumToMatmulPass(); });
  registerPass([] { return createSplitReductionsPass(); });
  registerPass([] { return createFusePass(); });
  registerPass([] { return createOrderPass(); });
  PassPipelineRegistration<>("heddle-fused", "From the stage grad to fused",
                             [](OpPassManager &manager) { buildFusedPipeline(manager, {}); });
  PassPipelineRegistration<>("heddle-lowered", "From the stage fused to lowered",
                             [](OpPassManager &manager) { buildLoweredPipeline(manager, {}); });
}
