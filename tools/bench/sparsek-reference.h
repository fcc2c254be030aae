// Attention and its gradients straight from their formulas, in double, quadratic: what kernels are compared
// with.
#pragma once

#include "compiler/conversion/SparseKToCPU/Attention.h"
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <vector>

namespace heddle::bench {

struct AttentionReference {
  cpu::AttentionSpec spec;
  // Inputs; thresholds and ends come from the selection.
  std::vector<double> q, k, v, u, hi, lo, dout;
  std::vector<int32_t> end, bounds; ///< bounds where the spec is packed
  // Results.
  std::vector<double> o, lse, dq, dk, dv, du, dtau;

  void run() {
    const int64_t n = spec.length, queries = spec.batch * spec.queryHeads * n, keys = spec.rows() * n;
    o.assign(size_t(queries * spec.valueWidth), 0);
    lse.assign(size_t(queries), 0);
    dq.assign(q.size(), 0);
    dk.assign(k.size(), 0);
    dv.assign(v.size(), 0);
    du.assign(size_t(keys), 0);
    dtau.assign(size_t(keys), 0);
    for (int64_t b = 0; b < spec.batch; ++b)
      for (int64_t h = 0; h < spec.queryHeads; ++h)
        for (int64_t i = 0; i < n; ++i)
          query((b * spec.queryHeads + h) * n + i, (b * spec.heads + h / spec.group()) * n, i);
  }

private:
  struct Pair {
    int64_t key; ///< row of k, v and u
    double gate, gateKey, gateValue, product, score, weight;
    bool routed; ///< the scores get a gradient through this pair's gate
  };

  void query(int64_t at, int64_t row, int64_t i) {
    const int64_t e = spec.keyWidth, f = spec.valueWidth, w = spec.window;
    const bool soft = !spec.straightThrough;
    std::vector<Pair> pairs;
    for (int64_t j = spec.packed ? bounds[size_t(i)] : 0; j <= i; ++j) {
      const bool window = i - w < j;
      const bool selected = !window && spec.topk > 0 && i < end[size_t(row + j)];
      if (!window && !selected)
        continue;
      Pair pair{row + j, 1, 1, 1, 0, 0, 0, false};
      for (int64_t c = 0; c < e; ++c)
        pair.product += q[size_t(at * e + c)] * k[size_t(pair.key * e + c)];
      if (selected) {
        const double x = std::clamp(u[size_t(pair.key)], -double(FLT_MAX), double(FLT_MAX));
        const double g =
            std::isinf(hi[size_t(row + i)]) ? 1 : (x - hi[size_t(row + i)]) - lo[size_t(row + i)];
        pair.gate = std::clamp(g, 0.0, 1.0);
        pair.routed = g > 0 && g < 1;
        pair.gateKey = soft && spec.gate == cpu::AttentionGate::Both ? pair.gate : 1;
        pair.gateValue = soft && spec.gate != cpu::AttentionGate::None ? pair.gate : 1;
      }
      pair.score = spec.scale * pair.gateKey * pair.product;
      pairs.push_back(pair);
    }
    double top = -std::numeric_limits<double>::infinity(), sum = 0;
    for (const Pair &pair : pairs)
      top = std::max(top, pair.score);
    for (Pair &pair : pairs)
      sum += pair.weight = std::exp(pair.score - top);
    lse[size_t(at)] = pairs.empty() ? -std::numeric_limits<double>::infinity() : top + std::log(sum);
    double shared = 0; // D
    for (Pair &pair : pairs) {
      pair.weight /= sum;
      for (int64_t c = 0; c < f; ++c)
        o[size_t(at * f + c)] += pair.weight * pair.gateValue * v[size_t(pair.key * f + c)];
    }
    if (dout.empty())
      return;
    for (int64_t c = 0; c < f; ++c)
      shared += dout[size_t(at * f + c)] * o[size_t(at * f + c)];
    for (const Pair &pair : pairs) {
      double along = 0;
      for (int64_t c = 0; c < f; ++c)
        along += dout[size_t(at * f + c)] * v[size_t(pair.key * f + c)];
      const double ds = pair.weight * (pair.gateValue * along - shared);
      for (int64_t c = 0; c < e; ++c) {
        dq[size_t(at * e + c)] += spec.scale * ds * pair.gateKey * k[size_t(pair.key * e + c)];
        dk[size_t(pair.key * e + c)] += spec.scale * ds * pair.gateKey * q[size_t(at * e + c)];
      }
      for (int64_t c = 0; c < f; ++c)
        dv[size_t(pair.key * f + c)] += pair.weight * pair.gateValue * dout[size_t(at * f + c)];
      if (!pair.routed)
        continue;
      double dg = 0;
      if (spec.gate == cpu::AttentionGate::Both)
        dg += spec.scale * ds * pair.product;
      if (spec.gate != cpu::AttentionGate::None)
        dg += pair.weight * along;
      du[size_t(pair.key)] += dg;
      dtau[size_t(row + i)] -= dg;
    }
  }
};

} // namespace heddle::bench
