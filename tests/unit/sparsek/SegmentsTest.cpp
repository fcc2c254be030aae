// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Bounds of packed sequences, and selection within them against calls for each sequence.

#include "ScoreFamilies.h"

#include <heddle/cpu_sparsek.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstring>
#include <string>

using namespace heddle::tests;

namespace {
using Offsets = std::vector<int32_t>;

std::vector<int32_t> boundsOf(const Offsets &offsets) {
  std::vector<int32_t> bounds(2 * static_cast<size_t>(offsets.back()), 77);
  REQUIRE(heddle_cpu_sparsek_segments(offsets.data(), static_cast<int64_t>(offsets.size()), offsets.back(),
                                      bounds.data()) == HEDDLE_OK);
  return bounds;
}

std::string failureOf(const Offsets &offsets, int64_t n) {
  std::vector<int32_t> bounds(2 * static_cast<size_t>(n));
  CHECK(heddle_cpu_sparsek_segments(offsets.data(), static_cast<int64_t>(offsets.size()), n, bounds.data()) ==
        HEDDLE_INVALID_ARGUMENT);
  return heddle_last_error();
}

struct Selection {
  std::vector<float> hi, lo, du;
  std::vector<int32_t> count, end;
  explicit Selection(size_t size)
      : hi(size, 77), lo(size, 77), du(size, 77), count(size, 77), end(size, 77) {}
};

/// Thresholds, and the adjoint for the cotangents `dtau`; `bounds` may be null.
Selection select(const std::vector<float> &u, const std::vector<float> &dtau, int64_t rows, int64_t k,
                 int64_t w, const int32_t *bounds) {
  Selection s(u.size());
  const int64_t n = static_cast<int64_t>(u.size()) / rows;
  REQUIRE(heddle_cpu_sparsek_threshold_f32(u.data(), rows, n, k, w, bounds, s.hi.data(), s.lo.data(),
                                           s.count.data(), s.end.data()) == HEDDLE_OK);
  REQUIRE(heddle_cpu_sparsek_threshold_backward_f32(u.data(), s.hi.data(), s.lo.data(), s.count.data(),
                                                    dtau.data(), rows, n, w, bounds,
                                                    s.du.data()) == HEDDLE_OK);
  return s;
}

/// A packed call has the bits of a call for each sequence of each row.
void checkApart(const std::vector<float> &u, int64_t rows, int64_t k, int64_t w, const Offsets &offsets) {
  const int64_t n = offsets.back();
  std::mt19937 random(9);
  std::normal_distribution<float> normal;
  std::vector<float> dtau(u.size());
  for (float &x : dtau)
    x = normal(random);
  const auto bounds = boundsOf(offsets);
  const Selection packed = select(u, dtau, rows, k, w, bounds.data());
  int wrong = 0;
  for (int64_t row = 0; row < rows; ++row)
    for (size_t s = 0; s + 1 < offsets.size(); ++s) {
      const int64_t start = row * n + offsets[s], length = offsets[s + 1] - offsets[s];
      if (length == 0)
        continue;
      auto part = [&](const auto &all) {
        return std::vector(all.begin() + start, all.begin() + start + length);
      };
      Selection alone = select(part(u), part(dtau), 1, k, w, nullptr);
      for (int32_t &end : alone.end)
        end += offsets[s];
      for (auto member : {&Selection::hi, &Selection::lo, &Selection::du}) // bits, for NaN
        wrong +=
            std::memcmp((alone.*member).data(), (packed.*member).data() + start, size_t(length) * 4) != 0;
      wrong += alone.count != part(packed.count);
      wrong += alone.end != part(packed.end);
    }
  CHECK(wrong == 0);
}
} // namespace

TEST_CASE("bounds of every position", "[sparsek]") {
  CHECK(boundsOf({0, 3, 3, 4, 8}) == std::vector<int32_t>{0, 0, 0, 3, 4, 4, 4, 4, 3, 3, 3, 4, 8, 8, 8, 8});
  CHECK(boundsOf({0}).empty());
  CHECK(boundsOf({0, 0, 0}).empty());
}

TEST_CASE("offsets that do not fit are refused with their values", "[sparsek]") {
  CHECK(failureOf({1, 4}, 4) == "segments[0] is 1, not 0");
  CHECK(failureOf({-1, 4}, 4) == "segments[0] is -1, not 0");
  CHECK(failureOf({0, 3, 2, 4}, 4) == "segments[2] is 2, below segments[1], which is 3");
  CHECK(failureOf({0, 9, 4}, 4) == "segments[2] is 4, below segments[1], which is 9");
  CHECK(failureOf({0, 3}, 4) == "segments[1] is 3, not 4, the number of positions");
  CHECK(failureOf({0}, 4) == "segments[0] is 0, not 4, the number of positions");
  CHECK(failureOf({}, 4) == "the number of offsets is 0, expected 1 to 2147483647");
}

TEST_CASE("generated code learns where the offsets are wrong", "[sparsek]") {
  heddle_call_t call = {};
  const int32_t offsets[] = {0, 5};
  int32_t bounds[8];
  heddle_call_sparsek_segments(&call, "a.heddle:3:7: ", offsets, 2, 4, bounds);
  CHECK(call.status == HEDDLE_INVALID_ARGUMENT);
  CHECK(std::string(call.message) == "a.heddle:3:7: segments[1] is 5, not 4, the number of positions");
}

TEST_CASE("bounds that no offsets have are refused", "[sparsek]") {
  const float u[2] = {1, 2};
  float x[2];
  int32_t i[2];
  for (auto bounds : {Offsets{0, 1, 1, 1}, Offsets{0, 1, 1, 3}, Offsets{0, 0, 1, 2}, Offsets{0, 1, -5, 2}})
    CHECK(heddle_cpu_sparsek_threshold_f32(u, 1, 2, 1, 1, bounds.data(), x, x, i, i) ==
          HEDDLE_INVALID_ARGUMENT);
  CHECK(std::string(heddle_last_error()) == "bounds of position 0 are 0 and -5");
}

TEST_CASE("packed selection is that of every sequence", "[sparsek]") {
  for (const ScoreFamily &family : scoreFamilies(230, 4)) {
    INFO(family.name);
    const std::vector<float> u(family.scores.begin(), family.scores.end());
    for (auto [k, w] : {std::pair{1, 1}, std::pair{7, 4}, std::pair{20, 16}, std::pair{8, 64},
                        std::pair{300, 0}, std::pair{0, 5}}) {
      checkApart(u, 2, k, w, {0, 1, 1, 30, 32, 100, 115});
      checkApart(u, 1, k, w, {0, 0, 229, 230, 230});
    }
  }
}

TEST_CASE("long and short sequences together, for any number of threads", "[sparsek]") {
  const Offsets offsets{0, 10, 5000, 5001, 9900, 14500};
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  std::vector<float> u(3 * 14500);
  for (float &x : u)
    x = normal(random);
  u[14500 + 6000] = NAN;
  u[20] = NAN;
  for (int threads : {1, 2, 3}) {
    REQUIRE(heddle_set_num_threads(threads) == HEDDLE_OK);
    checkApart(u, 3, 64, 32, offsets);
  }
  heddle_set_num_threads(0);
}

TEST_CASE("very many sequences of one position", "[sparsek]") {
  const int64_t n = 20000;
  Offsets offsets;
  for (int32_t i = 0; i <= n; ++i)
    offsets.push_back(i);
  std::vector<float> u(static_cast<size_t>(n), 1);
  const auto bounds = boundsOf(offsets);
  for (int64_t w : {0, 3}) {
    const Selection s = select(u, u, 1, 2, w, bounds.data());
    CHECK(s.hi == std::vector<float>(u.size(), -INFINITY));
    CHECK(std::equal(s.end.begin(), s.end.end(), offsets.begin() + 1));
    CHECK(s.du == std::vector<float>(u.size(), 0));
  }
}

TEST_CASE("after wrong offsets all positions are one sequence, so that nothing leaves its buffers",
          "[sparsek]") {
  const int32_t offsets[] = {0, 9, 4};
  int32_t bounds[8];
  std::fill_n(bounds, 8, 77);
  heddle_call_t call{};
  heddle_call_sparsek_segments(&call, "here: ", offsets, 3, 4, bounds);
  CHECK(std::string(call.message) == "here: segments[2] is 4, below segments[1], which is 9");
  for (int i = 0; i < 4; ++i) {
    CHECK(bounds[i] == 0);
    CHECK(bounds[4 + i] == 4);
  }
}
