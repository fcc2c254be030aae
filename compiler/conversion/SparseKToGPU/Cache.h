// Caches of selected keys in a kernel with a block of threads for every key-value head. Internal to this
// folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/Steps.h"

#include "mlir/IR/BuiltinTypes.h"

namespace heddle::gpu {

constexpr int64_t cacheThreads = 256;
constexpr int32_t cacheOverflows = 7; ///< HEDDLE_OUT_OF_RANGE
constexpr const char *tooManyLive =
    "the cache overflows: more than {} scores of a head are above its threshold\n"
    "hint: sparsek_grow gives a cache more room, 'capacity' a new one";

struct CacheShape {
  int64_t batch = 0, heads = 0, tokens = 0, keyWidth = 0, valueWidth = 0, topk = 0, window = 0, capacity = 0;
  mlir::Type element, score;

  static CacheShape of(mlir::Value k, mlir::Value v, mlir::Value u, int64_t topk, int64_t window,
                       int64_t capacity);
  int64_t slots() const { return topk + window; }
};

/// The buffers of one head, from their beginning on; every thread has the same values.
struct CacheHead {
  Pointer tokenKeys, tokenValues, tokenScores; ///< [tokens, width]
  Pointer keys, values, score, key;            ///< [slots, width]
  Pointer live;                                ///< [capacity]
  Pointer count, hi, lo;                       ///< one element

  /// Pointers are those of all heads.
  CacheHead(KernelCode &k, const CacheShape &shape, Scalar head, llvm::ArrayRef<Pointer> pointers);

  /// The block copies the token at `token` as the key at `position` into a slot, all i32. Every element of a
  /// slot is always the same thread's.
  void store(Scalar slot, Scalar token, Scalar position) const;
  /// The key in one slot to another.
  void move(Scalar to, Scalar from) const;

private:
  void copyRow(Pointer to, Scalar toRow, Pointer from, Scalar fromRow, int64_t width) const;

  KernelCode &k;
  const CacheShape &shape;
};

/// The scores above the threshold of a head, descending, and the threshold.
struct LiveScores {
  Scalar count, hi, lo; ///< i32, and scores
};

/// Whether a clamped score is above the threshold.
Scalar isLive(KernelCode &k, const LiveScores &live, Scalar score);

/// The clamped score x, which is live, becomes a candidate, the `candidates`-th. `tooMany` is set where more
/// than the capacity would be live then; the least of them are lost.
struct JoinedScores {
  LiveScores live;
  Scalar tooMany;
};
JoinedScores joinLive(KernelCode &k, const CacheShape &shape, Pointer scores, const LiveScores &live,
                      Scalar x, Scalar candidates);

} // namespace heddle::gpu
