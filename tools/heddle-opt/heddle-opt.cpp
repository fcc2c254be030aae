//===- heddle-opt.cpp - Runs passes over IR files -------------------------===//

#include "compiler/autodiff/Autodiff.h"
#include "compiler/conversion/HeddleToCPU/HeddleToCPU.h"
#include "compiler/conversion/HeddleToLLVM/HeddleToLLVM.h"
#include "compiler/conversion/MathExpansion/MathExpansion.h"
#include "compiler/interpreter/check/Check.h"
#include "dialects/heddle/IR/Heddle.h"
#include "dialects/sparsek/IR/SparseK.h"
#include "dialects/sparsek/Transforms/Passes.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  mlir::registerAllPasses();
  heddle::autodiff::registerHeddleAutodiffPasses();
  heddle::autodiff::registerModels(registry);
  heddle::sparsek::registerSparseKPasses();
  heddle::cpu::registerHeddleToCPUPasses();
  heddle::cpu::registerHeddleToLLVMPasses();
  heddle::cpu::registerHeddleMathExpansionPasses();
  registry.insert<heddle::ir::HeddleDialect, heddle::sparsek::SparseKDialect, heddle::check::CheckDialect>();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "Heddle's passes\n", registry));
}
