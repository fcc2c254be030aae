// dq and dtau: by tiles of queries, with products of warpgroups where there are such. Thresholds are shared
// by the query heads of a group: each has a row of its own, which are added up in order.
#include "compiler/conversion/SparseKToGPU/QueryTile.h"
#include "compiler/conversion/SparseKToGPU/Warpgroup.h"

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

/// What the kernel of QueryTile reads and writes, on the list of the next kernel.
struct TileOperands {
  TileOperands(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists, const OddRows &odd,
               const QueryStatistics &statistics, DeviceOperand dtau)
      : walk(builder, plan, lists, &odd), lse(builder.take(statistics.lse)),
        shared(builder.take(statistics.shared)), tau(builder.take(dtau)) {
    using A = AttentionArgument;
    builder.take({A::Q, A::DOut, A::DQ});
  }
  WalkOperands walk;
  unsigned lse, shared, tau;
};

/// Emits a QueryTile and what it takes, and `body`, which lets it compute tiles.
void withQueryTile(KernelCode &k, const ProgramBuilder &builder, const Plan &plan,
                   const TileOperands &operands, llvm::function_ref<void(QueryTile &tile)> body) {
  TileCode t(k, elementType(k.b, plan.spec), plan.walk.block);
  KeyWalk walk(t, plan, builder, operands.walk);
  QueryTile tile(t, plan, builder, walk);
  tile.lse = k.pointer(operands.lse, t.compute);
  tile.shared = k.pointer(operands.shared, t.compute);
  tile.sumsOfRows = {k.pointer(operands.tau, t.compute)};
  tile.signOfSums = -1;
  body(tile);
}

/// The cotangents of thresholds of each query head, and the kernels that `emit` adds for them; then their
/// sums.
void withTauOfHeads(ProgramBuilder &builder, const Plan &plan,
                    llvm::function_ref<void(DeviceOperand dtau)> emit) {
  const AttentionSpec &s = plan.spec;
  if (s.group() == 1)
    return emit(builder.bufferOf(AttentionArgument::DTau));
  DeviceOperand parts = builder.reserve(s.batch * s.queryHeads * s.length * plan.computeBytes());
  emit(parts);
  emitTauSum(builder, plan, parts);
}

void emitByTiles(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists,
                 const QueryStatistics &statistics, DeviceOperand dtau) {
  const OddRows odd = emitOddRows(builder, plan, AttentionArgument::K);
  const TileOperands operands(builder, plan, lists, odd, statistics, dtau);
  builder.kernel("attention_dq", plan.queryTiles(), plan.walk.threads(), [&](KernelCode &k) {
    withQueryTile(k, builder, plan, operands, [&](QueryTile &tile) { tile.emit(k.block()); });
  });
}

void emitByWarpgroups(ProgramBuilder &builder, const Plan &plan, const WarpgroupPlan &sizes,
                      const KeyLists &lists, const QuerySides &sides, DeviceOperand dtau,
                      const Target &target) {
  using A = AttentionArgument;
  const QueryStatistics &statistics = sides.statistics;
  const TileMarks marks = emitTileMarks(builder, plan);
  builder.take({A::Q, A::O, A::DOut, A::Lse, A::DQ});
  if (plan.spec.has(A::DLse))
    builder.take({A::DLse});
  const WarpgroupParameters parameters(builder, plan, lists, marks);
  QueryGradientParameters numbers;
  numbers.lse = builder.take(statistics.lse);
  numbers.shared = builder.take(statistics.shared);
  numbers.tau = builder.take(dtau);
  if (plan.routesValues()) {
    numbers.centers = builder.take(sides.thresholds.centers);
    numbers.below = builder.take(sides.thresholds.below);
  }
  builder.kernel("attention_dq", std::min(plan.queryTiles(), target.multiprocessors), sizes.threads(),
                 [&](KernelCode &k) {
                   emitWarpgroupKernel(k, plan, sizes, builder, parameters,
                                       [&](WarpgroupCode &code, Scalar warpgroup) {
                                         emitQueryGradientConsumer(code, warpgroup, numbers);
                                       });
                 });

  const OddRows odd = emitOddRows(builder, plan, A::K, &marks.any, 8 * target.multiprocessors);
  const TileOperands operands(builder, plan, lists, odd, statistics, dtau);
  const TileMarkNumbers marked = takeTileMarks(builder, marks);
  const int64_t blocks = std::min(plan.queryTiles(), 2 * target.multiprocessors);
  builder.kernel("attention_dq_marked", blocks, plan.walk.threads(), [&](KernelCode &k) {
    k.when(anyTileMarked(k, marked), [&] {
      withQueryTile(k, builder, plan, operands, [&](QueryTile &tile) {
        forEachMarkedTile(k, plan, marked, [&](Scalar number) { tile.emit(number); });
      });
    });
  });
}

} // namespace

void emitQueryGradients(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists,
                        const QueryStatistics &statistics) {
  withTauOfHeads(builder, plan,
                 [&](DeviceOperand dtau) { emitByTiles(builder, plan, lists, statistics, dtau); });
}

QuerySides emitQueryGradients(ProgramBuilder &builder, const Plan &plan, const WarpgroupPlan &sizes,
                              const KeyLists &lists, const Target &target) {
  const AttentionSpec &s = plan.spec;
  QuerySides sides{reserveStatistics(builder, plan), {}};
  if (plan.routesValues())
    sides.thresholds = {builder.reserve(s.rows() * plan.tiles() * 4),
                        builder.reserve(s.rows() * s.length * 4), sizes.tile()};
  withTauOfHeads(builder, plan, [&](DeviceOperand dtau) {
    emitByWarpgroups(builder, plan, sizes, lists, sides, dtau, target);
  });
  return sides;
}

} // namespace heddle::gpu::attention
