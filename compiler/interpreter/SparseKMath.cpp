//===- SparseKMath.cpp - The projection and its threshold -----------------===//

#include "compiler/interpreter/SparseKMath.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

using namespace heddle::interp;

double heddle::interp::boundedScore(double score) {
  constexpr double bound = std::numeric_limits<float>::max();
  return std::isnan(score) ? score : std::clamp(score, -bound, bound);
}

std::vector<int64_t> heddle::interp::descendingOrder(llvm::ArrayRef<double> scores) {
  auto rank = [&](int64_t i) {
    return std::isnan(scores[i]) ? boundedScore(-INFINITY) : boundedScore(scores[i]);
  };
  std::vector<int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) { return rank(i) > rank(j); });
  return order;
}

Threshold heddle::interp::solveThreshold(llvm::ArrayRef<double> descending, double k) {
  auto rank = static_cast<size_t>(std::ceil(k)) - 1;
  double kappa = descending[rank];
  if (k == std::floor(k) && kappa - descending[rank + 1] >= 1)
    return {descending[rank + 1], 0};

  // tau lies in [kappa - 1, kappa]. Relative to kappa, scores from 1 up are saturated whatever tau is, those
  // from -1 down are 0; the mass of the others is piecewise linear in tau and falls.
  std::vector<double> near;
  double saturated = 0;
  for (double z : descending) {
    double rest = z - kappa;
    if (rest >= 1)
      ++saturated;
    else if (rest > -1)
      near.push_back(rest);
  }
  auto mass = [&](double delta) {
    double total = saturated;
    for (double rest : near)
      total += std::clamp(rest - delta, 0.0, 1.0);
    return total;
  };
  // Where a score reaches 0 or leaves 1.
  std::vector<double> points = {-1, 0};
  for (double rest : near)
    if (rest != 0)
      points.push_back(rest < 0 ? rest : rest - 1);
  llvm::sort(points);
  points.erase(std::unique(points.begin(), points.end()), points.end());
  size_t low = 0, high = points.size() - 1;
  while (high - low > 1) {
    size_t middle = (low + high) / 2;
    (mass(points[middle]) >= k ? low : high) = middle;
  }
  // Solve the linear piece between the two neighbours.
  double inside = (points[low] + points[high]) / 2, sum = saturated - k, active = 0;
  for (double rest : near) {
    if (rest >= inside + 1)
      ++sum;
    else if (rest > inside) {
      sum += rest;
      ++active;
    }
  }
  return {kappa, active > 0 ? sum / active : points[low]};
}

double heddle::interp::gate(Element element, double score, Threshold threshold) {
  if (threshold.hi == -std::numeric_limits<double>::infinity())
    return 1;
  double above = roundTo(element, roundTo(element, boundedScore(score) - threshold.hi) - threshold.lo);
  return std::isnan(above) ? above : std::clamp(above, 0.0, 1.0);
}
