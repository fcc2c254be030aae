// Functions of one operand against the C library in twice the precision.
#include "tests/unit/math/MathKernel.h"
#include "tests/unit/math/Ulp.h"
#include <catch2/catch.hpp>
#include <iostream>

using namespace heddle::test;

namespace {

struct Function {
  const char *op;
  double (*exact)(double);
  double bound; // in units in the last place; README.md of compiler/conversion/MathExpansion states them
};

const Function functions[] = {
    {"exp", std::exp, 1.05}, {"exp2", std::exp2, 1.0},   {"expm1", std::expm1, 1.5},
    {"log", std::log, 1.0},  {"log1p", std::log1p, 1.5}, {"tanh", std::tanh, 1.5},
    {"erf", std::erf, 1.05}, {"sin", std::sin, 1.6},     {"cos", std::cos, 1.6},
};

struct Worst {
  double error = 0;
  double at = 0;
};

template <typename T, typename Exact>
Worst worstError(const std::vector<T> &x, const std::vector<T> &got, Exact exact) {
  Worst worst;
  for (size_t i = 0; i < x.size(); ++i) {
    double error = ulpError(got[i], exact(x[i]));
    if (!(error <= worst.error))
      worst = {error, double(x[i])};
  }
  return worst;
}

void checkEvery(uint32_t stride, uint32_t first) {
  std::vector<float> x = everyFloat(stride, first);
  for (const Function &function : functions) {
    MathKernel kernel({.op = function.op});
    Worst worst = worstError(x, evaluate(kernel, x), function.exact);
    std::cout << function.op << " f32: " << worst.error << " ulp at " << std::hexfloat << worst.at
              << std::defaultfloat << " of " << x.size() << " numbers\n";
    INFO(function.op << " at " << worst.at);
    CHECK(worst.error <= function.bound);
  }
}

} // namespace

TEST_CASE("f32 functions are right in the last place over all exponents") { checkEvery(4093, 1); }

#if defined(__x86_64__)
TEST_CASE("without fused multiply-add errors stay below two units in the last place") {
  std::vector<float> x = everyFloat(16381, 5);
  for (float value : specialFloats())
    x.push_back(value);
  for (const Function &function : functions) {
    MathKernel kernel({.op = function.op, .fused = false, .cpu = "x86-64-v2"});
    CHECK(kernel.assembly().find("\tcall") == std::string::npos);
    Worst worst = worstError(x, evaluate(kernel, x), function.exact);
    INFO(function.op << " at " << worst.at);
    CHECK(worst.error <= 2.0);
  }
}
#endif

// By hand: `unit-math [all]`, some minutes.
TEST_CASE("f32 functions are right in the last place, densely", "[.][all]") { checkEvery(61, 7); }

TEST_CASE("special values are those of C") {
  std::vector<float> x = specialFloats();
  for (const Function &function : functions) {
    MathKernel kernel({.op = function.op});
    std::vector<float> got = evaluate(kernel, x);
    for (size_t i = 0; i < x.size(); ++i) {
      double exact = function.exact(double(x[i]));
      INFO(function.op << "(" << x[i] << ") = " << got[i] << ", exactly " << exact);
      CHECK(ulpError(got[i], exact) <= function.bound);
      CHECK(std::isnan(got[i]) == std::isnan(exact));
      if (std::isinf(float(exact)) || exact == 0)
        CHECK(bitsOf(got[i]) == bitsOf(float(exact)));
      if (!std::isnan(exact))
        CHECK(std::signbit(got[i]) == std::signbit(exact));
    }
  }
}

TEST_CASE("sine and cosine of multiples of a quarter turn keep their relative error") {
  std::vector<float> x;
  for (int exponent = 0; exponent < 126; ++exponent)
    for (int i = 1; i <= 64; ++i) {
      float near = float(std::ldexp(1.57079632679489661923 * i, exponent));
      for (float value : {std::nextafter(near, 0.0f), near, std::nextafter(near, INFINITY)})
        if (std::isfinite(value))
          x.push_back(value);
    }
  // The f32 that is closest to a multiple of pi/2 among all: 16367173 2^72 is 1.6e-9 off.
  x.push_back(std::ldexp(16367173.0f, 72));
  for (const char *op : {"sin", "cos"}) {
    MathKernel kernel({.op = op});
    bool sine = op[0] == 's';
    Worst worst =
        worstError(x, evaluate(kernel, x), [&](double v) { return sine ? std::sin(v) : std::cos(v); });
    INFO(op << " at " << worst.at);
    CHECK(worst.error <= 1.6);
  }
}

TEST_CASE("f64 exp and log are right in the last place") {
  std::vector<double> x;
  for (uint64_t i = 0; i < (1u << 19); ++i) {
    uint64_t bits = (i << 45) + i * 0x9e3779b97f4a7c15u % (uint64_t(1) << 45);
    double value;
    std::memcpy(&value, &bits, sizeof value);
    x.push_back(value);
  }
  for (int i = -150000; i <= 150000; ++i)
    x.push_back(i * 0.005 + 1e-7 * (i % 97));
  for (float value : specialFloats())
    x.push_back(value);
  for (double value : {709.78271289338397, 709.782712893384, -745.13321910194, -745.13321910195, 0x1p-1074,
                       0x1p-1022, 0x1.fffffffffffffp1023, 0x1.ffffffffffffep-1023})
    x.push_back(value);
  struct {
    const char *op;
    long double (*exact)(long double);
    double bound;
  } wide[] = {{"exp", std::exp, 1.1}, {"log", std::log, 1.0}};
  for (auto &function : wide) {
    MathKernel kernel({.op = function.op, .element = "f64"});
    Worst worst = worstError(x, evaluate(kernel, x),
                             [&](double v) { return function.exact(static_cast<long double>(v)); });
    std::cout << function.op << " f64: " << worst.error << " ulp at " << worst.at << "\n";
    INFO(function.op << " at " << worst.at);
    CHECK(worst.error <= function.bound);
  }
}

TEST_CASE("the other f64 functions are the C library's") {
  std::vector<double> x;
  for (int i = -4000; i <= 4000; ++i)
    x.push_back(i * 0.0021);
  struct {
    const char *op;
    double (*exact)(double);
  } library[] = {{"exp2", std::exp2}, {"expm1", std::expm1}, {"log1p", std::log1p}, {"tanh", std::tanh},
                 {"erf", std::erf},   {"sin", std::sin},     {"cos", std::cos}};
  for (auto &function : library)
    for (int64_t lanes : {0, 4}) {
      MathKernel kernel({.op = function.op, .element = "f64", .lanes = lanes});
      std::vector<double> got = evaluate(kernel, x);
      int wrong = 0;
      for (size_t i = 0; i < x.size(); ++i)
        wrong +=
            std::memcmp(&got[i], std::vector{function.exact(x[i])}.data(), 8) != 0 && !std::isnan(got[i]);
      INFO(function.op << " with " << lanes << " lanes");
      CHECK(wrong == 0);
    }
}

TEST_CASE("vectors give the bits of scalars") {
  std::vector<float> x = everyFloat(65521, 3);
  for (float value : specialFloats())
    x.push_back(value);
  std::vector<float> y(x.rbegin(), x.rend());
  for (const char *op : {"exp", "exp2", "expm1", "log", "log1p", "tanh", "erf", "sin", "cos", "powf"}) {
    std::vector<float> scalar = evaluate(MathKernel({.op = op}), x, y);
    for (int64_t lanes : {4, 16}) {
      std::vector<float> vector = evaluate(MathKernel({.op = op, .lanes = lanes}), x, y);
      size_t different = 0;
      for (size_t i = 0; i < x.size(); ++i)
        different +=
            bitsOf(vector[i]) != bitsOf(scalar[i]) && !(std::isnan(vector[i]) && std::isnan(scalar[i]));
      INFO(op << " with " << lanes << " lanes");
      CHECK(different == 0);
    }
  }
}

TEST_CASE("bf16 functions are f32's, rounded once more") {
  std::vector<uint16_t> x;
  for (uint32_t bits = 0; bits < 65536; ++bits)
    x.push_back(uint16_t(bits));
  std::vector<uint16_t> got = evaluate(MathKernel({.op = "exp", .element = "bf16"}), x);
  for (uint32_t i = 0; i < 65536; ++i) {
    float value = floatOfBits(i << 16);
    uint32_t exact = bitsOf(float(std::exp(double(value))));
    uint32_t rounded = (exact + 0x7fff + ((exact >> 16) & 1)) >> 16;
    int distance = std::abs(int(got[i]) - int(rounded));
    INFO(value);
    if (std::isnan(value))
      REQUIRE(std::isnan(floatOfBits(uint32_t(got[i]) << 16)));
    else if (exact < 0x00800000) // processors' conversions to bf16 may give 0 for a subnormal number
      REQUIRE((got[i] == 0 || distance <= 1));
    else
      REQUIRE(distance <= 1);
  }
}
