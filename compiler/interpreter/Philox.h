//===- Philox.h - Counter-based random bits ---------------------*- C++ -*-===//
//
// Philox 4x32 with 10 rounds: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1,
// 2, 3", SC 2011, section 4.

#ifndef HEDDLE_COMPILER_INTERPRETER_PHILOX_H
#define HEDDLE_COMPILER_INTERPRETER_PHILOX_H

#include <array>
#include <cstdint>

namespace heddle::interp {

using PhiloxBlock = std::array<uint32_t, 4>;

/// Four random words: a bijection of the counter for each key.
constexpr PhiloxBlock philox(PhiloxBlock counter, uint32_t keyLow, uint32_t keyHigh) {
  for (int round = 0; round < 10; ++round) {
    uint64_t a = uint64_t(0xD2511F53) * counter[0], b = uint64_t(0xCD9E8D57) * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ keyLow, static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ keyHigh, static_cast<uint32_t>(a)};
    // Weyl sequences of the golden ratio and sqrt(3) - 1.
    keyLow += 0x9E3779B9;
    keyHigh += 0xBB67AE85;
  }
  return counter;
}

/// The same under a 64-bit key.
constexpr PhiloxBlock philox(PhiloxBlock counter, uint64_t key) {
  return philox(counter, static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32));
}

} // namespace heddle::interp

#endif // HEDDLE_COMPILER_INTERPRETER_PHILOX_H
