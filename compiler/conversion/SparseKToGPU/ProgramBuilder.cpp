#include "compiler/conversion/SparseKToGPU/ProgramBuilder.h"
#include "dialects/sparsek/IR/SparseK.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace heddle::gpu::attention {

DeviceOperand ProgramBuilder::bufferOf(AttentionArgument argument) const {
  using A = AttentionArgument;
  auto operand = [](int64_t number) { return DeviceOperand{DeviceOperand::Operand, number}; };
  auto result = [](int64_t number) { return DeviceOperand{DeviceOperand::Result, number}; };
  if (argument <= A::End)
    return operand(int64_t(argument)); // q, k, v, u, hi, lo, end come first
  if (argument == A::Bounds)
    return operand(int64_t(op->getNumOperands()) - 1);
  const bool isForward = isa<sparsek::AttentionOp>(op);
  if (argument == A::O || argument == A::Lse) {
    const int64_t number = int64_t(argument) - int64_t(A::O);
    return isForward ? result(number) : operand(int64_t(A::O) + number);
  }
  if (isa<sparsek::AttentionBackwardOp>(op)) {
    if (argument == A::DOut || argument == A::DLse)
      return operand(int64_t(argument));
    return result(int64_t(argument) - int64_t(A::DQ));
  }
  auto tangent = cast<sparsek::AttentionTangentOp>(op);
  if (argument == A::DOut || argument == A::DLse)
    return result(int64_t(argument) - int64_t(A::DOut));
  int64_t number = int64_t(A::Lse) + 1;
  const std::pair<A, Value> tangents[] = {{A::DQ, tangent.getDq()},
                                          {A::DK, tangent.getDk()},
                                          {A::DV, tangent.getDv()},
                                          {A::DU, tangent.getDu()},
                                          {A::DTau, tangent.getDtau()}};
  for (auto [candidate, value] : tangents) {
    if (candidate == argument)
      break;
    number += value ? 1 : 0;
  }
  return operand(number);
}

void ProgramBuilder::take(std::initializer_list<AttentionArgument> arguments) {
  for (AttentionArgument argument : arguments)
    places[size_t(argument)] = int(take(bufferOf(argument)));
}

unsigned ProgramBuilder::take(DeviceOperand operand) {
  operands.push_back(operand);
  return unsigned(operands.size()) - 1;
}

DeviceStep &ProgramBuilder::kernel(StringRef suffix, int64_t blocks, int64_t threads,
                                   llvm::function_ref<void(KernelCode &k)> body) {
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
  KernelCode k(module, op->getLoc(), step.kernel, types, threads);
  body(k);
  k.finish();
  step.shared = k.sharedHighWater();
  step.operands = std::move(operands);
  operands.clear();
  places = noPlaces();
  return step;
}

Pointer ProgramBuilder::buffer(KernelCode &k, AttentionArgument argument, Type element) const {
  const int place = places[size_t(argument)];
  return place < 0 ? Pointer{} : k.pointer(unsigned(place), element);
}

} // namespace heddle::gpu::attention
