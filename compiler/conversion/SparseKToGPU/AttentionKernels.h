// The passes of attention, each a few kernels of one program. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/ProgramBuilder.h"

namespace heddle::gpu::attention {

/// The type of q, k and v.
mlir::Type elementType(mlir::OpBuilder &b, const AttentionSpec &spec);

void emitForward(ProgramBuilder &builder, const AttentionSpec &spec, const Target &target);
void emitBackward(ProgramBuilder &builder, const AttentionSpec &spec, const Target &target);
void emitTangent(ProgramBuilder &builder, const AttentionSpec &spec, const Target &target);

} // namespace heddle::gpu::attention
