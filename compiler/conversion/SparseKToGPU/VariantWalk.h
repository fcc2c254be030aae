// The keys that the queries of a tile see in a variant, and the pairs that its block computes. Internal to
// this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/KeyWalk.h"
#include "compiler/conversion/SparseKToGPU/VariantCode.h"

namespace heddle::gpu::attention {

/// What a kernel knows of a variant besides its matrices.
struct VariantInputs {
  const VariantBlock &block;
  llvm::SmallVector<Pointer, 4> captures;
  Reports reports;
};

/// The pairs of a variant. With `masked` the visibility is evaluated.
class VariantPairs : public Pairs {
public:
  VariantPairs(TileCode &t, const Plan &plan, const VariantInputs &inputs, Scalar batch, Scalar head,
               bool masked);

  double productFactor() const override { return p.spec.scale; }
  Pair pair(const QuerySide &query, const KeySide &key, Scalar product) override;
  PairAdjoint adjoint(const Pair &pair, Scalar product, Scalar dscore, Scalar dgate) override;
  bool hasGate() const override { return !inputs.block.isConstant(inputs.block.gate, 1); }

protected:
  TileCode &t;
  KernelCode &k;
  const Plan &p;
  const VariantInputs &inputs;
  VariantCode code;

private:
  const bool masked;
  llvm::SmallVector<mlir::Operation *> needed; ///< operations of the block that a pair is computed from
};

/// The interval of keys that a query sees by the bounds of the visibility, or of queries that see a key,
/// within [0, extent); an empty one is [extent, 0). i32.
struct Interval {
  Scalar from, until;
};
Interval boundedInterval(KernelCode &k, VariantCode &code, const VariantBlock &block, bool onKeys,
                         int64_t extent);

/// Whether a pair within the bounds on keys (or on queries) alone is visible.
bool boundsSettle(const VariantBlock &block, bool onKeys);

/// The least and the greatest begin and end of the intervals of a tile, for all threads.
struct TileBounds {
  Scalar leastFrom, mostFrom, leastUntil, mostUntil;
};
TileBounds reduceBounds(KernelCode &k, const Interval &interval);

class VariantWalk : public KeyWalk {
public:
  VariantWalk(TileCode &t, const Plan &plan, const ProgramBuilder &builder, const WalkOperands &operands,
              const VariantInputs &inputs)
      : KeyWalk(t, plan, builder, operands), inputs(inputs) {}

  void start(Scalar head, Scalar tile, Scalar first, Scalar count) override;
  Scalars withPairs(const KeyBlock &block, bool derivative, PairsUse body) override;

protected:
  Scalar maskedBlock(Scalar number) override;
  /// The pairs of the current tile.
  virtual std::unique_ptr<VariantPairs> makePairs(bool masked);

  const VariantInputs &inputs;
  Scalar batch, headOfBatch;

private:
  TileBounds bounds;
};

} // namespace heddle::gpu::attention
