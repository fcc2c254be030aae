// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
#pragma once

#include <cstdint>
#include <cstring>

namespace heddle::tests {

/// A bf16 as its bits; finite values only.
struct BFloat16 {
  uint16_t bits = 0;
  BFloat16() = default;
  explicit BFloat16(double x) { // nearest, ties to even
    float f = static_cast<float>(x);
    uint32_t b;
    std::memcpy(&b, &f, 4);
    bits = static_cast<uint16_t>((b + 0x7fff + (b >> 16 & 1)) >> 16);
  }
  explicit operator double() const {
    uint32_t b = uint32_t(bits) << 16;
    float f;
    std::memcpy(&f, &b, 4);
    return f;
  }
};

} // namespace heddle::tests
