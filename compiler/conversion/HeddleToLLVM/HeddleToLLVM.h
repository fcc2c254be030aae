//===- HeddleToLLVM.h - The last step before LLVM IR ------------*- C++ -*-===//
#pragma once

#include "mlir/Pass/Pass.h"

namespace mlir {
class OpPassManager;
}

namespace heddle::cpu {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "compiler/conversion/HeddleToLLVM/Passes.h.inc"

/// From scf, vector, memref, arith, math, func, heddle.launch and heddle.runtime_call to the LLVM dialect,
/// with memrefs passed as bare pointers.
void buildLLVMPipeline(mlir::OpPassManager &manager);

} // namespace heddle::cpu
