//===- Pipelines.h - The stages of compilation ------------------*- C++ -*-===//
#pragma once

#include "compiler/conversion/HeddleToCPU/HeddleToCPU.h"
#include "compiler/conversion/HeddleToGPU/HeddleToGPU.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <optional>

namespace mlir {
class DialectRegistry;
class OpPassManager;
} // namespace mlir

namespace heddle::pipelines {

/// In the order of compilation.
enum class Stage { Ast, Heddle, Grad, Fused, Lowered, LLVM, Object, PTX, Cubin };

struct StageInfo {
  Stage stage;
  llvm::StringRef name;
  llvm::StringRef description;
};

/// The one table of stages: `--emit`, its help and the tests read it.
llvm::ArrayRef<StageInfo> stages();
std::optional<Stage> stageNamed(llvm::StringRef name);

struct PipelineOptions {
  /// Replaces the fused operations of sparsek by dense ones after differentiation was asked for but before it
  /// is done.
  bool decompose = false;
  cpu::CpuOptions cpu;
  /// Code for a GPU; `cpu` is then the host that launches it.
  std::optional<gpu::GpuOptions> device;
};

/// The passes that take a module from the stage `heddle` to `last`, at most `LLVM`; for a GPU at most
/// `Lowered`, where its code is taken out (jit::compileDevice).
void buildPipeline(mlir::OpPassManager &manager, Stage last, const PipelineOptions &options);

/// The dialects, models and translations that the pipeline needs of a context.
void registerDialects(mlir::DialectRegistry &registry);

} // namespace heddle::pipelines
