//===- TileCode.cpp - Tiles of rows, their products and weighted sums -----===//

#include "compiler/conversion/SparseKToGPU/TileCode.h"
#include "compiler/conversion/GPU/TensorCode.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/Support/MathExtras.h"

#include <cfloat>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

using namespace mlir;

namespace heddle::gpu::attention {

void append(Scalars &carried, const Fragment &fragment) {
  carried.append(fragment.values.begin(), fragment.values.end());
}
Fragment takeFragment(ArrayRef<Scalar> &carried, int64_t columns) {
  Fragment fragment(carried.take_front(size_t(columns / 2)));
  carried = carried.drop_front(size_t(columns / 2));
  return fragment;
}

TileCode::TileCode(KernelCode &k, Type element, int64_t weightColumns)
    : k(k), element(element), compute(element.isF64() ? element : k.f32Type()),
      tensorCores(element.isBF16() || element.isF16()), warps(k.blockThreads / warpSize) {
  thread = k.thread();
  warp = thread >> 5;
  lane = thread & (warpSize - 1);
  firstRow = warp * warpRows + (lane >> 2);
  firstColumn = (lane & 3) * 2;
  if (!tensorCores && weightColumns > 0)
    weightRows = sharedRows(warps * warpRows, weightColumns);
}

int64_t TileCode::padded(int64_t width, bool tensorCores) {
  return int64_t(llvm::alignTo(uint64_t(width), tensorCores ? 16 : 8));
}

SharedRows TileCode::sharedRows(int64_t rows, int64_t width) {
  SharedRows result;
  result.rows = rows;
  result.width = padded(width, tensorCores);
  result.pitch = pitchOf(result.width, elementBytes());
  result.base = k.shared(rows * result.pitch, element);
  return result;
}

SharedRows TileCode::stage(const SharedRows &rows, Scalar number) {
  SharedRows result = rows;
  result.base = k.offset(rows.base, number * (rows.rows * rows.pitch));
  return result;
}

Scalar TileCode::divide(Scalar x, int64_t by) {
  if (llvm::isPowerOf2_64(uint64_t(by)))
    return x >> int64_t(llvm::Log2_64(uint64_t(by)));
  return x / by;
}
Scalar TileCode::remainder(Scalar x, int64_t by) {
  if (llvm::isPowerOf2_64(uint64_t(by)))
    return x & (by - 1);
  return x % by;
}

void TileCode::zeroPadding(const SharedRows &rows, int64_t width) {
  const int64_t columns = rows.width - width;
  if (columns == 0)
    return;
  k.loop(thread, k.i32(rows.rows * columns), k.i32(k.blockThreads), [&](Scalar i) {
    k.store(k.constant(element, 0), rows.base,
            divide(i, columns) * rows.pitch + remainder(i, columns) + width);
  });
}

void TileCode::stageRows(const SharedRows &to, Pointer from, int64_t width,
                         llvm::function_ref<SourceRow(Scalar)> source) {
  if (width == 0)
    return;
  const int64_t bytes = std::gcd(width * elementBytes(), int64_t(16));
  const int64_t pieceElements = std::max<int64_t>(bytes / elementBytes(), 1), pieces = width / pieceElements;
  auto copy = [&](Scalar row, Scalar piece) {
    SourceRow at = source(row);
    Scalar column = piece * pieceElements;
    Scalar target = row * to.pitch + column, origin = at.row * width + wide(column);
    if (bytes >= 4) {
      copyInBackground(k, to.base, target, from, origin, bytes, at.valid);
      return;
    }
    Scalars x = k.choose(
        at.valid, [&] { return Scalars{k.load(from, origin)}; },
        [&] { return Scalars{k.constant(element, 0)}; });
    k.store(x[0], to.base, target);
  };
  const int64_t threads = k.blockThreads, rowsAtATime = threads / pieces;
  if (threads % pieces == 0 && to.rows % rowsAtATime == 0) {
    Scalar row = divide(thread, pieces), piece = remainder(thread, pieces);
    k.unrolled(to.rows / rowsAtATime, [&](int64_t i) { copy(row + i * rowsAtATime, piece); });
    return;
  }
  k.loop(thread, k.i32(to.rows * pieces), k.i32(threads),
         [&](Scalar i) { copy(divide(i, pieces), remainder(i, pieces)); });
}

Fragment TileCode::filled(int64_t columns, double value) {
  Fragment result;
  result.values.assign(size_t(columns / 2), number(value));
  return result;
}

Fragment TileCode::scaled(const Fragment &x, ArrayRef<Scalar> rowFactors) {
  Fragment result = x;
  for (size_t i = 0; i < result.values.size(); ++i)
    result.values[i] = result.values[i] * rowFactors[i / 2 % 2];
  return result;
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

Fragment TileCode::products(const SharedRows &a, const SharedRows &b, const Fragment *start) {
  assert(a.width == b.width && "rows of different widths");
  Fragment sum = start ? *start : filled(b.rows, 0);
  return tensorCores ? productsByTensorCores(a, b, sum) : productsByFma(a, b, sum);
}

Fragment TileCode::weightedSum(Fragment sum, Fragment weights, const SharedRows &b, int64_t firstColumn) {
  return tensorCores ? sumByTensorCores(std::move(sum), std::move(weights), b, firstColumn)
                     : sumByFma(std::move(sum), std::move(weights), b, firstColumn);
}

Fragment TileCode::productsByFma(const SharedRows &a, const SharedRows &b, Fragment start) {
  const int64_t step = 16 / elementBytes(), tiles = b.rows / 8;
  Scalar rows[2] = {row(0) * a.pitch, row(1) * a.pitch};
  Scalar columns = firstColumn * b.pitch;
  Scalars result =
      k.loop(k.i32(0), k.i32(a.width), k.i32(step), start.values, [&](Scalar e, ArrayRef<Scalar> sums) {
        Fragment next(sums);
        Value left[2];
        for (int64_t half = 0; half < 2; ++half)
          left[half] = k.loadVector(a.base, rows[half] + e, step);
        for (int64_t tile = 0; tile < tiles; ++tile)
          for (int64_t column = 0; column < 2; ++column) {
            Value right = k.loadVector(b.base, columns + e + (8 * tile + column) * b.pitch, step);
            for (int64_t half = 0; half < 2; ++half)
              for (int64_t x = 0; x < step; ++x) {
                Scalar &sum = next.at(tile, half, column);
                sum = k.multiplyAdd(k.element(left[half], x), k.element(right, x), sum);
              }
          }
        return next.values;
      });
  return Fragment(result);
}

Fragment TileCode::sumByFma(Fragment sum, Fragment weights, const SharedRows &b, int64_t first) {
  // The weights of a row are spread over four lanes: they are exchanged through shared memory.
  const int64_t step = 16 / elementBytes(), keys = weights.columns(), tiles = sum.columns() / 8;
  Scalar rows[2] = {row(0) * weightRows.pitch, row(1) * weightRows.pitch};
  for (int64_t tile = 0; tile < keys / 8; ++tile)
    for (int64_t half = 0; half < 2; ++half)
      k.storeVector(k.vectorOf({weights.at(tile, half, 0), weights.at(tile, half, 1)}), weightRows.base,
                    rows[half] + column(tile));
  k.warpBarrier();
  Scalars result =
      k.loop(k.i32(0), k.i32(keys), k.i32(step), sum.values, [&](Scalar j, ArrayRef<Scalar> sums) {
        Fragment next(sums);
        Value left[2];
        for (int64_t half = 0; half < 2; ++half)
          left[half] = k.loadVector(weightRows.base, rows[half] + j, step);
        for (int64_t x = 0; x < step; ++x) {
          Scalar right = (j + x) * b.pitch + firstColumn + first;
          for (int64_t tile = 0; tile < tiles; ++tile) {
            Value pair = k.loadVector(b.base, right + 8 * tile, 2);
            for (int64_t half = 0; half < 2; ++half)
              for (int64_t column = 0; column < 2; ++column) {
                Scalar &sum = next.at(tile, half, column);
                sum = k.multiplyAdd(k.element(left[half], x), k.element(pair, column), sum);
              }
          }
        }
        return next.values;
      });
  k.warpBarrier(); // before the next weights
  return Fragment(result);
}

static void multiplyInto(TileCode &t, Fragment &sum, int64_t tile, std::array<Scalar, 4> a, Scalar b0,
                         Scalar b1) {
  std::array<Scalar, 4> c;
  for (int64_t i = 0; i < 4; ++i)
    c[size_t(i)] = sum.values[size_t(4 * tile + i)];
  c = multiplyFragments(t.k, t.element, a, {b0, b1}, c);
  for (int64_t i = 0; i < 4; ++i)
    sum.values[size_t(4 * tile + i)] = c[size_t(i)];
}

Fragment TileCode::productsByTensorCores(const SharedRows &a, const SharedRows &b, Fragment sum) {
  // Lanes 0-15 address the rows at the first 8 columns of a step, lanes 16-31 at the next 8.
  Scalar left = (warp * warpRows + (lane & 15)) * a.pitch + (lane >> 4) * 8;
  // Rows of b in pairs of 8; for each the first and the next 8 columns.
  Scalar right = ((lane >> 4) * 8 + (lane & 7)) * b.pitch + ((lane >> 3) & 1) * 8;
  for (int64_t e = 0; e < a.width; e += 16) {
    std::array<Scalar, 4> rows = loadMatrices(k, a.base, left + e, false);
    for (int64_t tile = 0; tile < b.rows / 8; tile += 2) {
      std::array<Scalar, 4> columns = loadMatrices(k, b.base, right + (8 * tile * b.pitch + e), false);
      multiplyInto(*this, sum, tile, rows, columns[0], columns[1]);
      multiplyInto(*this, sum, tile + 1, rows, columns[2], columns[3]);
    }
  }
  return sum;
}

Fragment TileCode::sumByTensorCores(Fragment sum, Fragment weights, const SharedRows &b, int64_t first) {
  // Products become the left operand of the next product where they are.
  Scalar right = (lane & 15) * b.pitch + (lane >> 4) * 8 + first;
  for (int64_t j = 0; j < weights.columns(); j += 16) {
    std::array<Scalar, 4> rows;
    for (int64_t i = 0; i < 4; ++i)
      rows[size_t(i)] =
          packPair(k, weights.at(j / 8 + i / 2, i % 2, 0), weights.at(j / 8 + i / 2, i % 2, 1), element);
    for (int64_t tile = 0; tile < sum.columns() / 8; tile += 2) {
      std::array<Scalar, 4> columns = loadMatrices(k, b.base, right + (j * b.pitch + 8 * tile), true);
      multiplyInto(*this, sum, tile, rows, columns[0], columns[1]);
      multiplyInto(*this, sum, tile + 1, rows, columns[2], columns[3]);
    }
  }
  return sum;
}

void TileCode::storeRows(Fragment x, Pointer to, int64_t width, ArrayRef<Scalar> rows, ArrayRef<Scalar> valid,
                         int64_t firstColumn) {
  for (int64_t half = 0; half < 2; ++half)
    k.when(valid[size_t(half)], [&] {
      Scalar base = rows[size_t(half)] * width;
      for (int64_t tile = 0; tile < x.columns() / 8; ++tile) {
        const int64_t start = firstColumn + 8 * tile;
        if (start >= width)
          break;
        Scalar at = column(tile) + firstColumn;
        Scalar pair[2] = {k.cast(x.at(tile, half, 0), to.element), k.cast(x.at(tile, half, 1), to.element)};
        if (start + 8 <= width && width % 2 == 0) {
          k.storeVector(k.vectorOf({pair[0], pair[1]}), to, base + wide(at));
          continue;
        }
        for (int64_t c = 0; c < 2; ++c)
          k.when(at + c < width, [&] { k.store(pair[c], to, base + wide(at + c)); });
      }
    });
}

Fragment TileCode::loadRows(Pointer from, int64_t width, int64_t columns, ArrayRef<Scalar> rows) {
  Fragment result = filled(columns, 0);
  for (int64_t half = 0; half < 2; ++half)
    for (int64_t tile = 0; tile < columns / 8 && 8 * tile < width; ++tile)
      for (int64_t c = 0; c < 2; ++c) {
        Scalar at = column(tile) + c, inside = at < width;
        Scalar x = load(from, rows[size_t(half)] * width + wide(k.select(inside, at, k.i32(0))));
        result.at(tile, half, c) = k.select(inside, x, number(0));
      }
  return result;
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

double TileCode::logOfE() const { return compute.isF32() ? std::numbers::log2e : 1; }
Scalar TileCode::power(Scalar x) {
  return compute.isF32() ? k.exp2Approximate(x) : k.wrap(math::ExpOp::create(k.b, x.value));
}
Scalar TileCode::naturalLog(Scalar x) {
  return compute.isF32() ? k.log2Approximate(x) * std::numbers::ln2
                         : k.wrap(math::LogOp::create(k.b, x.value));
}
Scalar TileCode::lowest() { return number(compute.isF32() ? -double(FLT_MAX) : -DBL_MAX); }
Scalar TileCode::infinity(bool negative) {
  const double infinity = std::numeric_limits<double>::infinity();
  return number(negative ? -infinity : infinity);
}
Scalar TileCode::notANumber() { return number(std::numeric_limits<double>::quiet_NaN()); }

} // namespace heddle::gpu::attention
