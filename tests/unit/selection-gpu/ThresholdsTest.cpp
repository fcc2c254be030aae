// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Thresholds on a device against those of the CPU, on families of scores that are hard for a selection: one
// family a row.

#include "tests/unit/sparsek/ScoreFamilies.h"

#include "compiler/conversion/SparseKToGPU/Threshold.h"
#include "tests/support/ProgramRun.h"

#include <heddle/cpu_sparsek.h>

#include <catch2/catch.hpp>

#include <cmath>

using namespace heddle::tests;
using namespace heddle::test;

namespace {

template <typename T>
constexpr bool isDouble = sizeof(T) == 8;

template <typename T>
struct Thresholds {
  std::vector<T> hi, lo;
  std::vector<int32_t> count, end;
  explicit Thresholds(size_t size) : hi(size), lo(size), count(size), end(size) {}
};

template <typename T>
Thresholds<T> onCPU(const std::vector<T> &u, int64_t rows, int64_t n, int64_t k, int64_t w,
                    const std::vector<int32_t> &bounds) {
  Thresholds<T> t(u.size());
  const int32_t *b = bounds.empty() ? nullptr : bounds.data();
  heddle_status_t status;
  if constexpr (isDouble<T>)
    status = heddle_cpu_sparsek_threshold_f64(u.data(), rows, n, k, w, b, t.hi.data(), t.lo.data(),
                                              t.count.data(), t.end.data());
  else
    status = heddle_cpu_sparsek_threshold_f32(u.data(), rows, n, k, w, b, t.hi.data(), t.lo.data(),
                                              t.count.data(), t.end.data());
  REQUIRE(status == HEDDLE_OK);
  return t;
}

struct Shape {
  int64_t rows, n, k, w;
  heddle::gpu::ThresholdTuning tuning = {};
};

template <typename T>
Thresholds<T> onDevice(const std::vector<T> &u, const Shape &s, const std::vector<int32_t> &bounds) {
  DeviceHarness device;
  const std::string element = isDouble<T> ? "f64" : "f32";
  const std::string size = "1x" + std::to_string(s.rows) + "x" + std::to_string(s.n);
  const std::string scores = "tensor<" + size + "x" + element + ">", counts = "tensor<" + size + "xi32>";
  const std::string places = "tensor<2x" + std::to_string(s.n) + "xi32>";
  const bool packed = !bounds.empty();
  ProgramRun run(device,
                 "%hi, %lo, %count, %end = sparsek.threshold %u" + std::string(packed ? ", bounds %b" : "") +
                     " topk " + std::to_string(s.k) + " window " + std::to_string(s.w) + " : " + scores +
                     (packed ? ", " + places : "") + " -> " + scores + ", " + scores + ", " + counts + ", " +
                     counts,
                 "%u: " + scores + ", %b: " + places);
  run.emit([&](mlir::gpu::GPUModuleOp module, mlir::Operation *op, llvm::StringRef prefix) {
    return heddle::gpu::emitTunedThreshold(module, op, prefix, s.tuning);
  });
  const size_t all = u.size();
  DeviceBuffer input = device.put(u), hi = device.fresh<T>(all), lo = device.fresh<T>(all),
               count = device.fresh<int32_t>(all), end = device.fresh<int32_t>(all);
  std::vector<DeviceBuffer> operands{input};
  if (packed)
    operands.push_back(device.put(bounds));
  CHECK(run.call(operands, {hi, lo, count, end}) == "");
  Thresholds<T> t(all);
  t.hi = device.get<T>(hi);
  t.lo = device.get<T>(lo);
  t.count = device.get<int32_t>(count);
  t.end = device.get<int32_t>(end);
  return t;
}

template <typename T>
void compare(const std::vector<T> &u, const Shape &s, const std::vector<std::string> &names,
             const std::vector<int32_t> &bounds = {}) {
  const Thresholds<T> expected = onCPU(u, s.rows, s.n, s.k, s.w, bounds), t = onDevice(u, s, bounds);
  for (int64_t row = 0; row < s.rows; ++row) {
    int wrongHi = 0, wrongLo = 0, wrongCount = 0, wrongEnd = 0;
    int64_t first = -1;
    double worst = 0;
    for (int64_t i = 0; i < s.n; ++i) {
      const size_t at = static_cast<size_t>(row * s.n + i);
      const bool hiDiffers =
          !(t.hi[at] == expected.hi[at] || (std::isnan(t.hi[at]) && std::isnan(expected.hi[at])));
      const double off = std::abs(double(t.lo[at]) - double(expected.lo[at]));
      const bool loDiffers =
          !(off <= double(std::numeric_limits<T>::epsilon()) * std::abs(double(expected.lo[at])) + 4e-15);
      wrongHi += hiDiffers;
      wrongLo += loDiffers;
      worst = std::max(worst, off);
      wrongCount += t.count[at] != expected.count[at];
      wrongEnd += t.end[at] != expected.end[at];
      if (first < 0 &&
          (hiDiffers || loDiffers || t.count[at] != expected.count[at] || t.end[at] != expected.end[at]))
        first = i;
    }
    if (first >= 0) {
      const size_t at = static_cast<size_t>(row * s.n + first);
      INFO(names[static_cast<size_t>(row)]
           << ", n " << s.n << ", k " << s.k << ", w " << s.w << ", first at " << first << ": " << t.hi[at]
           << " " << t.lo[at] << " " << t.count[at] << " " << t.end[at] << ", expected " << expected.hi[at]
           << " " << expected.lo[at] << " " << expected.count[at] << " " << expected.end[at]
           << ", lo is off by " << worst);
      CHECK(wrongHi == 0);
      CHECK(wrongLo == 0);
      CHECK(wrongCount == 0);
      CHECK(wrongEnd == 0);
    }
  }
  SUCCEED();
}

template <typename T>
void compareFamilies(int64_t n, int64_t k, int64_t w, const std::vector<int32_t> &bounds = {},
                     const heddle::gpu::ThresholdTuning &tuning = {}) {
  std::vector<T> u;
  std::vector<std::string> names;
  for (const ScoreFamily &family : scoreFamilies(n, static_cast<uint32_t>(n + k))) {
    u.insert(u.end(), family.scores.begin(), family.scores.end());
    names.push_back(family.name);
  }
  compare<T>(u, {static_cast<int64_t>(names.size()), n, k, w, tuning}, names, bounds);
}

} // namespace

TEST_CASE("thresholds of short rows are those of the CPU", "[device]") {
  for (auto [n, k, w] : std::vector<std::array<int64_t, 3>>{{1, 1, 0},
                                                            {61, 7, 4},
                                                            {220, 20, 16},
                                                            {220, 1, 1},
                                                            {220, 50, 3},
                                                            {220, 300, 5},
                                                            {61, 8, 64},
                                                            {220, 0, 5}})
    compareFamilies<float>(n, k, w);
}

TEST_CASE("thresholds of f64 scores are those of the CPU", "[device]") {
  for (auto [n, k, w] : std::vector<std::array<int64_t, 3>>{{1, 1, 0}, {61, 7, 4}, {300, 20, 16}})
    compareFamilies<double>(n, k, w);
}

TEST_CASE("thresholds over several chunks are those of the CPU", "[device]") {
  for (auto [n, k, w] :
       std::vector<std::array<int64_t, 3>>{{600, 20, 16}, {900, 300, 7}, {515, 2, 0}, {600, 590, 16}})
    compareFamilies<float>(n, k, w);
}

TEST_CASE("blocks of 128 threads give the same thresholds", "[device]") {
  compareFamilies<float>(900, 300, 7, {}, {.fewChunks = 0});
}

TEST_CASE("rows that shared memory does not hold have the same thresholds", "[device]") {
  compareFamilies<float>(900, 300, 7, {}, {.sharedBytes = 4096});
}

TEST_CASE("merged lists and chunks that too many keys matter for give the same thresholds", "[device]") {
  const int64_t n = 9000; // with one list a lane there are lists of 2048 keys
  std::vector<float> u;
  std::vector<std::string> names;
  for (const ScoreFamily &family : scoreFamilies(n, 17))
    if (family.name == "jump" || family.name == "narrow" || family.name == "ascending" ||
        family.name == "tenths") {
      u.insert(u.end(), family.scores.begin(), family.scores.end());
      names.push_back(family.name);
    }
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  for (int64_t j = 0; j < n; ++j)
    u.push_back((j < 3000 ? 2.0f : j < 8000 ? 0.0f : 1.5f) + 0.1f * normal(random));
  names.push_back("steps");
  compare<float>(u, {static_cast<int64_t>(names.size()), n, 40, 33, {.mostChunks = 32, .laneLists = 1}},
                 names);
  compare<float>(u, {static_cast<int64_t>(names.size()), n, 40, 33}, names);
}

TEST_CASE("three levels of lists give the same thresholds", "[device]") {
  const int64_t n = 53300; // lists of 16384, 2048 and 256 keys
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> u;
  for (int64_t j = 0; j < n; ++j)
    u.push_back(normal(random));
  compare<float>(u, {1, n, 100, 50, {.mostChunks = 32, .laneLists = 1}}, {"normal"});
}

TEST_CASE("chunks in which thousands of keys die or leave saturation give the same thresholds", "[device]") {
  auto compareBursts = [](int64_t n, int64_t k, int64_t burst, float before, float after) {
    std::mt19937 random(3);
    std::normal_distribution<float> normal;
    std::vector<float> u;
    for (int64_t j = 0; j < n; ++j)
      u.push_back((j < burst ? before : after) + 1e-3f * normal(random));
    compare<float>(u, {1, n, k, 3}, {"burst"});
    compare<float>(u, {1, n, k, 3, {.fewChunks = 0}}, {"burst"});
  };
  compareBursts(5300, 40, 5000, 0, 8);
  compareBursts(5700, 2500, 2490, 5, 5);
}

TEST_CASE("packed sequences have thresholds of their own", "[device]") {
  auto boundsOf = [](const std::vector<int32_t> &offsets) {
    const int64_t n = offsets.back();
    std::vector<int32_t> bounds(static_cast<size_t>(2 * n));
    REQUIRE(heddle_cpu_sparsek_segments(offsets.data(), static_cast<int64_t>(offsets.size()), n,
                                        bounds.data()) == HEDDLE_OK);
    return bounds;
  };
  compareFamilies<float>(60, 3, 4, boundsOf({0, 1, 3, 3, 40, 60}));
  compareFamilies<float>(200, 7, 4, boundsOf({0, 100, 101, 200}));
  compareFamilies<float>(300, 7, 4, boundsOf({0, 1, 3, 3, 40, 100, 290, 300}));
  compareFamilies<float>(1300, 20, 5, boundsOf({0, 7, 300, 300, 1010, 1024, 1300}));
  compareFamilies<float>(700, 2, 0, boundsOf({0, 256, 512, 513, 700}));
  compareFamilies<double>(300, 7, 4, boundsOf({0, 1, 3, 3, 40, 100, 290, 300}));
  // Lists of 2048 keys hold parts of several, and a sequence goes through several lists.
  std::mt19937 random(4);
  std::normal_distribution<float> normal;
  std::vector<float> u(9000);
  for (float &x : u)
    x = normal(random);
  for (const std::vector<int32_t> &offsets :
       {std::vector<int32_t>{0, 1024, 3000, 3100, 3101, 9000}, {0, 5000, 5000, 6144, 6150, 6160, 8800, 9000}})
    for (const heddle::gpu::ThresholdTuning &tuning :
         {heddle::gpu::ThresholdTuning{.mostChunks = 32, .laneLists = 1},
          heddle::gpu::ThresholdTuning{.fewChunks = 0}})
      compare<float>(u, {1, 9000, 40, 33, tuning}, {"normal"}, boundsOf(offsets));
  compareFamilies<float>(1300, 20, 5, boundsOf({0, 7, 300, 300, 1010, 1024, 1300}), {.fewChunks = 0});
}

TEST_CASE("NaN makes the queries after it NaN", "[device]") {
  const int64_t rows = 3, n = 800;
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  std::vector<float> u(rows * n);
  for (float &x : u)
    x = normal(random);
  u[100] = u[90] = NAN;
  u[n + 3] = NAN;
  u[3 * n - 5] = NAN;
  compare<float>(u, {rows, n, 16, 20}, {"early", "before there is a threshold", "in the last window"});
  std::vector<int32_t> offsets{0, 95, 400, 800}, bounds(2 * n);
  REQUIRE(heddle_cpu_sparsek_segments(offsets.data(), 4, n, bounds.data()) == HEDDLE_OK);
  compare<float>(u, {rows, n, 16, 20}, {"early", "before there is a threshold", "in the last window"},
                 bounds);
}
