#include "compiler/conversion/SparseKToGPU/VariantWalk.h"

namespace heddle::gpu::attention {

VariantPairs::VariantPairs(TileCode &t, const Plan &plan, const VariantInputs &inputs, Scalar batch,
                           Scalar head, bool masked)
    : t(t), k(t.k), p(plan), inputs(inputs), code(t, inputs.block, inputs.captures), masked(masked) {
  code.setRow(batch, head);
  llvm::SmallVector<Value, 3> roots{inputs.block.score, inputs.block.gate};
  if (masked)
    roots.push_back(inputs.block.visible);
  needed = llvm::to_vector(inputs.block.slice(roots));
}

Pair VariantPairs::pair(const QuerySide &query, const KeySide &key, Scalar product) {
  const VariantBlock &block = inputs.block;
  // Rows of a tile beyond the end repeat the last one.
  Scalar i = k.min(query.position, k.i32(p.spec.length - 1)), j = k.min(key.from, k.i32(p.keyLength - 1));
  code.setPair(i, j);
  code.setArgument(block.s, product);
  Pair pair;
  pair.score = code.get(block.score) * t.logOfE();
  if (hasGate())
    pair.gate = code.get(block.gate);
  Scalar seen = k.both(query.position < p.spec.length, key.from < p.keyLength);
  if (masked)
    seen = pair.seen = k.both(seen, code.get(block.visible));
  code.report(needed, seen, inputs.reports);
  return pair;
}

PairAdjoint VariantPairs::adjoint(const Pair &, Scalar, Scalar dscore, Scalar dgate) {
  code.setArgument(inputs.block.dscore, dscore);
  code.setArgument(inputs.block.dgate, dgate);
  return {code.get(inputs.block.ds), {}};
}

Interval boundedInterval(KernelCode &k, VariantCode &code, const VariantBlock &block, bool onKeys,
                         int64_t extent) {
  Scalar zero = k.i64(0), all = k.i64(extent), from = zero, until = all;
  for (const Bound &bound : block.bounds()) {
    if (bound.isOnKeys() != onKeys)
      continue;
    if (bound.condition) {
      until = k.select(code.get(bound.condition), until, zero);
      continue;
    }
    Scalar limit = code.limit(bound.limit);
    if (bound.kind == Bound::KeyFrom || bound.kind == Bound::QueryFrom)
      from = k.max(from, limit);
    else
      until = k.min(until, limit);
  }
  Scalar empty = from >= until;
  return {k.cast(k.select(empty, all, from), k.i32Type()), k.cast(k.select(empty, zero, until), k.i32Type())};
}

TileBounds reduceBounds(KernelCode &k, const Interval &interval) {
  auto least = [&](Scalar x, Scalar y) { return k.min(x, y); };
  auto most = [&](Scalar x, Scalar y) { return k.max(x, y); };
  return {k.blockReduce(interval.from, least), k.blockReduce(interval.from, most),
          k.blockReduce(interval.until, least), k.blockReduce(interval.until, most)};
}

void VariantWalk::start(Scalar head, Scalar, Scalar firstQuery, Scalar count) {
  batch = head / p.spec.queryHeads;
  headOfBatch = head % p.spec.queryHeads;
  // Threads beyond the tile's queries repeat the last one.
  VariantCode code(t, inputs.block, inputs.captures);
  code.setRow(batch, headOfBatch);
  code.setPair(firstQuery + k.min(t.thread, count - 1), {});
  bounds = reduceBounds(k, boundedInterval(k, code, inputs.block, /*onKeys=*/true, p.keyLength));
  startRange(t.divide(head, p.spec.group()), firstQuery, count, bounds.leastFrom, bounds.mostUntil);
}

/// Whether two bounds say the same, one of the keys of a query, the other of the queries of a key:
/// j < i + a + x is i >= j - a - x + 1.
static bool isTwin(const Bound &x, const Bound &y) {
  const bool opposite = (x.kind == Bound::KeyUntil && y.kind == Bound::QueryFrom) ||
                        (x.kind == Bound::KeyFrom && y.kind == Bound::QueryUntil);
  if (!opposite || x.limit.i != 1 || y.limit.j != 1 || x.limit.constant + y.limit.constant != 1 ||
      x.limit.others.size() != y.limit.others.size())
    return false;
  return llvm::all_of(x.limit.others, [&](auto term) {
    return llvm::any_of(y.limit.others, [&](auto other) {
      return other.first == term.first && other.second == -term.second;
    });
  });
}

bool boundsSettle(const VariantBlock &block, bool onKeys) {
  return block.isBounded() && llvm::all_of(block.bounds(), [&](const Bound &bound) {
           if (bound.isOnKeys() == onKeys)
             return true;
           return llvm::any_of(block.bounds(), [&](const Bound &other) {
             return onKeys ? isTwin(other, bound) : isTwin(bound, other);
           });
         });
}

Scalar VariantWalk::maskedBlock(Scalar number) {
  if (!boundsSettle(inputs.block, /*onKeys=*/true))
    return k.truth(true);
  Scalar from = windowBegin + number * p.walk.block, until = from + p.walk.block;
  return (until > p.keyLength) | (from < bounds.mostFrom) | (until > bounds.leastUntil);
}

std::unique_ptr<VariantPairs> VariantWalk::makePairs(bool masked) {
  return std::make_unique<VariantPairs>(t, p, inputs, batch, headOfBatch, masked);
}

Scalars VariantWalk::withPairs(const KeyBlock &block, bool, PairsUse body) {
  auto emit = [&](bool masked) {
    auto pairs = makePairs(masked);
    return body(*pairs);
  };
  return k.choose(block.masked, [&] { return emit(true); }, [&] { return emit(false); });
}

} // namespace heddle::gpu::attention
