// Sorted lists of the keys of a row, with running sums of their scores. Internal to this folder.
//
// Level 0 has a list for every chunk of 256 positions. Long rows have further levels, each with a list for
// eight of the level below, so that a prefix consists of few lists. Lists are ascending, by sequence first,
// so that the part of a sequence in a list is known without a search. Sums are integers, hence exact in any
// order: scores in units of 2^-fraction, modulo 2^64, which is enough for differences over keys that lie
// within 1 of each other.
#pragma once

#include "compiler/conversion/SparseKToGPU/Threshold.h"

namespace heddle::gpu {

/// Positions of a chunk, and of a list of level 0.
constexpr int64_t chunkSize = 256;

struct ListGeometry {
  ScoreRows rows;
  int64_t levels = 1;
  int64_t mostLists = 0; ///< of a prefix
  int64_t fraction = 0;  ///< bits

  /// With at most `laneLists` lists of a prefix for each lane of a warp, if possible.
  ListGeometry(const ScoreRows &rows, int64_t laneLists);
  static constexpr int64_t growth = 8;
  int64_t listSize(int64_t level) const;
  int64_t tiles() const { return rows.tiles(); }         ///< of 256 positions, in a row of a level
  int64_t stride() const { return tiles() * chunkSize; } ///< of the rows of a level
};

struct ScoreLists {
  DeviceOperand keys;  ///< [levels, rows, stride] i64: orders
  DeviceOperand sums;  ///< [levels, rows, stride] i64: within a tile of 256
  DeviceOperand tiles; ///< [levels, rows, tiles] i64: of the tiles before, in the row; 0 in level 0
};

/// Adds the kernels that sort and sum. The first one also sets what holds where there are no more than topk
/// candidates, and `crowded`.
ScoreLists emitScoreLists(StepBuilder &steps, const ThresholdBuffers &buffers, const ListGeometry &geometry);

/// A score in fixed point.
Scalar fixedPoint(KernelCode &k, Scalar score, int64_t fraction);
Scalar fromFixedPoint(KernelCode &k, Scalar sum, int64_t fraction); ///< f64

/// A list in a kernel, or the part of a sequence in it: [begin, end) of the keys from `base` on.
struct ListPart {
  Scalar base;       ///< i64, from the beginning of all
  Scalar tile;       ///< i64: the list's first tile
  Scalar begin, end; ///< i32
};

/// The lists in a kernel.
class ListCode {
public:
  ListCode(KernelCode &k, const ListGeometry &geometry, Pointer keys, Pointer sums, Pointer tiles)
      : k(k), geometry(geometry), keys(keys), sums(sums), tiles(tiles) {}

  /// Part `number` of the prefix [start, stop) of a row; stop is a multiple of the chunk. Empty beyond the
  /// last one.
  ListPart part(Scalar number, Scalar row, Scalar start, Scalar stop);
  Scalar key(const ListPart &list, Scalar at) { return k.load(keys, list.base + k.cast(at, k.i64Type())); }
  /// The sum of the list's first `at` scores and of all before it, in fixed point.
  Scalar sumBefore(const ListPart &list, Scalar at);

  KernelCode &k;
  const ListGeometry &geometry;

private:
  Pointer keys, sums, tiles;
};

} // namespace heddle::gpu
