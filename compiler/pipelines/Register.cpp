//===- Register.cpp - Our dialects and passes by name ---------------------===//

#include "compiler/pipelines/Register.h"

#include "compiler/autodiff/Autodiff.h"
#include "compiler/conversion/GPUToPTX/GPUToPTX.h"
#include "compiler/conversion/HeddleToCPU/HeddleToCPU.h"
#include "compiler/conversion/HeddleToGPU/HeddleToGPU.h"
#include "compiler/conversion/HeddleToLLVM/HeddleToLLVM.h"
#include "compiler/conversion/MathExpansion/MathExpansion.h"
#include "dialects/heddle/IR/Heddle.h"
#include "dialects/heddle/Transforms/Passes.h"
#include "dialects/sparsek/IR/SparseK.h"
#include "dialects/sparsek/Transforms/Passes.h"

void heddle::pipelines::registerPasses() {
  autodiff::registerHeddleAutodiffPasses();
  ir::registerHeddleTransformsPasses();
  sparsek::registerSparseKPasses();
  cpu::registerHeddleToCPUPasses();
  cpu::registerHeddleToLLVMPasses();
  cpu::registerHeddleMathExpansionPasses();
  gpu::registerGPUToPTXPasses();
  gpu::registerHeddleToGPUPasses();
}

void heddle::pipelines::registerHeddleDialects(mlir::DialectRegistry &registry) {
  registry.insert<ir::HeddleDialect, sparsek::SparseKDialect>();
  autodiff::registerModels(registry);
}
