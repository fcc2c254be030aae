// dq and dtau: a block of threads has a tile of queries of one query head and walks over their keys, as the
// forward pass does, with weights from lse.
#include "compiler/conversion/SparseKToGPU/AttentionBackward.h"
#include "compiler/conversion/SparseKToGPU/KeyWalk.h"

namespace heddle::gpu::attention {
namespace {

class QueryGradientKernel {
public:
  QueryGradientKernel(TileCode &t, const Plan &plan, const ProgramBuilder &builder, KeyWalk &walk)
      : t(t), k(t.k), p(plan), builder(builder), queries(t.sharedRows(plan.walk.tile, plan.spec.keyWidth)),
        outs(t.sharedRows(plan.walk.tile, plan.spec.valueWidth)), walk(walk) {
    t.zeroPadding(queries, p.spec.keyWidth);
    t.zeroPadding(outs, p.spec.valueWidth);
  }

  Pointer lse, shared; ///< statistics of the queries
  Pointer tau;         ///< [query head, length]

  void emit() {
    using A = AttentionArgument;
    const int64_t n = p.spec.length;
    Scalar block = k.block(), tile = block % p.tiles(), head = block / p.tiles();
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
    Scalars state{t.number(0), t.number(0)};
    append(state, t.filled(p.keyPad, 0));
    state = walk.forEachBlock(state, [&](const KeyBlock &keys, llvm::ArrayRef<Scalar> carried) {
      return accumulate(keys, carried);
    });
    for (int64_t half = 0; half < 2; ++half) {
      Scalar sum = t.acrossRow(state[size_t(half)], [](Scalar x, Scalar y) { return x + y; });
      k.when(k.both(valid[size_t(half)], t.firstColumn == 0),
             [&] { k.store(-sum, tau, rows[size_t(half)]); });
    }
    Scalars scale(2, t.number(p.spec.scale));
    t.storeRows(t.scaled(Fragment(llvm::ArrayRef(state).drop_front(2)), scale),
                builder.buffer(k, A::DQ, t.element), p.spec.keyWidth, rows, valid);
  }

private:
  /// State: the lane's part of the gates' gradients, of both rows, then dq without its scale.
  Scalars accumulate(const KeyBlock &keys, llvm::ArrayRef<Scalar> state) {
    Fragment products = t.products(queries, keys.keys), along = t.products(outs, keys.values);
    Scalars moved = walk.withPairs(keys, /*derivative=*/true,
                                   [&](Pairs &pairs) { return slopes(keys, pairs, products, along, state); });
    Scalars next(llvm::ArrayRef(moved).take_front(2));
    append(next, t.weightedSum(Fragment(state.drop_front(2)), Fragment(llvm::ArrayRef(moved).drop_front(2)),
                               keys.keys));
    return next;
  }

  /// The cotangents of the products.
  Scalars slopes(const KeyBlock &keys, Pairs &pairs, Fragment products, Fragment along,
                 llvm::ArrayRef<Scalar> state) {
    PairSlopes slopes(t, pairs);
    Scalars result{state[0], state[1]};
    for (int64_t tile = 0; tile < products.columns() / 8; ++tile)
      for (int64_t column = 0; column < 2; ++column) {
        KeySide key = walk.keySide(keys, tile, column);
        for (int64_t half = 0; half < 2; ++half) {
          PairSlope slope = slopes.of(sides[half], key, products.at(tile, half, column),
                                      along.at(tile, half, column), logSums[half], shares[half]);
          products.at(tile, half, column) = slope.product;
          if (slope.gradient.value)
            result[size_t(half)] = result[size_t(half)] + slope.gradient;
        }
      }
    append(result, products);
    return result;
  }

  TileCode &t;
  KernelCode &k;
  const Plan &p;
  const ProgramBuilder &builder;
  SharedRows queries, outs;
  KeyWalk &walk;
  QuerySide sides[2];
  Scalar logSums[2], shares[2];
};

/// Sums the cotangents of thresholds over the query heads of a group, in order.
void emitTauSum(ProgramBuilder &builder, const Plan &plan, DeviceOperand parts) {
  constexpr int64_t threads = 256;
  const AttentionSpec &s = plan.spec;
  const int64_t all = s.rows() * s.length;
  const unsigned number = builder.take(parts);
  builder.take({AttentionArgument::DTau});
  builder.kernel("attention_dtau", (all + threads - 1) / threads, threads, [&](KernelCode &k) {
    TileCode t(k, elementType(k.b, s), 0);
    Scalar at = t.wide(k.block()) * threads + t.wide(k.thread());
    k.when(at < all, [&] {
      Scalar row = at / s.length, place = row * (s.group() * s.length) + at % s.length;
      Pointer from = k.pointer(number, t.compute);
      Scalar sum = k.load(from, place);
      for (int64_t head = 1; head < s.group(); ++head)
        sum = sum + k.load(from, place + head * s.length);
      k.store(sum, builder.buffer(k, AttentionArgument::DTau, t.compute), at);
    });
  });
}

} // namespace

void emitQueryGradients(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists,
                        const QueryStatistics &statistics) {
  using A = AttentionArgument;
  const AttentionSpec &s = plan.spec;
  DeviceOperand parts;
  if (s.group() > 1)
    parts = builder.program.reserve(s.batch * s.queryHeads * s.length * plan.computeBytes());
  builder.take({A::Q, A::DOut});
  WalkOperands operands(builder, plan, lists);
  const unsigned lse = builder.take(statistics.lse), shared = builder.take(statistics.shared);
  unsigned tau = 0;
  if (s.group() > 1)
    tau = builder.take(parts);
  else
    builder.take({A::DTau});
  builder.take({A::DQ});
  builder.kernel(
      "attention_dq", s.batch * s.queryHeads * plan.tiles(), plan.walk.threads(), [&](KernelCode &k) {
        TileCode t(k, elementType(k.b, s), plan.walk.block);
        KeyWalk walk(t, plan, builder, operands);
        QueryGradientKernel kernel(t, plan, builder, walk);
        kernel.lse = k.pointer(lse, t.compute);
        kernel.shared = k.pointer(shared, t.compute);
        kernel.tau = s.group() > 1 ? k.pointer(tau, t.compute) : builder.buffer(k, A::DTau, t.compute);
        kernel.emit();
      });
  if (s.group() > 1)
    emitTauSum(builder, plan, parts);
}

} // namespace heddle::gpu::attention
