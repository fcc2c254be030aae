// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Attention of one token over the slots of one key-value head, for all query heads of its group at once: the
// rows of keys and values come from memory once. Vectors are of 32 bytes; what does not have them gets pairs
// of halves from the compiler.
#pragma once

#include "core/Hot.h"
#include "cpu/elements.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace heddle::runtime::sparsek {

/// How elements of a type are loaded and computed with.
template <typename Scalar, int Lanes>
struct Vectors {
  using Compute = Scalar;
  static constexpr int lanes = Lanes;
  typedef Scalar Vector __attribute__((vector_size(sizeof(Scalar) * Lanes)));
};

struct DoubleElements : Vectors<double, 4> {
  using Storage = double;
  HEDDLE_INLINE static Vector load(const double *x) {
    Vector v;
    std::memcpy(&v, x, sizeof v);
    return v;
  }
  static double narrow(double x) { return x; }
};

struct FloatElements : Vectors<float, 8> {
  using Storage = float;
  HEDDLE_INLINE static Vector load(const float *x) {
    Vector v;
    std::memcpy(&v, x, sizeof v);
    return v;
  }
  static float narrow(float x) { return x; }
};

typedef uint16_t Halves __attribute__((vector_size(16)));
typedef uint32_t Words __attribute__((vector_size(32)));

struct BF16Elements : Vectors<float, 8> {
  using Storage = uint16_t;
  HEDDLE_INLINE static Vector load(const uint16_t *x) {
    Halves h;
    std::memcpy(&h, x, sizeof h);
    const Words bits = __builtin_convertvector(h, Words) << 16;
    Vector v;
    std::memcpy(&v, &bits, sizeof v);
    return v;
  }
  static uint16_t narrow(float x) { return narrowElement(x, true); }
};

struct F16Elements : Vectors<float, 8> {
  using Storage = uint16_t;
  HEDDLE_INLINE static Vector load(const uint16_t *x) {
    Halves h;
    std::memcpy(&h, x, sizeof h);
    const Words wide = __builtin_convertvector(h, Words), magnitude = (wide & 0x7FFF) << 13;
    Vector v;
    std::memcpy(&v, &magnitude, sizeof v);
    v *= 0x1p112f; // moves the exponent's bias; subnormal numbers become normal ones
    Words bits;
    std::memcpy(&bits, &v, sizeof bits);
    const Words special = (Words)(magnitude >= 0x0F800000u); // infinities and NaN
    bits |= (special & 0x7F800000u) | (wide & 0x8000) << 16;
    std::memcpy(&v, &bits, sizeof v);
    return v;
  }
  static uint16_t narrow(float x) { return narrowElement(x, false); }
};

/// A whole vector, or the first `size` elements and zeros.
template <typename E>
HEDDLE_INLINE typename E::Vector loadPart(const typename E::Storage *x, int64_t size) {
  if (size >= E::lanes)
    return E::load(x);
  typename E::Storage padded[E::lanes] = {};
  for (int64_t i = 0; i < size; ++i)
    padded[i] = x[i];
  return E::load(padded);
}

HEDDLE_INLINE FloatElements::Vector exponential(FloatElements::Vector x) {
  typedef FloatElements::Vector Vector;
  typedef int32_t Integers __attribute__((vector_size(32)));
  // e^x = 2^n e^r with |r| <= ln(2) / 2 and Cephes' polynomial for e^r.
  constexpr float round = 12582912.0f; // 1.5 * 2^23: adding it leaves an integer in the low bits
  const Vector shifted = x * 1.44269504f + round;
  const Vector n = shifted - round;
  Vector r = x - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  Vector p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const Vector power = p * r * r + r + 1.0f;
  Integers exponent, bits;
  std::memcpy(&exponent, &shifted, sizeof exponent);
  std::memcpy(&bits, &power, sizeof bits);
  bits += exponent << 23;
  Vector result;
  std::memcpy(&result, &bits, sizeof result);
  const Vector infinite = Vector{} + std::numeric_limits<float>::infinity();
  result = x < -87.0f ? Vector{} : result;
  result = x > 88.0f ? infinite : result;
  return x != x ? x : result;
}

HEDDLE_INLINE DoubleElements::Vector exponential(DoubleElements::Vector x) {
  for (int lane = 0; lane < DoubleElements::lanes; ++lane)
    x[lane] = std::exp(x[lane]);
  return x;
}

template <typename Vector>
HEDDLE_INLINE auto horizontalSum(Vector v) {
  constexpr int lanes = sizeof(Vector) / sizeof(v[0]);
  auto sum = v[0];
  for (int lane = 1; lane < lanes; ++lane)
    sum += v[lane];
  return sum;
}

/// What one token attends with. Widths are those of the rows; a stretch of slots is used from its first on.
template <typename E>
struct SlotAttention {
  using Storage = typename E::Storage;
  using Compute = typename E::Compute;
  using Vector = typename E::Vector;

  const Storage *keys, *values; ///< rows of all slots
  int64_t keyWidth, valueWidth, group;
  int64_t firsts[2], counts[2]; ///< the stretches in use: selected keys, and the window
  const Compute *gates;         ///< of the selected keys
  bool gateKeys, gateValues;
  const Compute *q; ///< [group, width up to whole vectors]: scaled, zeros at the end
  Compute *logits;  ///< scratch [group, stride]
  int64_t stride;   ///< slots in use, up to whole vectors
  Compute *sums;    ///< scratch [group, value width up to whole vectors]

  static int64_t padded(int64_t width) { return (width + E::lanes - 1) / E::lanes * E::lanes; }
  int64_t used() const { return counts[0] + counts[1]; }
  int64_t slot(int64_t number) const {
    return number < counts[0] ? firsts[0] + number : firsts[1] + number - counts[0];
  }

  /// Products of `Rows` keys with all queries.
  template <int Rows>
  HEDDLE_INLINE void products(int64_t number) const {
    const Storage *rows[Rows];
    for (int r = 0; r < Rows; ++r)
      rows[r] = keys + slot(number + r) * keyWidth;
    for (int64_t g = 0; g < group; ++g) {
      const Compute *query = q + g * padded(keyWidth);
      Vector sum[Rows] = {};
      int64_t e = 0;
      for (; e + E::lanes <= keyWidth; e += E::lanes) {
        Vector x;
        std::memcpy(&x, query + e, sizeof x);
        for (int r = 0; r < Rows; ++r)
          sum[r] += x * E::load(rows[r] + e);
      }
      if (e < keyWidth) {
        Vector x;
        std::memcpy(&x, query + e, sizeof x);
        for (int r = 0; r < Rows; ++r)
          sum[r] += x * loadPart<E>(rows[r] + e, keyWidth - e);
      }
      for (int r = 0; r < Rows; ++r)
        logits[g * stride + number + r] = horizontalSum(sum[r]);
    }
  }

  /// Turns logits into weights exp(s - max) gv; the sums of the exponentials go to `totals`.
  HEDDLE_INLINE Compute weigh(int64_t g) const {
    Compute *s = logits + g * stride;
    for (int64_t i = used(); i < stride; ++i)
      s[i] = -std::numeric_limits<Compute>::infinity();
    if (gateKeys)
      for (int64_t i = 0; i < counts[0]; ++i)
        s[i] *= gates[i];
    Vector most = Vector{} - std::numeric_limits<Compute>::infinity();
    for (int64_t i = 0; i < stride; i += E::lanes) {
      Vector x;
      std::memcpy(&x, s + i, sizeof x);
      most = x > most ? x : most;
    }
    Compute top = most[0];
    for (int lane = 1; lane < E::lanes; ++lane)
      top = std::max(top, most[lane]);
    if (!(std::abs(top) <= std::numeric_limits<Compute>::max()))
      top = 0;
    Vector total = {};
    for (int64_t i = 0; i < stride; i += E::lanes) {
      Vector x;
      std::memcpy(&x, s + i, sizeof x);
      x = exponential(x - top);
      total += x;
      std::memcpy(s + i, &x, sizeof x);
    }
    if (gateValues)
      for (int64_t i = 0; i < counts[0]; ++i)
        s[i] *= gates[i];
    return horizontalSum(total);
  }

  /// Adds the values of the slots [begin, end), weighted, for one query, `Blocks` vectors from column f on.
  template <int Blocks>
  HEDDLE_INLINE void addValues(int64_t begin, int64_t end, int64_t g, int64_t f) const {
    Compute *to = sums + g * padded(valueWidth) + f;
    Vector sum[Blocks];
    std::memcpy(sum, to, sizeof sum);
    for (int64_t i = begin; i < end; ++i) {
      const Storage *row = values + slot(i) * valueWidth + f;
      const Compute weight = logits[g * stride + i];
      for (int b = 0; b < Blocks; ++b)
        sum[b] += weight * (b + 1 < Blocks || f + Blocks * E::lanes <= valueWidth
                                ? E::load(row + b * E::lanes)
                                : loadPart<E>(row + b * E::lanes, valueWidth - f - b * E::lanes));
    }
    std::memcpy(to, sum, sizeof sum);
  }

  HEDDLE_INLINE void run(Storage *out, int64_t outStride) const {
    const int64_t n = used();
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
      products<4>(i);
    for (; i < n; ++i)
      products<1>(i);
    const int64_t columns = padded(valueWidth);
    std::fill(sums, sums + group * columns, Compute(0));
    // Totals wait in the outputs' place: the scratch has one more row for them.
    Compute *totals = sums + group * columns;
    for (int64_t g = 0; g < group; ++g)
      totals[g] = weigh(g);
    // Rows in pieces that stay in the first cache while every query passes over them.
    constexpr int64_t piece = 64;
    for (int64_t begin = 0; begin < n; begin += piece)
      for (int64_t g = 0; g < group; ++g) {
        const int64_t end = std::min(begin + piece, n);
        int64_t f = 0;
        for (; f + 8 * E::lanes <= columns; f += 8 * E::lanes)
          addValues<8>(begin, end, g, f);
        for (; f + 4 * E::lanes <= columns; f += 4 * E::lanes)
          addValues<4>(begin, end, g, f);
        for (; f < columns; f += E::lanes)
          addValues<1>(begin, end, g, f);
      }
    for (int64_t g = 0; g < group; ++g)
      for (int64_t f = 0; f < valueWidth; ++f)
        out[g * outStride + f] = E::narrow(totals[g] == 0 ? Compute(0) : sums[g * columns + f] / totals[g]);
  }
};

} // namespace heddle::runtime::sparsek
