// The kernel that finishes chunks: a block gathers and sorts the keys that matter, and threads sweep over
// them.
#include "compiler/conversion/SparseKToGPU/ChunkedThresholds.h"
#include "compiler/conversion/SparseKToGPU/Order.h"
#include "compiler/conversion/SparseKToGPU/Sort.h"
#include "compiler/conversion/SparseKToGPU/Sweep.h"

using namespace mlir;

namespace heddle::gpu::chunked {
namespace {

/// What a thread sweeps over: a part of the chunk's list of joining keys, and ranks in shared memory.
struct Task {
  Scalar runs, first, last;
  Scalar count;         ///< ranks
  Scalar keys, present; ///< where they begin
  SweepState state;

  Scalars values() const {
    Scalars all{runs, first, last, count, keys, present};
    all.append(state.values());
    return all;
  }
  static Task of(ArrayRef<Scalar> v) {
    return {v[0], v[1], v[2], v[3], v[4], v[5], SweepState::of(v.drop_front(6))};
  }
};

/// The kernel of one block a chunk.
class ChunkSweep {
public:
  ChunkSweep(Chunks &chunks, KernelCode &k, bool several)
      : c(chunks), k(k), several(several), size(chunks.geometry.chunk), rows(c.rows), topk(c.s.topk),
        i32(c.i32), i64(c.i64), f32(c.f32), f64(c.f64), bounds(k.pointer(1, i32)), thread(k.thread()),
        chunk(k.block()), row(k.cast(chunk / c.chunks, i64)), chunkStart((chunk % c.chunks) * size),
        length(k.min(k.i32(rows.n) - chunkStart, k.i32(size))),
        keys(k.shared(size + (several ? chunkCapacity : 0), i64)),
        present(k.shared(size + 1 + (several ? chunkCapacity / 32 + 1 : 0), i32)), ranks(k.shared(size, i32)),
        joining(k.shared(size, i32)), outHi(k.shared(size + 1, f32)), outLo(k.shared(size + 1, f32)),
        outKappa(k.shared(size + 1, i64)), source(thread) {}

  void emit() {
    Task task = startSequence();
    if (several)
      task = continueSequence(task);
    else
      k.barrier();
    sweep(task);
    k.barrier();
    k.when(k.load(outKappa, source) != least, [&] {
      Scalar query = row * rows.n + k.cast(chunkStart + thread + rows.window, i64);
      k.store(k.load(outHi, source), k.pointer(8, f32), query);
      k.store(k.load(outLo, source), k.pointer(9, f32), query);
      k.store(k.load(outKappa, source), k.pointer(10, i64), query);
    });
  }

private:
  Scalar reduce(Scalar x, KernelCode::Combine combine) {
    const int64_t used = k.sharedBytes();
    Scalar all = k.blockReduce(x, combine);
    k.releaseShared(used);
    return all;
  }
  Scalar sum(Scalar x) {
    return reduce(x, [](Scalar a, Scalar b) { return a + b; });
  }
  Scalar count(Scalar truth) { return k.cast(truth, i32); }
  Scalar score(Scalar order) { return k.cast(orderScore(k, order), f64); }

  Task startSequence();
  Task continueSequence(const Task &started);
  Scalar gather(const Piece &piece, const PrefixThreshold &left, const PrefixThreshold &right);
  Scalar listJoining(const Piece &piece);
  SweepState stateAt(const Piece &piece, const PrefixThreshold &left, Scalar total);
  void sweep(const Task &task);

  Chunks &c;
  KernelCode &k;
  const bool several;
  const int64_t size; ///< positions of the chunk, and threads
  const ScoreRows &rows;
  const int64_t topk;
  Type i32, i64, f32, f64;
  Pointer bounds;
  Scalar thread, chunk, row, chunkStart, length;
  Pointer keys;    ///< orders: the chunk's own by sequence, then those of the sequence that goes on
  Pointer present; ///< bits of ranks, for both
  Pointer ranks;   ///< of the chunk's keys by time, in their task; -1 where they have none
  Pointer joining; ///< places of keys in the chunk, in time order, for each task
  Pointer outHi, outLo,
      outKappa;        ///< by time, and the left thresholds; kappa is the least integer where none is
  Scalar source;       ///< where the results for the thread's key are
  Scalar joinedBefore; ///< how many have joined up to the thread's key
  Scalar insideCount, saturatedCount, insideSum; ///< of the keys that are not taken one by one
};

/// Sequences that begin in the chunk know no other keys: their part of the chunk's list is theirs, and the
/// thread's of their first key.
Task ChunkSweep::startSequence() {
  Scalar order = k.choose(
      thread < length,
      [&] { return Scalars{k.load(k.pointer(2, i64), row * rows.n + k.cast(chunkStart + thread, i64))}; },
      [&] { return Scalars{k.i64(most)}; })[0];
  k.store(order, keys, thread);
  k.store(k.i32(0), present, thread);
  k.when(thread == 0, [&] { k.store(k.i32(0), present, k.i32(size)); });
  k.store(k.i32(-1), ranks, thread);
  k.store(thread, joining, thread);
  k.store(k.i64(least), outKappa, thread);
  k.when(thread == 0, [&] { k.store(k.i64(least), outKappa, k.i32(size)); });
  k.barrier();

  Task task;
  Scalar key = chunkStart + thread;
  SequenceBounds sequence = sequenceAt(k, rows, bounds, k.min(key, k.i32(rows.n - 1)));
  task.first = thread;
  task.last = k.min(sequence.stop - rows.window - chunkStart, k.i32(size));
  task.runs = (thread < length) & (sequence.start == key) & (task.last - thread > topk);
  task.count = k.min(sequence.stop - chunkStart, length) - thread;
  task.keys = task.present = thread;
  task.state = SweepState::empty(k, task.count);
  k.when(thread < length, [&] {
    Scalar listed = orderKey(k, order), start = sequenceAt(k, rows, bounds, listed).start;
    k.when(start >= chunkStart, [&] { k.store(thread - (start - chunkStart), ranks, listed - chunkStart); });
  });
  return task;
}

/// Copies the older keys that are taken one by one behind the chunk's own, if they fit; returns their number.
Scalar ChunkSweep::gather(const Piece &piece, const PrefixThreshold &left, const PrefixThreshold &right) {
  const int64_t lists = c.geometry.mostLists;
  // Places in each list: tau_left, tau_right, tau_left + 1, tau_right + 1, kappa_left, behind kappa_right.
  constexpr int64_t places = 6;
  Pointer found = k.shared(places * lists, i32);
  ListCode code = c.listCode(k, 2);
  k.loop(thread, k.i32(places * lists), k.i32(chunkSize), [&](Scalar task) {
    Scalar which = task / lists, isRight = (which & 1) == 1, isKappa = which >= 4;
    ListPart part = code.part(task % lists, row, piece.start, chunkStart);
    Scalar base = k.select(isRight, right.base, left.base);
    Scalar offset = k.select(isRight, right.offset + slack, left.offset - slack) +
                    k.select(which >= 2, k.constant(f64, 1.0), k.constant(f64, 0.0));
    Scalar bound = k.select(isRight, right.kappa + 1, left.kappa);
    Scalar at = code.search(part, part.begin, part.end, [&](Scalar order) {
      return k.select(isKappa, order >= bound, score(order) - base > offset);
    });
    k.store(at, found, task);
  });
  k.barrier();

  // In each list up to three stretches; the keys between them stay inside.
  Pointer begins = k.shared(3 * lists, i32), sizes = k.shared(3 * lists, i32), targets = k.shared(lists, i32);
  Scalar none = k.i32(0), taken = none;
  insideCount = saturatedCount = none;
  insideSum = k.i64(0);
  for (int64_t firstList = 0; firstList < lists; firstList += chunkSize) {
    Scalar list = thread + firstList;
    Scalars own = k.choose(
        list < lists,
        [&] {
          ListPart part = code.part(list, row, piece.start, chunkStart);
          auto place = [&](int64_t which) { return k.load(found, list + which * lists); };
          Scalar begin[3], end[3];
          begin[0] = place(0);
          end[0] = k.max(begin[0], place(1));
          begin[1] = k.max(k.min(place(4), place(2)), end[0]);
          end[1] = k.max(begin[1], place(5));
          begin[2] = k.max(place(2), end[1]);
          end[2] = k.max(begin[2], place(3));
          Scalar size = none;
          for (int64_t i = 0; i < 3; ++i) {
            k.store(begin[i], begins, list * 3 + i);
            k.store(end[i] - begin[i], sizes, list * 3 + i);
            size = size + (end[i] - begin[i]);
          }
          Scalar inside = (begin[1] - end[0]) + (begin[2] - end[1]);
          Scalar total = k.choose(
              inside > 0,
              [&] {
                auto before = [&](Scalar at) { return code.sumBefore(part, at); };
                return Scalars{(before(begin[1]) - before(end[0])) + (before(begin[2]) - before(end[1]))};
              },
              [&] { return Scalars{k.i64(0)}; })[0];
          return Scalars{size, inside, part.end - end[2], total};
        },
        [&] { return Scalars{none, none, none, k.i64(0)}; });
    BlockScan scan = blockScan(k, own[0]);
    k.when(list < lists, [&] { k.store(taken + scan.before, targets, list); });
    taken = taken + scan.all;
    insideCount = insideCount + sum(own[1]);
    saturatedCount = saturatedCount + sum(own[2]);
    insideSum = insideSum + sum(own[3]);
  }
  k.when(taken <= chunkCapacity - chunkSize, [&] {
    // A warp copies a list.
    k.loop(k.warp(), k.i32(lists), k.i32(chunkSize / warpSize), [&](Scalar list) {
      ListPart part = code.part(list, row, piece.start, chunkStart);
      Scalar target = k.load(targets, list) + 2 * chunkSize;
      for (int64_t i = 0; i < 3; ++i) {
        Scalar begin = k.load(begins, list * 3 + i), size = k.load(sizes, list * 3 + i);
        k.loop(k.lane(), size, k.i32(warpSize),
               [&](Scalar at) { k.store(code.key(part, begin + at), keys, target + at); });
        target = target + size;
      }
    });
  });
  return taken;
}

/// Which of the `total` sorted keys are there at piece.first, and what they add up to.
SweepState ChunkSweep::stateAt(const Piece &piece, const PrefixThreshold &left, Scalar total) {
  const int64_t fraction = c.geometry.fraction;
  Pointer sorted = k.offset(keys, k.i32(chunkSize)), words = k.offset(present, k.i32(chunkSize + 1));
  Scalar none = k.i32(0), lowest = k.constant(f64, -std::numeric_limits<double>::infinity());
  Scalars own = k.loop(
      none, total + 1, k.i32(chunkSize), {none, none, none, none, k.i64(0), lowest},
      [&](Scalar first, ArrayRef<Scalar> v) {
        Scalar rank = first + thread, exists = rank < total;
        Scalar order = k.choose(
            exists, [&] { return Scalars{k.load(sorted, rank)}; }, [&] { return Scalars{k.i64(most)}; })[0];
        Scalar key = orderKey(k, order), rest = score(order) - left.base;
        Scalar isOld = exists & (key < piece.first), lives = isOld & (rest > left.offset);
        Scalar below = exists & (rest - 1.0 < left.offset), inside = lives & below;
        Scalar word = k.ballot(lives);
        k.when((k.lane() == 0) & (rank <= total), [&] { k.store(word, words, rank >> 5); });
        k.when(exists & (key >= piece.first), [&] { k.store(rank, ranks, key - chunkStart); });
        Scalar fixed = fixedPoint(k, orderScore(k, order), fraction);
        return Scalars{v[0] + count(inside),
                       v[1] + count(lives & !below),
                       v[2] + count(below),
                       v[3] + count(exists & (order < left.kappa)),
                       v[4] + k.select(inside, fixed, k.i64(0)),
                       k.select(isOld & !lives, k.max(v[5], score(order)), v[5])};
      });
  SweepState s;
  s.inside = sum(own[0]) + insideCount;
  s.saturated = sum(own[1]) + saturatedCount;
  s.firstSaturated = sum(own[2]);
  s.kappa = sum(own[3]);
  s.joined = k.i32(topk + 1);
  Scalar base = fixedPoint(k, k.cast(left.base, f32), fraction);
  s.sum = fromFixedPoint(k, sum(own[4]) + insideSum - k.cast(s.inside, i64) * base, fraction);
  s.centre = left.base;
  s.offset = left.offset;
  s.died = k.select(left.isGap(), left.base, reduce(own[5], [&](Scalar a, Scalar b) { return k.max(a, b); }));
  auto noScore = [](Scalar rank) { return rank; };
  Sweep ranks(k, f32, topk, total, words, noScore);
  s.lowest = ranks.next(none);
  s.nextSaturated = ranks.next(s.firstSaturated);
  return s;
}

/// The first thread's task where a sequence goes on in the chunk.
Task ChunkSweep::continueSequence(const Task &started) {
  Pointer crowded = k.pointer(11, i32);
  Piece piece = c.pieceOf(k, bounds, chunkStart);
  k.when(thread == 0, [&] { k.store(k.i32(0), crowded, chunk); });
  Scalars chosen = k.choose(
      piece.exists,
      [&] {
        Solved ends = c.solved(k, 5);
        Scalar at = chunk << 1;
        PrefixThreshold left = ends.load(k, at), right = ends.load(k, k.select(piece.isLast, at + 1, at + 2));
        Scalar older = gather(piece, left, right), fits = older <= chunkCapacity - chunkSize;
        k.when(!fits & (thread == 0), [&] { k.store(k.i32(1), crowded, chunk); });
        older = k.select(fits, older, k.i32(0));

        // With the chunk's own keys, of which those before piece.first are old as well.
        Scalar order = k.load(keys, thread), key = orderKey(k, order);
        Scalar isOwn = (thread < length) & (key >= piece.start) & (key < piece.stop) &
                       (score(order) - left.base > left.offset - slack);
        k.store(k.select(isOwn, order, k.i64(most)), keys, thread + chunkSize);
        Scalar total = sum(count(isOwn)) + older, used = older + chunkSize;
        Scalar width = k.i32(1) << (32 - k.leadingZeros(used - 1));
        Pointer sorted = k.offset(keys, k.i32(chunkSize));
        k.loop(used + thread, width, k.i32(chunkSize), [&](Scalar i) { k.store(k.i64(most), sorted, i); });
        k.barrier();
        sortShared(k, {sorted}, width);

        Task task;
        task.state = stateAt(piece, left, total);
        task.runs = fits;
        task.first = k.i32(0);
        task.last = listJoining(piece);
        task.count = total;
        task.keys = k.i32(chunkSize);
        task.present = k.i32(chunkSize + 1);
        // What a key that does not join leaves as it is, it has from the last one before.
        Scalar last =
            k.select(joinedBefore > 0, k.load(joining, k.max(joinedBefore, k.i32(1)) - 1), k.i32(chunkSize));
        Scalar own = chunkStart + thread;
        Scalars chosen{k.select(fits & (own >= piece.first - 1) & (own < piece.stop), last, thread)};
        for (auto [mine, other] : llvm::zip(task.values(), started.values()))
          chosen.push_back(k.select(thread == 0, mine, other));
        return chosen;
      },
      [&] {
        k.barrier();
        Scalars unchanged{thread};
        unchanged.append(started.values());
        return unchanged;
      });
  source = chosen[0];
  return Task::of(ArrayRef<Scalar>(chosen).drop_front());
}

/// Lists the keys from piece.first on that have ranks, in time order; gives their number. Others lie at or
/// below the left threshold.
Scalar ChunkSweep::listJoining(const Piece &piece) {
  Scalar key = chunkStart + thread;
  Scalar joins = count((key >= piece.first) & (key < piece.stop) & (k.load(ranks, thread) >= 0));
  BlockScan scan = blockScan(k, joins);
  k.when(joins == 1, [&] { k.store(thread, joining, scan.before); });
  joinedBefore = scan.before + joins;
  k.barrier();
  return scan.all;
}

void ChunkSweep::sweep(const Task &task) {
  Pointer ranked = k.offset(keys, task.keys), words = k.offset(present, task.present);
  auto scoreOf = [&](Scalar rank) { return score(k.load(ranked, rank)); };
  auto rank = [&](Scalar number) { return k.load(ranks, k.load(joining, number)); };
  Sweep sweep(k, f32, topk, task.count, words, scoreOf);
  auto write = [&](Scalar at, const SweepState &state) {
    k.when(sweep.isFull(state), [&] {
      auto [hi, lo] = sweep.threshold(state);
      k.store(hi, outHi, at);
      k.store(lo, outLo, at);
      k.store(k.load(ranked, state.kappa), outKappa, at);
    });
  };
  k.when(task.runs, [&] {
    if (several) // the left threshold, for keys before the first that joins
      k.when(sweep.isFull(task.state), [&] { write(k.i32(chunkSize), task.state); });
    auto out = [&](Scalar number, const SweepState &state) { write(k.load(joining, number), state); };
    sweep.run(task.first, task.last, task.state, rank, out);
  });
}

} // namespace

void Chunks::emitSweeps(bool several) {
  steps.kernel(
      "chunk_sweeps", rows.rows * chunks, geometry.chunk,
      {s.u, s.bounds, lists.keys, lists.sums, lists.tiles, kappa, base, offset, s.hi, s.lo, s.kappa, crowded},
      [&](KernelCode &k) { ChunkSweep(*this, k, several).emit(); });
}

} // namespace heddle::gpu::chunked
