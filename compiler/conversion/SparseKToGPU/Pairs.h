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

/// What pairs know of a key: which queries see it, and its score where it is selected, clamped to finite numbers.
struct KeySide {
  Scalar from, until; ///< i32
  Scalar score;
};

/// The score that goes into the softmax, in the base of TileCode::power; the factor of the value; whether the query
/// sees the key. Without `gate` it is 1, without `seen` all do.
struct Pair {
  Scalar score, gate, seen;
};

/// How a pair's cotangents move what it was computed from.
struct PairAdjoint {
  Scalar product;  ///< cotangent of the scaled product of query and key, in natural units
  Scalar gradient; ///< of the key's score, and minus that of the query's threshold; null where there is none
};

/// The pairs of SPARSEK: selected keys, or those of the window, whose gate is 1.
class GatePairs {
public:
  /// With `masked` a pair is seen if its query is in the key's run. `derivative`: gates are differentiated.
  GatePairs(TileCode &t, const Plan &plan, bool selected, bool masked, bool derivative = false)
      : t(t), k(t.k), masked(masked), gateKeys(selected && plan.gateKeys()),
        gateValues(selected && plan.gateValues()), routesKeys(derivative && selected && plan.routesKeys()),
        routesValues(derivative && selected && plan.routesValues()) {}

  bool hasGate() const { return gateValues; }
  bool routes() const { return routesKeys || routesValues; }
  bool gateMovesScore() const { return routesKeys; }
  bool gateMovesValue() const { return routesValues; }

  /// `product`: query times key times scale, in the base of TileCode::power.
  Pair pair(const QuerySide &query, const KeySide &key, Scalar product);
  // Of the pair that came last:
  PairAdjoint adjoint(const Pair &pair, Scalar product, Scalar dscore, Scalar dgate);
  /// Whether its gate is strictly between 0 and 1, so that it moves.
  Scalar gateMoves();
  Scalar timesKeyGate(Scalar x) { return gateKeys ? x * gate : x; }

private:
  TileCode &t;
  KernelCode &k;
  const bool masked, gateKeys, gateValues, routesKeys, routesValues;
  Scalar argument, gate;
};

} // namespace heddle::gpu::attention
