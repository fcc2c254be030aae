// The walk of a tile of queries over the keys that they see, block by block: the selected ones first, then
// the window's. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/KeyLists.h"
#include "compiler/conversion/SparseKToGPU/OddRows.h"
#include "compiler/conversion/SparseKToGPU/Pairs.h"

namespace heddle::gpu::attention {

/// A block of keys in shared memory, and what is known of each.
struct KeyBlock {
  SharedRows keys, values;
  SharedRows keyTangents, valueTangents; ///< where they have any
  Pointer number, from, until, score, scoreTangent;
  Scalar selected; ///< i1: of the selected keys, or of the window
  Scalar masked;   ///< i1: whether some query of this warp may not see some key
};

/// Puts the wanted operands of a walk on the next kernel's list.
struct WalkOperands {
  WalkOperands(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists,
               const OddRows *odd = nullptr);
  TileListNumbers tileLists;
  bool oddKeys = false, oddValues = false; ///< whether rows of these that are not finite are marked
  unsigned marks = 0;
};

class KeyWalk {
public:
  virtual ~KeyWalk() = default;
  /// Takes shared memory: once, before the walk.
  KeyWalk(TileCode &t, const Plan &plan, const ProgramBuilder &builder, const WalkOperands &operands);

  /// The tile: `count` queries from `first` on of query head `head` (counted over the batch), the tile's
  /// number within it. i32.
  virtual void start(Scalar head, Scalar tile, Scalar first, Scalar count);

  using Body = llvm::function_ref<Scalars(const KeyBlock &block, llvm::ArrayRef<Scalar> carried)>;
  /// Rows that were staged before are there when `body` runs for the first time.
  Scalars forEachBlock(llvm::ArrayRef<Scalar> init, Body body);

  using PairsUse = llvm::function_ref<Scalars(Pairs &pairs)>;
  /// Emits `body` for each kind of pairs that a block may hold, under conditions where there are several;
  /// what it returns has the same types for all.
  virtual Scalars withPairs(const KeyBlock &block, bool derivative, PairsUse body);
  /// The same, with what the pairs of SPARSEK know besides.
  Scalars withGatePairs(const KeyBlock &block, bool derivative,
                        llvm::function_ref<Scalars(GatePairs &pairs, bool masked)> body);

  /// Adds to the output what marked values of the block give, which its rows hold as zeros.
  Fragment addOddValues(const KeyBlock &block, Fragment output, Fragment weights);

  QuerySide querySide(int64_t half); ///< of this lane's rows
  KeySide keySide(const KeyBlock &block, int64_t tile, int64_t column);
  Scalar keyNumber(Pointer of, int64_t tile, int64_t column) { return k.load(of, t.column(tile) + column); }

protected:
  /// The queries of a tile, and their keys [begin, end) without a selection.
  void startRange(Scalar row, Scalar first, Scalar count, Scalar begin, Scalar end);
  virtual Scalar maskedBlock(Scalar number);

  TileCode &t;
  KernelCode &k;
  const Plan &p;
  Scalar first, lastQuery, windowBegin, windowEnd;

private:
  void startTile(Scalar row, Scalar first, Scalar count);
  /// What a thread knows of a key of block `number`: key (-1: none), from, until, and where keys are selected
  /// the score and its tangent.
  Scalars loadKey(Scalar number);
  /// A key with its mark: as it is kept in shared memory.
  Scalar marked(Scalar key);
  void storeKey(Scalar number, llvm::ArrayRef<Scalar> key);
  void stageBlock(Scalar number);
  KeyBlock blockOf(Scalar number);

  const int64_t n;
  const bool oddKeys, oddValues;
  Pointer marks;

  Pointer keyRows, valueRows, keyTangentRows, valueTangentRows;
  Pointer u, hi, lo, ends, bounds, du, listKeys, listFull, listTotal;
  SharedRows keys, values, keyTangents, valueTangents; ///< all stages
  Pointer number, from, until, score, scoreTangent;    ///< [ring, block]

  Scalar rowStart; ///< i64: of what has one element per key
  Scalar list;     ///< i64: of the tile's list
  Scalar selectedKeys, wholeKeys, selectedBlocks, blocks;
  Scalar warpFirst, sequenceBegin, sequenceEnd; ///< of this warp's first query
};

/// The body of the forward kernel; a block of threads has a tile of queries of one query head.
void emitForwardKernel(TileCode &t, const Plan &plan, const ProgramBuilder &builder, KeyWalk &walk);

} // namespace heddle::gpu::attention
