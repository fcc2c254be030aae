//===- PTX.cpp - LLVM IR and PTX of device kernels ------------------------===//

#include "compiler/conversion/GPUToPTX/GPUToPTX.h"

#include "mlir/Conversion/NVVMToLLVM/NVVMToLLVM.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Operator.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

using namespace heddle::gpu;

extern "C" void LLVMInitializeNVPTXTarget();
extern "C" void LLVMInitializeNVPTXTargetInfo();
extern "C" void LLVMInitializeNVPTXTargetMC();
extern "C" void LLVMInitializeNVPTXAsmPrinter();

namespace {

struct DeviceModule {
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> module;
  std::unique_ptr<llvm::TargetMachine> machine;
};

} // namespace

static llvm::Expected<std::unique_ptr<llvm::TargetMachine>> targetMachine(const Chip &chip) {
  static const bool initialised = [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    return true;
  }();
  (void)initialised;
  const llvm::Triple triple("nvptx64-nvidia-cuda");
  std::string error;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return llvm::createStringError(error);
  llvm::TargetOptions options;
  // Where an instruction says so (allowContraction); the assembler then contracts nothing by itself.
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(triple, chip.name, chip.version,
                                                                          options, std::nullopt, std::nullopt,
                                                                          llvm::CodeGenOptLevel::Aggressive));
}

/// As on the CPU, products and sums of kernels may be contracted, nothing else of IEEE arithmetic is relaxed.
/// The functions of libclc that they call stay as they are: their error terms would be lost.
static void allowContraction(llvm::Module &module) {
  for (llvm::Function &function : module)
    if (function.getCallingConv() == llvm::CallingConv::PTX_Kernel)
      for (llvm::Instruction &instruction : llvm::instructions(function))
        if (llvm::isa<llvm::FPMathOperator>(instruction))
          instruction.setHasAllowContract(true);
}

static llvm::Expected<DeviceModule> translate(mlir::gpu::GPUModuleOp source, const Chip &chip) {
  DeviceModule result;
  auto machine = targetMachine(chip);
  if (!machine)
    return machine.takeError();
  result.machine = std::move(*machine);
  // Operations without an LLVM intrinsic (arrivals at barriers, warpgroup products) become assembly: not
  // before here, since the emulator wants them as operations.
  mlir::OwningOpRef<mlir::ModuleOp> copy = mlir::ModuleOp::create(source.getLoc());
  copy->getBody()->push_back(source->clone());
  mlir::PassManager manager(source.getContext());
  manager.addNestedPass<mlir::gpu::GPUModuleOp>(mlir::createConvertNVVMToLLVMPass());
  if (failed(manager.run(*copy)))
    return llvm::createStringError("conversion of NVVM operations to assembly failed");
  result.context = std::make_unique<llvm::LLVMContext>();
  result.module = mlir::translateModuleToLLVMIR(&copy->getBody()->front(), *result.context, "heddle_kernels");
  if (!result.module)
    return llvm::createStringError("translation of device code to LLVM IR failed");
  allowContraction(*result.module);
  result.module->setDataLayout(result.machine->createDataLayout());
  result.module->setTargetTriple(result.machine->getTargetTriple());

  llvm::PassBuilder builder(result.machine.get());
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager calls;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(calls);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, calls, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3).run(*result.module, modules);
  return result;
}

llvm::Expected<std::string> heddle::gpu::emitDeviceIR(mlir::gpu::GPUModuleOp source, const Chip &chip) {
  auto device = translate(source, chip);
  if (!device)
    return device.takeError();
  std::string text;
  llvm::raw_string_ostream stream(text);
  device->module->print(stream, nullptr);
  return text;
}

llvm::Expected<std::string> heddle::gpu::emitPTX(mlir::gpu::GPUModuleOp source, const Chip &chip) {
  auto device = translate(source, chip);
  if (!device)
    return device.takeError();
  llvm::SmallString<0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager manager;
  if (device->machine->addPassesToEmitFile(manager, stream, nullptr, llvm::CodeGenFileType::AssemblyFile))
    return llvm::createStringError("LLVM cannot write PTX");
  manager.run(*device->module);
  return text.str().str();
}
