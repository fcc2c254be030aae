//===- Engine.cpp - LLVM dialect to machine code --------------------------===//

#include "compiler/jit/Engine.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace heddle::jit;

void heddle::jit::registerTranslations(mlir::DialectRegistry &registry) {
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
}

NativeModule::NativeModule() = default;
NativeModule::NativeModule(NativeModule &&) = default;
NativeModule::~NativeModule() = default;

static void initialiseTargets() {
  static const bool done = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    return true;
  }();
  (void)done;
}

static llvm::Expected<llvm::orc::JITTargetMachineBuilder> machineBuilder(const CpuTarget &target) {
  initialiseTargets();
  auto builder = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!builder)
    return builder.takeError();
  if (target.level != 0) {
    builder->setCPU(target.name());
    builder->getFeatures() = llvm::SubtargetFeatures();
  }
  builder->setCodeGenOptLevel(llvm::CodeGenOptLevel::Aggressive);
  // Products and sums may be contracted, as every BLAS does; nothing else of IEEE arithmetic is relaxed here.
  builder->getOptions().AllowFPOpFusion = llvm::FPOpFusion::Fast;
  builder->setRelocationModel(llvm::Reloc::PIC_);
  return builder;
}

static void optimise(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = tuning.SLPVectorization = tuning.LoopInterleaving = tuning.LoopUnrolling = true;
  llvm::PassBuilder builder(&machine, tuning);
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

llvm::Expected<NativeModule> NativeModule::create(mlir::ModuleOp source, const CpuTarget &target) {
  NativeModule result;
  result.context = std::make_unique<llvm::LLVMContext>();
  result.module = mlir::translateModuleToLLVMIR(source, *result.context, "heddle");
  if (!result.module)
    return llvm::createStringError("translation to LLVM IR failed");
  auto builder = machineBuilder(target);
  if (!builder)
    return builder.takeError();
  auto machine = builder->createTargetMachine();
  if (!machine)
    return machine.takeError();
  result.machine = std::move(*machine);
  result.module->setDataLayout(result.machine->createDataLayout());
  result.module->setTargetTriple(result.machine->getTargetTriple());
  optimise(*result.module, *result.machine);
  return result;
}

std::string NativeModule::llvmIR() const {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream, nullptr);
  return text;
}

static llvm::Expected<std::string> emit(const NativeModule &native, llvm::CodeGenFileType type) {
  llvm::SmallString<0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager manager;
  if (native.machine->addPassesToEmitFile(manager, stream, nullptr, type))
    return llvm::createStringError("this target cannot write such a file");
  // Code generation changes the module it is given.
  manager.run(*llvm::CloneModule(*native.module));
  return bytes.str().str();
}

llvm::Expected<std::string> NativeModule::object() const {
  return emit(*this, llvm::CodeGenFileType::ObjectFile);
}
llvm::Expected<std::string> NativeModule::assembly() const {
  return emit(*this, llvm::CodeGenFileType::AssemblyFile);
}

struct Executable::Jit {
  std::unique_ptr<llvm::orc::LLJIT> lljit;
};

Executable::Executable() = default;
Executable::~Executable() = default;

llvm::Expected<std::unique_ptr<Executable>> Executable::load(NativeModule native) {
  llvm::orc::JITTargetMachineBuilder builder(native.machine->getTargetTriple());
  builder.setCPU(native.machine->getTargetCPU().str());
  builder.getFeatures() = llvm::SubtargetFeatures(native.machine->getTargetFeatureString());
  builder.setCodeGenOptLevel(llvm::CodeGenOptLevel::Aggressive);
  builder.getOptions() = native.machine->Options;
  builder.setRelocationModel(llvm::Reloc::PIC_);
  auto lljit = llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(std::move(builder)).create();
  if (!lljit)
    return lljit.takeError();
  std::unique_ptr<Executable> result(new Executable);
  result->jit = std::make_unique<Jit>();
  result->jit->lljit = std::move(*lljit);
  llvm::orc::ThreadSafeModule safe(std::move(native.module), std::move(native.context));
  if (llvm::Error error = result->jit->lljit->addIRModule(std::move(safe)))
    return error;
  return result;
}

llvm::Expected<std::unique_ptr<Executable>> Executable::load(NativeModule native, const std::string &entry) {
  auto result = load(std::move(native));
  if (!result)
    return result.takeError();
  auto address = (*result)->symbol("heddle_entry_" + entry);
  if (!address)
    return address.takeError();
  (*result)->function = reinterpret_cast<int32_t (*)(heddle_call_t *, void **)>(*address);
  return result;
}

llvm::Expected<void *> Executable::symbol(const std::string &name) const {
  auto address = jit->lljit->lookup(name);
  if (!address)
    return address.takeError();
  return address->toPtr<void *>();
}
