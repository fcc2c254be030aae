// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Element types and the two 16-bit floats.
#ifndef HEDDLE_DTYPE_HPP
#define HEDDLE_DTYPE_HPP

#include <heddle/error.hpp>

#include <bit>
#include <cstdint>
#include <string>
#include <type_traits>

namespace heddle {

/// The element types of the language; the same numbers as heddle_dtype_t.
enum class DType : int32_t {
  f64 = HEDDLE_F64,
  f32 = HEDDLE_F32,
  bf16 = HEDDLE_BF16,
  f16 = HEDDLE_F16,
  i64 = HEDDLE_I64,
  i32 = HEDDLE_I32,
  i8 = HEDDLE_I8,
  boolean = HEDDLE_BOOL
};

inline heddle_dtype_t toC(DType type) { return static_cast<heddle_dtype_t>(type); }
/// The name in the language, "f32".
inline std::string name(DType type) { return heddle_dtype_name(toC(type)); }
/// Bytes of one element.
inline int64_t size(DType type) { return heddle_dtype_size(toC(type)); }
/// The type of a name of the language; throws Error for another name.
inline DType parseDType(const std::string &text) {
  heddle_dtype_t type;
  check(heddle_dtype_from_name(text.c_str(), &type));
  return static_cast<DType>(type);
}
inline bool isFloat(DType type) { return static_cast<int32_t>(type) <= HEDDLE_F16; }

namespace detail {

/// Keeps a double's side of every tie when it is shortened to float: truncates, and sets the last bit when
/// anything was cut off ("round to odd"). Rounding the result once more, to 22 bits or fewer, equals rounding
/// the double.
inline float roundToOdd(double value) {
  const float nearest = static_cast<float>(value);
  if (value != value || static_cast<double>(nearest) == value)
    return nearest;
  uint32_t bits = std::bit_cast<uint32_t>(nearest);
  const bool away = (value < 0 ? -static_cast<double>(nearest) : static_cast<double>(nearest)) >
                    (value < 0 ? -value : value);
  return std::bit_cast<float>((away ? bits - 1 : bits) | 1u);
}

inline uint16_t toBF16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
  const uint32_t quiet = (bits >> 16) | 0x40u;
  return static_cast<uint16_t>((bits & 0x7FFFFFFFu) > 0x7F800000u ? quiet : rounded);
}
inline float fromBF16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

inline uint16_t toF16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) // NaN: keep the upper payload, quiet
    return static_cast<uint16_t>(sign | 0x7E00u | ((magnitude >> 13) & 0x3FFu));
  if (magnitude >= 0x477FF000u) // from 65520 on the nearest is infinity
    return static_cast<uint16_t>(sign | 0x7C00u);
  if (magnitude < 0x38800000u) { // below 2^-14: adding 0.5 puts the units of 2^-24 into the last bits
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3F000000u));
  }
  const uint32_t rounded = magnitude + 0xFFFu + ((magnitude >> 13) & 1u);
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}
inline float fromF16(uint16_t half) {
  const uint32_t sign = (half & 0x8000u) << 16;
  const uint32_t magnitude = half & 0x7FFFu;
  if (magnitude >= 0x7C00u) // infinity and NaN
    return std::bit_cast<float>(sign | 0x7F800000u | ((magnitude & 0x3FFu) << 13));
  if (magnitude >= 0x400u)
    return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000u));
  // Zero and the subnormals are multiples of 2^-24.
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(static_cast<float>(magnitude) * 0x1p-24f));
}

} // namespace detail

/// bfloat16 as stored: the upper half of a float. Conversions round to the nearest, ties to even; NaN stays
/// NaN.
struct BF16 {
  uint16_t bits = 0;
  BF16() = default;
  explicit BF16(float value) : bits(detail::toBF16(value)) {}
  explicit BF16(double value) : bits(detail::toBF16(detail::roundToOdd(value))) {}
  operator float() const { return detail::fromBF16(bits); }
};

/// IEEE half precision as stored. Conversions round to the nearest, ties to even; NaN stays NaN.
struct F16 {
  uint16_t bits = 0;
  F16() = default;
  explicit F16(float value) : bits(detail::toF16(value)) {}
  explicit F16(double value) : bits(detail::toF16(detail::roundToOdd(value))) {}
  operator float() const { return detail::fromF16(bits); }
};

/// The DType whose elements are stored as T.
template <typename T>
constexpr DType dtypeOf() {
  using U = std::remove_cv_t<T>;
  if constexpr (std::is_same_v<U, double>)
    return DType::f64;
  else if constexpr (std::is_same_v<U, float>)
    return DType::f32;
  else if constexpr (std::is_same_v<U, BF16>)
    return DType::bf16;
  else if constexpr (std::is_same_v<U, F16>)
    return DType::f16;
  else if constexpr (std::is_same_v<U, bool>)
    return DType::boolean;
  else if constexpr (std::is_integral_v<U> && std::is_signed_v<U> && sizeof(U) == 8)
    return DType::i64;
  else if constexpr (std::is_integral_v<U> && std::is_signed_v<U> && sizeof(U) == 4)
    return DType::i32;
  else {
    static_assert(std::is_same_v<U, int8_t>, "no element type of Heddle is stored as this C++ type");
    return DType::i8;
  }
}

} // namespace heddle

#endif
