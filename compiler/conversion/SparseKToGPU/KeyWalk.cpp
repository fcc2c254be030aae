// While a block is computed, the rows of the next one are copied, and the numbers of the one after it are on
// their way to registers: a thread knows one key of a block.
#include "compiler/conversion/SparseKToGPU/KeyWalk.h"
#include "compiler/conversion/GPU/TensorCode.h"

#include <cfloat>

namespace heddle::gpu::attention {

/// Blocks of which numbers are kept: the one computed, the next one, and a slot to fill.
constexpr int64_t ring = 4;

WalkOperands::WalkOperands(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists) {
  using A = AttentionArgument;
  builder.take({A::K, A::V});
  if (plan.spec.packed)
    builder.take({A::Bounds});
  if (plan.spec.topk > 0) {
    builder.take({A::U, A::Hi, A::Lo, A::End});
    keys = builder.take(lists.keys);
    full = builder.take(lists.full);
    total = builder.take(lists.total);
  }
}

KeyWalk::KeyWalk(TileCode &t, const Plan &plan, const ProgramBuilder &builder, const WalkOperands &operands)
    : t(t), k(t.k), p(plan), n(plan.spec.length) {
  using A = AttentionArgument;
  auto input = [&](A argument) { return builder.buffer(k, argument, t.element); };
  auto score = [&](A argument) { return builder.buffer(k, argument, t.compute); };
  keyRows = input(A::K);
  valueRows = input(A::V);
  keyTangentRows = input(A::DK);
  valueTangentRows = input(A::DV);
  bounds = builder.buffer(k, A::Bounds, k.i32Type());
  const int64_t rows = p.walk.stages * p.walk.block;
  auto stages = [&](int64_t width) {
    SharedRows all = t.sharedRows(rows, width);
    t.zeroPadding(all, width);
    all.rows = p.walk.block;
    return all;
  };
  keys = stages(p.spec.keyWidth);
  values = stages(p.spec.valueWidth);
  if (keyTangentRows.base)
    keyTangents = stages(p.spec.keyWidth);
  if (valueTangentRows.base)
    valueTangents = stages(p.spec.valueWidth);
  const int64_t slots = ring * p.walk.block;
  number = k.shared(slots, k.i32Type());
  from = k.shared(slots, k.i32Type());
  until = k.shared(slots, k.i32Type());
  if (p.spec.topk > 0) {
    u = score(A::U);
    hi = score(A::Hi);
    lo = score(A::Lo);
    du = score(A::DU);
    ends = builder.buffer(k, A::End, k.i32Type());
    listKeys = k.pointer(operands.keys, k.i32Type());
    listFull = k.pointer(operands.full, k.i32Type());
    listTotal = k.pointer(operands.total, k.i32Type());
    this->score = k.shared(slots, t.compute);
    if (du.base)
      scoreTangent = k.shared(slots, t.compute);
  }
}

void KeyWalk::startTile(Scalar row, Scalar firstQuery, Scalar count) {
  first = firstQuery;
  rowStart = t.wide(row) * p.keyLength;
  lastQuery = first + count - 1;
  warpFirst = first + t.warp * warpRows;
  blocks = selectedBlocks = selectedKeys = k.i32(0);
}

void KeyWalk::startRange(Scalar row, Scalar firstQuery, Scalar count, Scalar begin, Scalar end) {
  startTile(row, firstQuery, count);
  windowBegin = begin;
  windowEnd = end;
  blocks = t.divide(k.max(end - begin, k.i32(0)) + (p.walk.block - 1), p.walk.block);
}

void KeyWalk::start(Scalar head, Scalar tile, Scalar firstQuery, Scalar count) {
  const int64_t block = p.walk.block;
  Scalar row = t.divide(head, p.spec.group());
  startTile(row, firstQuery, count);
  auto bound = [&](Scalar query, int64_t which) {
    return k.load(bounds, k.min(query, lastQuery) + which * n);
  };
  if (p.spec.packed) {
    sequenceBegin = bound(warpFirst, 0);
    sequenceEnd = bound(warpFirst, 1);
  }
  if (p.spec.topk > 0) {
    Scalar lists = row * p.tiles() + tile;
    list = t.wide(lists) * p.listStride;
    selectedKeys = k.load(listTotal, lists);
    wholeKeys = k.load(listFull, lists);
    blocks = selectedBlocks = t.divide(selectedKeys + (block - 1), block);
  }
  if (p.spec.window > 0) {
    Scalar begin = p.spec.packed ? bound(first, 0) : k.i32(0);
    windowBegin = k.max(begin, first - (p.spec.window - 1));
    windowEnd = lastQuery + 1;
    blocks = blocks + t.divide(windowEnd - windowBegin + (block - 1), block);
  }
}

Scalars KeyWalk::loadKey(Scalar number) {
  const bool selects = p.spec.topk > 0, scoresMove = du.base != nullptr;
  auto none = [&] {
    Scalars key{k.i32(-1), k.i32(INT32_MAX), k.i32(0)};
    if (selects)
      key.push_back(t.number(0));
    if (scoresMove)
      key.push_back(t.number(0));
    return key;
  };
  auto window = [&] {
    if (p.spec.window == 0)
      return none();
    Scalar key = windowBegin + (number - selectedBlocks) * p.walk.block + t.thread;
    return k.choose(
        k.both(k.both(t.thread < p.walk.block, key < windowEnd), number >= selectedBlocks),
        [&] {
          Scalar end = key + p.spec.window;
          if (p.spec.packed)
            end = k.min(end, k.load(bounds, key + n));
          Scalars values = none();
          values[0] = values[1] = key;
          values[2] = end;
          return values;
        },
        none);
  };
  if (!selects)
    return window();
  Scalar at = number * p.walk.block + t.thread;
  return k.choose(
      k.both(t.thread < p.walk.block, at < selectedKeys),
      [&] {
        Scalar key = k.load(listKeys, list + t.wide(at)), place = rowStart + t.wide(key);
        // Infinities act as the largest f32, as in the selection.
        Scalar score = k.min(k.max(k.load(u, place), t.number(-double(FLT_MAX))), t.number(FLT_MAX));
        Scalars values{key, key + p.spec.window, k.load(ends, place), score};
        if (scoresMove)
          values.push_back(k.load(du, place));
        return values;
      },
      window);
}

void KeyWalk::storeKey(Scalar block, llvm::ArrayRef<Scalar> key) {
  k.when(t.thread < p.walk.block, [&] {
    Scalar at = (block & (ring - 1)) * p.walk.block + t.thread;
    const Pointer places[] = {number, from, until, score, scoreTangent};
    for (auto [value, place] : llvm::zip(key, places))
      k.store(value, place, at);
  });
}

KeyBlock KeyWalk::blockOf(Scalar block) {
  Scalar stage = p.walk.stages == 1 ? k.i32(0) : block & 1, slot = (block & (ring - 1)) * p.walk.block;
  auto rows = [&](const SharedRows &all) { return all.base.base ? t.stage(all, stage) : all; };
  auto numbers = [&](Pointer all) { return all.base ? k.offset(all, slot) : all; };
  KeyBlock result;
  result.keys = rows(keys);
  result.values = rows(values);
  result.keyTangents = rows(keyTangents);
  result.valueTangents = rows(valueTangents);
  result.from = numbers(from);
  result.until = numbers(until);
  result.score = numbers(score);
  result.scoreTangent = numbers(scoreTangent);
  return result;
}

void KeyWalk::stageBlock(Scalar block) {
  KeyBlock rows = blockOf(block);
  Pointer numbers = k.offset(number, (block & (ring - 1)) * p.walk.block);
  auto source = [&](Scalar slot) {
    Scalar key = k.load(numbers, slot), valid = key >= 0;
    return TileCode::SourceRow{rowStart + t.wide(k.max(key, k.i32(0))), valid};
  };
  t.stageRows(rows.keys, keyRows, p.spec.keyWidth, source);
  t.stageRows(rows.values, valueRows, p.spec.valueWidth, source);
  if (keyTangentRows.base)
    t.stageRows(rows.keyTangents, keyTangentRows, p.spec.keyWidth, source);
  if (valueTangentRows.base)
    t.stageRows(rows.valueTangents, valueTangentRows, p.spec.valueWidth, source);
  commitCopies(k);
}

Scalar KeyWalk::maskedBlock(Scalar number) {
  const int64_t block = p.walk.block;
  Scalar result = k.truth(false);
  if (p.spec.topk > 0)
    result = (number + 1) * block > wholeKeys;
  if (p.spec.window > 0) {
    // Nothing is masked if this warp's first query sees the block's last key, and its last query the first
    // one.
    Scalar start = windowBegin + (number - selectedBlocks) * block, last = warpFirst + (warpRows - 1);
    Scalar masked = (start + (block - 1) > warpFirst) | (start + p.spec.window <= last);
    if (p.spec.packed) // or where a sequence begins or ends among them
      masked = masked | (start < sequenceBegin) | (sequenceEnd <= last);
    result = p.spec.topk > 0 ? k.select(number < selectedBlocks, result, masked) : masked;
  }
  return result;
}

Scalars KeyWalk::forEachBlock(llvm::ArrayRef<Scalar> init, Body body) {
  const bool ahead = p.walk.stages > 1;
  Scalars carried = loadKey(k.i32(0));
  const size_t knownOfKey = carried.size();
  if (ahead) {
    storeKey(k.i32(0), carried);
    k.barrier();
    stageBlock(k.i32(0));
    carried = loadKey(k.i32(1));
  }
  carried.append(init.begin(), init.end());
  carried = k.loop(k.i32(0), blocks, k.i32(1), carried, [&](Scalar number, llvm::ArrayRef<Scalar> values) {
    Scalars next;
    if (ahead) {
      Scalar following = number + 1;
      storeKey(following, values.take_front(knownOfKey));
      waitForCopies(k, 0);
      k.barrier(); // the block is there, and nobody reads the one before it any more
      k.when(following < blocks, [&] { stageBlock(following); });
      next = loadKey(number + 2);
    } else {
      storeKey(number, values.take_front(knownOfKey));
      k.barrier();
      stageBlock(number);
      next = loadKey(number + 1);
      waitForCopies(k, 0);
      k.barrier();
    }
    KeyBlock block = blockOf(number);
    block.selected = number < selectedBlocks;
    block.masked = maskedBlock(number);
    Scalars state = body(block, values.drop_front(knownOfKey));
    next.append(state.begin(), state.end());
    return next;
  });
  carried.erase(carried.begin(), carried.begin() + knownOfKey);
  return carried;
}

Scalars KeyWalk::withGatePairs(const KeyBlock &block, bool derivative,
                               llvm::function_ref<Scalars(GatePairs &, bool)> body) {
  auto masks = [&](bool selected) {
    auto emit = [&](bool masked) {
      GatePairs pairs(t, p, selected, masked, derivative);
      return body(pairs, masked);
    };
    return k.choose(block.masked, [&] { return emit(true); }, [&] { return emit(false); });
  };
  if (p.spec.topk == 0 || p.spec.window == 0)
    return masks(p.spec.topk > 0);
  return k.choose(block.selected, [&] { return masks(true); }, [&] { return masks(false); });
}

Scalars KeyWalk::withPairs(const KeyBlock &block, bool derivative, PairsUse body) {
  return withGatePairs(block, derivative, [&](GatePairs &pairs, bool) { return body(pairs); });
}

QuerySide KeyWalk::querySide(int64_t half) {
  QuerySide side;
  side.position = first + t.row(half);
  if (p.spec.topk > 0) {
    Scalar at = rowStart + t.wide(k.min(side.position, lastQuery));
    side.hi = k.load(hi, at);
    side.lo = k.load(lo, at);
  }
  return side;
}

KeySide KeyWalk::keySide(const KeyBlock &block, int64_t tile, int64_t column) {
  KeySide side{keyNumber(block.from, tile, column), keyNumber(block.until, tile, column), {}};
  if (block.score.base)
    side.score = keyNumber(block.score, tile, column);
  return side;
}

} // namespace heddle::gpu::attention
