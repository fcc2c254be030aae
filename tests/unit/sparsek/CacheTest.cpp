// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Caches against the definition: thresholds of the whole row, the selected keys and live scores that follow
// from them, and attention in double, after every token, on families of scores that are hard for a selection.

#include "AttentionCase.h"
#include "ScoreFamilies.h"

#include <heddle/cpu_sparsek_cache.h>

#include <catch2/catch.hpp>

#include <algorithm>

using namespace heddle;
using namespace heddle::tests;
using Catch::Matchers::Contains;

namespace {

struct Sizes {
  int64_t batch, queryHeads, heads, length, width, valueWidth, topk, window, capacity;
};

/// Random tokens, and a cache with memory of its own.
template <cpu::MatmulElement Element>
struct Generation {
  using T = typename Stored<Element>::Type;
  using Score = std::conditional_t<Element == cpu::MatmulElement::F64, double, float>;

  explicit Generation(const Sizes &sizes, uint32_t seed = 1) : s(sizes) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    auto fill = [&](std::vector<T> &values, int64_t count) {
      for (int64_t i = 0; i < count; ++i)
        values.push_back(T(normal(random)));
    };
    fill(q, s.batch * s.queryHeads * s.length * s.width);
    fill(k, s.batch * s.heads * s.length * s.width);
    fill(v, s.batch * s.heads * s.length * s.valueWidth);
    for (int64_t i = 0; i < s.batch * s.heads * s.length; ++i)
      u.push_back(static_cast<Score>(normal(random)));
    scale.assign(s.batch, 1 / std::sqrt(double(s.width)));
    gate.assign(s.batch, 0);
    hard.assign(s.batch, 0);
    o.assign(s.batch * s.queryHeads * s.length * s.valueWidth, T(99));
    clear();
  }

  /// An empty cache: what it holds besides the positions does not count.
  void clear() {
    const int64_t heads = s.batch * s.heads, slots = heads * (s.topk + s.window);
    keys.assign(slots * s.width, T(99));
    values.assign(slots * s.valueWidth, T(99));
    score.assign(slots, Score(99));
    key.assign(slots, 99);
    live.assign(heads * s.capacity, Score(99));
    count.assign(heads, 99);
    hi.assign(heads, Score(99));
    lo.assign(heads, Score(99));
    position.assign(s.batch, 0);
  }

  heddle_sparsek_cache_t cache() {
    constexpr int32_t dtype = Element == cpu::MatmulElement::F64   ? HEDDLE_F64
                              : Element == cpu::MatmulElement::F32 ? HEDDLE_F32
                              : Element == cpu::MatmulElement::F16 ? HEDDLE_F16
                                                                   : HEDDLE_BF16;
    return {dtype,       s.batch,      s.heads,     s.width,       s.valueWidth,   s.topk,
            s.window,    s.capacity,   keys.data(), values.data(), score.data(),   key.data(),
            live.data(), count.data(), hi.data(),   lo.data(),     position.data()};
  }

  /// Rows [begin, end) of every head, as tensors of their own.
  template <typename X>
  std::vector<X> part(const std::vector<X> &x, int64_t width, int64_t begin, int64_t end) const {
    std::vector<X> result;
    for (size_t head = 0; head * s.length * width < x.size(); ++head)
      result.insert(result.end(), x.begin() + (head * s.length + begin) * width,
                    x.begin() + (head * s.length + end) * width);
    return result;
  }

  /// Appends the tokens [begin, end); their outputs go to `o`.
  heddle_status_t append(int64_t begin, int64_t end, std::vector<int32_t> lengths = {}) {
    const int64_t n = end - begin;
    lengths.resize(s.batch, lengths.empty() ? int32_t(n) : 0);
    std::vector<T> pq = part(q, s.width, begin, end), pk = part(k, s.width, begin, end),
                   pv = part(v, s.valueWidth, begin, end);
    std::vector<Score> pu = part(u, 1, begin, end);
    std::vector<T> out(s.batch * s.queryHeads * n * s.valueWidth, T(99));
    heddle_sparsek_cache_t c = cache();
    heddle_sparsek_tokens_t tokens{n, pk.data(), pv.data(), pu.data(), lengths.data()};
    heddle_sparsek_queries_t queries{s.queryHeads, pq.data(),   scale.data(),
                                     gate.data(),  hard.data(), out.data()};
    heddle_status_t status = heddle_cpu_sparsek_append(&c, &tokens, &queries);
    for (int64_t head = 0; head < s.batch * s.queryHeads; ++head)
      std::copy_n(out.begin() + head * n * s.valueWidth, n * s.valueWidth,
                  o.begin() + (head * s.length + begin) * s.valueWidth);
    return status;
  }

  /// Fills the cache with the first n tokens.
  heddle_status_t fill(int64_t n) {
    std::vector<int32_t> lengths(s.batch, int32_t(n));
    std::vector<T> pk = part(k, s.width, 0, n), pv = part(v, s.valueWidth, 0, n);
    std::vector<Score> pu = part(u, 1, 0, n);
    heddle_sparsek_cache_t c = cache();
    heddle_sparsek_tokens_t tokens{n, pk.data(), pv.data(), pu.data(), lengths.data()};
    return heddle_cpu_sparsek_fill_cache(&c, &tokens);
  }

  Sizes s;
  std::vector<T> q, k, v, o, keys, values;
  std::vector<Score> u, score, live, hi, lo;
  std::vector<int32_t> key, count, position, gate, hard;
  std::vector<double> scale;
};

double bounded(double x) { return std::clamp(x, -double(FLT_MAX), double(FLT_MAX)); }

/// Thresholds and intervals of whole rows, and outputs in double.
template <cpu::MatmulElement Element>
struct Whole {
  using Score = typename Generation<Element>::Score;

  explicit Whole(const Generation<Element> &g) : g(g), hi(g.u.size()), lo(g.u.size()), end(g.u.size()) {
    const Sizes &s = g.s;
    std::vector<int32_t> sizes(g.u.size());
    heddle_status_t status;
    if constexpr (std::is_same_v<Score, double>)
      status = heddle_cpu_sparsek_threshold_f64(g.u.data(), s.batch * s.heads, s.length, s.topk, s.window,
                                                nullptr, hi.data(), lo.data(), sizes.data(), end.data());
    else
      status = heddle_cpu_sparsek_threshold_f32(g.u.data(), s.batch * s.heads, s.length, s.topk, s.window,
                                                nullptr, hi.data(), lo.data(), sizes.data(), end.data());
    REQUIRE(status == HEDDLE_OK);
  }

  Score gate(int64_t head, int64_t i, int64_t j) const {
    Score h = hi[head * g.s.length + i], l = lo[head * g.s.length + i];
    return std::isinf(h)
               ? Score(1)
               : std::clamp((Score(bounded(g.u[head * g.s.length + j])) - h) - l, Score(0), Score(1));
  }

  std::vector<double> output(int64_t queryHead, int64_t i) const {
    const Sizes &s = g.s;
    int64_t head = queryHead / (s.queryHeads / s.heads), b = head / s.heads;
    std::vector<double> logits, factors, o(s.valueWidth, 0);
    std::vector<int64_t> keys;
    for (int64_t j = 0; j <= i; ++j) {
      bool window = j > i - s.window;
      if (!window && (s.topk == 0 || i >= end[head * s.length + j]))
        continue;
      double soft = window || g.hard[b] ? 1 : gate(head, i, j), dot = 0;
      for (int64_t e = 0; e < s.width; ++e)
        dot += double(g.q[(queryHead * s.length + i) * s.width + e]) *
               double(g.k[(head * s.length + j) * s.width + e]);
      keys.push_back(j);
      logits.push_back(g.scale[b] * (g.gate[b] == 0 ? soft : 1) * dot);
      factors.push_back(g.gate[b] <= 1 ? soft : 1);
    }
    double top = *std::max_element(logits.begin(), logits.end()), total = 0;
    for (double x : logits)
      total += std::exp(x - top);
    for (size_t a = 0; a < keys.size(); ++a)
      for (int64_t f = 0; f < s.valueWidth; ++f)
        o[f] += std::exp(logits[a] - top) / total * factors[a] *
                double(g.v[(head * s.length + keys[a]) * s.valueWidth + f]);
    return o;
  }

  /// The largest error of the outputs of [begin, end).
  double error(int64_t begin, int64_t last) const {
    double worst = 0;
    for (int64_t head = 0; head < g.s.batch * g.s.queryHeads; ++head)
      for (int64_t i = begin; i < last; ++i) {
        std::vector<double> expected = output(head, i);
        for (int64_t f = 0; f < g.s.valueWidth; ++f) {
          double got = double(g.o[(head * g.s.length + i) * g.s.valueWidth + f]);
          worst = std::max(worst, std::isnan(got) ? INFINITY : std::abs(got - expected[f]));
        }
      }
    return worst;
  }

  /// The state after query i: thresholds, the selected keys, and the live scores in order.
  void checkState(int64_t i) const {
    const Sizes &s = g.s;
    for (int64_t head = 0; head < s.batch * s.heads; ++head) {
      const int64_t at = head * s.length + i, slots = s.topk + s.window;
      CHECK(g.hi[head] == hi[at]);
      CHECK(std::abs(g.lo[head] - lo[at]) <= std::numeric_limits<Score>::epsilon());
      std::vector<int32_t> selected, found;
      std::vector<Score> alive;
      for (int64_t j = 0; j <= i - s.window && s.topk > 0; ++j) {
        if (i < end[head * s.length + j])
          selected.push_back(int32_t(j));
        Score x = Score(bounded(g.u[head * s.length + j]));
        if (std::isinf(g.hi[head]) || (x - g.hi[head]) - g.lo[head] > 0)
          alive.push_back(x);
      }
      std::sort(alive.begin(), alive.end(), std::greater<>());
      for (size_t slot = 0; slot < selected.size(); ++slot)
        found.push_back(g.key[head * slots + int64_t(slot)]);
      std::sort(found.begin(), found.end());
      CHECK(found == selected);
      REQUIRE(g.count[head] == int64_t(alive.size()));
      CHECK(std::equal(alive.begin(), alive.end(), g.live.begin() + head * s.capacity));
      CHECK(std::all_of(g.live.begin() + head * s.capacity + g.count[head],
                        g.live.begin() + (head + 1) * s.capacity,
                        [&](Score x) { return x == 0 || x == 99; }));
      for (int64_t p = std::max<int64_t>(0, i - s.window + 1); p <= i && s.window > 0; ++p)
        CHECK(g.key[head * slots + s.topk + p % s.window] == p);
    }
  }

  const Generation<Element> &g;
  std::vector<Score> hi, lo;
  std::vector<int32_t> end;
};

constexpr auto f32 = cpu::MatmulElement::F32;

/// Sizes without scores of their own: one row, one head.
Sizes small(int64_t length, int64_t topk, int64_t window) {
  return {1, 2, 1, length, 5, 3, topk, window, length};
}

} // namespace

TEST_CASE("A cache holds what the thresholds of the whole row say after every token", "[cache]") {
  const int64_t n = 150;
  for (const ScoreFamily &family : scoreFamilies(n, 7))
    for (auto [topk, window] : {std::pair(7, 3), {5, 0}, {1, 1}, {40, 2}, {149, 0}, {3, 200}}) {
      INFO(family.name << ", topk " << topk << ", window " << window);
      Generation<f32> g(small(n, topk, window));
      g.u.assign(family.scores.begin(), family.scores.end());
      Whole<f32> whole(g);
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
        Generation<f32> g(small(n, topk, window));
        g.u.assign(family.scores.begin(), family.scores.end());
        Whole<f32> whole(g);
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

template <cpu::MatmulElement Element>
static void checkWidths(double tolerance) {
  for (Sizes s : {Sizes{2, 6, 2, 60, 20, 7, 9, 4, 60}, Sizes{1, 3, 3, 40, 1, 1, 4, 4, 40},
                  Sizes{1, 8, 1, 50, 64, 128, 12, 5, 50}, Sizes{1, 2, 1, 40, 256, 72, 3, 8, 40},
                  Sizes{2, 4, 1, 50, 33, 40, 0, 9, 0}})
    for (int32_t gate : {0, 1, 2})
      for (int32_t hard : {0, 1}) {
        INFO("widths " << s.width << " and " << s.valueWidth << ", gate " << gate << ", hard " << hard);
        Generation<Element> g(s);
        g.gate.assign(s.batch, gate);
        g.hard.assign(s.batch, hard);
        REQUIRE(g.append(0, s.length / 2) == HEDDLE_OK);
        for (int64_t i = s.length / 2; i < s.length; ++i)
          REQUIRE(g.append(i, i + 1) == HEDDLE_OK);
        CHECK(Whole<Element>(g).error(0, s.length) < tolerance);
      }
}

TEST_CASE("Widths, groups, gates and element types", "[cache]") {
  checkWidths<cpu::MatmulElement::F64>(1e-13);
  checkWidths<cpu::MatmulElement::F32>(1e-5);
  checkWidths<cpu::MatmulElement::F16>(3e-3);
  checkWidths<cpu::MatmulElement::BF16>(2e-2);
}

TEST_CASE("A NaN makes the row NaN from the query that it is a candidate of", "[cache]") {
  Generation<f32> g(small(20, 3, 4));
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
  Sizes s{3, 2, 1, 30, 8, 6, 4, 3, 30};
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
    Sizes one = s;
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
    return Whole<f32>(r).error(0, one.length);
  };
  CHECK(alone(0, 0, 30) < 1e-5);
  CHECK(alone(1, 6, 10) < 1e-5);
  CHECK(alone(2, 10, 30) < 1e-5);
}

TEST_CASE("A cache that is too small for its live scores says so", "[cache]") {
  Sizes s = small(40, 4, 2);
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
  Generation<f32> g(small(4, 2, 2));
  g.position[0] = INT32_MAX - 2;
  CHECK(g.append(0, 2) == HEDDLE_OK);
  CHECK(g.position[0] == INT32_MAX);
  CHECK(g.append(2, 3) == HEDDLE_OUT_OF_RANGE);
  CHECK(g.position[0] == INT32_MAX);
  CHECK(std::string(heddle_last_error()) == "the cache overflows: a row counts at most 2147483647 tokens");
}

TEST_CASE("A cache with nonsense in it harms nothing", "[cache]") {
  for (int32_t nonsense : {-1, -2000000000, 2000000000, 7}) {
    Generation<f32> g(small(40, 4, 3));
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
  Sizes s{4, 16, 8, 64, 64, 64, 32, 16, 64};
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
