// A device program under construction.
#pragma once

#include "compiler/conversion/GPU/KernelCode.h"
#include "compiler/conversion/SparseKToGPU/DeviceProgram.h"

namespace heddle::gpu {

/// Emits kernels at the end of a module, named `prefix` + "_" + suffix, each with its launch.
class StepBuilder {
public:
  StepBuilder(mlir::gpu::GPUModuleOp module, mlir::Location loc, llvm::StringRef prefix)
      : module(module), loc(loc), prefix(prefix) {}

  DeviceProgram program;

  DeviceOperand reserve(int64_t bytes) { return program.reserve(bytes); }
  /// A message for `Failure` operands.
  DeviceOperand failure(int32_t status, llvm::StringRef text);

  /// A kernel over operands, whose arguments have their numbers. Without blocks there is neither.
  void kernel(llvm::StringRef suffix, int64_t blocks, int64_t threads, llvm::ArrayRef<DeviceOperand> operands,
              llvm::function_ref<void(KernelCode &k)> body);

private:
  mlir::gpu::GPUModuleOp module;
  mlir::Location loc;
  std::string prefix;
};

inline DeviceOperand operandBuffer(int64_t number) { return {DeviceOperand::Operand, number}; }
inline DeviceOperand resultBuffer(int64_t number) { return {DeviceOperand::Result, number}; }
inline DeviceOperand errorRecord() { return {DeviceOperand::Errors, 0}; }

} // namespace heddle::gpu
