#include "compiler/conversion/SparseKToGPU/KeyTile.h"

namespace heddle::gpu::attention {

KeyTile::KeyTile(TileCode &t, const Plan &plan, const ProgramBuilder &builder,
                 const QueryWalkOperands &operands)
    : t(t), k(t.k), p(plan), n(plan.spec.length), builder(builder),
      keys(t.sharedRows(plan.walk.tile, plan.spec.keyWidth)),
      values(t.sharedRows(plan.walk.tile, plan.spec.valueWidth)), walk(t, plan, builder, operands),
      numbers(k.shared(plan.walk.tile, k.i32Type())) {
  t.zeroPadding(keys, p.spec.keyWidth);
  t.zeroPadding(values, p.spec.valueWidth);
}

Scalar KeyTile::splitColumns(Scalar block) {
  columnPart = block % parts(p);
  return block / parts(p);
}

void KeyTile::eachPart(llvm::function_ref<void(int64_t part)> body) {
  if (parts(p) == 1)
    return body(0);
  for (int64_t part = 0; part < parts(p); ++part)
    k.when(columnPart == part, [&] { body(part); });
}

Scalars KeyTile::sum(Scalar row, Scalar first, Scalar end) {
  auto stage = [&](const SharedRows &to, AttentionArgument from, int64_t width) {
    t.stageRows(to, builder.buffer(k, from, t.element), width, [&](Scalar slot) {
      Scalar key = k.load(numbers, slot);
      return TileCode::SourceRow{rowStart + t.wide(k.max(key, k.i32(0))), key >= 0};
    });
  };
  stage(keys, AttentionArgument::K, p.spec.keyWidth);
  stage(values, AttentionArgument::V, p.spec.valueWidth);
  Scalars state(firstOfKeys(), t.number(0));
  append(state, t.filled(keyColumns(), 0));
  append(state, t.filled(valueColumns(), 0));
  state =
      walk.forEachBlock(row, first, end, state, [&](const QueryBlock &block, llvm::ArrayRef<Scalar> carried) {
        return accumulate(block, carried);
      });
  for (size_t i = 0; i < firstOfKeys(); ++i)
    state[i] = t.acrossRow(state[i], [](Scalar x, Scalar y) { return x + y; });
  for (size_t i = firstOfKeys(); i < firstOfValues(); ++i)
    state[i] = state[i] * p.spec.scale;
  return state;
}

Scalars KeyTile::accumulate(const QueryBlock &block, llvm::ArrayRef<Scalar> state) {
  Fragment products = t.products(keys, block.queries), along = t.products(values, block.outs);
  const int64_t columns = products.columns();
  Scalars moved =
      withPairs(block, [&](Pairs &pairs) { return slopes(block, pairs, products, along, state); });
  llvm::ArrayRef<Scalar> rest = moved;
  Scalars next(rest.take_front(firstOfKeys()));
  rest = rest.drop_front(firstOfKeys());
  state = state.drop_front(firstOfKeys());
  Fragment slope = takeFragment(rest, columns), weights = takeFragment(rest, columns);
  Fragment dk = takeFragment(state, keyColumns()), dv = takeFragment(state, valueColumns());
  append(next, inPart(dk, slope, block.queries, p.keyPad));
  append(next, inPart(dv, weights, block.outs, p.valuePad));
  return next;
}

/// sum + weights rows, for the columns of this block's part.
Fragment KeyTile::inPart(Fragment sum, Fragment weights, const SharedRows &rows, int64_t width) {
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

/// The sums of the rows, the cotangents of the products, and the weights of do.
Scalars KeyTile::slopes(const QueryBlock &block, Pairs &pairs, Fragment products, Fragment along,
                        llvm::ArrayRef<Scalar> state) {
  PairSlopes slopes(t, pairs);
  Scalars result(state.take_front(firstOfKeys()));
  for (int64_t tile = 0; tile < products.columns() / 8; ++tile)
    for (int64_t column = 0; column < 2; ++column) {
      QuerySide query = walk.querySide(block, tile, column);
      Scalar lse = walk.load(block.lse, tile, column), shared = walk.load(block.shared, tile, column);
      for (int64_t half = 0; half < 2; ++half) {
        PairSlope slope = slopes.of(query, sides[half], products.at(tile, half, column),
                                    along.at(tile, half, column), lse, shared);
        products.at(tile, half, column) = slope.product;
        along.at(tile, half, column) = slope.weight;
        for (auto [i, x] : llvm::enumerate(slope.sums))
          result[2 * i + size_t(half)] = result[2 * i + size_t(half)] + x;
      }
    }
  append(result, products);
  append(result, along);
  return result;
}

void KeyTile::store(llvm::ArrayRef<Scalar> state, Pointer dk, int64_t keyWidth, Pointer dv,
                    int64_t valueWidth, llvm::ArrayRef<Scalar> rows, llvm::ArrayRef<Scalar> valid) {
  state = state.drop_front(firstOfKeys());
  Fragment keySums = takeFragment(state, keyColumns()), valueSums = takeFragment(state, valueColumns());
  eachPart([&](int64_t part) {
    const int64_t first = part * gradientColumns;
    if (first < keyWidth)
      t.storeRows(keySums, dk, keyWidth, rows, valid, first);
    if (first < valueWidth)
      t.storeRows(valueSums, dv, valueWidth, rows, valid, first);
  });
}

} // namespace heddle::gpu::attention
