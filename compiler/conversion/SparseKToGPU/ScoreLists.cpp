#include "compiler/conversion/SparseKToGPU/ScoreLists.h"

#include "compiler/conversion/SparseKToGPU/Order.h"

using namespace mlir;

namespace heddle::gpu {

ListGeometry::ListGeometry(const ScoreRows &rows, const ThresholdTuning &tuning) : rows(rows) {
  auto lists = [&] { return rows.n / listSize(levels - 1) + (growth - 1) * (levels - 1); };
  while (lists() > (levels == 1 ? tuning.mostChunks : tuning.laneLists * warpSize) &&
         rows.n / listSize(levels - 1) > growth && mergedListBytes(*this, levels) <= tuning.sharedBytes)
    ++levels;
  mostLists = std::max<int64_t>(lists(), 1);
  int64_t bits = 0;
  while (int64_t(1) << bits < rows.n)
    ++bits;
  fraction = std::min<int64_t>(52, 61 - bits);
}

int64_t ListGeometry::listSize(int64_t level) const {
  int64_t size = chunkSize;
  for (int64_t i = 0; i < level; ++i)
    size *= growth;
  return size;
}

Scalar fixedPoint(KernelCode &k, Scalar score, int64_t fraction) {
  // Beyond 2^24 scores that differ do so by 2 or more: any number that depends on the score alone will do.
  const double far = 1 << 30;
  Scalar x = k.cast(score, k.b.getF64Type());
  x = k.max(k.min(x, literal(x, far)), literal(x, -far));
  Scalar whole = k.cast(x, k.i64Type());
  Scalar rest = (x - k.cast(whole, x.type())) * double(int64_t(1) << fraction);
  return (whole << fraction) + k.cast(rest, k.i64Type());
}

Scalar fromFixedPoint(KernelCode &k, Scalar sum, int64_t fraction) {
  return k.cast(sum, k.b.getF64Type()) * (1.0 / double(int64_t(1) << fraction));
}

//===----------------------------------------------------------------------===//
// Lists in a kernel
//===----------------------------------------------------------------------===//

ListPart ListCode::part(Scalar number, Scalar row, Scalar start, Scalar stop) {
  const ListGeometry &g = geometry;
  Scalar zero = k.i32(0), found = zero; // lists of the levels above
  Scalar level = zero, list = zero, size = zero;
  Scalar above;
  for (int64_t l = g.levels - 1; l >= 0; --l) {
    const int64_t listSize = g.listSize(l);
    Scalar first = start / listSize, last = stop / listSize;
    if (l + 1 < g.levels)
      first = k.max(first, above * ListGeometry::growth);
    Scalar count = k.max(last - first, zero);
    Scalar here = (number >= found) & (number < found + count);
    level = k.select(here, k.i32(l), level);
    list = k.select(here, first + (number - found), list);
    size = k.select(here, k.i32(listSize), size);
    found = found + count;
    above = last;
  }
  Type i64 = k.i64Type();
  Scalar levelRow = k.cast(level, i64) * g.rows.rows + row;
  Scalar at = list * size;
  return {levelRow * g.stride() + k.cast(at, i64), k.min(k.max(start - at, zero), size), size};
}

Scalar ListCode::sumBefore(const ListPart &list, Scalar at) {
  Scalar last = k.max(at - 1, k.i32(0));
  Scalar upTo = k.load(sums, list.base + k.cast(last, k.i64Type()));
  return k.select(at > 0, upTo, k.i64(0));
}

//===----------------------------------------------------------------------===//
// The kernels that make them
//===----------------------------------------------------------------------===//

namespace {

constexpr int64_t laneKeys = chunkSize / warpSize;

/// Sorts laneKeys integers of each lane in registers, ascending over lane * laneKeys + number: bitonic.
void sortWarp(KernelCode &k, MutableArrayRef<Scalar> keys) {
  Scalar lane = k.lane();
  for (int64_t size = 2; size <= chunkSize; size *= 2)
    for (int64_t distance = size / 2; distance > 0; distance /= 2) {
      // Runs of `size` are sorted up and down in turn.
      Scalar ascends = (lane & (size / laneKeys)) == 0;
      if (distance >= laneKeys) {
        Scalar isLower = (lane & (distance / laneKeys)) == 0, takesLess = isLower == ascends;
        for (Scalar &key : keys) {
          Scalar other = k.shuffleXor(key, distance / laneKeys);
          key = k.select((other < key) == takesLess, other, key);
        }
        continue;
      }
      for (int64_t i = 0; i < laneKeys; ++i) {
        if (i & distance)
          continue;
        Scalar a = keys[size_t(i)], b = keys[size_t(i + distance)];
        Scalar up = size < laneKeys ? k.truth((i & size) == 0) : ascends;
        Scalar swaps = (b < a) == up;
        keys[size_t(i)] = k.select(swaps, b, a);
        keys[size_t(i + distance)] = k.select(swaps, a, b);
      }
    }
}

/// The kernel that sorts chunks: a warp takes one.
class ChunkSort {
public:
  ChunkSort(KernelCode &k, const ListGeometry &g, int64_t crowdedWords)
      : k(k), g(g), rows(g.rows), crowdedWords(crowdedWords), i32(k.i32Type()), i64(k.i64Type()),
        chunk(k.block() * warps + k.warp()), row(k.cast(chunk / g.tiles(), i64)),
        start((chunk % g.tiles()) * chunkSize), bounds(k.pointer(1, i32)),
        staged(k.offset(k.shared(warps * placeOfKey(chunkSize), i64),
                        k.cast(k.warp(), i64) * placeOfKey(chunkSize))) {}
  static constexpr int64_t warps = 4;

  void emit() {
    k.when(chunk < rows.rows * g.tiles(), [&] {
      Scalars keys;
      for (int64_t i = 0; i < laneKeys; ++i)
        keys.push_back(load(start + (k.lane() + i * warpSize)));
      k.when(k.lane() == 0, [&] {
        k.when(chunk % 32 == 0, [&] { k.store(k.i32(0), k.pointer(9, i32), chunk / 32); });
        k.when(chunk == 0, [&] { k.store(k.i32(0), k.pointer(9, i32), k.i32(crowdedWords)); });
      });
      sortWarp(k, keys);
      store(keys);
    });
  }

private:
  /// A key of the chunk as one integer: its sequence, its score, and its place in the chunk, inverted.
  Scalar load(Scalar i) {
    return k.choose(
        i < rows.n,
        [&] {
          Scalar at = row * rows.n + k.cast(i, i64);
          setDefaults(i, at);
          Scalar bits = orderedBits(k, clampScore(k, k.load(k.pointer(0, rows.element), at)));
          Scalar score = k.extendUnsigned(bits ^ k.i32(std::numeric_limits<int32_t>::min()), i64);
          Scalar key = (score << 8) | k.cast((start + (chunkSize - 1)) - i, i64);
          if (rows.packed) {
            Scalar begins = k.max((k.load(bounds, i) + 1) - start, k.i32(0));
            key = key | (k.cast(begins, i64) << 40);
          }
          return Scalars{key};
        },
        [&] { return Scalars{k.i64(std::numeric_limits<int64_t>::max())}; })[0];
  }

  void setDefaults(Scalar i, Scalar at) {
    auto set = [&](Scalar value, unsigned number) { k.store(value, k.pointer(number, value.type()), at); };
    set(k.constant(rows.element, -std::numeric_limits<double>::infinity()), 4);
    set(k.constant(rows.element, 0.0), 5);
    set(k.i32(0), 6);
    set(k.i64(std::numeric_limits<int64_t>::min()), 7);
    Scalar noNan = k.i32(std::numeric_limits<int32_t>::max());
    k.when(rows.packed ? k.truth(true) : i == 0, [&] { set(noNan, 8); });
  }

  void store(ArrayRef<Scalar> keys) {
    Scalar none = k.i64(std::numeric_limits<int64_t>::max()), last = start + (chunkSize - 1);
    Scalars orders, sums;
    for (Scalar key : keys) {
      Scalar bits = k.cast(key >> 8, i32) ^ k.i32(std::numeric_limits<int32_t>::min());
      Scalar place = last - k.cast(key & (chunkSize - 1), i32);
      Scalar order = (k.cast(bits, i64) << 32) | k.extendUnsigned(place ^ k.i32(-1), i64);
      Scalar exists = key != none;
      orders.push_back(k.select(exists, order, none));
      Scalar own = k.select(exists, fixedPoint(k, fromOrderedBits(k, bits), g.fraction), k.i64(0));
      sums.push_back(sums.empty() ? own : sums.back() + own);
    }
    Scalar upTo = k.warpInclusiveScan(sums.back(), [](Scalar a, Scalar b) { return a + b; });
    Scalar before = upTo - sums.back();
    for (Scalar &sum : sums)
      sum = before + sum;
    storeInTurn(orders, k.pointer(2, i64));
    storeInTurn(sums, k.pointer(3, i64));
  }

  /// The lanes' parts one after the other, through shared memory: stores of parts would be far apart.
  void storeInTurn(ArrayRef<Scalar> values, Pointer to) {
    Scalar lane = k.lane(), at = row * g.stride() + k.cast(start, i64);
    k.warpBarrier();
    for (int64_t i = 0; i < laneKeys; ++i)
      k.store(values[size_t(i)], staged, placeOfKey(lane * laneKeys + i));
    k.warpBarrier();
    for (int64_t i = 0; i < laneKeys; ++i) {
      Scalar inTurn = lane + i * warpSize;
      k.store(k.load(staged, placeOfKey(inTurn)), to, at + k.cast(inTurn, i64));
    }
  }

  KernelCode &k;
  const ListGeometry &g;
  const ScoreRows &rows;
  const int64_t crowdedWords;
  Type i32, i64;
  Scalar chunk, row, start;
  Pointer bounds;
  Pointer staged; ///< the warp's part of shared memory
};

} // namespace

ScoreLists emitScoreLists(StepBuilder &steps, const ThresholdBuffers &s, const ListGeometry &g) {
  const ScoreRows &rows = s.rows;
  ScoreLists lists;
  lists.keys = steps.reserve(g.levels * rows.rows * g.stride() * 8);
  lists.sums = steps.reserve(g.levels * rows.rows * g.stride() * 8);
  steps.kernel("chunks", (rows.rows * g.tiles() + ChunkSort::warps - 1) / ChunkSort::warps,
               ChunkSort::warps * warpSize,
               {s.u, s.bounds, lists.keys, lists.sums, s.hi, s.lo, s.count, s.kappa, s.firstNan, s.crowded},
               [&](KernelCode &k) { ChunkSort(k, g, s.crowdedWords()).emit(); });
  for (int64_t level = 1; level < g.levels; ++level)
    emitMergedLists(steps, g, lists, s.bounds, level);
  return lists;
}

} // namespace heddle::gpu
