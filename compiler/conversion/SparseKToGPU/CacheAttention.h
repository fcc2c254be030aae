// Attention of one token over a cache: topk + window keys for each head, split over blocks of threads.
// Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/Steps.h"
#include "dialects/sparsek/IR/SparseK.h"

namespace heddle::gpu {

class CacheAttention {
public:
  /// Emits the kernels into the builder's module. They read the cache from the buffers of the operation's
  /// results.
  CacheAttention(StepBuilder &builder, sparsek::AppendOp op);

  /// Adds the steps that write o of the tokens number `token` of all rows, padding counted; 0 where it is
  /// padding. The cache holds the token by now, its thresholds are those of the token, and `position` is
  /// still that before the operation's tokens; those of the last token advance it.
  void attend(int64_t token);
  /// Whether there are such steps.
  bool advances() const { return !steps.empty(); }

private:
  StepBuilder &builder;
  const int64_t tokens;
  llvm::SmallVector<DeviceStep, 2> steps; ///< their last operand is the token
};

/// Adds to the position of a row of a batch what is appended to it.
void advancePosition(KernelCode &k, int64_t tokens, Pointer lengths, Pointer positions, Scalar row);

} // namespace heddle::gpu
