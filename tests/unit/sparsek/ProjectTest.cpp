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

/// tau in long double, from the sorted scores: step from the highest down until the mass is reached.
std::vector<double> bySorting(const std::vector<double> &z, double k) {
  std::vector<long double> scores;
  for (double x : z)
    scores.push_back(std::clamp(x, -double(FLT_MAX), double(FLT_MAX)));
  std::vector<long double> sorted = scores;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  // Walking tau down, the next event is that a score enters at tau or saturates at tau + 1. Sums are relative
  // to `centre`, the score that entered last.
  size_t full = 0, above = 1;
  long double centre = sorted[0], sum = 0;
  while (true) {
    const long double inside = static_cast<long double>(above - full);
    const long double mass = static_cast<long double>(full);
    // mass + sum - inside * delta = k at tau = centre + delta; with none inside the last to enter is full.
    const long double delta = inside > 0 ? (mass + sum - k) / inside : -1;
    const long double enters = above < sorted.size() ? sorted[above] - centre : -INFINITY;
    const long double saturates = full < above ? sorted[full] - centre - 1 : -INFINITY;
    const long double next = std::max(enters, saturates);
    if ((inside > 0 && delta >= next) || (inside == 0 && mass >= k)) {
      std::vector<double> p;
      for (long double x : scores)
        p.push_back(static_cast<double>(std::clamp((x - centre) - delta, 0.0L, 1.0L)));
      return p;
    }
    if (saturates >= enters) {
      sum -= sorted[full] - centre;
      ++full;
    } else {
      const long double shift = sorted[above] - centre;
      centre = sorted[above];
      sum -= static_cast<long double>(above - full) * shift;
      ++above;
    }
  }
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

// Short rows lie side by side in vector lanes, longer ones over all lanes, and of long ones a sample is
// taken.
TEST_CASE("rows of every length agree with a solution by sorting", "[sparsek]") {
  for (int64_t n : {1, 7, 8, 9, 512, 513, 8192, 70001}) {
    const double size = static_cast<double>(n);
    for (double k : {0.25, 3.0, 0.01 * size, 0.5 * size, size - 0.5})
      for (const ScoreFamily &family : scoreFamilies(n, 11)) {
        if (k >= size || (n > 1000 && k > 3 && k < 0.4 * size))
          continue;
        INFO(family.name << ", n " << n << ", k " << k);
        const std::vector<double> expected = bySorting(family.scores, k);
        const auto p = project(family.scores, k);
        // Sums over n scores round to about n ulps of k in both.
        const double tolerance = 1e-13 * std::max(1.0, size / 1e3);
        double worst = 0;
        for (size_t j = 0; j < p.size(); ++j)
          worst = std::max(worst, std::abs(p[j] - expected[j]));
        CHECK(worst <= tolerance);
        // In f32 every one is the nearest to that, or its neighbour.
        std::vector<float> scores(family.scores.begin(), family.scores.end()), single(scores.size());
        REQUIRE(heddle_cpu_sparsek_project(HEDDLE_F32, scores.data(), k, 1, n, single.data()) == HEDDLE_OK);
        worst = 0;
        for (size_t j = 0; j < p.size(); ++j)
          worst = std::max(worst, std::abs(single[j] - p[j]));
        CHECK(worst <= 6e-8 + tolerance);
      }
  }
}

TEST_CASE("a row's result depends neither on its neighbours nor on threads", "[sparsek]") {
  for (int64_t n : {5, 64, 700, 200000}) {
    const int64_t rows = n < 1000 ? 37 : 3;
    std::vector<float> z;
    const auto families = scoreFamilies(n, 3);
    for (int64_t row = 0; row < rows; ++row)
      for (double x : families[static_cast<size_t>(row) % families.size()].scores)
        z.push_back(static_cast<float>(x));
    std::vector<float> all(z.size()), one(z.size()), inPlace = z;
    const double k = 0.3 * static_cast<double>(n);
    for (int32_t threads : {1, 3}) {
      INFO("n " << n << ", threads " << threads);
      REQUIRE(heddle_set_num_threads(threads) == HEDDLE_OK);
      REQUIRE(heddle_cpu_sparsek_project(HEDDLE_F32, z.data(), k, rows, n, all.data()) == HEDDLE_OK);
      for (int64_t row = 0; row < rows; ++row)
        REQUIRE(heddle_cpu_sparsek_project(HEDDLE_F32, z.data() + row * n, k, 1, n, one.data() + row * n) ==
                HEDDLE_OK);
      CHECK(all == one);
    }
    REQUIRE(heddle_set_num_threads(0) == HEDDLE_OK);
    REQUIRE(heddle_cpu_sparsek_project(HEDDLE_F32, inPlace.data(), k, rows, n, inPlace.data()) == HEDDLE_OK);
    CHECK(inPlace == all);
  }
}

TEST_CASE("a sample that misses the largest scores is made up for", "[sparsek]") {
  // Among 100,000 equal scores a few larger ones, which hold all of the mass or nearly so.
  std::vector<double> z(100000, -3);
  for (size_t j = 0; j < 7; ++j)
    z[j * 9973 + 5] = 1 + 0.125 * static_cast<double>(j);
  const auto p = project(z, 2);
  // The six from 1.125 to 1.75 share it: (8.625 - 2) / 6 is tau.
  for (size_t j = 0; j < 7; ++j)
    CHECK(p[j * 9973 + 5] == Approx(std::max(0.0, z[j * 9973 + 5] - 6.625 / 6)).margin(1e-15));
  CHECK(std::accumulate(p.begin(), p.end(), 0.0) == Approx(2).epsilon(1e-14));
  CHECK(std::count(p.begin(), p.end(), 0.0) == 99994);
  // The same row upside down: nearly all scores at 1.
  for (double &x : z)
    x = -x;
  const auto q = project(z, 99998.5);
  CHECK(std::accumulate(q.begin(), q.end(), 0.0) == Approx(99998.5).epsilon(1e-14));
  const auto oracle = bySorting(z, 99998.5);
  for (size_t j = 0; j < 7; ++j)
    CHECK(q[j * 9973 + 5] == Approx(oracle[j * 9973 + 5]).margin(1e-15));
}

TEST_CASE("a NaN anywhere makes its row NaN and no other", "[sparsek]") {
  for (int64_t n : {3, 20, 600, 9000, 70000})
    for (int64_t at : {int64_t(0), n / 2, n - 1}) {
      INFO("n " << n << ", at " << at);
      std::vector<double> z(static_cast<size_t>(2 * n)), p(z.size());
      for (size_t j = 0; j < z.size(); ++j)
        z[j] = std::sin(static_cast<double>(j));
      z[static_cast<size_t>(n + at)] = NAN;
      for (double k : {1.5, static_cast<double>(n + 1)}) {
        REQUIRE(heddle_cpu_sparsek_project(HEDDLE_F64, z.data(), k, 2, n, p.data()) == HEDDLE_OK);
        CHECK(std::none_of(p.begin(), p.begin() + n, [](double x) { return std::isnan(x); }));
        CHECK(std::all_of(p.begin() + n, p.end(), [](double x) { return std::isnan(x); }));
      }
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
