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
