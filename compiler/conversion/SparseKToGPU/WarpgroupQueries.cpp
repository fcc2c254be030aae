#include "compiler/conversion/SparseKToGPU/WarpgroupQueries.h"
#include "compiler/conversion/GPU/TensorCode.h"

namespace heddle::gpu::attention {

void WarpgroupQueries::start() {
  setRegisters(k, c.w.productRegisters, /*more=*/true);
  Scalar warp = (c.thread >> 5) - warpgroupThreads / warpSize;
  warpRow = warp * 16;
  for (int64_t half = 0; half < 2; ++half)
    rows[half] = warpRow + (c.lane >> 2) + 8 * half;
  firstColumn = (c.lane & 3) * 2;
  warpNumber = warp;
}

void WarpgroupQueries::copyRows(const WarpgroupTile &tile, Pointer from, int64_t width, int64_t start) {
  Scalar thread = computeHere(k, c.thread & (warpgroupThreads - 1));
  Scalar first = warpgroup * 64 + (thread >> 3), last = tile.last - tile.first;
  Scalars queries;
  for (int64_t row = 0; row < 64; row += rowsAtATime)
    queries.push_back(k.min(first + row, last));
  Pointer rowsOfTile = k.offset(from, tile.queryStart * width);
  heddle::gpu::attention::copyRows(k, c.element, panelOffset(first, thread & 7) + c.address(start),
                                   c.w.tile(), rowsOfTile, width, queries, thread & 7);
}

Scalars WarpgroupQueries::loadSides(const WarpgroupTile &tile) {
  Scalars sides;
  if (p.spec.topk > 0) {
    Scalar center = c.scored() ? c.center(tile) : k.f32(0);
    for (int64_t half = 0; half < 2; ++half) {
      Scalar at = c.wide(tile.rowStart + k.min(tile.first + rows[half], tile.last));
      sides.push_back(-((k.load(c.hi, at) - center) + k.load(c.lo, at)));
    }
  }
  if (p.spec.packed) {
    Scalar query = k.min(tile.first + warpRow, tile.last);
    sides.append({k.load(c.bounds, query), k.load(c.bounds, query + c.n)});
  }
  return sides;
}

void WarpgroupQueries::startRows(const WarpgroupTile &tile, llvm::ArrayRef<Scalar> sides) {
  warpFirst = tile.first + warpRow;
  for (int64_t half = 0; half < 2; ++half) {
    positions[half] = k.cast(rows[half], k.f32Type());
    if (p.spec.topk > 0)
      minusThresholds[half] = sides[size_t(half)];
  }
  if (p.spec.packed) {
    sequenceBegin = sides.drop_back().back();
    sequenceEnd = sides.back();
  }
}

void WarpgroupQueries::whenLast(const WarpgroupTile &tile, Scalar number, llvm::function_ref<void()> load) {
  k.when(k.both(number == tile.blocks - 1, tile.hasNext), [&] {
    joinOwn(); // all warps have read the rows
    load();
  });
}

void WarpgroupQueries::awaitRows() {
  waitForCopies(k, 0);
  showToProducts(k);
  joinOwn();
}

void WarpgroupQueries::await(WarpgroupCode::Barrier which, RingPlace place) {
  waitForPhase(k, c.barrier(which, place.stage), place.parity);
  showToProducts(k);
}

void WarpgroupQueries::release(WarpgroupCode::Barrier which, Scalar stage) {
  k.when(c.lane == 0, [&] { arrive(k, c.barrier(which, stage)); });
}

Sums WarpgroupQueries::multiplyRows(Scalar rows, Scalar stage, int64_t width) {
  return attention::multiplyRows(k, c.element, rows, c.w.tile(), stage, block, width);
}

Sums WarpgroupQueries::multiplyWeights(const Sums &sums, llvm::ArrayRef<Scalar> weights, Scalar stage,
                                       int64_t width) {
  beginProducts(k);
  return addWeighted(k, c.element, sums, weights, stage, block, width);
}

Scalars WarpgroupQueries::packed(llvm::ArrayRef<Scalar> x) {
  Scalars words;
  for (size_t i = 0; i < x.size(); i += 2)
    words.push_back(packInPlace(k, x[i], x[i + 1], c.element));
  return words;
}

WarpgroupQueries::Kind WarpgroupQueries::kindOf(const WarpgroupTile &tile, Scalar number) {
  Kind kind{k.truth(false), number < tile.selectedBlocks, k.truth(true)};
  if (p.spec.topk > 0)
    kind.masked = (number + 1) * block > tile.wholeKeys;
  if (p.spec.window > 0) {
    // Nothing is masked if this warp's first query sees the block's last key, and its last query the first.
    Scalar start = tile.windowBegin + (number - tile.selectedBlocks) * block, last = warpFirst + 15;
    Scalar masked = (start + (block - 1) > warpFirst) | (start + p.spec.window <= last);
    if (p.spec.packed) // or where a sequence begins or ends among them
      masked = masked | (start < sequenceBegin) | (sequenceEnd <= last);
    Scalar unseen = (start > last) | (start + (block - 1 + p.spec.window) <= warpFirst);
    kind.masked = k.select(kind.selected, kind.masked, masked);
    kind.unseen = k.both(!kind.selected, unseen);
  }
  return kind;
}

Scalars WarpgroupQueries::byKind(const Kind &kind, llvm::function_ref<Scalars(bool gate, bool masked)> seen,
                                 llvm::function_ref<Scalars()> unseen) {
  auto of = [&](bool selected) {
    const bool gate = selected && c.scored();
    return k.choose(kind.masked, [&] { return seen(gate, true); }, [&] { return seen(gate, false); });
  };
  auto some = [&] {
    if (p.spec.topk == 0 || p.spec.window == 0)
      return of(p.spec.topk > 0);
    return k.choose(kind.selected, [&] { return of(true); }, [&] { return of(false); });
  };
  return p.spec.window > 0 ? k.choose(kind.unseen, unseen, some) : some();
}

mlir::Value WarpgroupQueries::numbersOf(RingPlace place, int64_t which, int64_t tile) {
  Pointer from = atShared(k, c.numberAddress(place.stage, place.parity, which), k.f32Type());
  return k.loadVector(from, firstColumn + 8 * tile, 2);
}

void WarpgroupQueries::markOdd(const WarpgroupTile &tile, llvm::ArrayRef<Scalar> x) {
  Scalar odd[4] = {k.f32(0), k.f32(0), k.f32(0), k.f32(0)}; // or NaN; some that do not wait for each other
  for (size_t i = 0; i < x.size(); ++i)
    odd[i % 4] = k.multiplyAdd(x[i], k.f32(0), odd[i % 4]);
  Scalar marked = k.ballot(k.isNan((odd[0] + odd[1]) + (odd[2] + odd[3]))) != 0;
  k.when(c.lane == 0, [&] {
    k.store(k.extendUnsigned(marked, k.i32Type()), c.marks,
            c.wide(tile.number) * c.w.warps() + c.wide(warpNumber));
    k.when(marked, [&] { k.store(k.i32(1), c.anyMark, k.i32(0)); });
  });
}

void WarpgroupQueries::storeRows(const WarpgroupTile &tile, Pointer to, int64_t width,
                                 llvm::ArrayRef<Scalar> x) {
  for (int64_t half = 0; half < 2; ++half) {
    Scalar start = (tile.queryStart + c.wide(rows[half])) * width;
    storeRow(k, c.element, x, half, k.offset(to, start), width, inTile(tile, half));
  }
}

} // namespace heddle::gpu::attention
