// Thresholds of f32 scores. Candidates are cut into chunks of 256. The thresholds at both ends of a chunk are
// solved first, for all chunks at once. Between them tau only rises, so of the candidates before the chunk
//   - those that may die, with scores in (tau_left, tau_right],
//   - those that may leave saturation, in [tau_left + 1, tau_right + 1), and
//   - those that may be kappa, between kappa_left and kappa_right,
// are taken one by one, with the chunk's own; the others are in every support of the chunk or saturated
// throughout: a count and a sum. For any scores that is at most about three keys for every key of the row.
// ChunkQueries.cpp solves the queries of a chunk with them. A chunk with too many has its queries solved one
// by one from the lists.
#include "compiler/conversion/SparseKToGPU/ChunkedThresholds.h"
#include "compiler/conversion/SparseKToGPU/Order.h"
#include "compiler/conversion/SparseKToGPU/Sweep.h"

using namespace mlir;

namespace heddle::gpu {
namespace chunked {

void Chunks::emitBoundaries() {
  // First the left ends, then the right ones, most of which nobody asks for.
  constexpr int64_t solvingWarps = 4;
  // Searches wait for memory, one load after the other: the more warps the better, as long as nothing spills.
  const int32_t resident = geometry.mostLists <= warpSize ? 6 : geometry.mostLists <= 2 * warpSize ? 5 : 4;
  const int64_t all = rows.rows * chunks;
  const int64_t blocks = (all + solvingWarps - 1) / solvingWarps;
  steps.kernel(
      "boundaries", 2 * blocks, solvingWarps * warpSize,
      {s.u, s.bounds, lists.keys, lists.sums, kappa, base, offset}, [&](KernelCode &k) {
        k.function->setAttr("nvvm.minctasm", k.b.getI32IntegerAttr(resident));
        Scalar isRight = k.block() >= blocks;
        Scalar number = (k.block() - k.select(isRight, k.i32(blocks), k.i32(0))) * solvingWarps + k.warp();
        k.when(number < all, [&] {
          // Warps of a block, and blocks beside each other, search the same lists.
          Place p{number, k.cast(number / chunks, i64), (number % chunks) * chunkSize};
          Piece piece = pieceOf(k, k.pointer(1, i32), p.start);
          k.when(piece.exists & (!isRight | piece.isLast), [&] {
            ListCode code = listCode(k, 2);
            Scalar stop = k.select(isRight, piece.stop, piece.first), whole = stop - stop % chunkSize;
            PrefixThreshold t =
                solvePrefix(code, s.topk, k.pointer(0, f32), {p.row, piece.start, whole, stop});
            k.when(k.lane() == 0, [&] { solved(k, 4).store(k, t, (p.chunk << 1) + k.cast(isRight, i32)); });
          });
        });
      });
}

namespace {

/// The kernel that solves queries of crowded chunks one by one.
class Crowded {
public:
  Crowded(Chunks &c, KernelCode &k) : c(c), k(k), i32(c.i32), i64(c.i64), f32(c.f32) {}
  static constexpr int64_t warps = 4, queries = 8, slices = chunkSize / queries;

  /// Warps share the work, slices of queries of a chunk. All go through the marks of crowded chunks, of which
  /// most calls have none.
  void emit() {
    const int64_t words = (c.rows.rows * c.chunks + 31) / 32;
    Pointer marks = k.pointer(4, i32);
    Scalar mine = k.block() * warps + k.warp(), all = k.blocks() * warps;
    Scalar isAny = k.load(marks, k.i32(c.s.crowdedWords())) != 0,
           looked = k.select(isAny, k.i32(words), k.i32(0));
    k.loop(k.i32(0), looked, k.i32(warpSize), {k.i32(0)}, [&](Scalar first, ArrayRef<Scalar> before) {
      Scalar word = k.choose(
          first + k.lane() < words, [&] { return Scalars{k.load(marks, first + k.lane())}; },
          [&] { return Scalars{k.i32(0)}; })[0];
      Scalar upTo = k.warpInclusiveScan(k.countOnes(word), [](Scalar a, Scalar b) { return a + b; });
      Scalar here = k.shuffleFrom(upTo, k.i32(warpSize - 1)), begin = before[0], end = begin + here * slices;
      Scalar start = begin + ((mine - begin % all) + all) % all;
      k.loop(start, end, all, [&](Scalar task) {
        Scalar number = (task - begin) / slices;
        Scalar lane = k.trailingZeros(k.ballot(upTo > number));
        Scalar bits = k.shuffleFrom(word, lane),
               skipped = number - (k.shuffleFrom(upTo, lane) - k.countOnes(bits));
        Scalar bit = nthBit(k, bits, skipped);
        solveSlice((first + lane) * 32 + bit, (task - begin) % slices);
      });
      return Scalars{end};
    });
  }

private:
  void solveSlice(Scalar chunk, Scalar slice) {
    const ScoreRows &rows = c.rows;
    Scalar row = k.cast(chunk / c.chunks, i64), chunkStart = (chunk % c.chunks) * chunkSize;
    Piece piece = c.pieceOf(k, k.pointer(1, i32), chunkStart);
    Scalar from = chunkStart + slice * queries;
    Scalar first = k.max(from, k.select(piece.first > chunkStart, piece.first - 1, chunkStart));
    Scalar last = k.min(from + queries, piece.stop);
    ThresholdBracket ends = c.ends(k, c.solved(k, 8), chunk, piece);
    ListCode code = c.listCode(k, 2);
    Pointer u = k.offset(k.pointer(0, f32), row * rows.n);
    PrefixExtent extent{row, piece.start, chunkStart, chunkStart};
    PrefixRanges ranges = rangesBetween(code, extent, ends);
    k.loop(first, last, k.i32(1), ends.left.values(), [&](Scalar key, ArrayRef<Scalar> before) {
      PrefixThreshold old = PrefixThreshold::of(before);
      // What joins at or below tau changes nothing.
      Scalar x = k.cast(clampScore(k, k.load(u, key)), c.f64);
      Scalar same = (key > first) & (x - old.base <= old.offset);
      PrefixThreshold t = PrefixThreshold::of(k.choose(
          same, [&] { return old.values(); },
          [&] {
            ThresholdBracket bracket{old, ends.right};
            extent.stop = key + 1;
            return solvePrefix(code, c.s.topk, k.pointer(0, f32), extent, bracket, ranges, ends.left.kappa)
                .values();
          }));
      k.when(k.lane() == 0, [&] {
        Scalar query = row * rows.n + k.cast(key + rows.window, i64);
        auto [hi, lo] = thresholdPair(k, f32, t.base, t.offset, t.died - t.base);
        k.store(hi, k.pointer(5, f32), query);
        k.store(k.select(t.isGap(), k.constant(f32, 0.0), lo), k.pointer(6, f32), query);
        k.store(t.kappa, k.pointer(7, i64), query);
      });
      return t.values();
    });
  }

  Chunks &c;
  KernelCode &k;
  Type i32, i64, f32;
};

} // namespace

void Chunks::emitCrowded() {
  const int64_t tasks = rows.rows * chunks * Crowded::slices;
  // Registers leave room for two blocks on each multiprocessor, of which a large chip has 132.
  const int64_t blocks = std::min<int64_t>((tasks + Crowded::warps - 1) / Crowded::warps, 264);
  steps.kernel("crowded", blocks, Crowded::warps * warpSize,
               {s.u, s.bounds, lists.keys, lists.sums, s.crowded, s.hi, s.lo, s.kappa, kappa, base, offset},
               [&](KernelCode &k) { Crowded(*this, k).emit(); });
}

} // namespace chunked

void emitChunkedThresholds(StepBuilder &steps, ThresholdBuffers &buffers, const ThresholdTuning &tuning) {
  chunked::Chunks(steps, buffers, tuning).emit();
}

} // namespace heddle::gpu
