// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Sorting, projections and bounds of packed sequences on a device against the CPU.

#include "tests/unit/sparsek/ScoreFamilies.h"

#include "compiler/conversion/SparseKToGPU/Selection.h"
#include "tests/support/ProgramRun.h"

#include <heddle/cpu_sort.h>
#include <heddle/cpu_sparsek.h>

#include <catch2/catch.hpp>

using namespace heddle::tests;
using namespace heddle::test;

namespace {

template <typename T>
void compareOrder(const std::vector<T> &x, int64_t outer, int64_t n, int64_t inner,
                  const std::string &element, int32_t dtype, int64_t limit = -1) {
  const bool limited = limit >= 0;
  limit = limited ? limit : n;
  for (bool descending : {false, true}) {
    std::vector<int32_t> expected(static_cast<size_t>(outer * limit * inner));
    heddle_call_t call{};
    heddle_call_argsort(&call, dtype, descending, x.data(), expected.data(), 0, outer * inner, n, limit,
                        inner);
    auto shape = [&](int64_t extent) {
      return "tensor<" + std::to_string(outer) + "x" + std::to_string(extent) + "x" + std::to_string(inner) +
             "x";
    };
    DeviceHarness device;
    ProgramRun run(device,
                   "%i = heddle.argsort %x axis 1 " + std::string(descending ? "descending " : "") +
                       (limited ? "limit " + std::to_string(limit) + " " : "") + ": " + shape(n) + element +
                       "> -> " + shape(limit) + "i32>",
                   "%x: " + shape(n) + element + ">");
    run.emit(heddle::gpu::emitSelection);
    DeviceBuffer result = device.fresh<int32_t>(expected.size());
    CHECK(run.call({device.put(x)}, {result}) == "");
    INFO(element << " " << outer << " x " << n << " x " << inner << (descending ? ", descending" : ""));
    CHECK(device.get<int32_t>(result) == expected);
  }
}

template <typename T>
std::vector<T> numbers(int64_t size, double scale) {
  std::mt19937 random(11);
  std::normal_distribution<double> normal;
  std::vector<T> x(static_cast<size_t>(size));
  for (T &value : x)
    value = static_cast<T>(scale * normal(random));
  return x;
}

} // namespace

TEST_CASE("the order of elements along an axis is that of the CPU", "[device]") {
  std::vector<float> special = numbers<float>(120, 3);
  special[3] = special[50] = NAN;
  special[7] = -NAN;
  special[8] = INFINITY;
  special[9] = -INFINITY;
  special[10] = -0.0f;
  special[11] = 0.0f;
  special[60] = -0.0f;
  compareOrder(special, 1, 120, 1, "f32", HEDDLE_F32);
  compareOrder(special, 2, 20, 3, "f32", HEDDLE_F32);
  compareOrder(numbers<float>(5000, 1), 1, 5000, 1, "f32", HEDDLE_F32);
  compareOrder(numbers<float>(5000, 1), 1, 5000, 1, "f32", HEDDLE_F32, 17);
  compareOrder(numbers<double>(4500, 1), 1, 4500, 1, "f64", HEDDLE_F64, 500);
  compareOrder(numbers<float>(60, 1), 2, 10, 3, "f32", HEDDLE_F32, 4);
  compareOrder(numbers<float>(60, 1), 2, 10, 3, "f32", HEDDLE_F32, 0);
  std::vector<double> wide = numbers<double>(2300, 1);
  wide[5] = NAN;
  compareOrder(wide, 1, 2300, 1, "f64", HEDDLE_F64);
  compareOrder(numbers<int32_t>(2500, 4), 1, 2500, 1, "i32", HEDDLE_I32);
  compareOrder(numbers<int64_t>(90, 1e12), 3, 30, 1, "i64", HEDDLE_I64);
  std::vector<uint16_t> halves(64);
  for (size_t i = 0; i < halves.size(); ++i)
    halves[i] = static_cast<uint16_t>(i * 4093 + (i % 3 ? 0 : 0x7fc0));
  compareOrder(halves, 2, 32, 1, "bf16", HEDDLE_BF16);
  compareOrder(halves, 1, 64, 1, "f16", HEDDLE_F16);
}

TEST_CASE("every kernel of selection assembles", "[device]") {
  DeviceHarness device;
  const std::string f32 = "tensor<1x2x9000xf32>", f64 = "tensor<1x2x900xf64>", i32 = "tensor<1x2x9000xi32>",
                    counts = "tensor<1x2x900xi32>", bounds = "tensor<2x9000xi32>", row = "tensor<4x70xbf16>";
  std::vector<std::unique_ptr<ProgramRun>> runs;
  auto emit = [&](const std::string &operation, const std::string &arguments) {
    runs.push_back(std::make_unique<ProgramRun>(device, operation, arguments));
    runs.back()->emit(heddle::gpu::emitSelection, "op" + std::to_string(runs.size()));
  };
  emit("%a, %b, %c, %d = sparsek.threshold %u topk 32 window 16 : " + f32 + " -> " + f32 + ", " + f32 + ", " +
           i32 + ", " + i32,
       "%u: " + f32);
  emit("%a, %b, %c, %d = sparsek.threshold %u, bounds %p topk 32 window 16 : " + f32 + ", " + bounds +
           " -> " + f32 + ", " + f32 + ", " + i32 + ", " + i32,
       "%u: " + f32 + ", %p: " + bounds);
  emit("%a, %b, %c, %d = sparsek.threshold %u topk 32 window 16 : " + f64 + " -> " + f64 + ", " + f64 + ", " +
           counts + ", " + counts,
       "%u: " + f64);
  const std::string operands =
      "%u: " + f32 + ", %h: " + f32 + ", %l: " + f32 + ", %c: " + i32 + ", %m: " + f32;
  for (const std::string name : {"backward", "tangent"})
    emit("%r = sparsek.threshold_" + name + " %u, %h, %l, %c, %m window 16 : " + f32 + ", " + f32 + ", " +
             f32 + ", " + i32 + ", " + f32 + " -> " + f32,
         operands);
  emit("%p = sparsek.project %z, %k : " + row + ", tensor<f32> -> " + row,
       "%z: " + row + ", %k: tensor<f32>");
  emit("%b = sparsek.segments %o length 9000 : tensor<4xi32> -> " + bounds, "%o: tensor<4xi32>");
  emit("%i = heddle.argsort %x axis 2 : " + f32 + " -> " + i32, "%x: " + f32);
  for (const char *chip : {"sm_80", "sm_90a"})
    CHECK(device.ptx(chip).find(".entry op1_chunk_queries") != std::string::npos);
}

TEST_CASE("five blocks that solve queries of chunks share a multiprocessor", "[device]") {
  DeviceHarness device;
  const std::string scores = "tensor<1x16x32768xf32>", counts = "tensor<1x16x32768xi32>";
  ProgramRun run(device,
                 "%a, %b, %c, %d = sparsek.threshold %u topk 512 window 512 : " + scores + " -> " + scores +
                     ", " + scores + ", " + counts + ", " + counts,
                 "%u: " + scores);
  run.emit(heddle::gpu::emitSelection);
  constexpr int64_t multiprocessor = 228 << 10, reserved = 1 << 10; // since compute capability 9.0
  bool isThere = false;
  for (const heddle::gpu::DeviceStep &step : run.program.steps)
    if (step.kernel == "op_chunk_queries") {
      isThere = true;
      CHECK(step.block == 128);
      CHECK(5 * (step.shared + reserved) <= multiprocessor);
    }
  CHECK(isThere);
}

TEST_CASE("projections are those of the CPU", "[device]") {
  for (int64_t n : {1, 33, 300})
    for (double k : {0.3, 1.0, 2.5, 7.0, 40.0}) {
      std::vector<float> z;
      int64_t rows = 0;
      for (const ScoreFamily &family : scoreFamilies(n, 5)) {
        z.insert(z.end(), family.scores.begin(), family.scores.end());
        ++rows;
      }
      z[0] = n > 1 ? NAN : z[0];
      std::vector<float> expected(z.size());
      const float budget = static_cast<float>(k);
      REQUIRE(heddle_cpu_sparsek_project(HEDDLE_F32, z.data(), budget, rows, n, expected.data()) ==
              HEDDLE_OK);
      const std::string type = "tensor<" + std::to_string(rows) + "x" + std::to_string(n) + "xf32>";
      DeviceHarness device;
      ProgramRun run(device, "%p = sparsek.project %z, %k : " + type + ", tensor<f32> -> " + type,
                     "%z: " + type + ", %k: tensor<f32>");
      run.emit(heddle::gpu::emitSelection);
      DeviceBuffer result = device.fresh<float>(z.size());
      CHECK(run.call({device.put(z), device.put<float>({budget})}, {result}) == "");
      const auto actual = device.get<float>(result);
      double worst = 0;
      for (size_t i = 0; i < z.size(); ++i)
        if (!(std::isnan(actual[i]) && std::isnan(expected[i])))
          worst = std::max(worst, std::isnan(actual[i]) ? INFINITY
                                                        : std::abs(double(actual[i]) - double(expected[i])));
      INFO("n " << n << ", k " << k);
      CHECK(worst <= 1e-7);
    }
}

TEST_CASE("a budget that is not positive is an error on the device", "[device]") {
  DeviceHarness device;
  const std::string type = "tensor<2x3xf64>";
  ProgramRun run(device, "%p = sparsek.project %z, %k : " + type + ", tensor<f64> -> " + type,
                 "%z: " + type + ", %k: tensor<f64>");
  run.emit(heddle::gpu::emitSelection);
  DeviceBuffer z = device.put<double>({1, 2, 3, 4, 5, 6}), result = device.fresh<double>(6);
  for (double k : {0.0, -1.5, double(NAN), 0.1}) {
    std::vector<double> expected(6);
    const bool fine =
        heddle_cpu_sparsek_project(HEDDLE_F64, expected.data(), k, 2, 3, expected.data()) == HEDDLE_OK;
    CHECK(run.call({z, device.put<double>({k})}, {result}) == (fine ? "" : heddle_last_error()));
  }
}

TEST_CASE("offsets of packed sequences are checked on the device", "[device]") {
  auto run = [](const std::vector<int32_t> &offsets, int64_t n, std::vector<int32_t> &bounds) {
    DeviceHarness device;
    const std::string from = "tensor<" + std::to_string(offsets.size()) + "xi32>",
                      to = "tensor<2x" + std::to_string(n) + "xi32>";
    ProgramRun run(device,
                   "%b = sparsek.segments %o length " + std::to_string(n) + " : " + from + " -> " + to,
                   "%o: " + from);
    run.emit(heddle::gpu::emitSelection);
    DeviceBuffer result = device.fresh<int32_t>(static_cast<size_t>(2 * n));
    const std::string failure = run.call({device.put(offsets)}, {result});
    bounds = device.get<int32_t>(result);
    return failure;
  };
  std::vector<int32_t> bounds;
  for (const std::vector<int32_t> &offsets : std::vector<std::vector<int32_t>>{
           {0, 5}, {0, 0, 2, 2, 3, 300}, {1, 5}, {0, 4, 3, 5}, {0, 3, 4}, {5}, {0, 7, 7, 2, 1, 5}}) {
    const int64_t n = offsets == std::vector<int32_t>{0, 0, 2, 2, 3, 300} ? 300 : 5;
    std::vector<int32_t> expected(static_cast<size_t>(2 * n));
    const bool fine = heddle_cpu_sparsek_segments(offsets.data(), static_cast<int64_t>(offsets.size()), n,
                                                  expected.data()) == HEDDLE_OK;
    CHECK(run(offsets, n, bounds) == (fine ? "" : heddle_last_error()));
    for (int64_t i = 0; !fine && i < n; ++i) { // one sequence, so that nothing after it leaves its buffers
      expected[static_cast<size_t>(i)] = 0;
      expected[static_cast<size_t>(n + i)] = static_cast<int32_t>(n);
    }
    CHECK(bounds == expected);
  }
}
