// The warpgroup that gathers: eight lanes copy a row, 128 bytes a time. The rows' numbers are loaded two
// blocks ahead, what else is known of keys one block ahead.
#include "compiler/conversion/GPU/TensorCode.h"
#include "compiler/conversion/SparseKToGPU/Pairs.h"
#include "compiler/conversion/SparseKToGPU/Warpgroup.h"

namespace heddle::gpu::attention {
namespace {

class Producer {
public:
  explicit Producer(WarpgroupCode &code) : c(code), k(code.k), p(code.p), block(code.w.block) {}

  void emit() {
    setRegisters(k, c.w.gatherRegisters, /*more=*/false);
    piece = c.thread & 7;
    firstRow = c.thread >> 3;
    target = panelOffset(firstRow, piece);
    Scalars ring{k.i32(0), k.i32(1)};
    if (!oneRing())
      ring.append({k.i32(0), k.i32(1)});
    c.forEachTile(ring,
                  [&](const WarpgroupTile &tile, llvm::ArrayRef<Scalar> ring) { return walk(tile, ring); });
  }

private:
  /// Once what has been stored and is being copied is there.
  void arriveAt(WarpgroupCode::Barrier full, Scalar stage) {
    Scalar barrier = c.barrier(full, stage);
    if (full == c.fullBlock())
      arrive(k, barrier);
    arriveAfterCopies(k, barrier);
  }
  /// The tile's own rows are copied by the role that multiplies, when it has read those of the tile before.
  void prefetchTile(const WarpgroupTile &tile) {
    using A = AttentionArgument;
    auto ask = [&](A from, int64_t width) {
      for (int64_t first = 0; first < c.w.tile(); first += warpgroupThreads) {
        Scalar query = k.min(c.thread + first, tile.last - tile.first);
        prefetchRow(k, c.builder.buffer(k, from, c.element), tile.queryStart + c.wide(query), width, 2);
      }
    };
    ask(A::Q, p.spec.keyWidth);
    if (c.w.cotangentPanels > 0) {
      ask(A::DOut, p.spec.valueWidth);
      ask(A::O, p.spec.valueWidth);
    }
  }
  /// Whether keys and values have the same places.
  bool oneRing() const { return c.w.keyStages == c.w.valueStages; }
  int64_t rowsOfThread() const { return block / rowsAtATime; }

  Scalars walk(const WarpgroupTile &tile, llvm::ArrayRef<Scalar> ring) {
    prefetchTile(tile);
    center = c.scored() ? c.center(tile) : k.f32(0);
    Scalars carried = rowsOf(tile, k.i32(0));
    const size_t rows = carried.size();
    Scalars numbers = numbersOf(tile, k.i32(0), carried.back());
    carried.append(rowsOf(tile, k.i32(1)));
    carried.append(numbers);
    carried.append(ring.begin(), ring.end());
    carried =
        k.loop(k.i32(0), tile.blocks, k.i32(1), carried, [&](Scalar number, llvm::ArrayRef<Scalar> values) {
          llvm::ArrayRef<Scalar> now = values.take_front(rows), after = values.slice(rows, rows);
          llvm::ArrayRef<Scalar> known = values.slice(2 * rows, 2);
          RingPlace place{values[2 * rows + 2], values[2 * rows + 3]};
          RingPlace ofValues = oneRing() ? place : RingPlace{values[2 * rows + 4], values[2 * rows + 5]};
          waitForPhase(k, c.barrier(WarpgroupCode::EmptyKeys, place.stage), place.parity);
          gather(place.stage * c.w.keyBytes() + c.address(c.keysStart), c.keyRows, p.spec.keyWidth, now);
          storeNumbers(tile, number, now.back(), known, place);
          if (c.fullBlock() == WarpgroupCode::FullKeys)
            arriveAt(WarpgroupCode::FullKeys, place.stage);
          waitForPhase(k, c.barrier(WarpgroupCode::EmptyValues, ofValues.stage), ofValues.parity);
          gather(ofValues.stage * c.w.valueBytes() + c.address(c.valuesStart), c.valueRows, p.spec.valueWidth,
                 now);
          arriveAt(WarpgroupCode::FullValues, ofValues.stage);
          Scalars next(after);
          next.append(rowsOf(tile, number + 2));
          next.append(numbersOf(tile, number + 1, after.back()));
          place = c.nextKeys(place);
          next.append({place.stage, place.parity});
          if (!oneRing()) {
            ofValues = c.nextValues(ofValues);
            next.append({ofValues.stage, ofValues.parity});
          }
          return next;
        });
    tile.lookAhead();
    return Scalars(llvm::ArrayRef(carried).take_back(ring.size()));
  }

  /// The rows that this thread copies of a block, and that of the key whose numbers it stores, counted over
  /// the heads. Behind the last key there are more of them.
  Scalars rowsOf(const WarpgroupTile &tile, Scalar number) {
    auto each = [&](llvm::function_ref<Scalar(Scalar)> rowAt) {
      Scalars rows;
      Scalar start = computeHere(k, firstRow);
      for (int64_t i = 0; i < rowsOfThread(); ++i)
        rows.push_back(rowAt(start + i * rowsAtATime));
      rows.push_back(rowAt(k.min(c.thread, k.i32(block - 1))));
      return rows;
    };
    auto window = [&] {
      Scalar start = tile.windowBegin + (number - tile.selectedBlocks) * block;
      Scalar last = k.max(tile.windowEnd - 1, k.i32(0));
      return each([&](Scalar at) { return tile.rowStart + k.min(start + at, last); });
    };
    if (p.spec.topk == 0)
      return window();
    auto selected = [&] {
      Scalar start = number * block, last = tile.selectedKeys - 1;
      return each([&](Scalar at) {
        return tile.rowStart + k.load(c.listKeys, tile.list + c.wide(k.min(start + at, last)));
      });
    };
    return k.choose(number < tile.selectedBlocks, selected, window);
  }

  /// The score of a key, where gates want it, and the first query that does not see it.
  Scalars numbersOf(const WarpgroupTile &tile, Scalar number, Scalar row) {
    auto window = [&] {
      Scalar end = row - tile.rowStart + p.spec.window;
      if (p.spec.packed)
        end = k.min(end, k.load(c.bounds, row - tile.rowStart + c.n));
      return Scalars{k.f32(0), end};
    };
    if (p.spec.topk == 0)
      return window();
    auto selected = [&] {
      Scalar place = c.wide(row);
      return Scalars{c.scored() ? k.load(c.u, place) : k.f32(0), k.load(c.ends, place)};
    };
    return k.choose(number < tile.selectedBlocks, selected, window);
  }

  void storeNumbers(const WarpgroupTile &tile, Scalar number, Scalar row, llvm::ArrayRef<Scalar> known,
                    RingPlace place) {
    k.when(c.thread < block, [&] {
      Scalar selected = number < tile.selectedBlocks, key = row - tile.rowStart;
      Scalar from = k.select(selected, key + p.spec.window, key);
      Scalar at = k.select(selected, number, number - tile.selectedBlocks) * block + c.thread;
      Scalar count = k.select(selected, tile.selectedKeys, tile.windowEnd - tile.windowBegin);
      // Its run among the tile's queries, from 0 on: |query - middle| <= half. Such numbers are exact.
      auto inside = [&](Scalar query) {
        Scalar relative = k.min(k.max(query - tile.first, k.i32(0)), k.i32(c.w.tile()));
        return k.cast(relative, k.f32Type());
      };
      Scalar begin = inside(from), end = k.select(at < count, inside(known[1]), k.f32(0));
      // The parity that empty stages are awaited with is the other one than that of full ones.
      auto store = [&](Scalar value, int64_t which) {
        Scalar numbers = c.numberAddress(place.stage, place.parity ^ 1, which);
        k.store(value, atShared(k, numbers, k.f32Type()), c.thread);
      };
      if (c.scored()) {
        store(finiteScore(k, known[0]) - center, 0);
      }
      store((begin + end - 1.0) * 0.5, 1);
      store((end - 1.0 - begin) * 0.5, 2);
    });
  }

  void gather(Scalar stage, Pointer from, int64_t width, llvm::ArrayRef<Scalar> rows) {
    copyRows(k, c.element, stage + target, block, from, width, rows.take_front(size_t(rowsOfThread())),
             piece);
  }

  WarpgroupCode &c;
  KernelCode &k;
  const Plan &p;
  const int64_t block; ///< keys
  Scalar piece, firstRow, target, center;
};

} // namespace

void emitProducer(WarpgroupCode &code) { Producer(code).emit(); }

} // namespace heddle::gpu::attention
