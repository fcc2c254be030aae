// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Attention with random blocks: compiled code and the interpreter in f64 agree in the value and in every
// gradient.

#include "Configuration.h"
#include "RandomBlock.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstdlib>

using namespace heddle;
using namespace heddle::laws;

namespace {

int64_t fromEnvironment(const char *name, int64_t otherwise) {
  const char *text = std::getenv(name);
  return text ? std::atoll(text) : otherwise;
}

std::vector<Tensor> run(const RandomBlock &variant, const Program &program, Backend backend) {
  FunctionOptions options;
  options.backend = backend;
  if (backend == Backend::Compiled)
    options.device = compiledDevice();
  options.doublePrecision = backend == Backend::Interpreter;
  std::vector<Tensor> result;
  for (const Struct &outer : program.function("both", options)(variant.arguments()))
    for (const auto &[name, tensor] : outer)
      result.push_back(tensor.to(Device::cpu()).cast(DType::f64));
  return result;
}

double norm(const Tensor &tensor) {
  double sum = 0;
  for (double x : tensor.values<double>())
    sum += x * x;
  return std::sqrt(sum);
}

} // namespace

TEST_CASE("Attention with random blocks, values and gradients", "[laws]") {
  const int64_t first = fromEnvironment("HEDDLE_LAWS_SEED", 1),
                cases = fromEnvironment("HEDDLE_LAWS_CASES", 16);
  int64_t differentiated = 0;
  for (int64_t seed = first; seed < first + cases; ++seed) {
    const DType type = seed % 4 == 0 ? DType::f64 : DType::f32;
    const RandomBlock variant(static_cast<uint32_t>(seed), type);
    INFO("HEDDLE_LAWS_SEED=" << seed << "\n" << variant.program());
    const Program program = Program::parse(variant.program());
    const std::vector<Tensor> got = run(variant, program, Backend::Compiled),
                              expected = run(variant, program, Backend::Interpreter);
    REQUIRE(got.size() == variant.results().size());
    REQUIRE(expected.size() == got.size());
    // Some tens of units in the last place: of the values, or of all gradients together, since one of them
    // may be the sum of numbers that cancel. On a hundred seeds the largest were 7e-7 and 2.3e-15.
    // A GPU adds what captures get in fixed point, to 2^-48 of the largest term.
    const double tolerance = type != DType::f64 ? 3e-6 : compiledDevice().isCpu() ? 1e-14 : 1e-12;
    double all = 0;
    for (size_t i = 1; i < expected.size(); ++i)
      all = std::hypot(all, norm(expected[i]));
    for (size_t i = 0; i < got.size(); ++i) {
      REQUIRE(got[i].str() == expected[i].str());
      const auto x = got[i].values<double>(), y = expected[i].values<double>();
      double difference = 0;
      bool finite = true;
      for (size_t e = 0; e < x.size(); ++e) {
        difference = std::hypot(difference, x[e] - y[e]);
        finite &= std::isfinite(y[e]);
      }
      INFO(variant.results()[i] << " differs by " << difference << " of " << norm(expected[i])
                                << ", all gradients " << all);
      CHECK(finite);
      CHECK(difference <= tolerance * (i == 0 ? norm(expected[0]) : all));
      differentiated += i > 0 && norm(expected[i]) > 0;
    }
  }
  // Most blocks read most of the captured tensors.
  CHECK(differentiated > 5 * cases);
}
