// Compiles one planned product for this machine, for tests and benchmarks.
#pragma once

#include "compiler/conversion/Matmul/Matmul.h"
#include "compiler/jit/Target.h"
#include <functional>
#include <memory>
#include <string>

namespace heddle::bench {

/// What to keep of a compilation besides the code.
struct CompileOptions {
  jit::CpuTarget target;
  bool keepText = false; ///< keep the MLIR, the LLVM IR and the assembly
};

/// A product in executable form.
class CompiledMatmul {
public:
  /// Throws std::runtime_error when a stage refuses the module.
  CompiledMatmul(const cpu::MatmulSpec &spec, const cpu::MatmulTarget &target, int64_t threadsHint = 0,
                 const CompileOptions &options = {});
  /// The same for a plan that the caller changed.
  explicit CompiledMatmul(const cpu::MatmulPlan &plan, const CompileOptions &options = {});
  ~CompiledMatmul();
  CompiledMatmul(CompiledMatmul &&) noexcept;

  /// Runs all phases over buffers of the specification's layout, through the runtime's parallel loop.
  void run(const void *a, const void *b, void *c) const;
  /// The same, but tasks are run on this thread in chunks of `chunk`, from the last to the first.
  void runBackwards(const void *a, const void *b, void *c, int64_t chunk) const;

  const cpu::MatmulPlan &plan() const;
  const std::string &mlir() const;
  const std::string &llvmIr() const;
  const std::string &assembly() const;
  double emitMilliseconds() const;    ///< building and lowering the module
  double compileMilliseconds() const; ///< LLVM's passes and code generation

private:
  struct Implementation;
  std::unique_ptr<Implementation> impl;
};

/// Compiles a loop of independent multiply-adds and returns a function that runs it and returns its FLOPs.
std::function<double()> compilePeak(const cpu::MatmulTarget &target, cpu::MatmulElement element);

} // namespace heddle::bench
