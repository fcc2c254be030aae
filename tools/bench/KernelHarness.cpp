#include "tools/bench/KernelHarness.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVMPass.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVMPass.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include <chrono>
#include <stdexcept>

using namespace mlir;

namespace heddle::bench {
namespace {

double milliseconds() {
  auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(now).count();
}

template <typename T>
T expect(llvm::Expected<T> value) {
  if (!value)
    throw std::runtime_error(llvm::toString(value.takeError()));
  return std::move(*value);
}

void expect(llvm::Error error) {
  if (error)
    throw std::runtime_error(llvm::toString(std::move(error)));
}

/// Adds `<name>.packed(args, begin, end)`, which unpacks pointers and integers and calls the kernel.
void addPackedEntry(llvm::Function &kernel) {
  llvm::LLVMContext &context = kernel.getContext();
  auto *pointer = llvm::PointerType::get(context, 0);
  auto *i64 = llvm::Type::getInt64Ty(context);
  auto *type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), {pointer, i64, i64}, false);
  auto *packed = llvm::Function::Create(type, llvm::Function::ExternalLinkage, kernel.getName() + ".packed",
                                        kernel.getParent());
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(context, "", packed));
  llvm::SmallVector<llvm::Value *> arguments{packed->getArg(1), packed->getArg(2)};
  for (unsigned i = 2; i < kernel.arg_size(); ++i)
    arguments.push_back(
        builder.CreateLoad(kernel.getArg(i)->getType(),
                           builder.CreateConstGEP1_64(pointer, packed->getArg(0), i - 2)));
  builder.CreateCall(&kernel, arguments);
  builder.CreateRetVoid();
}

void optimise(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::PassBuilder builder(&machine);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager calls;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(calls);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, calls, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3).run(module, modules);
}

} // namespace

struct KernelHarness::Implementation {
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  std::unique_ptr<llvm::orc::LLJIT> jit;
  double lowerTime = 0, compileTime = 0;
  std::string assembly;

  void lower() {
    // Kernels are private in a program; here they are called from outside.
    module->walk([](func::FuncOp function) { function.setPublic(); });
    PassManager pm(&context, "builtin.module");
    pm.enableVerifier(true);
    pm.addPass(createCanonicalizerPass());
    pm.addPass(createCSEPass());
    pm.addPass(createLoopInvariantCodeMotionPass());
    pm.addPass(createSCFToControlFlowPass());
    pm.addPass(createConvertVectorToLLVMPass());
    pm.addPass(createFinalizeMemRefToLLVMConversionPass());
    pm.addPass(createArithToLLVMConversionPass());
    pm.addPass(createConvertControlFlowToLLVMPass());
    ConvertFuncToLLVMPassOptions options;
    options.useBarePtrCallConv = true;
    pm.addPass(createConvertFuncToLLVMPass(options));
    pm.addPass(createUBToLLVMConversionPass());
    pm.addPass(createReconcileUnrealizedCastsPass());
    pm.addPass(createCanonicalizerPass());
    pm.addPass(createCSEPass());
    if (failed(pm.run(*module)))
      throw std::runtime_error("cannot lower the kernels to LLVM");
  }
};

KernelHarness::KernelHarness() : impl(std::make_unique<Implementation>()) {
  static const bool initialised = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    return true;
  }();
  (void)initialised;
  DialectRegistry registry;
  registry.insert<arith::ArithDialect, cf::ControlFlowDialect, func::FuncDialect, LLVM::LLVMDialect,
                  memref::MemRefDialect, scf::SCFDialect, ub::UBDialect, vector::VectorDialect>();
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  impl->context.appendDialectRegistry(registry);
  impl->context.disableMultithreading();
  impl->context.loadAllAvailableDialects();
  impl->module = ModuleOp::create(UnknownLoc::get(&impl->context));
}

KernelHarness::~KernelHarness() = default;
KernelHarness::KernelHarness(KernelHarness &&) noexcept = default;
MLIRContext &KernelHarness::context() { return impl->context; }
ModuleOp KernelHarness::module() { return *impl->module; }
double KernelHarness::lowerMilliseconds() const { return impl->lowerTime; }
double KernelHarness::compileMilliseconds() const { return impl->compileTime; }
const std::string &KernelHarness::assembly() const { return impl->assembly; }

void KernelHarness::compile(const std::string &cpu) {
  double start = milliseconds();
  std::vector<std::string> kernels;
  impl->module->walk([&](func::FuncOp function) { kernels.push_back(function.getName().str()); });
  impl->lower();
  auto llvmContext = std::make_unique<llvm::LLVMContext>();
  auto llvmModule = translateModuleToLLVMIR(*impl->module, *llvmContext, "kernels");
  if (!llvmModule)
    throw std::runtime_error("cannot translate the kernels to LLVM IR");
  double lowered = milliseconds();
  for (const std::string &name : kernels)
    addPackedEntry(*llvmModule->getFunction(name));

  auto builder = expect(llvm::orc::JITTargetMachineBuilder::detectHost());
  if (!cpu.empty()) {
    builder.setCPU(cpu);
    builder.getFeatures() = llvm::SubtargetFeatures();
  }
  builder.setCodeGenOptLevel(llvm::CodeGenOptLevel::Aggressive);
  builder.getOptions().AllowFPOpFusion = llvm::FPOpFusion::Fast;
  auto machine = expect(builder.createTargetMachine());
  llvmModule->setDataLayout(machine->createDataLayout());
  llvmModule->setTargetTriple(machine->getTargetTriple());
  optimise(*llvmModule, *machine);
  if (keepAssembly) {
    auto copy = llvm::CloneModule(*llvmModule);
    llvm::SmallString<0> text;
    llvm::raw_svector_ostream stream(text);
    llvm::legacy::PassManager pm;
    machine->addPassesToEmitFile(pm, stream, nullptr, llvm::CodeGenFileType::AssemblyFile);
    pm.run(*copy);
    impl->assembly = text.str();
  }
  impl->jit = expect(llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(builder).create());
  expect(impl->jit->addIRModule({std::move(llvmModule), std::move(llvmContext)}));
  if (!kernels.empty())
    kernel(kernels.front());
  impl->lowerTime = lowered - start;
  impl->compileTime = milliseconds() - lowered;
}

KernelHarness::Kernel KernelHarness::kernel(const std::string &name) {
  return expect(impl->jit->lookup(name + ".packed")).toPtr<Kernel>();
}

} // namespace heddle::bench
