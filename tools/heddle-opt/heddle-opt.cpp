//===- heddle-opt.cpp - Runs passes over IR files -------------------------===//

#include "compiler/interpreter/check/Check.h"
#include "compiler/pipelines/Register.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  mlir::registerAllPasses();
  heddle::pipelines::registerPasses();
  heddle::pipelines::registerHeddleDialects(registry);
  registry.insert<heddle::check::CheckDialect>();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "Heddle's passes\n", registry));
}
