// One dense product by generated kernels, on the harness's device, against sums in double.
#pragma once

#include "tests/support/ProgramSteps.h"

#include "compiler/conversion/HeddleToGPU/Products.h"

#include <heddle/dtype.hpp>

#include <cmath>

namespace heddle::tests {

/// A product of elements T, named by its sizes.
template <typename T>
struct DeviceProduct {
  gpu::ProductSpec spec;
  test::DeviceHarness device;
  std::vector<T> a, b, c, bias, addend;

  DeviceProduct(int64_t batch, int64_t m, int64_t n, int64_t k, bool transposeA, bool transposeB) {
    spec.element = spec.out = elementType();
    spec.batch = batch;
    spec.m = m;
    spec.n = n;
    spec.k = k;
    spec.transposeA = transposeA;
    spec.transposeB = transposeB;
    uint32_t seed = 1;
    // Whole numbers whose sums are exact in f32.
    auto number = [&] { return T(double((seed = seed * 1664525u + 1013904223u) >> 29) - 3); };
    a.resize(size_t(batch * m * k));
    b.resize(size_t(batch * k * n));
    for (auto *factor : {&a, &b})
      for (T &x : *factor)
        x = number();
  }

  mlir::Type elementType() {
    if constexpr (std::is_same_v<T, double>)
      return device.f64;
    else if constexpr (std::is_same_v<T, float>)
      return device.f32;
    else if constexpr (std::is_same_v<T, BF16>)
      return device.bf16;
    else if constexpr (std::is_same_v<T, F16>)
      return device.f16;
    else if constexpr (std::is_same_v<T, int64_t>)
      return device.i64;
    else if constexpr (std::is_same_v<T, int32_t>)
      return device.i32;
    else
      return device.i8;
  }

  /// What is added, in halves, and what is done besides.
  void finishWith(bool withBias, bool withAddend, bool relu) {
    uint32_t seed = 5;
    auto number = [&] { return T(double((seed = seed * 1664525u + 1013904223u) >> 28) / 2 - 4); };
    spec.bias = withBias;
    spec.addend = withAddend;
    spec.relu = relu;
    bias.resize(withBias ? size_t(spec.n) : 0);
    addend.resize(withAddend ? size_t(spec.elements()) : 0);
    for (auto *operand : {&bias, &addend})
      for (T &x : *operand)
        x = number();
  }

  /// Emits and runs the kernels of a plan.
  void run(const gpu::ProductPlan &plan) {
    gpu::StepBuilder steps(device.module(), device.loc(), "product");
    gpu::emitProduct(steps, spec, plan);
    std::vector<test::DeviceBuffer> operands = {device.put(a), device.put(b)};
    if (spec.bias)
      operands.push_back(device.put(bias));
    if (spec.addend)
      operands.push_back(device.put(addend));
    const test::DeviceBuffer result = device.fresh<T>(size_t(spec.elements()));
    runProgram(device, steps.program, operands, {result});
    c = device.get<T>(result);
  }
  void run() { run(gpu::planProduct(spec)); }

  double factorA(int64_t at, int64_t i, int64_t p) const {
    return double(a[size_t(at * spec.m * spec.k + (spec.transposeA ? p * spec.m + i : i * spec.k + p))]);
  }
  double factorB(int64_t at, int64_t p, int64_t j) const {
    return double(b[size_t(at * spec.k * spec.n + (spec.transposeB ? j * spec.k + p : p * spec.n + j))]);
  }

  /// How many elements differ from the exact sum, rounded, and rounded after each further operation.
  int64_t wrong() const {
    int64_t count = 0;
    for (int64_t at = 0; at < spec.batch; ++at)
      for (int64_t i = 0; i < spec.m; ++i)
        for (int64_t j = 0; j < spec.n; ++j) {
          double sum = 0;
          for (int64_t p = 0; p < spec.k; ++p)
            sum += factorA(at, i, p) * factorB(at, p, j);
          T wanted = T(sum);
          if (spec.bias)
            wanted = T(double(wanted) + double(bias[size_t(j)]));
          if (spec.addend)
            wanted = T(double(wanted) + double(addend[size_t((at * spec.m + i) * spec.n + j)]));
          if (spec.relu && double(wanted) <= 0)
            wanted = T(0.0f);
          const double got = double(c[size_t((at * spec.m + i) * spec.n + j)]);
          count += !(got == double(wanted));
        }
    return count;
  }
};

/// The plan with another tile and number of parts.
inline gpu::ProductPlan withTile(const gpu::ProductSpec &spec, int64_t rows, int64_t columns,
                                 int64_t parts = 1) {
  gpu::ProductPlan plan = gpu::planProduct(spec);
  plan.tileRows = rows;
  plan.tileColumns = columns;
  plan.rowTiles = (spec.m + rows - 1) / rows;
  plan.columnTiles = (spec.n + columns - 1) / columns;
  const int64_t steps = (spec.k + plan.depth - 1) / plan.depth;
  plan.splits = parts;
  plan.splitDepth = (steps + parts - 1) / parts * plan.depth;
  return plan;
}

} // namespace heddle::tests
