// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// A cache with tokens for it, and what the definition says about both: thresholds of the whole row, the
// selected keys and live scores that follow from them, and attention in double.
#pragma once

#include "BFloat16.h"

#include <heddle/cpu_sparsek.h>
#include <heddle/cpu_sparsek_cache.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

namespace heddle::tests {

struct CacheSizes {
  int64_t batch, queryHeads, heads, length, width, valueWidth, topk, window, capacity;
};

/// Random tokens, and a cache with memory of its own.
template <heddle_dtype_t Element>
struct Generation {
  using Score = std::conditional_t<Element == HEDDLE_F64, double, float>;
  using T = std::conditional_t<Element == HEDDLE_F16, _Float16,
                               std::conditional_t<Element == HEDDLE_BF16, BFloat16, Score>>;

  explicit Generation(const CacheSizes &sizes, uint32_t seed = 1) : s(sizes) {
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
    return {Element,     s.batch,      s.heads,     s.width,       s.valueWidth,   s.topk,
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

  CacheSizes s;
  std::vector<T> q, k, v, o, keys, values;
  std::vector<Score> u, score, live, hi, lo;
  std::vector<int32_t> key, count, position, gate, hard;
  std::vector<double> scale;
};

inline double bounded(double x) { return std::clamp(x, -double(FLT_MAX), double(FLT_MAX)); }

/// Thresholds and intervals of whole rows, and outputs in double.
template <heddle_dtype_t Element>
struct WholeRows {
  using Score = typename Generation<Element>::Score;

  explicit WholeRows(const Generation<Element> &g) : g(g), hi(g.u.size()), lo(g.u.size()), end(g.u.size()) {
    const CacheSizes &s = g.s;
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
    const CacheSizes &s = g.s;
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
    const CacheSizes &s = g.s;
    for (int64_t head = 0; head < s.batch * s.heads; ++head) {
      const int64_t at = head * s.length + i, slots = s.topk + s.window;
      CHECK(g.hi[head] == hi[at]);
      // Sums are taken in double, in another order.
      constexpr int ulps = std::is_same_v<Score, double> ? 32 : 1;
      CHECK(std::abs(g.lo[head] - lo[at]) <= ulps * std::numeric_limits<Score>::epsilon());
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

constexpr heddle_dtype_t f32 = HEDDLE_F32;

/// Sizes without scores of their own: one row, one head.
inline CacheSizes smallCache(int64_t length, int64_t topk, int64_t window) {
  return {1, 2, 1, length, 5, 3, topk, window, length};
}

} // namespace heddle::tests
