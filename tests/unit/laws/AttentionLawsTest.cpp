// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The laws of causal SPARSEK attention on random configurations: compiled code, its dense decomposition, the
// interpreter and the oracle agree, and what must hold for any implementation holds.

#include "Functions.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <rapidcheck/catch.h>

using namespace heddle;
using namespace heddle::laws;

namespace {

/// The same cases in every run, unless the environment says otherwise.
const bool standardCases = !std::getenv("RC_PARAMS");
const int fixed = setenv("RC_PARAMS", "seed=20240623 max_success=100", 0);

/// How often a law had something to say.
std::map<std::string, int> applied;

/// The functions of a configuration, compiled once for all its scores.
struct Backends {
  Functions compiled, exact, dense;
  explicit Backends(const Configuration &c)
      : compiled(c, Backend::Compiled), exact(c, Backend::Interpreter, true),
        dense(c, Backend::Interpreter, true, true) {}
};

/// One configuration and what its backends and the oracle make of it.
class Laws {
public:
  Laws(const Configuration &c, Backends &backends)
      : c(c), s(c.sizes), backends(backends), a(c.attention()), tolerance(toleranceOf(c.element)) {
    a.run();
    // The gradient of the scores jumps where a gate reaches 0 or 1: a rounded threshold may fall on the other
    // side of such a kink.
    double margin = 1e300;
    for (const Selection &selection : a.selections)
      margin = std::min(margin, selection.margin);
    clearInDouble = margin > 1e-13;
    clear = c.element == DType::f64 ? clearInDouble : margin > 2e-6;
    // A constant of a program is an f32 in its decomposition, also where it is evaluated in f64.
    if (c.element != DType::f64 && static_cast<float>(c.scale()) != c.scale())
      decomposed = {1e-6, 1e-7};
    native = backends.compiled.both(a);
    exact = backends.exact.both(a);
    ++applied["configurations"];
  }

  void all() {
    agreement();
    plainAttention();
    if (c.holdsNaN())
      return;
    thresholds();
    transpose();
    deadScores();
  }

  /// What takes compiling more.
  void more() {
    if (c.holdsNaN())
      return;
    inPieces();
    if (c.seed % 8 == 0)
      duplicatedHeads();
    if (c.seed % 8 == 1)
      compiledForwardMode();
    if (c.seed % 8 == 2 && s.length <= 70)
      compiledDecomposition();
  }

private:
  /// Law 8, and that all forms of the operations agree.
  void agreement() {
    applied["gradients of scores"] += clear;
    expectResults(c, "compiled code", native, a, tolerance, clear);
    expectResults(c, "the interpreter", exact, a, tight, clearInDouble);
    expectResults(c, "the decomposition", withoutInfinite(backends.dense.both(a), a), a, decomposed,
                  clearInDouble);
  }

  void thresholds() {
    if (s.topk == 0)
      return;
    const double ulps = c.scoreType() == DType::f64 ? 1e-14 : 2e-7;
    for (size_t at = 0; at < a.u.size(); ++at) {
      const size_t row = at / static_cast<size_t>(s.length), i = at % static_cast<size_t>(s.length);
      const Selection &expected = a.selections[row];
      const double tau = expected.tau[i], got = native[5][at];
      RC_ASSERT((got == tau || std::abs(got - tau) <= ulps * std::max(1.0, std::abs(tau))));
      RC_ASSERT((!clear || native[6][at] == expected.count[i]));
      RC_ASSERT(native[7][at] == expected.end[i]);
      RC_ASSERT((i == 0 || got >= native[5][at - 1]));
    }
  }

  /// Law 2: a budget of everything is dense causal attention. Law 3: without a budget it is a sliding window.
  void plainAttention() {
    if ((s.topk < s.length && s.topk > 0) || (c.holdsNaN() && s.topk > 0))
      return;
    Attention plain = a;
    denseAttention(plain, s.topk == 0 ? s.window : s.length);
    plain.du = Result(a.u.size());
    expectResults(c, s.topk == 0 ? "a sliding window" : "dense attention", native, plain, tolerance, true);
    ++applied[s.topk == 0 ? "law 3, a window" : "law 2, dense attention"];
  }

  /// Law 7: forward mode is the transpose of reverse mode.
  void transpose() {
    const Results forward = backends.exact.tangent(a);
    double scale = 0;
    const double left = inner(a.cotangent, forward[1], scale);
    const double right = inner(exact[1], a.dotQ, scale) + inner(exact[2], a.dotK, scale) +
                         inner(exact[3], a.dotV, scale) + inner(exact[4], a.dotU, scale);
    RC_ASSERT(std::abs(left - right) <= decomposed.relative * scale);
    if (clearInDouble)
      RC_ASSERT(distance(forward[1], a.dotO).excess(decomposed.relative, decomposed.rounding) <= 0);
    ++applied["law 7, transposes"];
  }

  /// Law 5: a score that no threshold depends on and nobody selects may change, as long as that stays so.
  void deadScores() {
    Attention changed = a;
    for (int64_t at = 0; s.topk > 0 && at < s.rows() * s.length; ++at) {
      const int64_t row = at / s.length, j = at % s.length, enters = j + s.window;
      const Selection &selection = a.selections[static_cast<size_t>(row)];
      bool dead = enters < s.length && selection.end[static_cast<size_t>(j)] <= enters;
      for (int64_t i = enters; dead && i < s.length; ++i)
        dead = !selection.support[selection.at(i, j)];
      double &score = changed.u[static_cast<size_t>(at)];
      if (!dead || score < -1e30)
        continue;
      // Lower, or higher by half of what would let it in.
      const double room = selection.tau[static_cast<size_t>(enters)] - score;
      const double moved = j % 2 ? score - 3 - std::abs(score) : score + 0.5 * room;
      score = c.scoreType() == DType::f64 ? moved : double(static_cast<float>(moved));
    }
    if (changed.u == a.u)
      return;
    // tau alone may differ: where no score is inside, it is the largest score that is out.
    const Results after = backends.compiled.both(changed);
    for (size_t i = 0; i < after.size(); ++i)
      if (i != 5 && after[i] != native[i])
        RC_FAIL("law 5: result " + std::to_string(i) + " changes with scores that are dead");
    ++applied["law 5, dead scores"];
  }

  /// Each block of `length` rows twice.
  Numbers twice(const Numbers &x, int64_t width) const {
    Numbers result;
    const auto block = static_cast<ptrdiff_t>(s.length * width);
    for (auto at = x.begin(); at != x.end(); at += block)
      for (int copy = 0; copy < 2; ++copy)
        result.insert(result.end(), at, at + block);
    return result;
  }

  /// Law 6: query heads that are there twice have their outputs twice; gradients of keys, values and scores
  /// double.
  void duplicatedHeads() {
    Attention doubled = a;
    doubled.sizes.group *= 2;
    doubled.q = twice(a.q, s.keyWidth), doubled.cotangent = twice(a.cotangent, s.valueWidth);
    const Results got = backends.compiled.both(doubled);
    if (got[0] != twice(native[0], s.valueWidth) || got[1] != twice(native[1], s.keyWidth))
      RC_FAIL("law 6: heads that are equal give other outputs");
    for (size_t i : {size_t(2), size_t(3), size_t(4)}) {
      Result expected = i == 2 ? a.dk : i == 3 ? a.dv : a.du;
      for (size_t at = 0; at < expected.value.size(); ++at)
        expected.value[at] = 2 * native[i][at], expected.weight[at] *= 2;
      RC_ASSERT(distance(got[i], expected).excess(tolerance.relative, tolerance.rounding) <= 0);
    }
    ++applied["law 6, duplicated heads"];
  }

  /// Law 4: prefill, then decoding token by token, equals the full call, for any split.
  void inPieces() {
    if (s.length < 2 || s.length > 70)
      return;
    const int64_t prompt = c.seed % 5 == 0 ? 0 : c.seed / 8 % s.length, left = s.length - prompt,
                  appended = c.seed / 64 % 3 * (left - 1) / 2;
    Results o = backends.exact.inPieces(a, prompt, appended);
    RC_ASSERT(distance(o[0], a.o).excess(tight.relative, tight.rounding) <= 0);
    ++applied["law 4, pieces"];
    if (c.seed % 8 != 3)
      return;
    o = backends.compiled.inPieces(a, prompt, appended);
    RC_ASSERT(distance(o[0], a.o).excess(tolerance.relative, tolerance.rounding) <= 0);
    ++applied["law 4, compiled"];
  }

  void compiledForwardMode() {
    const Results forward = backends.compiled.tangent(a);
    RC_ASSERT(distance(forward[0], a.o).excess(tolerance.relative, tolerance.rounding) <= 0);
    if (clear)
      RC_ASSERT(distance(forward[1], a.dotO).excess(tolerance.relative, tolerance.rounding) <= 0);
    ++applied["compiled forward mode"];
  }

  void compiledDecomposition() {
    Functions dense(c, Backend::Compiled, false, true);
    expectResults(c, "the compiled decomposition", withoutInfinite(dense.both(a), a), a, tolerance, clear);
    ++applied["compiled decomposition"];
  }

  const Configuration &c;
  const Sizes &s;
  Backends &backends;
  Attention a;
  Tolerance tolerance, tight{1e-11, 1e-14}, decomposed = tight;
  bool clear, clearInDouble;
  Results native, exact;
};

} // namespace

TEST_CASE("Laws of SPARSEK attention", "[laws]") {
  rc::prop("compiled code, decomposition, interpreter and oracle agree, and the laws hold", [] {
    const Configuration c = *Configuration::any();
    Backends backends(c);
    // Compiling takes most of the time, so every shape has two families of scores.
    for (bool first : {true, false}) {
      const Configuration one = first ? c : c.withOtherScores();
      RC_LOG() << one.text() << "\n";
      Laws laws(one, backends);
      laws.all();
      if (first)
        laws.more();
    }
  });
  for (const auto &[law, times] : applied)
    std::printf("%s: %d\n", law.c_str(), times);
  if (!standardCases)
    return;
  CHECK(applied["configurations"] >= 200);
  for (const auto &[law, least] : std::map<std::string, int>{{"gradients of scores", 150},
                                                             {"law 2, dense attention", 5},
                                                             {"law 3, a window", 5},
                                                             {"law 4, pieces", 40},
                                                             {"law 4, compiled", 3},
                                                             {"law 5, dead scores", 30},
                                                             {"law 6, duplicated heads", 5},
                                                             {"law 7, transposes", 150},
                                                             {"compiled forward mode", 3},
                                                             {"compiled decomposition", 3}}) {
    INFO(law);
    CHECK(applied[law] >= least);
  }
}
