// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Generated gradients of attention against their formulas, at odd sizes, for every element type, gate and
// vector width.

#include "AttentionChecks.h"

using namespace heddle;
using namespace heddle::tests;
using bench::CompiledAttention;
using cpu::AttentionGate;
using cpu::AttentionSpec;
using cpu::MatmulElement;

namespace {
/// The forward pass gives o and lse to the backward pass, as in a program.
template <MatmulElement Element>
void runBoth(AttentionCase<Element> &c, int level = 0, bool reversed = false) {
  const bench::AttentionOptions options{.target = {level}, .reversed = reversed};
  CompiledAttention forward(CompiledAttention::Pass::Forward, c.reference.spec, options);
  CompiledAttention backward(CompiledAttention::Pass::Backward, c.reference.spec, options);
  c.allocate();
  forward.run(c.buffers());
  backward.run(c.buffers());
}

template <MatmulElement Element>
void checkBackward(AttentionCase<Element> &c, double tolerance, int level = 0) {
  INFO(describe(c.reference.spec));
  c.reference.run();
  runBoth(c, level);
  checkGradients(c, tolerance);
}
} // namespace

TEST_CASE("the backward pass follows its formulas at odd sizes", "[attention]") {
  for (const AttentionSpec &s : oddAttentionSpecs()) {
    AttentionCase<MatmulElement::F32> c(s);
    checkBackward(c, 5e-6);
  }
}

TEST_CASE("several chunks of queries", "[attention]") {
  AttentionSpec s = attentionSpec(1, 2, 1, 1100, 8, 8, 40, 30);
  AttentionCase<MatmulElement::F32> c(s);
  checkBackward(c, 5e-6);
  // Scores that rise replace the selection within a chunk.
  for (size_t j = 0; j < c.u.size(); ++j)
    c.u[j] += 0.01f * static_cast<float>(j);
  c.select();
  checkBackward(c, 5e-6);
}

TEST_CASE("gates and estimators of the backward pass", "[attention]") {
  for (const AttentionSpec &s : gatedAttentionSpecs()) {
    AttentionCase<MatmulElement::F32> c(s);
    checkBackward(c, 5e-6);
  }
}

TEST_CASE("element types of the backward pass", "[attention]") {
  const AttentionSpec s = attentionSpec(1, 4, 2, 150, 24, 17, 20, 12);
  AttentionCase<MatmulElement::F64> wide(s);
  checkBackward(wide, 1e-13);
  AttentionCase<MatmulElement::BF16> brain(s);
  checkBackward(brain, 1e-2);
  AttentionCase<MatmulElement::F16> half(s);
  checkBackward(half, 2e-3);
}

TEST_CASE("vector widths of the backward pass", "[attention]") {
  const AttentionSpec s = attentionSpec(1, 2, 1, 131, 20, 9, 12, 16);
  for (int level : {2, 3}) {
    AttentionCase<MatmulElement::F32> single(s);
    checkBackward(single, 5e-6, level);
    AttentionCase<MatmulElement::F64> wide(s);
    checkBackward(wide, 1e-13, level);
  }
}

TEST_CASE("rows in several waves", "[attention]") {
  // A row has one chunk here; a wave takes 32 of them where their partial sums fill its memory.
  AttentionSpec s = attentionSpec(9, 4, 4, 260, 600, 600, 10, 20);
  CompiledAttention backward(CompiledAttention::Pass::Backward, s);
  CHECK(backward.program().steps.size() == 1 + 2 * 2);
  AttentionCase<MatmulElement::F32> c(s);
  checkBackward(c, 5e-6);
}

TEST_CASE("the backward pass gives equal bits in any order and for any number of threads", "[attention]") {
  AttentionSpec s = attentionSpec(1, 2, 2, 900, 16, 16, 24, 20);
  AttentionCase<MatmulElement::F32> c(s);
  runBoth(c);
  auto dq = c.dq, dk = c.dk, dv = c.dv, du = c.du, dtau = c.dtau;
  auto same = [&] {
    CHECK(c.dq == dq);
    CHECK(c.dk == dk);
    CHECK(c.dv == dv);
    CHECK(c.du == du);
    CHECK(c.dtau == dtau);
  };
  runBoth(c, /*level=*/0, /*reversed=*/true);
  same();
  for (int threads : {1, 3}) {
    REQUIRE(heddle_set_num_threads(threads) == HEDDLE_OK);
    runBoth(c);
    same();
  }
  heddle_set_num_threads(0);
}

TEST_CASE("queries without keys get no gradient", "[attention]") {
  AttentionSpec s = attentionSpec(1, 1, 1, 70, 4, 4, 1, 0);
  AttentionCase<MatmulElement::F32> c(s);
  std::fill(c.end.begin(), c.end.end(), 0); // no window, and nothing is selected
  runBoth(c);
  const std::vector<float> zeros(c.dq.size(), 0), scores(c.du.size(), 0);
  CHECK(c.dq == zeros);
  CHECK(c.dk == zeros);
  CHECK(c.dv == zeros);
  CHECK(c.du == scores);
  CHECK(c.dtau == scores);
}

TEST_CASE("infinite scores have finite gradients, a NaN score makes later queries NaN", "[attention]") {
  AttentionSpec s = attentionSpec(1, 1, 1, 80, 4, 4, 6, 3);
  AttentionCase<MatmulElement::F32> c(s);
  c.u[10] = INFINITY;
  c.u[11] = -INFINITY;
  c.select();
  checkBackward(c, 5e-6);
  c.u[50] = NAN;
  c.select();
  runBoth(c);
  for (int64_t i = 0; i < 80; ++i)
    CHECK(std::isnan(c.dq[size_t(i * 4)]) == (i >= 53));
}
