// The kernel of forward mode: the forward pass's walk with weights from lse, so that nothing is rescaled. Per
// block of keys two products give the scores and their change, and one or two weighted sums the change of the
// output. The tangent of lse is the mean change of the scores; what it takes from the output is subtracted at
// the end.
#include "compiler/conversion/SparseKToGPU/AttentionKernels.h"
#include "compiler/conversion/SparseKToGPU/KeyWalk.h"

namespace heddle::gpu::attention {
namespace {

class TangentKernel {
public:
  TangentKernel(TileCode &t, const Plan &plan, const ProgramBuilder &builder, const WalkOperands &operands)
      : t(t), k(t.k), p(plan), builder(builder), movesQueries(builder.has(A::DQ)),
        movesKeys(builder.has(A::DK)), movesValues(builder.has(A::DV)),
        movesGates(builder.has(A::DU) || builder.has(A::DTau)),
        queries(t.sharedRows(plan.walk.tile, plan.spec.keyWidth)), walk(t, plan, builder, operands) {
    t.zeroPadding(queries, p.spec.keyWidth);
    if (movesQueries) {
      queryTangents = t.sharedRows(p.walk.tile, p.spec.keyWidth);
      t.zeroPadding(queryTangents, p.spec.keyWidth);
    }
  }

  void emit() {
    const int64_t n = p.spec.length;
    Scalar block = k.block(), tile = block % p.tiles(), head = block / p.tiles();
    Scalar first = tile * p.walk.tile, count = k.min(k.i32(p.walk.tile), k.i32(n) - first);
    Scalar row = t.divide(head, p.spec.group());
    Scalar queryStart = t.wide(head) * n + t.wide(first);
    auto stage = [&](const SharedRows &to, A from) {
      t.stageRows(to, input(from), p.spec.keyWidth, [&](Scalar query) {
        Scalar valid = query < count;
        return TileCode::SourceRow{queryStart + t.wide(k.select(valid, query, k.i32(0))), valid};
      });
    };
    stage(queries, A::Q);
    if (movesQueries)
      stage(queryTangents, A::DQ);
    walk.start(head, tile, first, count);
    Scalars rows, valid, raw;
    for (int64_t half = 0; half < 2; ++half) {
      sides[half] = walk.querySide(half);
      Scalar query = k.min(t.row(half), count - 1);
      rows.push_back(queryStart + t.wide(query));
      valid.push_back(t.row(half) < count);
      raw.push_back(k.load(score(A::Lse), rows.back()));
      // Queries that see nothing weigh nothing.
      logSums[half] = k.select(raw.back() < t.lowest(), -t.lowest(), raw.back() * t.logOfE());
      if (builder.has(A::DTau))
        tau[half] = k.load(score(A::DTau), t.wide(row) * n + t.wide(first + query));
    }
    Scalars state{t.number(0), t.number(0)};
    append(state, t.filled(p.valuePad, 0));
    state = walk.forEachBlock(state, [&](const KeyBlock &keys, llvm::ArrayRef<Scalar> carried) {
      return accumulate(keys, carried);
    });
    Fragment output(llvm::ArrayRef(state).drop_front(2));
    Fragment o = t.loadRows(input(A::O), p.spec.valueWidth, p.valuePad, rows);
    Scalars shift;
    for (int64_t half = 0; half < 2; ++half) {
      shift.push_back(t.acrossRow(state[size_t(half)], [](Scalar x, Scalar y) { return x + y; }));
      // A query with a NaN threshold is NaN, whether it attends to something or not.
      shift[size_t(half)] = k.select(k.isNan(raw[size_t(half)]), raw[size_t(half)], shift[size_t(half)]);
      k.when(k.both(valid[size_t(half)], t.firstColumn == 0),
             [&] { k.store(shift[size_t(half)], score(A::DLse), rows[size_t(half)]); });
    }
    for (size_t i = 0; i < output.values.size(); ++i)
      output.values[i] = k.multiplyAdd(-shift[i / 2 % 2], o.values[i], output.values[i]);
    t.storeRows(output, input(A::DOut), p.spec.valueWidth, rows, valid);
  }

private:
  using A = AttentionArgument;
  Pointer input(A argument) { return builder.buffer(k, argument, t.element); }
  Pointer score(A argument) { return builder.buffer(k, argument, t.compute); }

  /// State: the lane's part of the change of lse, of both rows, then that of the output.
  Scalars accumulate(const KeyBlock &keys, llvm::ArrayRef<Scalar> state) {
    Fragment products = t.products(queries, keys.keys), changes = t.filled(products.columns(), 0);
    const int64_t columns = products.columns();
    if (movesQueries)
      changes = t.products(queryTangents, keys.keys);
    if (movesKeys)
      changes = t.products(queries, keys.keyTangents, &changes);
    Scalars moved = walk.withGatePairs(keys, /*derivative=*/movesGates, [&](GatePairs &pairs, bool masked) {
      return weigh(keys, pairs, products, changes, state, masked);
    });
    llvm::ArrayRef<Scalar> rest = moved;
    Scalars next(rest.take_front(2));
    rest = rest.drop_front(2);
    Fragment factors = takeFragment(rest, columns), weights = takeFragment(rest, columns);
    Fragment output(state.drop_front(2));
    if (movesQueries || movesKeys || movesGates)
      output = t.weightedSum(walk.addOddValues(keys, output, factors), factors, keys.values);
    if (movesValues)
      output = t.weightedSum(output, weights, keys.valueTangents);
    append(next, output);
    return next;
  }

  /// The change of lse, the factors of the values, and those of their tangents.
  Scalars weigh(const KeyBlock &keys, GatePairs &pairs, Fragment products, Fragment changes,
                llvm::ArrayRef<Scalar> state, bool masked) {
    Scalar scale = t.number(p.spec.scale), inBase = t.number(p.spec.scale * t.logOfE());
    Scalars result{state[0], state[1]};
    for (int64_t tile = 0; tile < products.columns() / 8; ++tile)
      for (int64_t column = 0; column < 2; ++column) {
        KeySide key = walk.keySide(keys, tile, column);
        Scalar tangent =
            keys.scoreTangent.base ? walk.keyNumber(keys.scoreTangent, tile, column) : t.number(0);
        for (int64_t half = 0; half < 2; ++half) {
          Scalar product = products.at(tile, half, column);
          Pair pair = pairs.pair(sides[half], key, product * inBase);
          Scalar weight = t.power(pair.score - logSums[half]);
          Scalar change = pairs.timesKeyGate(changes.at(tile, half, column) * scale);
          Scalar gateTangent;
          if (pairs.routes()) {
            gateTangent = tau[half].value ? tangent - tau[half] : tangent;
            gateTangent = k.select(pairs.gateMoves(), gateTangent, t.number(0));
          }
          if (pairs.gateMovesScore())
            change = k.multiplyAdd(gateTangent, product * scale, change);
          Scalar factor = pair.gate.value ? change * pair.gate : change;
          if (pairs.gateMovesValue())
            factor = factor + gateTangent;
          Scalar moved = weight * change, valueWeight = pair.gate.value ? weight * pair.gate : weight;
          factor = weight * factor;
          if (masked) { // what a pair that is not seen holds may not be finite
            moved = k.select(pair.seen, moved, t.number(0));
            factor = k.select(pair.seen, factor, t.number(0));
            valueWeight = k.select(pair.seen, valueWeight, t.number(0));
          }
          result[size_t(half)] = result[size_t(half)] + moved;
          products.at(tile, half, column) = factor;
          changes.at(tile, half, column) = valueWeight;
        }
      }
    append(result, products);
    append(result, changes);
    return result;
  }

  TileCode &t;
  KernelCode &k;
  const Plan &p;
  const ProgramBuilder &builder;
  const bool movesQueries, movesKeys, movesValues, movesGates;
  SharedRows queries, queryTangents;
  KeyWalk walk;
  QuerySide sides[2];
  Scalar logSums[2], tau[2];
};

} // namespace

void emitTangent(ProgramBuilder &builder, const AttentionSpec &spec, const Target &target) {
  using A = AttentionArgument;
  const Plan plan = makePlan(spec, target, Pass::Tangent);
  KeyLists lists;
  if (plan.spec.topk > 0)
    lists = emitKeyLists(builder, plan, ChunkOrder::Ascending);
  const OddRows odd = emitOddRows(builder, plan, A::V);
  builder.take({A::Q, A::O, A::Lse});
  WalkOperands operands(builder, plan, lists, &odd);
  for (A argument : {A::DQ, A::DK, A::DV})
    if (spec.has(argument))
      builder.take({argument});
  for (A argument : {A::DU, A::DTau})
    if (spec.has(argument) && plan.routesValues())
      builder.take({argument});
  builder.take({A::DOut, A::DLse});
  const int64_t blocks = spec.batch * spec.queryHeads * plan.tiles();
  builder.kernel("attention_tangent", blocks, plan.walk.threads(), [&](KernelCode &k) {
    TileCode t(k, elementType(k.b, spec), plan.walk.block);
    TangentKernel(t, plan, builder, operands).emit();
  });
}

} // namespace heddle::gpu::attention
