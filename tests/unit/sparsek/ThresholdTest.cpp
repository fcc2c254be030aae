// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Selection against a plain quadratic reference in long double, on families of scores that are hard for it.

#include "ScoreFamilies.h"

#include <heddle/cpu_sparsek.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cfloat>
#include <cstring>
#include <numeric>

using namespace heddle::tests;

namespace {
using Real = long double;

double clamped(double x) {
  if (!(x >= -FLT_MAX))
    return -FLT_MAX;
  return std::min(x, double(FLT_MAX));
}

/// The candidates' order for selection: higher scores first, of equal ones the earlier key.
std::vector<int64_t> ranked(const std::vector<double> &scores, int64_t count) {
  std::vector<int64_t> keys(static_cast<size_t>(count));
  std::iota(keys.begin(), keys.end(), 0);
  std::stable_sort(keys.begin(), keys.end(), [&](int64_t a, int64_t b) { return scores[a] > scores[b]; });
  return keys;
}

struct Threshold {
  double hi = -INFINITY;
  Real lo = 0;
};

/// tau of one query from its definition: the mass is linear in tau between the scores and the scores minus 1.
Threshold thresholdOf(const std::vector<double> &scores, const std::vector<int64_t> &order, int64_t k) {
  if (static_cast<int64_t>(order.size()) <= k)
    return {};
  const double kappa = scores[order[k - 1]], below = scores[order[k]];
  if (Real(kappa) - below >= 1)
    return {below, 0};
  std::vector<Real> near;
  Real above = 0;
  for (int64_t j : order) {
    Real r = Real(scores[j]) - kappa;
    if (r >= 1)
      ++above;
    else if (r > -1)
      near.push_back(r);
  }
  std::vector<Real> points{-1, 0};
  for (Real r : near)
    points.push_back(r < 0 ? r : r - 1);
  std::sort(points.begin(), points.end());
  auto mass = [&](Real tau) {
    Real sum = above;
    for (Real r : near)
      sum += std::clamp<Real>(r - tau, 0, 1);
    return sum;
  };
  size_t low = 0, high = points.size() - 1;
  while (high - low > 1) {
    size_t middle = (low + high) / 2;
    (mass(points[middle]) >= k ? low : high) = middle;
  }
  const Real inside = (points[low] + points[high]) / 2;
  Real sum = 0, count = 0, ones = above;
  for (Real r : near) {
    if (r > inside && r < inside + 1) {
      sum += r;
      ++count;
    } else if (r >= inside + 1) {
      ++ones;
    }
  }
  return {kappa, count > 0 ? (sum + ones - k) / count : points[low]};
}

template <typename T>
struct Selection {
  std::vector<T> hi, lo;
  std::vector<int32_t> count, end;
};

heddle_status_t call(const std::vector<float> &u, int64_t rows, int64_t n, int64_t k, int64_t w,
                     Selection<float> &s) {
  return heddle_cpu_sparsek_threshold_f32(u.data(), rows, n, k, w, nullptr, s.hi.data(), s.lo.data(),
                                          s.count.data(), s.end.data());
}
heddle_status_t call(const std::vector<double> &u, int64_t rows, int64_t n, int64_t k, int64_t w,
                     Selection<double> &s) {
  return heddle_cpu_sparsek_threshold_f64(u.data(), rows, n, k, w, nullptr, s.hi.data(), s.lo.data(),
                                          s.count.data(), s.end.data());
}
heddle_status_t callBackward(const std::vector<float> &u, const Selection<float> &s,
                             const std::vector<float> &dtau, int64_t rows, int64_t n, int64_t w,
                             std::vector<float> &du) {
  return heddle_cpu_sparsek_threshold_backward_f32(u.data(), s.hi.data(), s.lo.data(), s.count.data(),
                                                   dtau.data(), rows, n, w, nullptr, du.data());
}
heddle_status_t callBackward(const std::vector<double> &u, const Selection<double> &s,
                             const std::vector<double> &dtau, int64_t rows, int64_t n, int64_t w,
                             std::vector<double> &du) {
  return heddle_cpu_sparsek_threshold_backward_f64(u.data(), s.hi.data(), s.lo.data(), s.count.data(),
                                                   dtau.data(), rows, n, w, nullptr, du.data());
}

heddle_status_t callTangent(const std::vector<float> &u, const Selection<float> &s,
                            const std::vector<float> &du, int64_t rows, int64_t n, int64_t w,
                            std::vector<float> &dtau) {
  return heddle_cpu_sparsek_threshold_tangent_f32(u.data(), s.hi.data(), s.lo.data(), s.count.data(),
                                                  du.data(), rows, n, w, nullptr, dtau.data());
}
heddle_status_t callTangent(const std::vector<double> &u, const Selection<double> &s,
                            const std::vector<double> &du, int64_t rows, int64_t n, int64_t w,
                            std::vector<double> &dtau) {
  return heddle_cpu_sparsek_threshold_tangent_f64(u.data(), s.hi.data(), s.lo.data(), s.count.data(),
                                                  du.data(), rows, n, w, nullptr, dtau.data());
}

template <typename T>
Selection<T> select(const std::vector<T> &u, int64_t rows, int64_t k, int64_t w) {
  const size_t size = u.size();
  Selection<T> s{std::vector<T>(size, 77), std::vector<T>(size, 77), std::vector<int32_t>(size, 77),
                 std::vector<int32_t>(size, 77)};
  REQUIRE(call(u, rows, static_cast<int64_t>(size) / rows, k, w, s) == HEDDLE_OK);
  return s;
}

template <typename T>
std::vector<T> typed(const std::vector<double> &scores) {
  return std::vector<T>(scores.begin(), scores.end());
}

/// The predicate 0 < u - tau < 1 as every part of the program computes it.
template <typename T>
bool inSupport(double u, T hi, T lo) {
  const T gate = (static_cast<T>(clamped(u)) - hi) - lo;
  return gate > 0 && gate < 1;
}

template <typename T>
void checkAgainstDefinition(const ScoreFamily &family, int64_t k, int64_t w) {
  const int64_t n = static_cast<int64_t>(family.scores.size());
  const auto s = select<T>(typed<T>(family.scores), 1, k, w);
  std::vector<double> scores = family.scores;
  for (double &x : scores)
    x = clamped(x);
  INFO(family.name << ", n " << n << ", k " << k << ", w " << w);
  std::vector<int32_t> end(static_cast<size_t>(n));
  for (int64_t j = 0; j < n; ++j)
    end[j] = static_cast<int32_t>(std::min(j + w, n));
  int wrongHi = 0, wrongLo = 0, wrongCount = 0, wrongExact = 0;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t candidates = std::max<int64_t>(0, i - w + 1);
    const auto order = ranked(scores, candidates);
    const Threshold tau = thresholdOf(scores, order, k);
    wrongHi += s.hi[i] != static_cast<T>(tau.hi);
    // lo is -1..0 rounded to T; the sweep's own sums are in double.
    const double unit = std::numeric_limits<T>::epsilon();
    wrongLo += !(std::abs(static_cast<double>(s.lo[i] - tau.lo)) <= unit * std::abs(double(tau.lo)) + 4e-15);
    int32_t count = 0, exact = 0;
    bool kink = false; // a key so near to gate 0 or 1 that rounding decides
    for (int64_t j = 0; j < candidates && candidates > k; ++j) {
      count += inSupport(scores[j], s.hi[i], s.lo[i]);
      const Real gate = (Real(scores[j]) - tau.hi) - tau.lo;
      exact += gate > 0 && gate < 1;
      kink |= std::abs(gate) < 1e-6L || std::abs(gate - 1) < 1e-6L;
    }
    wrongCount += s.count[i] != count;
    wrongExact += !kink && s.count[i] != exact;
    for (int64_t r = 0; r < std::min(k, candidates); ++r)
      end[order[r]] = static_cast<int32_t>(i + 1);
  }
  CHECK(wrongHi == 0);
  CHECK(wrongLo == 0);
  CHECK(wrongCount == 0);
  CHECK(wrongExact == 0);
  CHECK(s.end == end);

  // The adjoint of tau: every query shares its cotangent among its support.
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  std::vector<T> dtau(static_cast<size_t>(n)), du(static_cast<size_t>(n), T(77));
  for (T &x : dtau)
    x = static_cast<T>(normal(random));
  REQUIRE(callBackward(typed<T>(family.scores), s, dtau, 1, n, w, du) == HEDDLE_OK);
  std::vector<double> expected(static_cast<size_t>(n));
  for (int64_t i = w; i < n; ++i)
    for (int64_t j = 0; j <= i - w; ++j)
      if (s.count[i] > 0 && inSupport(scores[j], s.hi[i], s.lo[i]))
        expected[j] += static_cast<double>(dtau[i]) / s.count[i];
  double worst = 0;
  for (int64_t j = 0; j < n; ++j)
    worst = std::max(worst, std::abs(expected[j] - static_cast<double>(du[j])));
  CHECK(worst <= 1e-6);

  // The tangent of tau is the mean over the support, and the transpose of the adjoint.
  std::vector<T> moved(static_cast<size_t>(n)), tangent(static_cast<size_t>(n), T(77));
  for (T &x : moved)
    x = static_cast<T>(normal(random));
  REQUIRE(callTangent(typed<T>(family.scores), s, moved, 1, n, w, tangent) == HEDDLE_OK);
  double worstTangent = 0, forward = 0, backward = 0;
  for (int64_t i = 0; i < n; ++i) {
    double mean = 0;
    for (int64_t j = 0; j <= i - w && s.count[i] > 0; ++j)
      if (inSupport(scores[j], s.hi[i], s.lo[i]))
        mean += static_cast<double>(moved[j]) / s.count[i];
    worstTangent = std::max(worstTangent, std::abs(mean - static_cast<double>(tangent[i])));
    forward += static_cast<double>(dtau[i]) * mean;
    backward += expected[i] * static_cast<double>(moved[i]);
  }
  CHECK(worstTangent <= 1e-6);
  CHECK(forward == Approx(backward).epsilon(1e-11).margin(1e-11));
}

const std::vector<std::pair<int64_t, int64_t>> budgets{{1, 1},  {1, 0},  {7, 4},  {20, 16},
                                                       {50, 3}, {8, 64}, {300, 5}};
} // namespace

TEST_CASE("thresholds, supports, ends and the adjoint follow the definition", "[sparsek]") {
  for (int64_t n : {1, 61, 220})
    for (auto [k, w] : budgets)
      for (const ScoreFamily &family : scoreFamilies(n, static_cast<uint32_t>(n + k))) {
        checkAgainstDefinition<float>(family, k, w);
        checkAgainstDefinition<double>(family, k, w);
      }
}

TEST_CASE("several batches of survivors follow the definition", "[sparsek]") {
  for (const ScoreFamily &family : scoreFamilies(1900, 3))
    checkAgainstDefinition<float>(family, 40, 16);
}

TEST_CASE("at most topk candidates leave the threshold at -inf", "[sparsek]") {
  auto s = select<float>({3, -INFINITY, 1, 2}, 1, 3, 1);
  for (int i = 0; i < 4; ++i) {
    CHECK(s.hi[i] == -INFINITY);
    CHECK(s.lo[i] == 0);
    CHECK(s.count[i] == 0);
    CHECK(s.end[i] == 4);
  }
}

TEST_CASE("a gap of one or more takes the next score as threshold", "[sparsek]") {
  // Candidates 5, 4, 3 at the last query: the second and the third differ by exactly 1.
  auto s = select<float>({5, 3, 4, 0}, 1, 2, 1);
  CHECK(s.hi[3] == 3);
  CHECK(s.lo[3] == 0);
  CHECK(s.count[3] == 0);
  CHECK(s.end == std::vector<int32_t>{4, 3, 4, 4});
}

TEST_CASE("a NaN makes the queries after it NaN and ranks lowest", "[sparsek]") {
  auto s = select<float>({1, 2, NAN, 4, 5, 6}, 1, 2, 1);
  for (int i = 0; i < 6; ++i) {
    CHECK(std::isnan(s.hi[i]) == (i >= 3));
    if (i >= 3) {
      CHECK(s.lo[i] == 0);
      CHECK(s.count[i] == 0);
    }
  }
  CHECK(s.end == std::vector<int32_t>{4, 5, 3, 6, 6, 6});
  std::vector<float> dtau(6, 1), du(6, 77);
  REQUIRE(callBackward({1, 2, NAN, 4, 5, 6}, s, dtau, 1, 6, 1, du) == HEDDLE_OK);
  CHECK(du == std::vector<float>(6, 0));
}

TEST_CASE("infinities tie at the largest f32", "[sparsek]") {
  auto s = select<float>({INFINITY, FLT_MAX, INFINITY, 0}, 1, 2, 0);
  CHECK(s.hi[3] == FLT_MAX);
  CHECK(s.lo[3] == Approx(-2.0 / 3).epsilon(1e-7));
  CHECK(s.count[3] == 3);
  CHECK(s.end == std::vector<int32_t>{4, 4, 2, 3});
}

TEST_CASE("no selection without a budget", "[sparsek]") {
  auto s = select<float>({1, 2, 3}, 1, 0, 2);
  CHECK(s.end == std::vector<int32_t>{2, 3, 3});
  CHECK(s.count == std::vector<int32_t>(3, 0));
  CHECK(s.hi == std::vector<float>(3, -INFINITY));
}

TEST_CASE("rows are independent and bits do not depend on threads", "[sparsek]") {
  const int64_t rows = 5, n = 9000;
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  std::vector<float> u(rows * n), dtau(rows * n);
  for (float &x : u)
    x = normal(random);
  for (float &x : dtau)
    x = normal(random);
  u[3 * n + 100] = NAN;
  std::vector<Selection<float>> results;
  std::vector<std::vector<float>> adjoints, tangents;
  for (int threads : {1, 2, 3}) {
    REQUIRE(heddle_set_num_threads(threads) == HEDDLE_OK);
    results.push_back(select<float>(u, rows, 64, 32));
    adjoints.emplace_back(u.size());
    REQUIRE(callBackward(u, results.back(), dtau, rows, n, 32, adjoints.back()) == HEDDLE_OK);
    tangents.emplace_back(u.size());
    REQUIRE(callTangent(u, results.back(), dtau, rows, n, 32, tangents.back()) == HEDDLE_OK);
  }
  heddle_set_num_threads(0);
  const size_t bytes = u.size() * 4;
  for (size_t t = 1; t < results.size(); ++t) {
    CHECK(std::memcmp(results[t].hi.data(), results[0].hi.data(), bytes) == 0);
    CHECK(std::memcmp(results[t].lo.data(), results[0].lo.data(), bytes) == 0);
    CHECK(results[t].count == results[0].count);
    CHECK(results[t].end == results[0].end);
    CHECK(std::memcmp(adjoints[t].data(), adjoints[0].data(), bytes) == 0);
    CHECK(std::memcmp(tangents[t].data(), tangents[0].data(), bytes) == 0);
  }
  for (int64_t row = 0; row < rows; ++row) {
    auto alone = select<float>(std::vector<float>(u.begin() + row * n, u.begin() + (row + 1) * n), 1, 64, 32);
    CHECK(std::memcmp(alone.hi.data(), results[0].hi.data() + row * n, n * 4) == 0);
    CHECK(std::equal(alone.end.begin(), alone.end.end(), results[0].end.begin() + row * n));
  }
}

TEST_CASE("wrong sizes are refused with their values", "[sparsek]") {
  float x = 0;
  int32_t i = 0;
  CHECK(heddle_cpu_sparsek_threshold_f32(&x, 1, 1, -2, 1, nullptr, &x, &x, &i, &i) ==
        HEDDLE_INVALID_ARGUMENT);
  CHECK(std::string(heddle_last_error()) == "topk is -2, expected 0 to 2147483647");
  CHECK(heddle_cpu_sparsek_threshold_f32(&x, 1, 1, 1, -1, nullptr, &x, &x, &i, &i) ==
        HEDDLE_INVALID_ARGUMENT);
  CHECK(std::string(heddle_last_error()) == "the window is -1, expected 0 or more");
  CHECK(heddle_cpu_sparsek_threshold_f32(&x, 1, int64_t(1) << 31, 1, 1, nullptr, &x, &x, &i, &i) ==
        HEDDLE_INVALID_ARGUMENT);
  CHECK(std::string(heddle_last_error()) == "the number of scores is 2147483648, expected 0 to 2147483647");
}
