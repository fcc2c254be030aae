// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Generated attention against its formula, at odd sizes, for every element type, gate and vector width.

#include "AttentionChecks.h"

using namespace heddle;
using namespace heddle::tests;
using bench::CompiledAttention;
using cpu::AttentionGate;
using cpu::AttentionSpec;
using cpu::MatmulElement;

namespace {
template <MatmulElement Element>
void checkForward(AttentionCase<Element> &c, double tolerance, int level = 0) {
  INFO(describe(c.reference.spec));
  c.reference.run();
  CompiledAttention forward(CompiledAttention::Pass::Forward, c.reference.spec, {.target = {level}});
  c.allocate();
  forward.run(c.buffers());
  checkOutputs(c, tolerance, tolerance);
}
} // namespace

TEST_CASE("the forward pass follows its formula at odd sizes", "[attention]") {
  for (const AttentionSpec &s : oddAttentionSpecs()) {
    AttentionCase<MatmulElement::F32> c(s);
    checkForward(c, 1e-6);
  }
}

TEST_CASE("gates and estimators of the forward pass", "[attention]") {
  for (const AttentionSpec &s : gatedAttentionSpecs()) {
    AttentionCase<MatmulElement::F32> c(s);
    checkForward(c, 1e-6);
  }
}

TEST_CASE("element types of the forward pass", "[attention]") {
  const AttentionSpec s = attentionSpec(1, 4, 2, 150, 24, 17, 20, 12);
  AttentionCase<MatmulElement::F64> wide(s);
  checkForward(wide, 1e-14);
  AttentionCase<MatmulElement::BF16> brain(s);
  checkForward(brain, 3e-3);
  AttentionCase<MatmulElement::F16> half(s);
  checkForward(half, 4e-4);
}

TEST_CASE("vector widths of the forward pass", "[attention]") {
  const AttentionSpec s = attentionSpec(1, 2, 1, 131, 20, 9, 12, 16);
  for (int level : {2, 3}) {
    AttentionCase<MatmulElement::F32> single(s);
    checkForward(single, 1e-6, level);
    AttentionCase<MatmulElement::F16> half(s);
    checkForward(half, 4e-4, level);
    AttentionCase<MatmulElement::F64> wide(s);
    checkForward(wide, 1e-14, level);
  }
}

TEST_CASE("queries without keys give zero and -inf", "[attention]") {
  AttentionSpec s = attentionSpec(1, 1, 1, 70, 4, 4, 1, 0);
  AttentionCase<MatmulElement::F32> c(s);
  std::fill(c.end.begin(), c.end.end(), 0); // no window, and nothing is selected
  CompiledAttention forward(CompiledAttention::Pass::Forward, s);
  c.allocate();
  forward.run(c.buffers());
  CHECK(c.o == std::vector<float>(c.o.size(), 0));
  CHECK(c.lse == std::vector<float>(c.lse.size(), -INFINITY));
}

TEST_CASE("a NaN score makes later queries NaN, infinite scores do not", "[attention]") {
  AttentionSpec s = attentionSpec(1, 1, 1, 80, 4, 4, 6, 3);
  AttentionCase<MatmulElement::F32> c(s);
  c.u[10] = INFINITY;
  c.u[11] = -INFINITY;
  c.select();
  checkForward(c, 1e-6);
  c.u[50] = NAN;
  c.select();
  CompiledAttention forward(CompiledAttention::Pass::Forward, s);
  c.allocate();
  forward.run(c.buffers());
  for (int64_t i = 0; i < 80; ++i) {
    CHECK(std::isnan(c.lse[size_t(i)]) == (i >= 53));
    CHECK(std::isnan(c.o[size_t(i * 4)]) == (i >= 53));
  }
}

TEST_CASE("NaN and infinities in keys and values reach the queries that see them and no others",
          "[attention]") {
  AttentionSpec s = attentionSpec(1, 1, 1, 80, 4, 5, 0, 5);
  CompiledAttention forward(CompiledAttention::Pass::Forward, s);
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
    forward.run(c.buffers());
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

TEST_CASE("the forward pass gives equal bits in any order", "[attention]") {
  AttentionSpec s = attentionSpec(1, 2, 2, 333, 16, 16, 24, 20);
  AttentionCase<MatmulElement::F32> c(s);
  CompiledAttention forward(CompiledAttention::Pass::Forward, s);
  c.allocate();
  forward.run(c.buffers());
  auto o = c.o, lse = c.lse;
  c.allocate();
  CompiledAttention(CompiledAttention::Pass::Forward, s, {.reversed = true}).run(c.buffers());
  CHECK(c.o == o);
  CHECK(c.lse == lse);
}
