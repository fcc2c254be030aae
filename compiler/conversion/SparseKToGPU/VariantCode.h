// The values of a variant's block for one pair of query and key after another. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToCPU/VariantBlock.h"
#include "compiler/conversion/SparseKToGPU/TileCode.h"

#include <map>

namespace heddle::gpu::attention {

using cpu::attention::Affine;
using cpu::attention::Bound;
using cpu::attention::VariantBlock;

/// What kernels need to report an index that is out of range; without a record nothing is checked.
struct Reports {
  Scalar record;                                                       ///< !llvm.ptr
  llvm::SmallVector<std::pair<mlir::Operation *, Scalar>, 2> messages; ///< of each sparsek.read
};

/// Emits values of the block where they are first asked for: all of one object's life is one sequence of
/// code.
class VariantCode {
public:
  VariantCode(TileCode &t, const VariantBlock &block, llvm::ArrayRef<Pointer> captures)
      : t(t), k(t.k), block(block), captures(captures) {}

  void setRow(Scalar batch, Scalar head);
  /// Goes to the pair of these positions; either may be null where nothing is asked that depends on it.
  void setPair(Scalar query, Scalar key);
  /// The arguments s, dscore or dgate of the pair.
  void setArgument(Value argument, Scalar x) { pair[argument] = x; }

  Scalar get(Value value);
  Scalar limit(const Affine &x); ///< i64
  /// Whether an index is outside its axis; null if it cannot be for visible pairs.
  Scalar outside(Value index, int64_t extent);
  /// Where an element of a capture of this shape is (i64), with indices put in range.
  Scalar place(mlir::ValueRange indices, llvm::ArrayRef<int64_t> shape);
  /// Reports the reads among `needed` whose index is out of range if the pair is `seen`.
  void report(llvm::ArrayRef<mlir::Operation *> needed, Scalar seen, const Reports &reports);

private:
  Scalar emit(Value value);
  Scalar read(sparsek::ReadOp op);

  TileCode &t;
  KernelCode &k;
  const VariantBlock &block;
  llvm::ArrayRef<Pointer> captures;
  /// By what a value depends on: position of the query, of the key; what depends on the pair itself is apart.
  std::map<std::array<const void *, 3>, Scalar> known;
  llvm::DenseMap<Value, Scalar> pair, row;
  Scalar query, key;
};

} // namespace heddle::gpu::attention
