// What attention computes from a query and a key besides their product, and the passes over a block of pairs
// that use it. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToCPU/AttentionCode.h"

namespace heddle::cpu::attention {

/// A key and the queries of one vector of a panel, lane-wise: the score that goes into the softmax, the
/// factor of the value, and whether the query sees the key. Without `gate` it is 1, without `seen` all do.
struct Pair {
  Value score, gate, seen;
};

/// The function of a pair: SPARSEK's gate, or the block of a variant. Made for one panel and block of keys,
/// where it emits what does not depend on the key.
class Pairs {
public:
  virtual ~Pairs() = default;

  /// Key j of the block with vector `part` of the panel; `product` is scale times query times key.
  virtual Pair pair(Value j, int64_t part, Value product) = 0;
  /// Whether the weight of some pair may have to be exactly zero: it is not seen, or its score is -inf.
  virtual bool mayVanish() const = 0;
  virtual bool hasGate() const = 0;

  // Of the backward pass: what the loop over the keys carries, how a pair's cotangents move it, what happens
  // after all vectors of a key, and at the end.
  virtual Values carried() { return {}; }
  /// The cotangent of the product, from those of score and gate. Called right after `pair`.
  virtual Value adjoint(Value j, int64_t part, const Pair &pair, Value product, Value dscore, Value dgate,
                        llvm::MutableArrayRef<Value> carried) = 0;
  virtual void endKey(Value j) {}
  virtual void finish(mlir::ValueRange carried) {}
};

/// The running statistics of the queries of a tile, [head, tile] each.
struct SoftmaxState {
  Buffer largest, total;
};

/// Turns the products of a panel, [key][query] in `weights`, into weights of the values and updates the
/// running maximum and sum at `stats`; returns by what the output so far is to be multiplied. `gates` is room
/// of the size of `weights`, where the pairs have gates.
Values emitSoftmax(AttentionCode &v, Pairs &pairs, const PanelRange &range, Buffer weights, Buffer gates,
                   const SoftmaxState &state, Value stats);

/// The backward pass of the same. From products of queries and keys in `weights` and of cotangents and values
/// in `slopes`, in place: the weights of dv, and the cotangents of the products, which weigh dq and dk.
/// `logSums` and `shared` hold lse and D; rows of both panels are `stride` apart.
void emitSlopes(AttentionCode &v, Pairs &pairs, const PanelRange &range, Buffer weights, Buffer slopes,
                int64_t stride, Buffer logSums, Buffer shared, Value stats);

} // namespace heddle::cpu::attention
