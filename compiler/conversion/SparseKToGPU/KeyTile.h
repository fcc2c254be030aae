// The sums over queries of a tile of keys: what dk, dv and the cotangents of what a key has are made of.
// Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/QueryWalk.h"

namespace heddle::gpu::attention {

/// A block of threads has a tile of keys, 16 for each warp. Where dk and dv are wide it has a part of their
/// columns.
class KeyTile {
public:
  KeyTile(TileCode &t, const Plan &plan, const ProgramBuilder &builder, const QueryWalkOperands &operands);
  virtual ~KeyTile() = default;

  static int64_t parts(const Plan &p) {
    return (std::max(p.keyPad, p.valuePad) + gradientColumns - 1) / gradientColumns;
  }

protected:
  using PairsUse = llvm::function_ref<Scalars(Pairs &pairs)>;
  /// Emits `body` for each kind of pairs that a block may hold, under conditions where there are several.
  virtual Scalars withPairs(const QueryBlock &block, PairsUse body) = 0;
  /// How many sums a pair adds to its row.
  virtual int64_t rowSums() const { return gateSums; }

  int64_t keyColumns() const { return std::min(p.keyPad, gradientColumns); }
  int64_t valueColumns() const { return std::min(p.valuePad, gradientColumns); }
  /// Takes this block's part of the columns off a number.
  Scalar splitColumns(Scalar block);
  /// Emits `body` for the part of the columns that this block has.
  void eachPart(llvm::function_ref<void(int64_t part)> body);

  /// The sums over the queries [first, end) of row `row` of the queries, for the keys in `numbers` whose rows
  /// start at `rowStart`: those of the rows (both of the lane's rows one after the other), dk, dv.
  Scalars sum(Scalar row, Scalar first, Scalar end);
  /// Where dk begins in them, and dv.
  size_t firstOfKeys() const { return size_t(2 * rowSums()); }
  size_t firstOfValues() const { return firstOfKeys() + size_t(keyColumns() / 2); }
  /// Stores dk and dv to rows of these widths.
  void store(llvm::ArrayRef<Scalar> state, Pointer dk, int64_t keyWidth, Pointer dv, int64_t valueWidth,
             llvm::ArrayRef<Scalar> rows, llvm::ArrayRef<Scalar> valid);

  TileCode &t;
  KernelCode &k;
  const Plan &p;
  const int64_t n; ///< queries of a row
  const ProgramBuilder &builder;
  SharedRows keys, values;
  QueryWalk walk;
  Pointer numbers; ///< the keys of the tile, -1 where there is none
  Scalar columnPart, rowStart;
  KeySide sides[2]; ///< of the lane's rows

private:
  Scalars accumulate(const QueryBlock &block, llvm::ArrayRef<Scalar> state);
  Scalars slopes(const QueryBlock &block, Pairs &pairs, Fragment products, Fragment along,
                 llvm::ArrayRef<Scalar> state);
  Fragment inPart(Fragment sum, Fragment weights, const SharedRows &rows, int64_t width);
};

} // namespace heddle::gpu::attention
