#include "compiler/conversion/SparseKToGPU/Steps.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace heddle::gpu;

DeviceOperand StepBuilder::failure(int32_t status, StringRef text) {
  program.failures.push_back({status, text.str()});
  return {DeviceOperand::Failure, int64_t(program.failures.size()) - 1};
}

void StepBuilder::kernel(StringRef suffix, int64_t blocks, int64_t threads, ArrayRef<DeviceOperand> operands,
                         llvm::function_ref<void(KernelCode &k)> body) {
  if (blocks == 0)
    return;
  MLIRContext *context = module.getContext();
  SmallVector<Type> types;
  for (const DeviceOperand &operand : operands)
    switch (operand.kind) {
    case DeviceOperand::Operand:
    case DeviceOperand::Result:
    case DeviceOperand::Workspace:
      types.push_back(LLVM::LLVMPointerType::get(context, 1));
      break;
    case DeviceOperand::Errors:
      types.push_back(LLVM::LLVMPointerType::get(context));
      break;
    case DeviceOperand::I32:
    case DeviceOperand::Message:
    case DeviceOperand::Failure:
      types.push_back(IntegerType::get(context, 32));
      break;
    case DeviceOperand::I64:
      types.push_back(IntegerType::get(context, 64));
      break;
    }
  DeviceStep &step = program.steps.emplace_back();
  step.kernel = (prefix + "_" + suffix).str();
  step.grid = {blocks, 1, 1};
  step.block = threads;
  KernelCode k(module, loc, step.kernel, types, threads);
  body(k);
  k.finish();
  step.shared = k.sharedHighWater();
  step.operands.assign(operands.begin(), operands.end());
}
