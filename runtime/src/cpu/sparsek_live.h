// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The threshold of a growing set of candidates, kept as nothing but the scores above it.
//
// Scores at or below tau can be dropped for ever, since tau never decreases. The others are kept in
// descending order, so that the topk-th one, kappa, is found by its rank, the saturated ones (tau + 1 or
// more) come first and those that die come last. A score above tau that joins moves tau up from event to
// event ("the lowest falls to 0", "the lowest saturated one falls below 1"), as in the sweep over a whole
// sequence; sums are taken anew for each score that joins, relative to kappa, so that no rounding is carried
// along and the scores alone are the state.
#pragma once

#include "cpu/sparsek_order.h"

#include <span>

namespace heddle::runtime::sparsek {

/// The sum of what descending scores differ from a centre by. Its order follows from the scores alone; equal
/// ones in a row count as one.
double sumRelative(const float *scores, int64_t size, double centre);
double sumRelative(const double *scores, int64_t size, double centre);

template <typename T>
class LiveScores {
public:
  /// The memory that holds the state: `capacity` scores of which `count` are live, and the threshold.
  LiveScores(T *live, int64_t capacity, int32_t &count, T &hi, T &lo, int64_t topk)
      : live(live), capacity(capacity), topk(topk), count(count), hi(hi), lo(lo) {
    // What a program hands over may be anything.
    count = static_cast<int32_t>(std::clamp<int64_t>(count, 0, capacity));
  }

  void clear(T threshold) {
    std::fill(live, live + count, T(0));
    count = 0;
    hi = threshold;
    lo = 0;
  }
  bool isPoisoned() const { return hi != hi; }
  bool isLive(T x) const { return hi == -std::numeric_limits<T>::infinity() || (x - hi) - lo > 0; }

  /// A live score becomes a candidate; `candidates` counts it. False where more than `capacity` are live
  /// then.
  bool join(T x, int64_t candidates) {
    T *scores = live;
    if (count == capacity) { // whether one of them dies is known only afterwards
      overflow.assign(live, live + count);
      overflow.resize(static_cast<size_t>(count) + 1);
      scores = overflow.data();
    }
    T *place = std::upper_bound(scores, scores + count, x, std::greater<T>());
    std::move_backward(place, scores + count, scores + count + 1);
    *place = x;
    const int64_t size = count + 1;
    int64_t alive = size;
    if (candidates > topk && size > topk)
      alive = solve(scores, size);
    if (alive > capacity)
      return false;
    if (scores != live)
      std::copy(scores, scores + alive, live);
    std::fill(live + alive, live + std::min(size, capacity), T(0));
    count = static_cast<int32_t>(alive);
    return true;
  }

  /// All candidates at once, given their threshold. False where more than `capacity` are live.
  bool fill(std::span<const T> candidates) {
    count = 0;
    for (T u : candidates)
      if (T x = clampScore(u); isLive(x)) {
        if (count == capacity)
          return false;
        live[count++] = x;
      }
    std::sort(live, live + count, std::greater<T>());
    return true;
  }

private:
  /// Raises tau until sum clip(scores - tau, 0, 1) = topk; how many of the `size` scores, more than topk, are
  /// live then.
  int64_t solve(const T *scores, int64_t size) {
    const T kappa = scores[topk - 1];
    const double top = static_cast<double>(kappa);
    auto relative = [&](int64_t i) { return static_cast<double>(scores[i]) - top; };
    if (relative(topk) <= -1) {
      hi = scores[topk];
      lo = 0;
      return topk;
    }
    double died = -std::numeric_limits<double>::infinity();
    if (hi != -std::numeric_limits<T>::infinity())
      died = (static_cast<double>(hi) - top) + static_cast<double>(lo);
    // A little below the last tau, which was rounded.
    double offset = std::max(-1.0, died - 1e-7);
    int64_t end = size;
    int64_t saturated =
        std::partition_point(scores, scores + size,
                             [&](T x) { return static_cast<double>(x) - top >= offset + 1; }) -
        scores;
    double sum = sumRelative(scores + saturated, end - saturated, top);
    for (;;) {
      const int64_t inside = end - saturated;
      if (inside == 0 && saturated <= topk) { // the rounding of sums has killed the last one: a gap
        hi = scores[end];
        lo = 0;
        return alive(scores, size, end);
      }
      const double desaturates =
          saturated > 0 ? relative(saturated - 1) - 1 : std::numeric_limits<double>::infinity();
      if (inside > 0) {
        const double target = (sum + static_cast<double>(saturated - topk)) / static_cast<double>(inside);
        const double dies = relative(end - 1);
        const bool dead = saturated >= topk || dies <= target;
        if (!dead && !(desaturates < target)) {
          offset = target;
          break;
        }
        if (dead && dies <= desaturates) {
          sum -= dies;
          died = dies;
          --end;
          continue;
        }
      }
      --saturated;
      sum += relative(saturated);
    }
    // A threshold that equals a dead score up to the rounding of the sums takes that one's exact distance.
    constexpr double snap = 4e-15;
    if (std::abs(offset - died) <= snap)
      offset = died;
    hi = kappa;
    lo = std::clamp(static_cast<T>(offset), T(-1), -std::numeric_limits<T>::min());
    return alive(scores, size, end);
  }

  /// The predicate that gates are computed with decides which scores are live, near `end`.
  int64_t alive(const T *scores, int64_t size, int64_t end) const {
    while (end < size && isLive(scores[end]))
      ++end;
    while (end > 0 && !isLive(scores[end - 1]))
      --end;
    return end;
  }

  T *live;
  int64_t capacity, topk;
  int32_t &count;
  T &hi, &lo;
  std::vector<T> overflow;
};

} // namespace heddle::runtime::sparsek
