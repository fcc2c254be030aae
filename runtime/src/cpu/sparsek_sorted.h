// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// tau with sum_j clip(z_j - tau, 0, 1) = k by sorting, for any scores. With kappa the ceil(k)-th largest, tau
// lies in [kappa - 1, kappa], or takes the next score where that is 1 or more below; in between the sum is
// linear from one score (or score minus 1) to the next.
#pragma once

#include "cpu/sparsek_order.h"

#include <functional>

namespace heddle::runtime::sparsek {

class SortedThreshold {
public:
  double hi = 0, lo = 0;

  /// Of scores that are finite, at least k of them; `scores` is left in another order.
  void solve(std::vector<double> &scores, double k) {
    const size_t rank = static_cast<size_t>(std::ceil(k)) - 1;
    std::nth_element(scores.begin(), scores.begin() + rank, scores.end(), std::greater<>());
    hi = scores[rank];
    lo = 0;
    if (k == std::floor(k)) {
      const double next = *std::max_element(scores.begin() + rank + 1, scores.end());
      if (hi - next >= 1) {
        hi = next;
        return;
      }
    }
    // Relative to kappa: from 1 up saturated whatever tau is, from -1 down zero.
    near.clear();
    saturated = 0;
    for (double score : scores) {
      const double rest = score - hi;
      if (rest >= 1)
        ++saturated;
      else if (rest > -1)
        near.push_back(rest);
    }
    std::sort(near.begin(), near.end());
    sums.assign(1, 0);
    for (double rest : near)
      sums.push_back(sums.back() + rest);
    points = {-1, 0};
    for (double rest : near)
      if (rest != 0)
        points.push_back(rest < 0 ? rest : rest - 1);
    std::sort(points.begin(), points.end());
    points.erase(std::unique(points.begin(), points.end()), points.end());
    size_t low = 0, high = points.size() - 1;
    while (high - low > 1) {
      const size_t middle = (low + high) / 2;
      (mass(points[middle]) >= k ? low : high) = middle;
    }
    const double inside = (points[low] + points[high]) / 2;
    const size_t a = from(inside), b = from(inside + 1);
    lo = points[low];
    if (a < b)
      lo = (sums[b] - sums[a] + saturated + static_cast<double>(near.size() - b) - k) /
           static_cast<double>(b - a);
  }

private:
  size_t from(double x) const {
    return static_cast<size_t>(std::lower_bound(near.begin(), near.end(), x) - near.begin());
  }
  double mass(double delta) const {
    const size_t a = from(delta), b = from(delta + 1);
    return saturated + static_cast<double>(near.size() - b) + (sums[b] - sums[a]) -
           static_cast<double>(b - a) * delta;
  }

  double saturated = 0;
  std::vector<double> near, sums, points;
};

} // namespace heddle::runtime::sparsek
