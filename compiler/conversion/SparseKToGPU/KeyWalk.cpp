// While a block is computed, the rows of the next one are copied, and the numbers of the one after it are on
// their way to registers: a thread knows one key of a block.
#include "compiler/conversion/SparseKToGPU/KeyWalk.h"
#include "compiler/conversion/GPU/TensorCode.h"

namespace heddle::gpu::attention {

/// Blocks of which numbers are kept: the one computed, the next one, and a slot to fill.
constexpr int64_t ring = 4;

/// The mark of a key whose row is not finite.
constexpr int64_t oddBit = int64_t(1) << 30;

WalkOperands::WalkOperands(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists,
                           const OddRows *odd) {
  using A = AttentionArgument;
  builder.take({A::K, A::V});
  if (odd) {
    (odd->rows == A::K ? oddKeys : oddValues) = true;
    marks = builder.take(odd->marks);
  }
  tileLists = takeTileLists(builder, plan, lists);
}

KeyWalk::KeyWalk(TileCode &t, const Plan &plan, const ProgramBuilder &builder, const WalkOperands &operands)
    : t(t), k(t.k), p(plan), n(plan.spec.length), oddKeys(operands.oddKeys), oddValues(operands.oddValues) {
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
  if (oddKeys || oddValues)
    marks = k.pointer(operands.marks, k.b.getI8Type());
  number = k.shared(slots, k.i32Type());
  from = k.shared(slots, k.i32Type());
  until = k.shared(slots, k.i32Type());
  if (p.spec.topk > 0) {
    u = score(A::U);
    hi = score(A::Hi);
    lo = score(A::Lo);
    du = score(A::DU);
    ends = builder.buffer(k, A::End, k.i32Type());
    listKeys = k.pointer(operands.tileLists.keys, k.i32Type());
    listFull = k.pointer(operands.tileLists.full, k.i32Type());
    listTotal = k.pointer(operands.tileLists.total, k.i32Type());
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

Scalar KeyWalk::marked(Scalar key) {
  if (!marks.base)
    return key;
  return key | (k.extendUnsigned(k.load(marks, rowStart + t.wide(key)), k.i32Type()) << 30);
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
          values[0] = marked(key);
          values[1] = key;
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
        Scalar score = finiteScore(k, k.load(u, place));
        Scalars values{marked(key), key + p.spec.window, k.load(ends, place), score};
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
  result.number = numbers(number);
  result.from = numbers(from);
  result.until = numbers(until);
  result.score = numbers(score);
  result.scoreTangent = numbers(scoreTangent);
  return result;
}

void KeyWalk::stageBlock(Scalar block) {
  KeyBlock rows = blockOf(block);
  auto stage = [&](const SharedRows &to, Pointer from, int64_t width, bool zeroMarked) {
    if (!from.base)
      return;
    t.stageRows(to, from, width, [&](Scalar slot) {
      Scalar key = k.load(rows.number, slot), valid = key >= 0;
      if (zeroMarked)
        valid = k.both(valid, key < oddBit);
      return TileCode::SourceRow{rowStart + t.wide(k.max(key, k.i32(0)) & (oddBit - 1)), valid};
    });
  };
  stage(rows.keys, keyRows, p.spec.keyWidth, oddKeys);
  stage(rows.values, valueRows, p.spec.valueWidth, oddValues);
  stage(rows.keyTangents, keyTangentRows, p.spec.keyWidth, false);
  stage(rows.valueTangents, valueTangentRows, p.spec.valueWidth, false);
  commitCopies(k);
}

Fragment KeyWalk::addOddValues(const KeyBlock &block, Fragment output, Fragment weights) {
  if (!oddValues)
    return output;
  // The marks of 32 keys as a word, which all lanes of the warp have.
  Scalars words;
  Scalar any = k.i32(0);
  for (int64_t first = 0; first < p.walk.block; first += warpSize) {
    Scalar slot = t.lane + first, inside = slot < p.walk.block;
    Scalar key = k.load(block.number, k.select(inside, slot, k.i32(0)));
    words.push_back(k.ballot(k.both(inside, key >= oddBit)));
    any = any | words.back();
  }
  auto add = [&](Scalars state, Scalar slot) {
    // The lane of the row that has the key's weight, and which of its weights it is.
    Scalar holder = (t.lane & 28) | ((slot & 7) >> 1);
    Scalar row = (rowStart + t.wide(k.load(block.number, slot) & (oddBit - 1))) * p.spec.valueWidth;
    Scalar weight[2];
    for (int64_t half = 0; half < 2; ++half) {
      Scalar mine = weights.at(0, half, 0);
      for (int64_t tile = 0; tile < weights.columns() / 8; ++tile)
        for (int64_t column = 0; column < 2; ++column)
          mine =
              k.select(k.both(slot >> 3 == tile, (slot & 1) == column), weights.at(tile, half, column), mine);
      weight[half] = k.shuffleFrom(mine, holder);
    }
    Fragment sum(state);
    for (int64_t tile = 0; tile < sum.columns() / 8 && 8 * tile < p.spec.valueWidth; ++tile)
      for (int64_t column = 0; column < 2; ++column) {
        Scalar at = t.column(tile) + column;
        at = k.min(at, k.i32(p.spec.valueWidth - 1)); // what lies beyond is not stored
        Scalar value = t.load(valueRows, row + t.wide(at));
        for (int64_t half = 0; half < 2; ++half) {
          Scalar &x = sum.at(tile, half, column);
          x = k.select(weight[half] == 0.0, x, k.multiplyAdd(weight[half], value, x));
        }
      }
    return sum.values;
  };
  return Fragment(k.choose(
      any != 0,
      [&] {
        Scalars state = output.values;
        for (auto [word, mask] : llvm::enumerate(words)) {
          Scalars init{mask};
          init.append(state);
          state = k.repeat(
              init, [&](llvm::ArrayRef<Scalar> x) { return x[0] != 0; },
              [&, first = int64_t(word) * warpSize](llvm::ArrayRef<Scalar> x) {
                Scalars next{x[0] & (x[0] - 1)};
                next.append(add(Scalars(x.drop_front()), k.trailingZeros(x[0]) + first));
                return next;
              });
          state.erase(state.begin());
        }
        return state;
      },
      [&] { return output.values; }));
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
