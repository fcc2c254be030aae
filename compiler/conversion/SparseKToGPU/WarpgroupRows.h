// Rows of matrices on their way to and from the products of warpgroups. Internal to this folder.
#pragma once

#include "compiler/conversion/GPU/WarpgroupCode.h"

namespace heddle::gpu::attention {

/// A stage of a ring and the parity of the barriers' phase that it waits for.
struct RingPlace {
  Scalar stage, parity;
};
RingPlace nextPlace(KernelCode &k, RingPlace place, int64_t stages);
RingPlace previousPlace(KernelCode &k, RingPlace place, int64_t stages);

/// Rows that a warpgroup copies at a time: eight lanes copy 128 bytes of a row.
constexpr int64_t rowsAtATime = warpgroupThreads / 8;

/// Starts to copy rows of `from` [.., width] to every 16th row of panels of `panelRows` rows. `to` is the
/// place of this thread's piece in the first row of the first panel.
void copyRows(KernelCode &k, mlir::Type element, Scalar to, int64_t panelRows, Pointer from, int64_t width,
              llvm::ArrayRef<Scalar> rows, Scalar piece);

/// left rightᵀ over the columns of rows, a group of products; both are panels of so many rows.
Sums multiplyRows(KernelCode &k, mlir::Type element, Scalar left, int64_t leftRows, Scalar right,
                  int64_t rightRows, int64_t width);

/// sums + weights (packed pairs) times `count` rows that are described across, a group of products that the
/// caller has begun.
Sums addWeighted(KernelCode &k, mlir::Type element, Sums sums, llvm::ArrayRef<Scalar> weights, Scalar rows,
                 int64_t count, int64_t width);

/// Zeroes what products, which step over 16 columns, read beyond the width of rows: all threads of the block.
void zeroHalfStep(KernelCode &k, Scalar matrix, int64_t rows, int64_t width);

/// Stores one of the two rows that a lane has of a product, rounded to `element`, to a row of `width`.
void storeRow(KernelCode &k, mlir::Type element, llvm::ArrayRef<Scalar> sums, int64_t half, Pointer row,
              int64_t width, Scalar valid);

} // namespace heddle::gpu::attention
