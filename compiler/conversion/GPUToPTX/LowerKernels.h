//===- LowerKernels.h - Device kernels to the NVVM dialect ------*- C++ -*-===//
#pragma once

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace heddle::gpu {

/// Adds the passes that turn the kernels of every gpu.module of a builtin.module into functions of the LLVM
/// and NVVM dialects, for PTX and the emulator alike. Kernels keep `heddle.shared_bytes` and their block size
/// as attributes.
void buildKernelPipeline(mlir::OpPassManager &manager);

} // namespace heddle::gpu
