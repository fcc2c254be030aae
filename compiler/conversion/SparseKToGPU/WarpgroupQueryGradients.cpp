// The warpgroups that multiply for the gradients of queries. The two products of a block, of queries and keys
// and of cotangents and values, are issued together with the sum of keys of the block before it; the weights
// of that sum, the cotangents of the products, follow from lse pair by pair.
#include "compiler/conversion/GPU/TensorCode.h"
#include "compiler/conversion/SparseKToGPU/WarpgroupQueries.h"

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
        lse(k.pointer(numbers.lse, k.f32Type())), shared(k.pointer(numbers.shared, k.f32Type())),
        tau(k.pointer(numbers.tau, k.f32Type())) {}

  void emit() {
    start();
    loadRows(k.block());
    k.when(warpgroup == 1, [&] { arriveAtBarrier(k, k.i32(firstTurn), 2 * warpgroupThreads); });
    c.forEachTile(llvm::SmallVector<Scalar, 4>(4, k.i32(0)),
                  [&](const WarpgroupTile &tile, llvm::ArrayRef<Scalar> ring) {
                    return compute(tile, placesOf(ring));
                  });
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

  // Matrices are described where they are used: registers are few.
  Scalar rowsFrom(int64_t start) {
    return describeMatrix(k, computeHere(k, warpgroup) * (64 * panelRowBytes) + c.address(start));
  }
  Scalar stageOf(int64_t start, int64_t bytes, Scalar stage, bool across = false) {
    return describeMatrix(k, computeHere(k, stage) * bytes + c.address(start), across, block * panelRowBytes);
  }

  /// The products of queries and keys, then those of cotangents and values.
  Scalars multiplyBlock(const Places &at) {
    await(WarpgroupCode::FullKeys, at.keys);
    awaitTurn();
    Scalars products =
        multiplyRows(rowsFrom(0), stageOf(c.keysStart, c.w.keyBytes(), at.keys.stage), p.spec.keyWidth);
    await(WarpgroupCode::FullValues, at.values);
    products.append(multiplyRows(rowsFrom(c.cotangentsStart),
                                 stageOf(c.valuesStart, c.w.valueBytes(), at.values.stage),
                                 p.spec.valueWidth));
    return products;
  }
  Sums addKeys(const Sums &gradient, llvm::ArrayRef<Scalar> weights, Scalar stage) {
    return multiplyWeights(gradient, weights, stageOf(c.keysStart, c.w.keyBytes(), stage, /*across=*/true),
                           p.spec.keyWidth);
  }

  /// Gives the places after the tile's blocks.
  Scalars compute(const WarpgroupTile &tile, const Places &begin) {
    startRows(tile);
    for (int64_t half = 0; half < 2; ++half) {
      Scalar at = tile.queryStart + c.wide(k.min(rows[half], tile.last - tile.first));
      minusLogSums[half] = -k.load(lse, at);
      minusShares[half] = -k.load(shared, at);
    }
    waitForCopies(k, 0);
    showToProducts(k);
    joinOwn();

    // The first block has none before it.
    Scalars products = multiplyBlock(begin);
    passTurn((tile.blocks > 1) | tile.hasNext);
    products = waitForProducts(k, 0, products);
    release(WarpgroupCode::EmptyValues, begin.values.stage);
    Scalars sums(sumCount(), k.f32(0));
    Scalars first = slopes(kindOf(tile, k.i32(0)), begin.keys, products, sums);

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
          gradient = addKeys(gradient, weights, before.keys.stage);
          passTurn((number < tile.blocks - 1) | tile.hasNext);
          products = waitForProducts(k, 1, products);
          release(WarpgroupCode::EmptyValues, at.values.stage);
          Scalars moved = slopes(kindOf(tile, number), at.keys, products, sums);
          gradient = waitForProducts(k, 0, gradient);
          release(WarpgroupCode::EmptyKeys, before.keys.stage);
          Scalars result(gradient);
          result.append(moved.begin(), moved.begin() + sumCount());
          result.append(packed(llvm::ArrayRef(moved).drop_front(sumCount())));
          result.append(wordsOf(at));
          return result;
        });

    // All warps have read the tile's rows: the next ones may come.
    joinOwn();
    k.when(tile.hasNext, [&] { loadRows(tile.next); });
    tile.lookAhead();
    llvm::ArrayRef<Scalar> rest = carried;
    const Places last = placesOf(rest.take_back(4));
    Sums gradient = waitForProducts(
        k, 0, addKeys(Sums(rest.take_front(width)), rest.slice(width + sumCount(), words), last.keys.stage));
    release(WarpgroupCode::EmptyKeys, last.keys.stage);
    store(c.tileAt(computeHere(k, tile.index)), gradient, rest.slice(width, sumCount()));
    return wordsOf(next(last));
  }

  /// The sums, and the cotangents of the products without their scale.
  Scalars slopes(const Kind &kind, RingPlace place, llvm::ArrayRef<Scalar> products,
                 llvm::ArrayRef<Scalar> sums) {
    auto nothing = [&] {
      Scalars result(sums);
      result.append(size_t(block / 2), k.f32(0));
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
            Scalar moving = k.select(k.both(gate > 0.0, gate < 1.0), weight, zero);
            Scalar cotangent = p.routesKeys() ? k.multiplyAdd(change, product, along) : along;
            result[size_t(half)] = k.multiplyAdd(moving, cotangent, result[size_t(half)]);
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
  const Pointer queryRows, cotangentRows, gradientRows, lse, shared, tau;
  Scalar minusLogSums[2], minusShares[2]; ///< of the tile
};

} // namespace

void emitQueryGradientConsumer(WarpgroupCode &code, Scalar warpgroup,
                               const QueryGradientParameters &numbers) {
  QueryGradientConsumer(code, warpgroup, numbers).emit();
}

} // namespace heddle::gpu::attention
