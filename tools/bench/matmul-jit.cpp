#include "tools/bench/matmul-jit.h"
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
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include <chrono>
#include <heddle/runtime.h>
#include <stdexcept>

using namespace mlir;
using heddle::cpu::MatmulArgument;

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

// A module of kernels on its way to machine code.
class Jit {
public:
  Jit() {
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
    context.appendDialectRegistry(registry);
    context.disableMultithreading();
    context.loadAllAvailableDialects();
    module = ModuleOp::create(UnknownLoc::get(&context));
  }

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
      throw std::runtime_error("cannot lower the product to LLVM");
  }

  void compile(const CompileOptions &options, std::string *llvmIr, std::string *assembly) {
    auto llvmContext = std::make_unique<llvm::LLVMContext>();
    auto llvmModule = translateModuleToLLVMIR(*module, *llvmContext, "product");
    if (!llvmModule)
      throw std::runtime_error("cannot translate the product to LLVM IR");
    auto builder = expect(llvm::orc::JITTargetMachineBuilder::detectHost());
    if (!options.cpu.empty()) {
      builder.setCPU(options.cpu);
      builder.getFeatures() = llvm::SubtargetFeatures();
    }
    builder.setCodeGenOptLevel(llvm::CodeGenOptLevel::Aggressive);
    builder.getOptions().AllowFPOpFusion = llvm::FPOpFusion::Fast;
    auto machine = expect(builder.createTargetMachine());
    llvmModule->setDataLayout(machine->createDataLayout());
    llvmModule->setTargetTriple(machine->getTargetTriple());
    optimise(*llvmModule, *machine);
    if (llvmIr) {
      llvm::raw_string_ostream stream(*llvmIr);
      llvmModule->print(stream, nullptr);
    }
    if (assembly) {
      auto copy = llvm::CloneModule(*llvmModule);
      llvm::SmallString<0> text;
      llvm::raw_svector_ostream stream(text);
      llvm::legacy::PassManager pm;
      machine->addPassesToEmitFile(pm, stream, nullptr, llvm::CodeGenFileType::AssemblyFile);
      pm.run(*copy);
      *assembly = text.str();
    }
    jit = expect(llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(builder).create());
    expect(jit->addIRModule({std::move(llvmModule), std::move(llvmContext)}));
  }

  void *symbol(llvm::StringRef name) { return expect(jit->lookup(name)).toPtr<void *>(); }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;

private:
  static void optimise(llvm::Module &module, llvm::TargetMachine &machine) {
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

  std::unique_ptr<llvm::orc::LLJIT> jit;
};

// A kernel with the pointers of one call; the bare pointer convention passes nothing else.
struct Task {
  void *kernel;
  int64_t pointers;
  void *arguments[4];

  void operator()(int64_t begin, int64_t end) const {
    void *const *p = arguments;
    switch (pointers) {
    case 1:
      return reinterpret_cast<void (*)(int64_t, int64_t, void *)>(kernel)(begin, end, p[0]);
    case 2:
      return reinterpret_cast<void (*)(int64_t, int64_t, void *, void *)>(kernel)(begin, end, p[0], p[1]);
    case 3:
      return reinterpret_cast<void (*)(int64_t, int64_t, void *, void *, void *)>(kernel)(begin, end, p[0],
                                                                                          p[1], p[2]);
    default:
      return reinterpret_cast<void (*)(int64_t, int64_t, void *, void *, void *, void *)>(kernel)(
          begin, end, p[0], p[1], p[2], p[3]);
    }
  }
};

struct Phase {
  void *kernel;
  cpu::KernelCall call;
};

} // namespace

struct CompiledMatmul::Implementation {
  Jit jit;
  cpu::MatmulPlan plan;
  std::vector<Phase> phases;
  void *workspace = nullptr;
  std::string mlir, llvmIr, assembly;
  double emitTime = 0, compileTime = 0;

  ~Implementation() { heddle_free(workspace); }

  Task task(const Phase &phase, const void *a, const void *b, void *c) const {
    Task task{phase.kernel, int64_t(phase.call.arguments.size()), {}};
    for (size_t i = 0; i < phase.call.arguments.size(); ++i) {
      switch (phase.call.arguments[i]) {
      case MatmulArgument::A:
        task.arguments[i] = const_cast<void *>(a);
        break;
      case MatmulArgument::B:
        task.arguments[i] = const_cast<void *>(b);
        break;
      case MatmulArgument::C:
        task.arguments[i] = c;
        break;
      case MatmulArgument::Workspace:
        task.arguments[i] = workspace;
        break;
      }
    }
    return task;
  }
};

CompiledMatmul::CompiledMatmul(const cpu::MatmulSpec &spec, const cpu::MatmulTarget &target,
                               int64_t threadsHint, const CompileOptions &options)
    : CompiledMatmul(cpu::planMatmul(spec, target, threadsHint), options) {}

CompiledMatmul::CompiledMatmul(const cpu::MatmulPlan &plan, const CompileOptions &options)
    : impl(std::make_unique<Implementation>()) {
  double start = milliseconds();
  impl->plan = plan;
  Jit &jit = impl->jit;
  OpBuilder builder(&jit.context);
  auto calls = cpu::emitMatmulKernels(builder, *jit.module, plan, "product");
  if (options.keepText) {
    llvm::raw_string_ostream stream(impl->mlir);
    jit.module->print(stream);
  }
  jit.lower();
  double lowered = milliseconds();
  jit.compile(options, options.keepText ? &impl->llvmIr : nullptr,
              options.keepText ? &impl->assembly : nullptr);
  for (cpu::KernelCall &call : calls)
    impl->phases.push_back({jit.symbol(call.symbol), call});
  impl->emitTime = lowered - start;
  impl->compileTime = milliseconds() - lowered;
  if (plan.workspaceBytes > 0 && heddle_allocate(plan.workspaceBytes, &impl->workspace) != HEDDLE_OK)
    throw std::runtime_error(heddle_last_error());
}

CompiledMatmul::~CompiledMatmul() = default;
CompiledMatmul::CompiledMatmul(CompiledMatmul &&) noexcept = default;

void CompiledMatmul::run(const void *a, const void *b, void *c) const {
  for (const Phase &phase : impl->phases) {
    Task task = impl->task(phase, a, b, c);
    heddle_parallel_for(
        [](void *args, int64_t begin, int64_t end) { (*static_cast<Task *>(args))(begin, end); }, &task,
        phase.call.count, 1);
  }
}

void CompiledMatmul::runBackwards(const void *a, const void *b, void *c, int64_t chunk) const {
  for (const Phase &phase : impl->phases) {
    Task task = impl->task(phase, a, b, c);
    for (int64_t end = phase.call.count; end > 0; end -= chunk)
      task(std::max<int64_t>(end - chunk, 0), end);
  }
}

const cpu::MatmulPlan &CompiledMatmul::plan() const { return impl->plan; }
const std::string &CompiledMatmul::mlir() const { return impl->mlir; }
const std::string &CompiledMatmul::llvmIr() const { return impl->llvmIr; }
const std::string &CompiledMatmul::assembly() const { return impl->assembly; }
double CompiledMatmul::emitMilliseconds() const { return impl->emitTime; }
double CompiledMatmul::compileMilliseconds() const { return impl->compileTime; }

std::function<double()> compilePeak(const cpu::MatmulTarget &target, cpu::MatmulElement element) {
  constexpr int64_t chains = 12, steps = 400000;
  auto jit = std::make_shared<Jit>();
  ImplicitLocOpBuilder b(UnknownLoc::get(&jit->context), &jit->context);
  b.setInsertionPointToEnd(jit->module->getBody());
  Type type = element == cpu::MatmulElement::F64 ? Type(b.getF64Type()) : Type(b.getF32Type());
  int64_t lanes = target.vectorBits / 8 / cpu::matmulElementBytes(element);
  auto vectorType = VectorType::get(lanes, type);
  auto out = MemRefType::get(lanes * chains, type);
  auto function = func::FuncOp::create(b, "peak", b.getFunctionType(out, {}));
  b.setInsertionPointToStart(function.addEntryBlock());
  auto index = [&](int64_t v) -> Value { return arith::ConstantIndexOp::create(b, v); };
  auto constant = [&](double v) -> Value {
    return arith::ConstantOp::create(b,
                                     DenseElementsAttr::get(vectorType, b.getFloatAttr(type, v).getValue()));
  };
  Value x = constant(0.999), y = constant(1e-3);
  SmallVector<Value> init;
  for (int64_t i = 0; i < chains; ++i)
    init.push_back(constant(0.1 * double(i)));
  auto loop = scf::ForOp::create(b, index(0), index(steps), index(1), init);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    SmallVector<Value> next;
    for (Value sum : loop.getRegionIterArgs())
      next.push_back(vector::FMAOp::create(b, sum, x, y));
    scf::YieldOp::create(b, next);
  }
  for (auto [i, sum] : llvm::enumerate(loop.getResults()))
    vector::StoreOp::create(b, sum, function.getArgument(0), index(int64_t(i) * lanes));
  func::ReturnOp::create(b);
  jit->lower();
  jit->compile({}, nullptr, nullptr);
  auto kernel = reinterpret_cast<void (*)(void *)>(jit->symbol("peak"));
  return [jit, kernel, lanes] {
    alignas(64) double sink[chains * 16];
    kernel(sink);
    return 2.0 * double(lanes * chains * steps);
  };
}

} // namespace heddle::bench
