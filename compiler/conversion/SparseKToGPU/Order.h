// Scores and elements as integers that compare as they do, and searches. Internal to this folder.
#pragma once

#include "compiler/conversion/GPU/KernelCode.h"

namespace heddle::gpu {

/// A score as the selection sees it: within the range of f32, NaN lowest, no negative zero.
Scalar clampScore(KernelCode &k, Scalar x);

/// A signed integer of as many bits that compares like the float x, which is not NaN; and back.
Scalar orderedBits(KernelCode &k, Scalar x);
Scalar fromOrderedBits(KernelCode &k, Scalar bits);

/// The least bits of an f32 above the sum a + b of two f64, or equal to it where `orEqual`. The sum is exact.
Scalar bitsFrom(KernelCode &k, Scalar a, Scalar b, bool orEqual = false);

/// Record `a` before record `b`: lexicographic, parts signed.
Scalar recordLess(KernelCode &k, llvm::ArrayRef<Scalar> a, llvm::ArrayRef<Scalar> b);

/// The first i in [begin, end) where the predicate holds, given that it stays true; `end` if there is none.
Scalar firstWhere(KernelCode &k, Scalar begin, Scalar end, llvm::function_ref<Scalar(Scalar)> holds);

/// Several such searches side by side, so that their loads wait together: the predicate is asked of what
/// `load` gives. A search that has ended loads nothing.
struct SearchRange {
  Scalar begin, end;
};
Scalars firstWhereAll(KernelCode &k, llvm::ArrayRef<SearchRange> ranges,
                      llvm::function_ref<Scalar(size_t number, Scalar at)> load,
                      llvm::function_ref<Scalar(size_t number, Scalar loaded)> holds);

/// The same without branches, so that a lane's searches load together: what the predicate loads may be read
/// at the ends of ranges too.
Scalars firstWhereTogether(KernelCode &k, llvm::ArrayRef<SearchRange> ranges,
                           llvm::function_ref<Scalar(size_t number, Scalar at)> holds);

/// The sum, the largest and the least one of an i32 over the warp.
Scalar warpSum(KernelCode &k, Scalar x);
Scalar warpLargest(KernelCode &k, Scalar x);
Scalar warpLeast(KernelCode &k, Scalar x);

/// Which bit of `bits` (equal in the warp) that is set has `number` set ones below it.
Scalar nthBit(KernelCode &k, Scalar bits, Scalar number);

/// The smallest power of two that is not below x.
int64_t powerAbove(int64_t x);

/// Sums over the block's threads up to and without this one, and over all of them. Contains barriers.
struct BlockScan {
  Scalar before, all;
};
BlockScan blockScan(KernelCode &k, Scalar x);
/// Several of them with the barriers of one.
llvm::SmallVector<BlockScan, 4> blockScans(KernelCode &k, llvm::ArrayRef<Scalar> x);

} // namespace heddle::gpu
