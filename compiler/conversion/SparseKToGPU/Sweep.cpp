#include "compiler/conversion/SparseKToGPU/Sweep.h"

#include <cfloat>
#include <limits>

using namespace mlir;

namespace heddle::gpu {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
/// From here on the centre follows tau.
constexpr double farFromCentre = 4;

Scalar f64(KernelCode &k, double value) { return k.constant(k.b.getF64Type(), value); }
Scalar f64(KernelCode &k, Scalar integer) { return k.cast(integer, k.b.getF64Type()); }

} // namespace

SweepState SweepState::empty(KernelCode &k, Scalar count) {
  Scalar none = k.i32(0), zero = f64(k, 0.0);
  return {count, none, count, none, none, none, none, zero, zero, zero, f64(k, -infinity)};
}

Scalar Sweep::next(Scalar from) {
  Scalar words = count >> 5;
  Scalar first = from >> 5;
  Scalar bits = k.load(present, first) & (k.i32(-1) << (from & 31));
  Scalars found = k.repeat(
      {first, bits}, [&](ArrayRef<Scalar> s) { return (s[1] == 0) & (s[0] < words); },
      [&](ArrayRef<Scalar> s) {
        Scalar word = s[0] + 1;
        return Scalars{word, k.load(present, word)};
      });
  return k.min((found[0] << 5) + k.trailingZeros(found[1]), count);
}

SweepState Sweep::recentre(SweepState s, Scalar to) {
  // The inside keys lie within 1 of each other and centres move by more than 2: constant work a key overall.
  Scalars sums = k.repeat(
      {s.lowest, f64(k, 0.0)}, [&](ArrayRef<Scalar> v) { return v[0] < s.firstSaturated; },
      [&](ArrayRef<Scalar> v) { return Scalars{next(v[0] + 1), v[1] + relative(v[0], to)}; });
  s.offset = s.offset + (s.centre - to);
  s.centre = to;
  s.sum = sums[1];
  return s;
}

SweepState Sweep::kill(SweepState s) {
  s.died = score(s.lowest);
  s.offset = s.died - s.centre;
  s.inside = s.inside - 1;
  s.sum = k.select(s.inside == 0, f64(k, 0.0), s.sum - s.offset);
  s.lowest = next(s.lowest + 1);
  return s;
}

SweepState Sweep::unsaturate(SweepState s) {
  Scalar at = score(s.nextSaturated), alone = s.inside == 0;
  s.offset = k.select(alone, s.offset + (s.centre - at), s.offset);
  s.centre = k.select(alone, at, s.centre);
  s.sum = k.select(alone, f64(k, 0.0), s.sum) + (at - s.centre);
  s.inside = s.inside + 1;
  s.saturated = s.saturated - 1;
  s.lowest = k.min(s.lowest, s.nextSaturated);
  s.firstSaturated = s.nextSaturated + 1;
  s.nextSaturated = next(s.firstSaturated);
  return s;
}

SweepState Sweep::solve(SweepState start) {
  Scalars init = start.values();
  init.push_back(k.truth(true));
  Scalars end = k.repeat(
      init, [](ArrayRef<Scalar> v) { return v.back(); },
      [&](ArrayRef<Scalar> v) {
        SweepState s = SweepState::of(v);
        Scalar some = s.inside > 0, none = f64(k, infinity);
        auto distance = [&](Scalar rank, Scalar exists) {
          return k.choose(
              exists, [&] { return Scalars{relative(rank, s.centre)}; }, [&] { return Scalars{none}; })[0];
        };
        Scalar dies = distance(s.lowest, s.lowest < s.firstSaturated);
        Scalar desaturates = distance(s.nextSaturated, s.nextSaturated < count) - 1.0;
        Scalar target = (s.sum + f64(k, s.saturated - topk)) / f64(k, k.max(s.inside, k.i32(1)));
        // Nothing is left for the inside keys once topk are saturated: they die, whatever the rounding says.
        Scalar dead = (s.saturated >= topk) | (dies <= target);
        Scalar settled = (!dead & (desaturates >= target)) | ((dies == none) & (desaturates == none));
        // In a gap tau stays at the highest key that died.
        Scalar gap = !some & ((s.saturated <= topk) | (s.nextSaturated >= count));
        Scalar stops = gap | (some & settled);
        s.offset = k.select(some & settled, target, s.offset);
        Scalars next = k.choose(
            stops, [&] { return s.values(); },
            [&] {
              Scalar kills = some & dead & (dies <= desaturates);
              Scalar event = k.select(some, k.select(kills, dies, desaturates), f64(k, 0.0));
              SweepState moved = SweepState::of(
                  k.choose(kills, [&] { return kill(s).values(); }, [&] { return unsaturate(s).values(); }));
              return k.choose((event > farFromCentre) & (moved.inside > 0),
                              [&] {
                                Scalar to = k.select(kills, moved.died,
                                                     score(k.max(moved.firstSaturated, k.i32(1)) - 1));
                                return recentre(moved, to).values();
                              },
                              [&] { return moved.values(); });
            });
        next.push_back(!stops);
        return next;
      });
  return SweepState::of(end);
}

SweepState Sweep::insert(SweepState s, Scalar rank) {
  Scalar word = rank >> 5;
  k.store(k.load(present, word) | (k.i32(1) << (rank & 31)), present, word);
  s.joined = s.joined + 1;
  Scalar passes = (s.joined > topk) & (rank > s.kappa);
  s.kappa = k.choose(
      passes | (s.joined == topk), [&] { return Scalars{next(k.select(passes, s.kappa + 1, k.i32(0)))}; },
      [&] { return Scalars{s.kappa}; })[0];
  Scalar x = score(rank), isInside = rank < s.firstSaturated, alone = isInside & (s.inside == 0);
  s.centre = k.select(alone, x, s.centre);
  s.sum = k.select(alone, f64(k, 0.0), s.sum);
  s.sum = k.select(isInside, s.sum + (x - s.centre), s.sum);
  Scalar one = k.cast(isInside, k.i32Type());
  s.inside = s.inside + one;
  s.saturated = s.saturated + (1 - one);
  s.lowest = k.select(isInside, k.min(s.lowest, rank), s.lowest);
  s.nextSaturated = k.select(isInside, s.nextSaturated, k.min(s.nextSaturated, rank));
  return SweepState::of(k.choose(isFull(s), [&] { return solve(s).values(); }, [&] { return s.values(); }));
}

SweepState Sweep::run(Scalar first, Scalar last, SweepState state, llvm::function_ref<Scalar(Scalar)> rank,
                      llvm::function_ref<void(Scalar, const SweepState &)> out) {
  Scalars end = k.loop(first, last, k.i32(1), state.values(), [&](Scalar candidate, ArrayRef<Scalar> v) {
    SweepState s = SweepState::of(v);
    Scalar r = rank(candidate);
    Scalar passed = k.choose(
        isFull(s) & (r >= 0), [&] { return Scalars{relative(r, s.centre) <= s.offset}; },
        [&] { return Scalars{r < 0}; })[0];
    SweepState after =
        SweepState::of(k.choose(passed, [&] { return s.values(); }, [&] { return insert(s, r).values(); }));
    out(candidate, after);
    return after.values();
  });
  return SweepState::of(end);
}

std::pair<Scalar, Scalar> Sweep::threshold(const SweepState &s) {
  Scalar top = score(s.kappa), gap = s.inside == 0;
  auto [hi, lo] = thresholdPair(k, element, top, (s.centre - top) + s.offset, s.died - top);
  return {k.select(gap, k.cast(s.died, element), hi), k.select(gap, k.constant(element, 0.0), lo)};
}

std::pair<Scalar, Scalar> thresholdPair(KernelCode &k, Type element, Scalar top, Scalar difference,
                                        Scalar died) {
  constexpr double snap = 4e-15;
  difference = k.select(k.abs(difference - died) <= snap, died, difference);
  const double least = element.isF64() ? DBL_MIN : double(FLT_MIN);
  Scalar lo =
      k.max(k.constant(element, -1.0), k.min(k.cast(difference, element), k.constant(element, -least)));
  return {k.cast(top, element), lo};
}

} // namespace heddle::gpu
