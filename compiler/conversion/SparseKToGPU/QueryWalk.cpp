#include "compiler/conversion/SparseKToGPU/QueryWalk.h"
#include "compiler/conversion/GPU/TensorCode.h"

namespace heddle::gpu::attention {

constexpr int64_t ring = 4; // as for keys

QueryWalkOperands::QueryWalkOperands(ProgramBuilder &builder, const Plan &, const QueryStatistics &statistics,
                                     bool selects)
    : selects(selects) {
  using A = AttentionArgument;
  builder.take({A::Q, A::DOut});
  lse = builder.take(statistics.lse);
  shared = builder.take(statistics.shared);
  if (selects)
    builder.take({A::Hi, A::Lo});
}

QueryWalk::QueryWalk(TileCode &t, const Plan &plan, const ProgramBuilder &builder,
                     const QueryWalkOperands &operands)
    : t(t), k(t.k), p(plan), selects(operands.selects) {
  using A = AttentionArgument;
  queryRows = builder.buffer(k, A::Q, t.element);
  outRows = builder.buffer(k, A::DOut, t.element);
  lseRows = k.pointer(operands.lse, t.compute);
  sharedRows = k.pointer(operands.shared, t.compute);
  const int64_t rows = p.walk.stages * p.walk.block, slots = ring * p.walk.block;
  auto stages = [&](int64_t width) {
    SharedRows all = t.sharedRows(rows, width);
    t.zeroPadding(all, width);
    all.rows = p.walk.block;
    return all;
  };
  queries = stages(p.spec.keyWidth);
  outs = stages(p.spec.valueWidth);
  position = k.shared(slots, k.i32Type());
  lse = k.shared(slots, t.compute);
  shared = k.shared(slots, t.compute);
  if (selects) {
    hiRows = builder.buffer(k, A::Hi, t.compute);
    loRows = builder.buffer(k, A::Lo, t.compute);
    hi = k.shared(slots, t.compute);
    lo = k.shared(slots, t.compute);
  }
}

QueryWalk::Place QueryWalk::placeOf(Scalar number) {
  if (p.spec.group() == 1)
    return {row, first + number * p.walk.block};
  Scalar head = number / blocksOfHead;
  return {row * p.spec.group() + head, first + (number - head * blocksOfHead) * p.walk.block};
}

Scalars QueryWalk::loadQuery(Scalar number) {
  Place place = placeOf(number);
  Scalar query = place.first + t.thread;
  return k.choose(
      k.both(k.both(t.thread < p.walk.block, query < end), number < blocks),
      [&] {
        Scalar at = t.wide(place.head) * p.spec.length + t.wide(query);
        Scalars values{query, k.load(lseRows, at), k.load(sharedRows, at)};
        if (selects) {
          Scalar threshold = t.wide(row) * p.spec.length + t.wide(query);
          values.append({k.load(hiRows, threshold), k.load(loRows, threshold)});
        }
        return values;
      },
      [&] { // weighs nothing
        Scalars values{k.i32(-1), -t.lowest(), t.number(0)};
        if (selects)
          values.append({t.number(0), t.number(0)});
        return values;
      });
}

void QueryWalk::storeQuery(Scalar block, llvm::ArrayRef<Scalar> query) {
  k.when(t.thread < p.walk.block, [&] {
    Scalar at = (block & (ring - 1)) * p.walk.block + t.thread;
    const Pointer places[] = {position, lse, shared, hi, lo};
    for (auto [value, place] : llvm::zip(query, places))
      k.store(value, place, at);
  });
}

QueryBlock QueryWalk::blockOf(Scalar block) {
  Scalar stage = p.walk.stages == 1 ? k.i32(0) : block & 1, slot = (block & (ring - 1)) * p.walk.block;
  auto numbers = [&](Pointer all) { return all.base ? k.offset(all, slot) : all; };
  QueryBlock result;
  result.queries = t.stage(queries, stage);
  result.outs = t.stage(outs, stage);
  result.position = numbers(position);
  result.lse = numbers(lse);
  result.shared = numbers(shared);
  result.hi = numbers(hi);
  result.lo = numbers(lo);
  return result;
}

void QueryWalk::stageBlock(Scalar number) {
  QueryBlock rows = blockOf(number);
  Place place = placeOf(number);
  Scalar start = t.wide(place.head) * p.spec.length;
  auto source = [&](Scalar slot) {
    Scalar query = place.first + slot, valid = query < end;
    return TileCode::SourceRow{start + t.wide(k.select(valid, query, k.i32(0))), valid};
  };
  t.stageRows(rows.queries, queryRows, p.spec.keyWidth, source);
  t.stageRows(rows.outs, outRows, p.spec.valueWidth, source);
  commitCopies(k);
}

Scalars QueryWalk::forEachBlock(Scalar ofRow, Scalar firstQuery, Scalar endQuery, llvm::ArrayRef<Scalar> init,
                                Body body) {
  const bool ahead = p.walk.stages > 1;
  row = ofRow;
  first = firstQuery;
  end = endQuery;
  blocksOfHead = t.divide(k.max(end - first, k.i32(0)) + (p.walk.block - 1), p.walk.block);
  blocks = blocksOfHead * p.spec.group();
  blocksOfHead = k.max(blocksOfHead, k.i32(1)); // is divided by
  Scalars carried = loadQuery(k.i32(0));
  const size_t known = carried.size();
  if (ahead) {
    storeQuery(k.i32(0), carried);
    k.when(blocks > 0, [&] { stageBlock(k.i32(0)); });
    carried = loadQuery(k.i32(1));
  }
  carried.append(init.begin(), init.end());
  carried = k.loop(k.i32(0), blocks, k.i32(1), carried, [&](Scalar number, llvm::ArrayRef<Scalar> values) {
    Scalars next;
    if (ahead) {
      Scalar following = number + 1;
      storeQuery(following, values.take_front(known));
      waitForCopies(k, 0);
      k.barrier(); // the block is there, and nobody reads the one before it any more
      k.when(following < blocks, [&] { stageBlock(following); });
      next = loadQuery(number + 2);
    } else {
      storeQuery(number, values.take_front(known));
      k.barrier();
      stageBlock(number);
      next = loadQuery(number + 1);
      waitForCopies(k, 0);
      k.barrier();
    }
    QueryBlock block = blockOf(number);
    block.first = placeOf(number).first;
    Scalars state = body(block, values.drop_front(known));
    next.append(state.begin(), state.end());
    return next;
  });
  carried.erase(carried.begin(), carried.begin() + known);
  return carried;
}

QuerySide QueryWalk::querySide(const QueryBlock &block, int64_t tile, int64_t column) {
  QuerySide side{load(block.position, tile, column), {}, {}};
  if (selects) {
    side.hi = load(block.hi, tile, column);
    side.lo = load(block.lo, tile, column);
  }
  return side;
}

} // namespace heddle::gpu::attention
