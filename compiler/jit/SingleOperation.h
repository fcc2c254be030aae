//===- SingleOperation.h - One operation as a program of its own -*- C++ -*-===//
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>

namespace heddle::jit {

/// The name of the one function of the modules made here.
inline constexpr const char *singleOperationName = "alone";

/// A function of an operation's operands that gives its results.
mlir::OwningOpRef<mlir::ModuleOp> aloneInModule(mlir::Operation *op);

/// A function of an i64, the seed, that gives operands for it: normal numbers, and what selection makes of
/// them where the operation depends on it. The stage is `heddle`.
mlir::OwningOpRef<mlir::ModuleOp> operandsOf(mlir::Operation *op);

/// For people: its name and the types of its first operands.
std::string describeOperation(mlir::Operation *op);

} // namespace heddle::jit
