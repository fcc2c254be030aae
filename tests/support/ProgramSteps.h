// The launches of a device program, on buffers of its operands and results.
#pragma once

#include "compiler/conversion/SparseKToGPU/DeviceProgram.h"
#include "tests/support/DeviceHarness.h"

#include <heddle/runtime.h>

namespace heddle::test {

/// Runs the steps. Gives the message of a failure, empty where there is none.
inline std::string runProgram(DeviceHarness &device, const gpu::DeviceProgram &program,
                              const std::vector<DeviceBuffer> &operands,
                              const std::vector<DeviceBuffer> &results) {
  DeviceBuffer workspace =
      device.fresh<char>(static_cast<size_t>(std::max<int64_t>(program.workspaceBytes, 1)));
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

} // namespace heddle::test
