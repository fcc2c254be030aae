// The warpgroups that multiply for the gradients of queries. The two products of a block, of queries and keys
// and of cotangents and values, are issued together with the sum of keys of the block before it; the weights
// of that sum, the cotangents of the products, follow from lse pair by pair.
#include "compiler/conversion/GPU/TensorCode.h"
#include "compiler/conversion/SparseKToGPU/WarpgroupQueries.h"

#include <cfloat>
#include <numbers>

namespace heddle::gpu::attention {
namespace {

class QueryGradientConsumer : WarpgroupQueries {
public:
  QueryGradientConsumer(WarpgroupCode &code, Scalar warpgroup, const QueryGradientParameters &numbers)
      : WarpgroupQueries(code, warpgroup), routes(p.routesValues()),
        queryRows(c.builder.buffer(k, AttentionArgument::Q, c.element)),
        cotangentRows(c.builder.buffer(k, AttentionArgument::DOut, c.element)),
        gradientRows(c.builder.buffer(k, AttentionArgument::DQ, c.element)),
        outputRows(c.builder.buffer(k, AttentionArgument::O, c.element)),
        lse(k.pointer(numbers.lse, k.f32Type())), shared(k.pointer(numbers.shared, k.f32Type())),
        tau(k.pointer(numbers.tau, k.f32Type())) {
    if (routes) {
      centers = k.pointer(numbers.centers, k.f32Type());
      below = k.pointer(numbers.below, k.f32Type());
    }
  }

  void emit() {
    start();
    loadRows(k.block());
    startTurns();
    Scalars carried = loadSides(c.tileAt(k.block()));
    awaitRows();
    const Places begin{{k.i32(0), k.i32(0)}, {k.i32(0), k.i32(0)}};
    Scalars products = multiplyBlock(begin);
    passTurn();
    carried.append(waitForProducts(k, 0, products));
    release(WarpgroupCode::EmptyValues, begin.values.stage);
    carried.append(wordsOf(begin));
    c.forEachTile(carried, [&](const WarpgroupTile &tile, llvm::ArrayRef<Scalar> carried) {
      return compute(tile, carried);
    });
    endTurns();
  }

private:
  /// Where a block's keys and values are in their rings.
  struct Places {
    RingPlace keys, values;
  };
  static Places placesOf(llvm::ArrayRef<Scalar> ring) { return {{ring[0], ring[1]}, {ring[2], ring[3]}}; }
  static Scalars wordsOf(const Places &at) {
    return {at.keys.stage, at.keys.parity, at.values.stage, at.values.parity};
  }
  Places next(const Places &at) { return {c.nextKeys(at.keys), c.nextValues(at.values)}; }

  /// Of each row, this lane's part of the sum of the cotangents of gates that move.
  size_t sumCount() const { return routes ? 2 : 0; }

  void loadRows(Scalar index) {
    WarpgroupTile tile = c.tileAt(index);
    copyRows(tile, queryRows, p.spec.keyWidth, 0);
    copyRows(tile, cotangentRows, p.spec.valueWidth, c.cotangentsStart);
    commitCopies(k);
  }

  /// The products of queries and keys, then those of cotangents and values.
  Scalars multiplyBlock(const Places &at) {
    await(WarpgroupCode::FullValues, at.values);
    awaitTurn();
    Scalars products = multiplyRows(
        describeRows(0), describeStage(c.keysStart, c.w.keyBytes(), at.keys.stage), p.spec.keyWidth);
    products.append(multiplyRows(describeRows(c.cotangentsStart),
                                 describeStage(c.valuesStart, c.w.valueBytes(), at.values.stage),
                                 p.spec.valueWidth));
    return products;
  }
  Sums addKeys(const Sums &gradient, llvm::ArrayRef<Scalar> weights, Scalar stage) {
    return multiplyWeights(gradient, weights,
                           describeStage(c.keysStart, c.w.keyBytes(), stage, /*across=*/true),
                           p.spec.keyWidth);
  }

  /// Takes and gives, of the next tile: its sides, the products of its first block, and that block's places.
  Scalars compute(const WarpgroupTile &tile, llvm::ArrayRef<Scalar> begun) {
    const Places begin = placesOf(begun.take_back(4));
    startRows(tile, begun.take_front(sideCount()));
    startStatistics(tile);
    auto load = [&] { loadRows(c.nextIndex(tile)); };
    whenLast(tile, k.i32(0), load);
    Scalars sums(sumCount(), k.f32(0));
    Scalars first = slopes(kindOf(tile, k.i32(0)), begin.keys, begun.slice(sideCount(), size_t(block)), sums);

    const size_t width = size_t(p.spec.keyWidth / 2), words = size_t(block / 4);
    Scalars carried(width, k.f32(0));
    carried.append(first.begin(), first.begin() + sumCount());
    carried.append(packed(llvm::ArrayRef(first).drop_front(sumCount())));
    carried.append(wordsOf(begin));
    carried =
        k.loop(k.i32(1), tile.blocks, k.i32(1), carried, [&](Scalar number, llvm::ArrayRef<Scalar> values) {
          Sums gradient(values.take_front(width));
          llvm::ArrayRef<Scalar> sums = values.slice(width, sumCount()),
                                 weights = values.slice(width + sumCount(), words);
          const Places before = placesOf(values.take_back(4)), at = next(before);
          Scalars products = multiplyBlock(at);
          passTurn();
          gradient = addKeys(gradient, weights, before.keys.stage);
          products = waitForProducts(k, 1, products);
          release(WarpgroupCode::EmptyValues, at.values.stage);
          whenLast(tile, number, load);
          Scalars moved = slopes(kindOf(tile, number), at.keys, products, sums);
          gradient = waitForProducts(k, 0, gradient);
          release(WarpgroupCode::EmptyKeys, before.keys.stage);
          Scalars result(gradient);
          result.append(moved.begin(), moved.begin() + sumCount());
          result.append(packed(llvm::ArrayRef(moved).drop_front(sumCount())));
          result.append(wordsOf(at));
          return result;
        });

    tile.lookAhead();
    Scalars result = loadSides(c.tileAt(c.nextIndex(tile)));
    llvm::ArrayRef<Scalar> rest = carried;
    const Places last = placesOf(rest.take_back(4)), following = next(last);
    auto addLast = [&] {
      return addKeys(Sums(rest.take_front(width)), rest.slice(width + sumCount(), words), last.keys.stage);
    };
    Scalars results = k.choose(
        tile.hasNext,
        [&] {
          awaitRows();
          Scalars products = multiplyBlock(following);
          Sums gradient = addLast();
          passTurn();
          products = waitForProducts(k, 1, products);
          release(WarpgroupCode::EmptyValues, following.values.stage);
          products.append(waitForProducts(k, 0, gradient));
          return products;
        },
        [&] {
          Scalars none(size_t(block), k.f32(0));
          none.append(waitForProducts(k, 0, addLast()));
          return none;
        });
    release(WarpgroupCode::EmptyKeys, last.keys.stage);
    store(c.tileAt(computeHere(k, tile.index)), Sums(llvm::ArrayRef(results).take_back(width)),
          rest.slice(width, sumCount()));
    result.append(results.begin(), results.begin() + block);
    result.append(wordsOf(following));
    return result;
  }

  /// lse and D of the tile's rows; the kernels of keys read them too.
  void startStatistics(const WarpgroupTile &tile) {
    const int64_t pieces = p.spec.valueWidth / 8, each = (pieces + 3) / 4;
    Scalar quarter = c.lane & 3; // of a row, the pieces of 8 columns that follow it in steps of four
    auto pieceOf = [&](int64_t i) { return k.min(quarter + 4 * i, k.i32(pieces - 1)); };
    llvm::SmallVector<mlir::Value, 8> outputs;
    Scalar places[2], logSums[2], shares[2];
    for (int64_t half = 0; half < 2; ++half) {
      Scalar at = places[half] = tile.queryStart + c.wide(k.min(rows[half], tile.last - tile.first));
      for (int64_t i = 0; i < each; ++i)
        outputs.push_back(k.loadVector(outputRows, at * p.spec.valueWidth + c.wide(pieceOf(i) * 8), 8));
      logSums[half] = k.load(c.builder.buffer(k, AttentionArgument::Lse, k.f32Type()), at);
      if (p.spec.has(AttentionArgument::DLse))
        shares[half] = k.load(c.builder.buffer(k, AttentionArgument::DLse, k.f32Type()), at);
    }
    for (int64_t half = 0; half < 2; ++half) {
      Scalar sum = k.f32(0);
      for (int64_t i = 0; i < each; ++i) {
        Scalar piece = pieceOf(i), address = (piece >> 3) * (c.w.tile() * panelRowBytes) +
                                             panelOffset(rows[half], piece & 7) +
                                             c.address(c.cotangentsStart);
        mlir::Value output = outputs[size_t(half * each + i)];
        mlir::Value cotangent = k.loadVector(atShared(k, address, c.element), k.i32(0), 8);
        Scalar part = sum;
        for (int64_t j = 0; j < 8; ++j)
          part = k.multiplyAdd(k.cast(k.element(output, j), k.f32Type()),
                               k.cast(k.element(cotangent, j), k.f32Type()), part);
        sum = 4 * i + 4 <= pieces ? part : k.select(quarter + 4 * i < pieces, part, sum);
      }
      sum = k.warpReduce(sum, [](Scalar x, Scalar y) { return x + y; }, 4);
      if (p.spec.has(AttentionArgument::DLse))
        sum = sum - shares[half];
      Scalar logSum =
          k.select(logSums[half] < -double(FLT_MAX), k.f32(FLT_MAX), logSums[half] * std::numbers::log2e);
      minusLogSums[half] = -logSum;
      minusShares[half] = -sum;
      k.when(k.both(inTile(tile, half), quarter == 0), [&] {
        k.store(logSum, lse, places[half]);
        k.store(sum, shared, places[half]);
      });
    }
    if (routes)
      k.when((tile.number / p.tiles()) % p.spec.group() == 0, [&] { storeThresholds(tile); });
  }

  /// For all heads of a group once.
  void storeThresholds(const WarpgroupTile &tile) {
    for (int64_t half = 0; half < 2; ++half)
      k.when(k.both(inTile(tile, half), (c.lane & 3) == 0),
             [&] { k.store(minusThresholds[half], below, c.wide(tile.rowStart + tile.first + rows[half])); });
    k.when(k.both(warpNumber == 0, c.lane == 0), [&] {
      Scalar head = tile.number / (p.tiles() * p.spec.group());
      k.store(c.center(tile), centers, c.wide(head * p.tiles() + tile.number % p.tiles()));
    });
  }

  /// The sums, and the cotangents of the products without their scale.
  Scalars slopes(const Kind &kind, RingPlace place, llvm::ArrayRef<Scalar> products,
                 llvm::ArrayRef<Scalar> sums) {
    auto nothing = [&] {
      Scalars result(sums);
      result.append(size_t(block / 2), nothingHere());
      return result;
    };
    return byKind(
        kind, [&](bool gate, bool masked) { return slopesOf(gate, masked, place, products, sums); }, nothing);
  }

  Scalars slopesOf(bool gated, bool masked, RingPlace place, llvm::ArrayRef<Scalar> products,
                   llvm::ArrayRef<Scalar> sums) {
    const bool gateKeys = gated && p.gateKeys(), gateValues = gated && p.gateValues();
    llvm::ArrayRef<Scalar> ofKeys = products.take_front(size_t(block / 2)),
                           ofValues = products.take_back(size_t(block / 2));
    Scalars result(sums), x(ofKeys);
    Scalar zero = k.f32(0);
    for (int64_t tile = 0; tile < block / 8; ++tile) {
      mlir::Value scores = gated ? numbersOf(place, 0, tile) : mlir::Value();
      mlir::Value middles = masked ? numbersOf(place, 1, tile) : mlir::Value();
      mlir::Value halves = masked ? numbersOf(place, 2, tile) : mlir::Value();
      for (int64_t half = 0; half < 2; ++half)
        for (int64_t column = 0; column < 2; ++column) {
          const size_t i = size_t(4 * tile + 2 * half + column);
          Scalar product = ofKeys[i], along = ofValues[i], gate, seen;
          if (gated)
            gate = k.addClipped(k.element(scores, column), minusThresholds[half]);
          if (masked) { // what a pair that is not seen holds may not be finite
            seen = k.abs(positions[half] - k.element(middles, column)) <= k.element(halves, column);
            product = k.select(seen, product, zero);
            along = k.select(seen, along, zero);
          }
          double toBase2 = p.spec.scale * std::numbers::log2e;
          if (gated && p.routesKeys()) { // the gate's cotangent wants it scaled
            product = product * p.spec.scale;
            toBase2 = std::numbers::log2e;
          }
          Scalar score = gateKeys ? product * gate : product;
          Scalar weight = k.exp2Approximate(k.multiplyAdd(score, k.f32(toBase2), minusLogSums[half]));
          if (masked)
            weight = k.select(seen, weight, zero);
          Scalar change =
              gateValues ? k.multiplyAdd(gate, along, minusShares[half]) : along + minusShares[half];
          Scalar slope = weight * change;
          x[i] = gateKeys ? slope * gate : slope;
          if (gated) {
            Scalar cotangent = p.routesKeys() ? k.multiplyAdd(change, product, along) : along;
            result[size_t(half)] = multiplyAddWithin(k, weight, cotangent, result[size_t(half)], gate);
          }
        }
    }
    result.append(x);
    return result;
  }

  void store(const WarpgroupTile &tile, Sums gradient, llvm::ArrayRef<Scalar> sums) {
    Scalar column = computeHere(k, firstColumn);
    Scalars totals;
    for (int64_t half = 0; half < 2; ++half) {
      Scalar total = k.f32(0);
      if (routes) {
        total = -k.warpReduce(sums[size_t(half)], [](Scalar a, Scalar b) { return a + b; }, 4);
        totals.push_back(total);
      }
      k.when(k.both(inTile(tile, half), column == 0),
             [&] { k.store(total, tau, tile.queryStart + c.wide(rows[half])); });
    }
    totals.append(gradient);
    markOdd(tile, totals); // an infinity or NaN of k is among the keys of the tile
    for (Scalar &x : gradient)
      x = x * p.spec.scale;
    storeRows(tile, gradientRows, p.spec.keyWidth, gradient);
  }

  const bool routes; ///< whether thresholds have cotangents
  const Pointer queryRows, cotangentRows, gradientRows, outputRows, lse, shared, tau;
  Pointer centers, below;
  Scalar minusLogSums[2], minusShares[2]; ///< of the tile
};

} // namespace

void emitQueryGradientConsumer(WarpgroupCode &code, Scalar warpgroup,
                               const QueryGradientParameters &numbers) {
  QueryGradientConsumer(code, warpgroup, numbers).emit();
}

} // namespace heddle::gpu::attention
