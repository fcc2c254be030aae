// The interpreter's thresholds against those of the runtime's selection, on scores that are hard for it.

#include "Program.h"

#include "tests/unit/sparsek/ScoreFamilies.h"

#include <heddle/cpu_sparsek.h>

#include <catch2/catch.hpp>

#include <cmath>

using heddle::interp::Array;
using heddle::interp::Element;

namespace {

struct Selection {
  std::vector<float> hi, lo;
  std::vector<int32_t> count, end;
};

Selection byRuntime(const std::vector<float> &u, int64_t topk, int64_t window) {
  size_t n = u.size();
  Selection s{std::vector<float>(n), std::vector<float>(n), std::vector<int32_t>(n), std::vector<int32_t>(n)};
  REQUIRE(heddle_cpu_sparsek_threshold_f32(u.data(), 1, static_cast<int64_t>(n), topk, window, nullptr,
                                           s.hi.data(), s.lo.data(), s.count.data(),
                                           s.end.data()) == HEDDLE_OK);
  return s;
}

Program::Arrays byInterpreter(const std::vector<float> &u, int64_t topk, int64_t window) {
  auto n = static_cast<int64_t>(u.size());
  std::string reals = "tensor<1x1x" + std::to_string(n) + "xf32>",
              integers = "tensor<1x1x" + std::to_string(n) + "xi32>",
              results = reals + ", " + reals + ", " + integers + ", " + integers;
  Program program("func.func @f(%u: " + reals + ") -> (" + results +
                  ") {\n%r:4 = sparsek.threshold %u topk " + std::to_string(topk) + " window " +
                  std::to_string(window) + " : " + reals + " -> " + results +
                  "\nreturn %r#0, %r#1, %r#2, %r#3 : " + results + "\n}");
  return program.run({Array::fromBuffer(Element::f32, {1, 1, n}, u.data())});
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

/// hi and end are exact; lo may differ by the rounding of its last bit, and then the counts by the keys at
/// its edges.
void compare(const std::vector<float> &u, int64_t topk, int64_t window) {
  Selection s = byRuntime(u, topk, window);
  Program::Arrays r = byInterpreter(u, topk, window);
  int wrongHi = 0, wrongLo = 0, wrongCount = 0, wrongEnd = 0;
  for (size_t i = 0; i < u.size(); ++i) {
    auto at = static_cast<int64_t>(i);
    wrongHi += !same(s.hi[i], r[0].real(at));
    wrongLo += !(std::fabs(s.lo[i] - r[1].real(at)) <= 1.2e-7);
    wrongCount += s.lo[i] == r[1].real(at) && s.count[i] != r[2].integer(at);
    wrongEnd += s.end[i] != r[3].integer(at);
  }
  CHECK(wrongHi == 0);
  CHECK(wrongLo == 0);
  CHECK(wrongCount == 0);
  CHECK(wrongEnd == 0);
}

} // namespace

TEST_CASE("the runtime's selection agrees with the interpreter", "[sparsek]") {
  const std::pair<int64_t, int64_t> budgets[] = {{1, 0}, {1, 1}, {7, 4}, {0, 3}, {30, 5}, {8, 200}};
  for (int64_t n : {1, 43, 130})
    for (const auto &family : heddle::tests::scoreFamilies(n, static_cast<uint32_t>(n)))
      for (auto [topk, window] : budgets) {
        INFO(family.name << ", n " << n << ", topk " << topk << ", window " << window);
        std::vector<float> u(family.scores.begin(), family.scores.end());
        compare(u, topk, window);
        u[u.size() / 2] = NAN;
        compare(u, topk, window);
      }
}
