#include "tools/bench/KernelHarness.h"
#include "compiler/conversion/HeddleToLLVM/HeddleToLLVM.h"
#include "compiler/jit/Engine.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/PassManager.h"
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

} // namespace

struct KernelHarness::Implementation {
  MLIRContext context{MLIRContext::Threading::DISABLED};
  OwningOpRef<ModuleOp> module;
  std::unique_ptr<jit::Executable> code;
  double lowerTime = 0, compileTime = 0;
  std::string mlir, llvmIR, assembly;
};

KernelHarness::KernelHarness() : impl(std::make_unique<Implementation>()) {
  DialectRegistry registry;
  registry.insert<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect, memref::MemRefDialect,
                  scf::SCFDialect, vector::VectorDialect>();
  jit::registerTranslations(registry);
  impl->context.appendDialectRegistry(registry);
  impl->context.loadAllAvailableDialects();
  impl->module = ModuleOp::create(UnknownLoc::get(&impl->context));
}

KernelHarness::~KernelHarness() = default;
KernelHarness::KernelHarness(KernelHarness &&) noexcept = default;
MLIRContext &KernelHarness::context() { return impl->context; }
ModuleOp KernelHarness::module() { return *impl->module; }
double KernelHarness::lowerMilliseconds() const { return impl->lowerTime; }
double KernelHarness::compileMilliseconds() const { return impl->compileTime; }
const std::string &KernelHarness::mlir() const { return impl->mlir; }
const std::string &KernelHarness::llvmIR() const { return impl->llvmIR; }
const std::string &KernelHarness::assembly() const { return impl->assembly; }

void KernelHarness::compile(const jit::CpuTarget &target, bool keepText) {
  double start = milliseconds();
  if (keepText) {
    llvm::raw_string_ostream stream(impl->mlir);
    impl->module->print(stream);
  }
  std::string first;
  impl->module->walk([&](func::FuncOp function) {
    // Kernels are private in a program; here they are called from outside.
    function.setPublic();
    function->setAttr("heddle.exported", UnitAttr::get(&impl->context));
    if (first.empty())
      first = function.getName().str();
  });
  PassManager manager(&impl->context, ModuleOp::getOperationName());
  manager.enableVerifier(true);
  cpu::buildLLVMPipeline(manager);
  if (failed(manager.run(*impl->module)))
    throw std::runtime_error("cannot lower the kernels to LLVM");
  double lowered = milliseconds();
  jit::NativeModule native = expect(jit::NativeModule::create(*impl->module, target));
  if (keepText) {
    impl->llvmIR = native.llvmIR();
    impl->assembly = expect(native.assembly());
  }
  impl->code = expect(jit::Executable::load(std::move(native)));
  // Machine code is generated when a symbol is first asked for.
  if (!first.empty())
    kernel(first);
  impl->lowerTime = lowered - start;
  impl->compileTime = milliseconds() - lowered;
}

KernelHarness::Kernel KernelHarness::kernel(const std::string &name) {
  return reinterpret_cast<Kernel>(expect(impl->code->symbol(name + ".thunk")));
}

} // namespace heddle::bench
