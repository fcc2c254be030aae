// sparsek.append: token by token, the key that leaves the window becomes a candidate, the token takes its
// place, and then attends. Heads in parallel.
#include "compiler/conversion/SparseKToGPU/Cache.h"
#include "compiler/conversion/SparseKToGPU/CacheAttention.h"
#include "compiler/conversion/SparseKToGPU/Order.h"
#include "compiler/conversion/SparseKToGPU/Selection.h"

#include <limits>

using namespace mlir;

namespace heddle::gpu {
namespace {

constexpr int64_t most = std::numeric_limits<int32_t>::max();

/// The slot of the lowest selected score, of equal ones the latest key's.
Scalar lowestSelected(KernelCode &k, const CacheShape &shape, const CacheHead &head) {
  auto reduce = [&](Scalar none, llvm::function_ref<Scalar(Scalar slot)> value, KernelCode::Combine combine) {
    Scalar own =
        k.loop(k.thread(), k.i32(shape.topk), k.i32(k.blockThreads), {none},
               [&](Scalar slot, ArrayRef<Scalar> v) { return Scalars{combine(v[0], value(slot))}; })[0];
    const int64_t used = k.sharedBytes();
    Scalar all = k.blockReduce(own, combine);
    k.releaseShared(used);
    return all;
  };
  auto larger = [&](Scalar a, Scalar b) { return k.max(a, b); };
  auto score = [&](Scalar slot) { return clampScore(k, k.load(head.score, slot)); };
  Scalar lowest = reduce(k.constant(shape.score, std::numeric_limits<double>::infinity()), score,
                         [&](Scalar a, Scalar b) { return k.min(a, b); });
  Scalar none = k.i32(-1);
  Scalar latest = reduce(
      none, [&](Scalar slot) { return k.select(score(slot) == lowest, k.load(head.key, slot), none); },
      larger);
  return reduce(
      k.i32(0),
      [&](Scalar slot) {
        return k.select((score(slot) == lowest) & (k.load(head.key, slot) == latest), slot, k.i32(0));
      },
      larger);
}

/// Lets one token join a head.
void emitJoin(KernelCode &k, const CacheShape &shape, Scalar token) {
  Type i32 = k.i32Type();
  Scalar number = k.block(), batch = number / shape.heads;
  Type element = shape.element, scoreType = shape.score;
  CacheHead head(k, shape, number,
                 {k.pointer(0, element), k.pointer(1, element), k.pointer(2, scoreType),
                  k.pointer(3, element), k.pointer(4, element), k.pointer(5, scoreType), k.pointer(6, i32),
                  k.pointer(7, scoreType), k.pointer(8, i32), k.pointer(9, scoreType),
                  k.pointer(10, scoreType)});
  // What a program hands over may be anything.
  Scalar length = k.min(k.max(k.load(k.pointer(11, i32), batch), k.i32(0)), k.i32(shape.tokens));
  Scalar start = k.max(k.load(k.pointer(12, i32), batch), k.i32(0)), first = k.i32(shape.tokens) - length;
  Scalar fits = start <= k.i32(most) - length;
  k.when((token == 0) & !fits & (number % shape.heads == 0) & (k.thread() == 0),
         [&] { k.report(k.argument(16), k.argument(14), k.i64(0), k.i64(0)); });
  k.when((token >= first) & fits, [&] {
    Scalar zero = k.i32(0), p = start + (token - first), j = p - shape.window, isFirst = p == 0;
    LiveScores live{k.min(k.max(k.load(head.count, zero), zero), k.i32(shape.capacity)),
                    k.load(head.hi, zero), k.load(head.lo, zero)};
    Scalar none = k.constant(scoreType, -std::numeric_limits<double>::infinity()),
           nothing = k.constant(scoreType, 0.0);
    auto clear = [&](Scalar count) {
      k.loop(k.thread(), count, k.i32(cacheThreads), [&](Scalar i) { k.store(nothing, head.live, i); });
    };
    k.when(isFirst, [&] { clear(live.count); });
    live = {k.select(isFirst, zero, live.count), k.select(isFirst, none, live.hi),
            k.select(isFirst, nothing, live.lo)};
    k.barrier();

    Scalar ring = k.i32(shape.topk) + (shape.window > 0 ? p % shape.window : zero);
    if (shape.topk > 0) {
      auto unchanged = [&] { return Scalars{live.count, live.hi, live.lo, k.i32(-1)}; };
      Scalars next = k.choose(
          (j >= 0) & !k.isNan(live.hi),
          [&] {
            Scalar u = shape.window > 0 ? k.load(head.score, ring) : k.load(head.tokenScores, token);
            Scalar x = clampScore(k, u);
            return k.choose(
                k.isNan(u),
                [&] {
                  clear(live.count);
                  return Scalars{zero, k.constant(scoreType, std::numeric_limits<double>::quiet_NaN()),
                                 nothing, k.i32(-1)};
                },
                [&] {
                  return k.choose(
                      isLive(k, live, x), // nor is it selected otherwise: those above tau are
                      [&] {
                        Scalar slot = k.choose(
                            j < shape.topk, [&] { return Scalars{j}; },
                            [&] {
                              Scalar lowest = lowestSelected(k, shape, head);
                              Scalar takes = x > clampScore(k, k.load(head.score, lowest));
                              return Scalars{k.select(takes, lowest, k.i32(-1))};
                            })[0];
                        JoinedScores joined = joinLive(k, shape, head.live, live, x, j + 1);
                        k.when(joined.tooMany & (k.thread() == 0), [&] {
                          k.report(k.argument(16), k.argument(13), k.i64(shape.capacity), k.i64(0));
                        });
                        return Scalars{joined.live.count, joined.live.hi, joined.live.lo, slot};
                      },
                      unchanged);
                });
          },
          unchanged);
      live = {next[0], next[1], next[2]};
      k.barrier();
      k.when(next[3] >= 0, [&] {
        if (shape.window > 0)
          head.move(next[3], ring);
        else
          head.store(next[3], token, p);
      });
    }
    if (shape.window > 0)
      head.store(ring, token, p);
    k.when(k.thread() == 0, [&] {
      k.store(live.count, head.count, zero);
      k.store(live.hi, head.hi, zero);
      k.store(live.lo, head.lo, zero);
    });
  });
}

} // namespace

DeviceProgram emitAppend(mlir::gpu::GPUModuleOp module, Operation *op, StringRef prefix) {
  auto append = cast<sparsek::AppendOp>(op);
  StepBuilder steps(module, op->getLoc(), prefix);
  const CacheShape shape = CacheShape::of(append.getK(), append.getV(), append.getU(),
                                          int64_t(append.getTopk()), int64_t(append.getWindow()),
                                          cast<RankedTensorType>(append.getLive().getType()).getDimSize(2));
  enum { K = 1, V, U, Lengths };
  enum { Keys = 1, Values, Score, Key, Live, Count, Hi, Lo, Positions };
  DeviceOperand live = steps.failure(cacheOverflows, tooManyLive);
  DeviceOperand tokens =
      steps.failure(cacheOverflows, "the cache overflows: a row counts at most 2147483647 tokens");

  const SmallVector<DeviceOperand> operands{operandBuffer(K),
                                            operandBuffer(V),
                                            operandBuffer(U),
                                            resultBuffer(Keys),
                                            resultBuffer(Values),
                                            resultBuffer(Score),
                                            resultBuffer(Key),
                                            resultBuffer(Live),
                                            resultBuffer(Count),
                                            resultBuffer(Hi),
                                            resultBuffer(Lo),
                                            operandBuffer(Lengths),
                                            resultBuffer(Positions),
                                            live,
                                            tokens,
                                            {DeviceOperand::I32, 0},
                                            errorRecord()};
  if (shape.tokens == 0 || shape.batch == 0)
    return std::move(steps.program);
  constexpr size_t tokenNumber = 15;
  CacheAttention attention(steps, append);
  DeviceStep join;
  if (shape.heads > 0) {
    steps.kernel("join", shape.batch * shape.heads, cacheThreads, operands,
                 [&](KernelCode &k) { emitJoin(k, shape, k.argument(tokenNumber)); });
    join = steps.program.steps.pop_back_val();
  }
  for (int64_t token = 0; token < shape.tokens; ++token) {
    if (shape.heads > 0) {
      join.operands[tokenNumber].number = token;
      steps.program.steps.push_back(join);
    }
    attention.attend(token);
  }
  if (!attention.advances())
    steps.kernel("positions", shape.batch, warpSize, {operandBuffer(Lengths), resultBuffer(Positions)},
                 [&](KernelCode &k) {
                   k.when(k.thread() == 0, [&] {
                     advancePosition(k, shape.tokens, k.pointer(0, k.i32Type()), k.pointer(1, k.i32Type()),
                                     k.block());
                   });
                 });
  return std::move(steps.program);
}

} // namespace heddle::gpu
