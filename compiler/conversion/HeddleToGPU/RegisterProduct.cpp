//===- RegisterProduct.cpp - Dense products by multiply-adds --------------===//
//
// For f32, f64 and integers. A thread owns 8 x 8 sums of a tile of 128 x 128, or 4 x 4 of 64 x 64, in groups
// of four adjacent rows and columns. Both factors lie in shared memory by steps, so that a step needs a few
// wide loads; the threads of a warp stand 4 x 8, which makes most of them broadcasts.
//
//===----------------------------------------------------------------------===//

#include "compiler/conversion/HeddleToGPU/ProductCode.h"

using namespace mlir;
using namespace heddle::gpu;

namespace {

constexpr int64_t group = 4;   ///< adjacent rows, or columns
constexpr int64_t across = 16; ///< threads in each direction

/// A factor's part of a tile in shared memory, by steps.
class FactorSteps {
public:
  FactorSteps(KernelCode &k, Type element, int64_t positions, int64_t depth)
      // 16 bytes behind a step, so that copies along k meet fewer banks twice.
      : k(k), pitch(positions + 128 / element.getIntOrFloatBitWidth()), positions(positions),
        stageElements(depth * pitch),
        together(std::min<int64_t>(group, 128 / element.getIntOrFloatBitWidth())),
        base(k.shared(productStages * stageElements, element)) {}

  Pointer stage(Scalar number) { return k.offset(base, number * stageElements); }
  Scalar place(Scalar step, Scalar position) { return step * pitch + position; }

  /// What thread number `thread` in this direction multiplies in a step.
  Scalars load(Pointer stage, Scalar thread, int64_t step) {
    Scalars values;
    for (int64_t first = 0; first < positions; first += across * group)
      for (int64_t i = 0; i < group; i += together) {
        Value vector = k.loadVector(stage, thread * group + (step * pitch + first + i), together);
        for (int64_t e = 0; e < together; ++e)
          values.push_back(k.element(vector, e));
      }
    return values;
  }

private:
  KernelCode &k;
  const int64_t pitch, positions, stageElements, together;
  Pointer base;
};

} // namespace

void heddle::gpu::emitRegisterProduct(KernelCode &k, const ProductSpec &spec, const ProductPlan &plan) {
  const Type compute = spec.compute();
  ProductBlock block(k, spec, plan);
  FactorSteps a(k, compute, plan.tileRows, plan.depth), b(k, compute, plan.tileColumns, plan.depth);
  TileCopy copyA(k, spec, plan, block, ArgumentA, {plan.tileRows, spec.m, spec.alongStepsA()},
                 block.firstRow);
  TileCopy copyB(k, spec, plan, block, ArgumentB, {plan.tileColumns, spec.n, spec.alongStepsB()},
                 block.firstColumn);
  auto start = [&](Scalar step, Scalar stage) {
    Scalar firstStep = block.firstStep + step * plan.depth;
    auto copy = [&](TileCopy &from, FactorSteps &to, bool alongSteps) {
      from.start(to.stage(stage), firstStep, [&](Scalar line, Scalar at) {
        return alongSteps ? to.place(at, line) : to.place(line, at);
      });
    };
    copy(copyA, a, spec.alongStepsA());
    copy(copyB, b, spec.alongStepsB());
  };
  Scalar threadRow = k.warp() / 2 * 4 + k.lane() / 8, threadColumn = k.warp() % 2 * 8 + k.lane() % 8;
  const int64_t rows = plan.tileRows / across, columns = plan.tileColumns / across;
  auto multiply = [&](Scalar stage, ArrayRef<Scalar> now) {
    Scalars sums(now.begin(), now.end());
    Pointer stageA = a.stage(stage), stageB = b.stage(stage);
    for (int64_t step = 0; step < plan.depth; ++step) {
      Scalars x = a.load(stageA, threadRow, step), y = b.load(stageB, threadColumn, step);
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j) {
          Scalar &sum = sums[size_t(i * columns + j)];
          sum = isa<FloatType>(compute) ? k.multiplyAdd(x[size_t(i)], y[size_t(j)], sum)
                                        : sum + x[size_t(i)] * y[size_t(j)];
        }
    }
    return sums;
  };
  Scalars zeros(size_t(rows * columns), k.constant(compute, 0));
  Scalars sums = runStages(k, block.steps, zeros, start, multiply);

  TileResult result(k, spec, plan, block);
  const int64_t width = std::min<int64_t>(resultWidth(spec), group);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; j += width)
      result.store(ArrayRef(sums).slice(size_t(i * columns + j), size_t(width)),
                   block.firstRow + threadRow * group + (i / group * across * group + i % group),
                   block.firstColumn + threadColumn * group + (j / group * across * group + j % group));
}
