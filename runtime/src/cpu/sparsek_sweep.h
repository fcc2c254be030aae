// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// One pass over a row of scores in time order that finds every threshold and every selection interval.
//
// What makes it O(n log n) for any scores: tau never decreases as candidates join, so a key at or below tau
// is dead for ever, and a saturated key (tau + 1 or above) that falls below tau + 1 never saturates again.
// Live keys are kept sorted; three ranks only move up: the lowest key above tau, the lowest saturated key,
// and kappa, the topk-th largest. New keys are taken in batches that double with the live keys, filtered by
// the current tau, sorted and merged; then they are inserted in time order. With `inside` keys of sum `sum`
// strictly between and `saturated` above,
//   tau = (sum + saturated - topk) / inside
// holds for the right sets. After an insertion the sets are found by raising tau from event to event ("the
// lowest key falls to 0", "the lowest saturated key falls below 1"), always the nearer one, until tau lies
// before both. Sums are relative to a centre that follows tau, in double, so that magnitude costs no digits.
#pragma once

#include "cpu/sparsek_order.h"

#include <cmath>

namespace heddle::runtime::sparsek {

/// Outputs of one row, each of n elements.
template <typename T>
struct RowOutputs {
  T *hi;
  T *lo;
  int32_t *end;
};

template <typename T>
class ThresholdSweep {
public:
  /// Scores without regard to NaN (they rank lowest). topk >= 1.
  void run(const T *u, int64_t n, int64_t topk, int64_t window, RowOutputs<T> outputs) {
    start(topk, outputs);
    const int64_t candidates = std::max<int64_t>(0, n - window);
    int64_t next = 0;
    while (next < candidates) {
      int64_t begin = next;
      size_t size = collect(u, next, candidates);
      for (int64_t j = begin; j < next; ++j)
        out.end[j] = static_cast<int32_t>(j + window); // until it enters
      merge(size);
      for (size_t i = 0; i < size; ++i)
        insert(i, window, n);
      keepLive();
    }
    fillUntil(n);
    std::fill(out.end + candidates, out.end + n, static_cast<int32_t>(n));
  }

private:
  static constexpr double infinity = std::numeric_limits<double>::infinity();
  static constexpr size_t smallestBatch = 512;

  void start(int64_t topk, RowOutputs<T> outputs) {
    k = topk;
    out = outputs;
    written = 0;
    hi = -std::numeric_limits<T>::infinity();
    lo = 0;
    full = false;
    total = inside = saturated = 0;
    sum = centre = offset = 0;
    liveSize = 0;
    lowest = firstSaturated = kappa = 0;
  }

  //===--- Batches ---===//

  /// Moves the keys from `next` on that are above tau into `survivors`, until the batch is full; returns how
  /// many.
  size_t collect(const T *u, int64_t &next, int64_t end) {
    size_t capacity = std::max(smallestBatch, liveSize);
    if (!full)
      capacity = std::max(capacity, static_cast<size_t>(std::min(k, end - next)) + smallestBatch);
    constexpr int64_t block = 32;
    survivors.reserve(capacity + block);
    const T floor = full ? floorOf<T>(centre, offset) : -std::numeric_limits<T>::infinity();
    size_t size = 0;
    while (next < end && size < capacity) {
      const int64_t count = std::min(block, end - next);
      bool any = !full || count < block;
      if (!any) {
        int above = 0; // a loop of fixed length without branches: the compiler makes it a vector comparison
        for (int64_t i = 0; i < block; ++i)
          above |= u[next + i] > floor;
        any = above;
      }
      if (any)
        for (int64_t i = 0; i < count; ++i) {
          T x = clampScore(u[next + i]);
          survivors.score[size] = x;
          survivors.key[size] = static_cast<uint32_t>(next + i);
          size += !full || x > floor;
        }
      next += count;
    }
    return size;
  }

  /// Merges the live keys (all present) with the sorted batch (still absent) into one order.
  void merge(size_t size) {
    sorter.sort(survivors, size);
    count = liveSize + size;
    score.resize(count);
    key.resize(count);
    rank.resize(size);
    present.reset(count);
    size_t saturatedAt = count, afterInside = 0, kappaAt = count, live = 0, batch = 0;
    for (size_t r = 0; r < count; ++r) {
      size_t from = batch < size ? survivors.order[batch] : 0;
      // Of equal scores the later key comes first: it ranks lower.
      if (live == liveSize || (batch < size && survivors.score[from] <= liveScore[live])) {
        score[r] = survivors.score[from];
        key[r] = survivors.key[from];
        rank[from] = static_cast<uint32_t>(r);
        ++batch;
        continue;
      }
      score[r] = liveScore[live];
      key[r] = liveKey[live];
      present.insert(r);
      if (live == firstSaturated)
        saturatedAt = r;
      if (live + 1 == firstSaturated)
        afterInside = r + 1;
      if (live == kappa)
        kappaAt = r;
      ++live;
    }
    // New keys between the inside ones and the saturated ones go by their score.
    if (full) {
      size_t begin = afterInside, end = saturatedAt;
      while (begin < end) {
        size_t middle = (begin + end) / 2;
        if (relative(middle) - 1 < offset)
          begin = middle + 1;
        else
          end = middle;
      }
      firstSaturated = begin;
    } else {
      firstSaturated = 0;
    }
    kappa = kappaAt;
    lowest = present.next(0);
    nextSaturated = present.next(firstSaturated);
  }

  /// Drops what died; the ranks become positions in the live list.
  void keepLive() {
    liveScore.clear();
    liveKey.clear();
    size_t saturatedAt = 0, kappaAt = 0;
    for (size_t r = full ? lowest : present.next(0); r < count; r = present.next(r + 1)) {
      saturatedAt += r < firstSaturated;
      if (r == kappa)
        kappaAt = liveScore.size();
      liveScore.push_back(score[r]);
      liveKey.push_back(key[r]);
    }
    liveSize = liveScore.size();
    firstSaturated = saturatedAt;
    kappa = kappaAt;
  }

  //===--- One key joins ---===//

  void insert(size_t position, int64_t window, int64_t n) {
    const size_t r = rank[position];
    const double x = static_cast<double>(survivors.score[position]);
    if (full && x - centre <= offset)
      return; // tau has passed it since the batch was collected
    const int64_t query = survivors.key[position] + window;
    fillUntil(query);
    present.insert(r);
    ++total;
    moveKappa(r, query, n);
    if (r < firstSaturated) {
      if (inside == 0) {
        centre = x;
        sum = 0;
      }
      sum += x - centre;
      ++inside;
      lowest = std::min(lowest, r);
    } else {
      ++saturated;
      nextSaturated = std::min(nextSaturated, r);
    }
    if (total <= k)
      return;
    full = true;
    solve();
    storePair();
  }

  void moveKappa(size_t r, int64_t query, int64_t n) {
    if (total < k) {
      out.end[key[r]] = static_cast<int32_t>(n);
    } else if (total == k) {
      out.end[key[r]] = static_cast<int32_t>(n);
      kappa = present.next(0);
    } else if (r > kappa) {
      out.end[key[r]] = static_cast<int32_t>(n);
      out.end[key[kappa]] = static_cast<int32_t>(query);
      kappa = present.next(kappa + 1);
    }
  }

  double relative(size_t r) const { return static_cast<double>(score[r]) - centre; }

  /// Raises tau = centre + offset from event to event. Ends with the sets that belong to tau.
  void solve() {
    for (;;) {
      if (inside == 0) {
        if (saturated <= k)
          return; // a gap: tau stays at the highest key that died
        recentre(static_cast<double>(score[nextSaturated]));
        unsaturate();
        continue;
      }
      const double target = (sum + static_cast<double>(saturated - k)) / static_cast<double>(inside);
      const double dies = relative(lowest);
      const double desaturates = nextSaturated < count ? relative(nextSaturated) - 1 : infinity;
      // Nothing is left for the inside keys once topk are saturated: they die, whatever the rounding of
      // target says.
      const bool dead = saturated >= k || dies <= target;
      if (!dead && desaturates >= target) {
        offset = target;
        return;
      }
      if (dead && dies <= desaturates) {
        died = static_cast<double>(score[lowest]);
        sum -= dies;
        --inside;
        lowest = present.next(lowest + 1);
        offset = dies;
        if (inside == 0)
          sum = 0;
        else if (dies > farFromCentre)
          recentre(died);
      } else {
        const double at = static_cast<double>(score[nextSaturated]);
        unsaturate();
        if (desaturates > farFromCentre)
          recentre(at);
      }
    }
  }

  void unsaturate() {
    sum += relative(nextSaturated);
    ++inside;
    --saturated;
    lowest = std::min(lowest, nextSaturated);
    firstSaturated = nextSaturated + 1;
    nextSaturated = present.next(firstSaturated);
  }

  /// Sums over the inside keys again. They lie within 1 of each other and centres move by more than 2, so a
  /// key is summed at most once per centre: constant work a key overall.
  void recentre(double to) {
    offset += centre - to;
    centre = to;
    sum = 0;
    if (inside == 0)
      return;
    for (size_t r = lowest; r < firstSaturated; r = present.next(r + 1))
      sum += relative(r);
  }

  //===--- Output ---===//

  void storePair() {
    if (inside == 0) {
      hi = static_cast<T>(died);
      lo = 0;
      return;
    }
    const double top = static_cast<double>(score[kappa]);
    double difference = (centre - top) + offset;
    // A threshold that equals a dead key up to the rounding of the sums takes that key's exact distance, so
    // that the predicate (u - hi) - lo > 0 is false for it.
    if (std::abs(difference - (died - top)) <= snap)
      difference = died - top;
    // Below 0 by definition, even where the difference is too small for T.
    lo = std::clamp(static_cast<T>(difference), T(-1), -std::numeric_limits<T>::min());
    hi = score[kappa];
  }

  void fillUntil(int64_t query) {
    std::fill(out.hi + written, out.hi + query, hi);
    std::fill(out.lo + written, out.lo + query, lo);
    written = query;
  }

  static constexpr double farFromCentre = 4;
  static constexpr double snap = 4e-15;

  int64_t k = 0;
  RowOutputs<T> out{};
  int64_t written = 0; ///< queries below it have their outputs
  T hi = 0, lo = 0;    ///< the pair since the last insertion

  Survivors<T> survivors;
  SurvivorSorter<T> sorter;
  std::vector<T> score, liveScore;    ///< ascending
  std::vector<uint32_t> key, liveKey; ///< the key of each rank
  std::vector<uint32_t> rank;         ///< of each survivor
  PresentRanks present;
  size_t count = 0, liveSize = 0;

  bool full = false; ///< more than topk candidates have joined
  int64_t total = 0, inside = 0, saturated = 0;
  double sum = 0, centre = 0, offset = 0;
  double died = -infinity; ///< the highest key that tau has reached
  size_t lowest = 0, firstSaturated = 0, nextSaturated = 0, kappa = 0;
};

} // namespace heddle::runtime::sparsek
