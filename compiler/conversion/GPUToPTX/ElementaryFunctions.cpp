//===- ElementaryFunctions.cpp - f64 functions of device kernels ----------===//
//
// What MathExpansion leaves on f64 becomes calls of libclc's functions, whose code is part of this program as
// bitcode without a target. It is imported into the gpu.module, so that PTX and the emulator get the same.
//
//===----------------------------------------------------------------------===//

#include "compiler/conversion/GPUToPTX/ElementaryFunctions.h"
#include "compiler/conversion/GPUToPTX/LibclcBitcode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/DLTI/DLTI.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMIRToLLVMTranslation.h"
#include "mlir/Target/LLVMIR/Import.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"

using namespace mlir;

namespace {

/// The function's name in libclc: OpenCL's overloads for double, mangled.
StringRef libraryName(Operation *op) {
  return llvm::TypeSwitch<Operation *, StringRef>(op)
      .Case([](math::Exp2Op) { return "_Z4exp2d"; })
      .Case([](math::ExpM1Op) { return "_Z5expm1d"; })
      .Case([](math::Log1pOp) { return "_Z5log1pd"; })
      .Case([](math::TanhOp) { return "_Z4tanhd"; })
      .Case([](math::ErfOp) { return "_Z3erfd"; })
      .Case([](math::SinOp) { return "_Z3sind"; })
      .Case([](math::CosOp) { return "_Z3cosd"; })
      .Case([](math::PowFOp) { return "_Z3powdd"; })
      .Default(StringRef());
}

OwningOpRef<ModuleOp> importLibrary(MLIRContext *context) {
  llvm::LLVMContext llvmContext;
  llvm::StringRef bytes(reinterpret_cast<const char *>(libclcBitcode), sizeof(libclcBitcode));
  auto module = llvm::parseBitcodeFile(llvm::MemoryBufferRef(bytes, "libclc"), llvmContext);
  if (!module) {
    emitError(UnknownLoc::get(context)) << llvm::toString(module.takeError());
    return {};
  }
  // What libclc was compiled for says nothing about the kernel's processor.
  for (llvm::Function &function : **module)
    if (!function.isDeclaration()) {
      function.setAttributes({});
      function.setDSOLocal(false);
    }
  return translateLLVMIRToModule(std::move(*module), context);
}

struct CallElementaryFunctions : PassWrapper<CallElementaryFunctions, OperationPass<mlir::gpu::GPUModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(CallElementaryFunctions)
  StringRef getName() const override { return "CallElementaryFunctions"; }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, DLTIDialect, LLVM::LLVMDialect>();
    registerLLVMDialectImport(registry);
  }

  void runOnOperation() override {
    SmallVector<Operation *> calls;
    getOperation().walk([&](Operation *op) {
      if (!libraryName(op).empty() && op->getResult(0).getType().isF64())
        calls.push_back(op);
    });
    if (calls.empty())
      return;
    OwningOpRef<ModuleOp> library = importLibrary(&getContext());
    if (!library)
      return signalPassFailure();
    for (Operation *op : calls) {
      fetch(*library, libraryName(op));
      replace(op);
    }
  }

  /// Copies a symbol of the library, and what it refers to, to the end of the kernels.
  void fetch(ModuleOp library, StringRef name) {
    if (getOperation().lookupSymbol(name))
      return;
    Operation *copy = library.lookupSymbol(name)->clone();
    getOperation().getBody()->push_back(copy);
    if (auto function = dyn_cast<LLVM::LLVMFuncOp>(copy))
      function.setLinkage(LLVM::Linkage::Internal);
    if (auto global = dyn_cast<LLVM::GlobalOp>(copy)) {
      global.setLinkage(LLVM::Linkage::Internal);
      global.setVisibility_(LLVM::Visibility::Default);
    }
    copy->walk([&](Operation *op) {
      if (auto address = dyn_cast<LLVM::AddressOfOp>(op))
        fetch(library, address.getGlobalName());
      if (auto call = dyn_cast<LLVM::CallOp>(op))
        fetch(library, *call.getCallee());
    });
  }

  void replace(Operation *op) {
    ImplicitLocOpBuilder b(op->getLoc(), op);
    auto number = [&](double value) -> Value {
      return arith::ConstantOp::create(b, b.getF64FloatAttr(value));
    };
    SmallVector<Value> operands(op->getOperands());
    // libclc multiplies by a larger exponent with overflow. Beyond this bound every power is 0, 1 or
    // infinite, and every exponent is even.
    if (isa<math::PowFOp>(op))
      operands[1] = arith::MaximumFOp::create(b, arith::MinimumFOp::create(b, operands[1], number(0x1p100)),
                                              number(-0x1p100));
    Value result = LLVM::CallOp::create(b, TypeRange{b.getF64Type()}, libraryName(op), operands).getResult();
    // These lose the sign of zero.
    if (isa<math::SinOp, math::ExpM1Op, math::ErfOp>(op)) {
      Value isZero = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, operands[0], number(0));
      result = arith::SelectOp::create(b, isZero, operands[0], result);
    }
    op->getResult(0).replaceAllUsesWith(result);
    op->erase();
  }
};

} // namespace

std::unique_ptr<Pass> heddle::gpu::createCallElementaryFunctions() {
  return std::make_unique<CallElementaryFunctions>();
}
