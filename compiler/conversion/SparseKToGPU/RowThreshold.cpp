#include "compiler/conversion/SparseKToGPU/RowThreshold.h"

#include "compiler/conversion/SparseKToGPU/Order.h"

#include <cfloat>
#include <limits>

using namespace mlir;

namespace heddle::gpu {
namespace {

/// Combines a value of every score over the block.
class RowPass {
public:
  RowPass(KernelCode &k, Scalar count, llvm::function_ref<Scalar(Scalar)> score)
      : k(k), count(count), score(score) {}

  Scalar over(Scalar none, llvm::function_ref<Scalar(Scalar score)> value, KernelCode::Combine combine) {
    const int64_t used = k.sharedBytes();
    Scalar own =
        k.loop(k.thread(), count, k.i32(k.blockThreads), {none},
               [&](Scalar i, ArrayRef<Scalar> sum) { return Scalars{combine(sum[0], value(score(i)))}; })[0];
    Scalar all = k.blockReduce(own, combine);
    k.releaseShared(used);
    return all;
  }
  Scalar sum(Scalar none, llvm::function_ref<Scalar(Scalar score)> value) {
    return over(none, value, [](Scalar x, Scalar y) { return x + y; });
  }
  Scalar countOf(llvm::function_ref<Scalar(Scalar score)> holds) {
    return sum(k.i32(0), [&](Scalar x) { return k.cast(holds(x), k.i32Type()); });
  }

private:
  KernelCode &k;
  Scalar count;
  llvm::function_ref<Scalar(Scalar)> score;
};

} // namespace

RowThreshold solveRow(KernelCode &k, Scalar count, Scalar mass, llvm::function_ref<Scalar(Scalar)> score) {
  Type f64 = k.b.getF64Type();
  RowPass pass(k, count, score);
  // The rank is at least 1: mass > 0.
  Scalar whole = k.cast(mass, k.i32Type());
  Scalar isWhole = k.cast(whole, f64) == mass, rank = k.select(isWhole, whole, whole + 1);

  // kappa by halving the range of ordered bits; as soon as exactly `rank` scores are left it is the least of
  // them.
  Type bits = orderedBits(k, score(k.i32(0))).type();
  const bool wide = bits.getIntOrFloatBitWidth() == 64;
  auto bound = [&](bool most) {
    if (wide)
      return k.i64(most ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min());
    return k.i32(most ? std::numeric_limits<int32_t>::max() : std::numeric_limits<int32_t>::min());
  };
  Scalars range = k.repeat(
      {bound(false), bound(true), count},
      [&](ArrayRef<Scalar> r) {
        return k.unsignedLess(literal(r[0], int64_t(1)), r[1] - r[0]) & (r[2] != rank);
      },
      [&](ArrayRef<Scalar> r) {
        Scalar middle = r[0] + ((r[1] - r[0]) >> 1);
        Scalar above = pass.countOf([&](Scalar x) { return orderedBits(k, x) >= middle; });
        Scalar enough = above >= rank;
        return Scalars{k.select(enough, middle, r[0]), k.select(enough, r[1], middle),
                       k.select(enough, above, r[2])};
      });
  Scalar least = pass.over(
      bound(true),
      [&](Scalar x) {
        Scalar order = orderedBits(k, x);
        return k.select(order >= range[0], order, bound(true));
      },
      [&](Scalar x, Scalar y) { return k.min(x, y); });
  Scalar kappa = fromOrderedBits(k, least);
  Scalar reached = pass.countOf([&](Scalar x) { return x >= kappa; });
  Scalar above = pass.countOf([&](Scalar x) { return x > kappa; });
  Scalar below = pass.over(
      k.constant(kappa.type(), -double(FLT_MAX)),
      [&](Scalar x) { return k.select(x < kappa, x, k.constant(kappa.type(), -double(FLT_MAX))); },
      [&](Scalar x, Scalar y) { return k.max(x, y); });
  Scalar top = k.cast(kappa, f64), next = k.select(reached > rank, top, k.cast(below, f64));
  Scalar gap = isWhole & (top - next >= 1.0);

  // Newton's method for tau - kappa in [-1, 0]: the mass is piecewise linear, and a step that stays within
  // its piece is exact. Every fourth step halves the bracket, so that it ends for any scores.
  constexpr int64_t mostSteps = 300;
  Scalar zero = k.constant(f64, 0.0);
  Scalars found = k.repeat(
      {k.i32(0), k.constant(f64, -1.0), zero, k.constant(f64, -0.5), !gap},
      [](ArrayRef<Scalar> s) { return s[4]; },
      [&](ArrayRef<Scalar> s) {
        Scalar x = s[3];
        auto rest = [&](Scalar u) { return k.cast(u, f64) - top; };
        auto saturates = [&](Scalar r) { return r - 1.0 >= x; };
        Scalar saturated = pass.countOf([&](Scalar u) { return saturates(rest(u)); });
        Scalar inside = pass.countOf([&](Scalar u) { return (rest(u) > x) & !saturates(rest(u)); });
        Scalar sum = pass.sum(
            zero, [&](Scalar u) { return k.select((rest(u) > x) & !saturates(rest(u)), rest(u), zero); });
        Scalar size = k.cast(inside, f64), over = sum + (k.cast(saturated, f64) - mass);
        Scalar some = inside > 0,
               exact = k.select(some, over / k.select(some, size, k.constant(f64, 1.0)), x);
        Scalar enough = over - size * x >= 0.0;
        Scalar low = k.select(enough, x, s[1]), high = k.select(enough, s[2], x);
        Scalar done = (some & (exact == x)) | (high - low <= DBL_EPSILON) | (s[0] >= mostSteps);
        Scalar newton = some & (exact > low) & (exact < high) & ((s[0] & 3) != 3);
        Scalar next = k.select(newton | (done & some), exact, (low + high) * 0.5);
        return Scalars{s[0] + 1, low, high, next, !done};
      });
  return {k.select(gap, next, top), k.select(gap, zero, found[3]), kappa, rank - above};
}

} // namespace heddle::gpu
