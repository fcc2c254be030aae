#include "compiler/conversion/SparseKToGPU/WarpgroupRows.h"
#include "compiler/conversion/GPU/TensorCode.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

namespace heddle::gpu::attention {

RingPlace nextPlace(KernelCode &k, RingPlace place, int64_t stages) {
  Scalar wraps = place.stage == stages - 1;
  return {k.select(wraps, k.i32(0), place.stage + 1), place.parity ^ k.extendUnsigned(wraps, k.i32Type())};
}

RingPlace previousPlace(KernelCode &k, RingPlace place, int64_t stages) {
  Scalar wraps = place.stage == 0;
  return {k.select(wraps, k.i32(stages - 1), place.stage - 1),
          place.parity ^ k.extendUnsigned(wraps, k.i32Type())};
}

void copyRows(KernelCode &k, mlir::Type element, Scalar to, int64_t panelRows, Pointer from, int64_t width,
              llvm::ArrayRef<Scalar> rows, Scalar piece) {
  const int64_t pieces = width / 8, wholePanels = pieces / 8, rest = pieces % 8;
  piece = computeHere(k, piece);
  auto copy = [&](int64_t firstPanel, int64_t lastPanel) {
    for (size_t i = 0; i < rows.size(); ++i) {
      Pointer source = k.offset(from, k.cast(rows[i], k.i64Type()) * width + k.cast(piece * 8, k.i64Type()));
      for (int64_t panel = firstPanel; panel < lastPanel; ++panel) {
        Scalar target = to + (panel * panelRows + int64_t(i) * rowsAtATime) * panelRowBytes;
        mlir::NVVM::CpAsyncOp::create(k.b, atShared(k, target, element).base,
                                      k.offset(source, k.i64(panel * panelColumns)).base, 16u,
                                      mlir::NVVM::LoadCacheModifierKind::CG, mlir::Value());
      }
    }
  };
  copy(0, wholePanels);
  if (rest > 0)
    k.when(piece < rest, [&] { copy(wholePanels, wholePanels + 1); });
}

Sums multiplyRows(KernelCode &k, mlir::Type element, Scalar left, int64_t leftRows, Scalar right,
                  int64_t rightRows, int64_t width) {
  beginProducts(k);
  Sums sums;
  for (int64_t column = 0; column < width; column += 16) {
    const int64_t panel = column / panelColumns, within = column % panelColumns * 2;
    sums = multiplyShared(k, element, sums, advance(left, panel * leftRows * panelRowBytes + within),
                          advance(right, panel * rightRows * panelRowBytes + within), rightRows);
  }
  endProducts(k);
  return sums;
}

Sums addWeighted(KernelCode &k, mlir::Type element, Sums sums, llvm::ArrayRef<Scalar> weights, Scalar rows,
                 int64_t count, int64_t width) {
  for (int64_t row = 0; row < count; row += 16)
    sums = multiplyRegisters(k, element, sums, weights.slice(size_t(row / 4), 4),
                             advance(rows, row * panelRowBytes), width);
  endProducts(k);
  return sums;
}

void zeroHalfStep(KernelCode &k, Scalar matrix, int64_t rows, int64_t width) {
  if (width % 16 == 0)
    return;
  const int64_t piece = width / 8, panel = piece / 8;
  k.loop(k.thread(), k.i32(rows), k.i32(k.blockThreads), [&](Scalar row) {
    Scalar at = matrix + (panelOffset(row, k.i32(piece % 8)) + panel * rows * panelRowBytes);
    k.storeVector(k.vectorOf({k.i32(0), k.i32(0), k.i32(0), k.i32(0)}), atShared(k, at, k.i32Type()),
                  k.i32(0));
  });
}

/// Four lanes have a row, each two of every 8 columns. They exchange, so that each has 8 of every 32.
static void storeExchanged(KernelCode &k, mlir::Type element, llvm::ArrayRef<Scalar> sums, int64_t half,
                           Pointer row, int64_t width, Scalar valid) {
  Scalar lane = k.thread() & (warpSize - 1), odd = (lane & 1) != 0, upper = (lane & 2) != 0;
  for (int64_t first = 0; first < width / 8; first += 4) {
    Scalar x[4];
    for (int64_t i = 0; i < 4; ++i) {
      const size_t at = size_t(4 * (first + i) + 2 * half);
      x[i] = packPair(k, sums[at], sums[at + 1], element);
    }
    auto exchange = [&](Scalar &low, Scalar &high, Scalar takesHigh, int64_t lanes) {
      Scalar other = k.shuffleXor(k.select(takesHigh, low, high), lanes);
      low = k.select(takesHigh, other, low);
      high = k.select(takesHigh, high, other);
    };
    exchange(x[0], x[1], odd, 1);
    exchange(x[2], x[3], odd, 1);
    exchange(x[0], x[2], upper, 2);
    exchange(x[1], x[3], upper, 2);
    k.when(valid,
           [&] { k.storeVector(k.vectorOf({x[0], x[1], x[2], x[3]}), row, (lane & 3) * 4 + 4 * first); });
  }
}

void storeRow(KernelCode &k, mlir::Type element, llvm::ArrayRef<Scalar> sums, int64_t half, Pointer row,
              int64_t width, Scalar valid) {
  row = k.as(row, k.i32Type());
  if (width % 32 == 0)
    return storeExchanged(k, element, sums, half, row, width, valid);
  Scalar pair = k.thread() & 3;
  k.when(valid, [&] {
    for (int64_t i = 0; i < width / 8; ++i) {
      const size_t at = size_t(4 * i + 2 * half);
      k.store(packPair(k, sums[at], sums[at + 1], element), row, pair + 4 * i);
    }
  });
}

} // namespace heddle::gpu::attention
