#include "compiler/conversion/SparseKToGPU/ScoreLists.h"

#include "compiler/conversion/SparseKToGPU/Order.h"
#include "compiler/conversion/SparseKToGPU/Sort.h"

using namespace mlir;

namespace heddle::gpu {

static_assert(chunkSize == elementThreads, "a tile of sums is a list of level 0");

ListGeometry::ListGeometry(const ScoreRows &rows, int64_t laneLists) : rows(rows) {
  auto lists = [&] { return rows.n / listSize(levels - 1) + (growth - 1) * (levels - 1); };
  while (lists() > laneLists * warpSize && rows.n / listSize(levels - 1) > growth)
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
  return {levelRow * g.stride() + k.cast(at, i64), levelRow * g.tiles() + k.cast(at / chunkSize, i64),
          k.min(k.max(start - at, zero), size), size};
}

Scalar ListCode::sumBefore(const ListPart &list, Scalar at) {
  Scalar last = k.max(at - 1, k.i32(0));
  Scalar tile = k.load(tiles, list.tile + k.cast(last / chunkSize, k.i64Type()));
  Scalar own = k.load(sums, list.base + k.cast(last, k.i64Type()));
  return tile + k.select(at > 0, own, k.i64(0));
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
  ChunkSort(KernelCode &k, const ListGeometry &g)
      : k(k), g(g), rows(g.rows), i32(k.i32Type()), i64(k.i64Type()), chunk(k.block() * warps + k.warp()),
        row(k.cast(chunk / g.tiles(), i64)), start((chunk % g.tiles()) * chunkSize),
        bounds(k.pointer(1, i32)) {}
  static constexpr int64_t warps = 4;

  /// `records` is the number of the first operand of what is merged; 0 for nothing.
  void emit(unsigned records) {
    k.when(chunk < rows.rows * g.tiles(), [&] {
      Scalars keys;
      for (int64_t i = 0; i < laneKeys; ++i)
        keys.push_back(load(start + (k.lane() + i * warpSize)));
      k.when((k.lane() == 0) & (chunk % 32 == 0), [&] { k.store(k.i32(0), k.pointer(10, i32), chunk / 32); });
      sortWarp(k, keys);
      store(keys, records);
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
    set(k.constant(rows.element, -std::numeric_limits<double>::infinity()), 5);
    set(k.constant(rows.element, 0.0), 6);
    set(k.i32(0), 7);
    set(k.i64(std::numeric_limits<int64_t>::min()), 8);
    Scalar noNan = k.i32(std::numeric_limits<int32_t>::max());
    k.when(rows.packed ? k.truth(true) : i == 0, [&] { set(noNan, 9); });
  }

  void store(ArrayRef<Scalar> keys, unsigned records) {
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
    // Rows of lists are padded, so pairs are aligned.
    Scalar first = k.lane() * laneKeys;
    Scalar at = row * g.stride() + k.cast(start + first, i64);
    for (int64_t i = 0; i < laneKeys; i += 2) {
      k.storeVector(k.vectorOf({orders[size_t(i)], orders[size_t(i + 1)]}), k.pointer(2, i64), at + i);
      k.storeVector(k.vectorOf({sums[size_t(i)], sums[size_t(i + 1)]}), k.pointer(3, i64), at + i);
    }
    k.when(k.lane() == 0, [&] { k.store(k.i64(0), k.pointer(4, i64), chunk); });
    if (records == 0)
      return;
    for (int64_t i = 0; i < laneKeys; ++i) {
      Scalar place = start + first + i;
      k.when(place < rows.n, [&] {
        Scalars record;
        if (rows.packed) {
          Scalar begins = k.cast(keys[size_t(i)] >> 40, i32);
          record.push_back(k.choose(
              begins == 0, [&] { return Scalars{k.load(bounds, start)}; },
              [&] { return Scalars{start + begins - 1}; })[0]);
        }
        record.push_back(orders[size_t(i)]);
        storeRecord(k, recordsOf(rows, i32, i64), records, row, place, record);
      });
    }
  }

public:
  static SortedRows recordsOf(const ScoreRows &rows, Type i32, Type i64) {
    SortedRows records{rows.rows, rows.n, {}};
    if (rows.packed)
      records.parts.push_back(i32);
    records.parts.push_back(i64);
    return records;
  }

private:
  KernelCode &k;
  const ListGeometry &g;
  const ScoreRows &rows;
  Type i32, i64;
  Scalar chunk, row, start;
  Pointer bounds;
};

/// Lists of level 1 and above from those of level 0, whose records are in `here`.
void emitMerges(StepBuilder &steps, const ListGeometry &g, const ScoreLists &lists, const SortedRows &records,
                SmallVector<DeviceOperand> here) {
  SmallVector<DeviceOperand> there = reserveRecords(steps, records);
  const auto parts = unsigned(records.parts.size());
  for (int64_t size = chunkSize; size < g.listSize(g.levels - 1); size *= 2) {
    int64_t level = 0;
    for (int64_t l = 1; l < g.levels; ++l)
      if (g.listSize(l) == 2 * size)
        level = l;
    const bool goesOn = 2 * size < g.listSize(g.levels - 1);
    SmallVector<DeviceOperand> operands = here;
    operands.push_back(lists.keys);
    if (goesOn)
      operands.append(there.begin(), there.end());
    emitMerge(steps, ("merge_" + Twine(size)).str(), records, size, operands,
              [&](KernelCode &k, Scalar row, Scalar i, ArrayRef<Scalar> record) {
                if (level > 0)
                  k.store(record.back(), k.pointer(parts, k.i64Type()),
                          (row + level * g.rows.rows) * g.stride() + k.cast(i, k.i64Type()));
                if (goesOn)
                  storeRecord(k, records, parts + 1, row, i, record);
              });
    std::swap(here, there);
  }
}

/// Sums of the lists of level 1 and above.
void emitSums(StepBuilder &steps, const ListGeometry &g, const ScoreLists &lists) {
  const int64_t tiles = g.tiles(), rows = g.rows.rows, upperRows = (g.levels - 1) * rows;
  steps.kernel(
      "sums", upperRows * tiles, elementThreads, {lists.keys, lists.sums, lists.tiles}, [&](KernelCode &k) {
        Type i64 = k.i64Type();
        Scalar tile = k.block() + rows * tiles;
        Scalar row = k.cast(tile / tiles, i64), i = (tile % tiles) * elementThreads + k.thread();
        Scalar at = row * g.stride() + k.cast(i, i64);
        Scalar own = k.choose(
            i < g.rows.n,
            [&] { return Scalars{fixedPoint(k, orderScore(k, k.load(k.pointer(0, i64), at)), g.fraction)}; },
            [&] { return Scalars{k.i64(0)}; })[0];
        BlockScan scan = blockScan(k, own);
        k.store(scan.before + own, k.pointer(1, i64), at);
        k.when(k.thread() == 0, [&] { k.store(scan.all, k.pointer(2, i64), tile); });
      });
  steps.kernel("tile_sums", upperRows, elementThreads, {lists.tiles}, [&](KernelCode &k) {
    Type i64 = k.i64Type();
    Pointer sums = k.offset(k.pointer(0, i64), k.cast(k.block() + rows, i64) * tiles);
    k.loop(k.i32(0), k.i32(tiles), k.i32(elementThreads), {k.i64(0)},
           [&](Scalar first, ArrayRef<Scalar> before) {
             Scalar tile = first + k.thread();
             Scalar own = k.choose(
                 tile < tiles, [&] { return Scalars{k.load(sums, tile)}; },
                 [&] { return Scalars{k.i64(0)}; })[0];
             BlockScan scan = blockScan(k, own);
             k.when(tile < tiles, [&] { k.store(before[0] + scan.before, sums, tile); });
             return Scalars{before[0] + scan.all};
           });
  });
}

} // namespace

ScoreLists emitScoreLists(StepBuilder &steps, const ThresholdBuffers &s, const ListGeometry &g) {
  const ScoreRows &rows = s.rows;
  MLIRContext *context = rows.element.getContext();
  Type i32 = IntegerType::get(context, 32), i64 = IntegerType::get(context, 64);
  const int64_t tiles = rows.rows * g.tiles();
  ScoreLists lists;
  lists.keys = steps.reserve(g.levels * rows.rows * g.stride() * 8);
  lists.sums = steps.reserve(g.levels * rows.rows * g.stride() * 8);
  lists.tiles = steps.reserve(g.levels * tiles * 8);

  const SortedRows records = ChunkSort::recordsOf(rows, i32, i64);
  SmallVector<DeviceOperand> operands{s.u,  s.bounds, lists.keys, lists.sums, lists.tiles, s.hi,
                                      s.lo, s.count,  s.kappa,    s.firstNan, s.crowded},
      merged;
  const auto first = unsigned(operands.size());
  if (g.levels > 1)
    merged = reserveRecords(steps, records);
  operands.append(merged.begin(), merged.end());
  steps.kernel("chunks", (tiles + ChunkSort::warps - 1) / ChunkSort::warps, ChunkSort::warps * warpSize,
               operands, [&](KernelCode &k) { ChunkSort(k, g).emit(g.levels > 1 ? first : 0); });
  if (g.levels > 1) {
    emitMerges(steps, g, lists, records, merged);
    emitSums(steps, g, lists);
  }
  return lists;
}

} // namespace heddle::gpu
