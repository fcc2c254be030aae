// Compiles modules of kernels for this machine, for tests and benchmarks of one lowering at a time.
#pragma once

#include "compiler/jit/Target.h"
#include <cstdint>
#include <memory>
#include <string>

namespace mlir {
class MLIRContext;
class ModuleOp;
} // namespace mlir

namespace heddle::bench {

/// A module of kernels func.func @kernel(%begin: index, %end: index, %operands...: memref<...>) on its way to
/// machine code, through the compiler's own last steps. Fill `module`, call `compile` once, then ask for
/// kernels. Everything throws std::runtime_error on failure.
class KernelHarness {
public:
  KernelHarness();
  ~KernelHarness();
  KernelHarness(KernelHarness &&) noexcept;

  mlir::MLIRContext &context();
  mlir::ModuleOp module();

  /// Lowers and compiles. With `keepText` the texts below are kept.
  void compile(const jit::CpuTarget &target = {}, bool keepText = false);

  /// A kernel as heddle_parallel_for takes it: `args` points to an array of its buffers' pointers, and
  /// of integers of the same size.
  using Kernel = void (*)(void *args, int64_t begin, int64_t end);
  Kernel kernel(const std::string &name);

  double lowerMilliseconds() const;   ///< MLIR to the LLVM dialect
  double compileMilliseconds() const; ///< LLVM's passes and code generation
  const std::string &mlir() const;    ///< the module before it was lowered
  const std::string &llvmIR() const;  ///< optimised
  const std::string &assembly() const;

private:
  struct Implementation;
  std::unique_ptr<Implementation> impl;
};

} // namespace heddle::bench
