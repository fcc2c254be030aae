// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The projection of rows onto {p : 0 <= p <= 1, sum p = k}, called by generated code for sparsek.project.

#include "cpu/elements.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <string>
#include <vector>

namespace {

/// tau with sum_j clip(z_j - tau, 0, 1) = k for scores in descending order, more than k of them. With U scores at 1 and W
/// above 0, tau = (z_(U+1) + ... + z_(W) + U - k) / (W - U); U and W move until the next break point lies outside. The sums
/// are taken relative to the k-th score, so that they stay small.
double solve(const std::vector<double> &z, double k) {
  const size_t n = z.size();
  // A breakpoint of sum_j clip(z_j - t) is a score or a score minus 1; between two of them the sum is linear. Search for
  // the last one, from above, at which the sum is still below k.
  const double centre = z[std::min<size_t>(n - 1, size_t(std::ceil(k)) - 1)];
  auto total = [&](double t) {
    double sum = 0;
    for (double x : z) {
      double y = (x - centre) - t;
      if (y <= 0)
        break;
      sum += std::min(y, 1.0);
    }
    return sum;
  };
  std::vector<double> points;
  points.reserve(2 * n);
  for (double x : z) {
    points.push_back(x - centre);
    points.push_back(x - centre - 1);
  }
  std::sort(points.begin(), points.end(), std::greater<>());
  // total(points[low]) < k <= total(points[high]).
  size_t low = 0, high = points.size() - 1;
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    (total(points[middle]) < k ? low : high) = middle;
  }
  double above = points[low], below = points[high];
  double sumAbove = total(above), sumBelow = total(below);
  if (sumBelow == sumAbove || sumBelow == k)
    return centre + below;
  return centre + below + (above - below) * ((sumBelow - k) / (sumBelow - sumAbove));
}

} // namespace

extern "C" HEDDLE_EXPORT void heddle_cpu_sparsek_project(heddle_call_t *call, const char *position, int32_t dtype,
                                                         const void *z, double k, int64_t begin, int64_t end, int64_t n,
                                                         void *p) {
  using namespace heddle::runtime;
  if (!(k > 0)) {
    char text[64];
    std::snprintf(text, sizeof text, "%g", k);
    heddle_fail(call, HEDDLE_INVALID_ARGUMENT, (std::string(position) + "sparsek needs k > 0, but k is " + text).c_str());
    return;
  }
  try {
    std::vector<double> scores(n), descending;
    constexpr double bound = std::numeric_limits<float>::max();
    for (int64_t row = begin; row < end; ++row) {
      bool hasNaN = false;
      for (int64_t j = 0; j < n; ++j) {
        double score = loadElement(z, dtype, row * n + j);
        hasNaN |= std::isnan(score);
        scores[j] = std::clamp(score, -bound, bound);
      }
      double tau = -std::numeric_limits<double>::infinity();
      if (!hasNaN && k < double(n)) {
        descending = scores;
        std::sort(descending.begin(), descending.end(), std::greater<>());
        tau = solve(descending, k);
      }
      for (int64_t j = 0; j < n; ++j)
        storeElement(p, dtype, row * n + j,
                     hasNaN ? std::numeric_limits<double>::quiet_NaN() : std::clamp(scores[j] - tau, 0.0, 1.0));
    }
  } catch (const std::bad_alloc &) {
    heddle_fail(call, HEDDLE_OUT_OF_MEMORY, "there is no memory to sort a row of scores");
  }
}
