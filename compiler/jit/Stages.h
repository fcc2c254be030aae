//===- Stages.h - A program at any stage of compilation ---------*- C++ -*-===//
#pragma once

#include "compiler/frontend/Frontend.h"
#include "compiler/pipelines/Pipelines.h"

#include <memory>
#include <string>

namespace heddle::jit {

/// A module and the context that owns its types. The module goes first.
struct OwnedModule {
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

/// Emits an entry for concrete shapes: the stage `heddle`. Throws Error with the diagnostics.
OwnedModule elaborate(const frontend::Program &program, const std::string &entry,
                      const frontend::EntryArguments &arguments);

/// Runs the passes from the stage `heddle` up to `last`. Throws Error with what they reported.
void runPipeline(mlir::ModuleOp module, pipelines::Stage last, const pipelines::PipelineOptions &options);

/// The text of an entry at a stage from `heddle` on; for `obj` the bytes of the object file.
std::string emitStage(const frontend::Program &program, const std::string &entry,
                      const frontend::EntryArguments &arguments, pipelines::Stage stage,
                      const pipelines::PipelineOptions &options);

} // namespace heddle::jit
