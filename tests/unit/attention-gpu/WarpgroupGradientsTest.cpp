// Gradients of attention by products of warpgroups against the formulas in double: on the emulated device and
// on GPUs that have them.

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
  c.takeOutputs();
  DeviceAttention<Element>(c, *target).backward();
  checkGradients(c, tolerance);
}

} // namespace

TEST_CASE("gradients by warpgroups follow the formula at odd sizes", "[device][warpgroup][backward]") {
  std::vector<AttentionSpec> specs = oddWarpgroupSpecs();
  specs.push_back(attentionSpec(1, 1, 1, 300, 128, 128, 100, 60));
  // Registers would hold 80 queries of a block, which has parts of 32.
  for (AttentionGate gate : {AttentionGate::Both, AttentionGate::Value}) {
    specs.push_back(attentionSpec(1, 2, 1, 300, 80, 80, 60, 40));
    specs.back().gate = gate;
  }
  for (const AttentionSpec &s : specs) {
    AttentionCase<MatmulElement::BF16> c(s);
    check(c, 1e-2);
  }
}

TEST_CASE("gates and estimators of gradients by warpgroups", "[device][warpgroup][backward]") {
  for (const AttentionSpec &s : gatedAttentionSpecs()) {
    AttentionCase<MatmulElement::F16> c(s);
    check(c, 2e-3);
  }
}

TEST_CASE("packed sequences of gradients by warpgroups", "[device][warpgroup][backward]") {
  const AttentionSpec s = attentionSpec(1, 2, 1, 500, 32, 64, 20, 40);
  AttentionCase<MatmulElement::BF16> c(s, 0.5, 1, {0, 30, 30, 117, 360, 500});
  check(c, 1e-2, 2);
}

TEST_CASE("gradients with scores far from zero by warpgroups", "[device][warpgroup][backward]") {
  AttentionCase<MatmulElement::F16> c(attentionSpec(1, 1, 1, 300, 16, 16, 40, 30));
  for (auto &x : c.u)
    x += 4096;
  c.reference.u.assign(c.u.begin(), c.u.end());
  c.select();
  check(c, 2e-3);
}

TEST_CASE("gradients of queries without keys are zero by warpgroups", "[device][warpgroup][backward]") {
  auto target = warpgroupTarget();
  if (!target)
    return;
  AttentionCase<MatmulElement::BF16> c(attentionSpec(1, 1, 1, 200, 16, 16, 1, 0));
  std::fill(c.end.begin(), c.end.end(), 0); // no window, and nothing is selected
  c.allocate();
  std::fill(c.o.begin(), c.o.end(), decltype(c)::T(0));
  std::fill(c.lse.begin(), c.lse.end(), -INFINITY);
  DeviceAttention<MatmulElement::BF16>(c, *target).backward();
  CHECK(c.exact(c.dq) == std::vector<double>(c.dq.size(), 0));
  CHECK(c.exact(c.dtau) == std::vector<double>(c.dtau.size(), 0));
}

TEST_CASE("NaN and infinities in keys and values give the dq and dtau of the kernel without warpgroups",
          "[device][warpgroup][backward]") {
  auto target = warpgroupTarget();
  if (!target)
    return;
  const AttentionSpec specs[] = {attentionSpec(1, 1, 1, 300, 16, 16, 0, 5),
                                 attentionSpec(1, 4, 2, 280, 40, 24, 12, 9)};
  for (const AttentionSpec &s : specs)
    for (int part = 0; part < 4; ++part) {
      AttentionCase<MatmulElement::BF16> c(s);
      auto &changed = part % 2 == 0 ? c.k : c.v;
      changed[size_t(150 * (part % 2 == 0 ? s.keyWidth : s.valueWidth) + 1)] =
          decltype(c)::T(part < 2 ? NAN : INFINITY);
      c.reference.k = c.exact(c.k);
      c.reference.v = c.exact(c.v);
      c.reference.run();
      c.allocate();
      c.takeOutputs();
      DeviceAttention<MatmulElement::BF16>(c).backward();
      const std::vector<double> dq = c.exact(c.dq), dtau = c.exact(c.dtau);
      DeviceAttention<MatmulElement::BF16>(c, *target).backward();
      auto wrong = [](const std::vector<double> &got, const std::vector<double> &expected) {
        int count = 0;
        for (size_t i = 0; i < got.size(); ++i)
          count +=
              std::isfinite(expected[i]) ? !(std::abs(got[i] - expected[i]) <= 3e-2) : std::isfinite(got[i]);
        return count;
      };
      INFO(describe(s) << ", part " << part);
      CHECK(wrong(c.exact(c.dq), dq) == 0);
      CHECK(wrong(c.exact(c.dtau), dtau) == 0);
      if (s.topk == 0) // those that do not see the key
        for (int64_t i = 0; i < s.length; ++i)
          CHECK((std::isfinite(dq[size_t(i * s.keyWidth)]) || (i >= 150 && i < 155)));
    }
}
