#include "compiler/conversion/SparseKToGPU/AttentionStatistics.h"
#include "compiler/conversion/SparseKToGPU/AttentionKernels.h"
#include "compiler/conversion/SparseKToGPU/TileCode.h"

namespace heddle::gpu::attention {

QueryStatistics emitStatistics(ProgramBuilder &builder, const Plan &plan) {
  using A = AttentionArgument;
  constexpr int64_t threads = 256, queriesOfBlock = threads / warpSize;
  const AttentionSpec &s = plan.spec;
  const int64_t queries = s.batch * s.queryHeads * s.length, width = s.valueWidth;
  QueryStatistics result;
  result.lse = builder.program.reserve(queries * plan.computeBytes());
  result.shared = builder.program.reserve(queries * plan.computeBytes());
  builder.take({A::O, A::DOut, A::Lse});
  if (s.has(A::DLse))
    builder.take({A::DLse});
  const unsigned lseNumber = builder.take(result.lse), sharedNumber = builder.take(result.shared);
  // A warp for each query.
  builder.kernel(
      "attention_statistics", (queries + queriesOfBlock - 1) / queriesOfBlock, threads, [&](KernelCode &k) {
        TileCode t(k, elementType(k.b, s), 0);
        Pointer o = builder.buffer(k, A::O, t.element), dout = builder.buffer(k, A::DOut, t.element);
        Scalar query = t.wide(k.block()) * queriesOfBlock + t.wide(t.warp);
        k.when(query < queries, [&] {
          Scalar base = query * width;
          Scalar sum = k.loop(t.lane, k.i32(width), k.i32(warpSize), {t.number(0)},
                              [&](Scalar c, llvm::ArrayRef<Scalar> sums) {
                                Scalar at = base + t.wide(c);
                                return Scalars{k.multiplyAdd(t.load(o, at), t.load(dout, at), sums[0])};
                              })[0];
          sum = k.warpReduce(sum, [](Scalar x, Scalar y) { return x + y; });
          k.when(t.lane == 0, [&] {
            if (s.has(A::DLse))
              sum = sum - k.load(builder.buffer(k, A::DLse, t.compute), query);
            Scalar lse = k.load(builder.buffer(k, A::Lse, t.compute), query);
            Scalar largest = -t.lowest();
            lse = k.select(lse < t.lowest(), largest, lse * t.logOfE());
            k.store(lse, k.pointer(lseNumber, t.compute), query);
            k.store(sum, k.pointer(sharedNumber, t.compute), query);
          });
        });
      });
  return result;
}

} // namespace heddle::gpu::attention
