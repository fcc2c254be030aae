// What attention computes from a query and a key besides their product. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/AttentionPlan.h"
#include "compiler/conversion/SparseKToGPU/TileCode.h"

namespace heddle::gpu::attention {

/// What pairs know of a query: its position, and its threshold where keys are selected.
struct QuerySide {
  Scalar position; ///< i32
  Scalar hi, lo;
};

/// What pairs know of a key: its position, which queries see it, and its score where it is selected, clamped
/// to finite numbers.
struct KeySide {
  Scalar from, until; ///< i32; `from` is the position of a key of a window
  Scalar score;
};

/// A key's score as gates see it: infinities act as the largest f32, as in the selection.
Scalar finiteScore(KernelCode &k, Scalar score);

/// The score that goes into the softmax, in the base of TileCode::power; the factor of the value; whether the
/// query sees the key. Without `gate` it is 1, without `seen` all do.
struct Pair {
  Scalar score, gate, seen;
};

/// How a pair's cotangents move what it was computed from.
struct PairAdjoint {
  Scalar product; ///< cotangent of the scaled product of query and key, in natural units
  /// What is summed over the row of the tile: for SPARSEK the cotangent of the key's score, which is minus
  /// that of the query's threshold; for variants those of captures. Those that are missing are 0.
  Scalars sums;
};

/// The function of a pair: SPARSEK's gate, or the block of a variant.
class Pairs {
public:
  virtual ~Pairs() = default;

  /// By what products of queries and keys are multiplied before they become `product`.
  virtual double productFactor() const = 0;
  virtual Pair pair(const QuerySide &query, const KeySide &key, Scalar product) = 0;
  /// Of the pair that came last.
  virtual PairAdjoint adjoint(const Pair &pair, Scalar product, Scalar dscore, Scalar dgate) = 0;
  virtual bool hasGate() const = 0;
};

/// The sums of rows of the pairs of SPARSEK.
constexpr int64_t gateSums = 1;

/// The pairs of SPARSEK: selected keys, or those of the window, whose gate is 1.
class GatePairs : public Pairs {
public:
  /// With `masked` a pair is seen if its query is in the key's run. `derivative`: gates are differentiated.
  GatePairs(TileCode &t, const Plan &plan, bool selected, bool masked, bool derivative = false)
      : t(t), k(t.k), scale(plan.spec.scale), masked(masked), gateKeys(selected && plan.gateKeys()),
        gateValues(selected && plan.gateValues()), routesKeys(derivative && selected && plan.routesKeys()),
        routesValues(derivative && selected && plan.routesValues()) {}

  double productFactor() const override { return scale * t.logOfE(); }
  Pair pair(const QuerySide &query, const KeySide &key, Scalar product) override;
  PairAdjoint adjoint(const Pair &pair, Scalar product, Scalar dscore, Scalar dgate) override;
  bool hasGate() const override { return gateValues; }

  bool routes() const { return routesKeys || routesValues; }
  bool gateMovesScore() const { return routesKeys; }
  bool gateMovesValue() const { return routesValues; }
  /// Whether the gate of the pair that came last is strictly between 0 and 1, so that it moves.
  Scalar gateMoves();
  Scalar timesKeyGate(Scalar x) { return gateKeys ? x * gate : x; }

private:
  TileCode &t;
  KernelCode &k;
  const double scale;
  const bool masked, gateKeys, gateValues, routesKeys, routesValues;
  Scalar argument, gate;
};

} // namespace heddle::gpu::attention
