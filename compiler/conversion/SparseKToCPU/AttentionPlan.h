// Sizes of tiles, blocks and workspaces. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToCPU/Attention.h"

namespace heddle::cpu::attention {

enum class Pass { Forward, Backward, Tangent };

/// Queries are the lanes of vectors: scores are computed as keys x queries, outputs as widths x queries, so
/// no maximum, sum, gate or mask needs a horizontal step, and any width is a number of rows.
struct Plan {
  AttentionSpec spec; ///< topk and window cut to the length
  MatmulTarget target;
  int64_t keyLength = 0; ///< keys of a row

  MatmulElement compute = MatmulElement::F32;
  int64_t lanes = 0;     ///< of a vector
  int64_t panel = 0;     ///< queries of a register tile: two vectors
  int64_t tile = 0;      ///< queries of a tile, a multiple of the panel
  int64_t tileRows = 0;  ///< rows of a register tile
  int64_t keyBlock = 0;  ///< keys that are gathered at a time, a multiple of tileRows
  int64_t headBlock = 0; ///< query heads of the group that share one gathered block; divides the group
  int64_t keyPad = 0;    ///< keyWidth rounded up to whole vectors
  int64_t valuePad = 0;  ///< valueWidth rounded up to whole vectors

  int64_t listStride = 0; ///< keys of a tile's list, at most

  // Backward: tiles are grouped into chunks, each with its own partial sums of dk, dv and du.
  int64_t chunk = 0;      ///< queries, a multiple of the tile
  int64_t slotStride = 0; ///< selected keys of a chunk, at most
  int64_t wave = 0;       ///< rows whose partial sums exist at the same time
  int64_t reduceKeys = 0; ///< keys of a task of the reduction

  /// Elements of a row of partial sums: dk, then dv.
  int64_t partWidth() const { return keyPad + valuePad; }
  /// Rows of a chunk's partial sums: the slots, one that nobody reads, and the window's keys.
  int64_t spareRow() const { return slotStride; }
  int64_t firstWindowRow() const { return slotStride + 1; }
  int64_t partRows() const { return firstWindowRow() + windowKeys(chunk); }

  int64_t tiles() const { return (spec.length + tile - 1) / tile; }
  int64_t chunks() const { return (spec.length + chunk - 1) / chunk; }
  /// Keys that the windows of `queries` consecutive queries hold, at most.
  int64_t windowKeys(int64_t queries) const;
  bool gateKeys() const { return spec.gate == AttentionGate::Both && softForward(); }
  bool gateValues() const { return spec.gate != AttentionGate::None && softForward(); }
  /// Whether scores get a gradient through the gate, and by which factors.
  bool routesKeys() const { return spec.gate == AttentionGate::Both && spec.topk > 0; }
  bool routesValues() const { return spec.gate != AttentionGate::None && spec.topk > 0; }
  int64_t computeBytes() const { return compute == MatmulElement::F64 ? 8 : 4; }

private:
  bool softForward() const { return spec.topk > 0 && !spec.straightThrough; }
};

/// The plan of a pass; the others keep more per tile than the forward pass.
Plan makePlan(const AttentionSpec &spec, const MatmulTarget &target, Pass pass);

/// Bytes of the stack that a kernel's scratch takes.
int64_t scratchBytes(const Plan &plan, Pass pass);

/// Hands out parts of the workspace.
class Workspace {
public:
  /// Reserves `extent` elements and describes them as an operand.
  AttentionOperand take(const Plan &plan, AttentionOperand::Element element, int64_t extent);
  int64_t bytes() const { return size; }

private:
  int64_t size = 0;
};

/// An operand that is one of the caller's buffers, or an integer.
AttentionOperand bufferOperand(const Plan &plan, AttentionArgument argument);
AttentionOperand integerOperand(int64_t value);

} // namespace heddle::cpu::attention
