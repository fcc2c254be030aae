#include "compiler/conversion/SparseKToGPU/ProgramBuilder.h"
#include "dialects/sparsek/IR/SparseK.h"

using namespace mlir;

namespace heddle::gpu::attention {

DeviceOperand ProgramBuilder::bufferOf(AttentionArgument argument) const {
  using A = AttentionArgument;
  auto operand = [](int64_t number) { return DeviceOperand{DeviceOperand::Operand, number}; };
  auto result = [](int64_t number) { return DeviceOperand{DeviceOperand::Result, number}; };
  if (argument <= A::End)
    return operand(int64_t(argument)); // q, k, v, u, hi, lo, end come first
  if (isa<sparsek::VariantAttentionOp>(op))
    return result(int64_t(argument) - int64_t(A::O));
  if (auto variant = dyn_cast<sparsek::VariantAttentionBackwardOp>(op)) {
    if (argument >= A::DQ)
      return result(int64_t(argument) - int64_t(A::DQ));
    return operand(3 + int64_t(variant.getCaptures().size()) + int64_t(argument) - int64_t(A::O));
  }
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
  StepBuilder::kernel(suffix, blocks, threads, operands, body);
  operands.clear();
  places = noPlaces();
  return program.steps.back();
}

Pointer ProgramBuilder::buffer(KernelCode &k, AttentionArgument argument, Type element) const {
  const int place = places[size_t(argument)];
  return place < 0 ? Pointer{} : k.pointer(unsigned(place), element);
}

} // namespace heddle::gpu::attention
