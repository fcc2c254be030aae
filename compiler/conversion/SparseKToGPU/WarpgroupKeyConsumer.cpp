// The warpgroups that multiply: each has 64 keys of a task, a warp 16, and sums dk and dv of them in registers.
// For every block of queries: S = K Qᵀ and dP = V dOᵀ, the slopes of pairs on the values in registers, then
// dV += P dO and dK += dS Q with P and dS from registers. While one warpgroup has slopes to compute, the other
// one has the tensor cores.
#include "compiler/conversion/SparseKToGPU/WarpgroupKeys.h"

#include <numbers>

namespace heddle::gpu::attention {
namespace {

class KeyConsumer {
public:
  KeyConsumer(KeyWarpgroupCode &code, Scalar warpgroup)
      : c(code), k(code.k), p(code.p), warpgroup(warpgroup) {}

  void emit() {
    setRegisters(k, c.w.productRegisters, /*more=*/true);
    Scalar warpRow = ((c.thread >> 5) - warpgroupThreads / warpSize) * 16;
    for (int64_t half = 0; half < 2; ++half)
      rows[half] = warpRow + (c.lane >> 2) + 8 * half;
    firstColumn = (c.lane & 3) * 2;
    keys = describeMatrix(k, c.address(0) + warpgroup * (64 * panelRowBytes));
    values = describeMatrix(k, c.address(c.valuesStart) + warpgroup * (64 * panelRowBytes));
    k.repeat(
        {awaitTask(k.i32(0)), k.i32(0), k.i32(0), k.i32(0)},
        [&](llvm::ArrayRef<Scalar> values) { return values[0] >= 0; },
        [&](llvm::ArrayRef<Scalar> values) {
          RingPlace place = compute(values[0], {values[1], values[2]});
          Scalar parity = values[3] ^ 1;
          return Scalars{awaitTask(parity), place.stage, place.parity, parity};
        });
  }

private:
  static constexpr int64_t tile = KeyWarpgroupPlan::tile, block = KeyWarpgroupPlan::block;

  Scalar awaitTask(Scalar parity) {
    waitForPhase(k, c.fullKeys(), parity);
    showToProducts(k);
    return k.load(c.words(), k.i32(KeyWarpgroupCode::Task));
  }
  void release(Scalar barrier) {
    k.when(c.lane == 0, [&] { arrive(k, barrier); });
  }
  size_t keySums() const { return size_t(p.spec.keyWidth / 2); }
  size_t valueSums() const { return size_t(p.spec.valueWidth / 2); }

  /// What is carried from block to block: the sums of both rows' gates, dk, dv.
  RingPlace compute(Scalar index, RingPlace place) {
    first = k.load(c.words(), k.i32(KeyWarpgroupCode::First));
    Scalar blocks = k.load(c.words(), k.i32(KeyWarpgroupCode::Blocks));
    // Blocks of queries that see keys of this warpgroup, and those that see all keys of this warp.
    Scalar from, until;
    for (int64_t i = 0; i < 2; ++i) {
      Scalar key = warpgroup * 64 + c.lane + 32 * i;
      Scalar begin = k.load(c.keyNumbers(KeyWarpgroupCode::From), key);
      Scalar end = k.load(c.keyNumbers(KeyWarpgroupCode::Until), key);
      from = i ? k.min(from, begin) : begin;
      until = i ? k.max(until, end) : end;
    }
    from = k.warpReduce(from, [&](Scalar x, Scalar y) { return k.min(x, y); });
    until = k.warpReduce(until, [&](Scalar x, Scalar y) { return k.max(x, y); });
    Scalar limit = first + blocks * block;
    auto inTask = [&](Scalar query) { return k.min(k.max(query, first), limit) - first; };
    Scalar begin = inTask(from) / block;
    Scalar end = k.max((inTask(until) + (block - 1)) / block, begin);
    for (int64_t half = 0; half < 2; ++half) {
      Scalar begins = k.load(c.keyNumbers(KeyWarpgroupCode::From), rows[half]);
      Scalar ends = k.load(c.keyNumbers(KeyWarpgroupCode::Until), rows[half]);
      from = half ? k.max(from, begins) : begins;
      until = half ? k.min(until, ends) : ends;
      if (c.gated())
        scores[half] = k.load(c.keyNumbers(KeyWarpgroupCode::Score), rows[half]);
    }
    latestBegin = k.warpReduce(from, [&](Scalar x, Scalar y) { return k.max(x, y); });
    firstEnd = k.warpReduce(until, [&](Scalar x, Scalar y) { return k.min(x, y); });

    auto skip = [&](Scalar from, Scalar until, llvm::ArrayRef<Scalar> ring) {
      return k.loop(from, until, k.i32(1), ring, [&](Scalar, llvm::ArrayRef<Scalar> ring) {
        RingPlace place{ring[0], ring[1]};
        waitForPhase(k, c.fullQueries(place.stage), place.parity);
        k.warpBarrier(); // all lanes have seen the phase, before it may end
        release(c.emptyQueries(place.stage));
        place = nextPlace(k, place, c.w.stages);
        return Scalars{place.stage, place.parity};
      });
    };
    Scalars state(2 + keySums() + valueSums(), k.f32(0));
    state.append({place.stage, place.parity});
    auto ofHead = [&](Scalar, llvm::ArrayRef<Scalar> carried) {
      Scalars state(carried.drop_back(2));
      state.append(skip(k.i32(0), begin, carried.take_back(2)));
      state = k.loop(begin, end, k.i32(1), state, [&](Scalar number, llvm::ArrayRef<Scalar> carried) {
        return accumulate(number, carried);
      });
      Scalars ring = skip(end, blocks, llvm::ArrayRef(state).take_back(2));
      state.pop_back_n(2);
      state.append(ring);
      return state;
    };
    if (p.spec.group() == 1)
      state = ofHead(k.i32(0), state);
    else
      state = k.loop(k.i32(0), k.i32(p.spec.group()), k.i32(1), state, ofHead);
    release(c.emptyKeys());

    RingPlace after{state[state.size() - 2], state.back()};
    state.pop_back_n(2);
    for (int64_t half = 0; half < 2; ++half)
      state[size_t(half)] =
          k.warpReduce(state[size_t(half)], [](Scalar x, Scalar y) { return x + y; }, 4);
    KeyTask task = c.taskAt(computeHere(k, index));
    c.selected ? storePartialSums(task, state) : storeGradients(task, std::move(state));
    return after;
  }

  /// left rightᵀ over the columns of rows.
  Sums multiplyRows(Scalar left, Scalar right, int64_t width) {
    Sums sums;
    beginProducts(k);
    for (int64_t column = 0; column < width; column += 16) {
      const int64_t panel = column / panelColumns, within = column % panelColumns * 2;
      sums = multiplyShared(k, c.element, sums, advance(left, panel * tile * panelRowBytes + within),
                            advance(right, panel * block * panelRowBytes + within), block);
    }
    endProducts(k);
    return sums;
  }

  Sums addWeighted(Sums sums, llvm::ArrayRef<Scalar> weights, Scalar matrix, int64_t width) {
    for (int64_t query = 0; query < block; query += 16)
      sums = multiplyRegisters(k, c.element, sums, weights.slice(size_t(query / 4), 4),
                               advance(matrix, query * panelRowBytes), width);
    endProducts(k);
    return sums;
  }

  Scalars accumulate(Scalar number, llvm::ArrayRef<Scalar> carried) {
    RingPlace place{carried[carried.size() - 2], carried.back()};
    waitForPhase(k, c.fullQueries(place.stage), place.parity);
    showToProducts(k);
    Scalar queries = place.stage * c.w.queryBytes() + c.address(c.queriesStart);
    Scalar outs = place.stage * c.w.outBytes() + c.address(c.outsStart);
    Sums products = multiplyRows(keys, describeMatrix(k, queries), p.spec.keyWidth);
    Sums along = multiplyRows(values, describeMatrix(k, outs), p.spec.valueWidth);
    products = waitForProducts(k, 1, products);
    along = waitForProducts(k, 0, along);

    Scalar query = first + number * block; // of the block's first
    Scalar masked = (query < latestBegin) | (query + block > firstEnd);
    auto of = [&](bool masked) {
      return [&, masked] { return slopes(masked, query, place, products, along, carried.take_front(2)); };
    };
    Scalars words = k.choose(masked, of(true), of(false));
    llvm::ArrayRef<Scalar> packed = llvm::ArrayRef(words).drop_front(2);
    const size_t count = size_t(block / 4);

    Sums dk(carried.slice(2, keySums())), dv(carried.slice(2 + keySums(), valueSums()));
    beginProducts(k);
    dv = addWeighted(dv, packed.take_front(count), describeMatrix(k, outs, true, block * panelRowBytes),
                     p.spec.valueWidth);
    dk = addWeighted(dk, packed.drop_front(count), describeMatrix(k, queries, true, block * panelRowBytes),
                     p.spec.keyWidth);
    dv = waitForProducts(k, 1, dv);
    dk = waitForProducts(k, 0, dk);
    release(c.emptyQueries(place.stage));
    Scalars result(llvm::ArrayRef(words).take_front(2));
    result.append(dk);
    result.append(dv);
    place = nextPlace(k, place, c.w.stages);
    result.append({place.stage, place.parity});
    return result;
  }

  /// Of a block: the sums of the rows' gates, then weights of dO and cotangents of products, packed.
  Scalars slopes(bool masked, Scalar firstQuery, RingPlace place, const Sums &products, const Sums &along,
                 llvm::ArrayRef<Scalar> sums) {
    const double scale = p.spec.scale, factor = scale * std::numbers::log2e;
    const bool gateKeys = c.selected && p.gateKeys(), gateValues = c.selected && p.gateValues();
    Scalars gateSums(sums), weights, slopes;
    // Runs of the keys in this block: |query - middle| <= half. Such numbers are exact.
    Scalar middles[2], halves[2];
    if (masked)
      for (int64_t half = 0; half < 2; ++half) {
        auto inside = [&](KeyWarpgroupCode::KeyNumber which) {
          Scalar query = k.load(c.keyNumbers(which), rows[half]);
          return k.cast(k.min(k.max(query, firstQuery) - firstQuery, k.i32(block)), k.f32Type());
        };
        Scalar begin = inside(KeyWarpgroupCode::From), end = inside(KeyWarpgroupCode::Until);
        middles[half] = (begin + end - 1.0) * 0.5 - k.cast(firstColumn, k.f32Type());
        halves[half] = (end - 1.0 - begin) * 0.5;
      }
    for (int64_t tile = 0; tile < block / 8; ++tile) {
      auto numbers = [&](KeyWarpgroupCode::QueryNumber which) {
        Pointer from = atShared(k, c.queryNumbers(place.stage, which), k.f32Type());
        return k.loadVector(from, firstColumn + 8 * tile, 2);
      };
      mlir::Value lse = numbers(KeyWarpgroupCode::Lse), shared = numbers(KeyWarpgroupCode::Shared), hi, lo;
      if (c.gated()) {
        hi = numbers(KeyWarpgroupCode::Hi);
        lo = numbers(KeyWarpgroupCode::Lo);
      }
      for (int64_t half = 0; half < 2; ++half) {
        Scalar weight[2], slope[2];
        for (int64_t column = 0; column < 2; ++column) {
          const size_t i = size_t(4 * tile + 2 * half + column);
          Scalar gate, product = products[i], out = along[i];
          if (c.gated())
            gate = k.addClipped(scores[half] - k.element(hi, column), -k.element(lo, column));
          Scalar x = gateKeys ? product * gate : product;
          Scalar power = k.exp2Approximate(k.multiplyAdd(x, k.f32(factor), -k.element(lse, column)));
          Scalar dscore = power * ((gateValues ? gate * out : out) - k.element(shared, column));
          Scalar gradient = c.gated() ? power * out : Scalar();
          if (masked) { // what a pair that is not seen holds may not be finite
            Scalar distance = k.abs(k.f32(double(8 * tile + column)) - middles[half]);
            Scalar seen = distance <= halves[half];
            power = k.select(seen, power, k.f32(0));
            dscore = k.select(seen, dscore, k.f32(0));
            if (c.gated())
              gradient = k.select(seen, gradient, k.f32(0));
          }
          if (c.gated()) {
            if (p.routesKeys())
              gradient = k.multiplyAdd(dscore, product * scale, gradient);
            Scalar moves = k.both(gate > 0.0, gate < 1.0);
            gateSums[size_t(half)] = gateSums[size_t(half)] + k.select(moves, gradient, k.f32(0));
          }
          weight[column] = gateValues ? power * gate : power;
          slope[column] = gateKeys ? dscore * gate : dscore;
        }
        weights.push_back(packInPlace(k, weight[0], weight[1], c.element));
        slopes.push_back(packInPlace(k, slope[0], slope[1], c.element));
      }
    }
    Scalars result(gateSums);
    result.append(weights);
    result.append(slopes);
    return result;
  }

  // ---- Results ----

  int64_t partWidth() const { return p.keyPad + p.valuePad; }

  /// Calls `use` for each four sums of one of the lane's rows that partial sums hold together, with their place
  /// in a row: four lanes have 16 neighbours. The last four of an odd number of tiles has two.
  void eachFour(int64_t half, llvm::function_ref<void(llvm::ArrayRef<size_t> sums, int64_t place)> use) {
    auto columns = [&](size_t start, int64_t width, int64_t place) {
      for (int64_t tile = 0; tile < width / 8; tile += 2) {
        llvm::SmallVector<size_t, 4> sums;
        for (int64_t other = tile; other < std::min(tile + 2, width / 8); ++other)
          for (int64_t column = 0; column < 2; ++column)
            sums.push_back(start + size_t(4 * other + 2 * half + column));
        use(sums, place + 8 * tile);
      }
    };
    columns(2, p.spec.keyWidth, 0);
    columns(2 + keySums(), p.spec.valueWidth, p.keyPad);
  }

  void storePartialSums(const KeyTask &task, llvm::ArrayRef<Scalar> state) {
    Scalar total = k.load(c.slotTotal, task.list);
    Scalar part = c.wide(task.list - c.firstRow * p.chunks()) * p.slotStride;
    for (int64_t half = 0; half < 2; ++half) {
      Scalar slot = task.first + rows[half], at = part + c.wide(slot);
      k.when(slot < total, [&] {
        Pointer row = k.offset(c.partRows, at * partWidth() + c.wide(firstColumn * 2));
        eachFour(half, [&](llvm::ArrayRef<size_t> sums, int64_t place) {
          Scalars four(4, k.f32(0));
          for (size_t i = 0; i < sums.size(); ++i)
            four[i] = state[sums[i]];
          k.storeVector(k.vectorOf(four), row, k.i64(place));
        });
        k.when(firstColumn == 0, [&] { k.store(state[size_t(half)], c.partScores, at); });
      });
    }
  }

  /// Adds what the chunks gave, one after the other.
  void addPartialSums(const KeyTask &task, Scalars &state, int64_t half, Scalar key) {
    Scalar from = key + p.spec.window, place = task.row * c.n + key;
    Scalar until = k.load(c.ends, place), some = until > from;
    Scalar chunk = k.min(from, k.i32(c.n - 1)) / p.chunk;
    Scalar end = k.select(some, (k.max(until, k.i32(1)) - 1) / p.chunk + 1, chunk);
    Scalar slot = k.choose(some, [&] { return Scalars{k.load(c.firstSlot, place)}; },
                           [&] { return Scalars{k.i32(0)}; })[0];
    Scalars carried{slot, state[size_t(half)]};
    eachFour(half, [&](llvm::ArrayRef<size_t> sums, int64_t) {
      for (size_t i : sums)
        carried.push_back(state[i]);
    });
    carried = k.loop(chunk, end, k.i32(1), carried, [&](Scalar chunk, llvm::ArrayRef<Scalar> carried) {
      Scalar list = task.row * p.chunks() + chunk;
      Scalar part = c.wide(list - c.firstRow * p.chunks()) * p.slotStride + c.wide(carried[0]);
      Scalar next = k.choose(chunk + 1 < end,
                             [&] {
                               Scalar at = c.wide(list) * p.slotStride + c.wide(carried[0]);
                               return Scalars{k.load(c.nextSlot, at)};
                             },
                             [&] { return Scalars{k.i32(0)}; })[0];
      Scalars result{next, carried[1] + k.load(c.partScores, part)};
      Pointer row = k.offset(c.partRows, part * partWidth() + c.wide(firstColumn * 2));
      eachFour(half, [&](llvm::ArrayRef<size_t> sums, int64_t place) {
        mlir::Value four = k.loadVector(row, k.i64(place), 4);
        for (size_t i = 0; i < sums.size(); ++i)
          result.push_back(carried[result.size()] + k.element(four, int64_t(i)));
      });
      return result;
    });
    state[size_t(half)] = carried[1];
    size_t taken = 2;
    eachFour(half, [&](llvm::ArrayRef<size_t> sums, int64_t) {
      for (size_t i : sums)
        state[i] = carried[taken++];
    });
  }

  void storeGradients(const KeyTask &task, Scalars state) {
    using A = AttentionArgument;
    for (int64_t half = 0; half < 2; ++half) {
      Scalar key = k.min(task.first + rows[half], k.i32(c.n - 1));
      Scalar valid = task.first + rows[half] < c.n, row = c.wide(task.row * c.n + key);
      if (p.spec.topk > 0)
        addPartialSums(task, state, half, key);
      k.when(k.both(valid, firstColumn == 0),
             [&] { k.store(state[size_t(half)], c.builder.buffer(k, A::DU, k.f32Type()), row); });
      auto store = [&](A to, llvm::ArrayRef<Scalar> sums, int64_t width) {
        storeRow(k, c.element, sums, half, k.offset(c.builder.buffer(k, to, c.element), row * width), width,
                 valid);
      };
      Scalars dk;
      for (size_t i = 0; i < keySums(); ++i)
        dk.push_back(state[2 + i] * p.spec.scale);
      store(A::DK, dk, p.spec.keyWidth);
      store(A::DV, llvm::ArrayRef(state).drop_front(2 + keySums()), p.spec.valueWidth);
    }
  }

  KeyWarpgroupCode &c;
  KernelCode &k;
  const Plan &p;
  const Scalar warpgroup; ///< 0 or 1
  Scalar keys, values;    ///< matrices
  Scalar rows[2], firstColumn;
  Scalar first, latestBegin, firstEnd, scores[2]; ///< of the task
};

} // namespace

void emitKeyConsumer(KeyWarpgroupCode &code, Scalar warpgroup) { KeyConsumer(code, warpgroup).emit(); }

} // namespace heddle::gpu::attention
