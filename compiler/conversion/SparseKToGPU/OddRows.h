// Rows of keys and values that hold NaN or infinities. Internal to this folder.
//
// A product of matrices multiplies all rows of a block by weights, those of pairs that are not seen by zero,
// and zero times NaN is NaN. So such rows count as zeros there, and what the queries that see them get is
// added apart.
#pragma once

#include "compiler/conversion/SparseKToGPU/ProgramBuilder.h"

namespace heddle::gpu::attention {

/// Marks in the workspace, a byte for each row; `rows` says of what.
struct OddRows {
  AttentionArgument rows = AttentionArgument::V; ///< or K
  DeviceOperand marks;
};

/// Adds the kernel that finds them among the rows of K or V. With `wanted`, a word, only `blocks` blocks of
/// threads are launched, which do nothing where it is 0.
OddRows emitOddRows(ProgramBuilder &builder, const Plan &plan, AttentionArgument rows,
                    const DeviceOperand *wanted = nullptr, int64_t blocks = 0);

} // namespace heddle::gpu::attention
