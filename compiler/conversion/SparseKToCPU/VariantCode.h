// The values of a variant's block on lanes: queries are the lanes, a key is a scalar. Internal to this
// folder.
#pragma once

#include "compiler/conversion/SparseKToCPU/AttentionCode.h"
#include "compiler/conversion/SparseKToCPU/VariantBlock.h"

namespace heddle::cpu::attention {

/// What a kernel needs to report an index that is out of range: the call's record and, for each
/// sparsek.read, its message; null where nothing is checked.
struct Reports {
  Value call;
  llvm::DenseMap<mlir::Operation *, Value> messages;
};

/// Emits values of the block, each once, where it is first asked for: ask for what does not depend on the key
/// in front of the loop over keys. A value is a scalar if it does not depend on the query or the pair.
class VariantCode {
public:
  VariantCode(AttentionCode &v, const VariantBlock &block, llvm::ArrayRef<Value> captures)
      : v(v), block(block), captures(captures) {}

  /// Batch and query head, as indices.
  void setRow(Value batch, Value head);
  /// The queries of a panel: vector 0 starts at query `first`. Lanes beyond the last query repeat it.
  void setQueries(Value first);
  /// Forgets what depends on the key or a pair.
  void setKey(Value key);
  /// The arguments s, dscore or dgate of a vector.
  void setPair(Value argument, int64_t part, Value lanes) { at(argument, part) = lanes; }

  Value get(Value value, int64_t part);
  /// The same as a vector.
  Value lanes(Value value, int64_t part) { return asLanes(get(value, part)); }
  Value asLanes(Value x);
  /// A limit as i64 lanes (or a scalar where it does not depend on the query).
  Value limit(const Affine &x, int64_t part);

  /// Whether an index is outside its axis, as it is given: a scalar or lanes; null if it cannot be for
  /// visible pairs.
  Value outside(Value index, int64_t extent, int64_t part);
  /// The same of any index, as lanes.
  Value outside(mlir::ValueRange indices, llvm::ArrayRef<int64_t> shape, int64_t part);
  /// Which lanes of the reads among `needed` have an index out of range; null if none can have.
  Value outside(llvm::ArrayRef<mlir::Operation *> needed, int64_t part);
  /// Reports the reads among `needed` whose index is out of range in one of the lanes `bad`.
  void report(llvm::ArrayRef<mlir::Operation *> needed, int64_t part, Value bad, const Reports &reports);

  /// Where an element of a capture is: the offset of its row is a scalar, that within it may be lanes.
  /// `isInner` says which axes count; others are left out. Indices are put in range.
  struct Place {
    Value offset; ///< i32 or i64 lanes, or an index
    Value
        first; ///< index: that of lane 0 where the lanes are adjacent as long as they are in range; else null
    Value isAdjacent; ///< i1: all lanes are in range
  };
  Place place(mlir::ValueRange indices, llvm::ArrayRef<int64_t> shape, int64_t part,
              llvm::function_ref<bool(unsigned axis)> isInner = nullptr);

  AttentionCode &v;
  const VariantBlock &block;

private:
  Value &at(Value value, int64_t part);
  Value emit(Value value, int64_t part);
  Value read(sparsek::ReadOp op, int64_t part);
  Value index(Value x); ///< a scalar i32 as an index

  llvm::ArrayRef<Value> captures;
  llvm::DenseMap<Value, Value> row, query[2], key, pair[2];
};

} // namespace heddle::cpu::attention
