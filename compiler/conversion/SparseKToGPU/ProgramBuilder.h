// The program of an attention under construction: its buffers by name. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/AttentionPlan.h"
#include "compiler/conversion/SparseKToGPU/Steps.h"

#include "mlir/IR/Operation.h"

#include <initializer_list>

namespace heddle::gpu::attention {

class ProgramBuilder : public StepBuilder {
public:
  ProgramBuilder(mlir::gpu::GPUModuleOp module, mlir::Operation *op, llvm::StringRef prefix)
      : StepBuilder(module, op->getLoc(), prefix), op(op) {}

  mlir::Operation *const op;

  DeviceOperand bufferOf(AttentionArgument argument) const;

  // ---- The operands of the next kernel ----
  void take(std::initializer_list<AttentionArgument> arguments);
  /// Returns its number.
  unsigned take(DeviceOperand operand);

  /// Emits a kernel of the operands so far and its launch; the next kernel inherits nothing.
  DeviceStep &kernel(llvm::StringRef suffix, int64_t blocks, int64_t threads,
                     llvm::function_ref<void(KernelCode &k)> body);

  // ---- Within a kernel ----
  bool has(AttentionArgument argument) const { return places[size_t(argument)] >= 0; }
  Pointer buffer(KernelCode &k, AttentionArgument argument, mlir::Type element) const;

private:
  llvm::SmallVector<DeviceOperand, 16> operands;
  std::array<int, size_t(AttentionArgument::Workspace)> places = noPlaces();
  static constexpr std::array<int, size_t(AttentionArgument::Workspace)> noPlaces() {
    std::array<int, size_t(AttentionArgument::Workspace)> none{};
    none.fill(-1);
    return none;
  }
};

} // namespace heddle::gpu::attention
