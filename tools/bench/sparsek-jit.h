// Compiles one SPARSEK attention for this machine, for tests and benchmarks.
#pragma once

#include "compiler/conversion/SparseKToCPU/Attention.h"
#include <array>
#include <memory>
#include <string>

namespace heddle::bench {

/// The buffers of a call, by argument; the workspace is the program's own.
struct AttentionBuffers {
  std::array<void *, 16> pointers{};
  void *&operator[](cpu::AttentionArgument argument) { return pointers[static_cast<size_t>(argument)]; }
  void *operator[](cpu::AttentionArgument argument) const { return pointers[static_cast<size_t>(argument)]; }
};

/// Attention's forward or backward pass in executable form.
class CompiledAttention {
public:
  enum class Pass { Forward, Backward };
  /// `processor` is LLVM's name; empty: this machine. Throws std::runtime_error when a stage refuses the module.
  CompiledAttention(Pass pass, const cpu::AttentionSpec &spec, const cpu::MatmulTarget &target,
                    const std::string &processor = "", bool keepAssembly = false);
  ~CompiledAttention();
  CompiledAttention(CompiledAttention &&) noexcept;

  /// Runs all steps. Kernels run through the runtime's parallel loop; with `backwards`, their tasks run one by one on
  /// this thread from the last to the first, to show that the order does not matter.
  void run(const AttentionBuffers &buffers, bool backwards = false) const;

  const cpu::AttentionProgram &program() const;
  double compileMilliseconds() const;
  const std::string &assembly() const;

private:
  struct Implementation;
  std::unique_ptr<Implementation> impl;
};

} // namespace heddle::bench
