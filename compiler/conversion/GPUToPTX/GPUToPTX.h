//===- GPUToPTX.h - From device kernels to PTX ------------------*- C++ -*-===//
#ifndef HEDDLE_COMPILER_CONVERSION_GPUTOPTX_GPUTOPTX_H
#define HEDDLE_COMPILER_CONVERSION_GPUTOPTX_GPUTOPTX_H

#include "compiler/conversion/GPUToPTX/Chip.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

#include <map>

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace heddle::gpu {

/// What the translation of device code needs of a context.
void registerDeviceDialects(mlir::DialectRegistry &registry);

/// The PTX text of a module that `buildKernelPipeline` has lowered, optimised.
llvm::Expected<std::string> emitPTX(mlir::gpu::GPUModuleOp module, const Chip &chip);
/// The LLVM IR it is made from, optimised.
llvm::Expected<std::string> emitDeviceIR(mlir::gpu::GPUModuleOp module, const Chip &chip);

/// The machine code of PTX by the program ptxas, which is looked for in $CUDA_HOME/bin, $PATH and
/// /usr/local/cuda/bin.
llvm::Expected<std::string> assemble(llvm::StringRef ptx, const Chip &chip);
/// What a kernel takes of a processor, as ptxas tells.
struct KernelResources {
  int registers = 0;    ///< of a thread
  int spilledBytes = 0; ///< of a thread's registers, kept in memory
  /// ptxas could not let products of warpgroups run side by side (its messages C7510 and following).
  bool serialised = false;
};
/// Of every kernel of PTX, by ptxas.
llvm::Expected<std::map<std::string, KernelResources>> resources(llvm::StringRef ptx, const Chip &chip);
/// Where ptxas is, empty if it is nowhere.
std::string findAssembler();
/// The version of CUDA that it belongs to: 13000 for 13.0; 0 if it is nowhere.
int assemblerVersion();

/// Makes `heddle-gpu-to-nvvm` and `heddle-print-ptx` known to command lines.
void registerGPUToPTXPasses();

} // namespace heddle::gpu

#endif // HEDDLE_COMPILER_CONVERSION_GPUTOPTX_GPUTOPTX_H
