// The device program of an operation, run on arrays.
//
//   ProgramRun run(device, "%i = heddle.argsort %x axis 0 : tensor<4xf32> -> tensor<4xi32>", "%x:
//   tensor<4xf32>"); run.emit(gpu::emitSelection); run.call({device.put<float>({3, 1, 2, 0})}, {result});
#pragma once

#include "tests/support/ProgramSteps.h"

#include "dialects/heddle/IR/Heddle.h"
#include "dialects/sparsek/IR/SparseK.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"

#include <stdexcept>

namespace heddle::test {

class ProgramRun {
public:
  /// `operation` is the text of one operation of the function arguments `arguments`.
  ProgramRun(DeviceHarness &device, const std::string &operation, const std::string &arguments)
      : device(device) {
    device.context().loadDialect<ir::HeddleDialect, sparsek::SparseKDialect, mlir::func::FuncDialect>();
    module = mlir::parseSourceString<mlir::ModuleOp>(
        "func.func @f(" + arguments + ") {\n" + operation + "\nreturn\n}", &device.context());
    if (!module)
      throw std::runtime_error("cannot parse " + operation);
  }

  mlir::Operation *op() {
    auto function = *module->getOps<mlir::func::FuncOp>().begin();
    return &function.getBody().front().front();
  }

  template <typename Emit>
  void emit(Emit emitter, const std::string &prefix = "op") {
    program = emitter(device.module(), op(), prefix);
  }

  /// Runs the steps. Gives the message of a failure, empty where there is none.
  std::string call(const std::vector<DeviceBuffer> &operands, const std::vector<DeviceBuffer> &results) {
    return runProgram(device, program, operands, results);
  }

  gpu::DeviceProgram program;

private:
  DeviceHarness &device;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

} // namespace heddle::test
