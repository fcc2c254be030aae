// Sorted lists of the keys of a row, with running sums of their scores. Internal to this folder.
//
// Level 0 has a list for every chunk of 256 positions. Long rows have further levels, each with a list for
// eight of the level below where there are as many, so that a prefix consists of few lists. Lists are
// ascending, by sequence first, so that the part of a sequence in a list is known without a search. Sums are
// integers, hence exact in any order: scores in units of 2^-fraction, modulo 2^64, which is enough for
// differences over keys that lie within 1 of each other.
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

  /// With few lists of a prefix, as far as shared memory is enough to merge the longest ones.
  ListGeometry(const ScoreRows &rows, const ThresholdTuning &tuning);
  static constexpr int64_t growth = 8;
  int64_t listSize(int64_t level) const;
  int64_t tiles() const { return rows.tiles(); }         ///< of 256 positions, in a row of a level
  int64_t stride() const { return tiles() * chunkSize; } ///< of the rows of a level
};

struct ScoreLists {
  DeviceOperand keys; ///< [levels, rows, stride] i64: orders
  DeviceOperand sums; ///< [levels, rows, stride] i64: of a list up to and with each key
};

/// Adds the kernels that sort and sum. The first one also sets what holds where there are no more than topk
/// candidates, and `crowded`.
ScoreLists emitScoreLists(StepBuilder &steps, const ThresholdBuffers &buffers, const ListGeometry &geometry);

/// Adds the kernel of the lists of a level above 0, those of the level below are made.
void emitMergedLists(StepBuilder &steps, const ListGeometry &geometry, const ScoreLists &lists,
                     DeviceOperand bounds, int64_t level);
/// What a block of that kernel takes of shared memory.
int64_t mergedListBytes(const ListGeometry &geometry, int64_t level);

/// Where a sorted key is in shared memory. Threads have 8 or 16 adjacent ones, which would be the same banks.
inline int64_t placeOfKey(int64_t at) { return at + at / 16; }
inline Scalar placeOfKey(Scalar at) { return at + (at >> 4); }

/// A score in fixed point.
Scalar fixedPoint(KernelCode &k, Scalar score, int64_t fraction);
Scalar fromFixedPoint(KernelCode &k, Scalar sum, int64_t fraction); ///< f64

/// A list in a kernel, or the part of a sequence in it: [begin, end) of the keys from `base` on.
struct ListPart {
  Scalar base;       ///< i64, from the beginning of all
  Scalar begin, end; ///< i32
};

/// The lists in a kernel.
class ListCode {
public:
  ListCode(KernelCode &k, const ListGeometry &geometry, Pointer keys, Pointer sums)
      : k(k), geometry(geometry), keys(keys), sums(sums) {}

  /// Part `number` of the prefix [start, stop) of a row; stop is a multiple of the chunk. Empty beyond the
  /// last one.
  ListPart part(Scalar number, Scalar row, Scalar start, Scalar stop);
  Scalar key(const ListPart &list, Scalar at) { return k.load(keys, list.base + k.cast(at, k.i64Type())); }
  /// The sum of the list's first `at` scores, in fixed point.
  Scalar sumBefore(const ListPart &list, Scalar at);

  KernelCode &k;
  const ListGeometry &geometry;

private:
  Pointer keys, sums;
};

} // namespace heddle::gpu
