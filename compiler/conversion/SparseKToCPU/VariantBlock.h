// What is known of a variant's block before it runs: on what its values depend, which integers they can be,
// and which keys and queries its visibility leaves. Internal to this folder.
#pragma once

#include "dialects/sparsek/IR/SparseK.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <string>

namespace heddle::cpu::attention {

/// What a value of the block depends on, as bits. OnPair: on s or a cotangent.
enum Dependence : unsigned { OnBatch = 1, OnHead = 2, OnQuery = 4, OnKey = 8, OnPair = 16 };

/// The integers from low to high.
struct Range {
  int64_t low, high;
  bool isWithin(int64_t least, int64_t most) const { return low >= least && high <= most; }
};

/// i query + j key + constant + the sum of coefficient times value, where no part of it wraps.
struct Affine {
  int64_t i = 0, j = 0, constant = 0;
  llvm::SmallVector<std::pair<mlir::Value, int64_t>, 2> others; ///< each value once

  bool hasEqualTerms(const Affine &other) const;
};

Affine operator*(const Affine &x, int64_t factor);
Affine operator+(const Affine &x, const Affine &y);

/// A consequence of the visibility: the key of a visible pair is at least (KeyFrom) or below (KeyUntil) a
/// limit that depends on its query alone, or the other way round, or a condition on one of the two holds.
struct Bound {
  enum Kind { KeyFrom, KeyUntil, QueryFrom, QueryUntil, QueryIf, KeyIf } kind;
  Affine limit;
  mlir::Value condition;

  bool isOnKeys() const { return kind == KeyFrom || kind == KeyUntil || kind == QueryIf; }
};

/// One sparsek.accumulate: where it adds to decides how it is summed up.
struct Site {
  sparsek::AccumulateOp op;
  int64_t capture; ///< its number
  /// Queries: the indices depend on b, h and i at most. Keys: on b, h and j. Scattered: on both i and j.
  enum Kind { Queries, Keys, Scattered } kind;
  mlir::Value value; ///< before a cast to the capture's narrower type
};

class VariantBlock {
public:
  /// A sparsek.variant_attention or sparsek.variant_attention_backward with static shapes.
  explicit VariantBlock(mlir::Operation *op);

  int64_t batch, queryHeads, queries, keys;

  mlir::BlockArgument s, b, h, i, j, dscore, dgate; ///< the last two in the backward pass
  mlir::Block::BlockArgListType captures;
  mlir::Value score, gate, visible, ds;
  llvm::SmallVector<Site, 4> sites;

  unsigned depends(mlir::Value value) const;
  unsigned depends(const Affine &x) const;
  bool isConstant(mlir::Value value, double number) const;

  /// The integers that an i32 or a truth value is for visible pairs.
  Range range(mlir::Value value) const;
  Affine affine(mlir::Value value) const;

  /// All bounds that follow from the visibility.
  llvm::ArrayRef<Bound> bounds() const { return allBounds; }
  unsigned boundsDepend() const; ///< on b and h
  /// Whether the bounds say all: where they hold the pair is visible.
  bool isBounded() const { return otherTerms.empty(); }
  /// Why no bound limits the work; empty if one does.
  std::string whyUnbounded() const;

  /// Whether the visibility is computed from an operation.
  bool decidesVisibility(mlir::Operation *op) const { return visibleSlice.contains(op); }
  /// The operations that some values are computed from, in their order.
  llvm::SetVector<mlir::Operation *> slice(llvm::ArrayRef<mlir::Value> roots) const;

private:
  Range rangeOf(mlir::Value value, bool visibleOnly) const;
  Range computeRange(mlir::Value value, bool visibleOnly) const;
  /// `condition` is the value that is true where the term is, or negated is not; null if there is none.
  void addTerm(mlir::Value term, bool negated, mlir::Value condition);
  /// Knows that x <= 0 for visible pairs; false if no bound follows.
  bool addConstraint(const Affine &x);

  mlir::Block &block;
  llvm::SmallVector<Affine, 4> constraints; ///< each <= 0
  llvm::SmallVector<Bound, 4> allBounds;
  llvm::SmallVector<mlir::Value, 2> otherTerms;
  llvm::DenseMap<mlir::Value, unsigned> dependence;
  llvm::SetVector<mlir::Operation *> visibleSlice;
  mutable llvm::DenseMap<mlir::Value, Range> ranges[2];
};

} // namespace heddle::cpu::attention
