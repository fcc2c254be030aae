// The warpgroups that multiply: each has 64 keys of a task, a warp 16, and sums dk and dv of them in
// registers. For every block of queries: S = K Qᵀ and dP = V dOᵀ, the slopes of pairs on the values in
// registers, then dV += P dO and dK += dS Q with P and dS from registers. A turn on the tensor cores is the
// sums of a block and the products of the next one; the other warpgroup has slopes to compute meanwhile.
#include "compiler/conversion/SparseKToGPU/WarpgroupKeys.h"

#include <numbers>

namespace heddle::gpu::attention {
namespace {

class KeyConsumer {
public:
  KeyConsumer(KeyWarpgroupCode &code, Scalar warpgroup)
      : c(code), k(code.k), p(code.p), block(code.w.block), warpgroup(warpgroup) {}

  void emit() {
    setRegisters(k, c.w.productRegisters, /*more=*/true);
    k.when(warpgroup == 1, [&] { passTurn(); });
    k.repeat(
        {awaitTask(k.i32(0)), k.i32(0)}, [&](llvm::ArrayRef<Scalar> values) { return values[0] >= 0; },
        [&](llvm::ArrayRef<Scalar> values) {
          Scalar state = c.nextTask(compute(values[1]));
          return Scalars{awaitTask(state), state};
        });
    k.when(warpgroup == 0, [&] { awaitTurn(); }); // the last one that was passed
  }

private:
  static constexpr int64_t tile = KeyWarpgroupPlan::tile;
  static constexpr int64_t firstTurn = 2; ///< of the named barriers

  void awaitQueries(Scalar state) { waitForPhase(k, c.fullQueries(c.stageOf(state)), (state >> 3) & 1); }

  Scalar awaitTask(Scalar state) {
    waitForPhase(k, c.fullKeys(), c.keysParityOf(state));
    showToProducts(k);
    return word(KeyWarpgroupCode::Task, state);
  }
  // Turns of a task and query head: one before each block of queries and one after the last, whether the
  // warpgroup has work in it or not. Neither may lead by more, or its stages of the ring could wait for those
  // of the other one.
  void awaitTurn() { joinBarrier(k, warpgroup + firstTurn, 2 * warpgroupThreads); }
  void passTurn() { arriveAtBarrier(k, (firstTurn + 1) - warpgroup, 2 * warpgroupThreads); }
  void release(Scalar barrier) {
    k.when((computeHere(k, c.thread) & (warpSize - 1)) == 0, [&] { arrive(k, barrier); });
  }
  /// What this lane has of a fragment: two rows, and the first of two columns of each 8. Computed where it is
  /// asked for, since registers are few.
  struct Place {
    Scalar rows[2], firstColumn;
  };
  Place placeHere() {
    Scalar thread = computeHere(k, c.thread), lane = thread & (warpSize - 1);
    Scalar row = ((thread >> 5) - warpgroupThreads / warpSize) * 16 + (lane >> 2);
    return {{row, row + 8}, (lane & 3) * 2};
  }
  Scalar word(KeyWarpgroupCode::TaskWord which, Scalar ring) {
    return k.load(c.words(), c.taskWord(which, c.keysParityOf(computeHere(k, ring))));
  }
  Pointer keyNumbers(KeyWarpgroupCode::KeyNumber which, Scalar ring) {
    return c.keyNumbers(which, c.keysParityOf(computeHere(k, ring)));
  }
  /// Of a task and warp: blocks of queries that see keys of the warpgroup, and those that see all of
  /// the warp.
  enum WarpWord { Begin, End, WholeBegin, WholeEnd };
  Scalar warpWord(WarpWord which) {
    Scalar warp = (computeHere(k, c.thread) >> 5) - warpgroupThreads / warpSize;
    return warp * 4 + (int64_t(KeyWarpgroupCode::OfWarps) + which);
  }
  Scalar loadOfWarp(WarpWord which) { return k.load(c.words(), warpWord(which)); }
  size_t keySums() const { return size_t(p.spec.keyWidth / 2); }
  size_t valueSums() const { return size_t(p.spec.valueWidth / 2); }

  /// Of the task and this warp, into its words.
  void prepareTask(Scalar ring) {
    Scalar first = word(KeyWarpgroupCode::First, ring);
    Scalar limit = first + word(KeyWarpgroupCode::Blocks, ring) * block;
    auto inTask = [&](Scalar query) { return k.min(k.max(query, first), limit) - first; };
    Scalar from, until;
    for (int64_t i = 0; i < 2; ++i) {
      Scalar key = warpgroup * 64 + c.lane + 32 * i;
      Scalar begin = k.load(keyNumbers(KeyWarpgroupCode::From, ring), key);
      Scalar end = k.load(keyNumbers(KeyWarpgroupCode::Until, ring), key);
      from = i ? k.min(from, begin) : begin;
      until = i ? k.max(until, end) : end;
    }
    from = k.warpReduce(from, [&](Scalar x, Scalar y) { return k.min(x, y); });
    until = k.warpReduce(until, [&](Scalar x, Scalar y) { return k.max(x, y); });
    Scalar begin = inTask(from) / block;
    Scalar end = k.max((inTask(until) + (block - 1)) / block, begin);
    Place here = placeHere();
    for (int64_t half = 0; half < 2; ++half) {
      Scalar begins = k.load(keyNumbers(KeyWarpgroupCode::From, ring), here.rows[half]);
      Scalar ends = k.load(keyNumbers(KeyWarpgroupCode::Until, ring), here.rows[half]);
      from = half ? k.max(from, begins) : begins;
      until = half ? k.min(until, ends) : ends;
    }
    from = k.warpReduce(from, [&](Scalar x, Scalar y) { return k.max(x, y); });
    until = k.warpReduce(until, [&](Scalar x, Scalar y) { return k.min(x, y); });
    Scalar ofWarp[] = {begin, end, (inTask(from) + (block - 1)) / block, inTask(until) / block};
    k.when(c.lane == 0, [&] {
      for (int64_t i = 0; i < 4; ++i)
        k.store(ofWarp[i], c.words(), warpWord(WarpWord(i)));
    });
    k.warpBarrier();
  }

  /// What is carried from block to block: dk, dv, where the ring is.
  Scalar compute(Scalar ring) {
    prepareTask(ring);
    auto skip = [&](Scalar from, Scalar until, Scalar ring) {
      return k.loop(from, until, k.i32(1), {ring}, [&](Scalar, llvm::ArrayRef<Scalar> ring) {
        awaitQueries(ring[0]);
        k.warpBarrier(); // all lanes have seen the phase, before the next one may end
        release(c.emptyQueries(c.stageOf(ring[0])));
        awaitTurn();
        passTurn();
        return Scalars{c.following(ring[0])};
      })[0];
    };
    if (c.gated())
      setGateSums(k.f32(0), k.f32(0));
    Scalars state(keySums() + valueSums(), k.f32(0));
    state.push_back(ring);
    auto ofHead = [&](Scalar head, llvm::ArrayRef<Scalar> carried) {
      Scalars state(carried);
      Scalar begin = loadOfWarp(Begin);
      state.back() = skip(k.i32(0), begin, state.back());
      state = accumulate(begin, loadOfWarp(End), head == p.spec.group() - 1, state);
      state.back() = skip(loadOfWarp(End), word(KeyWarpgroupCode::Blocks, state.back()), state.back());
      return state;
    };
    if (p.spec.group() == 1)
      state = ofHead(k.i32(0), state);
    else
      state = k.loop(k.i32(0), k.i32(p.spec.group()), k.i32(1), state, ofHead);
    KeyTask task = c.taskAt(word(KeyWarpgroupCode::Task, state.back()));
    PartialSum parts[2];
    if (c.addsPartialSums()) {
      Place here = placeHere();
      for (int64_t half = 0; half < 2; ++half)
        parts[half] = partialSumOf(here.rows[half], state.back());
    }
    k.when(loadOfWarp(Begin) >= loadOfWarp(End), [&] { release(c.emptyKeys()); });
    k.warpBarrier(); // all lanes have read what is of the task
    release(c.endedTask(c.keysParityOf(state.back())));

    Scalar after = state.pop_back_val();
    Scalar gates[2] = {k.f32(0), k.f32(0)};
    if (c.gated()) {
      mlir::Value sums = gateSums();
      for (int64_t half = 0; half < 2; ++half)
        gates[half] = k.warpReduce(k.element(sums, half), [](Scalar x, Scalar y) { return x + y; }, 4);
    }
    c.selected ? storePartialSums(task, state, gates) : storeGradients(task, std::move(state), parts);
    return after;
  }

  // The sums of gates are in shared memory, and stored before the sums of products begin: nothing waits for
  // them, so the assembler would keep what they are computed from until registers run out.
  mlir::Value gateSums() { return k.loadVector(c.gateSums(), computeHere(k, c.thread) * 2, 2); }
  void setGateSums(Scalar first, Scalar second) {
    k.storeVector(k.vectorOf({first, second}), c.gateSums(), computeHere(k, c.thread) * 2);
    k.warpBarrier();
  }

  /// The rows of keys or values that the warpgroup has.
  Scalar ownRows(int64_t start) {
    return describeMatrix(k, computeHere(k, warpgroup) * (64 * panelRowBytes) + c.address(start));
  }
  Sums multiplyQueries(Scalar ring) {
    return multiplyRows(k, c.element, ownRows(0), tile, describeMatrix(k, queriesAt(c.stageOf(ring))), block,
                        p.spec.keyWidth);
  }
  Sums multiplyCotangents(Scalar ring) {
    return multiplyRows(k, c.element, ownRows(c.valuesStart), tile,
                        describeMatrix(k, outsAt(c.stageOf(ring))), block, p.spec.valueWidth);
  }

  /// The blocks [begin, end). `isLast`: no other head follows that multiplies the same keys.
  Scalars accumulate(Scalar begin, Scalar end, Scalar isLast, llvm::ArrayRef<Scalar> carried) {
    const size_t sums = keySums() + valueSums(), pairs = size_t(block);
    Scalars state(carried);
    Scalar ring = state.pop_back_val();
    Scalars products = k.choose(
        begin < end,
        [&] {
          awaitQueries(ring);
          showToProducts(k);
          awaitTurn();
          Scalars products = multiplyQueries(ring);
          products.append(multiplyCotangents(ring));
          passTurn();
          return Scalars(waitForProducts(k, 0, products));
        },
        [&] {
          awaitTurn();
          passTurn();
          return Scalars(pairs, k.f32(0));
        });
    state.append(products);
    state.push_back(ring);
    state = k.loop(begin, end, k.i32(1), state, [&](Scalar number, llvm::ArrayRef<Scalar> carried) {
      return accumulateBlock(number, isLast, carried.take_front(sums), carried.slice(sums, pairs),
                             carried.back());
    });
    ring = state.back();
    state.truncate(sums);
    state.push_back(ring);
    return state;
  }

  /// Adds a block to the sums, and multiplies for the next one if there is one.
  Scalars accumulateBlock(Scalar number, Scalar isLast, llvm::ArrayRef<Scalar> sums,
                          llvm::ArrayRef<Scalar> products, Scalar ring) {
    Scalar masked = (number < loadOfWarp(WholeBegin)) | (number >= loadOfWarp(WholeEnd));
    const size_t half = size_t(block / 2), count = size_t(block / 4);
    auto slopesOf = [&](const Scalars &seen) {
      return slopes(seen, ring, products.take_front(half), products.take_back(half));
    };
    // Blocks that are seen whole save more than a second copy of the code costs.
    Scalars words =
        k.choose(masked, [&] { return slopesOf(seenPairs(number, ring)); }, [&] { return slopesOf({}); });
    llvm::ArrayRef<Scalar> packed = words;
    Scalar next = c.following(ring), more = number + 1 < loadOfWarp(End);
    // After the last products with the keys those of the next task may come.
    k.when(more, [&] { awaitQueries(next); }, [&] { k.when(isLast, [&] { release(c.emptyKeys()); }); });
    showToProducts(k);
    awaitTurn();
    Sums dk(sums.take_front(keySums())), dv(sums.take_back(valueSums()));
    auto add = [&] {
      Scalar stage = c.stageOf(computeHere(k, ring));
      auto added = [&](Sums sums, llvm::ArrayRef<Scalar> weights, Scalar rows, int64_t width) {
        Scalar matrix = describeMatrix(k, rows, /*across=*/true, block * panelRowBytes);
        return addWeighted(k, c.element, std::move(sums), weights, matrix, block, width);
      };
      beginProducts(k);
      dv = added(dv, packed.take_front(count), outsAt(stage), p.spec.valueWidth);
      dk = added(dk, packed.drop_front(count), queriesAt(stage), p.spec.keyWidth);
    };
    auto all = [&](llvm::ArrayRef<Scalar> products) {
      Scalars result(dk);
      result.append(dv);
      result.append(products.begin(), products.end());
      return result;
    };
    const Sums before[] = {dk, dv};
    Scalars result = k.choose(
        more,
        [&] {
          add();
          Scalars products = multiplyQueries(next);
          dv = waitForProducts(k, 1, dv);
          dk = waitForProducts(k, 1, dk);
          products.append(multiplyCotangents(next));
          passTurn();
          return all(waitForProducts(k, 0, products));
        },
        [&] {
          dk = before[0], dv = before[1];
          add();
          passTurn();
          dv = waitForProducts(k, 1, dv);
          dk = waitForProducts(k, 0, dk);
          return all(Scalars(size_t(block), k.f32(0)));
        });
    release(c.emptyQueries(c.stageOf(computeHere(k, ring))));
    result.push_back(next);
    return result;
  }
  Scalar queriesAt(Scalar stage) { return stage * c.w.queryBytes() + c.address(c.queriesStart); }
  Scalar outsAt(Scalar stage) { return stage * c.w.outBytes() + c.address(c.outsStart); }

  /// The lane's pairs of a block whose query is in the run of the key, a bit each; a word for 64 queries.
  static constexpr int64_t queriesOfWord = 64;
  size_t wordsOfPairs() const { return size_t((block + queriesOfWord - 1) / queriesOfWord); }
  static int64_t bitOf(int64_t tile, int64_t half, int64_t column) { // a tile of 8 queries
    return 8 * (tile % 4) + 2 * (2 * half + tile / 4 % 2) + column;
  }
  Scalars seenPairs(Scalar number, Scalar ring) {
    Place here = placeHere();
    Scalar blockStart = word(KeyWarpgroupCode::First, ring) + number * block;
    Scalars bits(wordsOfPairs(), k.i32(0));
    for (int64_t half = 0; half < 2; ++half) {
      Scalar from = k.load(keyNumbers(KeyWarpgroupCode::From, ring), here.rows[half]);
      Scalar until = k.load(keyNumbers(KeyWarpgroupCode::Until, ring), here.rows[half]);
      for (int64_t start = 0; start < block; start += 32) {
        Scalar first = blockStart + start;
        auto before = [&](Scalar query) {
          Scalar count = k.min(k.max(query, first) - first, k.i32(32));
          return k.select(count == 0, k.i32(0), k.i32(-1) >> (32 - count));
        };
        Scalar seen = before(until) & (before(from) ^ -1);
        Scalar &word = bits[size_t(start / queriesOfWord)];
        word = word | ((seen >> here.firstColumn & 0x03030303) << (2 * (2 * half + start / 32 % 2)));
      }
    }
    return bits;
  }

  /// Of a block: weights of dO, then cotangents of products, packed. All pairs are seen where `seen` is
  /// empty.
  Scalars slopes(llvm::ArrayRef<Scalar> seen, Scalar ring, llvm::ArrayRef<Scalar> products,
                 llvm::ArrayRef<Scalar> along) {
    const double scale = p.spec.scale, factor = scale * std::numbers::log2e;
    const bool gateKeys = c.selected && p.gateKeys(), gateValues = c.selected && p.gateValues();
    Scalar stage = c.stageOf(computeHere(k, ring));
    Scalars weights, slopes;
    Scalar gates[2] = {k.f32(0), k.f32(0)};
    Place here = placeHere();
    Scalar firstColumn = here.firstColumn, scores[2], above[2]; // the latter without a center
    if (c.gated())
      for (int64_t half = 0; half < 2; ++half)
        scores[half] = k.load(keyNumbers(KeyWarpgroupCode::Score, ring), here.rows[half]);
    for (int64_t tile = 0; tile < block / 8; ++tile) {
      auto numbers = [&](KeyWarpgroupCode::QueryNumber which) {
        Pointer from = atShared(k, c.queryNumbers(stage, which), k.f32Type());
        return k.loadVector(from, firstColumn + 8 * tile, 2);
      };
      mlir::Value lse = numbers(KeyWarpgroupCode::Lse), shared = numbers(KeyWarpgroupCode::Shared), below;
      if (c.gated()) {
        below = numbers(KeyWarpgroupCode::Below);
        if (8 * tile % KeyWarpgroupPlan::centered == 0) {
          Pointer centers = atShared(k, c.queryNumbers(stage, KeyWarpgroupCode::Center), k.f32Type());
          Scalar center = k.load(centers, k.i32(8 * tile / KeyWarpgroupPlan::centered));
          for (int64_t half = 0; half < 2; ++half)
            above[half] = scores[half] - center;
        }
      }
      for (int64_t half = 0; half < 2; ++half) {
        Scalar weight[2], slope[2];
        for (int64_t column = 0; column < 2; ++column) {
          const size_t i = size_t(4 * tile + 2 * half + column);
          Scalar gate, product = products[i], out = along[i];
          if (c.gated())
            gate = k.addClipped(above[half], k.element(below, column));
          Scalar x = gateKeys ? product * gate : product;
          Scalar power = k.exp2Approximate(k.multiplyAdd(x, k.f32(factor), -k.element(lse, column)));
          Scalar isSeen;
          if (!seen.empty()) {
            const int64_t bit = int64_t(1) << bitOf(tile, half, column);
            isSeen = (seen[size_t(8 * tile / queriesOfWord)] & bit) != 0;
            power = k.select(isSeen, power, k.f32(0));
          }
          Scalar moved = (gateValues ? gate * out : out) - k.element(shared, column);
          if (isSeen.value) // D of a query that does not see the key may not be finite
            moved = k.select(isSeen, moved, k.f32(0));
          if (c.gated()) {
            Scalar ofGate = p.routesKeys() ? k.multiplyAdd(moved * product, k.f32(scale), out) : out;
            Scalar moving = isSeen.value ? k.select(isSeen, gate, k.f32(0)) : gate;
            gates[half] = multiplyAddWithin(k, power, ofGate, gates[half], moving);
          }
          Scalar gated = gateKeys || gateValues ? power * gate : power;
          weight[column] = gateValues ? gated : power;
          slope[column] = (gateKeys ? gated : power) * moved;
        }
        weights.push_back(packInPlace(k, weight[0], weight[1], c.element));
        slopes.push_back(packInPlace(k, slope[0], slope[1], c.element));
      }
    }
    if (c.gated()) {
      mlir::Value sums = gateSums();
      setGateSums(k.element(sums, 0) + gates[0], k.element(sums, 1) + gates[1]);
    }
    weights.append(slopes);
    return weights;
  }

  // ---- Results ----

  int64_t partWidth() const { return p.keyPad + p.valuePad; }

  /// Calls `use` for the sums of one of the lane's rows that lie side by side in a row of partial sums, and
  /// their place there: the lane's two columns of a tile of 8, and of the tile after it. So lanes move 16
  /// bytes.
  void eachPiece(Pointer row, int64_t half, Scalar firstColumn,
                 llvm::function_ref<void(llvm::ArrayRef<size_t> sums, Pointer place)> use) {
    Pointer ofLane[] = {k.offset(row, c.wide(firstColumn)), k.offset(row, c.wide(firstColumn * 2))};
    auto columns = [&](size_t start, int64_t width, int64_t place) {
      const int64_t tiles = width / 8;
      for (int64_t tile = 0; tile < tiles; tile += 2) {
        llvm::SmallVector<size_t, 4> sums;
        for (int64_t i = tile; i < std::min(tile + 2, tiles); ++i)
          for (int64_t column = 0; column < 2; ++column)
            sums.push_back(start + size_t(4 * i + 2 * half + column));
        use(sums, k.offset(ofLane[sums.size() / 4], k.i64(place + 8 * tile)));
      }
    };
    columns(0, p.spec.keyWidth, 0);
    columns(keySums(), p.spec.valueWidth, p.keyPad);
  }

  void storePartialSums(const KeyTask &task, llvm::ArrayRef<Scalar> state, llvm::ArrayRef<Scalar> gates) {
    Scalar total = k.load(c.slotTotal, task.list);
    Scalar part = c.wide(task.list - c.firstRow * p.chunks()) * p.slotStride;
    Place here = placeHere();
    for (int64_t half = 0; half < 2; ++half) {
      Scalar slot = task.first + here.rows[half], at = part + c.wide(slot);
      k.when(slot < total, [&] {
        Pointer row = k.offset(c.partRows, at * partWidth());
        eachPiece(row, half, here.firstColumn, [&](llvm::ArrayRef<size_t> sums, Pointer place) {
          Scalars piece;
          for (size_t sum : sums)
            piece.push_back(state[sum]);
          k.storeVector(k.vectorOf(piece), place, k.i64(0));
        });
        k.when(here.firstColumn == 0, [&] { k.store(gates[size_t(half)], c.partScores, at); });
      });
    }
  }

  /// Where the sum of what chunks of queries gave a key is, if some select it: in the list of the first one.
  struct PartialSum {
    Scalar some, chunk, slot;
  };
  PartialSum partialSumOf(Scalar keyOfTile, Scalar ring) {
    Scalar from = k.load(keyNumbers(KeyWarpgroupCode::Key, ring), keyOfTile) + p.spec.window;
    Scalar until = k.load(keyNumbers(KeyWarpgroupCode::SelectedUntil, ring), keyOfTile);
    return {until > from, from / p.chunk, k.load(keyNumbers(KeyWarpgroupCode::Slot, ring), keyOfTile)};
  }

  /// Adds it, and gives the sum of gates.
  Scalar addPartialSum(const KeyTask &task, Scalars &state, int64_t half, const PartialSum &from,
                       const Place &here) {
    Scalars own(state);
    own.push_back(k.f32(0));
    Scalars sums = k.choose(
        from.some,
        [&] {
          Scalar list = (task.row - c.firstRow) * p.chunks() + from.chunk;
          Scalar part = c.wide(list) * p.slotStride + c.wide(from.slot);
          Pointer row = k.offset(c.partRows, part * partWidth());
          Scalars result(state);
          eachPiece(row, half, here.firstColumn, [&](llvm::ArrayRef<size_t> sums, Pointer place) {
            mlir::Value piece = k.loadVector(place, k.i64(0), int64_t(sums.size()));
            for (size_t i = 0; i < sums.size(); ++i)
              result[sums[i]] = state[sums[i]] + k.element(piece, int64_t(i));
          });
          result.push_back(k.load(c.partScores, part));
          return result;
        },
        [&] { return own; });
    state.assign(sums.begin(), sums.end() - 1);
    return sums.back();
  }

  void storeGradients(const KeyTask &task, Scalars state, llvm::ArrayRef<PartialSum> parts) {
    using A = AttentionArgument;
    Place here = placeHere();
    for (int64_t half = 0; half < 2; ++half) {
      Scalar key = k.min(task.first + here.rows[half], k.i32(c.n - 1));
      Scalar valid = task.first + here.rows[half] < c.n, row = c.wide(task.row * c.n + key);
      Scalar gates = p.spec.topk > 0 ? addPartialSum(task, state, half, parts[size_t(half)], here) : k.f32(0);
      k.when(k.both(valid, here.firstColumn == 0),
             [&] { k.store(gates, c.builder.buffer(k, A::DU, k.f32Type()), row); });
      auto store = [&](A to, llvm::ArrayRef<Scalar> sums, int64_t width) {
        storeRow(k, c.element, sums, half, k.offset(c.builder.buffer(k, to, c.element), row * width), width,
                 valid);
      };
      Scalars dk;
      for (size_t i = 0; i < keySums(); ++i)
        dk.push_back(state[i] * p.spec.scale);
      store(A::DK, dk, p.spec.keyWidth);
      store(A::DV, llvm::ArrayRef(state).drop_front(keySums()), p.spec.valueWidth);
    }
  }

  KeyWarpgroupCode &c;
  KernelCode &k;
  const Plan &p;
  const int64_t block;    ///< queries
  const Scalar warpgroup; ///< 0 or 1
};

} // namespace

void emitKeyConsumer(KeyWarpgroupCode &code, Scalar warpgroup) { KeyConsumer(code, warpgroup).emit(); }

} // namespace heddle::gpu::attention
