//===- Engine.cpp - LLVM dialect to machine code --------------------------===//

#include "compiler/jit/Engine.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"

#include <atomic>
#include <numeric>
#include <thread>

using namespace heddle::jit;

void heddle::jit::registerTranslations(mlir::DialectRegistry &registry) {
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
}

NativeModule::NativeModule() = default;
NativeModule::NativeModule(NativeModule &&) noexcept = default;
NativeModule::~NativeModule() = default;

static void initialiseTargets() {
  static const bool done = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    return true;
  }();
  (void)done;
}

static llvm::Expected<llvm::orc::JITTargetMachineBuilder> machineBuilder(const CpuTarget &target,
                                                                         Effort effort = Effort::Full) {
  initialiseTargets();
  auto builder = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!builder)
    return builder.takeError();
  if (target.level != 0) {
    builder->setCPU(target.name());
    builder->getFeatures() = llvm::SubtargetFeatures();
  }
  builder->setCodeGenOptLevel(effort == Effort::Full ? llvm::CodeGenOptLevel::Aggressive
                                                     : llvm::CodeGenOptLevel::Less);
  // Products and sums may be contracted, as every BLAS does; nothing else of IEEE arithmetic is relaxed here.
  builder->getOptions().AllowFPOpFusion = llvm::FPOpFusion::Fast;
  builder->setRelocationModel(llvm::Reloc::PIC_);
  return builder;
}

static void optimise(llvm::Module &module, llvm::TargetMachine &machine) {
  const bool full = machine.getOptLevel() == llvm::CodeGenOptLevel::Aggressive;
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = tuning.SLPVectorization = tuning.LoopInterleaving = tuning.LoopUnrolling = full;
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
  // O3 unrolls and specialises more, which costs a fifth of the compile time and gains kernels nothing
  // measurable.
  builder.buildPerModuleDefaultPipeline(full ? llvm::OptimizationLevel::O2 : llvm::OptimizationLevel::O1)
      .run(module, modules);
}

/// Translated for a machine, not optimised.
static llvm::Expected<std::unique_ptr<llvm::Module>>
translate(mlir::ModuleOp source, llvm::LLVMContext &context, llvm::TargetMachine &machine) {
  auto module = mlir::translateModuleToLLVMIR(source, context, "heddle");
  if (!module)
    return llvm::createStringError("translation to LLVM IR failed");
  module->setDataLayout(machine.createDataLayout());
  module->setTargetTriple(machine.getTargetTriple());
  return module;
}

llvm::Expected<NativeModule> NativeModule::create(mlir::ModuleOp source, const CpuTarget &target,
                                                  Effort effort) {
  NativeModule result;
  result.context = std::make_unique<llvm::LLVMContext>();
  auto builder = machineBuilder(target, effort);
  if (!builder)
    return builder.takeError();
  auto machine = builder->createTargetMachine();
  if (!machine)
    return machine.takeError();
  result.machine = std::move(*machine);
  auto module = translate(source, *result.context, *result.machine);
  if (!module)
    return module.takeError();
  result.module = std::move(*module);
  optimise(*result.module, *result.machine);
  return result;
}

std::string NativeModule::llvmIR() const {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream, nullptr);
  return text;
}

static llvm::Expected<std::string> emit(llvm::Module &module, llvm::TargetMachine &machine,
                                        llvm::CodeGenFileType type) {
  llvm::SmallString<0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager manager;
  if (machine.addPassesToEmitFile(manager, stream, nullptr, type))
    return llvm::createStringError("this target cannot write such a file");
  manager.run(module);
  return bytes.str().str();
}

static llvm::Expected<std::string> emit(const NativeModule &native, llvm::CodeGenFileType type) {
  // Code generation changes the module it is given.
  return emit(*llvm::CloneModule(*native.module), *native.machine, type);
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

//===----------------------------------------------------------------------===//
// Parts that are compiled at the same time
//===----------------------------------------------------------------------===//

static const llvm::GlobalObject *globalOf(const llvm::Value *value) {
  return llvm::dyn_cast<llvm::GlobalObject>(value->stripPointerCasts());
}

/// Cuts a module where a function takes the address of another: a launch passes a kernel's thunk to the
/// runtime. What is left together is shared out by size. The number of parts does not depend on the machine,
/// and so neither do results.
static std::vector<std::string> cutIntoParts(llvm::Module &module) {
  constexpr size_t mostParts = 4, smallModule = 4000;
  llvm::EquivalenceClasses<const llvm::GlobalObject *> together;
  llvm::SmallPtrSet<llvm::Function *, 32> cut;
  for (llvm::GlobalObject &object : module.global_objects())
    if (!object.isDeclaration())
      together.insert(&object);
  size_t total = 0;
  for (llvm::Function &function : module)
    for (llvm::Instruction &instruction : llvm::instructions(function)) {
      ++total;
      auto *call = llvm::dyn_cast<llvm::CallBase>(&instruction);
      for (llvm::Use &use : instruction.operands()) {
        const llvm::GlobalObject *object = globalOf(use);
        if (!object || object->isDeclaration())
          continue;
        auto *callee = llvm::dyn_cast<llvm::Function>(const_cast<llvm::GlobalObject *>(object));
        if (callee && call && call->isArgOperand(&use))
          cut.insert(callee);
        else
          together.unionSets(&function, object);
      }
    }
  std::vector<std::vector<const llvm::GlobalObject *>> clusters;
  std::vector<size_t> sizes;
  llvm::MapVector<const llvm::GlobalObject *, size_t> numbers;
  for (llvm::GlobalObject &object : module.global_objects()) {
    if (object.isDeclaration())
      continue;
    auto [known, isNew] = numbers.try_emplace(together.getLeaderValue(&object), clusters.size());
    if (isNew) {
      clusters.emplace_back();
      sizes.push_back(0);
    }
    clusters[known->second].push_back(&object);
    if (auto *function = llvm::dyn_cast<llvm::Function>(&object))
      sizes[known->second] += function->getInstructionCount();
  }
  // The largest first, each to the part that has least.
  const size_t count = total < smallModule ? 1 : std::min(mostParts, clusters.size());
  std::vector<size_t> order(clusters.size()), load(std::max<size_t>(count, 1));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return sizes[a] > sizes[b]; });
  std::vector<llvm::SmallPtrSet<const llvm::GlobalValue *, 32>> parts(load.size());
  for (size_t cluster : order) {
    size_t part = std::min_element(load.begin(), load.end()) - load.begin();
    load[part] += sizes[cluster];
    parts[part].insert(clusters[cluster].begin(), clusters[cluster].end());
  }
  if (count > 1)
    for (llvm::Function *function : cut) {
      function->setLinkage(llvm::GlobalValue::ExternalLinkage);
      function->setVisibility(llvm::GlobalValue::HiddenVisibility);
    }
  std::vector<std::string> result;
  for (auto &part : parts) {
    llvm::ValueToValueMapTy map;
    auto clone =
        llvm::CloneModule(module, map, [&](const llvm::GlobalValue *value) { return part.contains(value); });
    // A context serves one thread: parts travel as bitcode.
    llvm::SmallString<0> bytes;
    llvm::raw_svector_ostream stream(bytes);
    llvm::WriteBitcodeToFile(*clone, stream);
    result.push_back(bytes.str().str());
  }
  return result;
}

static llvm::Expected<std::string> compilePart(const std::string &bitcode,
                                               llvm::orc::JITTargetMachineBuilder builder) {
  llvm::LLVMContext context;
  auto module = llvm::parseBitcodeFile(llvm::MemoryBufferRef(bitcode, "heddle"), context);
  if (!module)
    return module.takeError();
  auto machine = builder.createTargetMachine();
  if (!machine)
    return machine.takeError();
  optimise(**module, **machine);
  return emit(**module, **machine, llvm::CodeGenFileType::ObjectFile);
}

llvm::Expected<std::vector<std::string>> Executable::compileObjects(mlir::ModuleOp source,
                                                                    const CpuTarget &target) {
  auto builder = machineBuilder(target);
  if (!builder)
    return builder.takeError();
  auto machine = builder->createTargetMachine();
  if (!machine)
    return machine.takeError();
  std::vector<std::string> parts;
  {
    llvm::LLVMContext context;
    auto module = translate(source, context, **machine);
    if (!module)
      return module.takeError();
    parts = cutIntoParts(**module);
  }
  std::vector<std::string> objects(parts.size()), errors(parts.size());
  std::atomic<size_t> next{0};
  auto work = [&] {
    for (size_t i; (i = next++) < parts.size();)
      if (auto object = compilePart(parts[i], *builder))
        objects[i] = std::move(*object);
      else
        errors[i] = llvm::toString(object.takeError());
  };
  const size_t threads = std::clamp<size_t>(std::thread::hardware_concurrency(), 1, parts.size());
  std::vector<std::thread> others;
  for (size_t i = 1; i < threads; ++i)
    others.emplace_back(work);
  work();
  for (std::thread &thread : others)
    thread.join();
  for (const std::string &error : errors)
    if (!error.empty())
      return llvm::createStringError(error);
  return objects;
}

llvm::Expected<std::unique_ptr<Executable>> Executable::link(const std::vector<std::string> &objects) {
  auto builder = machineBuilder({});
  if (!builder)
    return builder.takeError();
  auto lljit = llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(std::move(*builder)).create();
  if (!lljit)
    return lljit.takeError();
  std::unique_ptr<Executable> result(new Executable);
  result->jit = std::make_unique<Jit>();
  result->jit->lljit = std::move(*lljit);
  for (const std::string &object : objects)
    if (llvm::Error error =
            result->jit->lljit->addObjectFile(llvm::MemoryBuffer::getMemBufferCopy(object, "heddle")))
      return error;
  return result;
}

llvm::Expected<std::unique_ptr<Executable>> Executable::link(const std::vector<std::string> &objects,
                                                             const std::string &entry) {
  auto result = link(objects);
  if (!result)
    return result.takeError();
  if (llvm::Error error = (*result)->find(entry))
    return error;
  return result;
}

llvm::Expected<std::unique_ptr<Executable>>
Executable::compile(mlir::ModuleOp source, const std::string &entry, const CpuTarget &target) {
  auto objects = compileObjects(source, target);
  if (!objects)
    return objects.takeError();
  return link(*objects, entry);
}

llvm::Error Executable::find(const std::string &entry) {
  auto address = symbol("heddle_entry_" + entry);
  if (!address)
    return address.takeError();
  function = reinterpret_cast<int32_t (*)(heddle_call_t *, void **)>(*address);
  return llvm::Error::success();
}

llvm::Expected<std::unique_ptr<Executable>> Executable::load(NativeModule native) {
  llvm::orc::JITTargetMachineBuilder builder(native.machine->getTargetTriple());
  builder.setCPU(native.machine->getTargetCPU().str());
  builder.getFeatures() = llvm::SubtargetFeatures(native.machine->getTargetFeatureString());
  builder.setCodeGenOptLevel(native.machine->getOptLevel());
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
  if (llvm::Error error = (*result)->find(entry))
    return error;
  return result;
}

llvm::Expected<void *> Executable::symbol(const std::string &name) const {
  auto address = jit->lljit->lookup(name);
  if (!address)
    return address.takeError();
  return address->toPtr<void *>();
}
