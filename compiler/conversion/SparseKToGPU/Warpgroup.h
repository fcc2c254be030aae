// Attention by products of warpgroups, the forward pass and the gradients of queries: one warpgroup gathers
// keys and values, two or three multiply. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/KeyLists.h"
#include "compiler/conversion/SparseKToGPU/MarkedTiles.h"
#include "compiler/conversion/SparseKToGPU/WarpgroupRows.h"

#include <functional>

namespace heddle::gpu::attention {

/// How shared memory is divided: the tile's queries and, for gradients, the cotangents of their outputs,
/// stages of keys, stages of values, slots of numbers of keys, barriers.
struct WarpgroupPlan {
  static constexpr int64_t numbers = 3; ///< f32 of each key: score, middle and half width of its run

  int64_t warpgroups = 2; ///< that multiply
  int64_t block = 96;     ///< keys that are multiplied at a time
  int64_t keyPanels = 0, valuePanels = 0;
  int64_t cotangentPanels = 0; ///< of the outputs' cotangents: none in the forward pass
  int64_t gatherRegisters = 40, productRegisters = 232; ///< of a thread: 65,536 in all
  /// For gradients one more of keys, which stay for the products of the block after them.
  int64_t keyStages = 0, valueStages = 0;

  int64_t tile() const { return 64 * warpgroups; } ///< queries
  int64_t threads() const { return (1 + warpgroups) * warpgroupThreads; }
  int64_t warps() const { return warpgroups * warpgroupThreads / warpSize; } ///< that multiply
  /// Numbers are read while later keys arrive, up to those of the block that a warp still has to soften.
  int64_t slots() const { return 2 * keyStages; } ///< of numbers of keys: those of odd phases follow the even
  int64_t queryBytes() const { return keyPanels * tile() * panelRowBytes; }
  int64_t cotangentBytes() const { return cotangentPanels * tile() * panelRowBytes; }
  int64_t keyBytes() const { return keyPanels * block * panelRowBytes; }
  int64_t valueBytes() const { return valuePanels * block * panelRowBytes; }
  int64_t bytes() const;

  /// The plan where warpgroups serve: elements of 16 bits, heads whose widths are multiples of 8 up to 128.
  /// `pass`: Forward or QueryGradients.
  static std::optional<WarpgroupPlan> of(const AttentionSpec &spec, const Target &target, Pass pass);
};

/// Puts what the walk over keys wants on the next kernel's list: numbers of parameters that are no arguments
/// of the operation.
struct WarpgroupParameters {
  WarpgroupParameters(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists,
                      const TileMarks &marks);
  TileListNumbers tileLists;
  TileMarkNumbers marks; ///< tiles that are to be computed again
};

/// A tile of queries of one query head and the blocks of keys that they see. i32 but for `list`.
struct WarpgroupTile {
  Scalar number;      ///< head by head
  Scalar rowStart;    ///< of its keys in [row, length]
  Scalar queryStart;  ///< i64, in [query head, length]
  Scalar first, last; ///< queries
  Scalar list;        ///< i64, of its list of keys
  Scalar selectedKeys, wholeKeys, selectedBlocks, blocks;
  Scalar windowBegin, windowEnd;
  Scalar index;   ///< as tileAt takes it
  Scalar hasNext; ///< i1, whether this block of threads has another tile
  /// Loads what the next tile's walk depends on: once.
  std::function<void()> lookAhead;
};

/// What both roles know.
class WarpgroupCode {
public:
  WarpgroupCode(KernelCode &k, const Plan &plan, const WarpgroupPlan &sizes, const ProgramBuilder &builder,
                const WarpgroupParameters &parameters);

  /// Runs body for this block's tiles, one after the other.
  void forEachTile(llvm::ArrayRef<Scalar> init,
                   llvm::function_ref<Scalars(const WarpgroupTile &, llvm::ArrayRef<Scalar>)> body);
  /// The position of a tile that forEachTile counts as `index`.
  WarpgroupTile tileAt(Scalar index);
  /// As tileAt takes it: of the tile after this one, of this one where there is none.
  Scalar nextIndex(const WarpgroupTile &tile);
  /// What scores are measured from, so that thresholds of the tile are small numbers: the last one's key.
  Scalar center(const WarpgroupTile &tile);

  RingPlace nextKeys(RingPlace place) { return nextPlace(k, place, w.keyStages); }
  RingPlace nextValues(RingPlace place) { return nextPlace(k, place, w.valueStages); }
  Scalar wide(Scalar x) { return k.cast(x, k.i64Type()); }
  Scalar address(int64_t bytes) { return shared + bytes; }
  /// Of the numbers of the keys of a stage, in the phase of this parity.
  Scalar numberAddress(Scalar stage, Scalar parity, int64_t which) {
    return (parity * w.keyStages + stage) * (WarpgroupPlan::numbers * w.block * 4) +
           (shared + (numbersStart + which * w.block * 4));
  }
  /// A thread's copies of keys come before those of the block's values, and after those of the values before
  /// it: values that are full follow keys that are, and the values before full keys.
  enum Barrier { FullKeys, EmptyKeys, FullValues, EmptyValues };
  /// What tells that a block is there, with the numbers of its keys: for gradients, which do not ask for keys
  /// alone, its values too.
  Barrier fullBlock() const { return w.cotangentPanels > 0 ? FullValues : FullKeys; }
  Scalar barrier(Barrier which, Scalar stage) {
    return (stage << 3) + (shared + (barriersStart + which * w.keyStages * 8));
  }
  void prepareShared(); ///< barriers and what copies never write; ends with a barrier of the block

  KernelCode &k;
  const Plan &p;
  const WarpgroupPlan &w;
  const ProgramBuilder &builder;
  const int64_t n;
  const mlir::Type element;
  Pointer keyRows, valueRows, u, hi, lo, ends, bounds, listKeys, listFull, listTotal;
  Pointer marks, anyMark;
  Scalar thread, lane;
  int64_t cotangentsStart = 0, keysStart = 0, valuesStart = 0; ///< bytes
  /// Whether pairs of selected keys depend on scores and thresholds, beyond being selected.
  bool scored() const { return w.cotangentPanels > 0 ? p.routesValues() : p.gateValues(); }

private:
  Scalars walkAt(Scalar index);

  Scalar shared; ///< the address of everything
  int64_t numbersStart = 0, barriersStart = 0;
};

using WarpgroupConsumer = llvm::function_ref<void(WarpgroupCode &code, Scalar warpgroup)>;

/// The body of the kernel, for blocks of WarpgroupPlan::threads() threads, as many as there are
/// multiprocessors.
void emitWarpgroupKernel(KernelCode &k, const Plan &plan, const WarpgroupPlan &sizes,
                         const ProgramBuilder &builder, const WarpgroupParameters &parameters,
                         WarpgroupConsumer consumer);

void emitProducer(WarpgroupCode &code);
/// Those that multiply in the forward pass; `warpgroup` counts them.
void emitForwardConsumer(WarpgroupCode &code, Scalar warpgroup);

/// Numbers of the parameters of the kernel of the gradients of queries: what it tells those of keys, and
/// where the cotangents of thresholds go, [query head, length].
struct QueryGradientParameters {
  unsigned lse = 0, shared = 0;    ///< QueryStatistics
  unsigned centers = 0, below = 0; ///< RelativeThresholds, where pairs depend on them
  unsigned tau = 0;
};
void emitQueryGradientConsumer(WarpgroupCode &code, Scalar warpgroup, const QueryGradientParameters &numbers);

} // namespace heddle::gpu::attention
