// Sizes of tiles, blocks, lists and workspaces of attention on a device. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToCPU/Attention.h"
#include "compiler/conversion/SparseKToGPU/Attention.h"

namespace heddle::gpu::attention {

using cpu::AttentionArgument;
using cpu::AttentionGate;
using cpu::AttentionSpec;

enum class Pass { Forward, QueryGradients, KeyGradients, Tangent };

/// How a kernel walks: a tile of rows per block of threads, 16 for each warp, beside blocks of columns that
/// are copied to shared memory, `stages` of them at a time.
struct Walk {
  int64_t tile = 64;
  int64_t block = 64;
  int64_t stages = 2;
  int64_t threads() const { return tile * 2; }
};

struct Plan {
  AttentionSpec spec;    ///< topk and window cut to the length
  int64_t keyLength = 0; ///< keys of a row
  bool tensorCores = false;
  int64_t keyPad = 0, valuePad = 0;
  Walk walk;

  /// Selected keys are listed by chunks of queries, and of these by tiles.
  int64_t chunk = 0;
  int64_t listStride = 0;   ///< keys of a tile's list, at most
  int64_t slotStride = 0;   ///< keys of a chunk's list, at most
  int64_t partialBytes = 0; ///< of partial sums that exist at the same time

  int64_t elementBytes() const;
  int64_t computeBytes() const { return spec.element == cpu::MatmulElement::F64 ? 8 : 4; }
  int64_t queryTiles() const { return spec.batch * spec.queryHeads * tiles(); } ///< of all query heads
  int64_t tiles() const { return (spec.length + walk.tile - 1) / walk.tile; }
  int64_t chunks() const { return (spec.length + chunk - 1) / chunk; }
  bool gateKeys() const { return spec.gate == AttentionGate::Both && softForward(); }
  bool gateValues() const { return spec.gate != AttentionGate::None && softForward(); }
  /// Whether scores get a gradient through the gate, and by which factors.
  bool routesKeys() const { return spec.gate == AttentionGate::Both && spec.topk > 0; }
  bool routesValues() const { return spec.gate != AttentionGate::None && spec.topk > 0; }

private:
  bool softForward() const { return spec.topk > 0 && !spec.straightThrough; }
};

/// The widest part of dk and dv that a warp keeps in registers; wider ones are computed in parts.
constexpr int64_t gradientColumns = 128;

/// `tile`: more than 64 where it must be that, otherwise up to 64.
Plan makePlan(const AttentionSpec &spec, const Target &target, Pass pass, int64_t tile = 64);

/// The names of choices: `block` and `stages` of the forward pass, `query_block`, `key_stages`, … of
/// gradients.
std::string choiceName(Pass pass, const char *size);

} // namespace heddle::gpu::attention
