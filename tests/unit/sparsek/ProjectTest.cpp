// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The projection against its defining properties: the mass, the form clip(z - tau), and its limits.

#include "ScoreFamilies.h"

#include <heddle/cpu_sparsek.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cfloat>
#include <numeric>

using namespace heddle::tests;

namespace {
std::vector<double> project(const std::vector<double> &z, double k) {
  std::vector<double> p(z.size(), 77);
  REQUIRE(heddle_cpu_sparsek_project(HEDDLE_F64, z.data(), k, 1, static_cast<int64_t>(z.size()), p.data()) ==
          HEDDLE_OK);
  return p;
}
} // namespace

TEST_CASE("the projection has mass k and one threshold", "[sparsek]") {
  for (int64_t n : {2, 33, 200})
    for (double k : {0.25, 1.0, 1.5, 7.0, 20.75})
      for (const ScoreFamily &family : scoreFamilies(n, 5)) {
        INFO(family.name << ", n " << n << ", k " << k);
        const auto p = project(family.scores, k);
        CHECK(std::accumulate(p.begin(), p.end(), 0.0) == Approx(std::min(k, double(n))).epsilon(1e-12));
        // Optimality: u - p is at least tau on saturated scores, tau inside, at most tau on zeros.
        double least = INFINITY, most = -INFINITY;
        bool inside = true;
        for (int64_t j = 0; j < n; ++j) {
          const double z = std::clamp(family.scores[j], -double(FLT_MAX), double(FLT_MAX));
          inside &= p[j] >= 0 && p[j] <= 1;
          if (p[j] > 0)
            least = std::min(least, z - p[j]);
          if (p[j] < 1)
            most = std::max(most, z - p[j]);
        }
        CHECK(inside);
        CHECK(most <= least + 1e-12 * std::max(1.0, std::abs(least)));
      }
}

TEST_CASE("limits of the projection", "[sparsek]") {
  CHECK(project({5, -INFINITY, 1}, 3) == std::vector<double>{1, 1, 1});
  CHECK(project({5, 1, 3}, 7.5) == std::vector<double>{1, 1, 1});
  CHECK(project({5, 3, 4, 1}, 2) == std::vector<double>{1, 0, 1, 0});
  CHECK(project({2, 2, 2, 2}, 1) == std::vector<double>(4, 0.25));
  CHECK(project({INFINITY, 0, INFINITY}, 1) == std::vector<double>{0.5, 0, 0.5});
  for (double x : project({1, NAN, 2}, 1))
    CHECK(std::isnan(x));
}

TEST_CASE("element types of the projection", "[sparsek]") {
  const std::vector<float> z{0.5f, 0.25f, 1};
  std::vector<float> p(3);
  REQUIRE(heddle_cpu_sparsek_project(HEDDLE_F32, z.data(), 1, 1, 3, p.data()) == HEDDLE_OK);
  CHECK(p == std::vector<float>{0.25f, 0, 0.75f});
  const std::vector<uint16_t> brain{0x3f00, 0x3e80, 0x3f80};
  std::vector<uint16_t> bits(3);
  REQUIRE(heddle_cpu_sparsek_project(HEDDLE_BF16, brain.data(), 1, 1, 3, bits.data()) == HEDDLE_OK);
  CHECK(bits == std::vector<uint16_t>{0x3e80, 0, 0x3f40});
  const std::vector<uint16_t> half{0x3800, 0x3400, 0x3c00};
  REQUIRE(heddle_cpu_sparsek_project(HEDDLE_F16, half.data(), 1, 1, 3, bits.data()) == HEDDLE_OK);
  CHECK(bits == std::vector<uint16_t>{0x3400, 0, 0x3a00});
}

TEST_CASE("a k that is not positive fails with its value", "[sparsek]") {
  float z = 1, p = 0, k = -1.5f;
  heddle_call_t call;
  heddle_call_init(&call);
  heddle_call_sparsek_project(&call, "a.heddle:3:7: ", HEDDLE_F32, &z, HEDDLE_F32, &k, 1, 1, &p);
  CHECK(call.status == HEDDLE_INVALID_ARGUMENT);
  CHECK(std::string(call.message) == "a.heddle:3:7: sparsek needs k > 0, but k is -1.5");
  CHECK(heddle_cpu_sparsek_project(HEDDLE_I32, &z, 1, 1, 1, &p) == HEDDLE_INVALID_ARGUMENT);
  CHECK(std::string(heddle_last_error()) == "scores of type i32 cannot be projected");
}

TEST_CASE("generated code's functions fail into the call's record", "[sparsek]") {
  float x = 0;
  int32_t i = 0;
  heddle_call_t call;
  heddle_call_init(&call);
  heddle_call_sparsek_threshold_f32(&call, &x, 1, 1, 1, 1, nullptr, &x, &x, &i, &i);
  CHECK(call.status == HEDDLE_OK);
  heddle_call_sparsek_threshold_f32(&call, &x, 1, 1, -2, 1, nullptr, &x, &x, &i, &i);
  CHECK(call.status == HEDDLE_INVALID_ARGUMENT);
  CHECK(std::string(call.message) == "topk is -2, expected 0 to 2147483647");
}
