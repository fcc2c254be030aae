// dk, dv and du by products of warpgroups against the formulas in double: on the emulated device and on GPUs
// that have them.

#include "DeviceAttention.h"

#include <catch2/catch.hpp>

using namespace heddle;
using namespace heddle::tests;
using cpu::AttentionGate;
using cpu::AttentionSpec;
using cpu::MatmulElement;

namespace {

template <MatmulElement Element>
void start(AttentionCase<Element> &c) {
  c.reference.run();
  c.allocate();
  for (size_t i = 0; i < c.o.size(); ++i)
    c.o[i] = typename AttentionCase<Element>::T(c.reference.o[i]);
  c.lse.assign(c.reference.lse.begin(), c.reference.lse.end());
}

template <MatmulElement Element>
void check(AttentionCase<Element> &c, double tolerance,
           std::optional<gpu::Target> target = warpgroupTarget()) {
  if (!target)
    return;
  INFO(describe(c.reference.spec));
  start(c);
  DeviceAttention<Element>(c, *target).backward();
  CHECK(distance(c.exact(c.dq), c.reference.dq) <= tolerance);
  CHECK(distance(c.exact(c.dk), c.reference.dk) <= tolerance);
  CHECK(distance(c.exact(c.dv), c.reference.dv) <= tolerance);
  CHECK(distance(c.exact(c.du), c.reference.du) <= tolerance);
  CHECK(distance(c.exact(c.dtau), c.reference.dtau) <= tolerance);
}

} // namespace

TEST_CASE("gradients of keys by warpgroups follow the formula at odd sizes", "[device][warpgroup-keys]") {
  for (const AttentionSpec &s :
       {attentionSpec(1, 1, 1, 1, 8, 8, 1, 0), attentionSpec(1, 2, 1, 67, 16, 32, 9, 4),
        attentionSpec(2, 6, 2, 131, 40, 24, 12, 16), attentionSpec(1, 3, 3, 200, 32, 40, 0, 50),
        attentionSpec(1, 2, 2, 150, 16, 16, 20, 0), attentionSpec(1, 1, 1, 600, 64, 64, 120, 200),
        attentionSpec(1, 4, 1, 90, 8, 24, 500, 7), attentionSpec(1, 2, 1, 300, 72, 120, 5, 1000),
        attentionSpec(1, 1, 1, 300, 128, 128, 100, 60)}) {
    AttentionCase<MatmulElement::BF16> c(s);
    check(c, 1e-2);
  }
}

TEST_CASE("gates and estimators of gradients of keys by warpgroups", "[device][warpgroup-keys]") {
  for (AttentionSpec s : gatedAttentionSpecs()) {
    AttentionCase<MatmulElement::F16> c(s);
    check(c, 2e-3);
  }
}

TEST_CASE("packed sequences of gradients of keys by warpgroups", "[device][warpgroup-keys]") {
  const AttentionSpec s = attentionSpec(1, 2, 1, 500, 32, 64, 20, 40);
  AttentionCase<MatmulElement::BF16> c(s, 0.5, 1, {0, 30, 30, 117, 360, 500});
  check(c, 1e-2, warpgroupTarget(2));
}

TEST_CASE("keys that many chunks of queries select, by warpgroups", "[device][warpgroup-keys]") {
  AttentionCase<MatmulElement::BF16> c(attentionSpec(2, 2, 2, 1400, 16, 24, 40, 30));
  for (size_t i = 0; i < c.u.size(); ++i)
    if (i % 50 == 7)
      c.u[i] += 2.5F; // stays
  c.reference.u.assign(c.u.begin(), c.u.end());
  c.select();
  check(c, 1e-2);
  auto target = warpgroupTarget(5);
  if (!target)
    return;
  // The same bits whoever computes a task, and however many rows have partial sums at a time.
  const auto dk = c.exact(c.dk), dv = c.exact(c.dv), du = c.exact(c.du);
  target->partialBytes = 1;
  DeviceAttention<MatmulElement::BF16>(c, *target).backward();
  CHECK(c.exact(c.dk) == dk);
  CHECK(c.exact(c.dv) == dv);
  CHECK(c.exact(c.du) == du);
}

TEST_CASE("keys of a tile that are selected long after each other, by warpgroups",
          "[device][warpgroup-keys]") {
  // One chunk of twelve blocks of queries in the middle, for a ring of six: most keys are selected when it
  // begins, those of one warpgroup near its end.
  AttentionCase<MatmulElement::BF16> c(attentionSpec(1, 1, 1, 2400, 8, 8, 1300, 10));
  for (size_t i = 0; i < c.u.size(); ++i)
    c.u[i] = float(i < 1300 ? 1 : i < 2100 || i > 2250 ? -1 : 2) + 0.0001F * float(i % 37);
  c.reference.u.assign(c.u.begin(), c.u.end());
  c.select();
  check(c, 1e-2);
}

TEST_CASE("NaN outputs of queries reach no keys that they do not see, by warpgroups",
          "[device][warpgroup-keys]") {
  auto target = warpgroupTarget();
  if (!target)
    return;
  AttentionCase<MatmulElement::BF16> c(attentionSpec(1, 1, 1, 128, 16, 16, 0, 60), 0.5, 1, {0, 60, 128});
  start(c);
  c.v[3 * 16] = decltype(c)::T(NAN); // seen by the queries from 3 to 59, whose outputs it makes NaN
  for (size_t query = 3; query < 60; ++query)
    c.o[query * 16] = decltype(c)::T(NAN);
  DeviceAttention<MatmulElement::BF16>(c, *target).backward();
  const auto dk = c.exact(c.dk), dv = c.exact(c.dv);
  for (size_t key = 60; key < 128; ++key) {
    CHECK(std::isfinite(dk[key * 16]));
    CHECK(std::isfinite(dv[key * 16]));
  }
  CHECK(std::isnan(dk[59 * 16]));
}

TEST_CASE("NaN in a key or value reaches its own gradients and no other key's by warpgroups",
          "[device][warpgroup-keys]") {
  auto target = warpgroupTarget();
  if (!target)
    return;
  for (bool isKey : {true, false}) {
    AttentionCase<MatmulElement::BF16> c(attentionSpec(1, 1, 1, 200, 16, 16, 0, 5));
    start(c);
    (isKey ? c.k : c.v)[100 * 16 + 3] = decltype(c)::T(NAN);
    DeviceAttention<MatmulElement::BF16>(c, *target).backward();
    const auto dk = c.exact(c.dk), dv = c.exact(c.dv);
    for (int64_t j = 0; j < 200; ++j) {
      CHECK(std::isnan(dk[size_t(j * 16)]) == (j == 100));
      CHECK(std::isnan(dv[size_t(j * 16)]) == (j == 100 && isKey));
    }
  }
}
