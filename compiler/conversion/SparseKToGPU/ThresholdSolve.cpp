#include "compiler/conversion/SparseKToGPU/ThresholdSolve.h"

#include "compiler/conversion/SparseKToGPU/Order.h"

#include <cfloat>
#include <limits>

using namespace mlir;

namespace heddle::gpu {
namespace {

constexpr int64_t least = std::numeric_limits<int64_t>::min(), most = std::numeric_limits<int64_t>::max();

/// Candidates of a prefix: parts of lists and single keys of each lane, and sums over all lanes.
class Prefix {
public:
  Prefix(ListCode &lists, Pointer u, Scalar row, Scalar start, Scalar stop)
      : k(lists.k), lists(lists), f64(k.b.getF64Type()) {
    Scalar whole = stop - stop % chunkSize, lane = k.lane();
    for (int64_t first = 0; first < lists.geometry.mostLists; first += warpSize)
      parts.push_back(lists.part(lane + first, row, start, whole));
    Pointer scores = k.offset(u, row * lists.geometry.rows.n);
    for (int64_t i = 0; i < chunkSize / warpSize; ++i) {
      Scalar key = whole + lane + i * warpSize;
      singles.push_back(
          k.choose((key >= start) & (key < stop),
                   [&] { return Scalars{keyOrder(k, clampScore(k, k.load(scores, key)), key)}; },
                   [&] { return Scalars{k.i64(least)}; })[0]);
    }
  }

  Scalar sum(Scalar x) {
    return k.warpReduce(x, [](Scalar a, Scalar b) { return a + b; });
  }
  Scalar largest(Scalar x) {
    return k.warpReduce(x, [&](Scalar a, Scalar b) { return k.max(a, b); });
  }
  Scalar count(Scalar truth) { return k.cast(truth, k.i32Type()); }
  Scalar score(Scalar order) { return k.cast(orderScore(k, order), f64); }
  /// A single key that is none is below everything.
  Scalar exists(Scalar single) { return single != least; }

  KernelCode &k;
  ListCode &lists;
  Type f64;
  SmallVector<ListPart, 2> parts;
  SmallVector<Scalar, 8> singles;
};

/// The order of the candidate of rank `rank`, and where it would be in each part.
std::pair<Scalar, Scalars> selectRank(Prefix &p, int64_t rank, Scalar size) {
  KernelCode &k = p.k;
  const size_t parts = p.parts.size();
  // The order lies in [low, high); in each part that is a range of positions.
  Scalars init{k.i64(least), k.i64(most), size};
  for (const ListPart &part : p.parts)
    init.append({part.begin, part.end});
  Scalars end = k.repeat(
      init, [&](ArrayRef<Scalar> s) { return k.unsignedLess(k.i64(1), s[1] - s[0]) & (s[2] != rank); },
      [&](ArrayRef<Scalar> s) {
        Scalar middle = s[0] + ((s[1] - s[0]) >> 1), own = k.i32(0);
        Scalars places;
        for (size_t i = 0; i < parts; ++i) {
          places.push_back(p.lists.search(p.parts[i], s[3 + 2 * i], s[4 + 2 * i],
                                          [&](Scalar order) { return order >= middle; }));
          own = own + (p.parts[i].end - places.back());
        }
        for (Scalar single : p.singles)
          own = own + p.count(single >= middle);
        Scalar above = p.sum(own), enough = above >= rank;
        Scalars next{k.select(enough, middle, s[0]), k.select(enough, s[1], middle),
                     k.select(enough, above, s[2])};
        for (size_t i = 0; i < parts; ++i)
          next.append({k.select(enough, places[i], s[3 + 2 * i]), k.select(enough, s[4 + 2 * i], places[i])});
        return next;
      });
  // The least one that is not below.
  Scalar own = k.i64(most);
  Scalars places;
  for (size_t i = 0; i < parts; ++i) {
    Scalar at = end[3 + 2 * i];
    places.push_back(at);
    own = k.min(own, k.choose(
                         at < p.parts[i].end, [&] { return Scalars{p.lists.key(p.parts[i], at)}; },
                         [&] { return Scalars{k.i64(most)}; })[0]);
  }
  for (Scalar single : p.singles)
    own = k.select(p.exists(single) & (single >= end[0]), k.min(own, single), own);
  return {k.warpReduce(own, [&](Scalar a, Scalar b) { return k.min(a, b); }), places};
}

/// What tau - top = x gives: how many candidates lie strictly between tau and tau + 1 with the sum of their
/// distances from top, how many above, and the highest one that is not above tau.
struct Evaluation {
  Scalar inside, saturated; ///< i32
  Scalar sum;               ///< f64
  Scalar died;              ///< an order
};

Evaluation evaluate(Prefix &p, Scalar top, Scalar x) {
  KernelCode &k = p.k;
  const int64_t fraction = p.lists.geometry.fraction;
  auto alive = [&](Scalar order) { return p.score(order) - top > x; };
  auto saturates = [&](Scalar order) { return (p.score(order) - top) - 1.0 >= x; };
  Scalar inside = k.i32(0), saturated = inside, sum = k.i64(0), died = k.i64(least);
  for (const ListPart &part : p.parts) {
    Scalars own = k.choose(
        part.begin < part.end,
        [&] {
          Scalar first = p.lists.search(part, part.begin, part.end, alive);
          Scalar last = p.lists.search(part, first, part.end, saturates);
          Scalar dead = k.choose(
              first > part.begin, [&] { return Scalars{p.lists.key(part, first - 1)}; },
              [&] { return Scalars{k.i64(least)}; })[0];
          return Scalars{last - first, part.end - last,
                         p.lists.sumBefore(part, last) - p.lists.sumBefore(part, first), dead};
        },
        [&] { return Scalars{k.i32(0), k.i32(0), k.i64(0), k.i64(least)}; });
    inside = inside + own[0];
    saturated = saturated + own[1];
    sum = sum + own[2];
    died = k.max(died, own[3]);
  }
  for (Scalar single : p.singles) {
    Scalar some = p.exists(single), lives = some & alive(single), full = lives & saturates(single);
    Scalar counts = lives & !full;
    inside = inside + p.count(counts);
    saturated = saturated + p.count(full);
    sum = sum + k.select(counts, fixedPoint(k, orderScore(k, single), fraction), k.i64(0));
    died = k.select(some & !lives, k.max(died, single), died);
  }
  inside = p.sum(inside);
  Scalar rest = p.sum(sum) - k.cast(inside, k.i64Type()) * fixedPoint(k, top, fraction);
  return {inside, p.sum(saturated), fromFixedPoint(k, rest, fraction), p.largest(died)};
}

} // namespace

PrefixThreshold solvePrefix(ListCode &lists, int64_t topk, Pointer u, Scalar row, Scalar start, Scalar stop) {
  KernelCode &k = lists.k;
  Prefix p(lists, u, row, start, stop);
  auto [kappa, places] = selectRank(p, topk, stop - start);
  Scalar below = k.i64(least);
  for (auto [part, place] : llvm::zip(p.parts, places))
    below = k.max(below, k.choose(
                             place > part.begin, [&] { return Scalars{lists.key(part, place - 1)}; },
                             [&] { return Scalars{k.i64(least)}; })[0]);
  for (Scalar single : p.singles)
    below = k.select(single < kappa, k.max(below, single), below);
  below = p.largest(below);
  Scalar top = p.score(kappa), next = p.score(below), gap = top - next >= 1.0;

  // Every fourth step halves the bracket, so that it ends for any scores.
  constexpr int64_t mostSteps = 300;
  Scalar zero = k.constant(p.f64, 0.0), none = k.constant(p.f64, -std::numeric_limits<double>::infinity());
  Scalars found = k.repeat(
      {k.i32(0), k.constant(p.f64, -1.0), zero, k.constant(p.f64, -0.5), none, !gap},
      [](ArrayRef<Scalar> s) { return s.back(); },
      [&](ArrayRef<Scalar> s) {
        Scalar x = s[3];
        Evaluation at = evaluate(p, top, x);
        Scalar size = k.cast(at.inside, p.f64), some = at.inside > 0;
        Scalar over = at.sum + k.cast(at.saturated - topk, p.f64);
        Scalar exact = k.select(some, over / k.select(some, size, k.constant(p.f64, 1.0)), x);
        Scalar enough = over - size * x >= 0.0;
        Scalar low = k.select(enough, x, s[1]), high = k.select(enough, s[2], x);
        Scalar done = (some & (exact == x)) | (high - low <= DBL_EPSILON) | (s[0] >= mostSteps);
        Scalar newton = some & (exact > low) & (exact < high) & ((s[0] & 3) != 3);
        Scalar next = k.select(newton | (done & some), exact, (low + high) * 0.5);
        Scalar died = k.select(at.died == least, none, p.score(at.died));
        return Scalars{s[0] + 1, low, high, next, died, !done};
      });
  Scalar offset = k.min(k.max(found[3], k.constant(p.f64, -1.0)), k.constant(p.f64, -DBL_MIN));
  return {kappa, k.select(gap, next, top), k.select(gap, zero, offset), k.select(gap, next, found[4])};
}

} // namespace heddle::gpu
