#include "compiler/conversion/SparseKToGPU/QueryTile.h"

namespace heddle::gpu::attention {

QueryTile::QueryTile(TileCode &t, const Plan &plan, const ProgramBuilder &builder, KeyWalk &walk)
    : t(t), k(t.k), p(plan), builder(builder), queries(t.sharedRows(plan.walk.tile, plan.spec.keyWidth)),
      outs(t.sharedRows(plan.walk.tile, plan.spec.valueWidth)), walk(walk) {
  t.zeroPadding(queries, p.spec.keyWidth);
  t.zeroPadding(outs, p.spec.valueWidth);
}

void QueryTile::emit(Scalar number) {
  using A = AttentionArgument;
  const int64_t n = p.spec.length;
  Scalar tile = number % p.tiles(), head = number / p.tiles();
  Scalar first = tile * p.walk.tile, count = k.min(k.i32(p.walk.tile), k.i32(n) - first);
  Scalar queryStart = t.wide(head) * n + t.wide(first);
  auto source = [&](Scalar row) {
    Scalar valid = row < count;
    return TileCode::SourceRow{queryStart + t.wide(k.select(valid, row, k.i32(0))), valid};
  };
  t.stageRows(queries, builder.buffer(k, A::Q, t.element), p.spec.keyWidth, source);
  t.stageRows(outs, builder.buffer(k, A::DOut, t.element), p.spec.valueWidth, source);
  walk.start(head, tile, first, count);
  Scalars rows, valid;
  for (int64_t half = 0; half < 2; ++half) {
    sides[half] = walk.querySide(half);
    Scalar row = k.min(t.row(half), count - 1);
    rows.push_back(queryStart + t.wide(row));
    valid.push_back(t.row(half) < count);
    logSums[half] = k.load(lse, rows[size_t(half)]);
    shares[half] = k.load(shared, rows[size_t(half)]);
  }
  const size_t sums = 2 * sumsOfRows.size();
  Scalars state(sums, t.number(0));
  append(state, t.filled(p.keyPad, 0));
  state = walk.forEachBlock(
      state, [&](const KeyBlock &keys, llvm::ArrayRef<Scalar> carried) { return accumulate(keys, carried); });
  for (size_t i = 0; i < sums; ++i) {
    Scalar sum = t.acrossRow(state[i], [](Scalar x, Scalar y) { return x + y; });
    k.when(k.both(valid[i % 2], t.firstColumn == 0),
           [&] { k.store(signOfSums < 0 ? t.number(0) - sum : sum, sumsOfRows[i / 2], rows[i % 2]); });
  }
  Scalars scale(2, t.number(p.spec.scale));
  t.storeRows(t.scaled(Fragment(llvm::ArrayRef(state).drop_front(sums)), scale),
              builder.buffer(k, A::DQ, t.element), p.spec.keyWidth, rows, valid);
}

/// State: the lane's part of the sums of both rows, one after the other, then dq without its scale.
Scalars QueryTile::accumulate(const KeyBlock &keys, llvm::ArrayRef<Scalar> state) {
  const size_t sums = 2 * sumsOfRows.size();
  Fragment products = t.products(queries, keys.keys), along = t.products(outs, keys.values);
  Scalars moved = walk.withPairs(keys, /*derivative=*/true,
                                 [&](Pairs &pairs) { return slopes(keys, pairs, products, along, state); });
  llvm::ArrayRef<Scalar> rest = moved;
  Scalars next(rest.take_front(sums));
  append(next, t.weightedSum(Fragment(state.drop_front(sums)), Fragment(rest.drop_front(sums)), keys.keys));
  return next;
}

/// The sums and the cotangents of the products.
Scalars QueryTile::slopes(const KeyBlock &keys, Pairs &pairs, Fragment products, Fragment along,
                          llvm::ArrayRef<Scalar> state) {
  PairSlopes slopes(t, pairs);
  Scalars result(state.take_front(2 * sumsOfRows.size()));
  for (int64_t tile = 0; tile < products.columns() / 8; ++tile)
    for (int64_t column = 0; column < 2; ++column) {
      KeySide key = walk.keySide(keys, tile, column);
      for (int64_t half = 0; half < 2; ++half) {
        PairSlope slope = slopes.of(sides[half], key, products.at(tile, half, column),
                                    along.at(tile, half, column), logSums[half], shares[half]);
        products.at(tile, half, column) = slope.product;
        for (auto [i, x] : llvm::enumerate(slope.sums))
          result[2 * i + size_t(half)] = result[2 * i + size_t(half)] + x;
      }
    }
  append(result, products);
  return result;
}

} // namespace heddle::gpu::attention
