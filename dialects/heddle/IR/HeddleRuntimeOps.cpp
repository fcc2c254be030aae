//===- HeddleRuntimeOps.cpp - Rules of kernel launches --------------------===//

#include "dialects/heddle/IR/Heddle.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
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

LogicalResult LaunchDeviceOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (getBlock() < 1 || getBlock() > 1024)
    return emitOpError("a block of ") << getBlock() << " threads is not between 1 and 1024";
  if (const int64_t shared = getSharedAttr().getInt(); shared < 0)
    return emitOpError("shared memory of ") << shared << " bytes";
  if (getKernelAttr().getNestedReferences().size() != 1)
    return emitOpError("kernel ") << getKernelAttr() << " is not named as @module::@kernel";
  // The device's code is compiled before the host's: its kernels become LLVM functions, and are taken out.
  if (!symbols.lookupNearestSymbolFrom(*this, getKernelAttr().getRootReference()))
    return success();
  Operation *symbol = symbols.lookupNearestSymbolFrom(*this, getKernelAttr());
  if (isa_and_nonnull<LLVM::LLVMFuncOp>(symbol))
    return success();
  auto kernel = dyn_cast_or_null<gpu::GPUFuncOp>(symbol);
  if (!kernel || !kernel.isKernel())
    return emitOpError("kernel ") << getKernelAttr() << " is not a kernel of a gpu.module";
  SmallVector<Type> expected(kernel.getArgumentTypes());
  if (kernel->hasAttr("heddle.can_fail") && !expected.empty())
    expected.pop_back();
  auto fits = [](Type type, Type parameter) {
    auto memref = dyn_cast<MemRefType>(type);
    if (!memref)
      return type == parameter;
    auto global = dyn_cast<MemRefType>(parameter);
    return isa<LLVM::LLVMPointerType>(parameter) || (global && global.getShape() == memref.getShape() &&
                                                     global.getElementType() == memref.getElementType());
  };
  bool agree = expected.size() == getArguments().size();
  for (auto [argument, parameter] : llvm::zip(getArguments(), expected))
    agree &= fits(argument.getType(), parameter);
  if (!agree) {
    InFlightDiagnostic error = emitOpError("does not fit the kernel's type ") << kernel.getFunctionType();
    error.attachNote(kernel.getLoc()) << "kernel " << getKernelAttr() << " is defined here";
    return error;
  }
  return success();
}
