#include "compiler/conversion/SparseKToGPU/Support.h"

#include "compiler/conversion/SparseKToGPU/Order.h"

#include <limits>

using namespace mlir;

namespace heddle::gpu {

static Scalar distanceAbove(KernelCode &k, Scalar score, Pointer hi, Pointer lo, Scalar query) {
  return (clampScore(k, score) - k.load(hi, query)) - k.load(lo, query);
}

Scalar isAbove(KernelCode &k, Scalar score, Pointer hi, Pointer lo, Scalar query) {
  return distanceAbove(k, score, hi, lo, query) > 0.0;
}

Run supportRun(KernelCode &k, Scalar score, Pointer hi, Pointer lo, Scalar first, Scalar last) {
  Scalars run = k.choose(
      isAbove(k, score, hi, lo, first),
      [&] {
        auto load = [&](size_t, Scalar at) { return distanceAbove(k, score, hi, lo, at); };
        return firstWhereAll(k, {{first, last}, {first, last}}, load, [&](size_t i, Scalar distance) {
          return !(i == 0 ? distance >= 1.0 : distance > 0.0); // negated, so that it holds for NaN
        });
      },
      [&] { return Scalars{first, first}; });
  return {run[0], run[1]};
}

void eachWanted(KernelCode &k, const ScoreRows &rows, llvm::function_ref<Scalar(const Position &)> wanted,
                llvm::function_ref<void(const Position &)> body) {
  const Position mine = positionOfThread(k, rows);
  Pointer gathered = k.shared(elementThreads, k.i32Type()), count = k.shared(1, k.i32Type());
  k.when(k.thread() == 0, [&] { k.store(k.i32(0), count, k.i32(0)); });
  k.barrier();
  k.when(mine.i < rows.n, [&] {
    k.when(wanted(mine), [&] { k.store(mine.i, gathered, k.atomicAdd(k.i32(1), count, k.i32(0))); });
  });
  k.barrier();
  k.loop(k.thread(), k.load(count, k.i32(0)), k.i32(elementThreads),
         [&](Scalar number) { body({mine.row, mine.rowStart, k.load(gathered, number)}); });
}

/// The sum over the block's positions of i's segment up to and with i.
static Scalar segmentScan(KernelCode &k, Scalar x, Scalar i, Scalar start) {
  Scalar lane = k.lane();
  for (int64_t distance = 1; distance < warpSize; distance *= 2) {
    Scalar other = k.shuffleUp(x, distance);
    x = k.select((lane >= distance) & (i - distance >= start), other + x, x);
  }
  const int64_t used = k.sharedBytes();
  Pointer sums = k.shared(elementThreads / warpSize, x.type());
  k.when(lane == warpSize - 1, [&] { k.store(x, sums, k.warp()); });
  k.barrier();
  Scalar warp = k.warp(), blockStart = i - k.thread(), before = k.constant(x.type(), 0.0);
  for (int64_t other = 0; other < elementThreads / warpSize; ++other) {
    Scalar belongs = (warp > other) & (blockStart + (other * warpSize + warpSize - 1) >= start);
    before = k.select(belongs, before + k.load(sums, k.i32(other)), before);
  }
  k.barrier();
  k.releaseShared(used);
  return before + x;
}

void emitRunningSums(StepBuilder &steps, StringRef name, const ScoreRows &rows,
                     ArrayRef<DeviceOperand> operands,
                     llvm::function_ref<Scalar(KernelCode &, const Position &)> term,
                     llvm::function_ref<Scalar(KernelCode &, Scalar)> start,
                     llvm::function_ref<void(KernelCode &, const Position &, Scalar)> out) {
  const int64_t tiles = rows.tiles();
  SmallVector<DeviceOperand> all(operands);
  all.push_back(steps.reserve(rows.rows * tiles * 8));
  const auto ends = unsigned(operands.size());
  // Runs body(position, sum within the block) in every thread, also where the position is beyond the row.
  auto withSums = [&](KernelCode &k,
                      llvm::function_ref<void(const Position &, Scalar tile, Scalar from, Scalar sum)> body) {
    Scalar tile = k.block() % tiles, row = k.cast(k.block() / tiles, k.i64Type());
    Position p{row, row * rows.n, tile * elementThreads + k.thread()};
    Scalars own = k.choose(
        p.i < rows.n, [&] { return Scalars{term(k, p), start(k, p.i)}; },
        [&] { return Scalars{k.constant(k.b.getF64Type(), 0.0), p.i}; });
    body(p, tile, own[1], segmentScan(k, own[0], p.i, own[1]));
  };
  if (tiles > 1)
    steps.kernel((name + "_tiles").str(), rows.rows * tiles, elementThreads, all, [&](KernelCode &k) {
      withSums(k, [&](const Position &, Scalar, Scalar, Scalar sum) {
        k.when(k.thread() == elementThreads - 1,
               [&] { k.store(sum, k.pointer(ends, k.b.getF64Type()), k.block()); });
      });
    });
  steps.kernel(name, rows.rows * tiles, elementThreads, all, [&](KernelCode &k) {
    withSums(k, [&](const Position &p, Scalar tile, Scalar from, Scalar sum) {
      Scalar before = k.constant(k.b.getF64Type(), 0.0);
      if (tiles > 1) {
        // What the blocks before add to the segment that reaches into this one.
        const int64_t used = k.sharedBytes();
        Pointer segment = k.shared(1, k.i32Type());
        k.when(k.thread() == 0, [&] { k.store(from, segment, k.i32(0)); });
        k.barrier();
        Scalar entering = k.load(segment, k.i32(0)) / elementThreads;
        Scalar rowTiles = k.block() - tile;
        before = k.loop(entering + k.thread(), tile, k.i32(elementThreads), {before},
                        [&](Scalar other, ArrayRef<Scalar> sums) {
                          Pointer all = k.pointer(ends, k.b.getF64Type());
                          return Scalars{sums[0] + k.load(all, rowTiles + other)};
                        })[0];
        before = k.blockReduce(before, [](Scalar x, Scalar y) { return x + y; });
        k.releaseShared(used);
        before = k.select(from < tile * elementThreads, before, k.constant(k.b.getF64Type(), 0.0));
      }
      k.when(p.i < rows.n, [&] { out(k, p, before + sum); });
    });
  });
}

void emitRuns(StepBuilder &steps, const ThresholdBuffers &s) {
  const ScoreRows &rows = s.rows;
  Type element = rows.element, order = s.orderType();
  const int64_t window = rows.window, tiles = rows.tiles();
  Builder b(element.getContext());
  Type i32 = b.getI32Type();
  // From the first NaN that is a candidate on there are no supports.
  auto validUntil = [&](KernelCode &k, Pointer firstNan, const Position &p, SequenceBounds sequence) {
    return k.min(k.min(k.load(firstNan, p.at(k, sequence.start)), sequence.stop) + window, sequence.stop);
  };

  SmallVector<DeviceOperand> operands{s.u, s.bounds, s.firstNan, s.hi, s.lo, s.kappa, s.end, s.count};
  if (s.serial)
    operands.push_back(s.order);
  steps.kernel("runs", rows.rows * tiles, elementThreads, operands, [&](KernelCode &k) {
    Pointer kappa = k.pointer(5, order), hi = k.pointer(3, element), lo = k.pointer(4, element),
            ends = k.pointer(6, i32), sizes = k.pointer(7, i32);
    struct Key {
      Position p;
      SequenceBounds sequence;
      Scalar at, u, own, first, valid;
    };
    auto keyAt = [&](const Position &p) {
      SequenceBounds sequence = sequenceAt(k, rows, k.pointer(1, i32), p.i);
      Scalar at = p.at(k, p.i), u = clampScore(k, k.load(k.pointer(0, element), at));
      Scalar own = s.serial ? k.load(k.pointer(8, order), at) : keyOrder(k, u, p.i);
      return Key{p, sequence, at, u, own, p.i + window, validUntil(k, k.pointer(2, i32), p, sequence)};
    };
    auto above = [&](const Key &key, Scalar query) {
      Scalar at = key.p.at(k, query);
      return (key.u - k.load(hi, at)) - k.load(lo, at);
    };
    auto joins = [&](const Key &key) { return !(k.load(kappa, key.p.at(k, key.first)) > key.own); };
    auto supports = [&](const Key &key) {
      return k.choose(
          key.first < key.valid, [&] { return Scalars{above(key, key.first) > 0.0}; },
          [&] { return Scalars{k.truth(false)}; })[0];
    };
    auto isAlive = [&](const Position &p) {
      Key key = keyAt(p);
      // Keys beyond the last candidate stay in the window until the end.
      k.store(k.min(key.first, key.sequence.stop), ends, key.at);
      return k.choose(
          key.first < key.sequence.stop, [&] { return Scalars{joins(key) | supports(key)}; },
          [&] { return Scalars{k.truth(false)}; })[0];
    };
    eachWanted(k, rows, isAlive, [&](const Position &p) {
      Key key = keyAt(p);
      Scalar last = k.select(supports(key), key.valid, key.first);
      Scalars found = firstWhereAll(
          k,
          {{key.first, k.select(joins(key), key.sequence.stop, key.first)},
           {key.first, last},
           {key.first, last}},
          [&](size_t which, Scalar query) {
            return which == 0 ? k.load(kappa, key.p.at(k, query)) : above(key, query);
          },
          [&](size_t which, Scalar loaded) {
            if (which == 0)
              return loaded > key.own;
            return !(which == 1 ? loaded >= 1.0 : loaded > 0.0);
          });
      k.store(found[0], ends, key.at);
      // Sizes of supports: one more where a run begins, one less where it ends, summed below.
      k.when(found[1] < found[2], [&] {
        k.atomicAdd(k.i32(1), sizes, key.p.at(k, found[1]));
        k.when(found[2] < rows.n, [&] { k.atomicAdd(k.i32(-1), sizes, key.p.at(k, found[2])); });
      });
    });
  });

  DeviceOperand tileSizes = steps.reserve(rows.rows * tiles * 4);
  auto change = [&](KernelCode &k, const Position &p) {
    return k.choose(
        p.i < rows.n, [&] { return Scalars{k.load(k.pointer(0, i32), p.at(k, p.i))}; },
        [&] { return Scalars{k.i32(0)}; })[0];
  };
  auto position = [&](KernelCode &k) {
    Scalar row = k.cast(k.block() / tiles, k.i64Type());
    return Position{row, row * rows.n, (k.block() % tiles) * elementThreads + k.thread()};
  };
  auto add = [](Scalar x, Scalar y) { return x + y; };
  if (tiles > 1)
    steps.kernel("support_tiles", rows.rows * tiles, elementThreads, {s.count, tileSizes},
                 [&](KernelCode &k) {
                   Scalar sum = k.blockReduce(change(k, position(k)), add);
                   k.when(k.thread() == 0, [&] { k.store(sum, k.pointer(1, i32), k.block()); });
                 });
  steps.kernel(
      "supports", rows.rows * tiles, elementThreads, {s.count, tileSizes, s.bounds, s.firstNan, s.hi, s.lo},
      [&](KernelCode &k) {
        Position p = position(k);
        Scalar before = k.i32(0);
        if (tiles > 1) {
          Scalar tile = k.block() % tiles, firstTile = k.block() - tile;
          before = k.loop(k.thread(), tile, k.i32(elementThreads), {before},
                          [&](Scalar other, ArrayRef<Scalar> sums) {
                            return Scalars{sums[0] + k.load(k.pointer(1, i32), firstTile + other)};
                          })[0];
          before = k.blockReduce(before, add);
        }
        Scalar own = change(k, p);
        Scalar size = before + blockScan(k, own).before + own;
        k.when(p.i < rows.n, [&] {
          Scalar at = p.at(k, p.i);
          Scalar poisoned =
              p.i >= validUntil(k, k.pointer(3, i32), p, sequenceAt(k, rows, k.pointer(2, i32), p.i));
          k.store(k.select(poisoned, k.i32(0), size), k.pointer(0, i32), at);
          k.when(poisoned, [&] {
            k.store(k.constant(element, std::numeric_limits<double>::quiet_NaN()), k.pointer(4, element), at);
            k.store(k.constant(element, 0.0), k.pointer(5, element), at);
          });
        });
      });
}

} // namespace heddle::gpu
