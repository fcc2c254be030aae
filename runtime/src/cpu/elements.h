// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Elements of the narrow floating-point types, one at a time.
#pragma once

#include <heddle/runtime.h>

#include <cmath>
#include <cstdint>
#include <cstring>

namespace heddle::runtime {

inline float bitsToFloat(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline uint32_t floatToBits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline float widenElement(uint16_t bits, bool isBF16) {
  if (isBF16)
    return bitsToFloat(uint32_t(bits) << 16);
  uint32_t sign = uint32_t(bits & 0x8000) << 16, exponent = (bits >> 10) & 31, mantissa = bits & 1023;
  if (exponent == 0) {
    float value = std::ldexp(float(mantissa), -24);
    return sign ? -value : value;
  }
  return bitsToFloat(sign | (exponent == 31 ? 0x7F800000u : (exponent + 112) << 23) | mantissa << 13);
}

/// To the nearest, ties to even; NaN stays NaN.
inline uint16_t narrowElement(float value, bool isBF16) {
  uint32_t bits = floatToBits(value);
  if (isBF16) {
    if (std::isnan(value))
      return uint16_t(bits >> 16 | 0x40);
    return uint16_t((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
  }
  uint16_t sign = uint16_t(bits >> 16 & 0x8000);
  float magnitude = std::fabs(value);
  if (std::isnan(value))
    return sign | 0x7E00;
  if (magnitude >= 65520.0f)
    return sign | 0x7C00;
  if (magnitude < 0x1p-14f)
    return sign | uint16_t(std::nearbyint(std::ldexp(magnitude, 24)));
  uint32_t rounded = (bits & 0x7FFFFFFF) + 0xFFF + ((bits >> 13) & 1);
  return sign | uint16_t((rounded >> 13) - (112 << 10));
}

/// Element `at` of an array of one of the floating-point types.
inline double loadElement(const void *data, int32_t dtype, int64_t at) {
  switch (dtype) {
  case HEDDLE_F64:
    return static_cast<const double *>(data)[at];
  case HEDDLE_F32:
    return static_cast<const float *>(data)[at];
  default:
    return widenElement(static_cast<const uint16_t *>(data)[at], dtype == HEDDLE_BF16);
  }
}

inline void storeElement(void *data, int32_t dtype, int64_t at, double value) {
  switch (dtype) {
  case HEDDLE_F64:
    static_cast<double *>(data)[at] = value;
    break;
  case HEDDLE_F32:
    static_cast<float *>(data)[at] = float(value);
    break;
  default:
    static_cast<uint16_t *>(data)[at] = narrowElement(float(value), dtype == HEDDLE_BF16);
  }
}

} // namespace heddle::runtime
