// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Packed sequences on random configurations: every one is what the oracle makes of it alone.

#include "Functions.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <rapidcheck/catch.h>

using namespace heddle;
using namespace heddle::laws;

namespace {

/// Ascending from 0 to n; some neighbours are equal.
std::vector<int32_t> drawOffsets(int64_t n) {
  const auto inner = *rc::gen::resize(rc::kNominalSize, rc::gen::container<std::vector<int32_t>>(
                                                            rc::gen::inRange<int32_t>(0, int32_t(n) + 1)));
  std::vector<int32_t> offsets{0};
  offsets.insert(offsets.end(), inner.begin(), inner.begin() + std::min<ptrdiff_t>(std::ssize(inner), 6));
  offsets.push_back(static_cast<int32_t>(n));
  std::sort(offsets.begin(), offsets.end());
  return offsets;
}

/// Calls body(i, j) for the elements i of a tensor [rows, n, width] and j of its positions from `start`
/// alone.
template <typename Body>
void eachOf(size_t elements, int64_t n, int64_t rows, int64_t start, int64_t length, const Body &body) {
  const int64_t width = static_cast<int64_t>(elements) / rows / n;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t x = 0; x < length * width; ++x)
      body(static_cast<size_t>((row * n + start) * width + x), static_cast<size_t>(row * length * width + x));
}

/// What is selected in all sequences.
struct Selected {
  Numbers tau, count, end;
  double margin = 1e300; ///< the least of all
};

/// Runs the oracle for each sequence.
Selected runApart(Attention &a, const std::vector<int32_t> &offsets) {
  const Sizes &s = a.sizes;
  const int64_t n = s.length, queries = s.batch * s.queryHeads(), keys = s.rows();
  const std::pair<Numbers Attention::*, int64_t> inputs[] = {{&Attention::q, queries},
                                                             {&Attention::k, keys},
                                                             {&Attention::v, keys},
                                                             {&Attention::u, keys},
                                                             {&Attention::cotangent, queries},
                                                             {&Attention::dotQ, queries},
                                                             {&Attention::dotK, keys},
                                                             {&Attention::dotV, keys},
                                                             {&Attention::dotU, keys}};
  const std::pair<Result Attention::*, Numbers Attention::*> results[] = {
      {&Attention::o, &Attention::cotangent},
      {&Attention::dq, &Attention::q},
      {&Attention::dk, &Attention::k},
      {&Attention::dv, &Attention::v},
      {&Attention::du, &Attention::u}};
  for (auto [result, like] : results)
    a.*result = Result((a.*like).size());
  Selected selected{Numbers(a.u.size()), Numbers(a.u.size()), Numbers(a.u.size())};
  for (size_t sequence = 0; sequence + 1 < offsets.size(); ++sequence) {
    const int64_t start = offsets[sequence], length = offsets[sequence + 1] - start;
    if (length == 0)
      continue;
    Attention part = a;
    part.sizes.length = length;
    for (auto [input, rows] : inputs) {
      const Numbers &whole = a.*input;
      (part.*input).resize(whole.size() / static_cast<size_t>(n) * static_cast<size_t>(length));
      eachOf(whole.size(), n, rows, start, length, [&](size_t i, size_t j) { (part.*input)[j] = whole[i]; });
    }
    part.run();
    for (const Selection &selection : part.selections)
      selected.margin = std::min(selected.margin, selection.margin);
    eachOf(a.u.size(), n, keys, start, length, [&](size_t i, size_t j) {
      const auto size = static_cast<size_t>(length);
      const Selection &selection = part.selections[j / size];
      selected.tau[i] = selection.tau[j % size];
      selected.count[i] = selection.count[j % size];
      selected.end[i] = static_cast<double>(start + selection.end[j % size]);
    });
    for (auto [result, like] : results) {
      const int64_t rows = like == &Attention::cotangent || like == &Attention::q ? queries : keys;
      eachOf((a.*like).size(), n, rows, start, length, [&](size_t i, size_t j) {
        (a.*result).value[i] = (part.*result).value[j];
        (a.*result).weight[i] = (part.*result).weight[j];
      });
    }
  }
  return selected;
}

void expectSelected(const Configuration &c, const Selected &expected, const Results &got, bool clear) {
  const double ulps = c.scoreType() == DType::f64 ? 1e-14 : 2e-7;
  for (size_t i = 0; i < expected.tau.size(); ++i) {
    const double tau = expected.tau[i];
    RC_ASSERT((got[5][i] == tau || std::abs(got[5][i] - tau) <= ulps * std::max(1.0, std::abs(tau))));
    RC_ASSERT((!clear || got[6][i] == expected.count[i]));
    RC_ASSERT(got[7][i] == expected.end[i]);
  }
}

} // namespace

TEST_CASE("Laws of packed sequences", "[laws]") {
  rc::prop("packed attention is attention of every sequence alone", [] {
    const Configuration c = *Configuration::any();
    const std::vector<int32_t> offsets = drawOffsets(c.sizes.length);
    Attention a = c.attention();
    const Selected selected = runApart(a, offsets);
    const bool clearInDouble = selected.margin > 1e-13,
               clear = c.element == DType::f64 ? clearInDouble : selected.margin > 2e-6;
    Functions exact(c, Backend::Interpreter, true), dense(c, Backend::Interpreter, true, true);
    const Results expected = exact.packed(a, offsets);
    expectResults(c, "the interpreter", expected, a, {1e-11, 1e-14}, clearInDouble);
    if (c.sizes.topk > 0 && !c.holdsNaN())
      expectSelected(c, selected, expected, clearInDouble);
    // A constant of a program is an f32 in its decomposition, also where it is evaluated in f64.
    expectResults(c, "the decomposition", withoutInfinite(dense.packed(a, offsets), a), a, {1e-6, 1e-7},
                  clearInDouble);
    if (c.seed % 2) // compiling takes most of the time
      return;
    const Results native = Functions(c, Backend::Compiled).packed(a, offsets);
    expectResults(c, "compiled code", native, a, toleranceOf(c.element), clear);
    if (c.sizes.topk > 0 && !c.holdsNaN())
      expectSelected(c, selected, native, clear);
  });
}
