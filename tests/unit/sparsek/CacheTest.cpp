// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Caches against the definition after every token, on families of scores that are hard for a selection.

#include "CacheCase.h"
#include "ScoreFamilies.h"

#include <functional>

using namespace heddle;
using namespace heddle::tests;
using Catch::Matchers::Contains;

TEST_CASE("A cache holds what the thresholds of the whole row say after every token", "[cache]") {
  const int64_t n = 150;
  for (const ScoreFamily &family : scoreFamilies(n, 7))
    for (auto [topk, window] : {std::pair(7, 3), {5, 0}, {1, 1}, {40, 2}, {149, 0}, {3, 200}}) {
      INFO(family.name << ", topk " << topk << ", window " << window);
      Generation<f32> g(smallCache(n, topk, window));
      g.u.assign(family.scores.begin(), family.scores.end());
      WholeRows<f32> whole(g);
      for (int64_t i = 0; i < n; ++i) {
        INFO("token " << i);
        REQUIRE(g.append(i, i + 1) == HEDDLE_OK);
        whole.checkState(i);
      }
      CHECK(whole.error(0, n) < 2e-5);
    }
}

TEST_CASE("Prompts and pieces of any length lead to the same cache", "[cache]") {
  const int64_t n = 120;
  for (const ScoreFamily &family : scoreFamilies(n, 11))
    for (auto [topk, window] : {std::pair(7, 3), {5, 0}, {0, 6}})
      for (auto [prompt, piece] : {std::pair(0, 50), {1, 7}, {60, 13}, {120, 1}}) {
        INFO(family.name << ", topk " << topk << ", window " << window << ", prompt " << prompt
                         << ", pieces of " << piece);
        Generation<f32> g(smallCache(n, topk, window));
        g.u.assign(family.scores.begin(), family.scores.end());
        WholeRows<f32> whole(g);
        REQUIRE(g.fill(prompt) == HEDDLE_OK);
        if (prompt > 0 && topk > 0)
          whole.checkState(prompt - 1);
        for (int64_t i = prompt; i < n; i += piece)
          REQUIRE(g.append(i, std::min(n, i + piece)) == HEDDLE_OK);
        if (topk > 0)
          whole.checkState(n - 1);
        CHECK(whole.error(prompt, n) < 2e-5);
      }
}

/// Scores so near to each other that all stay above the threshold, or most: sums over thousands of them, some
/// equal.
template <heddle_dtype_t Element>
static void checkCrowd() {
  const int64_t n = 6000, looks = 40;
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  const std::pair<const char *, std::function<double(int64_t)>> crowds[] = {
      {"equal", [](int64_t) { return 0.25; }},
      {"narrow", [&](int64_t) { return 1 + 1e-4 * normal(random); }},
      {"a few values", [&](int64_t) { return 1e-3 * double(random() % 3); }},
      {"rising", [](int64_t i) { return 1e-6 * double(i); }},
      {"falling", [](int64_t i) { return -1e-6 * double(i); }},
      {"rising, in runs", [](int64_t i) { return 1e-3 * double(i / 1500); }},
      {"one above the others", [](int64_t i) { return i == 2500 ? 3.0 : 0.0; }}};
  for (const auto &[name, score] : crowds) {
    INFO(name);
    Generation<Element> g({1, 1, 1, n, 1, 1, 20, 3, n});
    for (int64_t i = 0; i < n; ++i)
      g.u[i] = static_cast<typename Generation<Element>::Score>(score(i));
    WholeRows<Element> whole(g);
    int32_t most = 0;
    for (int64_t i = 0; i < n; i += n / looks) {
      REQUIRE(g.append(i, i + n / looks) == HEDDLE_OK);
      whole.checkState(i + n / looks - 1);
      most = std::max(most, g.count[0]);
    }
    CHECK(most > 2000);
  }
}

TEST_CASE("Thousands of live scores lead to the thresholds of the whole row", "[cache]") {
  checkCrowd<HEDDLE_F32>();
  checkCrowd<HEDDLE_F64>();
}

template <heddle_dtype_t Element>
static void checkWidths(double tolerance) {
  for (CacheSizes s : {CacheSizes{2, 6, 2, 60, 20, 7, 9, 4, 60}, CacheSizes{1, 3, 3, 40, 1, 1, 4, 4, 40},
                       CacheSizes{1, 8, 1, 50, 64, 128, 12, 5, 50},
                       CacheSizes{1, 2, 1, 40, 256, 72, 3, 8, 40}, CacheSizes{2, 4, 1, 50, 33, 40, 0, 9, 0}})
    for (int32_t gate : {0, 1, 2})
      for (int32_t hard : {0, 1}) {
        INFO("widths " << s.width << " and " << s.valueWidth << ", gate " << gate << ", hard " << hard);
        Generation<Element> g(s);
        g.gate.assign(s.batch, gate);
        g.hard.assign(s.batch, hard);
        REQUIRE(g.append(0, s.length / 2) == HEDDLE_OK);
        for (int64_t i = s.length / 2; i < s.length; ++i)
          REQUIRE(g.append(i, i + 1) == HEDDLE_OK);
        CHECK(WholeRows<Element>(g).error(0, s.length) < tolerance);
      }
}

TEST_CASE("Widths, groups, gates and element types", "[cache]") {
  checkWidths<HEDDLE_F64>(1e-13);
  checkWidths<HEDDLE_F32>(1e-5);
  checkWidths<HEDDLE_F16>(3e-3);
  checkWidths<HEDDLE_BF16>(2e-2);
}

TEST_CASE("A NaN makes the row NaN from the query that it is a candidate of", "[cache]") {
  Generation<f32> g(smallCache(20, 3, 4));
  g.u[5] = NAN;
  for (int64_t i = 0; i < 20; ++i) {
    REQUIRE(g.append(i, i + 1) == HEDDLE_OK);
    CHECK(std::isnan(g.o[i * 3]) == (i >= 9));
  }
  std::vector<float> o = g.o;
  REQUIRE(g.fill(12) == HEDDLE_OK);
  REQUIRE(g.append(12, 13) == HEDDLE_OK);
  CHECK(std::isnan(g.o[12 * 3]));
  REQUIRE(g.fill(8) == HEDDLE_OK);
  REQUIRE(g.append(8, 9) == HEDDLE_OK);
  CHECK(g.o[8 * 3] == Approx(o[8 * 3]));
}

TEST_CASE("Rows have lengths and positions of their own", "[cache]") {
  CacheSizes s{3, 2, 1, 30, 8, 6, 4, 3, 30};
  Generation<f32> g(s);
  REQUIRE(g.append(0, 10, {10, 4, 0}) == HEDDLE_OK);
  CHECK(g.position == std::vector<int32_t>{10, 4, 0});
  REQUIRE(g.append(10, 30, {20, 0, 20}) == HEDDLE_OK);
  CHECK(g.position == std::vector<int32_t>{30, 4, 20});
  // Padding gives 0.
  CHECK(g.o[(2 * s.length + 5) * s.valueWidth] == 0); // row 1, token 5
  CHECK(g.o[(2 * s.length + 12) * s.valueWidth] == 0);
  CHECK(g.o[(4 * s.length + 9) * s.valueWidth] == 0);
  // Row 0 as a whole, row 1 and 2 as the tokens that they took.
  auto alone = [&](int64_t row, int64_t begin, int64_t end) {
    CacheSizes one = s;
    one.batch = 1;
    one.length = end - begin;
    Generation<f32> r(one);
    auto slice = [&](const std::vector<float> &x, int64_t heads, int64_t width) {
      std::vector<float> result;
      for (int64_t h = 0; h < heads; ++h)
        result.insert(result.end(), x.begin() + ((row * heads + h) * s.length + begin) * width,
                      x.begin() + ((row * heads + h) * s.length + end) * width);
      return result;
    };
    r.q = slice(g.q, 2, s.width);
    r.k = slice(g.k, 1, s.width);
    r.v = slice(g.v, 1, s.valueWidth);
    r.u = slice(g.u, 1, 1);
    r.o = slice(g.o, 2, s.valueWidth);
    return WholeRows<f32>(r).error(0, one.length);
  };
  CHECK(alone(0, 0, 30) < 1e-5);
  CHECK(alone(1, 6, 10) < 1e-5);
  CHECK(alone(2, 10, 30) < 1e-5);
}

TEST_CASE("A cache that is too small for its live scores says so", "[cache]") {
  CacheSizes s = smallCache(40, 4, 2);
  s.capacity = 9;
  Generation<f32> g(s);
  g.u.assign(40, 1.0f); // equal scores all stay above the threshold
  REQUIRE(g.append(0, 11) == HEDDLE_OK);
  CHECK(g.count[0] == 9);
  CHECK(g.append(11, 12) == HEDDLE_OUT_OF_RANGE);
  CHECK_THAT(heddle_last_error(), Contains("the cache overflows: more than 9 scores of a head are above its "
                                           "threshold\nhint: sparsek_grow gives a cache more room"));
  CHECK(g.fill(11) == HEDDLE_OK);
  CHECK(g.fill(12) == HEDDLE_OUT_OF_RANGE);
  // Full, but the score that joins makes the others die.
  s.topk = 1;
  Generation<f32> jump(s);
  jump.u.assign(40, 1.0f);
  jump.u[9] = 5;
  REQUIRE(jump.append(0, 11) == HEDDLE_OK);
  CHECK(jump.count[0] == 9);
  CHECK(jump.append(11, 12) == HEDDLE_OK);
  CHECK(jump.count[0] == 1);
}

TEST_CASE("A row counts its tokens in 31 bits", "[cache]") {
  Generation<f32> g(smallCache(4, 2, 2));
  g.position[0] = INT32_MAX - 2;
  CHECK(g.append(0, 2) == HEDDLE_OK);
  CHECK(g.position[0] == INT32_MAX);
  CHECK(g.append(2, 3) == HEDDLE_OUT_OF_RANGE);
  CHECK(g.position[0] == INT32_MAX);
  CHECK(std::string(heddle_last_error()) == "the cache overflows: a row counts at most 2147483647 tokens");
}

TEST_CASE("A cache with nonsense in it harms nothing", "[cache]") {
  for (int32_t nonsense : {-1, -2000000000, 2000000000, 7}) {
    Generation<f32> g(smallCache(40, 4, 3));
    g.position.assign(1, nonsense);
    g.count.assign(1, nonsense);
    g.live.assign(40, NAN);
    g.hi.assign(1, 0.5f);
    g.lo.assign(1, -0.25f);
    g.gate.assign(1, nonsense);
    for (int64_t i = 0; i < 40; ++i)
      g.append(i, i + 1);
  }
  SUCCEED();
}

TEST_CASE("Caches do not depend on the number of threads", "[cache]") {
  CacheSizes s{4, 16, 8, 64, 64, 64, 32, 16, 64};
  std::vector<float> once, live;
  for (int32_t threads : {1, 3}) {
    REQUIRE(heddle_set_num_threads(threads) == HEDDLE_OK);
    Generation<f32> g(s);
    REQUIRE(g.append(0, 50) == HEDDLE_OK);
    REQUIRE(g.append(50, 51) == HEDDLE_OK);
    if (threads == 1) {
      once = g.o;
      live = g.live;
    }
    CHECK(std::memcmp(once.data(), g.o.data(), once.size() * sizeof(float)) == 0);
    CHECK(live == g.live);
  }
  heddle_set_num_threads(0);
}
