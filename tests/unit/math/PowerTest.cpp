// powf against C's pow in f64.
#include "tests/unit/math/MathKernel.h"
#include "tests/unit/math/Ulp.h"
#include <catch2/catch.hpp>
#include <iostream>
#include <random>

using namespace heddle::test;

namespace {
constexpr double bound = 0.51; // nearly rounded correctly
#if defined(__x86_64__)
constexpr const char *unfusedCpu = "x86-64-v2";
#else
constexpr const char *unfusedCpu = "";
#endif
} // namespace

TEST_CASE("powf follows C for every pair of special values") {
  std::vector<float> values = specialFloats(), x, y;
  for (float base : values)
    for (float exponent : values) {
      x.push_back(base);
      y.push_back(exponent);
    }
  std::vector<float> got = evaluate(MathKernel({.op = "powf"}), x, y);
  for (size_t i = 0; i < x.size(); ++i) {
    double exact = std::pow(double(x[i]), double(y[i]));
    INFO("pow(" << x[i] << ", " << y[i] << ") = " << got[i] << ", exactly " << exact);
    REQUIRE(ulpError(got[i], exact) <= bound);
    if (!std::isnan(exact))
      REQUIRE(std::signbit(got[i]) == std::signbit(exact));
    if (float(exact) == 0 || std::isinf(float(exact)))
      REQUIRE(bitsOf(got[i]) == bitsOf(float(exact)));
  }
}

TEST_CASE("powf is right in the last place") {
  std::mt19937 random(7);
  std::vector<float> x, y;
  // Any pair of bit patterns: mostly 0, 1 and infinity.
  for (int i = 0; i < 200000; ++i) {
    x.push_back(floatOfBits(uint32_t(random())));
    y.push_back(floatOfBits(uint32_t(random())));
  }
  // Every base, with exponents such that the results cover all of f32, subnormal numbers included.
  std::uniform_real_distribution<double> exponent(-152, 130), close(-1e-3, 1e-3);
  for (float base : everyFloat(4093, 1)) {
    if (!(base > 0) || std::isinf(base))
      continue;
    x.push_back(base);
    y.push_back(float(exponent(random) / std::log2(double(base))));
  }
  // Bases next to 1, where the logarithm is small and the exponent large.
  for (int i = 0; i < 200000; ++i) {
    x.push_back(float(1 + close(random)));
    y.push_back(float(exponent(random) / std::log2(double(x.back()))));
  }
  // Integer powers of both signs.
  for (int i = -3000; i < 3000; ++i)
    for (int power = -20; power <= 20; ++power) {
      x.push_back(float(i) * 0.125f);
      y.push_back(float(power));
    }
  bool fused = GENERATE(true, false);
  std::vector<float> got =
      evaluate(MathKernel({.op = "powf", .fused = fused, .cpu = fused ? "native" : unfusedCpu}), x, y);
  double worst = 0;
  size_t at = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    double error = ulpError(got[i], std::pow(double(x[i]), double(y[i])));
    if (!(error <= worst)) {
      worst = error;
      at = i;
    }
  }
  std::cout << "powf f32: " << worst << " ulp of " << x.size() << " pairs\n";
  INFO("pow(" << x[at] << ", " << y[at] << ") = " << got[at]);
  CHECK(worst <= bound);
}

TEST_CASE("powf on f64 is the C library's") {
  std::vector<double> x, y, exact;
  for (int i = -300; i <= 300; ++i) {
    x.push_back(i * 0.03);
    y.push_back(i % 7 * 0.5);
    exact.push_back(std::pow(x.back(), y.back()));
  }
  std::vector<double> got = evaluate(MathKernel({.op = "powf", .element = "f64"}), x, y);
  for (size_t i = 0; i < x.size(); ++i)
    REQUIRE((std::isnan(exact[i]) ? std::isnan(got[i]) : got[i] == exact[i]));
}
