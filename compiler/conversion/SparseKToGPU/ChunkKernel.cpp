// The kernel that finishes chunks: a block gathers the keys that matter to a chunk and solves its queries.
#include "compiler/conversion/SparseKToGPU/ChunkKeys.h"
#include "compiler/conversion/SparseKToGPU/Order.h"
#include "compiler/conversion/SparseKToGPU/Sweep.h"

using namespace mlir;

namespace heddle::gpu::chunked {
namespace {

/// Sequences that begin within the chunk know no other keys: a thread sweeps over each.
void sweepShortSequences(Chunks &c, KernelCode &k, const Chunks::Place &place, ArrayRef<Scalar> orders,
                         Pointer bounds, unsigned hi, unsigned lo, unsigned kappa) {
  const ScoreRows &rows = c.rows;
  Pointer keys = k.shared(chunkSize, c.i64), words = k.shared(chunkSize + 1, c.i32),
          ranks = k.shared(chunkSize, c.i32);
  auto own = [&](int64_t i) { return k.thread() + i * k.blockThreads; };
  Scalar length = k.min(k.i32(rows.n) - place.start, k.i32(chunkSize));
  for (int64_t i = 0; i < c.threadKeys(); ++i) {
    k.store(orders[size_t(i)], keys, own(i));
    k.store(k.i32(0), words, own(i));
  }
  k.when(k.thread() == 0, [&] { k.store(k.i32(0), words, k.i32(chunkSize)); });
  for (int64_t i = 0; i < c.threadKeys(); ++i)
    k.when(own(i) < length, [&] {
      Scalar key = orderKey(k, orders[size_t(i)]), start = sequenceAt(k, rows, bounds, key).start;
      k.store(own(i) - k.max(start - place.start, k.i32(0)), ranks, key - place.start);
    });
  k.barrier();
  for (int64_t i = 0; i < c.threadKeys(); ++i) {
    Scalar first = own(i), key = place.start + first;
    SequenceBounds sequence = sequenceAt(k, rows, bounds, k.min(key, k.i32(rows.n - 1)));
    Scalar last = k.min(sequence.stop - rows.window - place.start, k.i32(chunkSize));
    Scalar runs = (first > 0) & (first < length) & (sequence.start == key) & (last - first > c.s.topk);
    k.when(runs, [&] {
      Scalar count = k.min(sequence.stop - place.start, length) - first;
      Pointer ranked = k.offset(keys, first), present = k.offset(words, first);
      auto score = [&](Scalar rank) { return k.cast(orderScore(k, k.load(ranked, rank)), c.f64); };
      Sweep sweep(k, c.f32, c.s.topk, count, present, score);
      auto out = [&](Scalar at, const SweepState &state) {
        k.when(sweep.isFull(state), [&] {
          Scalar query = place.row * rows.n + k.cast(place.start + at + rows.window, c.i64);
          auto [high, low] = sweep.threshold(state);
          k.store(high, k.pointer(hi, c.f32), query);
          k.store(low, k.pointer(lo, c.f32), query);
          k.store(k.load(ranked, state.kappa), k.pointer(kappa, c.i64), query);
        });
      };
      sweep.run(first, last, SweepState::empty(k, count), [&](Scalar at) { return k.load(ranks, at); }, out);
    });
  }
  k.barrier(); // before the memory is used again
}

/// The first NaN of the sequences in the chunk.
void findNan(Chunks &c, KernelCode &k, const Chunks::Place &place, Pointer u, Pointer bounds,
             Pointer firstNan) {
  Scalar row = place.row * c.rows.n;
  for (int64_t i = 0; i < c.threadKeys(); ++i) {
    Scalar key = place.start + (k.thread() + i * k.blockThreads);
    k.when(key < c.rows.n, [&] {
      k.when(k.isNan(k.load(u, row + k.cast(key, c.i64))), [&] {
        Scalar start = sequenceAt(k, c.rows, bounds, key).start;
        k.atomicMin(key, firstNan, row + k.cast(start, c.i64));
      });
    });
  }
}

void emitChunk(Chunks &c, KernelCode &k) {
  enum { U, Bounds, Lists, Solved = 4, Hi = 7, Lo, Kappa, FirstNan, Crowded, Places };
  const ScoreRows &rows = c.rows;
  Pointer bounds = k.pointer(Bounds, c.i32);
  ChunkKeys keys;
  keys.place = c.place(k, c.numberOfBlock(k));
  const Chunks::Place &place = keys.place;
  SmallVector<Scalar, 2> orders;
  for (int64_t i = 0; i < c.threadKeys(); ++i) {
    Scalar key = place.start + (k.thread() + i * k.blockThreads);
    orders.push_back(k.load(k.pointer(Lists, c.i64), place.row * c.geometry.stride() + k.cast(key, c.i64)));
  }
  findNan(c, k, place, k.pointer(U, c.f32), bounds, k.pointer(FirstNan, c.i32));
  const int64_t used = k.sharedBytes();
  if (rows.packed)
    k.when(c.halfOfBlock(k) <= 0, [&] { sweepShortSequences(c, k, place, orders, bounds, Hi, Lo, Kappa); });
  k.releaseShared(used);
  keys.piece = c.pieceOf(k, bounds, place.start);
  k.when(keys.piece.exists, [&] {
    keys.reserve(k);
    keys.ends = c.ends(k, c.solved(k, Solved), place.chunk, keys.piece);
    gatherOlderKeys(c, k, Lists, Places, keys);
    k.when(
        keys.fits,
        [&] {
          addOwnKeys(c, k, orders, keys);
          solveChunkQueries(c, k, keys, Hi, Lo, Kappa);
        },
        [&] {
          k.when((k.thread() == 0) & (c.halfOfBlock(k) <= 0), [&] {
            k.atomicAdd(k.i32(1) << (place.chunk & 31), k.pointer(Crowded, c.i32), place.chunk >> 5);
            k.atomicAdd(k.i32(1), k.pointer(Crowded, c.i32), k.i32(c.s.crowdedWords()));
          });
        });
  });
}

} // namespace

void Chunks::emitChunkQueries() {
  SmallVector<DeviceOperand> operands{s.u,    s.bounds, lists.keys, lists.sums, kappa,      base,
                                      offset, s.hi,     s.lo,       s.kappa,    s.firstNan, s.crowded};
  if (hasPlaces())
    operands.push_back(places);
  // As many as shared memory has room for; registers must not allow fewer.
  const int32_t resident = chunkThreads == 128 ? 5 : 2;
  steps.kernel("chunk_queries", chunkBlocks(), chunkThreads, operands, [&](KernelCode &k) {
    k.function->setAttr("nvvm.minctasm", k.b.getI32IntegerAttr(resident));
    emitChunk(*this, k);
  });
}

} // namespace heddle::gpu::chunked
