// One thread's pass over candidates in time order, from a known threshold on. Internal to this folder.
//
// The keys that matter are ranked once, ascending by score, of equal scores the later one first; ranks become
// present as their keys join. Three ranks only move up: the lowest key above tau, the lowest saturated one
// (at tau + 1 or above) and kappa, the topk-th largest. With `inside` keys of sum `sum` between the first two
// and `saturated` above,
//   tau = (sum + saturated - topk) / inside.
// After a key has joined, tau rises from event to event ("the lowest key falls to 0", "the lowest saturated
// one falls below 1"), always the nearer one, until it lies before both. Sums are doubles relative to a
// centre near tau.
#pragma once

#include "compiler/conversion/GPU/KernelCode.h"

namespace heddle::gpu {

/// Counts and ranks are i32, the rest f64. tau = centre + offset; `died` is the highest key that tau has
/// reached.
struct SweepState {
  Scalar lowest, firstSaturated, nextSaturated, kappa, inside, saturated, joined;
  Scalar sum, centre, offset, died;

  Scalars values() const {
    return {lowest, firstSaturated, nextSaturated, kappa, inside, saturated, joined,
            sum,    centre,         offset,        died};
  }
  static SweepState of(llvm::ArrayRef<Scalar> v) {
    return {v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10]};
  }
  /// No candidate of `count` ranks has joined.
  static SweepState empty(KernelCode &k, Scalar count);
};

class Sweep {
public:
  /// `score` gives the clamped score of a rank as f64; a rank of `count` is none. `present` has a bit for
  /// each rank below and one more, in i32 words.
  Sweep(KernelCode &k, mlir::Type element, int64_t topk, Scalar count, Pointer present,
        llvm::function_ref<Scalar(Scalar rank)> score)
      : k(k), element(element), topk(topk), count(count), present(present), score(score) {}

  /// Joins the candidates [first, last): `rank` gives the rank of one, below 0 where it lies at or below tau
  /// from the beginning. Calls out(candidate, state after it); nothing is known of tau while joined <= topk.
  SweepState run(Scalar first, Scalar last, SweepState state,
                 llvm::function_ref<Scalar(Scalar candidate)> rank,
                 llvm::function_ref<void(Scalar candidate, const SweepState &)> out);

  Scalar isFull(const SweepState &s) { return s.joined > topk; }
  /// tau as a pair of elements.
  std::pair<Scalar, Scalar> threshold(const SweepState &s);
  /// The first present rank from `from` on, `count` if there is none.
  Scalar next(Scalar from);

private:
  Scalar relative(Scalar rank, Scalar centre) { return score(rank) - centre; }
  SweepState insert(SweepState s, Scalar rank);
  SweepState solve(SweepState s);
  SweepState kill(SweepState s);
  SweepState unsaturate(SweepState s);
  SweepState recentre(SweepState s, Scalar to);

  KernelCode &k;
  mlir::Type element;
  const int64_t topk;
  Scalar count;
  Pointer present;
  llvm::function_ref<Scalar(Scalar)> score;
};

/// The pair of elements for tau = top + difference, with kappa's score `top`: below 0 by definition, and the
/// exact distance `died` of the highest dead key from `top` where it equals that up to the rounding of sums.
std::pair<Scalar, Scalar> thresholdPair(KernelCode &k, mlir::Type element, Scalar top, Scalar difference,
                                        Scalar died);

} // namespace heddle::gpu
