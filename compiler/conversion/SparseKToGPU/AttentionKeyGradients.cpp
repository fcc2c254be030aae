// dk, dv and du: a block of threads has a tile of keys, 16 for each warp, and walks over the queries that see
// them.
//
// Selected keys go first: a tile is some of the keys that a chunk of queries selects, and its sums are
// partial ones, a row for each key of a chunk. Then the keys of the windows, tile by tile in the order of the
// sequence: to their sums the partial ones are added, chunk after chunk. Every element is written once.
#include "compiler/conversion/SparseKToGPU/KeyTile.h"

namespace heddle::gpu::attention {
namespace {

/// Partial sums of selected keys, in the workspace.
struct PartialSums {
  DeviceOperand rows;   ///< [row of the wave, chunk, slot, keyPad + valuePad]
  DeviceOperand scores; ///< [row of the wave, chunk, slot]
};

class KeyGradientKernel : public KeyTile {
public:
  KeyGradientKernel(TileCode &t, const Plan &plan, const ProgramBuilder &builder,
                    const QueryWalkOperands &operands)
      : KeyTile(t, plan, builder, operands), selected(operands.selects),
        ends(builder.buffer(k, AttentionArgument::End, k.i32Type())) {}

  SlotLists lists;
  Pointer partRows, partScores; ///< partial sums
  Scalar firstRow;              ///< of the wave

  static int64_t slotTiles(const Plan &p) { return (p.slotStride + p.walk.tile - 1) / p.walk.tile; }

  /// A tile of the keys that a chunk of queries selects.
  void emitSelected() {
    splitRow(k.block(), slotTiles(p) * p.chunks());
    Scalar tile = place % slotTiles(p), chunk = place / slotTiles(p) % p.chunks();
    Scalar list = row * p.chunks() + chunk, firstSlot = tile * p.walk.tile;
    Scalar total = k.load(lists.total, list), listStart = t.wide(list) * p.slotStride;
    k.when(firstSlot < total, [&] {
      Scalar chunkStart = chunk * p.chunk, chunkEnd = k.min(chunkStart + p.chunk, k.i32(n));
      Scalar slot = firstSlot + t.thread;
      Scalars known = k.choose(
          k.both(t.thread < p.walk.tile, slot < total),
          [&] {
            Scalar key = k.load(lists.keys, listStart + t.wide(slot));
            return Scalars{key, key + p.spec.window, k.load(ends, rowStart + t.wide(key))};
          },
          [&] { return Scalars{k.i32(-1), k.i32(INT32_MAX), k.i32(0)}; });
      k.when(t.thread < p.walk.tile, [&] { k.store(known[0], numbers, t.thread); });
      Scalar first = k.blockReduce(known[1], [&](Scalar x, Scalar y) { return k.min(x, y); });
      Scalar end = k.blockReduce(known[2], [&](Scalar x, Scalar y) { return k.max(x, y); });
      loadSides();
      Scalars state = sum(row, k.max(first, chunkStart), k.min(end, chunkEnd));
      Scalar part = t.wide((row - firstRow) * p.chunks() + chunk) * p.slotStride;
      for (int64_t half = 0; half < 2; ++half) {
        Scalar mine = firstSlot + t.row(half);
        k.when(mine < total, [&] {
          Scalar at = part + t.wide(mine);
          eachPair(state, half, at * partWidth(), [&](Scalar &x, Scalar &y, Scalar column) {
            k.storeVector(k.vectorOf({x, y}), partRows, column);
          });
          k.when(k.both(t.firstColumn == 0, columnPart == 0),
                 [&] { k.store(state[size_t(half)], partScores, at); });
        });
      }
    });
  }

  /// A tile of neighbouring keys: their windows, and what the chunks gave.
  void emitWindow() {
    using A = AttentionArgument;
    const int64_t tiles = (n + p.walk.tile - 1) / p.walk.tile;
    splitRow(k.block(), tiles);
    Scalar firstKey = place % tiles * p.walk.tile, lastKey = k.min(firstKey + p.walk.tile, k.i32(n)) - 1;
    k.when(t.thread < p.walk.tile, [&] {
      Scalar key = firstKey + t.thread;
      k.store(k.select(key <= lastKey, key, k.i32(-1)), numbers, t.thread);
    });
    k.barrier();
    bounds = builder.buffer(k, A::Bounds, k.i32Type());
    loadSides();
    Scalars state = sum(row, firstKey, k.min(windowEnd(lastKey), k.i32(n)));
    if (p.spec.topk > 0)
      state = withPartialSums(state, firstKey, lastKey);
    Scalars rows, valid;
    for (int64_t half = 0; half < 2; ++half) {
      Scalar key = firstKey + t.row(half);
      rows.push_back(rowStart + t.wide(k.min(key, lastKey)));
      valid.push_back(key <= lastKey);
      k.when(k.both(valid.back(), k.both(t.firstColumn == 0, columnPart == 0)),
             [&] { k.store(state[size_t(half)], builder.buffer(k, A::DU, t.compute), rows.back()); });
    }
    store(state, builder.buffer(k, A::DK, t.element), p.spec.keyWidth, builder.buffer(k, A::DV, t.element),
          p.spec.valueWidth, rows, valid);
  }

private:
  Scalars withPairs(const QueryBlock &block, PairsUse body) override {
    auto emit = [&](bool masked) {
      GatePairs pairs(t, p, selected, masked, /*derivative=*/true);
      return body(pairs);
    };
    Scalar masked = (block.first < latestBegin) | (block.first + p.walk.block > firstEnd);
    return k.choose(masked, [&] { return emit(true); }, [&] { return emit(false); });
  }

  int64_t partWidth() const { return p.keyPad + p.valuePad; }

  /// Which columns, row and place within the row this block of threads has.
  void splitRow(Scalar block, int64_t placesOfRow) {
    Scalar rest = splitColumns(block);
    row = firstRow + rest / placesOfRow;
    place = rest % placesOfRow;
    rowStart = t.wide(row) * n;
  }

  Scalar windowEnd(Scalar key) {
    Scalar end = key + p.spec.window;
    return p.spec.packed ? k.min(end, k.load(bounds, key + n)) : end;
  }

  /// What this lane's two keys are, from their numbers.
  void loadSides() {
    Scalar begin, end;
    for (int64_t half = 0; half < 2; ++half) {
      Scalar key = k.load(numbers, t.row(half));
      Scalars side = k.choose(
          key >= 0,
          [&] {
            if (!selected)
              return Scalars{key, windowEnd(key)};
            Scalar at = rowStart + t.wide(key);
            Scalar u = k.load(builder.buffer(k, AttentionArgument::U, t.compute), at);
            return Scalars{key + p.spec.window, k.load(ends, at), finiteScore(k, u)};
          },
          [&] {
            Scalars none{k.i32(INT32_MAX), k.i32(0)};
            if (selected)
              none.push_back(t.number(0));
            return none;
          });
      sides[half] = {side[0], side[1], selected ? side[2] : Scalar{}};
      begin = half ? k.max(begin, side[0]) : side[0];
      end = half ? k.min(end, side[1]) : side[1];
    }
    latestBegin = k.warpReduce(begin, [&](Scalar x, Scalar y) { return k.max(x, y); });
    firstEnd = k.warpReduce(end, [&](Scalar x, Scalar y) { return k.min(x, y); });
  }

  /// Calls `use` for the pairs of neighbouring sums of one of the lane's rows, with their place in a row of
  /// partial sums that starts at `start`.
  void eachPair(Scalars &state, int64_t half, Scalar start,
                llvm::function_ref<void(Scalar &x, Scalar &y, Scalar column)> use) {
    auto columns = [&](size_t first, int64_t count, int64_t width, int64_t offset, int64_t part) {
      for (int64_t tile = 0; tile < count / 8 && part * gradientColumns + 8 * tile < width; ++tile) {
        const size_t at = first + size_t(4 * tile + 2 * half);
        use(state[at], state[at + 1], start + t.wide(t.column(tile) + (offset + part * gradientColumns)));
      }
    };
    eachPart([&](int64_t part) {
      columns(firstOfKeys(), keyColumns(), p.keyPad, 0, part);
      columns(firstOfValues(), valueColumns(), p.valuePad, p.keyPad, part);
    });
  }

  Scalars withPartialSums(Scalars state, Scalar firstKey, Scalar lastKey) {
    for (int64_t half = 0; half < 2; ++half) {
      Scalar key = k.min(firstKey + t.row(half), lastKey), from = key + p.spec.window;
      Scalar until = k.load(ends, rowStart + t.wide(key));
      Scalar some = until > from;
      Scalar firstChunk = t.divide(from, p.chunk);
      Scalar endChunk = k.select(some, t.divide(k.max(until - 1, k.i32(0)), p.chunk) + 1, firstChunk);
      state =
          k.loop(firstChunk, endChunk, k.i32(1), state, [&](Scalar chunk, llvm::ArrayRef<Scalar> carried) {
            Scalars next(carried);
            Scalar slot = lists.slotOf(k, p, row, chunk, key, until);
            Scalar at = t.wide((row - firstRow) * p.chunks() + chunk) * p.slotStride + t.wide(slot);
            next[size_t(half)] = next[size_t(half)] + k.load(partScores, at);
            addRow(next, half, at * partWidth());
            return next;
          });
    }
    return state;
  }

  void addRow(Scalars &state, int64_t half, Scalar start) {
    // Where the columns are in parts, the part's place in the row is a value.
    Scalar shift = parts(p) == 1 ? k.i32(0) : columnPart * gradientColumns;
    auto columns = [&](size_t first, int64_t count, int64_t width, int64_t offset) {
      for (int64_t tile = 0; tile < count / 8; ++tile) {
        const size_t at = first + size_t(4 * tile + 2 * half);
        // Beyond the width there is no part: what is read there is not stored.
        Scalar column = k.min(t.column(tile) + shift, k.i32(width - 2)) + offset;
        Value pair = k.loadVector(partRows, start + t.wide(column), 2);
        for (int64_t i = 0; i < 2; ++i)
          state[at + size_t(i)] = state[at + size_t(i)] + k.element(pair, i);
      }
    };
    columns(firstOfKeys(), keyColumns(), p.keyPad, 0);
    columns(firstOfValues(), valueColumns(), p.valuePad, p.keyPad);
  }

  const bool selected;
  Pointer ends, bounds;
  Scalar row, place;
  Scalar latestBegin, firstEnd; ///< of the runs of queries of this warp's keys
};

} // namespace

void emitKeyGradients(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists,
                      const QueryStatistics &statistics) {
  using A = AttentionArgument;
  const AttentionSpec &s = plan.spec;
  const bool selects = s.topk > 0;
  const int64_t partsOfRow = plan.chunks() * plan.slotStride, partWidth = plan.keyPad + plan.valuePad;
  // Partial sums of as many rows at a time as a modest memory holds.
  const int64_t rowBytes = partsOfRow * partWidth * plan.computeBytes();
  const int64_t wave = selects ? std::clamp<int64_t>(plan.partialBytes / rowBytes, 1, s.rows()) : s.rows();
  PartialSums parts;
  if (selects) {
    parts.rows = builder.program.reserve(wave * rowBytes);
    parts.scores = builder.program.reserve(wave * partsOfRow * plan.computeBytes());
  }
  auto emit = [&](llvm::StringRef name, bool selected, int64_t places) -> DeviceStep & {
    QueryWalkOperands operands(builder, plan, statistics, selected);
    builder.take({A::K, A::V});
    if (selected)
      builder.take({A::U});
    SlotLists slots;
    unsigned partNumbers[2] = {};
    if (selects) {
      builder.take({A::End});
      slots = SlotLists::take(builder, lists);
      partNumbers[0] = builder.take(parts.rows);
      partNumbers[1] = builder.take(parts.scores);
    }
    if (!selected) {
      if (s.packed)
        builder.take({A::Bounds});
      builder.take({A::DK, A::DV, A::DU});
    }
    const unsigned firstRow = builder.take(DeviceOperand{DeviceOperand::I32, 0});
    return builder.kernel(name, wave * places * KeyGradientKernel::parts(plan), plan.walk.threads(),
                          [&](KernelCode &k) {
                            TileCode t(k, elementType(k.b, s), plan.walk.block);
                            KeyGradientKernel kernel(t, plan, builder, operands);
                            if (selects) {
                              kernel.lists = slots;
                              kernel.lists.open(k);
                              kernel.partRows = k.pointer(partNumbers[0], t.compute);
                              kernel.partScores = k.pointer(partNumbers[1], t.compute);
                            }
                            kernel.firstRow = k.argument(firstRow);
                            selected ? kernel.emitSelected() : kernel.emitWindow();
                          });
  };
  llvm::SmallVector<std::pair<DeviceStep, int64_t>, 2> wavesteps; // and their tasks for each row
  if (selects) {
    const int64_t places = KeyGradientKernel::slotTiles(plan) * plan.chunks();
    wavesteps.emplace_back(emit("attention_dk_selected", true, places), places);
  }
  const int64_t tiles = (s.length + plan.walk.tile - 1) / plan.walk.tile;
  wavesteps.emplace_back(emit("attention_dk", false, tiles), tiles);
  for (size_t i = 0; i < wavesteps.size(); ++i)
    builder.program.steps.pop_back();
  for (int64_t row = 0; row < s.rows(); row += wave)
    for (auto &[step, places] : wavesteps) {
      step.grid[0] = std::min(wave, s.rows() - row) * places * KeyGradientKernel::parts(plan);
      step.operands.back().number = row;
      builder.program.steps.push_back(step);
    }
}

} // namespace heddle::gpu::attention
