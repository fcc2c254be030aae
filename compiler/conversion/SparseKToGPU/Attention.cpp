#include "compiler/conversion/SparseKToGPU/Attention.h"
#include "compiler/conversion/SparseKToGPU/AttentionKernels.h"
#include "dialects/sparsek/IR/SparseK.h"

using namespace mlir;

namespace heddle::gpu {

Type attention::elementType(OpBuilder &b, const AttentionSpec &spec) {
  switch (spec.element) {
  case cpu::MatmulElement::F64:
    return b.getF64Type();
  case cpu::MatmulElement::F32:
    return b.getF32Type();
  case cpu::MatmulElement::BF16:
    return b.getBF16Type();
  case cpu::MatmulElement::F16:
    return b.getF16Type();
  }
  return {};
}

DeviceProgram emitAttention(mlir::gpu::GPUModuleOp module, Operation *op, const Target &target,
                            StringRef prefix) {
  attention::ProgramBuilder builder(module, op, prefix);
  const cpu::AttentionSpec spec = *cpu::AttentionSpec::of(op);
  if (spec.rows() == 0 || spec.length == 0 || spec.queryHeads == 0)
    return {};
  if (isa<sparsek::AttentionOp>(op))
    attention::emitForward(builder, spec, target);
  if (isa<sparsek::AttentionBackwardOp>(op))
    attention::emitBackward(builder, spec, target);
  if (isa<sparsek::AttentionTangentOp>(op))
    attention::emitTangent(builder, spec, target);
  return std::move(builder.program);
}

std::vector<Choice> attentionCandidates(Operation *op, const Target &target) {
  std::vector<Choice> candidates = {{}};
  if (isa<sparsek::AttentionOp>(op)) {
    if (target.warpgroupProducts)
      candidates.insert(candidates.end(), {{{"warpgroups", 2}}, {{"block", 64}}, {{"stages", 2}}});
    for (int64_t block : {64, 32})
      for (int64_t stages : {2, 1})
        candidates.push_back({{"warpgroups", 0}, {"block", block}, {"stages", stages}});
    return candidates;
  }
  if (target.warpgroupProducts)
    candidates.insert(candidates.end(), {{{"query_block", 64}}, {{"warpgroups", 2}}, {{"warpgroups", 0}}});
  candidates.insert(candidates.end(),
                    {{{"query_block", 16}}, {{"query_stages", 1}}, {{"key_block", 16}}, {{"key_stages", 1}}});
  const cpu::AttentionSpec spec = *cpu::AttentionSpec::of(op);
  if (spec.topk > 0) {
    for (int64_t chunk : {256, 512, 1024, 2048, 4096})
      if (spec.topk / 2 <= chunk && chunk <= spec.length)
        candidates.push_back({{"chunk", chunk}});
    // Partial sums of fewer keys are less than that in any case.
    for (int64_t mebibytes : {256, 1536})
      if (spec.rows() * spec.length >= 1 << 17)
        candidates.push_back({{"partial_mib", mebibytes}});
  }
  return candidates;
}

} // namespace heddle::gpu
