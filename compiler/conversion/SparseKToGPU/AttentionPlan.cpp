#include "compiler/conversion/SparseKToGPU/AttentionPlan.h"
#include "compiler/conversion/SparseKToGPU/TileCode.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <numeric>

namespace heddle::gpu::attention {

static int64_t roundUp(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

int64_t Plan::elementBytes() const {
  switch (spec.element) {
  case cpu::MatmulElement::F64:
    return 8;
  case cpu::MatmulElement::F32:
    return 4;
  default:
    return 2;
  }
}

/// Bytes of shared memory, without the little that depends on neither tile nor block.
static int64_t sharedBytes(const Plan &p, Pass pass) {
  const Walk &w = p.walk;
  auto row = [&](int64_t width) { return TileCode::pitchOf(width, p.elementBytes()) * p.elementBytes(); };
  const int64_t keys = row(p.keyPad), values = row(p.valuePad);
  int64_t tileRow = keys, blockRow = keys + values;
  if (pass == Pass::QueryGradients || pass == Pass::KeyGradients)
    tileRow += values;
  if (pass == Pass::Tangent) {
    tileRow += keys;
    blockRow *= 2;
  }
  int64_t bytes = w.tile * tileRow + w.stages * w.block * blockRow;
  bytes += 4 * w.block * (12 + 4 * p.computeBytes()); // what is known of each column
  if (!p.tensorCores)
    bytes += w.tile * row(w.block);
  return bytes;
}

std::string choiceName(Pass pass, const char *size) {
  const char *prefix = pass == Pass::QueryGradients ? "query_" : pass == Pass::KeyGradients ? "key_" : "";
  return prefix + std::string(size);
}

/// The first walk that fits, of those with chosen sizes where there are such; the last if none does.
static Walk chooseWalk(Plan p, const Target &target, Pass pass, llvm::ArrayRef<Walk> walks) {
  const int64_t least = p.tensorCores ? 16 : 8;
  const auto block = target.choice[choiceName(pass, "block")],
             stages = target.choice[choiceName(pass, "stages")];
  for (bool chosen : {true, false})
    for (const Walk &walk : walks) {
      if (walk.block < least || walk.block > walk.threads())
        continue;
      if (chosen && (block.value_or(walk.block) != walk.block || stages.value_or(walk.stages) != walk.stages))
        continue;
      p.walk = walk;
      if (sharedBytes(p, pass) <= target.sharedBytes)
        return walk;
    }
  return p.walk;
}

Plan makePlan(const AttentionSpec &spec, const Target &target, Pass pass, int64_t tile) {
  Plan p;
  p.spec = spec;
  p.spec.topk = std::min(spec.topk, spec.length);
  p.spec.window = std::min(spec.window, spec.length);
  p.keyLength = spec.length;
  p.partialBytes = target.partialBytes;
  if (auto chosen = target.choice["partial_mib"]; chosen && 0 < *chosen && *chosen < 1 << 20)
    p.partialBytes = *chosen << 20;
  p.tensorCores = spec.element == cpu::MatmulElement::BF16 || spec.element == cpu::MatmulElement::F16;
  p.keyPad = TileCode::padded(spec.keyWidth, p.tensorCores);
  p.valuePad = TileCode::padded(spec.valueWidth, p.tensorCores);

  // The first that fits. Small blocks of columns keep the registers of wide heads few.
  const int64_t most = pass == Pass::Forward && p.tensorCores && p.valuePad <= 128 ? 64 : 32;
  const Walk walks[] = {{64, most, 2}, {64, 32, 2}, {64, 32, 1}, {64, 16, 2}, {64, 16, 1},
                        {32, 16, 2},   {32, 16, 1}, {16, 16, 1}, {16, 8, 1}};
  // Of 192 rows a thread has too few registers for long blocks.
  const Walk longWalks[] = {{tile, tile > 128 ? 32 : most, 2}, {tile, 32, 2}, {tile, 16, 1}};
  p.walk = chooseWalk(p, target, pass, tile > 64 ? llvm::ArrayRef(longWalks) : llvm::ArrayRef(walks));

  // Long chunks make partial sums of keys few, short ones make tasks where there are few rows. A task of keys
  // goes over the chunk with each query head; below topk queries partial sums would be many.
  const int64_t rows = std::max<int64_t>(spec.rows(), 1);
  const int64_t leastChunk = std::max<int64_t>(256, p.spec.topk / 2);
  const bool hasTasks = pass == Pass::QueryGradients || pass == Pass::KeyGradients;
  const int64_t together = hasTasks ? std::max<int64_t>(spec.group(), 1) : 1; // there may be no queries
  const int64_t mostChunk = std::max({2048 / together, std::min<int64_t>(p.spec.topk, 2048), leastChunk});
  // Whole tiles of queries, and of keys; of long chunks whole lists between those of tiles and of chunks.
  auto whole = [&](int64_t queries) {
    return roundUp(queries,
                   std::lcm<int64_t>(128, queries < 8 * p.walk.tile ? p.walk.tile : 4 * p.walk.tile));
  };
  p.chunk = whole(std::clamp<int64_t>(spec.length * rows / 64, leastChunk, mostChunk));
  if (auto chosen = target.choice["chunk"]; chosen && 128 <= *chosen && *chosen <= 1 << 20)
    p.chunk = whole(*chosen);
  p.listStride = std::max<int64_t>(std::min(p.spec.topk + p.walk.tile, spec.length), 1);
  p.slotStride = std::max<int64_t>(std::min(p.spec.topk + p.chunk, spec.length), 1);
  return p;
}

} // namespace heddle::gpu::attention
