// The cotangents of a variant's captures. Internal to this folder.
//
// A sparsek.accumulate adds to an element that depends on the query, on the key, or on both. The sums over
// the keys of a query, and over the queries of a key, are made where the pairs are and kept, one number for
// each query or key of each query head. What depends on both is added to a copy of the capture that belongs
// to the task: to those axes whose index depends on query or key, for each query head of the group. In the
// end all of them are added, in the order of batches, heads and positions.
#pragma once

#include "compiler/conversion/SparseKToCPU/VariantWalk.h"

namespace heddle::cpu::attention {

/// A site and where its sums are kept.
struct SiteSums {
  const Site *site;
  VariantOperand
      sums; ///< Queries, Keys: [batch, query head, padded length]; Scattered: [task, head of group, inner]
  int64_t inner = 1; ///< elements of the axes that depend on query or key
  /// Scattered, but one axis is the query: tiles write elements of their own, and no copies are needed.
  bool isDirect = false;
  mlir::VectorType lanes; ///< of f32 or f64
};

/// All sites of a backward pass, with the accumulators of the captures.
class VariantSites {
public:
  explicit VariantSites(VariantBuilder &builder);

  llvm::SmallVector<SiteSums, 4> sums;
  int64_t chunkTiles = 1; ///< tiles of a task of the queries' kernel
  int64_t waveRows = 1;   ///< rows whose tasks have copies at the same time
  int64_t paddedQueries = 0, paddedKeys = 0;

  int64_t chunks() const;
  bool has(Site::Kind kind) const;
  mlir::Type accumulator(int64_t capture) const; ///< f64 for f64, else f32

  /// Adds the operands of the sites of these kinds to the kernel to be emitted.
  void addOperands(llvm::ArrayRef<Site::Kind> kinds);
  /// The memref of the sums, or of the accumulator of a direct site: within a kernel.
  Value memref(const SiteSums &sums) const;

  /// The kernels that set the accumulators to zero; that add the copies of a wave; that add the other sums
  /// and round.
  void emitClear();
  void emitScattered(); ///< followed by one step for each wave
  void pushScattered(int64_t firstRow, int64_t rows);
  void emitGather();

private:
  /// The position among the axes of `shape` that are there, as an offset among all.
  static Value expand(AttentionCode &v, Value position, llvm::ArrayRef<int64_t> shape,
                      llvm::function_ref<bool(unsigned axis)> isThere);
  void addSums(AttentionCode &v, const SiteSums &entry, Value from, Value total, const struct LaneRoom &room);

  VariantBuilder &builder;
  const VariantPlan &p;
  llvm::SmallVector<VariantOperand, 4> accumulators; ///< by capture; without a type where not wanted
  llvm::DenseMap<const Site *, int> numbers;
  /// Whether the indices of a direct site are apart for all batches and heads.
  bool rowsAreApart(const Site &site) const;
  bool isDirect(const Site &site) const;

  llvm::SmallVector<VariantStep, 2> scatteredSteps;
};

/// Scratch for the values and offsets of a vector.
struct LaneRoom {
  Value values, offsets;
};
LaneRoom laneRoom(AttentionCode &v, mlir::Type element);
/// Adds lanes to the elements of `memref` at a place, in the order of the lanes.
void addLanes(AttentionCode &v, const VariantCode::Place &place, Value values, Value memref, Value base,
              const LaneRoom &room);

/// The pairs of the backward pass, adding at the sites of the given kinds.
class VariantAdjoint : public VariantPairs {
public:
  struct Target {
    const SiteSums *sums;
    Value memref; ///< Keys: [keyBlock, lanes] in scratch
    Value base;   ///< Queries: of the panel; Scattered: of the task and head
    LaneRoom room;
  };
  VariantAdjoint(AttentionCode &v, VariantBuilder &builder, const Reports &reports, const PairsPlace &place,
                 bool masked, llvm::ArrayRef<Target> targets);

  Values carried() override;
  Value adjoint(Value j, int64_t part, const Pair &pair, Value product, Value dscore, Value dgate,
                llvm::MutableArrayRef<Value> carried) override;
  void endKey(Value j) override;
  void finish(mlir::ValueRange carried) override;

private:
  static llvm::SmallVector<Value> roots(const VariantBlock &block, llvm::ArrayRef<Target> targets);

  llvm::SmallVector<Target, 4> targets;
  Values keyParts; ///< of the key so far
};

} // namespace heddle::cpu::attention
