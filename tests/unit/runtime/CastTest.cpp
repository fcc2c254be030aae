// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Conversions: every 16-bit value both ways, rounding against a search for the nearest, integers at their
// ends.

#include <heddle/tensor.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

using namespace heddle;

namespace {
constexpr double infinity = std::numeric_limits<double>::infinity();

template <typename To, typename From>
To converted(From value) {
  return Tensor::scalar(value).cast(dtypeOf<To>()).template item<To>();
}

/// The value of a narrow float from its fields: an independent definition. `exponentBits` is 8 (bf16) or 5
/// (f16).
double valueOf(uint16_t bits, int exponentBits) {
  const int mantissaBits = 15 - exponentBits, bias = (1 << (exponentBits - 1)) - 1;
  const int exponent = (bits >> mantissaBits) & ((1 << exponentBits) - 1);
  const int mantissa = bits & ((1 << mantissaBits) - 1);
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == (1 << exponentBits) - 1)
    return mantissa ? std::numeric_limits<double>::quiet_NaN() : sign * infinity;
  if (exponent == 0)
    return sign * std::ldexp(mantissa, 1 - bias - mantissaBits);
  return sign * std::ldexp((1 << mantissaBits) + mantissa, exponent - bias - mantissaBits);
}

/// The bits of the positive narrow float nearest to a double, by searching all of them.
uint16_t nearest(double value, int exponentBits) {
  const auto infinite = static_cast<uint16_t>(((1 << exponentBits) - 1) << (15 - exponentBits));
  uint16_t low = 0, high = infinite; // valueOf(low) <= value < valueOf(high)
  while (high - low > 1) {
    const auto middle = static_cast<uint16_t>((low + high) / 2);
    (valueOf(middle, exponentBits) <= value ? low : high) = middle;
  }
  // Beyond the largest the next step would be as wide as the last.
  const double below = valueOf(low, exponentBits);
  const double above =
      high == infinite ? 2 * below - valueOf(low - 1, exponentBits) : valueOf(high, exponentBits);
  const double toBelow = value - below, toAbove = above - value;
  if (toBelow != toAbove)
    return toBelow < toAbove ? low : high;
  return low % 2 == 0 ? low : high;
}

template <typename T>
void checkNarrow(int exponentBits) {
  for (uint32_t i = 0; i < 65536; ++i) {
    T narrow;
    narrow.bits = static_cast<uint16_t>(i);
    const double expected = valueOf(narrow.bits, exponentBits);
    const float wide = static_cast<float>(narrow);
    if (std::isnan(expected)) {
      REQUIRE(std::isnan(wide));
      REQUIRE(std::isnan(static_cast<float>(T(wide))));
    } else {
      REQUIRE(std::bit_cast<uint32_t>(wide) == std::bit_cast<uint32_t>(static_cast<float>(expected)));
      REQUIRE(T(wide).bits == narrow.bits);
      REQUIRE(T(expected).bits == narrow.bits);
    }
  }
  // Around every tie: exactly on it, and one step of float or double to either side.
  const auto infinite = static_cast<uint16_t>(((1 << exponentBits) - 1) << (15 - exponentBits));
  for (uint16_t bits = 0; bits + 1 < infinite; ++bits) {
    const double tie = (valueOf(bits, exponentBits) + valueOf(bits + 1, exponentBits)) / 2;
    for (double value : {tie, std::nextafter(tie, 0.0), std::nextafter(tie, infinity)})
      REQUIRE(T(value).bits == nearest(value, exponentBits));
    const float single = static_cast<float>(tie);
    for (float value : {single, std::nextafter(single, 0.0f), std::nextafter(single, 1e38f)})
      REQUIRE(T(value).bits == nearest(value, exponentBits));
  }
  std::mt19937_64 random(7);
  for (int i = 0; i < 20000; ++i) {
    const float value = std::abs(std::bit_cast<float>(static_cast<uint32_t>(random())));
    if (!std::isfinite(value))
      continue;
    INFO(value);
    REQUIRE(T(value).bits == nearest(value, exponentBits));
    REQUIRE(T(-value).bits == (nearest(value, exponentBits) | 0x8000));
  }
}
} // namespace

TEST_CASE("bf16 rounds to the nearest, ties to even", "[cast]") { checkNarrow<BF16>(8); }

TEST_CASE("f16 rounds to the nearest, ties to even", "[cast]") { checkNarrow<F16>(5); }

TEST_CASE("large tensors convert like single values", "[cast]") {
  // Long enough for the vector loop and its tail.
  std::mt19937 random(11);
  std::vector<float> values(1003);
  for (float &value : values)
    value = std::bit_cast<float>(static_cast<uint32_t>(random()));
  const Tensor wide = Tensor::from(values);
  const Tensor bf16 = wide.cast(DType::bf16), f16 = wide.cast(DType::f16), back = bf16.cast(DType::f32);
  for (size_t i = 0; i < values.size(); ++i) {
    INFO(i << " " << values[i]);
    CHECK(bf16.data<BF16>()[i].bits == BF16(values[i]).bits);
    CHECK(f16.data<F16>()[i].bits == F16(values[i]).bits);
    CHECK(std::bit_cast<uint32_t>(back.data<float>()[i]) ==
          std::bit_cast<uint32_t>(static_cast<float>(bf16.data<BF16>()[i])));
  }
}

TEST_CASE("floats become integers by cutting, ends and NaN included", "[cast]") {
  CHECK(converted<int32_t>(-2.9) == -2);
  CHECK(converted<int32_t>(2.9f) == 2);
  CHECK(converted<int32_t>(3e9) == INT32_MAX);
  CHECK(converted<int32_t>(-3e9) == INT32_MIN);
  CHECK(converted<int8_t>(200.0f) == 127);
  CHECK(converted<int8_t>(-128.9f) == -128);
  CHECK(converted<int64_t>(9.3e18) == INT64_MAX);
  CHECK(converted<int64_t>(-infinity) == INT64_MIN);
  CHECK(converted<int64_t>(std::nan("")) == 0);
  CHECK(converted<int64_t>(BF16(3.0f)) == 3);
}

TEST_CASE("integers wrap among themselves and round once to floats", "[cast]") {
  CHECK(converted<int8_t>(int32_t(300)) == 44);
  CHECK(converted<int32_t>(int64_t(1) << 32 | 5) == 5);
  CHECK(converted<float>(int64_t(16777217)) == 16777216.0f);
  // 2^24 + 2^16 + 1 lies above the tie between two bf16; rounding to float first would fall on the tie and go
  // down.
  CHECK(converted<BF16>(int64_t((1 << 24) + (1 << 16) + 1)).bits == BF16(float((1 << 24) + (1 << 17))).bits);
  CHECK(converted<BF16>(int32_t((1 << 24) + (1 << 16) + 1)).bits == BF16(float((1 << 24) + (1 << 17))).bits);
  CHECK(converted<BF16>((int64_t(1) << 60) + (int64_t(1) << 52) + 1).bits == BF16(0x1.02p60f).bits);
  CHECK(converted<BF16>(-(int64_t(1) << 60) - (int64_t(1) << 52) - 1).bits == BF16(-0x1.02p60f).bits);
  CHECK(converted<BF16>(INT64_MAX).bits == BF16(0x1p63f).bits);
  CHECK(static_cast<float>(converted<F16>(int32_t(65520))) == std::numeric_limits<float>::infinity());
  CHECK(static_cast<float>(converted<F16>(int32_t(65519))) == 65504.0f);
}

TEST_CASE("bool is not equal to zero", "[cast]") {
  CHECK(converted<bool>(0.1f) == true);
  CHECK(converted<bool>(-0.0) == false);
  CHECK(converted<bool>(std::nan("")) == true);
  CHECK(converted<bool>(int32_t(256)) == true);
  CHECK(converted<bool>(F16(0.0f)) == false);
  CHECK(converted<float>(true) == 1.0f);
  CHECK(converted<int8_t>(true) == 1);
}

TEST_CASE("every pair of types keeps small values", "[cast]") {
  const Tensor start = Tensor::from<float>({0, 1}, {2});
  for (int from = 0; from < HEDDLE_DTYPE_COUNT; ++from)
    for (int to = 0; to < HEDDLE_DTYPE_COUNT; ++to) {
      const Tensor end = start.cast(static_cast<DType>(from)).cast(static_cast<DType>(to)).cast(DType::f32);
      INFO(name(static_cast<DType>(from)) << " to " << name(static_cast<DType>(to)));
      CHECK(end.data<float>()[0] == 0);
      CHECK(end.data<float>()[1] == 1);
    }
}
