#include "tools/bench/sparsek-jit.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "tools/bench/KernelHarness.h"
#include <heddle/cpu_sparsek.h>
#include <stdexcept>

using heddle::cpu::AttentionOperand;
using heddle::cpu::AttentionStep;

namespace heddle::bench {

struct CompiledAttention::Implementation {
  KernelHarness harness;
  cpu::AttentionProgram program;
  std::vector<KernelHarness::Kernel> kernels; ///< per step; null for runtime calls
  void *workspace = nullptr;

  ~Implementation() { heddle_free(workspace); }

  void *pointer(const AttentionOperand &operand, const AttentionBuffers &buffers) const {
    if (operand.argument == cpu::AttentionArgument::Workspace)
      return static_cast<char *>(workspace) + operand.byteOffset;
    return buffers[operand.argument];
  }

  void callRuntime(const AttentionStep &step, const AttentionBuffers &buffers) const {
    std::vector<int64_t> n;
    std::vector<int32_t *> p;
    for (const AttentionOperand &operand : step.operands) {
      if (operand.isInteger)
        n.push_back(operand.integer);
      else
        p.push_back(static_cast<int32_t *>(pointer(operand, buffers)));
    }
    heddle_call_t call;
    heddle_call_init(&call);
    if (step.symbol == "heddle_call_sparsek_tile_keys")
      heddle_call_sparsek_tile_keys(&call, p[0], n[0], n[1], n[2], n[3], n[4], n[5], p[1], p[2], p[3]);
    else if (step.symbol == "heddle_call_sparsek_tile_slots")
      heddle_call_sparsek_tile_slots(&call, p[0], n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], p[1], p[2], p[3],
                                     p[4], p[5]);
    else
      heddle_fail(&call, HEDDLE_NOT_FOUND, "no such function");
    if (heddle_call_result(&call) != HEDDLE_OK)
      throw std::runtime_error(step.symbol + ": " + heddle_last_error());
  }
};

CompiledAttention::CompiledAttention(Pass pass, const cpu::AttentionSpec &spec, const cpu::MatmulTarget &target,
                                     const std::string &processor, bool keepAssembly)
    : impl(std::make_unique<Implementation>()) {
  mlir::OpBuilder builder(&impl->harness.context());
  auto emit = pass == Pass::Forward ? cpu::emitAttentionForward : cpu::emitAttentionBackward;
  impl->program = emit(builder, impl->harness.module(), spec, target, "sparsek");
  impl->harness.keepAssembly = keepAssembly;
  impl->harness.compile(processor);
  for (const AttentionStep &step : impl->program.steps)
    impl->kernels.push_back(step.isRuntimeCall ? nullptr : impl->harness.kernel(step.symbol));
  if (heddle_allocate(impl->program.workspaceBytes, &impl->workspace) != HEDDLE_OK)
    throw std::runtime_error(heddle_last_error());
}

CompiledAttention::~CompiledAttention() = default;
CompiledAttention::CompiledAttention(CompiledAttention &&) noexcept = default;

void CompiledAttention::run(const AttentionBuffers &buffers, bool backwards) const {
  for (size_t i = 0; i < impl->program.steps.size(); ++i) {
    const AttentionStep &step = impl->program.steps[i];
    if (step.isRuntimeCall) {
      impl->callRuntime(step, buffers);
      continue;
    }
    std::vector<void *> pointers;
    for (const AttentionOperand &operand : step.operands)
      pointers.push_back(operand.isInteger ? reinterpret_cast<void *>(operand.integer)
                                           : impl->pointer(operand, buffers));
    if (!backwards) {
      heddle_parallel_for(impl->kernels[i], pointers.data(), step.count, step.grain);
      continue;
    }
    for (int64_t task = step.count - 1; task >= 0; --task)
      impl->kernels[i](pointers.data(), task, task + 1);
  }
}

const cpu::AttentionProgram &CompiledAttention::program() const { return impl->program; }
double CompiledAttention::compileMilliseconds() const {
  return impl->harness.lowerMilliseconds() + impl->harness.compileMilliseconds();
}
const std::string &CompiledAttention::assembly() const { return impl->harness.assembly(); }

} // namespace heddle::bench
