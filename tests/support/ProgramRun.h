// The device program of an operation, run on arrays.
//
//   ProgramRun run(device, "%i = heddle.argsort %x axis 0 : tensor<4xf32> -> tensor<4xi32>", "%x:
//   tensor<4xf32>"); run.emit(gpu::emitSelection); run.call({device.put<float>({3, 1, 2, 0})}, {result});
#pragma once

#include "compiler/conversion/SparseKToGPU/DeviceProgram.h"
#include "tests/support/DeviceHarness.h"

#include "dialects/heddle/IR/Heddle.h"
#include "dialects/sparsek/IR/SparseK.h"

#include <heddle/runtime.h>

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
    DeviceBuffer workspace = device.fresh<char>(static_cast<size_t>(program.workspaceBytes));
    DeviceBuffer errors = device.put<int64_t>({0, 0, 0});
    for (const gpu::DeviceStep &step : program.steps) {
      std::vector<uint64_t> words;
      for (const gpu::DeviceOperand &operand : step.operands) {
        const auto number = static_cast<size_t>(operand.number);
        switch (operand.kind) {
        case gpu::DeviceOperand::Operand:
          words.push_back(operands.at(number).address);
          break;
        case gpu::DeviceOperand::Result:
          words.push_back(results.at(number).address);
          break;
        case gpu::DeviceOperand::Workspace:
          words.push_back(workspace.address + number);
          break;
        case gpu::DeviceOperand::Errors:
          words.push_back(errors.address);
          break;
        default:
          words.push_back(number);
        }
      }
      device.launch(step.kernel,
                    Grid(static_cast<unsigned>(step.grid[0]), static_cast<unsigned>(step.grid[1]),
                         static_cast<unsigned>(step.grid[2])),
                    words);
    }
    const auto record = device.get<int64_t>(errors);
    if ((record[0] & 0xffffffff) == 0)
      return "";
    heddle_call_t failed{};
    heddle_fail_values(&failed, HEDDLE_INTERNAL,
                       program.failures[static_cast<size_t>(record[0] >> 32)].text.c_str(), record[1],
                       record[2]);
    return failed.message;
  }

  gpu::DeviceProgram program;

private:
  DeviceHarness &device;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

} // namespace heddle::test
