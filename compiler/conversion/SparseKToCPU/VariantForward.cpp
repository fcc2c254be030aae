// The forward pass of a variant: the kernel of sparsek.attention over other keys and pairs.
#include "compiler/conversion/SparseKToCPU/VariantWalk.h"

using namespace mlir;

namespace heddle::cpu::attention {

void emitVariantForward(VariantBuilder &builder) {
  const Plan &p = builder.plan.plan;
  if (p.spec.rows() == 0 || p.spec.length == 0)
    return;
  int q = builder.operand(0), k = builder.operand(1), v = builder.operand(2), o = builder.result(0),
      lse = builder.result(1);
  builder.addBlock(/*reports=*/true);
  builder.addBounds();
  builder.kernel("attention", p.spec.rows() * p.tiles(), [&](AttentionCode &code, Value begin, Value end) {
    KernelArguments arguments;
    arguments.begin = begin;
    arguments.end = end;
    arguments.q = builder.buffer(q);
    arguments.k = builder.buffer(k);
    arguments.v = builder.buffer(v);
    arguments.o = builder.buffer(o);
    arguments.lse = builder.buffer(lse);
    VariantWalk walk(code, builder, arguments);
    emitForwardKernel(code, arguments, walk);
  });
}

} // namespace heddle::cpu::attention
