//===- Emulate.h - Device kernels for the emulated device -------*- C++ -*-===//
#pragma once

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace heddle::gpu {

/// A kernel of the emulated device.
struct EmulatedKernel {
  std::string name;
  std::string function; ///< of the new module, void(void **arguments)
  llvm::SmallVector<int32_t> argumentBytes;
  int32_t blockThreads = 0; ///< 0: any number
};

/// Makes ordinary functions of the kernels in a module that the kernel pipeline has lowered: special
/// registers, barriers, warp and matrix operations become calls of the functions of EmulatedDevice.h. The
/// result is a module of the LLVM dialect, or null after an error that names what cannot be emulated.
mlir::OwningOpRef<mlir::ModuleOp> emulateKernels(mlir::gpu::GPUModuleOp lowered,
                                                 llvm::SmallVectorImpl<EmulatedKernel> &kernels);

} // namespace heddle::gpu
