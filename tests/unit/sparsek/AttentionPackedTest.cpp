// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Generated attention over packed sequences against its formula and against a call for each sequence.

#include "AttentionCase.h"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace heddle;
using namespace heddle::tests;
using bench::CompiledAttention;
using cpu::AttentionSpec;
using cpu::MatmulElement;

namespace {
using Offsets = std::vector<int32_t>;

/// Both passes of packed attention, for any offsets.
class Compiled {
public:
  explicit Compiled(const AttentionSpec &given, MatmulElement element = MatmulElement::F32,
                    const bench::AttentionOptions &options = {})
      : spec(with(given, element)), forward(CompiledAttention::Pass::Forward, spec, options),
        backward(CompiledAttention::Pass::Backward, spec, options) {}

  template <MatmulElement Element>
  void run(AttentionCase<Element> &c) const {
    c.allocate();
    forward.run(c.buffers());
    backward.run(c.buffers());
  }

  /// `tolerance` of the forward pass; the backward pass has five times that.
  template <MatmulElement Element = MatmulElement::F32>
  void check(const Offsets &offsets, double tolerance) const {
    INFO(describe(spec) << ", offsets " << Catch::Detail::stringify(offsets));
    AttentionCase<Element> c(spec, /*spread=*/0.5, /*seed=*/1, offsets);
    c.reference.run();
    run(c);
    CHECK(distance(c.exact(c.o), c.reference.o) <= tolerance);
    CHECK(distance(c.exact(c.lse), c.reference.lse) <= tolerance);
    CHECK(distance(c.exact(c.dq), c.reference.dq) <= 5 * tolerance);
    CHECK(distance(c.exact(c.dk), c.reference.dk) <= 5 * tolerance);
    CHECK(distance(c.exact(c.dv), c.reference.dv) <= 5 * tolerance);
    CHECK(distance(c.exact(c.du), c.reference.du) <= 5 * tolerance);
    CHECK(distance(c.exact(c.dtau), c.reference.dtau) <= 5 * tolerance);
  }

private:
  static AttentionSpec with(AttentionSpec spec, MatmulElement element) {
    spec.packed = true;
    spec.element = element;
    return spec;
  }

  AttentionSpec spec;
  CompiledAttention forward, backward;
};

/// Sequences of one position, of all, none at the ends and between, ends at, before and after those of tiles.
std::vector<Offsets> offsetsOf(int32_t n) {
  std::vector<Offsets> all{{0, n}, {0, 0, n / 3, n / 3, n, n}, {0, 1, n - n / 4, n}};
  Offsets many{0};
  for (int32_t i = 7, step = 3; i < n; i += step = step * 5 % 23 + 1)
    many.push_back(i);
  many.push_back(n);
  all.push_back(many);
  if (n > 70)
    all.push_back({0, 31, 32, 33, 63, 64, 65, n});
  return all;
}

/// The rows [begin, end) of the positions of a tensor [rows, positions, width].
template <typename T>
std::vector<T> cut(const std::vector<T> &all, int64_t rows, int64_t n, int64_t begin, int64_t end) {
  const int64_t width = static_cast<int64_t>(all.size()) / rows / n;
  std::vector<T> part;
  for (int64_t row = 0; row < rows; ++row)
    part.insert(part.end(), all.begin() + (row * n + begin) * width, all.begin() + (row * n + end) * width);
  return part;
}
} // namespace

TEST_CASE("packed attention follows its formulas", "[attention]") {
  for (const AttentionSpec &s : oddAttentionSpecs())
    if (s.length > 1) {
      Compiled compiled(s);
      for (const Offsets &offsets : offsetsOf(static_cast<int32_t>(s.length)))
        compiled.check(offsets, 1e-6);
    }
}

TEST_CASE("gates, element types and vector widths of packed attention", "[attention]") {
  const Offsets offsets{0, 40, 41, 41, 100, 170};
  for (const AttentionSpec &s : gatedAttentionSpecs())
    Compiled(s).check(offsets, 1e-6);
  const AttentionSpec s = attentionSpec(1, 4, 2, 170, 24, 17, 20, 12);
  Compiled(s, MatmulElement::F64).check<MatmulElement::F64>(offsets, 2e-14);
  Compiled(s, MatmulElement::BF16).check<MatmulElement::BF16>(offsets, 3e-3);
  Compiled(s, MatmulElement::F16).check<MatmulElement::F16>(offsets, 4e-4);
  for (int level : {2, 3})
    Compiled(s, MatmulElement::F32, {.target = {level}, .reversed = false}).check(offsets, 1e-6);
}

TEST_CASE("sequences that end within chunks of queries", "[attention]") {
  for (auto [topk, window] : {std::pair{40, 30}, std::pair{40, 1100}, std::pair{0, 1100}})
    Compiled(attentionSpec(1, 2, 1, 1100, 8, 8, topk, window))
        .check({0, 200, 256, 300, 301, 700, 1000, 1100}, 1e-6);
}

TEST_CASE("sequences of one position see themselves", "[attention]") {
  const int64_t n = 75;
  Offsets offsets;
  for (int32_t i = 0; i <= n; ++i)
    offsets.push_back(i);
  for (auto [topk, window] : {std::pair{0, 4}, std::pair{3, 4}, std::pair{3, 0}}) {
    const AttentionSpec s = attentionSpec(1, 1, 1, n, 4, 4, topk, window);
    AttentionCase<MatmulElement::F32> c(s, 0.5, 1, offsets);
    Compiled(s).run(c);
    CHECK(distance(c.exact(c.o), c.exact(c.v)) <= 1e-7);
    CHECK(distance(c.exact(c.dv), c.exact(c.dout)) <= 1e-7);
    const std::vector<double> none(c.dq.size(), 0); // the weight is 1 whatever the product
    CHECK(distance(c.exact(c.dq), none) <= 1e-5);
    CHECK(distance(c.exact(c.dk), none) <= 1e-5);
    CHECK(c.du == std::vector<float>(c.du.size(), 0));
  }
}

TEST_CASE("a sequence alone gives the bits of one that begins at a tile", "[attention]") {
  // Selection restarts exactly, and tiles fall on the same queries.
  const int64_t n = 300, first = 128;
  const AttentionSpec spec = attentionSpec(1, 2, 2, n, 16, 12, 24, 20);
  AttentionCase<MatmulElement::F32> packed(spec, 0.5, 1, {0, 128, 300});
  Compiled(spec).run(packed);
  AttentionSpec shorter = spec;
  shorter.length = n - first;
  AttentionCase<MatmulElement::F32> alone(shorter);
  for (auto member : {&decltype(alone)::q, &decltype(alone)::k, &decltype(alone)::v, &decltype(alone)::dout,
                      &decltype(alone)::u})
    alone.*member = cut(packed.*member, 2, n, first, n);
  alone.select();
  alone.allocate();
  CompiledAttention(CompiledAttention::Pass::Forward, shorter).run(alone.buffers());
  for (auto member : {&decltype(alone)::hi, &decltype(alone)::lo, &decltype(alone)::o, &decltype(alone)::lse})
    CHECK(cut(packed.*member, 2, n, first, n) == alone.*member);
}

TEST_CASE("NaN and infinities stay in their sequence", "[attention]") {
  const int64_t n = 100;
  for (int64_t topk : {0, 6}) {
    const AttentionSpec s = attentionSpec(1, 1, 1, n, 4, 4, topk, 30);
    const Compiled compiled(s);
    AttentionCase<MatmulElement::F32> clean(s, 0.5, 1, {0, 20, 50, 100});
    compiled.run(clean);
    AttentionCase<MatmulElement::F32> odd = clean;
    for (int64_t i = 20; i < 50; ++i) {
      odd.k[size_t(i * 4)] = NAN;
      odd.v[size_t(i * 4 + 1)] = INFINITY;
      odd.u[size_t(i)] = NAN;
    }
    odd.select();
    compiled.run(odd);
    INFO("topk " << topk);
    for (auto [begin, end] : {std::pair{0, 20}, std::pair{50, 100}})
      for (auto member : {&decltype(odd)::o, &decltype(odd)::dq, &decltype(odd)::dk, &decltype(odd)::dv,
                          &decltype(odd)::du, &decltype(odd)::lse}) {
        const auto expected = cut(clean.*member, 1, n, begin, end), got = cut(odd.*member, 1, n, begin, end);
        int wrong = 0;
        for (size_t i = 0; i < got.size(); ++i)
          wrong += !(std::abs(got[i] - expected[i]) <= 1e-5);
        CHECK(wrong == 0);
      }
    CHECK(std::isnan(odd.lse[25]));
  }
}

TEST_CASE("packed attention gives equal bits in any order and for any number of threads", "[attention]") {
  const AttentionSpec s = attentionSpec(1, 2, 2, 900, 16, 16, 24, 20);
  AttentionCase<MatmulElement::F32> c(s, 0.5, 1, {0, 10, 300, 301, 640, 900});
  const Compiled compiled(s);
  compiled.run(c);
  const AttentionCase<MatmulElement::F32> before = c;
  auto same = [&] {
    for (auto member : {&decltype(c)::o, &decltype(c)::lse, &decltype(c)::dq, &decltype(c)::dk,
                        &decltype(c)::dv, &decltype(c)::du, &decltype(c)::dtau})
      CHECK(c.*member == before.*member);
  };
  Compiled(s, MatmulElement::F32, {.target = {}, .reversed = true}).run(c);
  same();
  for (int threads : {1, 3}) {
    REQUIRE(heddle_set_num_threads(threads) == HEDDLE_OK);
    compiled.run(c);
    same();
  }
  heddle_set_num_threads(0);
}
