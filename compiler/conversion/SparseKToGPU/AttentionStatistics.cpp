#include "compiler/conversion/SparseKToGPU/AttentionStatistics.h"
#include "compiler/conversion/SparseKToGPU/AttentionKernels.h"
#include "compiler/conversion/SparseKToGPU/RowSums.h"

namespace heddle::gpu::attention {

QueryStatistics reserveStatistics(ProgramBuilder &builder, const Plan &plan) {
  const int64_t bytes = plan.spec.batch * plan.spec.queryHeads * plan.spec.length * plan.computeBytes();
  return {builder.reserve(bytes), builder.reserve(bytes)};
}

QueryStatistics emitStatistics(ProgramBuilder &builder, const Plan &plan) {
  using A = AttentionArgument;
  constexpr int64_t threads = 256;
  const AttentionSpec &s = plan.spec;
  const int64_t queries = s.batch * s.queryHeads * s.length, width = s.valueWidth;
  const RowSums sums(width, plan.elementBytes());
  const int64_t queriesOfBlock = sums.rowsOfBlock(threads);
  const QueryStatistics result = reserveStatistics(builder, plan);
  builder.take({A::O, A::DOut, A::Lse});
  if (s.has(A::DLse))
    builder.take({A::DLse});
  const unsigned lseNumber = builder.take(result.lse), sharedNumber = builder.take(result.shared);
  const int64_t blocks = (queries + queriesOfBlock - 1) / queriesOfBlock;
  builder.kernel("attention_statistics", blocks, threads, [&](KernelCode &k) {
    TileCode t(k, elementType(k.b, s), 0);
    Pointer o = builder.buffer(k, A::O, t.element), dout = builder.buffer(k, A::DOut, t.element);
    Scalar place = t.wide(k.block()) * queriesOfBlock + t.wide(sums.row(t));
    Scalar query = k.min(place, k.i64(queries - 1)); // a warp's lanes stay together
    Scalar sum = sums.sum(t, {o, dout}, query, [&](llvm::ArrayRef<Scalar> x, Scalar sum) {
      return k.multiplyAdd(x[0], x[1], sum);
    });
    k.when(k.both(sums.first(t), place < queries), [&] {
      if (s.has(A::DLse))
        sum = sum - k.load(builder.buffer(k, A::DLse, t.compute), query);
      Scalar lse = k.load(builder.buffer(k, A::Lse, t.compute), query);
      Scalar largest = -t.lowest();
      lse = k.select(lse < t.lowest(), largest, lse * t.logOfE());
      k.store(lse, k.pointer(lseNumber, t.compute), query);
      k.store(sum, k.pointer(sharedNumber, t.compute), query);
    });
  });
  return result;
}

} // namespace heddle::gpu::attention
