#include "Oracle.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <numeric>

namespace heddle::laws {

static double clip(double x) { return std::clamp(x, 0.0, 1.0); }

Projection project(const Numbers &z, double k) {
  const auto m = static_cast<int64_t>(z.size());
  if (std::any_of(z.begin(), z.end(), [](double x) { return std::isnan(x); }))
    return {NAN, NAN, Numbers(z.size(), NAN)};
  if (static_cast<double>(m) <= k)
    return {-INFINITY, 0, Numbers(z.size(), 1)};
  Numbers bounded = z;
  for (double &x : bounded)
    x = std::clamp(x, -double(FLT_MAX), double(FLT_MAX));
  Numbers descending = bounded;
  std::sort(descending.begin(), descending.end(), std::greater<>());
  const double hi = descending[static_cast<size_t>(std::ceil(k)) - 1];
  Projection result{hi, 0, {}};
  const bool whole = k == std::floor(k);
  if (whole && hi - descending[static_cast<size_t>(k)] >= 1) {
    result.hi = descending[static_cast<size_t>(k)]; // nothing is inside: tau is not unique
  } else {
    // The mass above tau = hi + lo falls as lo rises; lo lies in [-1, 0].
    auto mass = [&](double lo) {
      double sum = 0;
      for (double x : bounded)
        sum += clip((x - hi) - lo);
      return sum;
    };
    double low = -1, high = 0;
    for (int step = 0; step < 60; ++step) {
      const double middle = (low + high) / 2;
      (mass(middle) >= k ? low : high) = middle;
    }
    // On the piece that the two ends enclose, the mass is linear.
    const double middle = (low + high) / 2;
    double inside = 0, sum = 0, ones = 0;
    for (double x : bounded) {
      const double r = (x - hi) - middle;
      if (r >= 1)
        ones += 1;
      else if (r > 0)
        inside += 1, sum += x - hi;
    }
    result.lo = inside > 0 ? (sum + ones - k) / inside : middle;
  }
  for (double x : bounded)
    result.p.push_back(clip((x - result.hi) - result.lo));
  return result;
}

Selection select(const double *u, int64_t length, int64_t topk, int64_t window) {
  const auto pairs = static_cast<size_t>(length * length), n = static_cast<size_t>(length);
  Selection s;
  s.length = length;
  s.tau.assign(n, -INFINITY);
  s.count.assign(n, 0);
  s.end.assign(n, 0);
  s.poisoned.assign(n, 0);
  s.gate.assign(pairs, 0);
  s.attended.assign(pairs, 0);
  s.selected.assign(pairs, 0);
  s.support.assign(pairs, 0);
  for (int64_t i = 0; i < length; ++i) {
    const int64_t candidates = std::max<int64_t>(i - window + 1, 0);
    for (int64_t j = candidates; j <= i; ++j)
      s.attended[s.at(i, j)] = 1, s.gate[s.at(i, j)] = 1;
    if (topk == 0 || candidates == 0)
      continue;
    const Numbers seen(u, u + candidates);
    const Projection projection = project(seen, static_cast<double>(topk));
    if (std::isnan(projection.hi)) {
      s.poisoned[static_cast<size_t>(i)] = 1;
      continue;
    }
    std::vector<int64_t> order(seen.size());
    std::iota(order.begin(), order.end(), 0);
    auto bounded = [&](int64_t j) { return std::clamp(u[j], -double(FLT_MAX), double(FLT_MAX)); };
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return bounded(a) > bounded(b); });
    order.resize(std::min(order.size(), static_cast<size_t>(topk)));
    for (int64_t j : order) {
      s.attended[s.at(i, j)] = s.selected[s.at(i, j)] = 1;
      s.gate[s.at(i, j)] = projection.p[static_cast<size_t>(j)];
    }
    if (candidates <= topk)
      continue;
    s.tau[static_cast<size_t>(i)] = projection.hi + projection.lo;
    for (int64_t j = 0; j < candidates; ++j) {
      const double raw = (bounded(j) - projection.hi) - projection.lo;
      const bool inside = raw > 0 && raw < 1;
      s.support[s.at(i, j)] = inside;
      s.count[static_cast<size_t>(i)] += inside;
      for (double kink : {0.0, 1.0})
        if (raw != kink)
          s.margin = std::min(s.margin, std::abs(raw - kink));
    }
  }
  for (int64_t j = 0; j < length; ++j) {
    s.end[static_cast<size_t>(j)] = static_cast<int32_t>(window < length - j ? j + window : length);
    for (int64_t i = j; i < length; ++i)
      if (s.selected[s.at(i, j)])
        s.end[static_cast<size_t>(j)] = static_cast<int32_t>(i + 1);
  }
  return s;
}

namespace {

/// One query of one query head.
struct Query {
  Attention &a;
  int64_t i;
  size_t query, firstKey; ///< row of q; row of k, v and u of key 0
  const Selection &s;

  double dot(const Numbers &x, size_t xRow, const Numbers &y, size_t yRow, int64_t width) const {
    const auto w = static_cast<size_t>(width);
    return std::inner_product(x.begin() + ptrdiff_t(xRow * w), x.begin() + ptrdiff_t((xRow + 1) * w),
                              y.begin() + ptrdiff_t(yRow * w), 0.0);
  }

  void run() {
    const auto e = static_cast<size_t>(a.sizes.keyWidth), f = static_cast<size_t>(a.sizes.valueWidth);
    if (s.poisoned[static_cast<size_t>(i)]) {
      std::fill_n(a.o.value.begin() + ptrdiff_t(query * f), f, NAN);
      return;
    }
    struct Pair {
      size_t key, pair;
      double g, gk, gv, product, p, e;
      double dotG, dotS;
    };
    std::vector<Pair> pairs;
    const bool soft = !a.straightThrough;
    double top = -INFINITY, total = 0;
    for (int64_t j = 0; j <= i; ++j) {
      const size_t pair = s.at(i, j);
      if (!s.attended[pair])
        continue;
      const size_t key = firstKey + static_cast<size_t>(j);
      const double g = s.gate[pair];
      Pair p{key,
             pair,
             g,
             soft && a.gate == Gate::Both ? g : 1,
             soft && a.gate != Gate::None ? g : 1,
             dot(a.q, query, a.k, key, a.sizes.keyWidth),
             0,
             0,
             0,
             0};
      p.p = a.scale * p.gk * p.product;
      top = std::max(top, p.p);
      pairs.push_back(p);
    }
    for (Pair &p : pairs)
      total += p.p = std::exp(p.p - top);
    double d = 0, absD = 0;
    for (Pair &p : pairs) {
      p.p /= total;
      p.e = dot(a.cotangent, query, a.v, p.key, a.sizes.valueWidth);
      d += p.p * p.gv * p.e;
      absD += std::abs(p.p * p.gv * p.e);
      for (size_t c = 0; c < f; ++c)
        a.o.add(query * f + c, p.p * p.gv * a.v[p.key * f + c]);
    }
    double throughTau = 0, absThroughTau = 0;
    for (const Pair &p : pairs) {
      const double ds = p.p * (p.gv * p.e - d), absDs = p.p * (std::abs(p.gv * p.e) + absD);
      for (size_t c = 0; c < e; ++c) {
        const double toQ = a.scale * p.gk * a.k[p.key * e + c], toK = a.scale * p.gk * a.q[query * e + c];
        a.dq.value[query * e + c] += ds * toQ;
        a.dq.weight[query * e + c] += absDs * std::abs(toQ);
        a.dk.value[p.key * e + c] += ds * toK;
        a.dk.weight[p.key * e + c] += absDs * std::abs(toK);
      }
      for (size_t c = 0; c < f; ++c)
        a.dv.add(p.key * f + c, p.p * p.gv * a.cotangent[query * f + c]);
      if (!s.selected[p.pair] || !s.support[p.pair])
        continue;
      double dg = 0, absDg = 0;
      if (a.gate == Gate::Both)
        dg += a.scale * ds * p.product, absDg += a.scale * absDs * std::abs(p.product);
      if (a.gate != Gate::None)
        dg += p.p * p.e, absDg += p.p * std::abs(p.e);
      a.du.value[p.key] += dg;
      a.du.weight[p.key] += absDg;
      throughTau -= dg;
      absThroughTau += absDg;
    }
    double dotTau = 0;
    const double count = s.count[static_cast<size_t>(i)];
    for (int64_t j = 0; j <= i; ++j)
      if (s.support[s.at(i, j)]) {
        const size_t key = firstKey + static_cast<size_t>(j);
        a.du.value[key] += throughTau / count;
        a.du.weight[key] += absThroughTau / count;
        dotTau += a.dotU[key] / count;
      }
    // Forward mode. The gate's tangent is that of the soft gate, whichever factor is in force.
    double meanDotS = 0, absMean = 0;
    for (Pair &p : pairs) {
      const bool moves = s.selected[p.pair] && s.support[p.pair];
      p.dotG = moves ? a.dotU[p.key] - dotTau : 0;
      const double dotProduct =
          dot(a.dotQ, query, a.k, p.key, a.sizes.keyWidth) + dot(a.q, query, a.dotK, p.key, a.sizes.keyWidth);
      p.dotS = a.scale * (p.gk * dotProduct + (a.gate == Gate::Both ? p.dotG * p.product : 0));
      meanDotS += p.p * p.dotS;
      absMean += p.p * std::abs(p.dotS);
    }
    for (const Pair &p : pairs)
      for (size_t c = 0; c < f; ++c) {
        const double value = a.v[p.key * f + c], dotValue = a.dotV[p.key * f + c];
        const double gate = a.gate != Gate::None ? p.dotG : 0;
        a.dotO.value[query * f + c] +=
            p.p * ((p.dotS - meanDotS) * p.gv * value + gate * value + p.gv * dotValue);
        a.dotO.weight[query * f + c] += p.p * ((std::abs(p.dotS) + absMean) * std::abs(p.gv * value) +
                                               std::abs(gate * value) + std::abs(p.gv * dotValue));
      }
  }
};

} // namespace

void Attention::run() {
  const auto n = static_cast<size_t>(sizes.length);
  o = Result(cotangent.size()), dotO = Result(cotangent.size());
  dq = Result(q.size()), dk = Result(k.size()), dv = Result(v.size()), du = Result(u.size());
  selections.clear();
  for (int64_t row = 0; row < sizes.rows(); ++row)
    selections.push_back(select(u.data() + row * sizes.length, sizes.length, sizes.topk, sizes.window));
  for (int64_t head = 0; head < sizes.batch * sizes.queryHeads(); ++head) {
    const auto row = static_cast<size_t>(head / sizes.group);
    for (int64_t i = 0; i < sizes.length; ++i)
      Query{*this, i, static_cast<size_t>(head) * n + static_cast<size_t>(i), row * n, selections[row]}.run();
  }
}

void denseAttention(Attention &a, int64_t window) {
  const Sizes &s = a.sizes;
  const int64_t n = s.length, e = s.keyWidth, f = s.valueWidth;
  a.o = Result(a.cotangent.size());
  a.dq = Result(a.q.size()), a.dk = Result(a.k.size()), a.dv = Result(a.v.size());
  auto at = [](Numbers &x, int64_t row, int64_t width) { return x.data() + row * width; };
  for (int64_t head = 0; head < s.batch * s.queryHeads(); ++head)
    for (int64_t i = 0; i < n; ++i) {
      const int64_t query = head * n + i, first = head / s.group * n,
                    begin = std::max<int64_t>(0, i - window + 1);
      const double *qi = at(a.q, query, e), *ct = at(a.cotangent, query, f);
      Numbers p, toP;
      for (int64_t j = begin; j <= i; ++j) {
        const double *kj = at(a.k, first + j, e), *vj = at(a.v, first + j, f);
        p.push_back(std::exp(a.scale * std::inner_product(qi, qi + e, kj, 0.0)));
        toP.push_back(std::inner_product(ct, ct + f, vj, 0.0));
      }
      const double total = std::accumulate(p.begin(), p.end(), 0.0);
      for (double &x : p)
        x /= total;
      const double mean = std::inner_product(p.begin(), p.end(), toP.begin(), 0.0);
      double absMean = 0;
      for (size_t at = 0; at < p.size(); ++at)
        absMean += p[at] * std::abs(toP[at]);
      for (int64_t j = begin; j <= i; ++j) {
        const double weight = p[size_t(j - begin)], ds = weight * (toP[size_t(j - begin)] - mean),
                     absDs = weight * (std::abs(toP[size_t(j - begin)]) + absMean);
        const int64_t key = first + j;
        for (int64_t c = 0; c < f; ++c) {
          a.o.add(size_t(query * f + c), weight * a.v[size_t(key * f + c)]);
          a.dv.add(size_t(key * f + c), weight * ct[c]);
        }
        for (int64_t c = 0; c < e; ++c) {
          const double toQ = a.scale * a.k[size_t(key * e + c)], toK = a.scale * qi[c];
          a.dq.value[size_t(query * e + c)] += ds * toQ;
          a.dq.weight[size_t(query * e + c)] += absDs * std::abs(toQ);
          a.dk.value[size_t(key * e + c)] += ds * toK;
          a.dk.weight[size_t(key * e + c)] += absDs * std::abs(toK);
        }
      }
    }
}

} // namespace heddle::laws
