// Sums over the elements of rows in global memory, several lanes a row. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/TileCode.h"

namespace heddle::gpu::attention {

/// Rows of one width, `lanes` lanes to each, which load 16 bytes at a time where rows consist of such pieces.
class RowSums {
public:
  RowSums(int64_t width, int64_t elementBytes);

  int64_t rowsOfBlock(int64_t threads) const { return threads / lanes; }
  /// Of a block of threads, the row that this lane works on, and whether it is the first of the row's lanes.
  Scalar row(TileCode &t) const { return t.divide(t.thread, lanes); }
  Scalar first(TileCode &t) const { return t.remainder(t.thread, lanes) == 0; }

  /// The sum of `term` over the elements of row `row` (i64) of matrices [.., width] in the type of sums; each
  /// of the row's lanes gets it. The order is fixed.
  using Term = llvm::function_ref<Scalar(llvm::ArrayRef<Scalar> elements, Scalar sum)>;
  Scalar sum(TileCode &t, llvm::ArrayRef<Pointer> matrices, Scalar row, Term term) const;

private:
  const int64_t width;
  int64_t piece, lanes;
};

} // namespace heddle::gpu::attention
