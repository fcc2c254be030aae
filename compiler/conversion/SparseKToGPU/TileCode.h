//===- TileCode.h - Tiles of rows, their products and weighted sums -------===//
//
// The two products of attention on a tile: rows times rows, and weights times rows. Every warp of a block
// owns 16 rows of a tile; its part of a product is spread over its lanes as a fragment of tensor cores is
// (TensorCode.h), whether tensor cores compute it (bf16, f16) or multiply-adds (f32, f64). So all that lies
// between the two products is the same code, on values in registers.
//
//===----------------------------------------------------------------------===//
#ifndef HEDDLE_COMPILER_CONVERSION_SPARSEKTOGPU_TILECODE_H
#define HEDDLE_COMPILER_CONVERSION_SPARSEKTOGPU_TILECODE_H

#include "compiler/conversion/GPU/KernelCode.h"

namespace heddle::gpu::attention {

using mlir::Type;
using mlir::Value;

/// Rows of a warp.
constexpr int64_t warpRows = 16;

/// A matrix in shared memory. Rows are an odd multiple of 16 bytes apart, so that eight of them meet no bank
/// twice.
struct SharedRows {
  Pointer base;
  int64_t rows = 0;
  int64_t width = 0; ///< padded
  int64_t pitch = 0; ///< elements from one row to the next
};

/// A warp's 16 rows x `columns` values, as this lane holds them: of each 8 columns two, of two rows.
struct Fragment {
  Scalars values;

  Fragment() = default;
  explicit Fragment(llvm::ArrayRef<Scalar> values) : values(values.begin(), values.end()) {}
  int64_t columns() const { return int64_t(values.size()) * 2; }
  /// Of columns 8 tile .. 8 tile + 7, row half `half` and column `column` of the lane's two.
  Scalar &at(int64_t tile, int64_t half, int64_t column) {
    return values[size_t(4 * tile + 2 * half + column)];
  }
};

/// Appends the values of fragments to what a loop carries, and takes them from there.
void append(Scalars &carried, const Fragment &fragment);
Fragment takeFragment(llvm::ArrayRef<Scalar> &carried, int64_t columns);

class TileCode {
public:
  /// At the start of a kernel. `element` is the type of matrices; `weightColumns` the most columns of
  /// weights.
  TileCode(KernelCode &k, Type element, int64_t weightColumns);

  KernelCode &k;
  const Type element;
  const Type compute; ///< f64 where the elements are, f32 otherwise
  const bool tensorCores;
  const int64_t warps;

  Scalar thread, warp, lane;
  Scalar firstRow;    ///< of the tile that this lane holds; the other one is 8 after it
  Scalar firstColumn; ///< of each 8 columns that this lane holds; the other one follows it

  Scalar row(int64_t half) { return half ? firstRow + 8 : firstRow; }
  Scalar column(int64_t tile) { return firstColumn + 8 * tile; }

  /// Widths of rows are padded to whole steps of the products.
  static int64_t padded(int64_t width, bool tensorCores);
  static int64_t pitchOf(int64_t width, int64_t elementBytes) { return width + 16 / elementBytes; }
  SharedRows sharedRows(int64_t rows, int64_t width);
  /// The same rows, `number` times their size further on.
  SharedRows stage(const SharedRows &rows, Scalar number);

  /// Zeroes what lies beyond the columns [0, width) of rows; nothing else writes there.
  void zeroPadding(const SharedRows &rows, int64_t width);
  struct SourceRow {
    Scalar row; ///< i64
    Scalar valid;
  };
  /// Starts to copy a row of `from` [.., width] to each of the rows, zeros where it is not valid.
  void stageRows(const SharedRows &to, Pointer from, int64_t width,
                 llvm::function_ref<SourceRow(Scalar)> source);

  /// start + a bᵀ: rows of a are the warp's, columns the rows of b. Both have one width.
  Fragment products(const SharedRows &a, const SharedRows &b, const Fragment *start = nullptr);
  /// sum + weights b, of the columns of b from `firstColumn` on.
  Fragment weightedSum(Fragment sum, Fragment weights, const SharedRows &b, int64_t firstColumn = 0);
  Fragment filled(int64_t columns, double value);
  Fragment scaled(const Fragment &x, llvm::ArrayRef<Scalar> rowFactors);

  /// Combines the values of a row over the lanes that hold it.
  Scalar acrossRow(Scalar x, KernelCode::Combine combine) { return k.warpReduce(x, combine, 4); }

  /// Stores the columns [0, width) of a fragment to rows `rows` (i64) of `to` [.., width] from column
  /// `firstColumn` on, rounded to its elements, where valid.
  void storeRows(Fragment x, Pointer to, int64_t width, llvm::ArrayRef<Scalar> rows,
                 llvm::ArrayRef<Scalar> valid, int64_t firstColumn = 0);

  /// The columns [0, width) of rows of `from` as a fragment of `columns`, zeros beyond them.
  Fragment loadRows(Pointer from, int64_t width, int64_t columns, llvm::ArrayRef<Scalar> rows);

  Scalar number(double value) { return k.constant(compute, value); }
  Scalar load(Pointer from, Scalar at) { return k.cast(k.load(from, at), compute); }
  /// expBase(x) = exp(x / log(e) to its base); f32 is in base 2, for which there is an instruction.
  Scalar power(Scalar x);
  double logOfE() const; ///< in the base of `power`
  Scalar naturalLog(Scalar x);
  /// The least finite number: what a maximum starts from, so that differences are never NaN.
  Scalar lowest();
  Scalar infinity(bool negative);
  Scalar notANumber();
  Scalar wide(Scalar x) { return k.cast(x, k.i64Type()); }
  Scalar divide(Scalar x, int64_t by);    ///< of an i32 that is not negative
  Scalar remainder(Scalar x, int64_t by); ///< the same

private:
  Fragment productsByFma(const SharedRows &a, const SharedRows &b, Fragment start);
  Fragment productsByTensorCores(const SharedRows &a, const SharedRows &b, Fragment sum);
  Fragment sumByFma(Fragment sum, Fragment weights, const SharedRows &b, int64_t first);
  Fragment sumByTensorCores(Fragment sum, Fragment weights, const SharedRows &b, int64_t first);
  int64_t elementBytes() const { return element.getIntOrFloatBitWidth() / 8; }

  SharedRows weightRows; ///< of all warps, for products by multiply-adds
};

} // namespace heddle::gpu::attention

#endif // HEDDLE_COMPILER_CONVERSION_SPARSEKTOGPU_TILECODE_H
