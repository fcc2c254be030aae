//===- TensorProduct.cpp - Dense products by tensor cores -----------------===//
//
// Four warps, 2 x 2, share a tile. A line of a factor is a row of chunks of 16 bytes in shared memory, whose
// order is changed from line to line so that the eight rows of a matrix that ldmatrix reads, and what a
// warp writes, meet every bank once. Factors that lie along k are read as they are, the others transposed.
//
//===----------------------------------------------------------------------===//

#include "compiler/conversion/GPU/TensorCode.h"
#include "compiler/conversion/HeddleToGPU/ProductCode.h"

using namespace mlir;
using namespace heddle::gpu;

namespace {

constexpr int64_t warpsAcross = 2; ///< in each direction, of the four

/// A factor's part of a tile in shared memory, and its fragments.
class FactorTile {
public:
  FactorTile(KernelCode &k, Type element, int64_t positions, int64_t depth, bool alongSteps)
      : k(k), element(element), alongSteps(alongSteps), lines(alongSteps ? positions : depth),
        length(alongSteps ? depth : positions), logChunk(element.isF32() ? 2 : 3), chunk(1 << logChunk),
        base(k.shared(productStages * lines * length, element)) {}

  Pointer stage(Scalar number) { return k.offset(base, number * (lines * length)); }

  /// Where an element lies in a stage.
  Scalar place(Scalar line, Scalar at) {
    return line * length + (swizzled(line, at >> logChunk) << logChunk) + (at & (chunk - 1));
  }

  /// The four registers of 16 positions from `first` on by one step of the tensor cores: a fragment of A, or
  /// two of B. `ofA` is the order of their quarters: of A positions first, of B steps first.
  std::array<Scalar, 4> load(Pointer stage, Scalar first, int64_t step, bool ofA) {
    Scalar lane = k.lane(), low = lane & 7, upper = lane >> 4, middle = (lane >> 3) & 1;
    Scalar byPosition = ofA ? middle : upper, byStep = ofA ? upper : middle;
    std::array<Scalar, 4> words;
    if (alongSteps) {
      words = loadMatrices(k, stage, chunkAt(first + byPosition * 8 + low, byStep + 2 * step), false);
    } else if (!element.isF32()) {
      words = loadMatrices(k, stage, chunkAt(byStep * 8 + low + 16 * step, (first >> 3) + byPosition), true);
    } else {
      // ldmatrix transposes elements of 16 bits only.
      Pointer asWords = k.as(stage, k.i32Type());
      for (int64_t i = 0; i < 4; ++i) {
        const int64_t positions = (ofA ? i % 2 : i / 2) * 8, steps = (ofA ? i / 2 : i % 2) * 4;
        words[size_t(i)] =
            k.load(asWords, place((lane & 3) + (8 * step + steps), first + (lane >> 2) + positions));
      }
    }
    if (element.isF32())
      for (Scalar &word : words)
        word = roundToTF32(k, k.bitcast(word, k.f32Type()));
    return words;
  }

private:
  /// Lines along k, and those that ldmatrix transposes, are read at eight lines at once, others at four lines
  /// and two chunks.
  Scalar swizzled(Scalar line, Scalar number) {
    return alongSteps || !element.isF32() ? number ^ (line & 7) : number ^ ((line & 3) << 1);
  }
  Scalar chunkAt(Scalar line, Scalar number) { return line * length + (swizzled(line, number) << logChunk); }

  KernelCode &k;
  const Type element;
  const bool alongSteps;
  const int64_t lines, length, logChunk, chunk;
  Pointer base;
};

} // namespace

void heddle::gpu::emitTensorProduct(KernelCode &k, const ProductSpec &spec, const ProductPlan &plan) {
  ProductBlock block(k, spec, plan);
  FactorTile a(k, spec.element, plan.tileRows, plan.depth, spec.alongStepsA());
  FactorTile b(k, spec.element, plan.tileColumns, plan.depth, spec.alongStepsB());
  TileCopy copyA(k, spec, plan, block, ArgumentA, {plan.tileRows, spec.m, spec.alongStepsA()},
                 block.firstRow);
  TileCopy copyB(k, spec, plan, block, ArgumentB, {plan.tileColumns, spec.n, spec.alongStepsB()},
                 block.firstColumn);
  const int64_t warpRows = plan.tileRows / warpsAcross, warpColumns = plan.tileColumns / warpsAcross;
  const int64_t rowFragments = warpRows / 16, columnPairs = warpColumns / 16;
  const int64_t fragmentDepth = 256 / spec.element.getIntOrFloatBitWidth();
  Scalar warpRow = (k.warp() >> 1) * warpRows, warpColumn = (k.warp() & 1) * warpColumns;

  auto start = [&](Scalar step, Scalar stage) {
    Scalar firstStep = block.firstStep + step * plan.depth;
    copyA.start(a.stage(stage), firstStep, [&](Scalar line, Scalar at) { return a.place(line, at); });
    copyB.start(b.stage(stage), firstStep, [&](Scalar line, Scalar at) { return b.place(line, at); });
  };
  /// The sums of fragment (i, j), 16 x 8.
  auto first = [&](int64_t i, int64_t j) { return size_t((i * 2 * columnPairs + j) * 4); };
  auto multiply = [&](Scalar stage, ArrayRef<Scalar> now) {
    Scalars sums(now.begin(), now.end());
    Pointer stageA = a.stage(stage), stageB = b.stage(stage);
    for (int64_t step = 0; step < plan.depth / fragmentDepth; ++step) {
      SmallVector<std::array<Scalar, 4>> rows;
      for (int64_t i = 0; i < rowFragments; ++i)
        rows.push_back(a.load(stageA, warpRow + 16 * i, step, /*ofA=*/true));
      for (int64_t pair = 0; pair < columnPairs; ++pair) {
        std::array<Scalar, 4> columns = b.load(stageB, warpColumn + 16 * pair, step, /*ofA=*/false);
        for (int64_t i = 0; i < rowFragments; ++i)
          for (size_t half : {0, 1}) {
            Scalar *sum = &sums[first(i, 2 * pair + int64_t(half))];
            std::array<Scalar, 4> next = multiplyFragments(k, spec.element, rows[size_t(i)],
                                                           {columns[2 * half], columns[2 * half + 1]},
                                                           {sum[0], sum[1], sum[2], sum[3]});
            std::copy(next.begin(), next.end(), sum);
          }
      }
    }
    return sums;
  };
  Scalars zeros(size_t(rowFragments * columnPairs * 8), k.f32(0));
  Scalars sums = runStages(k, block.steps, zeros, start, multiply);

  // The sums go through shared memory, so that whole rows are stored. A row ends 8 elements later than it has
  // to: two rows of a fragment then have different banks.
  waitForCopies(k, 0);
  k.barrier();
  k.releaseShared(0);
  const int64_t pitch = plan.tileColumns + 8;
  Pointer tile = k.shared(plan.tileRows * pitch, k.f32Type());
  Scalar row = warpRow + (k.lane() >> 2), column = warpColumn + ((k.lane() & 3) << 1);
  for (int64_t i = 0; i < rowFragments; ++i)
    for (int64_t j = 0; j < 2 * columnPairs; ++j)
      for (int64_t half : {0, 1}) {
        const Scalar *sum = &sums[first(i, j) + size_t(2 * half)];
        k.storeVector(k.vectorOf({sum[0], sum[1]}), tile,
                      (row + (16 * i + 8 * half)) * pitch + column + 8 * j);
      }
  k.barrier();
  TileResult result(k, spec, plan, block);
  const int64_t width = resultWidth(spec), pieces = plan.tileColumns / width,
                rowsAtOnce = plan.threads / pieces;
  const int64_t passes = plan.tileRows / rowsAtOnce, unrolled = std::min<int64_t>(passes, 4);
  Scalar firstRow = k.thread() / pieces, at = k.thread() % pieces * width;
  k.loop(k.i32(0), k.i32(passes / unrolled), k.i32(1), [&](Scalar round) {
    for (int64_t i = 0; i < unrolled; ++i) {
      Scalar here = firstRow + (round * unrolled + i) * rowsAtOnce;
      Scalars values;
      const int64_t loaded = std::min<int64_t>(width, 4);
      for (int64_t j = 0; j < width; j += loaded) {
        Value vector = k.loadVector(tile, here * pitch + at + j, loaded);
        for (int64_t e = 0; e < loaded; ++e)
          values.push_back(k.element(vector, e));
      }
      result.store(values, block.firstRow + here, block.firstColumn + at);
    }
  });
}
