// Rounding to bf16, which code for processors without such an instruction calls. Compiler runtimes before GCC
// 13 lack it.

#include <bit>
#include <cmath>
#include <cstdint>

/// To nearest, ties to even.
static __bf16 rounded(float x) {
  auto bits = std::bit_cast<uint32_t>(x);
  if (std::isnan(x))
    return std::bit_cast<__bf16>(static_cast<uint16_t>(bits >> 16 | 0x40));
  bits += 0x7fff + (bits >> 16 & 1);
  return std::bit_cast<__bf16>(static_cast<uint16_t>(bits >> 16));
}

extern "C" __attribute__((visibility("default"))) __bf16 __truncsfbf2(float x) { return rounded(x); }

/// Rounds once: the f32 in between has its last bit set where it is not exact, so that it is no tie.
extern "C" __attribute__((visibility("default"))) __bf16 __truncdfbf2(double x) {
  auto single = static_cast<float>(x);
  if (static_cast<double>(single) != x && std::isfinite(single)) {
    auto bits = std::bit_cast<uint32_t>(single);
    if (std::abs(static_cast<double>(single)) > std::abs(x))
      --bits; // toward zero
    single = std::bit_cast<float>(bits | 1);
  }
  return rounded(single);
}
