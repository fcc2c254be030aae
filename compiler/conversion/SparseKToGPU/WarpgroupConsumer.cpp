// The warpgroups that multiply: each has 64 queries of the tile, a warp 16. Products of a block are issued
// together with the weighted sum of the block before it, and softmax runs while that sum is computed. Turns
// keep the softmax of one warpgroup beside the products of the other.
#include "compiler/conversion/GPU/TensorCode.h"
#include "compiler/conversion/SparseKToGPU/Warpgroup.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

#include <cfloat>
#include <limits>
#include <numbers>

namespace heddle::gpu::attention {
namespace {

/// By how much, in powers of two, a maximum may grow before sums are rescaled.
constexpr double slack = 8;

class Consumer {
public:
  Consumer(WarpgroupCode &code, Scalar warpgroup)
      : c(code), k(code.k), p(code.p), warpgroup(warpgroup), factor(p.spec.scale * std::numbers::log2e),
        lowest(-double(FLT_MAX) / 2 / std::max(factor, 1.0)) {}

  void emit() {
    setRegisters(k, c.w.productRegisters, /*more=*/true);
    Scalar warp = (c.thread >> 5) - warpgroupThreads / warpSize;
    warpRow = warp * 16;
    for (int64_t half = 0; half < 2; ++half)
      rows[half] = warpRow + (c.lane >> 2) + 8 * half;
    firstColumn = (c.lane & 3) * 2;
    warpNumber = warp;
    queries = describeMatrix(k, c.address(0) + warpgroup * (64 * panelRowBytes));
    keys = describeMatrix(k, c.address(c.keysStart));
    values = describeMatrix(k, c.address(c.valuesStart), /*across=*/true, block * panelRowBytes);
    loadQueries(k.block());
    k.when(warpgroup == 1, [&] { arriveAtBarrier(k, k.i32(firstTurn), 2 * warpgroupThreads); });
    c.forEachTile(
        llvm::SmallVector<Scalar, 4>(4, k.i32(0)),
        [&](const WarpgroupTile &tile, llvm::ArrayRef<Scalar> ring) { return compute(tile, ring); });
  }

private:
  static constexpr int64_t block = WarpgroupPlan::block;
  /// Numbers of barriers: of a warpgroup's own, and of its turns.
  static constexpr int64_t firstOwn = 1, firstTurn = 4;

  /// A softmax so far: maxima of the scores without their factor, and this lane's part of the sums.
  struct State {
    Scalar tops[2], sums[2];
  };
  /// What a block adds to it: by what sums of values are multiplied, and whether; weights.
  struct Softened {
    State state;
    Scalar factors[2], rescale;
    Scalars weights;
  };
  struct Kind {
    Scalar unseen, selected, masked; ///< i1, of a warp
  };

  void loadQueries(Scalar index) {
    const int64_t pieces = p.spec.keyWidth / 8, count = 64 * pieces;
    WarpgroupTile tile = c.tileAt(index);
    Scalar thread = computeHere(k, c.thread & (warpgroupThreads - 1));
    auto copy = [&](Scalar at) {
      Scalar row = at / pieces, piece = at % pieces, query = warpgroup * 64 + row;
      Scalar to =
          (piece >> 3) * (WarpgroupPlan::tile * panelRowBytes) + panelOffset(query, piece & 7) + c.address(0);
      Scalar from = tile.queryStart + c.wide(k.min(query, tile.last - tile.first));
      mlir::Value source = k.offset(c.queryRows, from * p.spec.keyWidth + c.wide(piece * 8)).base;
      mlir::NVVM::CpAsyncOp::create(k.b, atShared(k, to, c.element).base, source, 16u,
                                    mlir::NVVM::LoadCacheModifierKind::CG, mlir::Value());
    };
    for (int64_t first = 0; first < count; first += warpgroupThreads) {
      Scalar at = thread + first;
      if (first + warpgroupThreads <= count)
        copy(at);
      else
        k.when(at < count, [&] { copy(at); });
    }
    commitCopies(k);
  }

  void joinOwn() { joinBarrier(k, warpgroup + firstOwn, warpgroupThreads); }
  void awaitTurn() { joinBarrier(k, warpgroup + firstTurn, 2 * warpgroupThreads); }
  /// The first warpgroup always has a successor, the second one unless this was the last turn.
  void passTurn(Scalar more) {
    k.when((warpgroup == 0) | more,
           [&] { arriveAtBarrier(k, (firstTurn + 1) - warpgroup, 2 * warpgroupThreads); });
  }
  void await(WarpgroupCode::Barrier which, RingPlace place) {
    waitForPhase(k, c.barrier(which, place.stage), place.parity);
    showToProducts(k);
  }
  void release(WarpgroupCode::Barrier which, RingPlace place) {
    k.when(c.lane == 0, [&] { arrive(k, c.barrier(which, place.stage)); });
  }

  Sums multiplyKeys(RingPlace place) {
    beginProducts(k);
    Scalar matrix = keys + k.extendUnsigned(place.stage * (c.w.keyBytes() >> 4), k.i64Type());
    Sums sums;
    for (int64_t column = 0; column < p.spec.keyWidth; column += 16) {
      const int64_t panel = column / panelColumns, within = column % panelColumns * 2;
      sums = multiplyShared(k, c.element, sums,
                            advance(queries, panel * WarpgroupPlan::tile * panelRowBytes + within),
                            advance(matrix, panel * block * panelRowBytes + within), block);
    }
    endProducts(k);
    return sums;
  }

  Sums multiplyValues(RingPlace place, Sums sums, llvm::ArrayRef<Scalar> weights) {
    beginProducts(k);
    Scalar matrix = values + k.extendUnsigned(place.stage * (c.w.valueBytes() >> 4), k.i64Type());
    for (int64_t key = 0; key < block; key += 16)
      sums = multiplyRegisters(k, c.element, sums, weights.slice(size_t(key / 4), 4),
                               advance(matrix, key * panelRowBytes), p.spec.valueWidth);
    endProducts(k);
    return sums;
  }

  Scalars packed(const Softened &x) {
    Scalars words;
    for (size_t i = 0; i < x.weights.size(); i += 2)
      words.push_back(packInPlace(k, x.weights[i], x.weights[i + 1], c.element));
    return words;
  }

  /// Gives the ring's places: of keys, of values.
  Scalars compute(const WarpgroupTile &tile, llvm::ArrayRef<Scalar> ring) {
    RingPlace keyPlace{ring[0], ring[1]}, valuePlace{ring[2], ring[3]};
    startRows(tile);
    waitForCopies(k, 0);
    showToProducts(k);
    joinOwn();

    // The first block has none before it.
    State state{{k.f32(lowest), k.f32(lowest)}, {k.f32(0), k.f32(0)}};
    await(WarpgroupCode::FullKeys, keyPlace);
    awaitTurn();
    Sums products = multiplyKeys(keyPlace);
    passTurn((tile.blocks > 1) | tile.hasNext);
    products = waitForProducts(k, 0, products);
    release(WarpgroupCode::EmptyKeys, keyPlace);
    Softened first = soften(kindOf(tile, k.i32(0)), keyPlace, products, state);
    Scalars words = packed(first);

    const size_t outputs = size_t(p.spec.valueWidth / 2);
    Scalars carried(outputs, k.f32(0));
    append(carried, first.state);
    carried.append(words);
    keyPlace = c.next(keyPlace);
    carried.append({keyPlace.stage, keyPlace.parity, valuePlace.stage, valuePlace.parity});
    carried =
        k.loop(k.i32(1), tile.blocks, k.i32(1), carried, [&](Scalar number, llvm::ArrayRef<Scalar> values) {
          Sums output(values.take_front(outputs));
          State before{{values[outputs], values[outputs + 1]}, {values[outputs + 2], values[outputs + 3]}};
          llvm::ArrayRef<Scalar> weights = values.slice(outputs + 4, block / 4), ring = values.take_back(4);
          RingPlace keyPlace{ring[0], ring[1]}, valuePlace{ring[2], ring[3]};
          await(WarpgroupCode::FullKeys, keyPlace);
          awaitTurn();
          Sums products = multiplyKeys(keyPlace);
          await(WarpgroupCode::FullValues, valuePlace);
          output = multiplyValues(valuePlace, output, weights);
          passTurn((number < tile.blocks - 1) | tile.hasNext);
          products = waitForProducts(k, 1, products);
          release(WarpgroupCode::EmptyKeys, keyPlace);
          Softened next = soften(kindOf(tile, number), keyPlace, products, before);
          output = waitForProducts(k, 0, output);
          release(WarpgroupCode::EmptyValues, valuePlace);
          Scalars words = packed(next);
          output =
              k.choose(next.rescale, [&] { return scaled(output, next.factors); }, [&] { return output; });
          Scalars result(output);
          append(result, next.state);
          result.append(words);
          keyPlace = c.next(keyPlace);
          valuePlace = c.next(valuePlace);
          result.append({keyPlace.stage, keyPlace.parity, valuePlace.stage, valuePlace.parity});
          return result;
        });

    // All warps have read the queries: the next ones may come.
    joinOwn();
    k.when(tile.hasNext, [&] { loadQueries(tile.next); });
    tile.lookAhead();
    llvm::ArrayRef<Scalar> rest = carried;
    Sums output(rest.take_front(outputs));
    State last{{rest[outputs], rest[outputs + 1]}, {rest[outputs + 2], rest[outputs + 3]}};
    Scalars after(rest.take_back(4));
    valuePlace = {after[2], after[3]};
    await(WarpgroupCode::FullValues, valuePlace);
    output = waitForProducts(k, 0, multiplyValues(valuePlace, output, rest.slice(outputs + 4, block / 4)));
    release(WarpgroupCode::EmptyValues, valuePlace);
    store(c.tileAt(computeHere(k, tile.index)), output, last);
    valuePlace = c.next(valuePlace);
    after[2] = valuePlace.stage;
    after[3] = valuePlace.parity;
    return after;
  }

  static void append(Scalars &to, const State &state) {
    to.append({state.tops[0], state.tops[1], state.sums[0], state.sums[1]});
  }
  static Scalars scaled(const Sums &x, const Scalar (&factors)[2]) {
    Scalars result;
    for (size_t i = 0; i < x.size(); ++i)
      result.push_back(x[i] * factors[i / 2 % 2]);
    return result;
  }

  // ---- Which pairs are seen ----

  void startRows(const WarpgroupTile &tile) {
    warpFirst = tile.first + warpRow;
    for (int64_t half = 0; half < 2; ++half)
      positions[half] = k.cast(rows[half], k.f32Type());
    if (p.spec.topk > 0) {
      Scalar center = gated() ? c.center(tile) : k.f32(0);
      for (int64_t half = 0; half < 2; ++half) {
        Scalar at = c.wide(tile.rowStart + k.min(tile.first + rows[half], tile.last));
        minusThresholds[half] = -((k.load(c.hi, at) - center) + k.load(c.lo, at));
      }
    }
    if (p.spec.packed) {
      Scalar query = k.min(warpFirst, tile.last);
      sequenceBegin = k.load(c.bounds, query);
      sequenceEnd = k.load(c.bounds, query + c.n);
    }
  }

  bool gated() const { return p.gateKeys() || p.gateValues(); }

  Kind kindOf(const WarpgroupTile &tile, Scalar number) {
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

  // ---- Softmax ----

  Softened soften(const Kind &kind, RingPlace place, const Sums &products, const State &state) {
    auto of = [&](bool gate, bool masked) {
      return [&, gate, masked] { return softened(gate, masked, place, products, state); };
    };
    auto masks = [&](bool selected) {
      const bool gate = selected && gated();
      return [&, gate] { return k.choose(kind.masked, of(gate, true), of(gate, false)); };
    };
    auto seen = [&] {
      if (p.spec.topk == 0)
        return masks(false)();
      if (p.spec.window == 0)
        return masks(true)();
      return k.choose(kind.selected, masks(true), masks(false));
    };
    auto nothing = [&] {
      Scalars result;
      append(result, state);
      result.append({k.f32(1), k.f32(1), k.truth(false)});
      result.append(size_t(block / 2), k.f32(0));
      return result;
    };
    Scalars all = p.spec.window > 0 ? k.choose(kind.unseen, nothing, seen) : seen();
    Softened result{{{all[0], all[1]}, {all[2], all[3]}}, {all[4], all[5]}, all[6], {}};
    result.weights.append(all.begin() + 7, all.end());
    return result;
  }

  Scalars softened(bool gate, bool masked, RingPlace place, const Sums &products, const State &state) {
    Scalars x(products), gates(products.size());
    Scalar tops[2] = {state.tops[0], state.tops[1]};
    auto numbers = [&](int64_t which, int64_t tile) {
      Pointer from = atShared(k, c.numberAddress(place.stage, place.parity, which), k.f32Type());
      return k.loadVector(from, firstColumn + 8 * tile, 2);
    };
    for (int64_t tile = 0; tile < block / 8; ++tile) {
      mlir::Value scores = gate ? numbers(0, tile) : mlir::Value();
      mlir::Value middles = masked ? numbers(1, tile) : mlir::Value();
      mlir::Value halves = masked ? numbers(2, tile) : mlir::Value();
      for (int64_t half = 0; half < 2; ++half) {
        for (int64_t column = 0; column < 2; ++column) {
          const size_t i = size_t(4 * tile + 2 * half + column);
          if (gate) {
            gates[i] = k.addClipped(k.element(scores, column), minusThresholds[half]);
            if (p.gateKeys())
              x[i] = x[i] * gates[i];
          }
          if (masked) {
            Scalar distance = k.abs(positions[half] - k.element(middles, column));
            x[i] = k.select(distance <= k.element(halves, column), x[i], minusInfinity());
          }
        }
        const size_t i = size_t(4 * tile + 2 * half);
        tops[half] = k.max(tops[half], k.max(x[i], x[i + 1]));
      }
    }
    Scalar grows = k.truth(false);
    for (int64_t half = 0; half < 2; ++half) {
      tops[half] = k.warpReduce(tops[half], [&](Scalar a, Scalar b) { return k.max(a, b); }, 4);
      grows = grows | (tops[half] > state.tops[half] + slack / factor);
    }
    Scalar rescale = k.ballot(grows) != 0;
    Scalars next = k.choose(
        rescale,
        [&] {
          Scalars result{tops[0], tops[1]}, factors;
          for (int64_t half = 0; half < 2; ++half)
            factors.push_back(k.exp2Approximate((state.tops[half] - tops[half]) * factor));
          result.append({state.sums[0] * factors[0], state.sums[1] * factors[1], factors[0], factors[1]});
          return result;
        },
        [&] {
          return Scalars{state.tops[0], state.tops[1], state.sums[0], state.sums[1], k.f32(1), k.f32(1)};
        });
    for (int64_t half = 0; half < 2; ++half) {
      Scalar shift = -(next[size_t(half)] * factor);
      Scalar sums[2];
      for (int64_t tile = 0; tile < block / 8; ++tile)
        for (int64_t column = 0; column < 2; ++column) {
          const size_t i = size_t(4 * tile + 2 * half + column);
          x[i] = k.exp2Approximate(k.multiplyAdd(x[i], k.f32(factor), shift));
          sums[column] = tile ? sums[column] + x[i] : x[i];
          if (gate && p.gateValues())
            x[i] = x[i] * gates[i];
        }
      next[size_t(2 + half)] = next[size_t(2 + half)] + (sums[0] + sums[1]);
    }
    next.push_back(rescale);
    next.append(x);
    return next;
  }

  Scalar minusInfinity() { return k.f32(-std::numeric_limits<double>::infinity()); }

  // ---- Results ----

  void store(const WarpgroupTile &tile, Sums output, const State &state) {
    Scalar factors[2], odd = k.f32(0), column = computeHere(k, firstColumn);
    for (int64_t half = 0; half < 2; ++half) {
      Scalar sum = k.warpReduce(state.sums[half], [](Scalar a, Scalar b) { return a + b; }, 4);
      Scalar empty = sum == 0.0;
      factors[half] = k.select(empty, k.f32(0), 1.0 / sum);
      Scalar logSum = (state.tops[half] * factor + k.log2Approximate(sum)) * std::numbers::ln2;
      logSum = k.select(empty, minusInfinity(), logSum);
      logSum = k.select(k.isNan(sum), sum, logSum);
      if (p.spec.topk > 0) { // a NaN threshold
        Scalar nan = k.f32(std::numeric_limits<double>::quiet_NaN());
        Scalar broken = k.isNan(minusThresholds[half]);
        factors[half] = k.select(broken, nan, factors[half]);
        logSum = k.select(broken, nan, logSum);
      }
      k.when(k.both(tile.first + rows[half] <= tile.last, column == 0),
             [&] { k.store(logSum, c.lse, tile.queryStart + c.wide(rows[half])); });
    }
    // 0, or NaN where an infinity or NaN of v is among the values of the tile.
    for (Scalar x : output)
      odd = k.multiplyAdd(x, k.f32(0), odd);
    Scalar marked = k.ballot(k.isNan(odd)) != 0;
    k.when(c.lane == 0, [&] {
      k.store(k.extendUnsigned(marked, k.i32Type()), c.marks, c.wide(tile.number) * 8 + c.wide(warpNumber));
      k.when(marked, [&] { k.store(k.i32(1), c.anyMark, k.i32(0)); });
    });
    output = scaled(output, factors);
    for (int64_t half = 0; half < 2; ++half) {
      Scalar start = (tile.queryStart + c.wide(rows[half])) * p.spec.valueWidth;
      storeRow(k, c.element, output, half, k.offset(c.output, start), p.spec.valueWidth,
               tile.first + rows[half] <= tile.last);
    }
  }

  WarpgroupCode &c;
  KernelCode &k;
  const Plan &p;
  const Scalar warpgroup;       ///< 0 or 1
  const double factor;          ///< of products, to scores in base 2
  const double lowest;          ///< what maxima start from: times the factor it is finite
  Scalar queries, keys, values; ///< matrices
  Scalar warpRow, warpNumber, rows[2], firstColumn;
  Scalar warpFirst, positions[2], minusThresholds[2], sequenceBegin, sequenceEnd; ///< of the tile
};

} // namespace

void emitConsumer(WarpgroupCode &code, Scalar warpgroup) { Consumer(code, warpgroup).emit(); }

} // namespace heddle::gpu::attention
