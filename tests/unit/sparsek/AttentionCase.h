// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Runs compiled attention on random inputs beside the reference.
#pragma once

#include "BFloat16.h"

#include "tools/bench/sparsek-jit.h"
#include "tools/bench/sparsek-reference.h"

#include <heddle/cpu_sparsek.h>

#include <cstring>
#include <random>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace heddle::tests {

template <cpu::MatmulElement Element>
struct Stored;
template <>
struct Stored<cpu::MatmulElement::F64> {
  using Type = double;
};
template <>
struct Stored<cpu::MatmulElement::F32> {
  using Type = float;
};
template <>
struct Stored<cpu::MatmulElement::F16> {
  using Type = _Float16;
};
template <>
struct Stored<cpu::MatmulElement::BF16> {
  using Type = BFloat16;
};

inline cpu::AttentionSpec attentionSpec(int64_t batch, int64_t queryHeads, int64_t heads, int64_t n,
                                        int64_t e, int64_t v, int64_t k, int64_t w) {
  cpu::AttentionSpec s;
  s.batch = batch;
  s.queryHeads = queryHeads;
  s.heads = heads;
  s.length = n;
  s.keyWidth = e;
  s.valueWidth = v;
  s.topk = k;
  s.window = w;
  s.scale = 1 / std::sqrt(double(e));
  return s;
}

/// Sizes that no tile divides: groups of heads, no selection, no window, selections and windows beyond the
/// length.
inline std::vector<cpu::AttentionSpec> oddAttentionSpecs() {
  return {attentionSpec(1, 1, 1, 1, 1, 1, 1, 0),        attentionSpec(1, 2, 1, 67, 5, 3, 9, 4),
          attentionSpec(2, 6, 2, 131, 20, 7, 12, 16),   attentionSpec(1, 3, 3, 200, 33, 40, 0, 50),
          attentionSpec(1, 2, 2, 150, 16, 16, 20, 0),   attentionSpec(1, 1, 1, 300, 64, 64, 70, 90),
          attentionSpec(1, 4, 1, 90, 8, 24, 500, 7),    attentionSpec(1, 2, 1, 100, 12, 12, 5, 1000),
          attentionSpec(1, 4, 1, 140, 128, 96, 16, 24), attentionSpec(1, 8, 1, 140, 128, 96, 16, 24)};
}

/// One size with every gate and estimator.
inline std::vector<cpu::AttentionSpec> gatedAttentionSpecs() {
  std::vector<cpu::AttentionSpec> specs;
  for (cpu::AttentionGate gate :
       {cpu::AttentionGate::Both, cpu::AttentionGate::Value, cpu::AttentionGate::None})
    for (bool straightThrough : {false, true}) {
      specs.push_back(attentionSpec(1, 2, 1, 170, 16, 16, 24, 10));
      specs.back().gate = gate;
      specs.back().straightThrough = straightThrough;
    }
  return specs;
}

inline std::string describe(const cpu::AttentionSpec &s) {
  return "b " + std::to_string(s.batch) + ", hq " + std::to_string(s.queryHeads) + ", h " +
         std::to_string(s.heads) + ", n " + std::to_string(s.length) + ", e " + std::to_string(s.keyWidth) +
         ", v " + std::to_string(s.valueWidth) + ", k " + std::to_string(s.topk) + ", w " +
         std::to_string(s.window) + ", gate " + std::to_string(int(s.gate)) +
         (s.straightThrough ? ", straight through" : "");
}

/// ||got - expected|| / ||expected||
inline double distance(const std::vector<double> &got, const std::vector<double> &expected) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (got[i] == expected[i])
      continue; // infinities
    difference += (got[i] - expected[i]) * (got[i] - expected[i]);
  }
  for (double x : expected)
    norm += std::isfinite(x) ? x * x : 0;
  return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

template <cpu::MatmulElement Element>
class AttentionCase {
public:
  using T = typename Stored<Element>::Type;
  using Score = std::conditional_t<Element == cpu::MatmulElement::F64, double, float>;
  using A = cpu::AttentionArgument;

  /// `offsets` of packed sequences, or none.
  explicit AttentionCase(const cpu::AttentionSpec &given, double spread = 0.5, uint32_t seed = 1,
                         const std::vector<int32_t> &offsets = {}) {
    cpu::AttentionSpec spec = given;
    spec.element = Element;
    spec.packed = !offsets.empty();
    if (spec.packed) {
      bounds.resize(static_cast<size_t>(2 * spec.length));
      if (heddle_cpu_sparsek_segments(offsets.data(), static_cast<int64_t>(offsets.size()), spec.length,
                                      bounds.data()) != HEDDLE_OK)
        throw std::runtime_error(heddle_last_error());
    }
    reference.bounds = bounds;
    reference.spec = spec;
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    auto fill = [&](std::vector<T> &values, std::vector<double> &exact, int64_t size) {
      for (int64_t i = 0; i < size; ++i) {
        values.push_back(T(normal(random)));
        exact.push_back(static_cast<double>(values.back()));
      }
    };
    const int64_t queries = spec.batch * spec.queryHeads * spec.length, keys = spec.rows() * spec.length;
    fill(q, reference.q, queries * spec.keyWidth);
    fill(k, reference.k, keys * spec.keyWidth);
    fill(v, reference.v, keys * spec.valueWidth);
    fill(dout, reference.dout, queries * spec.valueWidth);
    for (int64_t i = 0; i < keys; ++i)
      u.push_back(static_cast<Score>(spread * normal(random)));
    hi.resize(u.size());
    lo.resize(u.size());
    end.resize(u.size());
    select();
  }

  /// Thresholds of the present scores; after changing `u`.
  void select() {
    const cpu::AttentionSpec &s = reference.spec;
    std::vector<int32_t> count(u.size());
    const int32_t *spans = s.packed ? bounds.data() : nullptr;
    heddle_status_t status;
    if constexpr (std::is_same_v<Score, double>)
      status = heddle_cpu_sparsek_threshold_f64(u.data(), s.rows(), s.length, s.topk, s.window, spans,
                                                hi.data(), lo.data(), count.data(), end.data());
    else
      status = heddle_cpu_sparsek_threshold_f32(u.data(), s.rows(), s.length, s.topk, s.window, spans,
                                                hi.data(), lo.data(), count.data(), end.data());
    if (status != HEDDLE_OK)
      throw std::runtime_error(heddle_last_error());
    reference.u.assign(u.begin(), u.end());
    reference.hi.assign(hi.begin(), hi.end());
    reference.lo.assign(lo.begin(), lo.end());
    reference.end = end;
  }

  void allocate() {
    const cpu::AttentionSpec &s = reference.spec;
    const size_t queries = size_t(s.batch * s.queryHeads * s.length);
    o.assign(queries * size_t(s.valueWidth), T(99));
    lse.assign(queries, Score(99));
    dq.assign(q.size(), T(99));
    dk.assign(k.size(), T(99));
    dv.assign(v.size(), T(99));
    du.assign(u.size(), Score(99));
    dtau.assign(u.size(), Score(99));
  }

  bench::AttentionBuffers buffers() {
    bench::AttentionBuffers b;
    b[A::Q] = q.data();
    b[A::K] = k.data();
    b[A::V] = v.data();
    b[A::U] = u.data();
    b[A::Hi] = hi.data();
    b[A::Lo] = lo.data();
    b[A::End] = end.data();
    b[A::Bounds] = bounds.data();
    b[A::O] = o.data();
    b[A::Lse] = lse.data();
    b[A::DOut] = dout.data();
    b[A::DQ] = dq.data();
    b[A::DK] = dk.data();
    b[A::DV] = dv.data();
    b[A::DU] = du.data();
    b[A::DTau] = dtau.data();
    return b;
  }

  /// The reference's o and lse, for what a backward pass reads.
  void takeOutputs() {
    for (size_t i = 0; i < o.size(); ++i)
      o[i] = T(reference.o[i]);
    lse.assign(reference.lse.begin(), reference.lse.end());
  }

  template <typename U>
  static std::vector<double> exact(const std::vector<U> &values) {
    std::vector<double> result;
    for (const U &x : values)
      result.push_back(static_cast<double>(x));
    return result;
  }

  bench::AttentionReference reference;
  std::vector<T> q, k, v, dout, o, dq, dk, dv;
  std::vector<Score> u, hi, lo, lse, du, dtau;
  std::vector<int32_t> end, bounds;
};

} // namespace heddle::tests
