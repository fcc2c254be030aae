#include "compiler/conversion/SparseKToGPU/ScoreLists.h"

#include "compiler/conversion/SparseKToGPU/Order.h"
#include "compiler/conversion/SparseKToGPU/Sort.h"

using namespace mlir;

namespace heddle::gpu {

static_assert(chunkSize == elementThreads, "a tile of sums is a list of level 0");

ListGeometry::ListGeometry(const ScoreRows &rows, bool prefixes) : rows(rows), prefixes(prefixes) {
  if (!prefixes)
    chunk = std::clamp<int64_t>(powerAbove(rows.n - rows.window), warpSize, chunkSize);
  // A warp takes one list a lane: another level where they would be more.
  auto lists = [&] { return rows.n / listSize(levels - 1) + (growth - 1) * (levels - 1); };
  while (prefixes && lists() > warpSize && rows.n / listSize(levels - 1) > growth)
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
  return {levelRow * g.rows.n + k.cast(at, i64), levelRow * g.tiles() + k.cast(at / chunkSize, i64),
          k.min(k.max(start - at, zero), size), size};
}

Scalar ListCode::sumBefore(const ListPart &list, Scalar at) {
  Scalar last = k.max(at - 1, k.i32(0));
  Scalar tile = k.load(tiles, list.tile + k.cast(last / chunkSize, k.i64Type()));
  Scalar own = k.load(sums, list.base + k.cast(last, k.i64Type()));
  return tile + k.select(at > 0, own, k.i64(0));
}

Scalar ListCode::search(const ListPart &list, Scalar begin, Scalar end,
                        llvm::function_ref<Scalar(Scalar)> holds) {
  return firstWhere(k, begin, end, [&](Scalar at) { return holds(key(list, at)); });
}

//===----------------------------------------------------------------------===//
// The kernels that make them
//===----------------------------------------------------------------------===//

ScoreLists emitScoreLists(StepBuilder &steps, const ThresholdBuffers &s, const ListGeometry &g) {
  const ScoreRows &rows = s.rows;
  Type element = rows.element, i32 = IntegerType::get(element.getContext(), 32),
       i64 = IntegerType::get(element.getContext(), 64);
  SortedRows records{rows.rows, rows.n, {}};
  if (rows.packed)
    records.parts.push_back(i32);
  records.parts.push_back(i64);
  ScoreLists lists;
  lists.keys = steps.reserve(g.levels * rows.size() * 8);
  lists.sums = steps.reserve(g.levels * rows.size() * 8);
  lists.tiles = steps.reserve(g.levels * rows.rows * g.tiles() * 8);

  SmallVector<DeviceOperand> here, there;
  if (g.levels > 1) {
    here = reserveRecords(steps, records);
    there = reserveRecords(steps, records);
  }
  // Writes a record to the lists of a level, and where there is another pass, to its source.
  auto sink = [&](int64_t level, unsigned first, bool goesOn) {
    return [=, &g, &records](KernelCode &k, Scalar row, Scalar i, ArrayRef<Scalar> record) {
      if (level >= 0)
        k.store(record.back(), k.pointer(first, i64),
                (row + level * g.rows.rows) * g.rows.n + k.cast(i, k.i64Type()));
      if (goesOn)
        storeRecord(k, records, first + 1, row, i, record);
    };
  };

  SmallVector<DeviceOperand> operands{s.u, s.bounds, lists.keys};
  operands.append(here.begin(), here.end());
  emitBlockSort(
      steps, "chunks", records, g.chunk, operands,
      [&](KernelCode &k, Scalar row, Scalar i) {
        Position p{row, row * rows.n, i};
        Scalar x = k.load(k.pointer(0, element), p.at(k, i));
        Scalars record;
        if (rows.packed)
          record.push_back(k.load(k.pointer(1, i32), i));
        record.push_back(keyOrder(k, clampScore(k, x), i));
        return record;
      },
      sink(0, 2, g.levels > 1));
  for (int64_t size = chunkSize; size < g.listSize(g.levels - 1); size *= 2) {
    int64_t level = -1;
    for (int64_t l = 1; l < g.levels; ++l)
      if (g.listSize(l) == 2 * size)
        level = l;
    const bool goesOn = 2 * size < g.listSize(g.levels - 1);
    operands = here;
    operands.push_back(lists.keys);
    if (goesOn)
      operands.append(there.begin(), there.end());
    emitMerge(steps, ("merge_" + Twine(size)).str(), records, size, operands,
              sink(level, unsigned(records.parts.size()), goesOn));
    std::swap(here, there);
  }

  if (!g.prefixes)
    return lists;
  const int64_t tiles = g.tiles(), levelRows = g.levels * rows.rows;
  steps.kernel(
      "sums", levelRows * tiles, elementThreads, {lists.keys, lists.sums, lists.tiles}, [&](KernelCode &k) {
        Scalar row = k.cast(k.block() / tiles, k.i64Type()),
               i = (k.block() % tiles) * elementThreads + k.thread();
        Scalar at = row * rows.n + k.cast(i, k.i64Type());
        Scalar own = k.choose(
            i < rows.n,
            [&] { return Scalars{fixedPoint(k, orderScore(k, k.load(k.pointer(0, i64), at)), g.fraction)}; },
            [&] { return Scalars{k.i64(0)}; })[0];
        BlockScan scan = blockScan(k, own);
        k.when(i < rows.n, [&] { k.store(scan.before + own, k.pointer(1, i64), at); });
        k.when(k.thread() == 0, [&] { k.store(scan.all, k.pointer(2, i64), k.block()); });
      });
  steps.kernel("tile_sums", levelRows, elementThreads, {lists.tiles}, [&](KernelCode &k) {
    Pointer sums = k.offset(k.pointer(0, i64), k.cast(k.block(), k.i64Type()) * tiles);
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
  return lists;
}

} // namespace heddle::gpu
