#include "compiler/conversion/SparseKToGPU/Cache.h"

#include "compiler/conversion/SparseKToGPU/Order.h"
#include "compiler/conversion/SparseKToGPU/Sweep.h"

#include <cfloat>
#include <limits>

using namespace mlir;

namespace heddle::gpu {

CacheShape CacheShape::of(Value k, Value v, Value u, int64_t topk, int64_t window, int64_t capacity) {
  auto type = cast<RankedTensorType>(k.getType());
  return {type.getDimSize(0),
          type.getDimSize(1),
          type.getDimSize(2),
          type.getDimSize(3),
          cast<RankedTensorType>(v.getType()).getDimSize(3),
          topk,
          window,
          capacity,
          type.getElementType(),
          cast<RankedTensorType>(u.getType()).getElementType()};
}

CacheHead::CacheHead(KernelCode &k, const CacheShape &s, Scalar head, ArrayRef<Pointer> all)
    : k(k), shape(s) {
  Scalar number = k.cast(head, k.i64Type());
  const int64_t sizes[] = {s.tokens * s.keyWidth,
                           s.tokens * s.valueWidth,
                           s.tokens,
                           s.slots() * s.keyWidth,
                           s.slots() * s.valueWidth,
                           s.slots(),
                           s.slots(),
                           s.capacity,
                           1,
                           1,
                           1};
  Pointer *own[] = {&tokenKeys, &tokenValues, &tokenScores, &keys, &values, &score,
                    &key,       &live,        &count,       &hi,   &lo};
  for (auto [pointer, start, size] : llvm::zip(own, all, sizes))
    *pointer = k.offset(start, number * size);
}

void CacheHead::copyRow(Pointer to, Scalar toRow, Pointer from, Scalar fromRow, int64_t width) const {
  Pointer target = k.offset(to, k.cast(toRow, k.i64Type()) * width),
          source = k.offset(from, k.cast(fromRow, k.i64Type()) * width);
  k.loop(k.thread(), k.i32(width), k.i32(k.blockThreads),
         [&](Scalar column) { k.store(k.load(source, column), target, column); });
}

void CacheHead::store(Scalar slot, Scalar token, Scalar position) const {
  copyRow(keys, slot, tokenKeys, token, shape.keyWidth);
  copyRow(values, slot, tokenValues, token, shape.valueWidth);
  k.when(k.thread() == 0, [&] {
    k.store(k.load(tokenScores, token), score, slot);
    k.store(position, key, slot);
  });
}

void CacheHead::move(Scalar to, Scalar from) const {
  copyRow(keys, to, keys, from, shape.keyWidth);
  copyRow(values, to, values, from, shape.valueWidth);
  k.when(k.thread() == 0, [&] {
    k.store(k.load(score, from), score, to);
    k.store(k.load(key, from), key, to);
  });
}

Scalar isLive(KernelCode &k, const LiveScores &live, Scalar score) {
  Scalar none = k.constant(score.type(), -std::numeric_limits<double>::infinity());
  return (live.hi == none) | ((score - live.hi) - live.lo > 0.0);
}

namespace {

/// Descending scores, of which the last may lie beyond the capacity.
class Joining {
public:
  Joining(KernelCode &k, const CacheShape &shape, Pointer scores)
      : k(k), shape(shape), scores(scores), f64(k.b.getF64Type()) {}

  /// Puts x in its place among the first `count`.
  void insert(Scalar count, Scalar x) {
    size = count + 1;
    Scalar place = firstWhere(k, k.i32(0), count, [&](Scalar i) { return k.load(scores, i) < x; });
    last = k.choose(
        place < count, [&] { return Scalars{k.load(scores, count - 1)}; }, [&] { return Scalars{x}; })[0];
    k.barrier();
    // From the end on, a block's width at a time: all are read before any is written.
    k.repeat(
        {count}, [&](ArrayRef<Scalar> end) { return end[0] > place; },
        [&](ArrayRef<Scalar> end) {
          Scalar begin = k.max(end[0] - k.blockThreads, place), own = begin + k.thread(),
                 moves = own < end[0];
          Scalar moved = k.load(scores, k.select(moves, own, place));
          k.barrier();
          k.when(moves & (own + 1 < shape.capacity), [&] { k.store(moved, scores, own + 1); });
          k.barrier();
          return Scalars{begin};
        });
    k.when((k.thread() == 0) & (place < shape.capacity), [&] { k.store(x, scores, place); });
    k.barrier();
  }

  Scalar at(Scalar i) {
    return k.choose(
        i < shape.capacity, [&] { return Scalars{k.load(scores, i)}; }, [&] { return Scalars{last}; })[0];
  }

  /// The threshold of all of them, more than topk, where `before` was the last one.
  LiveScores solve(const LiveScores &before) {
    Type element = shape.score;
    Scalar kappa = at(k.i32(shape.topk - 1)), next = at(k.i32(shape.topk));
    Scalar top = k.cast(kappa, f64), gap = top - k.cast(next, f64) >= 1.0;
    auto relative = [&](Scalar i) { return k.cast(at(i), f64) - top; };
    Scalar none = k.constant(f64, -std::numeric_limits<double>::infinity());
    Scalar old = (k.cast(before.hi, f64) - top) + k.cast(before.lo, f64); // -inf where there was none
    // Newton's method from the last threshold on; every fourth step halves the bracket.
    constexpr int64_t mostSteps = 300;
    Scalar zero = k.constant(f64, 0.0), least = k.constant(f64, -1.0);
    Scalars found = k.repeat(
        {k.i32(0), least, zero, k.max(old, least), none, !gap}, [](ArrayRef<Scalar> s) { return s.back(); },
        [&](ArrayRef<Scalar> s) {
          Scalar x = s[3];
          Scalar saturated = firstWhere(k, k.i32(0), size, [&](Scalar i) { return relative(i) - 1.0 < x; });
          Scalar end = firstWhere(k, saturated, size, [&](Scalar i) { return relative(i) <= x; });
          Scalar sum = k.loop(saturated + k.thread(), end, k.i32(k.blockThreads), {zero},
                              [&](Scalar i, ArrayRef<Scalar> v) { return Scalars{v[0] + relative(i)}; })[0];
          const int64_t used = k.sharedBytes();
          sum = k.blockReduce(sum, [](Scalar a, Scalar b) { return a + b; });
          k.releaseShared(used);
          Scalar inside = k.cast(end - saturated, f64), some = end > saturated;
          Scalar over = sum + k.cast(saturated - shape.topk, f64);
          Scalar exact = k.select(some, over / k.select(some, inside, k.constant(f64, 1.0)), x);
          Scalar enough = over - inside * x >= 0.0;
          Scalar low = k.select(enough, x, s[1]), high = k.select(enough, s[2], x);
          Scalar done = (some & (exact == x)) | (high - low <= DBL_EPSILON) | (s[0] >= mostSteps);
          Scalar newton = some & (exact > low) & (exact < high) & ((s[0] & 3) != 3);
          Scalar moved = k.select(newton | (done & some), exact, (low + high) * 0.5);
          Scalar died =
              k.choose(end < size, [&] { return Scalars{relative(end)}; }, [&] { return Scalars{old}; })[0];
          return Scalars{s[0] + 1, low, high, moved, died, !done};
        });
    auto [hi, lo] = thresholdPair(k, element, top, found[3], found[4]);
    LiveScores live{size, k.select(gap, next, hi), k.select(gap, k.constant(element, 0.0), lo)};
    live.count = firstWhere(k, k.i32(0), size, [&](Scalar i) { return !isLive(k, live, at(i)); });
    return live;
  }

  Scalar size; ///< with the new one

private:
  KernelCode &k;
  const CacheShape &shape;
  Pointer scores;
  Type f64;
  Scalar last;
};

} // namespace

JoinedScores joinLive(KernelCode &k, const CacheShape &shape, Pointer scores, const LiveScores &live,
                      Scalar x, Scalar candidates) {
  Joining joining(k, shape, scores);
  joining.insert(live.count, x);
  Scalar size = joining.size;
  Scalars next = k.choose((candidates > shape.topk) & (size > shape.topk),
                          [&] {
                            LiveScores solved = joining.solve(live);
                            return Scalars{solved.count, solved.hi, solved.lo};
                          },
                          [&] { return Scalars{size, live.hi, live.lo}; });
  Scalar tooMany = next[0] > shape.capacity, count = k.min(next[0], k.i32(shape.capacity));
  k.barrier(); // all have read what died
  k.loop(count + k.thread(), k.min(size, k.i32(shape.capacity)), k.i32(k.blockThreads),
         [&](Scalar i) { k.store(k.constant(shape.score, 0.0), scores, i); });
  k.barrier();
  return {{count, next[1], next[2]}, tooMany};
}

} // namespace heddle::gpu
