// Attention by products of warpgroups against the formulas in double: on the emulated device and on GPUs that
// have them.

#include "DeviceAttention.h"

#include <catch2/catch.hpp>

using namespace heddle;
using namespace heddle::tests;
using cpu::AttentionGate;
using cpu::AttentionSpec;
using cpu::MatmulElement;

namespace {

template <MatmulElement Element>
void check(AttentionCase<Element> &c, double tolerance, int64_t multiprocessors = 3) {
  auto target = warpgroupTarget(multiprocessors);
  if (!target)
    return;
  INFO(describe(c.reference.spec));
  c.reference.run();
  c.allocate();
  DeviceAttention<Element>(c, *target).forward();
  checkOutputs(c, tolerance, 1e-4);
}

/// Lets the scores of keys go from `first` to `last` along the sequence, beside what they are.
template <MatmulElement Element>
void addRamp(AttentionCase<Element> &c, double first, double last) {
  const AttentionSpec &s = c.reference.spec;
  using T = typename AttentionCase<Element>::T;
  constexpr double query = 4;
  for (size_t i = 0; i < c.q.size(); i += size_t(s.keyWidth))
    c.q[i] = T(query);
  for (int64_t row = 0; row < s.rows(); ++row)
    for (int64_t j = 0; j < s.length; ++j)
      c.k[size_t((row * s.length + j) * s.keyWidth)] =
          T(float((first + (last - first) * double(j) / double(s.length)) / (query * s.scale)));
  c.reference.q = c.exact(c.q);
  c.reference.k = c.exact(c.k);
}

} // namespace

TEST_CASE("warpgroups follow the formula at odd sizes", "[device][warpgroup]") {
  for (const AttentionSpec &s : oddWarpgroupSpecs()) {
    AttentionCase<MatmulElement::BF16> c(s);
    check(c, 5e-3);
  }
}

TEST_CASE("gates and estimators by warpgroups", "[device][warpgroup]") {
  for (AttentionSpec s : gatedAttentionSpecs()) {
    AttentionCase<MatmulElement::F16> c(s);
    check(c, 1e-3);
  }
}

TEST_CASE("packed sequences by warpgroups", "[device][warpgroup]") {
  const AttentionSpec s = attentionSpec(1, 2, 1, 500, 32, 64, 20, 40);
  AttentionCase<MatmulElement::BF16> c(s, 0.5, 1, {0, 30, 30, 117, 360, 500});
  check(c, 5e-3, 2);
}

TEST_CASE("scores far from zero by warpgroups", "[device][warpgroup]") {
  AttentionCase<MatmulElement::F16> c(attentionSpec(1, 1, 1, 300, 16, 16, 40, 30));
  for (auto &x : c.u)
    x += 4096;
  c.reference.u.assign(c.u.begin(), c.u.end());
  c.select();
  check(c, 1e-3);
}

// Weights are relative to sums of earlier blocks: those must be found anew where scores grow, where a row
// sees its first key late, and where that overflows or vanishes.
TEST_CASE("scores that grow and fall along the sequence by warpgroups", "[device][warpgroup]") {
  for (double most : {5.0, 40.0, 300.0})
    for (bool grow : {true, false}) {
      INFO((grow ? "up to " : "down from ") << most);
      const double first = grow ? -most : most;
      for (const AttentionSpec &s :
           {attentionSpec(1, 2, 1, 600, 16, 32, 60, 150), attentionSpec(1, 1, 1, 500, 128, 128, 0, 130),
            attentionSpec(1, 1, 1, 400, 32, 16, 100, 0)}) {
        AttentionCase<MatmulElement::BF16> wide(s);
        addRamp(wide, first, -first);
        check(wide, 5e-3);
        AttentionCase<MatmulElement::F16> narrow(s);
        addRamp(narrow, first, -first);
        check(narrow, 2e-3);
      }
    }
}

// A sum may overflow though no weight does, and a large one has no reciprocal.
TEST_CASE("scores that rise in one step by warpgroups", "[device][warpgroup]") {
  for (double step : {60.0, 83.0, 84.0, 87.0, 87.75, 88.25, 88.75, 92.0})
    for (int64_t keys : {1, 40}) {
      INFO(keys << " keys above the others by " << step);
      AttentionCase<MatmulElement::F16> c(attentionSpec(1, 1, 1, 420, 16, 16, 0, 200));
      addRamp(c, 0, 0);
      for (int64_t key = 300; key < 300 + keys; ++key)
        c.k[size_t(key * 16)] = decltype(c)::T(float(step)); // 4 step / sqrt(16)
      c.reference.k = c.exact(c.k);
      check(c, 2e-3);
    }
}

TEST_CASE("queries without keys give zero and -inf by warpgroups", "[device][warpgroup]") {
  auto target = warpgroupTarget();
  if (!target)
    return;
  AttentionCase<MatmulElement::BF16> c(attentionSpec(1, 1, 1, 200, 16, 16, 1, 0));
  std::fill(c.end.begin(), c.end.end(), 0); // no window, and nothing is selected
  c.allocate();
  DeviceAttention<MatmulElement::BF16>(c, *target).forward();
  CHECK(c.exact(c.o) == std::vector<double>(c.o.size(), 0));
  CHECK(c.lse == std::vector<float>(c.lse.size(), -INFINITY));
}

TEST_CASE("a NaN score makes later queries NaN by warpgroups, infinite scores do not",
          "[device][warpgroup]") {
  auto target = warpgroupTarget();
  if (!target)
    return;
  AttentionCase<MatmulElement::BF16> c(attentionSpec(1, 1, 1, 180, 16, 16, 6, 3));
  c.u[10] = INFINITY;
  c.u[11] = -INFINITY;
  c.select();
  check(c, 5e-3);
  c.u[150] = NAN;
  c.select();
  c.allocate();
  DeviceAttention<MatmulElement::BF16>(c, *target).forward();
  for (int64_t i = 0; i < 180; ++i) {
    CHECK(std::isnan(c.lse[size_t(i)]) == (i >= 153));
    CHECK(std::isnan(c.exact(c.o)[size_t(i * 16)]) == (i >= 153));
  }
}

TEST_CASE("NaN and infinities in keys and values by warpgroups reach the queries that see them and no others",
          "[device][warpgroup]") {
  auto target = warpgroupTarget();
  if (!target)
    return;
  const AttentionSpec s = attentionSpec(1, 1, 1, 300, 16, 16, 0, 5);
  for (int part = 0; part < 3; ++part) {
    AttentionCase<MatmulElement::BF16> c(s);
    auto &changed = part == 0 ? c.k : c.v;
    changed[150 * 16 + 1] = decltype(c)::T(part == 2 ? INFINITY : NAN);
    c.reference.k = c.exact(c.k);
    c.reference.v = c.exact(c.v);
    c.reference.dout.clear();
    c.reference.run();
    c.allocate();
    DeviceAttention<MatmulElement::BF16>(c, *target).forward();
    const std::vector<double> o = c.exact(c.o);
    int wrong = 0;
    for (int64_t i = 0; i < 300; ++i)
      for (int64_t d = 0; d < 16; ++d) {
        const double got = o[size_t(i * 16 + d)], expected = c.reference.o[size_t(i * 16 + d)];
        const bool odd = i >= 150 && i < 155 && (part == 0 || d == 1);
        wrong += std::isfinite(expected) == odd || std::isfinite(got) == odd;
        wrong += !odd && std::abs(got - expected) > 3e-2;
      }
    INFO("part " << part);
    CHECK(wrong == 0);
  }
}
