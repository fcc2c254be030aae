// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The projection onto {p : 0 <= p <= 1, sum p = k}, row by row: p = clip(z - tau). With kappa the ceil(k)-th
// largest score tau lies in [kappa - 1, kappa], or takes the next score where that is 1 or more below; in
// between the mass is linear from one score (or score minus 1) to the next.

#include <heddle/cpu_sparsek.h>

#include "cpu/elements.h"
#include "cpu/sparsek_order.h"
#include "cpu/sparsek_rows.h"

#include <cmath>
#include <cstdio>

using namespace heddle::runtime;
using namespace heddle::runtime::sparsek;

namespace {

class RowProjection {
public:
  /// Projects the n elements from `first` on.
  void run(int32_t dtype, const void *z, int64_t first, int64_t n, double k, void *p) {
    scores.resize(static_cast<size_t>(n));
    bool nan = false;
    for (int64_t j = 0; j < n; ++j) {
      const double x = loadElement(z, dtype, first + j);
      nan |= x != x;
      scores[static_cast<size_t>(j)] = clampScore(x);
    }
    hi = nan ? std::numeric_limits<double>::quiet_NaN() : -std::numeric_limits<double>::infinity();
    lo = 0;
    if (!nan && k < static_cast<double>(n))
      solve(k);
    for (int64_t j = 0; j < n; ++j) {
      const double gate = (scores[static_cast<size_t>(j)] - hi) - lo;
      storeElement(p, dtype, first + j, gate != gate ? gate : std::clamp(gate, 0.0, 1.0));
    }
  }

private:
  void solve(double k) {
    const size_t rank = static_cast<size_t>(std::ceil(k)) - 1;
    sorted = scores;
    std::nth_element(sorted.begin(), sorted.begin() + rank, sorted.end(), std::greater<>());
    hi = sorted[rank];
    if (k == std::floor(k)) {
      const double next = *std::max_element(sorted.begin() + rank + 1, sorted.end());
      if (hi - next >= 1) {
        hi = next;
        return;
      }
    }
    // Relative to kappa: from 1 up saturated whatever tau is, from -1 down zero.
    near.clear();
    double saturated = 0;
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
    auto from = [&](double x) {
      return static_cast<size_t>(std::lower_bound(near.begin(), near.end(), x) - near.begin());
    };
    auto mass = [&](double delta) {
      const size_t a = from(delta), b = from(delta + 1);
      return saturated + static_cast<double>(near.size() - b) + (sums[b] - sums[a]) -
             static_cast<double>(b - a) * delta;
    };
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

  double hi = 0, lo = 0;
  std::vector<double> scores, sorted, near, sums, points;
};

} // namespace

heddle_status_t heddle_cpu_sparsek_project(int32_t dtype, const void *z, double k, int64_t rows, int64_t n,
                                           void *p) {
  return guard([&] {
    if (!(k > 0)) {
      char digits[32];
      std::snprintf(digits, sizeof digits, "%.17g", k);
      throw Failure(HEDDLE_INVALID_ARGUMENT, std::string("sparsek needs k > 0, but k is ") + digits);
    }
    if (dtype < HEDDLE_F64 || dtype > HEDDLE_F16)
      throw Failure(HEDDLE_INVALID_ARGUMENT, std::string("scores of type ") +
                                                 heddle_dtype_name(static_cast<heddle_dtype_t>(dtype)) +
                                                 " cannot be projected");
    const int64_t grain = std::max<int64_t>(1, 4096 / std::max<int64_t>(n, 1));
    parallelChunks(n > 0 ? rows : 0, grain, [&](int64_t begin, int64_t end) {
      RowProjection projection;
      for (int64_t row = begin; row < end; ++row)
        projection.run(dtype, z, row * n, n, k, p);
    });
  });
}

void heddle_call_sparsek_project(heddle_call_t *call, const char *where, int32_t dtype, const void *z,
                                 int32_t kDtype, const void *k, int64_t rows, int64_t n, void *p) {
  const double mass = kDtype == HEDDLE_F64 ? *static_cast<const double *>(k) : *static_cast<const float *>(k);
  heddle_status_t status = heddle_cpu_sparsek_project(dtype, z, mass, rows, n, p);
  if (status == HEDDLE_OK)
    return;
  char message[HEDDLE_CALL_MESSAGE_SIZE];
  std::snprintf(message, sizeof message, "%s%s", where ? where : "", heddle_last_error());
  heddle_fail(call, status, message);
}
