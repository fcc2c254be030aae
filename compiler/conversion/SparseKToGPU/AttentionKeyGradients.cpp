// dk, dv and du: a block of threads has a tile of keys, 16 for each warp, and walks over the queries that see
// them.
//
// Selected keys go first: a tile is some of the keys that a chunk of queries selects, and its sums are
// partial ones, a row for each key of a chunk. Then the keys of the windows, tile by tile in the order of the
// sequence: to their sums the partial ones are added, chunk after chunk. Every element is written once.
#include "compiler/conversion/SparseKToGPU/QueryWalk.h"

#include <cfloat>

namespace heddle::gpu::attention {
namespace {

/// Partial sums of selected keys, in the workspace.
struct PartialSums {
  DeviceOperand rows;   ///< [row of the wave, chunk, slot, keyPad + valuePad]
  DeviceOperand scores; ///< [row of the wave, chunk, slot]
};

class KeyGradientKernel {
public:
  KeyGradientKernel(TileCode &t, const Plan &plan, const ProgramBuilder &builder,
                    const QueryWalkOperands &operands)
      : t(t), k(t.k), p(plan), n(plan.spec.length), selected(operands.selects), builder(builder),
        keys(t.sharedRows(plan.walk.tile, plan.spec.keyWidth)),
        values(t.sharedRows(plan.walk.tile, plan.spec.valueWidth)), walk(t, plan, builder, operands),
        numbers(k.shared(plan.walk.tile, k.i32Type())) {
    t.zeroPadding(keys, p.spec.keyWidth);
    t.zeroPadding(values, p.spec.valueWidth);
    ends = builder.buffer(k, AttentionArgument::End, k.i32Type());
  }

  Pointer slotKeys, slotTotal;  ///< lists of chunks
  Pointer partRows, partScores; ///< partial sums
  Scalar firstRow;              ///< of the wave

  static int64_t parts(const Plan &p) {
    return (std::max(p.keyPad, p.valuePad) + gradientColumns - 1) / gradientColumns;
  }
  static int64_t slotTiles(const Plan &p) { return (p.slotStride + p.walk.tile - 1) / p.walk.tile; }

  /// A tile of the keys that a chunk of queries selects.
  void emitSelected() {
    splitColumns(k.block(), slotTiles(p) * p.chunks());
    Scalar tile = place % slotTiles(p), chunk = place / slotTiles(p) % p.chunks();
    Scalar list = row * p.chunks() + chunk, firstSlot = tile * p.walk.tile;
    Scalar total = k.load(slotTotal, list), listStart = t.wide(list) * p.slotStride;
    k.when(firstSlot < total, [&] {
      Scalar chunkStart = chunk * p.chunk, chunkEnd = k.min(chunkStart + p.chunk, k.i32(n));
      Scalar slot = firstSlot + t.thread;
      Scalars known = k.choose(
          k.both(t.thread < p.walk.tile, slot < total),
          [&] {
            Scalar key = k.load(slotKeys, listStart + t.wide(slot));
            return Scalars{key, key + p.spec.window, k.load(ends, rowStart + t.wide(key))};
          },
          [&] { return Scalars{k.i32(-1), k.i32(INT32_MAX), k.i32(0)}; });
      k.when(t.thread < p.walk.tile, [&] { k.store(known[0], numbers, t.thread); });
      Scalar first = k.blockReduce(known[1], [&](Scalar x, Scalar y) { return k.min(x, y); });
      Scalar end = k.blockReduce(known[2], [&](Scalar x, Scalar y) { return k.max(x, y); });
      loadSides();
      Scalars state = sum(k.max(first, chunkStart), k.min(end, chunkEnd));
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
    splitColumns(k.block(), tiles);
    Scalar firstKey = place % tiles * p.walk.tile, lastKey = k.min(firstKey + p.walk.tile, k.i32(n)) - 1;
    k.when(t.thread < p.walk.tile, [&] {
      Scalar key = firstKey + t.thread;
      k.store(k.select(key <= lastKey, key, k.i32(-1)), numbers, t.thread);
    });
    k.barrier();
    bounds = builder.buffer(k, A::Bounds, k.i32Type());
    loadSides();
    Scalars state = sum(firstKey, k.min(windowEnd(lastKey), k.i32(n)));
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
    llvm::ArrayRef<Scalar> rest = llvm::ArrayRef(state).drop_front(2);
    Fragment dk = takeFragment(rest, keyColumns()), dv = takeFragment(rest, valueColumns());
    eachPart([&](int64_t part) {
      const int64_t first = part * gradientColumns;
      if (first < p.spec.keyWidth)
        t.storeRows(dk, builder.buffer(k, A::DK, t.element), p.spec.keyWidth, rows, valid, first);
      if (first < p.spec.valueWidth)
        t.storeRows(dv, builder.buffer(k, A::DV, t.element), p.spec.valueWidth, rows, valid, first);
    });
  }

private:
  int64_t keyColumns() const { return std::min(p.keyPad, gradientColumns); }
  int64_t valueColumns() const { return std::min(p.valuePad, gradientColumns); }
  int64_t partWidth() const { return p.keyPad + p.valuePad; }

  /// Which columns, row and place within the row this block of threads has.
  void splitColumns(Scalar block, int64_t placesOfRow) {
    columnPart = block % parts(p);
    Scalar rest = block / parts(p);
    row = firstRow + rest / placesOfRow;
    place = rest % placesOfRow;
    rowStart = t.wide(row) * n;
  }

  /// Emits `body` for the part of the columns that this block has.
  void eachPart(llvm::function_ref<void(int64_t part)> body) {
    if (parts(p) == 1)
      return body(0);
    for (int64_t part = 0; part < parts(p); ++part)
      k.when(columnPart == part, [&] { body(part); });
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
            return Scalars{key + p.spec.window, k.load(ends, at),
                           k.min(k.max(u, t.number(-double(FLT_MAX))), t.number(FLT_MAX))};
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

  /// The sums over the queries [first, end): du of both rows, dk, dv.
  Scalars sum(Scalar first, Scalar end) {
    auto stage = [&](const SharedRows &to, AttentionArgument from, int64_t width) {
      t.stageRows(to, builder.buffer(k, from, t.element), width, [&](Scalar slot) {
        Scalar key = k.load(numbers, slot);
        return TileCode::SourceRow{rowStart + t.wide(k.max(key, k.i32(0))), key >= 0};
      });
    };
    stage(keys, AttentionArgument::K, p.spec.keyWidth);
    stage(values, AttentionArgument::V, p.spec.valueWidth);
    Scalars state{t.number(0), t.number(0)};
    append(state, t.filled(keyColumns(), 0));
    append(state, t.filled(valueColumns(), 0));
    state = walk.forEachBlock(
        row, first, end, state,
        [&](const QueryBlock &block, llvm::ArrayRef<Scalar> carried) { return accumulate(block, carried); });
    for (int64_t half = 0; half < 2; ++half)
      state[size_t(half)] = t.acrossRow(state[size_t(half)], [](Scalar x, Scalar y) { return x + y; });
    for (int64_t i = 0; i < keyColumns() / 2; ++i)
      state[size_t(2 + i)] = state[size_t(2 + i)] * p.spec.scale;
    return state;
  }

  Scalars accumulate(const QueryBlock &block, llvm::ArrayRef<Scalar> state) {
    Fragment products = t.products(keys, block.queries), along = t.products(values, block.outs);
    const int64_t columns = products.columns();
    Scalar masked = (block.first < latestBegin) | (block.first + p.walk.block > firstEnd);
    auto slopes = [&](bool masked) { return pairSlopes(block, products, along, state, masked); };
    Scalars moved = k.choose(masked, [&] { return slopes(true); }, [&] { return slopes(false); });
    llvm::ArrayRef<Scalar> rest = moved;
    Scalars next(rest.take_front(2));
    rest = rest.drop_front(2);
    Fragment slope = takeFragment(rest, columns), weights = takeFragment(rest, columns);
    state = state.drop_front(2);
    Fragment dk = takeFragment(state, keyColumns()), dv = takeFragment(state, valueColumns());
    append(next, inPart(dk, slope, block.queries, p.keyPad));
    append(next, inPart(dv, weights, block.outs, p.valuePad));
    return next;
  }

  /// sum + weights rows, for the columns of this block's part.
  Fragment inPart(Fragment sum, Fragment weights, const SharedRows &rows, int64_t width) {
    if (parts(p) == 1)
      return t.weightedSum(sum, weights, rows);
    if (width <= gradientColumns) // all in the first part
      return Fragment(k.choose(
          columnPart == 0, [&] { return t.weightedSum(sum, weights, rows).values; },
          [&] { return sum.values; }));
    SharedRows shifted = rows;
    shifted.base = k.offset(rows.base, columnPart * gradientColumns);
    return t.weightedSum(sum, weights, shifted);
  }

  /// du, the cotangents of the products, and the weights of do.
  Scalars pairSlopes(const QueryBlock &block, Fragment products, Fragment along, llvm::ArrayRef<Scalar> state,
                     bool masked) {
    GatePairs pairs(t, p, selected, masked, /*derivative=*/true);
    PairSlopes slopes(t, pairs);
    Scalars result{state[0], state[1]};
    for (int64_t tile = 0; tile < products.columns() / 8; ++tile)
      for (int64_t column = 0; column < 2; ++column) {
        QuerySide query = walk.querySide(block, tile, column);
        Scalar lse = walk.load(block.lse, tile, column), shared = walk.load(block.shared, tile, column);
        for (int64_t half = 0; half < 2; ++half) {
          PairSlope slope = slopes.of(query, sides[half], products.at(tile, half, column),
                                      along.at(tile, half, column), lse, shared);
          products.at(tile, half, column) = slope.product;
          along.at(tile, half, column) = slope.weight;
          if (slope.gradient.value)
            result[size_t(half)] = result[size_t(half)] + slope.gradient;
        }
      }
    append(result, products);
    append(result, along);
    return result;
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
      columns(2, keyColumns(), p.keyPad, 0, part);
      columns(size_t(2 + keyColumns() / 2), valueColumns(), p.valuePad, p.keyPad, part);
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
            Scalar list = row * p.chunks() + chunk;
            Scalar slot = slotOf(key, t.wide(list) * p.slotStride, k.load(slotTotal, list));
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
    columns(2, keyColumns(), p.keyPad, 0);
    columns(size_t(2 + keyColumns() / 2), valueColumns(), p.valuePad, p.keyPad);
  }

  /// The place of a key that is in an ascending list.
  Scalar slotOf(Scalar key, Scalar listStart, Scalar total) {
    Scalars found = k.repeat(
        {k.i32(0), total}, [&](llvm::ArrayRef<Scalar> range) { return range[0] + 1 < range[1]; },
        [&](llvm::ArrayRef<Scalar> range) {
          Scalar middle = (range[0] + range[1]) >> 1;
          Scalar below = k.load(slotKeys, listStart + t.wide(middle)) <= key;
          return Scalars{k.select(below, middle, range[0]), k.select(below, range[1], middle)};
        });
    return found[0];
  }

  TileCode &t;
  KernelCode &k;
  const Plan &p;
  const int64_t n;
  const bool selected;
  const ProgramBuilder &builder;
  SharedRows keys, values;
  QueryWalk walk;
  Pointer numbers, ends, bounds; ///< numbers: the keys of the tile, -1 where there is none
  Scalar columnPart, row, place, rowStart;
  KeySide sides[2];
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
  constexpr int64_t waveBytes = 512 << 20;
  const int64_t rowBytes = partsOfRow * partWidth * plan.computeBytes();
  const int64_t wave = selects ? std::clamp<int64_t>(waveBytes / rowBytes, 1, s.rows()) : s.rows();
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
    unsigned listNumbers[2] = {}, partNumbers[2] = {};
    if (selects) {
      builder.take({A::End});
      listNumbers[0] = builder.take(lists.slotKeys);
      listNumbers[1] = builder.take(lists.slotTotal);
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
                              kernel.slotKeys = k.pointer(listNumbers[0], k.i32Type());
                              kernel.slotTotal = k.pointer(listNumbers[1], k.i32Type());
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
