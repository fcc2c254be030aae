// What the warpgroups that multiply have in common: each has 64 queries of a tile, a warp 16 of them, and
// takes the ring's blocks of keys in turns with the others. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/Warpgroup.h"

namespace heddle::gpu::attention {

class WarpgroupQueries {
protected:
  /// `warpgroup`: of those that multiply.
  WarpgroupQueries(WarpgroupCode &code, Scalar warpgroup)
      : c(code), k(code.k), p(code.p), block(code.w.block), warpgroup(warpgroup) {}

  void start(); ///< before everything else

  // ---- Rows of the tile ----

  /// Copies the warpgroup's rows of a tile in the background, to `start` in shared memory.
  void copyRows(const WarpgroupTile &tile, Pointer from, int64_t width, int64_t start);
  /// The matrix of the rows that copyRows put there. Matrices are described where they are used: registers
  /// are few.
  Scalar describeRows(int64_t start) {
    return describeMatrix(k, computeHere(k, warpgroup) * (64 * panelRowBytes) + c.address(start));
  }
  /// That of a stage of `bytes` of keys or values.
  Scalar describeStage(int64_t start, int64_t bytes, Scalar stage, bool across = false) {
    return describeMatrix(k, computeHere(k, stage) * bytes + c.address(start), across, block * panelRowBytes);
  }
  /// What startRows wants of a tile, loaded: i32 and f32.
  Scalars loadSides(const WarpgroupTile &tile);
  size_t sideCount() const { return (p.spec.topk > 0 ? 2 : 0) + (p.spec.packed ? 2 : 0); }
  void startRows(const WarpgroupTile &tile, llvm::ArrayRef<Scalar> sides);
  /// Lets `load` start the copies of the next tile's rows where this block was the last one to read them.
  void whenLast(const WarpgroupTile &tile, Scalar number, llvm::function_ref<void()> load);
  /// Until the copies that this warpgroup has started are there for its products.
  void awaitRows();

  // ---- Turns and stages ----

  /// The first turn is passed before all tiles, the last one is taken after them.
  void startTurns() {
    k.when(warpgroup == c.w.warpgroups - 1, [&] { passTurn(); });
  }
  void endTurns() {
    k.when(warpgroup == 0, [&] { awaitTurn(); });
  }
  void joinOwn() { joinBarrier(k, computeHere(k, c.thread) / warpgroupThreads, warpgroupThreads); }
  void awaitTurn() { joinBarrier(k, computeHere(k, warpgroup) + firstTurn, 2 * warpgroupThreads); }
  /// The one that has the next turn.
  Scalar following() {
    Scalar here = computeHere(k, warpgroup);
    if (c.w.warpgroups == 2)
      return 1 - here;
    return k.select(here == c.w.warpgroups - 1, k.i32(0), here + 1);
  }
  void passTurn() { arriveAtBarrier(k, firstTurn + following(), 2 * warpgroupThreads); }
  void await(WarpgroupCode::Barrier which, RingPlace place);
  void release(WarpgroupCode::Barrier which, Scalar stage);

  // ---- Products ----

  /// Rows of the tile times those of a stage: [64, block].
  Sums multiplyRows(Scalar rows, Scalar stage, int64_t width);
  /// sums + weights times rows of a stage, which are `across`; weights as packed pairs.
  Sums multiplyWeights(const Sums &sums, llvm::ArrayRef<Scalar> weights, Scalar stage, int64_t width);
  Scalars packed(llvm::ArrayRef<Scalar> x);

  // ---- Which pairs are seen ----

  struct Kind {
    Scalar unseen, selected, masked; ///< i1, of a warp
  };
  Kind kindOf(const WarpgroupTile &tile, Scalar number);
  /// A zero for blocks that nobody sees: computed there, not ahead of the branch beside products.
  Scalar nothingHere() { return k.bitcast(computeHere(k, k.i32(0)), k.f32Type()); }
  /// Emits `seen` for each kind of a block of which some pair may be seen, `unseen` for the other one.
  /// `gate`: whether the keys are selected and pairs depend on their scores.
  Scalars byKind(const Kind &kind, llvm::function_ref<Scalars(bool gate, bool masked)> seen,
                 llvm::function_ref<Scalars()> unseen);
  /// Numbers of this lane's two keys of 8, those of fragment `tile`.
  mlir::Value numbersOf(RingPlace place, int64_t which, int64_t tile);

  // ---- Results ----

  Scalar inTile(const WarpgroupTile &tile, int64_t half) { return tile.first + rows[half] <= tile.last; }
  /// Stores fragments as rows of the tile.
  void storeRows(const WarpgroupTile &tile, Pointer to, int64_t width, llvm::ArrayRef<Scalar> x);
  /// Marks the tile where some of x is not finite.
  void markOdd(const WarpgroupTile &tile, llvm::ArrayRef<Scalar> x);

  WarpgroupCode &c;
  KernelCode &k;
  const Plan &p;
  const int64_t block; ///< keys
  const Scalar warpgroup;
  Scalar warpRow, warpNumber, rows[2], firstColumn;
  Scalar warpFirst, positions[2], minusThresholds[2], sequenceBegin, sequenceEnd; ///< of the tile

  /// Numbers of barriers: a warpgroup's own has its number in the block, 1 to 3; turns follow.
  static constexpr int64_t firstTurn = 4;
};

} // namespace heddle::gpu::attention
