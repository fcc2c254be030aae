//===- HeddleRuntimeOps.cpp - Rules of kernel launches --------------------===//

#include "dialects/heddle/IR/Heddle.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace heddle::ir;

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (getGrain() < 1)
    return emitOpError("grain ") << getGrain() << " is less than 1";
  Operation *kernel = symbols.lookupNearestSymbolFrom(*this, getKernelAttr());
  // While a module is lowered its kernels become LLVM functions before the launches do.
  if (isa_and_nonnull<LLVM::LLVMFuncOp>(kernel))
    return success();
  auto function = dyn_cast_or_null<func::FuncOp>(kernel);
  if (!function)
    return emitOpError("kernel ") << getKernelAttr() << " is not a function";
  SmallVector<Type> expected(2, IndexType::get(getContext()));
  llvm::append_range(expected, getArguments().getTypes());
  if (function.getNumResults() || !llvm::equal(function.getArgumentTypes(), expected)) {
    InFlightDiagnostic error = emitOpError("does not fit the kernel's type ") << function.getFunctionType();
    error.attachNote(function.getLoc()) << "kernel " << getKernelAttr() << " is defined here";
    return error;
  }
  return success();
}
