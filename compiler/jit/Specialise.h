//===- Specialise.h - One function for one set of shapes --------*- C++ -*-===//
#pragma once

#include "compiler/frontend/Frontend.h"

#include <heddle/heddle.hpp>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace heddle::jit {

/// A tensor of a flattened argument or result.
struct LeafType {
  std::string name; ///< `p.layers.wq` for arguments; `out`, `out.1.w` for results
  DType dtype;
  Shape shape;

  std::string str() const { return typeText(dtype, shape); }
};

/// A run that goes on by itself, on a GPU.
class Run {
public:
  virtual ~Run() = default;
  /// Throws Error for what failed.
  virtual void wait() = 0;
  virtual bool done() = 0;
};

/// A run that was started.
struct Started {
  std::vector<Tensor> results;
  std::unique_ptr<Run> run; ///< null where it is finished
};

/// Steps that are timed together where they are adjacent: heddle_cuda_group_t.
struct StepGroup {
  std::string name, expression;
};

/// What the steps of one name, such as the launches of a kernel, take on a GPU: heddle_cuda_step_time_t.
struct StepTime {
  std::string name;
  int64_t launches;
  double launchMicroseconds, callMicroseconds;
};

/// A function made ready to run for given argument shapes.
class Specialisation {
public:
  virtual ~Specialisation() = default;

  /// Elaborates, differentiates, lowers and compiles. `donated` tells for each leaf of the arguments whether
  /// results may be made in its memory. Throws Error with the diagnostics.
  static std::unique_ptr<Specialisation> create(const frontend::Program &program, const std::string &entry,
                                                const frontend::EntryArguments &arguments,
                                                const FunctionOptions &options,
                                                const std::vector<bool> &donated = {});

  /// Runs on tensors of the types of `inputs`. Those that are not donated are not changed. Throws Error for
  /// what fails at run time. Not to be called from two threads at once: the working memory is shared.
  std::vector<Tensor> run(std::vector<Tensor> inputs);

  /// The same without waiting where the run can go on by itself. The specialisation must outlive the run.
  virtual Started start(std::vector<Tensor> inputs) = 0;

  /// Where the time of a call on a GPU goes, what takes most first: medians of `calls` calls, and nothing for
  /// a function that runs elsewhere. Each begins with these arguments, of which none is changed, donated or
  /// not. Throws Error.
  virtual std::vector<StepTime> profile(const std::vector<Tensor> &arguments, int64_t calls,
                                        const std::vector<StepGroup> &groups) = 0;

  std::vector<LeafType> inputs, outputs;
  double compileSeconds = 0;
  bool fromCache = false; ///< compiled by an earlier process
  /// With FunctionOptions::tune: what was measured, a line for each operation.
  std::vector<std::string> tuned;
  int64_t arenaBytes = 0;
};

/// The element type that tensors have for one of the language's, and back.
DType dtypeOf(frontend::ElementType element);
frontend::ElementType elementOf(DType dtype);

} // namespace heddle::jit
