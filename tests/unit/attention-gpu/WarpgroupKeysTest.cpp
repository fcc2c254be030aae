// What only dk, dv and du by products of warpgroups have: chunks, tiles and their order. Sizes, gates and
// packed sequences are those of WarpgroupGradientsTest, which checks all gradients.

#include "DeviceAttention.h"

#include <catch2/catch.hpp>

using namespace heddle;
using namespace heddle::tests;
using cpu::AttentionGate;
using cpu::AttentionSpec;
using cpu::MatmulElement;

namespace {

template <MatmulElement Element>
void check(AttentionCase<Element> &c, double tolerance) {
  auto target = warpgroupTarget();
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
  c.reference.run();
  c.allocate();
  c.takeOutputs();
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
    c.reference.run();
    c.allocate();
    c.takeOutputs();
    (isKey ? c.k : c.v)[100 * 16 + 3] = decltype(c)::T(NAN);
    DeviceAttention<MatmulElement::BF16>(c, *target).backward();
    const auto dk = c.exact(c.dk), dv = c.exact(c.dv);
    for (int64_t j = 0; j < 200; ++j) {
      CHECK(std::isnan(dk[size_t(j * 16)]) == (j == 100));
      CHECK(std::isnan(dv[size_t(j * 16)]) == (j == 100 && isKey));
    }
  }
}
