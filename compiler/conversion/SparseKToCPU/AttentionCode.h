// Vector code that the attention kernels share. Internal to this folder.
#pragma once

#include "compiler/conversion/Matmul/Kernels.h"
#include "compiler/conversion/Matmul/VectorCode.h"
#include "compiler/conversion/SparseKToCPU/AttentionPlan.h"

namespace heddle::cpu::attention {

using matmul::Buffer;
using matmul::Values;
using mlir::Type;
using mlir::Value;
using mlir::ValueRange;

/// The buffers of a gathered block of keys, and which queries of the tile may see each of them.
struct KeyBlock {
  Buffer keys;   ///< [keyBlock, keyPad]
  Buffer values; ///< [keyBlock, valuePad]
  Buffer scores; ///< [keyBlock], clamped; null without selection
  /// The tangents of the three, null where they have none.
  Buffer keyTangents, valueTangents, scoreTangents;
  Value from;  ///< [keyBlock] i32: the first query of the tile that sees the key
  Value until; ///< [keyBlock] i32: the first one after them that does not
  Value slot;  ///< [keyBlock] i32: row of the partial sums; null in the forward pass
  Value oddKeys,
      oddValues; ///< i1: some row is not finite; keys in the backward pass, values in the forward pass
};

/// The part of a block that a panel of queries works on.
struct PanelRange {
  Value begin; ///< keys of the block
  Value end;
  Value panelStart; ///< first query of the panel within the tile
};

class AttentionCode : public matmul::VectorCode {
public:
  AttentionCode(mlir::ImplicitLocOpBuilder &builder, const Plan &plan);

  const Plan &plan;

  /// Stack scratch of a kernel; call at the top of its body.
  Buffer scratch(int64_t extent);
  Value intScratch(int64_t extent);

  Value constant(double value);       ///< a lane vector
  Value scalarConstant(double value); ///< an accumulator element
  Value i32(int64_t value);
  Value isGreater(Value x, Value y);
  Value select(Value condition, Value x, Value y);
  /// The lowest finite number: what a maximum starts from, so that differences are never NaN.
  Value lowest();
  /// The larger one; y where x is NaN.
  Value larger(Value x, Value y) { return select(isGreater(x, y), x, y); }
  Value sub(Value x, Value y) { return matmul::VectorCode::sub(x, y); }
  Value subf(Value x, Value y);
  Value mulf(Value x, Value y);
  Value divf(Value x, Value y);
  Value isNan(Value x);

  /// exp of a lane vector to about one unit in the last place; arguments below the exponent of the smallest
  /// normal number give that number, NaN stays.
  Value exponential(Value x);
  /// The same, but zero below that exponent.
  Value exponentialOrZero(Value x);
  /// log of a lane vector of positive normal numbers.
  Value logarithm(Value x);
  /// clip(x, 0, 1); 0 for NaN.
  Value clipped(Value x);
  /// (u - hi) - lo
  Value gateArgument(Value u, Value hi, Value lo);

  Value loadIndex(Value memref, Value at);
  void storeI32(Value index, Value memref, Value at);
  Value loadVector(Buffer from, Value at) { return loadShort(from, at, lanes); }
  /// Whether the queries of vector `part` of a panel see key j.
  Value sees(const KeyBlock &block, Value j, Value panelStart, int64_t part);

  /// Copies `width` elements between rows, widened or narrowed; both may have any alignment.
  void copyRow(Buffer from, Value fromBase, Buffer to, Value toBase, int64_t width);
  /// Sets `extent` elements (a multiple of the lanes) to zero.
  void zeroFill(Buffer to, Value base, Value extent);
  /// Copies the rows [0, rows) of a tile to [tile, pad] rows and zeroes the others and the padding.
  void stageRows(Buffer from, Value fromBase, Value rows, int64_t width, int64_t pad, Buffer to,
                 Value toBase);
  /// Multiplies [tile, pad] rows by a constant in place.
  void scaleRows(Buffer rows, Value base, int64_t pad, double factor);
  /// [tile, pad] rows to panels [tile / panel][width][panel].
  void toPanels(Buffer rows, Value rowsBase, int64_t width, int64_t pad, Buffer panels, Value panelsBase);
  /// Panels [tile / panel][width][panel] to [tile, pad] rows, each query multiplied by its element of
  /// `factor`.
  void fromPanels(Buffer panels, Value panelsBase, int64_t width, int64_t pad, Buffer factor,
                  Value factorBase, Buffer rows);

  /// S[j][q] = sum over e of rows[j][e] * panel[e][q] for the keys of the range, rounded out to whole
  /// register tiles; added to what is there where `accumulate`.
  void scoreProduct(Buffer rows, int64_t pad, int64_t width, Buffer panel, Value panelBase,
                    const PanelRange &range, Buffer out, int64_t outStride, Value outBase,
                    bool accumulate = false);
  /// out[d][q] = out[d][q] * rescale[q] + sum over the range's keys j of rows[j][d] * weights[j][q]; rescale
  /// is two vectors or empty.
  void weightedSum(Buffer rows, int64_t pad, int64_t width, Buffer weights, int64_t weightStride,
                   Value weightBase, const PanelRange &range, ValueRange rescale, Buffer out, Value outBase);
  /// The same for a block with NaN or infinite rows: only pairs of which `takesPart(j, part, weight)` holds
  /// count, so that nothing reaches a query from keys that are masked. Slow; [d][query] sums go through
  /// memory.
  void maskedSum(llvm::function_ref<Value(Value, int64_t, Value)> takesPart, Buffer rows, int64_t pad,
                 int64_t width, Buffer weights, int64_t weightStride, Value weightBase,
                 const PanelRange &range, ValueRange rescale, Buffer out, Value outBase);
  /// Whether the first `count` rows [pad] of a block have a NaN or an infinity.
  Value hasNonFinite(Buffer rows, int64_t pad, Value count);

  /// out[row of key j][c] += sum over the panel's queries of weights[j][query] * rows[query][c], for the keys
  /// of a range in whole register tiles. The row of key j is firstRow + slot[j]; columns start at `column`.
  void keySums(Buffer weights, int64_t weightStride, const PanelRange &range, Buffer rows, Value rowsBase,
               int64_t pad, Buffer out, int64_t outStride, Value firstRow, Value slot, int64_t column);

  /// Loads keys and values of one block, and those of their tangents that it holds. `key` gives the key of a
  /// position of the block.
  void gather(const KeyBlock &block, Buffer k, Buffer v, Value row, Value count,
              llvm::function_ref<Value(Value position)> key, Buffer dk = {}, Buffer dv = {});

private:
  Value smallestExponent();
  Value bitsOf(Value x);
  Value floatOf(Value x);
  Value bitsConstant(int64_t value);
};

/// The bounds of the rows of register tiles that cover `total` rows evenly, at most `most` rows each: {rows,
/// tiles} once or twice.
llvm::SmallVector<std::pair<int64_t, int64_t>, 2> evenTiles(int64_t total, int64_t most);

} // namespace heddle::cpu::attention
