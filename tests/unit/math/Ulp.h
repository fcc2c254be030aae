// Errors in units in the last place, and the numbers to measure them on.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace heddle::test {

inline float floatOfBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

/// |got - exact| in units of T's last place at `exact` (the smallest subnormal number below the normal ones).
/// Infinity counts as the first number beyond the range. Infinite where exactly one of the two is a NaN.
template <typename T, typename Wide>
double ulpError(T got, Wide exact) {
  if (std::isnan(got) || std::isnan(exact))
    return std::isnan(got) && std::isnan(exact) ? 0 : std::numeric_limits<double>::infinity();
  Wide top = std::ldexp(Wide(1), std::numeric_limits<T>::max_exponent);
  auto clip = [&](Wide value) { return value > top ? top : value < -top ? -top : value; };
  Wide a = clip(Wide(got)), b = clip(exact);
  int exponent = b == 0 ? std::numeric_limits<T>::min_exponent : std::ilogb(b) + 1;
  exponent = std::max(exponent, std::numeric_limits<T>::min_exponent);
  return double(std::ldexp(std::abs(a - b), std::numeric_limits<T>::digits - exponent));
}

/// Every `stride`-th bit pattern of f32: all exponents, both signs, infinities' neighbours and NaNs.
inline std::vector<float> everyFloat(uint32_t stride, uint32_t first) {
  std::vector<float> values;
  values.reserve((uint64_t(1) << 32) / stride);
  for (uint64_t bits = first; bits < uint64_t(1) << 32; bits += stride)
    values.push_back(floatOfBits(uint32_t(bits)));
  return values;
}

/// Numbers at which functions change their form or have no finite value.
inline std::vector<float> specialFloats() {
  const float infinity = std::numeric_limits<float>::infinity(),
              nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> values = {0.0f,
                               0x1p-149f,
                               0x1.fffffcp-127f,
                               0x1p-126f,
                               0x1p-100f,
                               0x1p-30f,
                               0x1p-25f,
                               0x1p-24f,
                               0x1p-13f,
                               0.25f,
                               0.5f,
                               0.625f,
                               0.70710677f,
                               0.925f,
                               0x1.fffffep-1f,
                               1.0f,
                               0x1.000002p0f,
                               1.4142135f,
                               1.5f,
                               1.5707964f,
                               2.0f,
                               2.5f,
                               3.0f,
                               3.1415927f,
                               4.0f,
                               7.0f,
                               9.0f,
                               10.0f,
                               17.5f,
                               87.33655f,
                               88.72284f,
                               88.722839f,
                               89.0f,
                               103.97208f,
                               103.97209f,
                               104.0f,
                               127.0f,
                               127.99999f,
                               128.0f,
                               149.0f,
                               149.5f,
                               150.0f,
                               151.0f,
                               1e5f,
                               0x1.fffffep22f,
                               0x1p23f,
                               0x1.000002p23f,
                               0x1.fffffep23f,
                               0x1p24f,
                               0x1p30f,
                               0x1p63f,
                               0x1.fffffep83f,
                               0x1p84f,
                               0x1p127f,
                               0x1.6a09e6p127f,
                               std::numeric_limits<float>::max(),
                               infinity,
                               nan};
  for (size_t i = 0, count = values.size(); i < count; ++i)
    values.push_back(-values[i]);
  return values;
}

} // namespace heddle::test
