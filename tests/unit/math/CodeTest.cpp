// The machine code of loops: vectors, no calls; and its speed.
#include "tests/unit/math/MathKernel.h"
#include "tests/unit/math/Ulp.h"
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>
#include <random>

using namespace heddle::test;
using Catch::Matchers::Contains;

#if defined(__x86_64__)
TEST_CASE("loops of f32 functions become vectors without calls") {
  for (const char *op : {"exp", "exp2", "expm1", "log", "log1p", "tanh", "erf", "sin", "cos", "powf"}) {
    MathKernel kernel({.op = op, .cpu = "x86-64-v3"});
    INFO(op);
    // Where f64 is used inside, LLVM's cost model picks four or eight lanes.
    std::string name = op;
    if (name == "sin" || name == "cos" || name == "powf")
      CHECK_THAT(kernel.llvmIR(), Contains("fma.v4f64(<4 x double>") || Contains("fma.v8f64(<8 x double>"));
    else
      CHECK_THAT(kernel.llvmIR(), Contains("fma.v8f32(<8 x float>") && Contains("store <8 x float>"));
    CHECK_THAT(kernel.assembly(), !Contains("\tcall"));
  }
}

TEST_CASE("loops of f64 exp and log become vectors without calls") {
  for (const char *op : {"exp", "log"}) {
    MathKernel kernel({.op = op, .element = "f64", .cpu = "x86-64-v3"});
    INFO(op);
    CHECK_THAT(kernel.llvmIR(), Contains("store <4 x double>"));
    CHECK_THAT(kernel.assembly(), !Contains("\tcall"));
  }
}

TEST_CASE("without the expansion the loop calls the C library") {
  CHECK_THAT(MathKernel({.op = "exp", .expand = false, .cpu = "x86-64-v3"}).assembly(), Contains("\tcallq"));
}
#endif

namespace {

/// Best time of `rounds` runs over all of `x`, in ns per element.
double nanoseconds(const MathKernel &kernel, const std::vector<float> &x, const std::vector<float> &y,
                   std::vector<float> &out, int rounds) {
  double best = 1e30;
  for (int round = 0; round < rounds; ++round) {
    auto start = std::chrono::steady_clock::now();
    for (size_t at = 0; at < x.size(); at += MathKernel::elements)
      kernel.run(&x[at], &y[at], &out[at]);
    std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - start;
    best = std::min(best, time.count() / double(x.size()));
  }
  return best;
}

} // namespace

// By hand: `unit-math [speed]`. Once within the caches, once over buffers of 128 MiB each, once as library
// calls.
TEST_CASE("time per element", "[.][speed]") {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(0.1f, 5.0f);
  std::vector<float> x(MathKernel::elements * 4096), y(x.size()), out(x.size(), 1.0f);
  std::generate(x.begin(), x.end(), [&] { return uniform(random); });
  std::generate(y.begin(), y.end(), [&] { return uniform(random); });
  std::vector<float> smallX(x.begin(), x.begin() + MathKernel::elements);
  std::vector<float> smallY(y.begin(), y.begin() + MathKernel::elements), smallOut(MathKernel::elements);
  std::printf("%-6s %10s %10s %12s %12s %10s\n", "", "cache ns", "GB/s", "memory ns", "GB/s", "libm ns");
  for (const char *op :
       {"absf", "exp", "exp2", "expm1", "log", "log1p", "tanh", "erf", "sin", "cos", "powf"}) {
    MathKernel kernel({.op = op});
    double cached = nanoseconds(kernel, smallX, smallY, smallOut, 400),
           far = nanoseconds(kernel, x, y, out, 20);
    bool library = std::string(op) != "erf" && std::string(op) != "absf"; // no intrinsic of LLVM for erf
    double theirs =
        library ? nanoseconds(MathKernel({.op = op, .expand = false}), smallX, smallY, smallOut, 100) : 0;
    double bytes = std::string(op) == "powf" ? 12 : 8;
    std::printf("%-6s %10.3f %10.1f %12.3f %12.1f %10.3f\n", op, cached, bytes / cached, far, bytes / far,
                theirs);
    CHECK(cached > 0);
  }
}
