// Thresholds of f32 scores. Candidates are cut into chunks of 256. The thresholds at both ends of a chunk are
// solved first, for all chunks at once. Between them tau only rises, so of the candidates before the chunk
//   - those that may die, with scores in (tau_left, tau_right],
//   - those that may leave saturation, in [tau_left + 1, tau_right + 1), and
//   - those that may be kappa, between kappa_left and kappa_right,
// are taken one by one, with the chunk's own; the others are in every support of the chunk or saturated
// throughout: a count and a sum. For any scores that is at most about three keys for every key of the row. A
// thread sweeps over them. A chunk with too many of them has its queries solved one by one.
#include "compiler/conversion/SparseKToGPU/ChunkedThresholds.h"
#include "compiler/conversion/SparseKToGPU/Order.h"
#include "compiler/conversion/SparseKToGPU/Sweep.h"

using namespace mlir;

namespace heddle::gpu {
namespace chunked {

void Chunks::emitBoundaries() {
  const int64_t all = rows.rows * chunks * 2;
  steps.kernel("boundaries", (all + solvingWarps - 1) / solvingWarps, solvingWarps * warpSize,
               {s.u, s.bounds, lists.keys, lists.sums, lists.tiles, kappa, base, offset}, [&](KernelCode &k) {
                 Scalar at = k.block() * solvingWarps + k.warp(), chunk = at >> 1, isRight = (at & 1) == 1;
                 k.when(at < all, [&] {
                   Piece piece = pieceOf(k, k.pointer(1, i32), (chunk % chunks) * chunkSize);
                   k.when(piece.exists & (!isRight | piece.isLast), [&] {
                     ListCode code = listCode(k, 2);
                     Scalar row = k.cast(chunk / chunks, i64);
                     PrefixThreshold t = solvePrefix(code, s.topk, k.pointer(0, f32), row, piece.start,
                                                     k.select(isRight, piece.stop, piece.first));
                     k.when(k.lane() == 0, [&] { solved(k, 5).store(k, t, at); });
                   });
                 });
               });
}

void Chunks::emitCrowded() {
  const int64_t slices = chunkSize / (solvingWarps * solvedQueries);
  steps.kernel(
      "crowded", rows.rows * chunks * slices, solvingWarps * warpSize,
      {s.u, s.bounds, lists.keys, lists.sums, lists.tiles, crowded, s.hi, s.lo, s.kappa}, [&](KernelCode &k) {
        Scalar chunk = k.block() / slices;
        k.when(k.load(k.pointer(5, i32), chunk) != 0, [&] {
          Scalar row = k.cast(chunk / chunks, i64), chunkStart = (chunk % chunks) * chunkSize;
          Piece piece = pieceOf(k, k.pointer(1, i32), chunkStart);
          Scalar from = chunkStart + ((k.block() % slices) * solvingWarps + k.warp()) * solvedQueries;
          Scalar first = k.max(from, k.select(piece.first > chunkStart, piece.first - 1, chunkStart));
          Scalar last = k.min(from + solvedQueries, piece.stop);
          ListCode code = listCode(k, 2);
          Pointer u = k.offset(k.pointer(0, f32), row * rows.n);
          Scalar zero = k.constant(f64, 0.0);
          k.loop(
              first, last, k.i32(1), {k.i64(least), zero, zero, zero},
              [&](Scalar key, ArrayRef<Scalar> before) {
                PrefixThreshold old = PrefixThreshold::of(before);
                // What joins at or below tau changes nothing.
                Scalar x = k.cast(clampScore(k, k.load(u, key)), f64);
                Scalar same = (key > first) & (x - old.base <= old.offset);
                PrefixThreshold t = PrefixThreshold::of(k.choose(
                    same, [&] { return old.values(); },
                    [&] {
                      return solvePrefix(code, s.topk, k.pointer(0, f32), row, piece.start, key + 1).values();
                    }));
                k.when(k.lane() == 0, [&] {
                  Scalar query = row * rows.n + k.cast(key + rows.window, i64);
                  auto [hi, lo] = thresholdPair(k, f32, t.base, t.offset, t.died - t.base);
                  k.store(hi, k.pointer(6, f32), query);
                  k.store(k.select(t.isGap(), k.constant(f32, 0.0), lo), k.pointer(7, f32), query);
                  k.store(t.kappa, k.pointer(8, i64), query);
                });
                return t.values();
              });
        });
      });
}

} // namespace chunked

void emitChunkedThresholds(StepBuilder &steps, ThresholdBuffers &buffers) {
  chunked::Chunks(steps, buffers).emit();
}

} // namespace heddle::gpu
