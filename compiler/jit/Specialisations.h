//===- Specialisations.h - What the kinds of specialisations share --------===//
#pragma once

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

protected:
  SpecialisationBase(const frontend::Program &program, std::unique_ptr<mlir::MLIRContext> context,
                     mlir::OwningOpRef<mlir::ModuleOp> module, const std::string &entry);

  virtual Started evaluate(std::vector<Tensor> arguments) = 0;

  /// From the lowered entry: the size of the arena, and for each result the argument whose memory it takes,
  /// or -1.
  void readPlan(const std::string &entry);
  /// A place for each result, donated or new.
  std::vector<Tensor> makeResults(const std::vector<Tensor> &arguments, Device device) const;

  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<int64_t> donors;
  Excerpts excerpts;
};

/// What went wrong while `what` was allocated, in terms of the program.
Error allocationError(const Error &error, const std::string &what);

/// The processor that code for this machine is asked for. Throws Error where this machine cannot run such
/// code.
CpuTarget runnableTarget(const std::string &name);

} // namespace heddle::jit
