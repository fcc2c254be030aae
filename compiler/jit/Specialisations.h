//===- Specialisations.h - What the kinds of specialisations share --------===//
#pragma once

#include "compiler/jit/CompiledEntry.h"
#include "compiler/jit/Engine.h"
#include "compiler/jit/Excerpts.h"
#include "compiler/jit/Specialise.h"
#include "compiler/jit/Target.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

namespace heddle::jit {

/// The context and the module, from which the types of the leaves are read, and the source lines that
/// messages show.
class SpecialisationBase : public Specialisation {
public:
  Started start(std::vector<Tensor> arguments) final;
  std::vector<StepTime> profile(const std::vector<Tensor> &arguments, int64_t calls,
                                const std::vector<StepGroup> &groups) final;

protected:
  SpecialisationBase(const frontend::Program &program, std::unique_ptr<mlir::MLIRContext> context,
                     mlir::OwningOpRef<mlir::ModuleOp> module, const std::string &entry);

  virtual Started evaluate(std::vector<Tensor> arguments) = 0;
  /// Nothing, but on a GPU.
  virtual std::vector<StepTime> measure(const std::vector<Tensor> &arguments, int64_t calls,
                                        const std::vector<StepGroup> &groups);

  /// The code of the entry from the cache, or what `compile` makes of the module, which is then kept. From
  /// here on only machine code is needed: the module is gone. `settings` are the options that `compile`
  /// depends on.
  CompiledEntry obtain(const std::string &entry, const CpuTarget &host, const std::string &settings,
                       llvm::function_ref<CompiledEntry()> compile);
  /// From the lowered entry: the size of the arena, and the donors.
  CompiledEntry plan(const std::string &entry);
  /// The host's code of a module that is lowered, and has no device code.
  std::vector<std::string> compileHost(const CpuTarget &host);
  /// A place for each result, donated or new.
  std::vector<Tensor> makeResults(const std::vector<Tensor> &arguments, Device device) const;

  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<int64_t> donors;
  Excerpts excerpts;
};

/// A tensor as the runtime knows it; `name` is a string, or null.
LeafType leafType(mlir::Type type, mlir::Attribute name);

/// Machine code in this process. Throws Error.
std::unique_ptr<Executable> link(const CompiledEntry &code, const std::string &entry);

/// The options that code depends on, beside the processor, as part of a key.
std::string settingsOf(const FunctionOptions &options);

/// What went wrong while `what` was allocated, in terms of the program.
Error allocationError(const Error &error, const std::string &what);

/// The processor that code for this machine is asked for. Throws Error where this machine cannot run such
/// code.
CpuTarget runnableTarget(const std::string &name);

} // namespace heddle::jit
