// The queries of a tile in a backward pass. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToCPU/KeyBlocks.h"

namespace heddle::cpu::attention {

/// Queries and cotangents of a tile, as rows and as panels, with their statistics, for `heads` query heads.
class BackwardTile {
public:
  /// Allocates the buffers: at the top of a kernel.
  BackwardTile(AttentionCode &v, const KernelArguments &arguments, int64_t heads);

  /// Stages the `count` queries from row `query` of q on as head `head`.
  void stage(Value query, Value count, Value head);
  /// lse and D of the same queries, from lse, o and dlse. With the largest number as lse, queries that see
  /// nothing and those that do not exist weigh nothing.
  void computeStatistics(Value query, Value count, Value head);

  /// Products of a panel with a block: with the keys in `weights`, with the values in `slopes`.
  void multiply(const KeyBlock &block, Value head, Value panel, const PanelRange &range);
  /// Adds the sums of slopes times queries to columns 0 of the keys' rows of `part`, those of weights times
  /// cotangents to columns keyPad.
  void addKeySums(const KeyBlock &block, Value head, const PanelRange &range, Buffer part, Value firstRow);

  /// The range rounded out to whole register tiles, and whether that adds keys.
  PanelRange rounded(const PanelRange &range, Value &addsKeys);

  Buffer weights, slopes; ///< [keyBlock, tile]
  Buffer lse, shared;     ///< [head, tile]; shared is D = do . o - dlse
  Buffer queryRows, outRows, queries, outs;

private:
  Value outProduct(Value query, Value staged);

  AttentionCode &v;
  const Plan &p;
  const KernelArguments &args;
};

} // namespace heddle::cpu::attention
