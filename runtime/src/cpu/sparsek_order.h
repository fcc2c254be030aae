// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Order and filtering of scores, for the selection sweep.
#pragma once

#include "core/Hot.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace heddle::runtime::sparsek {

/// What infinities count as; f64 scores too are cut to the range of f32.
inline constexpr double largestScore = std::numeric_limits<float>::max();

/// A score as the selection sees it: finite, NaN lowest, no negative zero.
template <typename T>
HEDDLE_INLINE T clampScore(T x) {
  const T big = static_cast<T>(largestScore);
  if (!(x >= -big)) // NaN as well
    return -big;
  return (x > big ? big : x) + T(0);
}

/// The largest T that is not above centre + offset, where the sum itself may round: for a T score s,
/// s - centre > offset exactly where s > floorOf<T>(centre, offset).
template <typename T>
T floorOf(double centre, double offset) {
  T floor = static_cast<T>(centre + offset);
  while (static_cast<double>(floor) - centre > offset)
    floor = std::nextafter(floor, -std::numeric_limits<T>::infinity());
  return floor;
}

/// Scores that may still matter, in time order.
template <typename T>
struct Survivors {
  std::vector<T> score;
  std::vector<uint32_t> key;
  std::vector<uint32_t>
      order; ///< positions of this batch, ascending by score, of equal scores the later key first

  void reserve(size_t size) {
    if (score.size() < size) {
      score.resize(size);
      key.resize(size);
      order.resize(size);
    }
  }
};

/// Orders survivors; keeps its buffers between calls.
template <typename T>
class SurvivorSorter {
public:
  void sort(Survivors<T> &survivors, size_t size) {
    entries.resize(size);
    // Reversed in time, so that the stable radix sort puts the later of equal scores first.
    for (size_t i = 0; i < size; ++i)
      entries[i] = {ascending(survivors.score[size - 1 - i]), static_cast<uint32_t>(size - 1 - i)};
    if (sizeof(T) == 8 || size < 64)
      std::sort(entries.begin(), entries.end(), [](const Entry &a, const Entry &b) {
        return a.bits != b.bits ? a.bits < b.bits : a.position > b.position;
      });
    else
      radixSort();
    for (size_t i = 0; i < size; ++i)
      survivors.order[i] = entries[i].position;
  }

private:
  using Bits = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  struct Entry {
    Bits bits;
    uint32_t position;
  };

  /// Bits that compare as unsigned integers like the scores do.
  static Bits ascending(T x) {
    constexpr Bits sign = Bits(1) << (sizeof(T) * 8 - 1);
    Bits bits = std::bit_cast<Bits>(x);
    return bits & sign ? ~bits : bits | sign;
  }

  /// Stable passes of a few bits each; one that would move nothing is skipped. Short batches take narrow
  /// digits, since clearing and summing the counts of wide ones would cost more than the keys.
  void radixSort() {
    if (entries.size() < 2048)
      radixPasses<4, 8>();
    else
      radixPasses<3, 11>();
  }

  template <int passes, int digitBits>
  void radixPasses() {
    constexpr uint32_t digits = 1u << digitBits;
    const size_t size = entries.size();
    spare.resize(size);
    uint32_t histogram[passes][digits] = {};
    for (const Entry &entry : entries)
      for (int pass = 0; pass < passes; ++pass)
        ++histogram[pass][(entry.bits >> (pass * digitBits)) % digits];
    for (int pass = 0; pass < passes; ++pass) {
      uint32_t *starts = histogram[pass], sum = 0;
      bool oneDigit = false;
      for (uint32_t digit = 0; digit < digits; ++digit) {
        uint32_t count = starts[digit];
        oneDigit |= count == size;
        starts[digit] = sum;
        sum += count;
      }
      if (oneDigit)
        continue;
      for (const Entry &entry : entries)
        spare[starts[(entry.bits >> (pass * digitBits)) % digits]++] = entry;
      entries.swap(spare);
    }
  }

  std::vector<Entry> entries, spare;
};

/// The ranks that are in use, with the next one above a position.
class PresentRanks {
public:
  /// Ranks 0..size-1, all absent.
  void reset(size_t newSize) {
    size = newSize;
    words.assign(size / 64 + 1, 0);
  }
  void insert(size_t rank) { words[rank / 64] |= uint64_t(1) << (rank % 64); }
  /// The first present rank >= `from`, or the size.
  size_t next(size_t from) const {
    size_t word = from / 64;
    if (from >= size)
      return size;
    uint64_t bits = words[word] & (~uint64_t(0) << (from % 64));
    while (!bits) {
      if (++word == words.size())
        return size;
      bits = words[word];
    }
    return word * 64 + static_cast<size_t>(std::countr_zero(bits));
  }

private:
  size_t size = 0;
  std::vector<uint64_t> words;
};

} // namespace heddle::runtime::sparsek
