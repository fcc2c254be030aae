//===- EmulatedKernels.h - Device kernels as code of this processor ------===//
#pragma once

#include "compiler/conversion/GPUToPTX/Emulate.h"
#include "compiler/conversion/GPUToPTX/EmulatedDevice.h"
#include "compiler/jit/Engine.h"

namespace heddle::jit {

/// Kernels that the emulated device of the tests can load. Its library must be open before they are compiled.
class EmulatedKernels {
public:
  /// Compiles what the kernel pipeline has lowered, to bytes for `load`. An operation that cannot be emulated
  /// is an error at its place.
  static llvm::Expected<std::string> compile(mlir::gpu::GPUModuleOp lowered);
  static llvm::Expected<std::unique_ptr<EmulatedKernels>> load(std::string_view compiled);

  /// What cuModuleLoadData takes. The object must live as long as the module that is loaded.
  const heddle_emulated_image &image() const { return header; }

private:
  llvm::SmallVector<gpu::EmulatedKernel> kernels;
  std::vector<heddle_emulated_kernel> table;
  heddle_emulated_image header = {HEDDLE_EMULATED_MAGIC, 0, nullptr};
  std::unique_ptr<Executable> code;
};

} // namespace heddle::jit
