// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The adjoint and the tangent of thresholds on a device against those of the CPU.

#include "tests/unit/sparsek/ScoreFamilies.h"

#include "compiler/conversion/SparseKToGPU/Selection.h"
#include "tests/support/ProgramRun.h"

#include <heddle/cpu_sparsek.h>

#include <catch2/catch.hpp>

using namespace heddle::tests;
using namespace heddle::test;

namespace {

template <typename T>
struct Functions;
template <>
struct Functions<float> {
  static constexpr auto threshold = heddle_cpu_sparsek_threshold_f32;
  static constexpr auto backward = heddle_cpu_sparsek_threshold_backward_f32;
  static constexpr auto tangent = heddle_cpu_sparsek_threshold_tangent_f32;
  static constexpr const char *name = "f32";
};
template <>
struct Functions<double> {
  static constexpr auto threshold = heddle_cpu_sparsek_threshold_f64;
  static constexpr auto backward = heddle_cpu_sparsek_threshold_backward_f64;
  static constexpr auto tangent = heddle_cpu_sparsek_threshold_tangent_f64;
  static constexpr const char *name = "f64";
};

template <typename T>
void compare(int64_t n, int64_t k, int64_t w, const std::vector<int32_t> &offsets = {}, int64_t nanAt = -1) {
  using F = Functions<T>;
  std::vector<T> u;
  int64_t rows = 0;
  for (const ScoreFamily &family : scoreFamilies(n, static_cast<uint32_t>(n + k))) {
    u.insert(u.end(), family.scores.begin(), family.scores.end());
    ++rows;
  }
  if (nanAt >= 0)
    u[static_cast<size_t>(nanAt)] = NAN;
  const size_t size = u.size();
  std::vector<T> hi(size), lo(size), moved(size);
  std::vector<int32_t> count(size), end(size), bounds;
  if (!offsets.empty()) {
    bounds.resize(static_cast<size_t>(2 * n));
    REQUIRE(heddle_cpu_sparsek_segments(offsets.data(), static_cast<int64_t>(offsets.size()), n,
                                        bounds.data()) == HEDDLE_OK);
  }
  const int32_t *places = bounds.empty() ? nullptr : bounds.data();
  REQUIRE(F::threshold(u.data(), rows, n, k, w, places, hi.data(), lo.data(), count.data(), end.data()) ==
          HEDDLE_OK);
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  for (T &x : moved)
    x = static_cast<T>(normal(random));

  for (const std::string name : {"threshold_backward", "threshold_tangent"}) {
    std::vector<T> expected(size);
    const bool backward = name == "threshold_backward";
    REQUIRE((backward ? F::backward : F::tangent)(u.data(), hi.data(), lo.data(), count.data(), moved.data(),
                                                  rows, n, w, places, expected.data()) == HEDDLE_OK);
    DeviceHarness device;
    const std::string shape = "1x" + std::to_string(rows) + "x" + std::to_string(n);
    const std::string scores = "tensor<" + shape + "x" + F::name + ">", counts = "tensor<" + shape + "xi32>",
                      positions = "tensor<2x" + std::to_string(n) + "xi32>";
    ProgramRun run(device,
                   "%r = sparsek." + name + " %u, %hi, %lo, %count, %m" + (places ? ", bounds %b" : "") +
                       " window " + std::to_string(w) + " : " + scores + ", " + scores + ", " + scores +
                       ", " + counts + ", " + scores + (places ? ", " + positions : "") + " -> " + scores,
                   "%u: " + scores + ", %hi: " + scores + ", %lo: " + scores + ", %count: " + counts +
                       ", %m: " + scores + ", %b: " + positions);
    run.emit(heddle::gpu::emitSelection);
    std::vector<DeviceBuffer> operands{device.put(u), device.put(hi), device.put(lo), device.put(count),
                                       device.put(moved)};
    if (places)
      operands.push_back(device.put(bounds));
    DeviceBuffer result = device.fresh<T>(size);
    CHECK(run.call(operands, {result}) == "");
    const std::vector<T> actual = device.get<T>(result);
    double worst = 0;
    size_t at = 0;
    for (size_t i = 0; i < size; ++i)
      if (double off =
              std::abs(double(actual[i]) - double(expected[i])) / (1 + std::abs(double(expected[i])));
          !(off <= worst)) {
        worst = off;
        at = i;
      }
    INFO(name << " of " << F::name << ", n " << n << ", row " << at / static_cast<size_t>(n) << " at "
              << at % static_cast<size_t>(n) << ": " << actual[at] << ", expected " << expected[at]);
    CHECK(worst <= (sizeof(T) == 8 ? 1e-12 : 1e-6));
  }
}

} // namespace

TEST_CASE("derivatives of thresholds are those of the CPU", "[device]") {
  compare<float>(61, 7, 4);
  compare<float>(700, 20, 16);
  compare<float>(300, 5, 0, {}, 270);
  compare<double>(300, 20, 3);
}

TEST_CASE("derivatives of thresholds start again with every sequence", "[device]") {
  compare<float>(700, 7, 4, {0, 1, 3, 3, 40, 256, 690, 700});
  compare<float>(700, 7, 4, {0, 300, 700}, 310);
}
