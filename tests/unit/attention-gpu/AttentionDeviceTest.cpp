// The device kernels of attention against the formulas in double, at odd sizes, for every element type and
// gate.

#include "DeviceAttention.h"

#include <catch2/catch.hpp>

using namespace heddle;
using namespace heddle::tests;
using cpu::AttentionGate;
using cpu::AttentionSpec;
using cpu::MatmulElement;

namespace {

template <MatmulElement Element>
void checkForward(AttentionCase<Element> &c, double tolerance) {
  INFO(describe(c.reference.spec));
  c.reference.run();
  c.allocate();
  DeviceAttention<Element>(c).forward();
  checkOutputs(c, tolerance, tolerance);
}

template <MatmulElement Element>
void checkBackward(AttentionCase<Element> &c, double tolerance, const gpu::Target &target = {}) {
  INFO(describe(c.reference.spec));
  c.reference.run();
  c.allocate();
  c.takeOutputs();
  DeviceAttention<Element>(c, target).backward();
  checkGradients(c, tolerance);
}

} // namespace

TEST_CASE("the forward pass on a device follows its formula at odd sizes", "[device][forward]") {
  for (const AttentionSpec &s : oddAttentionSpecs()) {
    AttentionCase<MatmulElement::F32> c(s);
    checkForward(c, 2e-6);
  }
}

TEST_CASE("gates and estimators of the forward pass on a device", "[device][forward]") {
  for (const AttentionSpec &s : gatedAttentionSpecs()) {
    AttentionCase<MatmulElement::F32> c(s);
    checkForward(c, 2e-6);
  }
}

TEST_CASE("element types of the forward pass on a device", "[device][forward]") {
  const AttentionSpec s = attentionSpec(1, 4, 2, 150, 24, 17, 20, 12);
  AttentionCase<MatmulElement::F64> wide(s);
  checkForward(wide, 1e-13);
  AttentionCase<MatmulElement::BF16> brain(s);
  checkForward(brain, 5e-3);
  AttentionCase<MatmulElement::F16> half(s);
  checkForward(half, 1e-3);
}

TEST_CASE("packed sequences of the forward pass on a device", "[device][forward]") {
  const AttentionSpec s = attentionSpec(1, 2, 1, 300, 16, 16, 10, 40);
  AttentionCase<MatmulElement::F32> c(s, 0.5, 1, {0, 30, 30, 117, 260, 300});
  checkForward(c, 2e-6);
}

TEST_CASE("the backward pass on a device follows its formula at odd sizes", "[device][backward]") {
  for (const AttentionSpec &s : oddAttentionSpecs()) {
    AttentionCase<MatmulElement::F32> c(s);
    checkBackward(c, 4e-6);
  }
}

TEST_CASE("gates and estimators of the backward pass on a device", "[device][backward]") {
  for (const AttentionSpec &s : gatedAttentionSpecs()) {
    AttentionCase<MatmulElement::F32> c(s);
    checkBackward(c, 4e-6);
  }
}

TEST_CASE("element types of the backward pass on a device", "[device][backward]") {
  const AttentionSpec s = attentionSpec(1, 4, 2, 150, 24, 17, 20, 12);
  AttentionCase<MatmulElement::F64> wide(s);
  checkBackward(wide, 1e-12);
  AttentionCase<MatmulElement::BF16> brain(s);
  checkBackward(brain, 1e-2);
  AttentionCase<MatmulElement::F16> half(s);
  checkBackward(half, 2e-3);
}

TEST_CASE("packed sequences of the backward pass on a device", "[device][backward]") {
  const AttentionSpec s = attentionSpec(1, 2, 1, 300, 16, 16, 10, 40);
  AttentionCase<MatmulElement::F32> c(s, 0.5, 1, {0, 30, 30, 117, 260, 300});
  checkBackward(c, 4e-6);
}

TEST_CASE("heads wider than a part of the gradients on a device", "[device][wide]") {
  const AttentionSpec s = attentionSpec(1, 2, 1, 70, 200, 136, 9, 20);
  AttentionCase<MatmulElement::F32> single(s);
  checkForward(single, 2e-6);
  checkBackward(single, 4e-6);
  AttentionCase<MatmulElement::BF16> brain(s);
  checkForward(brain, 5e-3);
  checkBackward(brain, 1e-2);
  const AttentionSpec uneven = attentionSpec(1, 1, 1, 70, 24, 256, 9, 20);
  AttentionCase<MatmulElement::F16> half(uneven);
  checkForward(half, 1e-3);
  checkBackward(half, 2e-3);
}

TEST_CASE("lists of a long sequence on a device", "[device][long]") {
  const AttentionSpec s = attentionSpec(1, 1, 1, 8500, 4, 4, 8, 8);
  AttentionCase<MatmulElement::F32> c(s);
  checkForward(c, 2e-6);
}

TEST_CASE("queries without keys give zero and -inf on a device", "[device][forward]") {
  const AttentionSpec s = attentionSpec(1, 1, 1, 70, 4, 4, 1, 0);
  AttentionCase<MatmulElement::F32> c(s);
  std::fill(c.end.begin(), c.end.end(), 0); // no window, and nothing is selected
  c.allocate();
  DeviceAttention<MatmulElement::F32>(c).forward();
  CHECK(c.o == std::vector<float>(c.o.size(), 0));
  CHECK(c.lse == std::vector<float>(c.lse.size(), -INFINITY));
}

TEST_CASE("a NaN score makes later queries NaN on a device, infinite scores do not", "[device][forward]") {
  const AttentionSpec s = attentionSpec(1, 1, 1, 80, 4, 4, 6, 3);
  AttentionCase<MatmulElement::F32> c(s);
  c.u[10] = INFINITY;
  c.u[11] = -INFINITY;
  c.select();
  checkForward(c, 2e-6);
  c.u[50] = NAN;
  c.select();
  c.allocate();
  DeviceAttention<MatmulElement::F32>(c).forward();
  for (int64_t i = 0; i < 80; ++i) {
    CHECK(std::isnan(c.lse[size_t(i)]) == (i >= 53));
    CHECK(std::isnan(c.o[size_t(i * 4)]) == (i >= 53));
  }
}

TEST_CASE("NaN and infinities in keys and values reach the queries that see them and no others on a device",
          "[device][odd]") {
  const AttentionSpec s = attentionSpec(1, 1, 1, 80, 4, 5, 0, 5);
  for (int part = 0; part < 3; ++part) {
    AttentionCase<MatmulElement::F32> c(s);
    if (part == 0)
      c.k[30 * 4 + 1] = NAN;
    else
      c.v[30 * 5 + 1] = part == 1 ? NAN : INFINITY;
    c.reference.k.assign(c.k.begin(), c.k.end());
    c.reference.v.assign(c.v.begin(), c.v.end());
    c.reference.dout.clear();
    c.reference.run();
    c.allocate();
    DeviceAttention<MatmulElement::F32>(c).forward();
    int wrong = 0;
    for (int64_t i = 0; i < 80; ++i)
      for (int64_t d = 0; d < 5; ++d) {
        const double got = c.o[size_t(i * 5 + d)], expected = c.reference.o[size_t(i * 5 + d)];
        const bool odd = i >= 30 && i < 35 && (part == 0 || d == 1);
        wrong += std::isfinite(expected) == odd || std::isfinite(got) == odd;
        wrong += !odd && std::abs(got - expected) > 1e-5;
      }
    INFO("part " << part);
    CHECK(wrong == 0);
  }
}

TEST_CASE("a NaN in a key reaches dq of the queries that see it and no others on a device", "[device][odd]") {
  const AttentionSpec s = attentionSpec(1, 1, 1, 80, 4, 5, 0, 5);
  AttentionCase<MatmulElement::F32> c(s);
  c.k[30 * 4 + 1] = NAN;
  c.reference.k.assign(c.k.begin(), c.k.end());
  c.reference.run();
  c.allocate();
  c.o.assign(c.reference.o.begin(), c.reference.o.end());
  c.lse.assign(c.reference.lse.begin(), c.reference.lse.end());
  DeviceAttention<MatmulElement::F32>(c).backward();
  int wrong = 0;
  for (int64_t i = 0; i < 80; ++i)
    for (int64_t e = 0; e < 4; ++e)
      wrong += std::isnan(c.dq[size_t(i * 4 + e)]) != (i >= 30 && i < 35);
  CHECK(wrong == 0);
}

TEST_CASE("partial sums of one row at a time on a device", "[device][backward]") {
  gpu::Target target;
  target.partialBytes = 1;
  AttentionCase<MatmulElement::F32> c(attentionSpec(2, 4, 2, 300, 8, 12, 12, 16));
  checkBackward(c, 4e-6, target);
}
