// The warpgroups that multiply in the forward pass. Products of a block are issued together with the weighted
// sum of the block before it, and softmax runs while that sum is computed. Turns keep the softmax of one
// warpgroup beside the products of the other.
#include "compiler/conversion/GPU/TensorCode.h"
#include "compiler/conversion/SparseKToGPU/WarpgroupQueries.h"

#include <cfloat>
#include <limits>
#include <numbers>

namespace heddle::gpu::attention {
namespace {

/// By how much, in powers of two, a maximum may grow before sums are rescaled.
constexpr double slack = 8;

class ForwardConsumer : WarpgroupQueries {
public:
  ForwardConsumer(WarpgroupCode &code, Scalar warpgroup)
      : WarpgroupQueries(code, warpgroup), factor(p.spec.scale * std::numbers::log2e),
        lowest(-double(FLT_MAX) / 2 / std::max(factor, 1.0)),
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
    State state{{k.f32(lowest), k.f32(lowest)}, {k.f32(0), k.f32(0)}};
    Softened first =
        soften(kindOf(tile, k.i32(0)), keyPlace, Sums(begun.slice(sideCount(), size_t(block / 2))), state);
    Scalars words = packed(first.weights);

    const size_t outputs = size_t(p.spec.valueWidth / 2);
    Scalars carried(outputs, k.f32(0));
    append(carried, first.state);
    carried.append(words);
    keyPlace = c.nextKeys(keyPlace);
    carried.append({keyPlace.stage, keyPlace.parity});
    carried =
        k.loop(k.i32(1), tile.blocks, k.i32(1), carried, [&](Scalar number, llvm::ArrayRef<Scalar> values) {
          Sums output(values.take_front(outputs));
          State state{{values[outputs], values[outputs + 1]}, {values[outputs + 2], values[outputs + 3]}};
          llvm::ArrayRef<Scalar> weights = values.slice(outputs + 4, block / 4), ring = values.take_back(2);
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
    State last{{rest[outputs], rest[outputs + 1]}, {rest[outputs + 2], rest[outputs + 3]}};
    keyPlace = {rest.drop_back().back(), rest.back()};
    const RingPlace valuePlace = before(keyPlace);
    auto addLast = [&] {
      return multiplyValues(valuePlace, Sums(rest.take_front(outputs)), rest.slice(outputs + 4, block / 4));
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
    to.append({state.tops[0], state.tops[1], state.sums[0], state.sums[1]});
  }
  static Scalars scaled(const Sums &x, const Scalar (&factors)[2]) {
    Scalars result;
    for (size_t i = 0; i < x.size(); ++i)
      result.push_back(x[i] * factors[i / 2 % 2]);
    return result;
  }

  // ---- Softmax ----

  Softened soften(const Kind &kind, RingPlace place, const Sums &products, const State &state) {
    auto nothing = [&] {
      Scalars result{state.tops[0], state.tops[1], state.sums[0], state.sums[1]};
      result.append({k.f32(1), k.f32(1), k.truth(false)});
      result.append(size_t(block / 2), nothingHere());
      return result;
    };
    Scalars all = byKind(
        kind, [&](bool gate, bool masked) { return softened(gate, masked, place, products, state); },
        nothing);
    Softened result{{{all[0], all[1]}, {all[2], all[3]}}, {all[4], all[5]}, all[6], {}};
    result.weights.append(all.begin() + 7, all.end());
    return result;
  }

  Scalars softened(bool gate, bool masked, RingPlace place, const Sums &products, const State &state) {
    Scalars x(products), gates(products.size());
    Scalar tops[2] = {state.tops[0], state.tops[1]};
    for (int64_t tile = 0; tile < block / 8; ++tile) {
      mlir::Value scores = gate ? numbersOf(place, 0, tile) : mlir::Value();
      mlir::Value middles = masked ? numbersOf(place, 1, tile) : mlir::Value();
      mlir::Value halves = masked ? numbersOf(place, 2, tile) : mlir::Value();
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

  void store(const WarpgroupTile &tile, const Sums &output, const State &state) {
    Scalar factors[2], column = computeHere(k, firstColumn);
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
      k.when(k.both(inTile(tile, half), column == 0),
             [&] { k.store(logSum, lse, tile.queryStart + c.wide(rows[half])); });
    }
    markOdd(tile, output); // an infinity or NaN of v is among the values of the tile
    storeRows(tile, outputRows, p.spec.valueWidth, scaled(output, factors));
  }

  const double factor; ///< of products, to scores in base 2
  const double lowest; ///< what maxima start from: times the factor it is finite
  const Pointer queryRows, outputRows, lse;
};

} // namespace

void emitForwardConsumer(WarpgroupCode &code, Scalar warpgroup) { ForwardConsumer(code, warpgroup).emit(); }

} // namespace heddle::gpu::attention
