// dq and dtau: by tiles of queries. Thresholds are shared by the query heads of a group: each has a row of
// its own, which are added up in order.
#include "compiler/conversion/SparseKToGPU/QueryTile.h"

namespace heddle::gpu::attention {
namespace {

/// Sums the cotangents of thresholds over the query heads of a group, in order.
void emitTauSum(ProgramBuilder &builder, const Plan &plan, DeviceOperand parts) {
  constexpr int64_t threads = 256;
  const AttentionSpec &s = plan.spec;
  const int64_t all = s.rows() * s.length;
  const unsigned number = builder.take(parts);
  builder.take({AttentionArgument::DTau});
  builder.kernel("attention_dtau", (all + threads - 1) / threads, threads, [&](KernelCode &k) {
    TileCode t(k, elementType(k.b, s), 0);
    Scalar at = t.wide(k.block()) * threads + t.wide(k.thread());
    k.when(at < all, [&] {
      Scalar row = at / s.length, place = row * (s.group() * s.length) + at % s.length;
      Pointer from = k.pointer(number, t.compute);
      Scalar sum = k.load(from, place);
      for (int64_t head = 1; head < s.group(); ++head)
        sum = sum + k.load(from, place + head * s.length);
      k.store(sum, builder.buffer(k, AttentionArgument::DTau, t.compute), at);
    });
  });
}

} // namespace

void emitQueryGradients(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists,
                        const QueryStatistics &statistics) {
  using A = AttentionArgument;
  const AttentionSpec &s = plan.spec;
  DeviceOperand parts;
  if (s.group() > 1)
    parts = builder.program.reserve(s.batch * s.queryHeads * s.length * plan.computeBytes());
  const OddRows odd = emitOddRows(builder, plan, A::K);
  builder.take({A::Q, A::DOut});
  WalkOperands operands(builder, plan, lists, &odd);
  const unsigned lse = builder.take(statistics.lse), shared = builder.take(statistics.shared);
  unsigned tau = 0;
  if (s.group() > 1)
    tau = builder.take(parts);
  else
    builder.take({A::DTau});
  builder.take({A::DQ});
  builder.kernel("attention_dq", s.batch * s.queryHeads * plan.tiles(), plan.walk.threads(),
                 [&](KernelCode &k) {
                   TileCode t(k, elementType(k.b, s), plan.walk.block);
                   KeyWalk walk(t, plan, builder, operands);
                   QueryTile kernel(t, plan, builder, walk);
                   kernel.lse = k.pointer(lse, t.compute);
                   kernel.shared = k.pointer(shared, t.compute);
                   kernel.sumsOfRows = {s.group() > 1 ? k.pointer(tau, t.compute)
                                                      : builder.buffer(k, A::DTau, t.compute)};
                   kernel.signOfSums = -1;
                   kernel.emit();
                 });
  if (s.group() > 1)
    emitTauSum(builder, plan, parts);
}

} // namespace heddle::gpu::attention
