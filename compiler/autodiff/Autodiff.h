//===- Autodiff.h - Differentiation as passes -------------------*- C++ -*-===//

#ifndef HEDDLE_COMPILER_AUTODIFF_AUTODIFF_H
#define HEDDLE_COMPILER_AUTODIFF_AUTODIFF_H

#include "dialects/heddle/IR/Heddle.h"
#include "dialects/sparsek/IR/SparseK.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace heddle::autodiff {

/// Attaches the derivatives of the heddle and sparsek operations when those dialects are loaded.
void registerModels(mlir::DialectRegistry &registry);

#define GEN_PASS_DECL
#include "compiler/autodiff/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "compiler/autodiff/Passes.h.inc"

} // namespace heddle::autodiff

#endif // HEDDLE_COMPILER_AUTODIFF_AUTODIFF_H
