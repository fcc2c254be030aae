//===- Pipelines.cpp - The stages of compilation --------------------------===//

#include "compiler/pipelines/Pipelines.h"

#include "compiler/autodiff/Autodiff.h"
#include "compiler/conversion/GPUToPTX/GPUToPTX.h"
#include "compiler/conversion/HeddleToLLVM/HeddleToLLVM.h"
#include "compiler/jit/Engine.h"
#include "compiler/pipelines/Register.h"
#include "dialects/sparsek/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/Extensions/InlinerExtension.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace heddle::pipelines;

static constexpr StageInfo table[] = {
    {Stage::Ast, "ast", "the source as a tree"},
    {Stage::Heddle, "heddle", "tensor operations for concrete dimensions and element types"},
    {Stage::Grad, "grad", "the same with derivatives as ordinary functions, simplified"},
    {Stage::Fused, "fused", "one function of groups that become one kernel each"},
    {Stage::Lowered, "lowered", "kernels of loops over buffers in one arena"},
    {Stage::LLVM, "llvm", "LLVM IR, optimised for the processor"},
    {Stage::Object, "obj", "machine code as an object file"},
    {Stage::PTX, "ptx", "the kernels of a GPU as PTX"},
    {Stage::Cubin, "cubin", "the kernels of a GPU as machine code, by ptxas"},
};

ArrayRef<StageInfo> heddle::pipelines::stages() { return table; }

std::optional<Stage> heddle::pipelines::stageNamed(StringRef name) {
  for (const StageInfo &info : table)
    if (info.name == name)
      return info.stage;
  return std::nullopt;
}

void heddle::pipelines::buildPipeline(OpPassManager &manager, Stage last, const PipelineOptions &options) {
  if (last >= Stage::Grad) {
    if (options.decompose)
      manager.addPass(sparsek::createSparseKDecompose());
    autodiff::HeddleDifferentiateOptions derivatives;
    if (options.device)
      derivatives.expandingBytes = int64_t(1) << 30;
    manager.addPass(autodiff::createHeddleDifferentiate(derivatives));
    manager.addPass(createCanonicalizerPass());
    manager.addPass(createCSEPass());
    manager.addPass(createSymbolDCEPass());
  }
  if (options.device) {
    if (last >= Stage::Fused)
      gpu::buildFusedPipeline(manager, *options.device);
    if (last >= Stage::Lowered)
      gpu::buildLoweredPipeline(manager, *options.device);
    return;
  }
  if (last >= Stage::Fused)
    cpu::buildFusedPipeline(manager, {.fuse = options.cpu.fuse});
  if (last >= Stage::Lowered)
    cpu::buildLoweredPipeline(manager, options.cpu);
  if (last >= Stage::LLVM)
    cpu::buildLLVMPipeline(manager);
}

void heddle::pipelines::registerDialects(DialectRegistry &registry) {
  registerHeddleDialects(registry);
  registry.insert<func::FuncDialect, arith::ArithDialect, math::MathDialect, memref::MemRefDialect,
                  scf::SCFDialect, vector::VectorDialect, LLVM::LLVMDialect>();
  func::registerInlinerExtension(registry);
  jit::registerTranslations(registry);
  gpu::registerDeviceDialects(registry);
}
