#include "compiler/conversion/SparseKToGPU/MarkedTiles.h"
#include "compiler/conversion/SparseKToGPU/Warpgroup.h"

namespace heddle::gpu::attention {

/// Of a tile: those that multiply have 16 queries each.
static int64_t warpsOf(const Plan &plan) { return plan.walk.tile / 16; }

TileMarks emitTileMarks(ProgramBuilder &builder, const Plan &plan) {
  TileMarks marks{builder.reserve(plan.queryTiles() * warpsOf(plan) * 4), builder.reserve(4)};
  const unsigned cleared = builder.take(marks.any);
  builder.kernel("unmark", 1, warpSize, [&](KernelCode &k) {
    k.when(k.thread() == 0, [&] { k.store(k.i32(0), k.pointer(cleared, k.i32Type()), k.i32(0)); });
  });
  return marks;
}

TileMarkNumbers takeTileMarks(ProgramBuilder &builder, const TileMarks &marks) {
  const unsigned words = builder.take(marks.words);
  return {words, builder.take(marks.any)};
}

Scalar anyTileMarked(KernelCode &k, const TileMarkNumbers &numbers) {
  return k.load(k.pointer(numbers.any, k.i32Type()), k.i32(0)) != 0;
}

void forEachMarkedTile(KernelCode &k, const Plan &plan, const TileMarkNumbers &numbers,
                       llvm::function_ref<void(Scalar number)> body) {
  Pointer words = k.pointer(numbers.words, k.i32Type());
  k.loop(k.block(), k.i32(plan.queryTiles()), k.blocks(), [&](Scalar number) {
    Scalar at = k.cast(number, k.i64Type()) * warpsOf(plan);
    Scalar word = k.load(words, at + k.cast(k.min(k.lane(), k.i32(warpsOf(plan) - 1)), k.i64Type()));
    k.when(k.ballot(word != 0) != 0, [&] {
      body(number);
      k.barrier(); // before the next tile's rows come
    });
  });
}

} // namespace heddle::gpu::attention
