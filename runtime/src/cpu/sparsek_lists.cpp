// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Lists of selected keys per tile of queries, from the ends of the keys' selections. The keys selected at a
// tile's first query are carried from tile to tile in ascending order; keys that join are larger than all of
// them.

#include <heddle/cpu_sparsek.h>

#include "core/Hot.h"
#include "cpu/sparsek_rows.h"

#include <vector>

using namespace heddle::runtime;
using namespace heddle::runtime::sparsek;

namespace {

struct Shape {
  int64_t rows, n, topk, window, tile, stride, chunk, slotStride;

  int64_t tiles() const { return (n + tile - 1) / tile; }
  int64_t chunks() const { return (n + chunk - 1) / chunk; }
};

void check(const Shape &shape, bool slots) {
  requireSize(shape.n, "the number of keys");
  requireSize(shape.topk, "topk");
  requireSize(shape.tile, "the tile", 1);
  if (shape.rows < 0 || shape.window < 0)
    throw Failure(HEDDLE_INVALID_ARGUMENT, "rows and window are " + std::to_string(shape.rows) + " and " +
                                               std::to_string(shape.window) + ", expected 0 or more");
  if (shape.stride < std::min(shape.topk + shape.tile, shape.n))
    throw Failure(HEDDLE_INVALID_ARGUMENT, "lists of " + std::to_string(shape.stride) + " keys cannot hold " +
                                               std::to_string(std::min(shape.topk + shape.tile, shape.n)));
  if (!slots)
    return;
  if (shape.chunk < shape.tile || shape.chunk % shape.tile)
    throw Failure(HEDDLE_INVALID_ARGUMENT, "a chunk of " + std::to_string(shape.chunk) +
                                               " queries is not a multiple of the tile, " +
                                               std::to_string(shape.tile));
  if (shape.slotStride < std::min(shape.topk + shape.chunk, shape.n))
    throw Failure(HEDDLE_INVALID_ARGUMENT, "lists of " + std::to_string(shape.slotStride) +
                                               " slots cannot hold " +
                                               std::to_string(std::min(shape.topk + shape.chunk, shape.n)));
}

/// Walks over the tiles of one row.
class TileLists {
public:
  explicit TileLists(const Shape &shape)
      : shape(shape), keys(static_cast<size_t>(std::min(shape.topk, shape.n) + 2 * shape.tile)),
        names(keys.size()), partial(keys.size()) {}

  /// Outputs of the row. slotKeys is null for lists of keys.
  void run(const int32_t *end, int32_t *lists, int32_t *full, int32_t *total, int32_t *slotKeys,
           int32_t *slotTotal) {
    const int64_t n = shape.n, window = shape.window;
    int64_t alive = 0, joining = 0;
    int32_t *slotsOut = slotKeys;
    int32_t slotCount = 0;
    for (int64_t tile = 0; tile < shape.tiles(); ++tile) {
      const int64_t first = tile * shape.tile, last = std::min(first + shape.tile, n);
      if (slotKeys && first % shape.chunk == 0) {
        // A new chunk: what is still selected takes its first slots.
        slotsOut = slotKeys + first / shape.chunk * shape.slotStride;
        slotCount = 0;
        int64_t kept = 0;
        for (int64_t a = 0; a < alive; ++a)
          if (end[keys[a]] > first) {
            keys[kept++] = keys[a];
            slotsOut[slotCount++] = keys[a];
          }
        alive = kept;
        for (int64_t a = 0; a < alive; ++a)
          names[a] = static_cast<int32_t>(a);
      }
      int32_t *out = lists + tile * shape.stride;
      int64_t whole = 0, parts = 0, kept = 0;
      // Written always and counted only where it applies: no branches that depend on the scores.
      for (int64_t a = 0; a < alive; ++a) {
        const int32_t key = keys[a], name = names[a], until = end[key];
        const bool selected = until > first, throughout = until >= last;
        keys[kept] = key;
        names[kept] = name;
        kept += selected;
        out[whole] = name;
        whole += throughout;
        partial[parts] = name;
        parts += selected && !throughout;
      }
      for (; joining + window < last; ++joining) {
        const int32_t until = end[joining];
        if (until <= joining + window)
          continue; // never selected
        int32_t name = static_cast<int32_t>(joining);
        if (slotKeys) {
          slotsOut[slotCount] = name;
          name = slotCount++;
        }
        keys[kept] = static_cast<int32_t>(joining);
        names[kept++] = name;
        if (joining + window <= first && until >= last)
          out[whole++] = name;
        else
          partial[parts++] = name;
      }
      alive = kept;
      std::copy_n(partial.begin(), parts, out + whole);
      full[tile] = static_cast<int32_t>(whole);
      total[tile] = static_cast<int32_t>(whole + parts);
      if (slotKeys)
        slotTotal[first / shape.chunk] = slotCount;
    }
  }

private:
  const Shape shape;
  std::vector<int32_t> keys, names, partial;
};

void tileLists(Shape shape, const int32_t *end, int32_t *lists, int32_t *full, int32_t *total,
               int32_t *slotKeys, int32_t *slotTotal) {
  check(shape, slotKeys);
  if (shape.n == 0)
    return;
  shape.window = std::min(shape.window, shape.n);
  parallelChunks(shape.rows, 1, [&](int64_t begin, int64_t endRow) {
    TileLists walker(shape);
    for (int64_t row = begin; row < endRow; ++row) {
      const int64_t tile = row * shape.tiles();
      const int64_t chunk = slotKeys ? row * shape.chunks() : 0;
      walker.run(end + row * shape.n, lists + tile * shape.stride, full + tile, total + tile,
                 slotKeys ? slotKeys + chunk * shape.slotStride : nullptr, slotTotal + chunk);
    }
  });
}

} // namespace

heddle_status_t heddle_cpu_sparsek_tile_keys(const int32_t *end, int64_t rows, int64_t n, int64_t topk,
                                             int64_t window, int64_t tile, int64_t stride, int32_t *keys,
                                             int32_t *full, int32_t *total) {
  return guard([&] {
    tileLists({rows, n, topk, window, tile, stride, tile, 0}, end, keys, full, total, nullptr, nullptr);
  });
}

heddle_status_t heddle_cpu_sparsek_tile_slots(const int32_t *end, int64_t rows, int64_t n, int64_t topk,
                                              int64_t window, int64_t tile, int64_t stride, int64_t chunk,
                                              int64_t slotStride, int32_t *slots, int32_t *full,
                                              int32_t *total, int32_t *slotKeys, int32_t *slotTotal) {
  return guard([&] {
    requirePointer(slotKeys, "the list of slots");
    tileLists({rows, n, topk, window, tile, stride, chunk, slotStride}, end, slots, full, total, slotKeys,
              slotTotal);
  });
}
