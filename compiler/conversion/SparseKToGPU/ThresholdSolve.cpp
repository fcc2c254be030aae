#include "compiler/conversion/SparseKToGPU/ThresholdSolve.h"

#include <cfloat>
#include <functional>
#include <limits>

using namespace mlir;

namespace heddle::gpu {

Scalars OrderRange::values() const {
  Scalars all{low, high, aboveLow, aboveHigh};
  all.append(begins);
  all.append(ends);
  return all;
}
OrderRange OrderRange::of(ArrayRef<Scalar> v) {
  const size_t parts = (v.size() - 4) / 2;
  return {v[0], v[1], v[2], v[3], Scalars(v.slice(4, parts)), Scalars(v.drop_front(4 + parts))};
}

namespace {

constexpr int64_t least = std::numeric_limits<int64_t>::min(), most = std::numeric_limits<int64_t>::max();

/// Candidates of a prefix: parts of lists and single keys of each lane, and sums over all lanes.
class Prefix {
public:
  Prefix(ListCode &lists, const PrefixExtent &extent) : k(lists.k), lists(lists), f64(k.b.getF64Type()) {
    for (int64_t first = 0; first < lists.geometry.mostLists; first += warpSize)
      parts.push_back(lists.part(k.lane() + first, extent.row, extent.start, extent.whole));
  }
  Prefix(ListCode &lists, Pointer u, const PrefixExtent &extent) : Prefix(lists, extent) {
    Pointer scores = k.offset(u, extent.row * lists.geometry.rows.n);
    for (int64_t i = 0; i < chunkSize / warpSize; ++i) {
      Scalar key = extent.whole + k.lane() + i * warpSize;
      singles.push_back(
          k.choose((key >= extent.start) & (key < extent.stop),
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

  /// For searches, one for each part and again.
  std::function<Scalar(size_t, Scalar)> keyOf() {
    return [this](size_t i, Scalar at) { return lists.key(parts[i % parts.size()], at); };
  }

  /// How many keys are at `places` of their parts and behind, or single ones that `counts`.
  Scalar countFrom(ArrayRef<Scalar> places, llvm::function_ref<Scalar(Scalar single)> counts) {
    Scalar own = k.i32(0);
    for (auto [part, place] : llvm::zip(parts, places))
      own = own + (part.end - place);
    for (Scalar single : singles)
      own = own + count(counts(single));
    return warpSum(k, own);
  }
  /// The highest one before `places`, or among the single ones that `fits`; `least` if there is none.
  Scalar highestBefore(ArrayRef<Scalar> places, llvm::function_ref<Scalar(Scalar single)> fits) {
    Scalar highest = k.i64(least);
    for (auto [part, place] : llvm::zip(parts, places))
      highest = k.max(highest, k.choose(
                                   place > part.begin, [&] { return Scalars{lists.key(part, place - 1)}; },
                                   [&] { return Scalars{k.i64(least)}; })[0]);
    for (Scalar single : singles)
      highest = k.select(fits(single), k.max(highest, single), highest);
    return largest(highest);
  }

  KernelCode &k;
  ListCode &lists;
  Type f64;
  SmallVector<ListPart, 4> parts;
  SmallVector<Scalar, 8> singles;
};

/// All orders.
OrderRange wholeRange(Prefix &p, Scalar size) {
  KernelCode &k = p.k;
  OrderRange r{k.i64(least), k.i64(most), size, k.i32(0), {}, {}};
  for (const ListPart &part : p.parts) {
    r.begins.push_back(part.begin);
    r.ends.push_back(part.end);
  }
  return r;
}

/// Those in [low, high), which are in these parts of the lists.
OrderRange knownRange(Prefix &p, Scalar low, Scalar high, ArrayRef<SearchRange> places) {
  OrderRange r{low, high, low, high, {}, {}};
  for (const SearchRange &place : places) {
    r.begins.push_back(place.begin);
    r.ends.push_back(place.end);
  }
  r.aboveLow = p.countFrom(r.begins, [&](Scalar single) { return single >= low; });
  r.aboveHigh = p.countFrom(r.ends, [&](Scalar single) { return single >= high; });
  return r;
}

/// A key of the longest range, about where the order should be; in turn the middle one and the one that the
/// rank suggests. In every fourth round, and where all ranges are empty, the middle of the orders.
Scalar choosePivot(Prefix &p, const OrderRange &r, Scalar round, int64_t rank) {
  KernelCode &k = p.k;
  Scalar longest = k.i32(0), begin = k.i32(0), number = k.i32(0);
  for (size_t i = 0; i < p.parts.size(); ++i) {
    Scalar length = r.ends[i] - r.begins[i], isLonger = length > longest;
    longest = k.select(isLonger, length, longest);
    begin = k.select(isLonger, r.begins[i], begin);
    number = k.select(isLonger, k.i32(int64_t(i)), number);
  }
  Scalar chosen = warpLargest(k, (longest << 5) | k.lane());
  Scalar missing = k.cast(rank - r.aboveHigh, k.f32Type()) - 0.5;
  Scalar share = missing / k.cast(r.aboveLow - r.aboveHigh, k.f32Type());
  Scalar guess = k.cast(k.cast(longest, k.f32Type()) * (1.0 - share), k.i32Type());
  Scalar place = k.select((round & 1) == 0, guess, longest >> 1);
  place = begin + k.max(k.min(place, longest - 1), k.i32(0));
  Scalar own = k.choose(
      longest > 0,
      [&] {
        Scalar base = p.parts[0].base;
        for (size_t i = 1; i < p.parts.size(); ++i)
          base = k.select(number == int64_t(i), p.parts[i].base, base);
        ListPart part = p.parts[0];
        part.base = base;
        return Scalars{p.lists.key(part, place)};
      },
      [&] { return Scalars{k.i64(least)}; })[0];
  Scalar pivot = k.shuffleFrom(own, chosen & (warpSize - 1));
  Scalar middle = r.low + ((r.high - r.low) >> 1);
  pivot = k.select((chosen < warpSize) | ((round & 3) == 3), middle, pivot);
  return k.select(pivot == r.low, pivot + 1, pivot);
}

/// The order of the candidate of rank `rank`, and where it would be in each part.
std::pair<Scalar, Scalars> selectRank(Prefix &p, int64_t rank, const OrderRange &start) {
  KernelCode &k = p.k;
  const size_t parts = p.parts.size();
  Scalars init = start.values();
  init.push_back(k.i32(0));
  Scalars end = k.repeat(
      init, [&](ArrayRef<Scalar> s) { return k.unsignedLess(k.i64(1), s[1] - s[0]) & (s[2] != rank); },
      [&](ArrayRef<Scalar> s) {
        OrderRange r = OrderRange::of(s.drop_back());
        Scalar pivot = choosePivot(p, r, s.back(), rank);
        SmallVector<SearchRange> ranges;
        for (size_t i = 0; i < parts; ++i)
          ranges.push_back({r.begins[i], r.ends[i]});
        Scalars places =
            firstWhereAll(k, ranges, p.keyOf(), [&](size_t, Scalar order) { return order >= pivot; });
        Scalar above = p.countFrom(places, [&](Scalar single) { return single >= pivot; });
        Scalar enough = above >= rank;
        r.low = k.select(enough, pivot, r.low);
        r.high = k.select(enough, r.high, pivot);
        r.aboveLow = k.select(enough, above, r.aboveLow);
        r.aboveHigh = k.select(enough, r.aboveHigh, above);
        for (size_t i = 0; i < parts; ++i) {
          r.begins[i] = k.select(enough, places[i], r.begins[i]);
          r.ends[i] = k.select(enough, r.ends[i], places[i]);
        }
        Scalars next = r.values();
        next.push_back(s.back() + 1);
        return next;
      });
  // The least one that is not below.
  OrderRange found = OrderRange::of(ArrayRef<Scalar>(end).drop_back());
  Scalar own = k.i64(most);
  for (size_t i = 0; i < parts; ++i)
    own = k.min(own, k.choose(
                         found.begins[i] < p.parts[i].end,
                         [&] { return Scalars{p.lists.key(p.parts[i], found.begins[i])}; },
                         [&] { return Scalars{k.i64(most)}; })[0]);
  for (Scalar single : p.singles)
    own = k.select(p.exists(single) & (single >= found.low), k.min(own, single), own);
  return {k.warpReduce(own, [&](Scalar a, Scalar b) { return k.min(a, b); }), found.begins};
}

/// tau - top by Newton's method. For x the candidates above top + x are alive, those at top + x + 1 and above
/// saturated; in each part both begin within a range that shrinks.
class Newton {
public:
  /// `ranges`: of the alive, then of the saturated.
  Newton(Prefix &p, int64_t topk, Scalar top, SmallVector<SearchRange> ranges)
      : p(p), k(p.k), topk(topk), top(top), parts(p.parts.size()), ranges(std::move(ranges)) {}

  /// From [low, high]; nothing happens where not `runs`. Gives x and what had died.
  std::pair<Scalar, Scalar> solve(Scalar low, Scalar high, Scalar runs) {
    Scalars init{k.i32(0), low, high, (low + high) * 0.5, runs};
    for (const SearchRange &range : ranges)
      init.append({range.begin, range.end});
    Scalars found =
        k.repeat(init, [](ArrayRef<Scalar> s) { return s[4]; }, [&](ArrayRef<Scalar> s) { return step(s); });
    // What lies at x or below.
    SmallVector<SearchRange> last;
    for (size_t i = 0; i < parts; ++i)
      last.push_back({found[5 + 2 * i], found[6 + 2 * i]});
    Scalar x = found[3];
    Scalars places = firstWhereAll(k, last, p.keyOf(), [&](size_t, Scalar order) { return alive(order, x); });
    Scalar died =
        p.highestBefore(places, [&](Scalar single) { return p.exists(single) & !alive(single, x); });
    return {x, died};
  }

private:
  Scalar alive(Scalar order, Scalar x) { return p.score(order) - top > x; }
  Scalar saturates(Scalar order, Scalar x) { return (p.score(order) - top) - 1.0 >= x; }

  Scalars step(ArrayRef<Scalar> s) {
    const int64_t fraction = p.lists.geometry.fraction;
    Scalar x = s[3];
    SmallVector<SearchRange> here;
    for (size_t i = 0; i < 2 * parts; ++i)
      here.push_back({s[5 + 2 * i], s[6 + 2 * i]});
    Scalars places = firstWhereAll(k, here, p.keyOf(), [&](size_t i, Scalar order) {
      return i < parts ? alive(order, x) : saturates(order, x);
    });
    Scalar inside = k.i32(0), saturated = inside, sum = k.i64(0);
    for (size_t i = 0; i < parts; ++i) {
      const ListPart &part = p.parts[i];
      Scalar first = places[i], last = places[parts + i];
      inside = inside + (last - first);
      saturated = saturated + (part.end - last);
      sum = sum + k.choose(
                      first < last,
                      [&] { return Scalars{p.lists.sumBefore(part, last) - p.lists.sumBefore(part, first)}; },
                      [&] { return Scalars{k.i64(0)}; })[0];
    }
    for (Scalar single : p.singles) {
      Scalar lives = p.exists(single) & alive(single, x), full = lives & saturates(single, x);
      Scalar counts = lives & !full;
      inside = inside + p.count(counts);
      saturated = saturated + p.count(full);
      sum = sum + k.select(counts, fixedPoint(k, orderScore(k, single), fraction), k.i64(0));
    }
    inside = warpSum(k, inside);
    saturated = warpSum(k, saturated);
    Scalar rest = p.sum(sum) - k.cast(inside, k.i64Type()) * fixedPoint(k, top, fraction);
    Scalar over = fromFixedPoint(k, rest, fraction) + k.cast(saturated - topk, p.f64);
    NewtonStep step = newtonStep(k, s[0], s[1], s[2], x, inside, over);
    Scalars next{s[0] + 1, step.low, step.high, step.x, step.goesOn};
    for (size_t i = 0; i < 2 * parts; ++i)
      next.append(
          {k.select(step.enough, places[i], here[i].begin), k.select(step.enough, here[i].end, places[i])});
    return next;
  }

  Prefix &p;
  KernelCode &k;
  const int64_t topk;
  Scalar top;
  const size_t parts;
  const SmallVector<SearchRange> ranges;
};

struct Kappa {
  Scalar order, top, next, gap; ///< of tau where there is a gap: next
};
Kappa kappaAt(Prefix &p, Scalar order, const Scalars &places) {
  Scalar below = p.highestBefore(places, [order](Scalar single) { return single < order; });
  Scalar top = p.score(order), next = p.score(below);
  return {order, top, next, top - next >= 1.0};
}

PrefixThreshold thresholdOf(Prefix &p, const Kappa &kappa, Newton newton, Scalar low, Scalar high) {
  KernelCode &k = p.k;
  auto [x, dead] = newton.solve(low, high, !kappa.gap);
  Scalar none = k.constant(p.f64, -std::numeric_limits<double>::infinity());
  Scalar died = k.select(dead == least, none, p.score(dead));
  Scalar offset = k.min(k.max(x, k.constant(p.f64, -1.0)), k.constant(p.f64, -DBL_MIN));
  return {kappa.order, k.select(kappa.gap, kappa.next, kappa.top),
          k.select(kappa.gap, k.constant(p.f64, 0.0), offset), k.select(kappa.gap, kappa.next, died)};
}

} // namespace

NewtonStep newtonStep(KernelCode &k, Scalar number, Scalar low, Scalar high, Scalar x, Scalar inside,
                      Scalar over) {
  constexpr int64_t mostSteps = 300;
  Scalar size = k.cast(inside, x.type()), some = inside > 0, one = k.constant(x.type(), 1.0);
  Scalar exact = k.select(some, over / k.select(some, size, one), x);
  Scalar enough = over - size * x >= 0.0;
  low = k.select(enough, x, low);
  high = k.select(enough, high, x);
  Scalar done = (some & (exact == x)) | (high - low <= DBL_EPSILON) | (number >= mostSteps);
  // From the eighth on every fourth step halves the bracket, so that it ends for any scores.
  Scalar takes = some & (exact > low) & (exact < high) & (((number & 3) != 3) | (number < 7));
  return {low, high, k.select(takes | (done & some), exact, (low + high) * 0.5), !done, enough};
}

PrefixRanges rangesBetween(ListCode &lists, const PrefixExtent &extent, const ThresholdBracket &bracket) {
  Prefix p(lists, extent);
  const size_t parts = p.parts.size();
  SmallVector<SearchRange> all;
  for (int64_t which = 0; which < 6; ++which)
    for (const ListPart &part : p.parts)
      all.push_back({part.begin, part.end});
  const PrefixThreshold &left = bracket.left, &right = bracket.right;
  Scalars places = firstWhereAll(lists.k, all, p.keyOf(), [&](size_t i, Scalar order) {
    const size_t which = i / parts;
    const bool isRight = which & 1;
    if (which < 2)
      return order >= (isRight ? right.kappa + 1 : left.kappa);
    Scalar offset = isRight ? right.offset + thresholdSlack : left.offset - thresholdSlack;
    return p.score(order) - (isRight ? right.base : left.base) > offset + (which < 4 ? 0.0 : 1.0);
  });
  PrefixRanges ranges;
  for (size_t i = 0; i < parts; ++i) {
    auto at = [&](size_t which) { return places[which * parts + i]; };
    ranges.kappa.push_back({at(0), at(1)});
    ranges.alive.push_back({at(2), at(3)});
    ranges.saturated.push_back({at(4), at(5)});
  }
  return ranges;
}

PrefixThreshold solvePrefix(ListCode &lists, int64_t topk, Pointer u, const PrefixExtent &extent) {
  KernelCode &k = lists.k;
  Prefix p(lists, u, extent);
  auto [order, places] = selectRank(p, topk, wholeRange(p, extent.stop - extent.start));
  Kappa kappa = kappaAt(p, order, places);
  SmallVector<SearchRange> ranges;
  for (auto [part, place] : llvm::zip(p.parts, places))
    ranges.push_back({part.begin, place});
  for (auto [part, place] : llvm::zip(p.parts, places))
    ranges.push_back({place, part.end});
  return thresholdOf(p, kappa, Newton(p, topk, kappa.top, ranges), k.constant(p.f64, -1.0),
                     k.constant(p.f64, 0.0));
}

PrefixThreshold solvePrefix(ListCode &lists, int64_t topk, Pointer u, const PrefixExtent &extent,
                            const ThresholdBracket &bracket, const PrefixRanges &ranges, Scalar low) {
  KernelCode &k = lists.k;
  Prefix p(lists, u, extent);
  auto [order, places] = selectRank(p, topk, knownRange(p, low, bracket.right.kappa + 1, ranges.kappa));
  Kappa kappa = kappaAt(p, order, places);
  SmallVector<SearchRange> known(ranges.alive.begin(), ranges.alive.end());
  known.append(ranges.saturated.begin(), ranges.saturated.end());
  auto from = [&](const PrefixThreshold &t) { return (t.base - kappa.top) + t.offset; };
  Scalar least = k.constant(p.f64, -1.0), greatest = k.constant(p.f64, 0.0);
  Scalar begin = k.min(k.max(least, from(bracket.left) - thresholdSlack), greatest);
  Scalar end = k.max(k.min(greatest, from(bracket.right) + thresholdSlack), begin);
  return thresholdOf(p, kappa, Newton(p, topk, kappa.top, known), begin, end);
}

} // namespace heddle::gpu
