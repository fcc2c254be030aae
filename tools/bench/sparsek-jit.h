// Compiles one SPARSEK attention for this machine, for tests and benchmarks.
#pragma once

#include "compiler/conversion/SparseKToCPU/Attention.h"
#include "compiler/jit/Target.h"
#include <array>
#include <memory>
#include <string>

namespace heddle::bench {

/// The buffers of a call, by argument; the workspace is the program's own.
struct AttentionBuffers {
  std::array<void *, static_cast<size_t>(cpu::AttentionArgument::Workspace)> pointers{};
  void *&operator[](cpu::AttentionArgument argument) { return pointers[static_cast<size_t>(argument)]; }
  void *operator[](cpu::AttentionArgument argument) const { return pointers[static_cast<size_t>(argument)]; }
};

struct AttentionOptions {
  jit::CpuTarget target;
  bool keepAssembly = false;
  /// Tasks run one by one, from the last to the first, to show that their order does not matter.
  bool reversed = false;
};

/// Attention's forward, backward or tangent pass in executable form: an entry that runs the steps of its
/// program, lowered and compiled as in a program of the language.
class CompiledAttention {
public:
  enum class Pass { Forward, Backward, Tangent };
  /// Throws std::runtime_error when a stage refuses the module.
  CompiledAttention(Pass pass, const cpu::AttentionSpec &spec, const AttentionOptions &options = {});
  ~CompiledAttention();
  CompiledAttention(CompiledAttention &&) noexcept;

  /// Throws std::runtime_error when the entry reports a failure.
  void run(const AttentionBuffers &buffers) const;

  const cpu::AttentionProgram &program() const;
  double compileMilliseconds() const;
  const std::string &assembly() const;

private:
  struct Implementation;
  std::unique_ptr<Implementation> impl;
};

} // namespace heddle::bench
