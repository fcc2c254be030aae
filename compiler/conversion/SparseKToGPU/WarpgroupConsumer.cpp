// The warpgroups that multiply in the forward pass. Products of a block are issued together with the weighted
// sum of the block before it, and softmax runs while that sum is computed. Turns keep the softmax of
// warpgroups beside the products of another.
#include "compiler/conversion/GPU/TensorCode.h"
#include "compiler/conversion/SparseKToGPU/WarpgroupQueries.h"

#include <limits>
#include <numbers>

namespace heddle::gpu::attention {
namespace {

/// Weights of a row are relative to the sum that it had when it was measured. When a lane's part of a block
/// sums up to more than this, the row is measured again; until then no weight waits for the others.
constexpr double mostSum = 1024;
/// What a row may be measured by. Relative to a smaller sum weights that vanished might matter, which happens
/// to first ones alone; a larger one has no reciprocal, or has overflowed though its weights have not.
constexpr double leastMeasure = 0x1p-90, mostMeasure = 0x1p120;

class ForwardConsumer : WarpgroupQueries {
public:
  ForwardConsumer(WarpgroupCode &code, Scalar warpgroup)
      : WarpgroupQueries(code, warpgroup), factor(p.spec.scale * std::numbers::log2e),
        queryRows(c.builder.buffer(k, AttentionArgument::Q, c.element)),
        outputRows(c.builder.buffer(k, AttentionArgument::O, c.element)),
        lse(c.builder.buffer(k, AttentionArgument::Lse, k.f32Type())) {}

  void emit() {
    start();
    loadQueries(k.block());
    startTurns();
    Scalars carried = loadSides(c.tileAt(k.block()));
    awaitRows();
    RingPlace begin{k.i32(0), k.i32(0)};
    await(WarpgroupCode::FullKeys, begin);
    awaitTurn();
    Sums products = multiplyKeys(begin);
    passTurn();
    carried.append(waitForProducts(k, 0, products));
    release(WarpgroupCode::EmptyKeys, begin.stage);
    carried.append({begin.stage, begin.parity});
    c.forEachTile(carried, [&](const WarpgroupTile &tile, llvm::ArrayRef<Scalar> carried) {
      return compute(tile, carried);
    });
    endTurns();
  }

private:
  /// A softmax so far. Weights are 2^(score factor + shift); `sums` are this lane's part; a row that no key
  /// has been seen for has not been measured, and its limit is 0.
  struct State {
    Scalar shifts[2], sums[2], limits[2];
  };
  /// What a block adds to it: by what sums of values are multiplied, and whether; weights.
  struct Softened {
    State state;
    Scalar factors[2], rescale;
    Scalars weights;
  };

  void loadQueries(Scalar index) {
    copyRows(c.tileAt(index), queryRows, p.spec.keyWidth, 0);
    commitCopies(k);
  }

  Sums multiplyKeys(RingPlace place) {
    return multiplyRows(describeRows(0), describeStage(c.keysStart, c.w.keyBytes(), place.stage),
                        p.spec.keyWidth);
  }
  Sums multiplyValues(RingPlace place, const Sums &sums, llvm::ArrayRef<Scalar> weights) {
    Scalar values = describeStage(c.valuesStart, c.w.valueBytes(), place.stage, /*across=*/true);
    return multiplyWeights(sums, weights, values, p.spec.valueWidth);
  }

  /// Keys and values have rings of one size; what is carried is the place of a block in it, and values are
  /// used when the next block's keys are.
  RingPlace before(RingPlace place) { return previousPlace(k, place, c.w.valueStages); }

  /// Takes and gives, of the next tile: its sides, the products of its first block, and the ring's places of
  /// that block.
  Scalars compute(const WarpgroupTile &tile, llvm::ArrayRef<Scalar> begun) {
    RingPlace keyPlace{begun.drop_back().back(), begun.back()};
    startRows(tile, begun.take_front(sideCount()));
    auto load = [&] { loadQueries(c.nextIndex(tile)); };
    whenLast(tile, k.i32(0), load);
    const Sums products(begun.slice(sideCount(), size_t(block / 2)));
    Softened first = soften(kindOf(tile, k.i32(0)), keyPlace, products, startState(products));

    const size_t outputs = size_t(p.spec.valueWidth / 2);
    Scalars carried(outputs, k.f32(0));
    append(carried, first.state);
    carried.append(packed(first.weights));
    keyPlace = c.nextKeys(keyPlace);
    carried.append({keyPlace.stage, keyPlace.parity});
    carried =
        k.loop(k.i32(1), tile.blocks, k.i32(1), carried, [&](Scalar number, llvm::ArrayRef<Scalar> values) {
          Sums output(values.take_front(outputs));
          const State state = stateOf(values.drop_front(outputs));
          llvm::ArrayRef<Scalar> weights = values.slice(outputs + 6, block / 4), ring = values.take_back(2);
          RingPlace keyPlace{ring[0], ring[1]}, valuePlace = before(keyPlace);
          await(WarpgroupCode::FullKeys, keyPlace);
          awaitTurn();
          Sums products = multiplyKeys(keyPlace);
          output = multiplyValues(valuePlace, output, weights);
          passTurn();
          products = waitForProducts(k, 1, products);
          release(WarpgroupCode::EmptyKeys, keyPlace.stage);
          whenLast(tile, number, load);
          Softened next = soften(kindOf(tile, number), keyPlace, products, state);
          output = waitForProducts(k, 0, output);
          release(WarpgroupCode::EmptyValues, valuePlace.stage);
          Scalars words = packed(next.weights);
          output =
              k.choose(next.rescale, [&] { return scaled(output, next.factors); }, [&] { return output; });
          Scalars result(output);
          append(result, next.state);
          result.append(words);
          keyPlace = c.nextKeys(keyPlace);
          result.append({keyPlace.stage, keyPlace.parity});
          return result;
        });

    tile.lookAhead();
    Scalars next = loadSides(c.tileAt(c.nextIndex(tile)));
    llvm::ArrayRef<Scalar> rest = carried;
    const State last = stateOf(rest.drop_front(outputs));
    keyPlace = {rest.drop_back().back(), rest.back()};
    const RingPlace valuePlace = before(keyPlace);
    auto addLast = [&] {
      return multiplyValues(valuePlace, Sums(rest.take_front(outputs)), rest.slice(outputs + 6, block / 4));
    };
    Scalars results = k.choose(
        tile.hasNext,
        [&] {
          awaitRows();
          await(WarpgroupCode::FullKeys, keyPlace);
          awaitTurn();
          Sums products = multiplyKeys(keyPlace), output = addLast();
          passTurn();
          products = waitForProducts(k, 1, products);
          release(WarpgroupCode::EmptyKeys, keyPlace.stage);
          products.append(waitForProducts(k, 0, output));
          return products;
        },
        [&] {
          await(WarpgroupCode::FullValues, valuePlace);
          Scalars none(size_t(block / 2), k.f32(0));
          none.append(waitForProducts(k, 0, addLast()));
          return none;
        });
    release(WarpgroupCode::EmptyValues, valuePlace.stage);
    store(c.tileAt(computeHere(k, tile.index)), Sums(llvm::ArrayRef(results).take_back(outputs)), last);
    next.append(results.begin(), results.begin() + block / 2);
    next.append({keyPlace.stage, keyPlace.parity});
    return next;
  }

  static void append(Scalars &to, const State &state) {
    for (const auto &pair : {state.shifts, state.sums, state.limits})
      to.append({pair[0], pair[1]});
  }
  static State stateOf(llvm::ArrayRef<Scalar> from) {
    return {{from[0], from[1]}, {from[2], from[3]}, {from[4], from[5]}};
  }
  static Scalars scaled(llvm::ArrayRef<Scalar> x, const Scalar (&factors)[2]) {
    Scalars result;
    for (size_t i = 0; i < x.size(); ++i)
      result.push_back(x[i] * factors[i / 2 % 2]);
    return result;
  }

  // ---- Softmax ----

  /// Before the first block: rows are measured from their largest product, whether its pair is seen or not,
  /// until they see a key.
  State startState(const Sums &products) {
    State state;
    for (size_t half = 0; half < 2; ++half) {
      Scalar top = k.max(products[2 * half], products[2 * half + 1]);
      for (size_t i = 4; i < products.size(); i += 4)
        top = k.max(top, k.max(products[i + 2 * half], products[i + 2 * half + 1]));
      top = k.warpReduce(top, [&](Scalar a, Scalar b) { return k.max(a, b); }, 4);
      state.shifts[half] = -(top * factor);
      state.sums[half] = state.limits[half] = k.f32(0);
    }
    return state;
  }

  Softened soften(const Kind &kind, RingPlace place, const Sums &products, const State &state) {
    auto nothing = [&] { return Scalars(size_t(2 + block / 2), nothingHere()); };
    Scalars all = byKind(
        kind, [&](bool gate, bool masked) { return weigh(gate, masked, place, products, state); }, nothing);
    const Scalar sums[2] = {all[0], all[1]};
    llvm::ArrayRef<Scalar> weights = llvm::ArrayRef(all).drop_front(2);
    // A NaN is too large as well.
    Scalar fits = k.both(sums[0] <= state.limits[0], sums[1] <= state.limits[1]);
    auto collect = [](const State &state, const Scalar(&factors)[2], Scalar rescale,
                      llvm::ArrayRef<Scalar> x) {
      Scalars result;
      append(result, state);
      result.append({factors[0], factors[1], rescale});
      result.append(x.begin(), x.end());
      return result;
    };
    Scalars results = k.choose(
        k.ballot(!fits) != 0,
        [&] {
          State next;
          Scalar factors[2];
          for (size_t half = 0; half < 2; ++half) {
            Scalar sum = k.warpReduce(sums[half], [](Scalar a, Scalar b) { return a + b; }, 4);
            Scalar measured = sum > state.limits[half];
            // Else the row becomes NaN, and the tile is computed again.
            Scalar power = k.select(k.both(sum >= leastMeasure, sum <= mostMeasure), k.log2Approximate(sum),
                                    k.f32(std::numeric_limits<double>::quiet_NaN()));
            power = k.select(measured, power, k.f32(0));
            factors[half] = k.exp2Approximate(-power);
            next.shifts[half] = state.shifts[half] - power;
            next.sums[half] = (state.sums[half] + sums[half]) * factors[half];
            next.limits[half] = k.select(measured, k.f32(mostSum), state.limits[half]);
          }
          return collect(next, factors, k.truth(true), scaled(weights, factors));
        },
        [&] {
          State next = state;
          for (size_t half = 0; half < 2; ++half)
            next.sums[half] = state.sums[half] + sums[half];
          return collect(next, {k.f32(1), k.f32(1)}, k.truth(false), weights);
        });
    Softened result{stateOf(results), {results[6], results[7]}, results[8], {}};
    result.weights.append(results.begin() + 9, results.end());
    return result;
  }

  /// This lane's sums of the weights of a block, and the weights times the gates of values.
  Scalars weigh(bool gate, bool masked, RingPlace place, const Sums &products, const State &state) {
    Scalars x(products);
    Scalar sums[4]; // of each half and column, so that additions need not wait
    for (int64_t tile = 0; tile < block / 8; ++tile) {
      mlir::Value scores = gate ? numbersOf(place, 0, tile) : mlir::Value();
      mlir::Value middles = masked ? numbersOf(place, 1, tile) : mlir::Value();
      mlir::Value halves = masked ? numbersOf(place, 2, tile) : mlir::Value();
      for (int64_t half = 0; half < 2; ++half)
        for (int64_t column = 0; column < 2; ++column) {
          const size_t i = size_t(4 * tile + 2 * half + column);
          Scalar of;
          if (gate) {
            of = k.addClipped(k.element(scores, column), minusThresholds[half]);
            if (p.gateKeys())
              x[i] = x[i] * of;
          }
          if (masked) {
            Scalar distance = k.abs(positions[half] - k.element(middles, column));
            x[i] = k.select(distance <= k.element(halves, column), x[i], minusInfinity());
          }
          x[i] = k.exp2Approximate(k.multiplyAdd(x[i], k.f32(factor), state.shifts[half]));
          Scalar &sum = sums[i % 4];
          sum = tile ? sum + x[i] : x[i];
          if (gate && p.gateValues())
            x[i] = x[i] * of;
        }
    }
    Scalars result{sums[0] + sums[1], sums[2] + sums[3]};
    result.append(x);
    return result;
  }

  Scalar minusInfinity() { return k.f32(-std::numeric_limits<double>::infinity()); }

  // ---- Results ----

  void store(const WarpgroupTile &tile, const Sums &output, const State &state) {
    Scalar factors[2], column = computeHere(k, firstColumn);
    for (int64_t half = 0; half < 2; ++half) {
      Scalar sum = k.warpReduce(state.sums[half], [](Scalar a, Scalar b) { return a + b; }, 4);
      Scalar empty = sum == 0.0;
      factors[half] = k.select(empty, k.f32(0), 1.0 / sum);
      Scalar logSum = (k.log2Approximate(sum) - state.shifts[half]) * std::numbers::ln2;
      logSum = k.select(empty, minusInfinity(), logSum);
      logSum = k.select(k.isNan(sum), sum, logSum);
      if (p.spec.topk > 0) { // a NaN threshold
        Scalar nan = k.f32(std::numeric_limits<double>::quiet_NaN());
        Scalar broken = k.isNan(minusThresholds[half]);
        factors[half] = k.select(broken, nan, factors[half]);
        logSum = k.select(broken, nan, logSum);
      }
      k.when(k.both(inTile(tile, half), column == 0),
             [&] { k.store(logSum, lse, tile.queryStart + c.wide(rows[half])); });
    }
    // An infinity or NaN of v is among the values of the tile. A row that has not been measured saw no key,
    // or none whose weight was large enough.
    Scalars odd(output);
    for (int64_t half = 0; half < 2; ++half)
      odd.push_back(k.select(k.both(state.limits[half] == 0.0, inTile(tile, half)),
                             k.f32(std::numeric_limits<double>::quiet_NaN()), k.f32(0)));
    markOdd(tile, odd);
    storeRows(tile, outputRows, p.spec.valueWidth, scaled(output, factors));
  }

  const double factor; ///< of products, to scores in base 2
  const Pointer queryRows, outputRows, lse;
};

} // namespace

void emitForwardConsumer(WarpgroupCode &code, Scalar warpgroup) { ForwardConsumer(code, warpgroup).emit(); }

} // namespace heddle::gpu::attention
