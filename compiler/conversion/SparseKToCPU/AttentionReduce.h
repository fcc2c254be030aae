// The sum of the chunks' partial gradients. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToCPU/KeyBlocks.h"

namespace heddle::cpu::attention {

/// The kernel that adds the partial sums of dk, dv and du per key, chunk after chunk. A task is a block of
/// keys of a row of the wave.
void emitReduceKernel(AttentionCode &v, const KernelArguments &args);

} // namespace heddle::cpu::attention
