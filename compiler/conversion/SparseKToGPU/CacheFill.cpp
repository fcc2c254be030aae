// sparsek.fill_cache: the cache that holds a prompt, from the threshold of its last query. A block of threads
// for every head.
#include "compiler/conversion/SparseKToGPU/Cache.h"
#include "compiler/conversion/SparseKToGPU/Order.h"
#include "compiler/conversion/SparseKToGPU/RowThreshold.h"
#include "compiler/conversion/SparseKToGPU/Selection.h"
#include "compiler/conversion/SparseKToGPU/Sort.h"
#include "compiler/conversion/SparseKToGPU/Sweep.h"

#include "dialects/sparsek/IR/SparseK.h"

#include <limits>

using namespace mlir;

namespace heddle::gpu {
namespace {

class FillKernel {
public:
  FillKernel(KernelCode &k, const CacheShape &shape, int64_t sortWidth)
      : k(k), shape(shape), zero(k.i32(0)),
        none(k.constant(shape.score, -std::numeric_limits<double>::infinity())), f64(k.b.getF64Type()),
        bits(shape.score.isF64() ? k.i64Type() : k.i32Type()), sortWidth(sortWidth) {}

  void emit() {
    Type i32 = k.i32Type(), element = shape.element, score = shape.score;
    Scalar number = k.block(), batch = number / shape.heads;
    CacheHead head(k, shape, number,
                   {k.pointer(0, element), k.pointer(1, element), k.pointer(2, score), k.pointer(4, element),
                    k.pointer(5, element), k.pointer(6, score), k.pointer(7, i32), k.pointer(8, score),
                    k.pointer(9, i32), k.pointer(10, score), k.pointer(11, score)});
    Pointer sorted = k.offset(k.pointer(13, bits), k.cast(number, k.i64Type()) * sortWidth);
    Scalar length = k.min(k.max(k.load(k.pointer(3, i32), batch), zero), k.i32(shape.tokens));
    first = k.i32(shape.tokens) - length;
    candidates = k.max(length - shape.window, zero);
    scores = k.offset(head.tokenScores, first);
    clear(head.keys, shape.slots() * shape.keyWidth);
    clear(head.values, shape.slots() * shape.valueWidth);
    clear(head.score, shape.slots());
    clear(head.key, shape.slots());
    clear(head.live, shape.capacity);
    k.barrier();

    LiveScores live{zero, none, k.constant(score, 0.0)};
    if (shape.topk > 0) {
      Scalar anyNan = each({zero}, [&](Scalar j, ArrayRef<Scalar> any) {
        return Scalars{any[0] | k.cast(k.isNan(k.load(scores, j)), i32)};
      })[0];
      anyNan = reduce(anyNan, [](Scalar a, Scalar b) { return a | b; });
      Scalars filled = k.choose(
          anyNan != 0,
          [&] { return Scalars{zero, k.constant(score, std::numeric_limits<double>::quiet_NaN()), live.lo}; },
          [&] {
            LiveScores all = select(head, live);
            all.count = collectLive(head, all, sorted);
            return Scalars{all.count, all.hi, all.lo};
          });
      live = {filled[0], filled[1], filled[2]};
    }
    if (shape.window > 0)
      k.loop(candidates, length, k.i32(1),
             [&](Scalar p) { head.store(k.i32(shape.topk) + p % shape.window, first + p, p); });
    k.when(k.thread() == 0, [&] {
      k.store(live.count, head.count, zero);
      k.store(live.hi, head.hi, zero);
      k.store(live.lo, head.lo, zero);
      k.when(number % shape.heads == 0, [&] { k.store(length, k.pointer(12, i32), batch); });
    });
  }

private:
  void clear(Pointer memory, int64_t size) {
    Scalar nothing = k.constant(memory.element, 0.0);
    k.loop(k.cast(k.thread(), k.i64Type()), k.i64(size), k.i64(cacheThreads),
           [&](Scalar i) { k.store(nothing, memory, i); });
  }
  Scalars each(ArrayRef<Scalar> init, llvm::function_ref<Scalars(Scalar, ArrayRef<Scalar>)> body) {
    return k.loop(k.thread(), candidates, k.i32(cacheThreads), init, body);
  }
  Scalar reduce(Scalar x, KernelCode::Combine combine) {
    const int64_t used = k.sharedBytes();
    Scalar all = k.blockReduce(x, combine);
    k.releaseShared(used);
    return all;
  }
  Scalar score(Scalar j) { return clampScore(k, k.load(scores, j)); }

  /// Calls body(j, whether there is such a candidate, carried) for all candidates, a block's width at a time.
  Scalars inOrder(ArrayRef<Scalar> init,
                  llvm::function_ref<Scalars(Scalar j, Scalar exists, ArrayRef<Scalar>)> body) {
    return k.loop(zero, candidates, k.i32(cacheThreads), init, [&](Scalar begin, ArrayRef<Scalar> carried) {
      Scalar j = begin + k.thread();
      return body(j, j < candidates, carried);
    });
  }
  Scalar scoreIf(Scalar exists, Scalar j) {
    return k.choose(exists, [&] { return Scalars{score(j)}; }, [&] { return Scalars{none}; })[0];
  }

  /// The threshold, and the selected keys in their slots, in the order of time.
  LiveScores select(CacheHead &head, const LiveScores &empty) {
    Scalar isFull = candidates > shape.topk;
    Scalars tau = k.choose(
        isFull,
        [&] {
          RowThreshold row = solveRow(k, candidates, k.constant(f64, double(shape.topk)),
                                      [&](Scalar j) { return score(j); });
          // The highest score that is not above tau, up to rounding.
          Scalar top = k.cast(row.kappa, f64),
                 lowest = k.constant(f64, -std::numeric_limits<double>::infinity());
          Scalar died = each({lowest}, [&](Scalar j, ArrayRef<Scalar> v) {
            Scalar rest = k.cast(score(j), f64) - top;
            return Scalars{k.select(rest <= row.lo + 4e-15, k.max(v[0], rest), v[0])};
          })[0];
          died = reduce(died, [&](Scalar a, Scalar b) { return k.max(a, b); });
          auto [hi, lo] = thresholdPair(k, shape.score, top, row.lo, died);
          Scalar gap = row.lo == 0.0;
          return Scalars{k.select(gap, k.cast(row.hi, shape.score), hi),
                         k.select(gap, k.constant(shape.score, 0.0), lo), row.kappa, row.kept};
        },
        [&] { return Scalars{empty.hi, empty.lo, none, zero}; });
    Scalars counts = inOrder({zero, zero}, [&](Scalar j, Scalar exists, ArrayRef<Scalar> before) {
      Scalar x = scoreIf(exists, j), equals = exists & (x == tau[2]);
      BlockScan equal = blockScan(k, k.cast(equals, k.i32Type()));
      Scalar takes = exists & (!isFull | (x > tau[2]) | (equals & (before[0] + equal.before < tau[3])));
      BlockScan taken = blockScan(k, k.cast(takes, k.i32Type()));
      k.when(takes, [&] { k.store(j, head.key, before[1] + taken.before); });
      return Scalars{before[0] + equal.all, before[1] + taken.all};
    });
    k.barrier();
    k.loop(zero, counts[1], k.i32(1), [&](Scalar slot) {
      Scalar j = k.load(head.key, slot);
      head.store(slot, first + j, j);
    });
    return {zero, tau[0], tau[1]};
  }

  /// The scores above the threshold, descending; gives their number, the capacity at most.
  Scalar collectLive(CacheHead &head, const LiveScores &threshold, Pointer sorted) {
    Scalar inverse = literal(k.constant(bits, 0.0), int64_t(-1));
    Scalar all = inOrder({zero}, [&](Scalar j, Scalar exists, ArrayRef<Scalar> before) {
      Scalar x = scoreIf(exists, j), lives = exists & isLive(k, threshold, x);
      BlockScan scan = blockScan(k, k.cast(lives, k.i32Type()));
      Scalar place = before[0] + scan.before;
      k.when(lives & (place < shape.capacity), [&] { k.store(orderedBits(k, x) ^ inverse, sorted, place); });
      return Scalars{before[0] + scan.all};
    })[0];
    k.when((all > shape.capacity) & (k.thread() == 0),
           [&] { k.report(k.argument(15), k.argument(14), k.i64(shape.capacity), k.i64(0)); });
    Scalar count = k.min(all, k.i32(shape.capacity));
    Scalar width = k.i32(1) << (32 - k.leadingZeros(k.max(count, k.i32(2)) - 1));
    Scalar last = bits.isInteger(64) ? k.i64(std::numeric_limits<int64_t>::max())
                                     : k.i32(std::numeric_limits<int32_t>::max());
    k.loop(count + k.thread(), width, k.i32(cacheThreads), [&](Scalar i) { k.store(last, sorted, i); });
    k.barrier();
    sortShared(k, {sorted}, width);
    k.loop(k.thread(), count, k.i32(cacheThreads),
           [&](Scalar i) { k.store(fromOrderedBits(k, k.load(sorted, i) ^ inverse), head.live, i); });
    return count;
  }

  KernelCode &k;
  const CacheShape &shape;
  Scalar zero, none;
  Type f64, bits;
  const int64_t sortWidth;
  Scalar first, candidates; ///< i32
  Pointer scores;           ///< of the tokens that count
};

} // namespace

DeviceProgram emitFillCache(mlir::gpu::GPUModuleOp module, Operation *op, StringRef prefix) {
  auto fill = cast<sparsek::FillCacheOp>(op);
  StepBuilder steps(module, op->getLoc(), prefix);
  const CacheShape shape = CacheShape::of(fill.getK(), fill.getV(), fill.getU(), int64_t(fill.getTopk()),
                                          int64_t(fill.getWindow()), int64_t(fill.getCapacity()));
  const int64_t sortWidth = powerAbove(std::max<int64_t>(2, std::min(shape.capacity, shape.tokens)));
  DeviceOperand sorted = steps.reserve(shape.batch * shape.heads * sortWidth * (shape.score.isF64() ? 8 : 4));
  DeviceOperand message = steps.failure(cacheOverflows, tooManyLive);
  SmallVector<DeviceOperand> operands;
  for (int64_t i = 0; i < 4; ++i)
    operands.push_back(operandBuffer(i));
  for (int64_t i = 0; i < 9; ++i)
    operands.push_back(resultBuffer(i));
  operands.append({sorted, message, errorRecord()});
  steps.kernel("fill", shape.batch * shape.heads, cacheThreads, operands,
               [&](KernelCode &k) { FillKernel(k, shape, sortWidth).emit(); });
  return std::move(steps.program);
}

} // namespace heddle::gpu
