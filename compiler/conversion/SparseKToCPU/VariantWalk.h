// The keys that the queries of a tile see in a variant, and the pairs that its block computes. Internal to
// this folder.
#pragma once

#include "compiler/conversion/SparseKToCPU/KeyBlocks.h"
#include "compiler/conversion/SparseKToCPU/VariantPlan.h"

namespace heddle::cpu::attention {

/// Where a panel and a block of keys meet.
struct PairsPlace {
  Value headOfGroup;
  Value batch, head; ///< head: of the queries
  Value firstQuery;  ///< of the panel
  Value firstKey;    ///< of the block
};

/// The pairs of a variant. With `masked` the visibility is evaluated.
class VariantPairs : public Pairs {
public:
  VariantPairs(AttentionCode &v, const VariantBlock &block, llvm::ArrayRef<Value> captures,
               const Reports &reports, const PairsPlace &place, bool masked,
               llvm::ArrayRef<Value> adjointRoots = {});

  Pair pair(Value j, int64_t part, Value product) override;
  bool mayVanish() const override { return masked || block.score != block.s; }
  bool hasGate() const override { return !block.isConstant(block.gate, 1); }
  Value adjoint(Value j, int64_t part, const Pair &pair, Value product, Value dscore, Value dgate,
                llvm::MutableArrayRef<Value> carried) override;

protected:
  AttentionCode &v;
  const VariantBlock &block;
  VariantCode code;

private:
  const Reports &reports;
  PairsPlace place;
  bool masked;
  llvm::SmallVector<mlir::Operation *> forward,
      all; ///< operations of the block: for `pair`, and for `adjoint` too
};

class VariantWalk : public KeyWalk {
public:
  VariantWalk(AttentionCode &v, VariantBuilder &builder, const KernelArguments &arguments);

  void startTile(const QueryTile &tile) override;
  void forEachBlock(Value firstHead, BlockUse body) override;
  Values withPairs(mlir::TypeRange types, Value head, const PanelRange &range, Value masked,
                   PairsUse body) override;
  bool hasGates() const override { return !p.block.isConstant(p.block.gate, 1); }
  Value takesPart(const PanelRange &range, Value j, int64_t part, Value weight) override;

  /// The keys [begin, end) of a block that queries of a panel see, relative to the block, whether some of
  /// these pairs are masked, and whether there are any.
  struct Meeting {
    Value begin, end, masked, any;
  };
  static Meeting meet(AttentionCode &v, const VariantPlan &p, const BoundTables &tables, Value boundRow,
                      Value panelStart, Value firstKey, Value keyCount);

protected:
  virtual Values emitPairs(const PairsPlace &place, bool masked, PairsUse body);

  AttentionCode &v;
  const VariantPlan &p;
  VariantBuilder &builder;

private:
  const KernelArguments &args;
  KeyBlock block;
  QueryTile queries;
  Value batch, firstHeadOfRow, bounds; ///< bounds: the row of the tables
  Value start;                         ///< first key of the block
};

/// Emits `body` with the pairs of a place, masked or not as the condition says; only for the case that can
/// be.
Values withVariantPairs(AttentionCode &v, const VariantBlock &block, mlir::TypeRange types, Value masked,
                        llvm::function_ref<Values(bool masked)> body);

} // namespace heddle::cpu::attention
