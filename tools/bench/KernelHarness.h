// Compiles modules of kernels for this machine, for tests and benchmarks of one lowering at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace mlir {
class MLIRContext;
class ModuleOp;
} // namespace mlir

namespace heddle::bench {

/// A module of kernels func.func @kernel(%begin: index, %end: index, %operands...: memref<...>) on its way to machine
/// code. Fill `module`, call `compile` once, then ask for kernels. Everything throws std::runtime_error on failure.
class KernelHarness {
public:
  KernelHarness();
  ~KernelHarness();
  KernelHarness(KernelHarness &&) noexcept;

  mlir::MLIRContext &context();
  mlir::ModuleOp module();

  /// Lowers and compiles. `cpu` is LLVM's name of a processor; empty: this machine.
  void compile(const std::string &cpu = "");

  /// A kernel as heddle_parallel_for takes it: `args` points to an array of its buffers' pointers, and
  /// of integers of the same size.
  using Kernel = void (*)(void *args, int64_t begin, int64_t end);
  Kernel kernel(const std::string &name);

  double lowerMilliseconds() const;   ///< MLIR to LLVM IR
  double compileMilliseconds() const; ///< LLVM's passes and code generation
  /// The assembly of the last compile, if it was asked for by `keepAssembly` before.
  bool keepAssembly = false;
  const std::string &assembly() const;

private:
  struct Implementation;
  std::unique_ptr<Implementation> impl;
};

} // namespace heddle::bench
