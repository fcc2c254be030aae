// The forward kernel: a block of threads has a tile of queries of one query head, 16 for each warp, and walks
// over the keys that they see. Per block of keys: products of queries and keys, the online softmax on the
// values in registers, and the weighted sum of the values.
#include "compiler/conversion/SparseKToGPU/AttentionKernels.h"
#include "compiler/conversion/SparseKToGPU/KeyWalk.h"
#include "compiler/conversion/SparseKToGPU/Warpgroup.h"

namespace heddle::gpu::attention {
namespace {

/// By how much, in powers of the softmax's base, a maximum may grow before sums are rescaled.
constexpr double slack = 8;

class ForwardKernel {
public:
  ForwardKernel(TileCode &t, const Plan &plan, const ProgramBuilder &builder, KeyWalk &walk)
      : t(t), k(t.k), p(plan), builder(builder), queries(t.sharedRows(plan.walk.tile, plan.spec.keyWidth)),
        walk(walk) {
    t.zeroPadding(queries, p.spec.keyWidth);
  }

  /// Computes tile `number`, counted over the heads.
  void emit(Scalar number) {
    using A = AttentionArgument;
    const int64_t n = p.spec.length;
    Scalar tile = number % p.tiles(), head = number / p.tiles();
    Scalar first = tile * p.walk.tile, count = k.min(k.i32(p.walk.tile), k.i32(n) - first);
    Scalar queryStart = t.wide(head) * n + t.wide(first);
    t.stageRows(queries, builder.buffer(k, A::Q, t.element), p.spec.keyWidth, [&](Scalar row) {
      Scalar valid = row < count;
      return TileCode::SourceRow{queryStart + t.wide(k.select(valid, row, k.i32(0))), valid};
    });
    walk.start(head, tile, first, count);
    for (int64_t half = 0; half < 2; ++half)
      sides[half] = walk.querySide(half);

    Scalars state{t.lowest(), t.lowest(), t.number(0), t.number(0)};
    append(state, t.filled(p.valuePad, 0));
    state = walk.forEachBlock(state, [&](const KeyBlock &keys, llvm::ArrayRef<Scalar> carried) {
      return accumulate(keys, carried);
    });

    Scalars rows, valid, factors;
    for (int64_t half = 0; half < 2; ++half) {
      Scalar sum = t.acrossRow(state[size_t(2 + half)], [](Scalar x, Scalar y) { return x + y; });
      Scalar top = state[size_t(half)];
      Scalar empty = sum == 0.0;
      Scalar factor = k.select(empty, t.number(0), 1.0 / sum);
      Scalar lse = k.select(empty, t.infinity(true), top * (1 / t.logOfE()) + t.naturalLog(sum));
      lse = k.select(k.isNan(sum), sum, lse);
      if (p.spec.topk > 0) { // a NaN threshold
        Scalar broken = k.isNan(sides[half].hi);
        factor = k.select(broken, t.notANumber(), factor);
        lse = k.select(broken, t.notANumber(), lse);
      }
      factors.push_back(factor);
      rows.push_back(queryStart + t.wide(t.row(half)));
      valid.push_back(t.row(half) < count);
      k.when(k.both(valid.back(), t.firstColumn == 0),
             [&] { k.store(lse, builder.buffer(k, A::Lse, t.compute), rows.back()); });
    }
    llvm::ArrayRef<Scalar> output = llvm::ArrayRef(state).drop_front(4);
    t.storeRows(t.scaled(Fragment(output), factors), builder.buffer(k, A::O, t.element), p.spec.valueWidth,
                rows, valid);
  }

private:
  /// State: the maximum and the lane's part of the sum, of both rows, then the output.
  Scalars accumulate(const KeyBlock &keys, llvm::ArrayRef<Scalar> state) {
    Fragment products = t.products(queries, keys.keys);
    const int64_t columns = products.columns();
    Scalars weighed = walk.withPairs(keys, /*derivative=*/false,
                                     [&](Pairs &pairs) { return soften(keys, pairs, products, state); });
    llvm::ArrayRef<Scalar> rest = weighed;
    Scalars next(rest.take_front(4));
    Scalars factors(rest.slice(4, 2));
    Scalar rescale = rest[6];
    rest = rest.drop_front(7);
    Fragment weights = takeFragment(rest, columns);
    Fragment output(state.drop_front(4));
    output = Fragment(
        k.choose(rescale, [&] { return t.scaled(output, factors).values; }, [&] { return output.values; }));
    output = walk.addOddValues(keys, output, weights);
    append(next, t.weightedSum(output, weights, keys.values));
    return next;
  }

  /// Products to weights; gives the new maxima and sums, by what the output is to be multiplied and whether,
  /// and the weights.
  Scalars soften(const KeyBlock &keys, Pairs &pairs, Fragment x, llvm::ArrayRef<Scalar> state) {
    Scalar scale = t.number(pairs.productFactor());
    Fragment gates = x;
    Scalar tops[2] = {state[0], state[1]};
    for (int64_t tile = 0; tile < x.columns() / 8; ++tile)
      for (int64_t column = 0; column < 2; ++column) {
        KeySide key = walk.keySide(keys, tile, column);
        for (int64_t half = 0; half < 2; ++half) {
          Pair pair = pairs.pair(sides[half], key, x.at(tile, half, column) * scale);
          if (pair.seen.value)
            pair.score = k.select(pair.seen, pair.score, t.infinity(true));
          x.at(tile, half, column) = pair.score;
          gates.at(tile, half, column) = pair.gate;
          tops[half] = k.max(tops[half], pair.score);
        }
      }
    Scalar grows = k.truth(false);
    for (int64_t half = 0; half < 2; ++half) {
      tops[half] = t.acrossRow(tops[half], [&](Scalar a, Scalar b) { return k.max(a, b); });
      grows = grows | (tops[half] > state[size_t(half)] + slack);
    }
    Scalar rescale = k.ballot(grows) != 0;
    Scalars result(4), factors;
    for (int64_t half = 0; half < 2; ++half) {
      Scalar top = k.select(rescale, tops[half], state[size_t(half)]);
      Scalar factor = t.power(state[size_t(half)] - top);
      Scalar sum = state[size_t(2 + half)] * factor;
      for (int64_t tile = 0; tile < x.columns() / 8; ++tile)
        for (int64_t column = 0; column < 2; ++column) {
          Scalar &value = x.at(tile, half, column);
          value = t.power(value - top);
          sum = sum + value;
          if (pairs.hasGate())
            value = value * gates.at(tile, half, column);
        }
      result[size_t(half)] = top;
      result[size_t(2 + half)] = sum;
      factors.push_back(factor);
    }
    result.append(factors);
    result.push_back(rescale);
    append(result, x);
    return result;
  }

  TileCode &t;
  KernelCode &k;
  const Plan &p;
  const ProgramBuilder &builder;
  SharedRows queries;
  KeyWalk &walk;
  QuerySide sides[2];
};

} // namespace

void emitForwardKernel(TileCode &t, const Plan &plan, const ProgramBuilder &builder, KeyWalk &walk) {
  ForwardKernel(t, plan, builder, walk).emit(t.k.block());
}

static void emitForwardTiles(ProgramBuilder &builder, const Plan &plan) {
  using A = AttentionArgument;
  KeyLists lists;
  if (plan.spec.topk > 0)
    lists = emitKeyLists(builder, plan, ChunkOrder::Ascending);
  const OddRows odd = emitOddRows(builder, plan, A::V);
  builder.take({A::Q});
  WalkOperands operands(builder, plan, lists, &odd);
  builder.take({A::O, A::Lse});
  builder.kernel("attention", plan.queryTiles(), plan.walk.threads(), [&](KernelCode &k) {
    TileCode t(k, elementType(k.b, plan.spec), plan.walk.block);
    KeyWalk walk(t, plan, builder, operands);
    emitForwardKernel(t, plan, builder, walk);
  });
}

static void emitMarkedForwardTiles(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists,
                                   const TileMarks &marks, const Target &target) {
  using A = AttentionArgument;
  const OddRows odd = emitOddRows(builder, plan, A::V, &marks.any, 8 * target.multiprocessors);
  builder.take({A::Q});
  WalkOperands operands(builder, plan, lists, &odd);
  builder.take({A::O, A::Lse});
  const TileMarkNumbers numbers = takeTileMarks(builder, marks);
  const int64_t blocks = std::min(plan.queryTiles(), 2 * target.multiprocessors);
  builder.kernel("attention_marked", blocks, plan.walk.threads(), [&](KernelCode &k) {
    k.when(anyTileMarked(k, numbers), [&] {
      TileCode t(k, elementType(k.b, plan.spec), plan.walk.block);
      KeyWalk walk(t, plan, builder, operands);
      ForwardKernel kernel(t, plan, builder, walk);
      forEachMarkedTile(k, plan, numbers, [&](Scalar number) { kernel.emit(number); });
    });
  });
}

static void emitForwardWarpgroups(ProgramBuilder &builder, const Plan &plan, const WarpgroupPlan &sizes,
                                  const Target &target) {
  using A = AttentionArgument;
  KeyLists lists;
  if (plan.spec.topk > 0)
    lists = emitKeyLists(builder, plan, ChunkOrder::Ascending);
  const TileMarks marks = emitTileMarks(builder, plan);
  builder.take({A::Q, A::O, A::Lse});
  const WarpgroupParameters parameters(builder, plan, lists, marks);
  const int64_t blocks = std::min(plan.queryTiles(), target.multiprocessors);
  builder.kernel("attention", blocks, sizes.threads(), [&](KernelCode &k) {
    emitWarpgroupKernel(k, plan, sizes, builder, parameters, emitForwardConsumer);
  });
  emitMarkedForwardTiles(builder, plan, lists, marks, target);
}

void emitForward(ProgramBuilder &builder, const AttentionSpec &spec, const Target &target) {
  if (auto sizes = WarpgroupPlan::of(spec, target, Pass::Forward)) {
    builder.program.taken = {
        {"warpgroups", sizes->warpgroups}, {"block", sizes->block}, {"stages", sizes->valueStages}};
    emitForwardWarpgroups(builder, makePlan(spec, target, Pass::Forward, sizes->tile()), *sizes, target);
    return;
  }
  const Plan plan = makePlan(spec, target, Pass::Forward);
  builder.program.taken = {{"warpgroups", 0}, {"block", plan.walk.block}, {"stages", plan.walk.stages}};
  emitForwardTiles(builder, plan);
}

} // namespace heddle::gpu::attention
