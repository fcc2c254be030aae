// The pairs of SPARSEK. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToCPU/Pairs.h"

namespace heddle::cpu::attention {

/// Where the backward pass adds up the gradients that go through the gates.
struct GateGradients {
  Buffer thresholds; ///< [tile]
  Buffer scores;     ///< [keyBlock, lanes]
};

/// Thresholds of the tile's queries [tile].
struct Thresholds {
  Buffer hi, lo;
};

/// The pairs of a block of selected keys, or of window keys, whose gate is 1. With `masked` a pair is seen if
/// its query is in the key's interval.
class GatePairs : public Pairs {
public:
  GatePairs(AttentionCode &v, const KeyBlock &block, const PanelRange &range, const Thresholds &thresholds,
            bool selected, bool masked, const GateGradients *gradients);

  Pair pair(Value j, int64_t part, Value product) override;
  bool mayVanish() const override { return masked; }
  bool hasGate() const override { return gateValues; }
  Values carried() override;
  Value adjoint(Value j, int64_t part, const Pair &pair, Value product, Value dscore, Value dgate,
                llvm::MutableArrayRef<Value> carried) override;
  void endKey(Value j) override;
  void finish(mlir::ValueRange carried) override;

  /// How a change of the pair's gate reaches the output: through the score, and through the value's factor.
  bool gateMovesScore() const { return routesKeys; }
  bool gateMovesValue() const { return routesValues; }
  /// `factor` times the gate of the pair that was emitted last, if its score has one.
  Value timesKeyGate(Value factor) { return gateKeys ? v.mulf(factor, gate) : factor; }
  /// Whether that pair's gate is strictly between 0 and 1, so that it moves.
  Value gateMoves();

private:
  bool routes() const { return routesKeys || routesValues; }

  AttentionCode &v;
  const KeyBlock &block;
  const PanelRange &range;
  const GateGradients *gradients;
  bool masked, gateKeys, gateValues, routesKeys, routesValues;
  Values hi, lo;
  Value argument, gate; ///< of the pair that was emitted last
  Value keyGradient;    ///< of its key so far
};

} // namespace heddle::cpu::attention
