// The walk over the keys of a tile, block by block, and the frame of a kernel. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToCPU/GatePairs.h"

namespace mlir {
class ModuleOp;
}

namespace heddle::cpu::attention {

/// The arguments of a kernel by name; those that it does not take are null.
struct KernelArguments {
  Value begin, end;
  Buffer q, k, v, u, hi, lo, o, lse, dout, dlse, dq, dk, dv, du, dtau;
  Value ends;                ///< i32 [rows, length]
  Value bounds;              ///< i32 [2, length] of packed sequences
  Value lists, full, total;  ///< i32: tile lists, their whole-tile and total lengths
  Value slotKeys, slotTotal; ///< i32: the keys of a chunk's slots, how many
  Buffer part;               ///< partial sums of dk and dv [wave row, chunk, part row, part width]
  Buffer scorePart;          ///< partial sums of du [wave row, chunk, slot]
  Value firstRow;            ///< the wave's first row
};

/// The first key of a query's window.
Value firstWindowKey(AttentionCode &v, const KernelArguments &args, Value query);

/// What the keys of a block are: of one kind that is known now, or of either.
struct BlockKind {
  bool maySelect = false, mayWindow = false;
  Value selected; ///< i1, where both are possible

  /// Emits `body` for each possible kind, under a condition where there are two; it returns values of these
  /// types.
  Values each(AttentionCode &v, mlir::TypeRange types, llvm::function_ref<Values(bool selected)> body) const;
};

/// Calls `use` with the panel's part of a block and whether some of its pairs are masked, where it has any
/// part.
using PanelUse = llvm::function_ref<void(const PanelRange &range, Value masked)>;
using PanelRangeOf = llvm::function_ref<void(Value panelStart, PanelUse use)>;
using BlockUse = llvm::function_ref<void(const KeyBlock &block, PanelRangeOf rangeOf)>;
using PairsUse = llvm::function_ref<Values(Pairs &pairs)>;

/// A tile of the queries of a key-value head: tile number `tile` of `row`, `count` queries from `first` on.
struct QueryTile {
  Value row, tile, first, count;
};

/// Which keys the queries of a tile see, block by block, and what their pairs are.
class KeyWalk {
public:
  virtual ~KeyWalk() = default;

  virtual void startTile(const QueryTile &tile) = 0;
  /// Loops over the blocks of the query heads of the group from `firstHead` on.
  virtual void forEachBlock(Value firstHead, BlockUse body) = 0;
  /// Emits `body` for each kind of pairs that a panel's part of the current block may hold, under a condition
  /// where there are several; it returns values of these types. `head` is the query head within the group.
  virtual Values withPairs(mlir::TypeRange types, Value head, const PanelRange &range, Value masked,
                           PairsUse body) = 0;
  virtual bool hasGates() const = 0;
  /// Whether key j of the block counts for the queries of a vector, where the block is not finite.
  virtual Value takesPart(const PanelRange &range, Value j, int64_t part, Value weight) = 0;
  /// Which of the lanes of queries from `at` on must become NaN, if any may have to.
  virtual Value brokenQueries(Value at) { return {}; }
};

/// The walk of SPARSEK: the selected keys, where the plan has any, and then the window's. One loop for both,
/// so that the products are emitted once.
class KeyBlocks : public KeyWalk {
public:
  /// Allocates the block's buffers: at the top of a kernel.
  KeyBlocks(AttentionCode &v, const KernelArguments &arguments);

  void startTile(const QueryTile &tile) override;
  void forEachBlock(Value firstHead, BlockUse body) override;
  Values withPairs(mlir::TypeRange types, Value head, const PanelRange &range, Value masked,
                   PairsUse body) override;
  /// The same, with what the pairs of SPARSEK know besides.
  Values withGatePairs(mlir::TypeRange types, const PanelRange &range, Value masked,
                       llvm::function_ref<Values(GatePairs &pairs)> body);
  bool hasGates() const override { return p.gateValues(); }
  Value takesPart(const PanelRange &range, Value j, int64_t part, Value weight) override;
  Value brokenQueries(Value at) override;

  BlockKind kind;                     ///< of the current block
  Value blockCount;                   ///< its keys
  GateGradients *gradients = nullptr; ///< of the passes of derivatives

private:
  void gatherSelected(Value start);
  void gatherWindow(Value start);
  void padSlots();
  void storeInterval(Value position, Value from, Value until);

  AttentionCode &v;
  const Plan &p;
  const KernelArguments &args;
  KeyBlock block;
  Buffer hi, lo; ///< thresholds of the tile [tile]; zero beyond its queries
  Value row, tile, first, count;
  Value list, whole, selectedKeys; ///< the tile's list: its number, whole-tile keys, all keys
  Value windowBegin, windowEnd;    ///< the keys of the tile's windows
};

/// The body of the forward kernel; a task is a tile.
void emitForwardKernel(AttentionCode &v, const KernelArguments &args, KeyWalk &walk);

/// Reserves the lists of selected keys and describes the runtime call that fills them; returns the operands
/// lists, full, total.
llvm::SmallVector<AttentionOperand, 3> takeTileLists(const Plan &plan, Workspace &workspace,
                                                     AttentionStep &call);

/// Adds the function of a step to the module and emits its body. Operands are matched to `KernelArguments` by
/// argument, those of the workspace in the order lists, full, total, slotKeys, slotTotal and part, scorePart;
/// the integer is firstRow.
void emitKernel(mlir::OpBuilder &builder, mlir::ModuleOp module, const Plan &plan, const AttentionStep &step,
                llvm::function_ref<void(AttentionCode &, const KernelArguments &)> body);

} // namespace heddle::cpu::attention
