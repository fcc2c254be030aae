// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// tau with sum_j clip(z_j - tau, 0, 1) = k by Newton's method on eight vector lanes: eight rows, one a lane,
// or one row spread over all of them. The sum falls along a broken line; a step that lands where the same
// scores lie below, inside and above as where it started is exact, so this ends with the solution of a piece
// and not with a tolerance. Steps in f32 look for the piece, steps in f64 confirm it.
#pragma once

#include "core/Hot.h"

#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace heddle::runtime::sparsek {

inline constexpr int lanes = 8;
typedef float Floats __attribute__((vector_size(4 * lanes)));
typedef int32_t Integers __attribute__((vector_size(4 * lanes)));
typedef double Doubles __attribute__((vector_size(8 * lanes)));
typedef int64_t Longs __attribute__((vector_size(8 * lanes)));

template <typename V, typename S>
HEDDLE_INLINE V splat(S x) {
  return V{} + static_cast<std::remove_reference_t<decltype(V{}[0])>>(x);
}

HEDDLE_INLINE bool any(const Integers &mask) { return __builtin_reduce_or(mask) != 0; }

/// The sum of the lanes, in all of them.
template <typename V>
HEDDLE_INLINE void joinLanes(V &v) {
  v = splat<V>((v[0] + v[4]) + (v[1] + v[5]) + ((v[2] + v[6]) + (v[3] + v[7])));
}

/// clip(x, 0, 1); NaN stays.
template <typename V>
HEDDLE_INLINE V clipLanes(V x) {
  x = 0 > x ? V{} : x;
  return 1 < x ? V{} + 1 : x;
}

/// Eight elements of a type of scores.
template <typename T>
struct Block {
  typedef T Vector __attribute__((vector_size(sizeof(T) * lanes)));
};

template <typename T>
HEDDLE_INLINE void load(const T *z, typename Block<T>::Vector &x) {
  std::memcpy(&x, z, sizeof x);
}
template <typename To, typename T>
HEDDLE_INLINE To loadAs(const T *z) {
  typename Block<T>::Vector x;
  load(z, x);
  return __builtin_convertvector(x, To);
}

/// Rows become columns.
template <typename V>
HEDDLE_INLINE void transpose(V (&v)[lanes]) {
  static_assert(lanes == 8);
  V a[lanes];
  for (int i = 0; i < 4; ++i) {
    a[2 * i] = __builtin_shufflevector(v[i], v[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
    a[2 * i + 1] = __builtin_shufflevector(v[i], v[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
  }
  for (int i = 0; i < 4; ++i) {
    v[2 * i] = __builtin_shufflevector(a[i], a[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
    v[2 * i + 1] = __builtin_shufflevector(a[i], a[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
  }
  for (int i = 0; i < 4; ++i) {
    a[2 * i] = __builtin_shufflevector(v[i], v[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
    a[2 * i + 1] = __builtin_shufflevector(v[i], v[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
  }
  for (int i = 0; i < lanes; ++i)
    v[i] = a[i];
}

/// What a row holds beside the scores that are looked at: `full` that count as 1, and `inside` that count
/// between 0 and 1, with the sum `sum` relative to `centre`, wherever in its bracket tau is.
struct Rest {
  double full, inside, sum, centre;
};

/// The sum at low is at least k, that at high at most k; tau is between them.
struct Bracket {
  Floats low, high, tau;
};

/// The float halfway between two in the order of floats: few steps whatever their magnitudes.
HEDDLE_INLINE Floats halfway(const Floats &low, const Floats &high) {
  Integers a, b;
  std::memcpy(&a, &low, sizeof a);
  std::memcpy(&b, &high, sizeof b);
  a ^= (a >> 31) & 0x7fffffff;
  b ^= (b >> 31) & 0x7fffffff;
  Integers middle = (a & b) + ((a ^ b) >> 1);
  middle ^= (middle >> 31) & 0x7fffffff;
  Floats result;
  std::memcpy(&result, &middle, sizeof result);
  return result;
}

/// Where |tau| is beyond, a float next to it may be too far from it to be its leading part.
inline constexpr float farthest = 0x1p20f;

/// Moves each lane's tau to the piece of the solution, or near it. Scores are z[step * lanes + lane].
template <bool oneRow, typename T>
HEDDLE_INLINE void approach(const T *z, int64_t steps, float k, const Rest &rest, Bracket &at) {
  constexpr int limit = 32;
  Integers lastAbove = Integers{} - 1, lastFull = lastAbove, active = lastAbove, stepped{};
  for (int round = 0; round < limit && any(active); ++round) {
    Floats mass{};
    Integers above{}, full{};
    for (int64_t i = 0; i < steps; ++i) {
      const Floats x = loadAs<Floats>(z + i * lanes) - at.tau;
      const Integers isAbove = x > 0, isFull = x >= 1;
      mass += (isAbove & ~isFull) ? x : Floats{};
      above -= isAbove;
      full -= isFull;
    }
    if (oneRow) {
      joinLanes(mass);
      joinLanes(above);
      joinLanes(full);
      mass += static_cast<float>(rest.sum) -
              static_cast<float>(rest.inside) * (at.tau - static_cast<float>(rest.centre));
      above += static_cast<int32_t>(rest.full + rest.inside);
      full += static_cast<int32_t>(rest.full);
    }
    const Floats excess = mass + (__builtin_convertvector(full, Floats) - k);
    at.low = (active & (excess >= 0)) ? at.tau : at.low;
    at.high = (active & (excess <= 0)) ? at.tau : at.high;
    const Floats newton = at.tau + excess / __builtin_convertvector(above - full, Floats);
    const Integers same = (above == lastAbove) & (full == lastFull) & stepped;
    stepped = (newton > at.low) & (newton < at.high);
    const Floats next = stepped ? newton : halfway(at.low, at.high);
    const Floats size = excess < 0 ? -excess : excess;
    active &= ~(same | (size <= 1e-6f * (mass + 1)) | (next == at.tau) | (at.low > farthest) |
                (at.high < -farthest));
    at.tau = active ? next : at.tau;
    lastAbove = above;
    lastFull = full;
  }
}

/// The threshold hi + lo of each lane, exact where it was found.
struct LaneThresholds {
  Doubles hi, lo;
  Longs found;
};

/// Steps in f64 from an approximation. They are few; where they do not suffice nothing is found.
template <bool oneRow, typename T>
HEDDLE_INLINE void confirm(const T *z, int64_t steps, const Floats &near, double k, const Rest &rest,
                           LaneThresholds &tau) {
  constexpr int limit = 8;
  const Longs usable = __builtin_convertvector((near < farthest) & (near > -farthest), Longs);
  tau.hi = __builtin_convertvector(near, Doubles);
  tau.lo = Doubles{};
  tau.found = Longs{};
  Longs lastAbove = Longs{} - 1, lastFull = lastAbove;
  for (int round = 0; round < limit; ++round) {
    Doubles mass{};
    Longs above{}, full{};
    for (int64_t i = 0; i < steps; ++i) {
      const Doubles x = (loadAs<Doubles>(z + i * lanes) - tau.hi) - tau.lo;
      const Longs isAbove = x > 0, isFull = x >= 1;
      mass += (isAbove & ~isFull) ? x : Doubles{};
      above -= isAbove;
      full -= isFull;
    }
    if (oneRow) {
      joinLanes(mass);
      joinLanes(above);
      joinLanes(full);
      mass += rest.sum - rest.inside * ((tau.hi - rest.centre) + tau.lo);
      above += static_cast<int64_t>(rest.full + rest.inside);
      full += static_cast<int64_t>(rest.full);
    }
    const Doubles excess = mass + (__builtin_convertvector(full, Doubles) - k);
    const Doubles size = excess < 0 ? -excess : excess;
    tau.found |= usable & (((above == lastAbove) & (full == lastFull)) | (size <= 1e-15 * (mass + 1)));
    const Longs moving = ~tau.found & usable & (above > full);
    if (!any(__builtin_convertvector(moving, Integers)))
      break;
    tau.lo += moving ? excess / __builtin_convertvector(above - full, Doubles) : Doubles{};
    lastAbove = above;
    lastFull = full;
  }
}

} // namespace heddle::runtime::sparsek
