//===- LowerKernels.cpp - Device kernels to the NVVM dialect --------------===//

#include "compiler/conversion/GPUToPTX/LowerKernels.h"

#include "compiler/conversion/GPUToPTX/ElementaryFunctions.h"

#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/LLVMCommon/LoweringOptions.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace {

/// The operations of GPU, memref and control flow. MLIR's own pass also sends elementary functions to CUDA's
/// libdevice, which does not exist here: they are expanded or calls before, and what NVPTX has an instruction
/// for comes as an LLVM intrinsic.
struct ConvertKernels : PassWrapper<ConvertKernels, OperationPass<mlir::gpu::GPUModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ConvertKernels)
  StringRef getName() const override { return "ConvertKernels"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<LLVM::LLVMDialect, NVVM::NVVMDialect>();
  }

  void runOnOperation() override {
    LowerToLLVMOptions options(&getContext());
    options.useBarePtrCallConv = true;
    LLVMTypeConverter converter(&getContext(), options);
    configureGpuToNVVMTypeConverter(converter);
    RewritePatternSet patterns(&getContext());
    populateGpuToNVVMConversionPatterns(converter, patterns);
    populateFinalizeMemRefToLLVMConversionPatterns(converter, patterns);
    cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
    ConversionTarget target(getContext());
    target.addLegalDialect<LLVM::LLVMDialect, NVVM::NVVMDialect>();
    target.addIllegalDialect<mlir::gpu::GPUDialect, memref::MemRefDialect, cf::ControlFlowDialect>();
    target.addLegalOp<mlir::gpu::GPUModuleOp>();
    if (failed(applyPartialConversion(getOperation(), target, std::move(patterns))))
      signalPassFailure();
  }
};

/// MLIR's narrowing to 32 bits also narrows the amount of a right shift: `x >> 32` of a small x would shift a
/// 32-bit number by 32, which is undefined. Shifts that may go so far leave before.
struct KeepWideShifts : PassWrapper<KeepWideShifts, OperationPass<mlir::gpu::GPUModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(KeepWideShifts)
  StringRef getName() const override { return "KeepWideShifts"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<LLVM::LLVMDialect>();
  }

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    getOperation().walk([&](Operation *op) {
      if (!isa<arith::ShRUIOp, arith::ShRSIOp>(op) || !op->getResult(0).getType().isInteger(64))
        return;
      IntegerAttr amount;
      if (matchPattern(op->getOperand(1), m_Constant(&amount)) && amount.getValue().ult(32))
        return;
      rewriter.setInsertionPoint(op);
      if (isa<arith::ShRUIOp>(op))
        rewriter.replaceOpWithNewOp<LLVM::LShrOp>(op, op->getOperand(0), op->getOperand(1));
      else
        rewriter.replaceOpWithNewOp<LLVM::AShrOp>(op, op->getOperand(0), op->getOperand(1));
    });
  }
};

} // namespace

void heddle::gpu::buildKernelPipeline(OpPassManager &manager) {
  OpPassManager &kernels = manager.nest<mlir::gpu::GPUModuleOp>();
  kernels.addPass(createCallElementaryFunctions());
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
  kernels.addPass(createLoopInvariantCodeMotionPass());
  kernels.addPass(std::make_unique<KeepWideShifts>());
  // Positions below 2^31 in 32 bits: a product or quotient of 64 bits takes several instructions.
  arith::ArithIntRangeNarrowingOptions narrowing;
  narrowing.bitwidthsSupported = {32};
  kernels.addPass(arith::createArithIntRangeNarrowing(narrowing));
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createConvertVectorToSCFPass());
  kernels.addPass(createSCFToControlFlowPass());
  kernels.addPass(memref::createExpandStridedMetadataPass());
  kernels.addPass(createLowerAffinePass());
  kernels.addPass(createConvertVectorToLLVMPass());
  kernels.addPass(createConvertMathToLLVMPass());
  kernels.addPass(createArithToLLVMConversionPass());
  kernels.addPass(createConvertIndexToLLVMPass());
  kernels.addPass(std::make_unique<ConvertKernels>());
  kernels.addPass(createUBToLLVMConversionPass());
  kernels.addPass(createReconcileUnrealizedCastsPass());
  kernels.addPass(createCSEPass());
}
