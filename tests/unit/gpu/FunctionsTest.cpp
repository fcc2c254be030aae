// Functions of f64 in kernels against the C library in long double, over all exponents.

#include "tests/support/DeviceHarness.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>

using namespace heddle::gpu;
using heddle::test::DeviceHarness;

namespace {

using Emit = std::function<mlir::Value(KernelCode &, mlir::Value, mlir::Value)>;
using Exact = std::function<long double(long double, long double)>;

template <typename Op>
Emit one() {
  return [](KernelCode &k, mlir::Value x, mlir::Value) -> mlir::Value { return Op::create(k.b, x); };
}

struct Function {
  const char *name;
  Emit emit;
  Exact exact;
};

const Function functions[] = {
    {"exp2", one<mlir::math::Exp2Op>(), [](auto x, auto) { return std::exp2(x); }},
    {"expm1", one<mlir::math::ExpM1Op>(), [](auto x, auto) { return std::expm1(x); }},
    {"log1p", one<mlir::math::Log1pOp>(), [](auto x, auto) { return std::log1p(x); }},
    {"tanh", one<mlir::math::TanhOp>(), [](auto x, auto) { return std::tanh(x); }},
    {"erf", one<mlir::math::ErfOp>(), [](auto x, auto) { return std::erf(x); }},
    {"sin", one<mlir::math::SinOp>(), [](auto x, auto) { return std::sin(x); }},
    {"cos", one<mlir::math::CosOp>(), [](auto x, auto) { return std::cos(x); }},
    {"powf",
     [](KernelCode &k, mlir::Value x, mlir::Value y) -> mlir::Value {
       return mlir::math::PowFOp::create(k.b, x, y);
     },
     [](auto x, auto y) { return std::pow(x, y); }},
};

double number(uint64_t bits) {
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

struct Points {
  std::vector<double> x, y;
};

Points points() {
  Points result;
  auto add = [&](double x, double y) {
    result.x.push_back(x);
    result.y.push_back(y);
  };
  const double infinity = std::numeric_limits<double>::infinity();
  const double special[] = {0.0,     -0.0,     1.0,        -1.0,   0.5,    -0.5,   2.0,
                            -3.0,    infinity, -infinity,  1e22,   1e308,  -1e308, 0x1p-1074,
                            -1e-310, 0x1p53,   0x1p53 + 2, -745.2, 709.79, NAN};
  for (double x : special)
    for (double y : special)
      add(x, y);
  // All exponents, and the range in which results are neither 0 nor infinite. Angles near multiples of pi/2.
  uint64_t state = 88172645463325252u;
  auto random = [&] {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state;
  };
  for (int i = 0; i < 4000; ++i) {
    const double small = std::ldexp(double(int64_t(random())), -63 + int(random() % 16) - 4);
    add(number(random()), small);
    add(std::abs(small), std::ldexp(double(int64_t(random())), -63 + int(random() % 12)));
    add(small, double(int(random() % 41)) - 20);
    add(std::ldexp(1.5707963267948966 * double(1 + random() % 1000), int(random() % 900)), 2.5);
  }
  return result;
}

} // namespace

TEST_CASE("f64 functions are right to two units in the last place", "[gpu][device]") {
  DeviceHarness device;
  for (const Function &function : functions) {
    KernelCode k =
        device.kernel(function.name, {device.global, device.global, device.global, device.i32}, 128);
    Scalar i = k.block() * 128 + k.thread();
    k.when(i < k.argument(3), [&] {
      Scalar x = k.load(k.pointer(0, device.f64), i), y = k.load(k.pointer(1, device.f64), i);
      k.store(k.wrap(function.emit(k, x.value, y.value)), k.pointer(2, device.f64), i);
    });
    k.finish();
  }
  const Points at = points();
  const int32_t count = int32_t(at.x.size());
  auto x = device.put(at.x), y = device.put(at.y);
  for (const Function &function : functions) {
    auto out = device.fresh<double>(at.x.size());
    device.run(function.name, {unsigned(count + 127) / 128}, x, y, out, count);
    std::vector<double> got = device.get<double>(out);
    int wrong = 0;
    for (int32_t n = 0; n < count; ++n) {
      const long double exact = function.exact(at.x[n], at.y[n]);
      const double rounded = double(exact);
      // Of subnormal results all digits count, but they are few.
      bool good = std::abs(got[n] - exact) <= 4.5e-16L * std::abs(exact) + 0x1.8p-1074L;
      if (std::isnan(rounded))
        good = std::isnan(got[n]);
      else if (std::isinf(rounded) || rounded == 0)
        good = got[n] == rounded;
      if (!std::isnan(rounded))
        good &= std::signbit(got[n]) == std::signbit(rounded);
      if (good)
        continue;
      ++wrong;
      UNSCOPED_INFO(function.name << "(" << at.x[n] << ", " << at.y[n] << ") = " << got[n] << ", exactly "
                                  << rounded);
      if (wrong == 10)
        break;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("functions of f64 are part of the kernels' PTX", "[gpu]") {
  DeviceHarness device;
  KernelCode k = device.kernel("wave", {device.global}, 32);
  Pointer x = k.pointer(0, device.f64);
  k.store(k.wrap(mlir::math::SinOp::create(k.b, k.load(x, k.thread()).value)), x, k.thread());
  k.finish();
  for (const char *chip : {"sm_80", "sm_90a"}) {
    const std::string ptx = device.ptx(chip);
    CHECK(ptx.find(".extern") == std::string::npos);
    CHECK(ptx.find("PIBITS_TBL") != std::string::npos);
    CHECK(ptx.find("POWLOG_TBL") == std::string::npos); // of pow
  }
}
