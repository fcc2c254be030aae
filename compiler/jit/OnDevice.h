//===- OnDevice.h - A function specialised for a GPU ------------*- C++ -*-===//
#pragma once

#include "compiler/jit/Specialise.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"

namespace heddle::jit {

/// Compiles an elaborated module for the GPU of the options. Throws Error.
std::unique_ptr<Specialisation> specialiseOnDevice(const frontend::Program &program,
                                                   std::unique_ptr<mlir::MLIRContext> context,
                                                   mlir::OwningOpRef<mlir::ModuleOp> module,
                                                   const std::string &entry, const FunctionOptions &options);

} // namespace heddle::jit
