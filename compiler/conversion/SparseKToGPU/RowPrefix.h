// Candidates of a row whose sorted chunks are in shared memory. Internal to this folder.
//
// A block has a row there, 4 bytes a score, and its warps solve the thresholds of prefixes. What the general
// code (ThresholdSolve.h) loads by lanes that each touch another sector comes from 32 banks here: chunks
// stand an odd number of words apart, so that equal places of different ones are in different banks.
//
// Only scores are compared: where several candidates have kappa's score, the earlier ones rank higher, and
// lists are in the order of time.
#pragma once

#include "compiler/conversion/SparseKToGPU/ChunkedThresholds.h"
#include "compiler/conversion/SparseKToGPU/Order.h"

namespace heddle::gpu::chunked {

/// Words of a chunk in shared memory.
constexpr int64_t listWords = chunkSize + 1;
constexpr int32_t leastBits = std::numeric_limits<int32_t>::min(),
                  mostBits = std::numeric_limits<int32_t>::max();

/// Where a row is.
struct RowMemory {
  Pointer scores;        ///< shared: ordered bits, list by list
  Scalar firstList;      ///< of these
  Pointer gathered;      ///< shared: the warp's, a word for each lane
  Pointer singles;       ///< shared: the warp's, a chunk of words
  Pointer keys, sums, u; ///< global
};

/// The candidates of a prefix, for a warp: parts of lists, some for each lane, and at most a chunk of single
/// keys. A place is the number of a list's keys that are below something.
class RowPrefix {
public:
  /// A prefix of at most `lists` chunks.
  RowPrefix(Chunks &c, KernelCode &k, const RowMemory &memory, const PrefixExtent &extent, int64_t lists);

protected:
  struct Part {
    Scalar exists, list;
    Scalar base;  ///< in shared memory
    Scalar begin; ///< of the sequence; the chunk's size if there is no such list
  };
  static constexpr int64_t singleKeys = chunkSize / warpSize;

  Scalar number(double x) { return k.constant(f64, x); }
  Scalar scoreOf(Scalar bits) { return k.cast(fromOrderedBits(k, bits), f64); }
  Scalar singleKey(int64_t i) { return extent.whole + lane + i * warpSize; }
  Scalar isSingle(int64_t i) {
    Scalar key = singleKey(i);
    return (key >= extent.start) & (key < extent.stop);
  }
  Scalar bitsOf(Scalar key) {
    return orderedBits(k, clampScore(k, k.load(memory.u, extent.row * c.rows.n + k.cast(key, i64))));
  }
  Scalar at(size_t part, Scalar place) { return k.load(memory.scores, parts[part].base + place); }
  Scalar count(Scalar truth) { return k.cast(truth, i32); }
  Scalar sum(Scalar x) {
    return k.warpReduce(x, [](Scalar a, Scalar b) { return a + b; });
  }
  Scalar sumUpTo(Scalar x) {
    return k.warpInclusiveScan(x, [](Scalar a, Scalar b) { return a + b; });
  }
  /// For how many lanes something holds, and how many of them are before this one.
  struct Held {
    Scalar all, before;
  };
  Held held(Scalar holds) {
    Scalar mask = k.ballot(holds);
    return {k.countOnes(mask), k.countOnes(mask & ((k.i32(1) << lane) - 1))};
  }

  /// In each of the ranges, of the parts again and again, the first place that is not below `bits`.
  Scalars firstNotBelow(llvm::ArrayRef<SearchRange> ranges, llvm::function_ref<Scalar(size_t)> bits);
  /// The bits of a single key, the least ones where there is none. Few prefixes have any, so none are kept in
  /// registers.
  Scalar single(int64_t i) { return k.load(memory.singles, lane + i * warpSize); }
  /// Sums over the single keys, where there are any.
  Scalars ofSingles(size_t values, mlir::Type type, llvm::function_ref<Scalars(Scalar bits)> body);
  /// The order of a key by its chunk and place.
  Scalar orderOf(Scalar place) {
    return k.load(memory.keys, extent.row * c.geometry.stride() + k.cast(place, i64));
  }

  Chunks &c;
  KernelCode &k;
  const RowMemory &memory;
  const PrefixExtent extent;
  const int64_t topk, fraction;
  mlir::Type i32, i64, f64;
  Scalar lane, hasSingles;
  llvm::SmallVector<Part, 4> parts;
};

/// The topk-th largest candidate.
struct RowKappa {
  Scalar order, bits, next; ///< next: bits of the candidate below
  Scalars places;           ///< in the parts, of the first key that has kappa's score
};
RowKappa findKappa(const RowPrefix &prefix);

} // namespace heddle::gpu::chunked
