#include "tests/unit/math/MathKernel.h"
#include "compiler/conversion/HeddleToLLVM/HeddleToLLVM.h"
#include "compiler/conversion/MathExpansion/MathExpansion.h"
#include "compiler/jit/Engine.h"
#include "dialects/heddle/IR/Heddle.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include <stdexcept>

using namespace mlir;

namespace heddle::test {
namespace {

template <typename T>
T expect(llvm::Expected<T> value) {
  if (!value)
    throw std::runtime_error(llvm::toString(value.takeError()));
  return std::move(*value);
}

std::string source(const MathKernelSpec &spec) {
  std::string count = std::to_string(MathKernel::elements);
  std::string buffer = "memref<" + count + "x" + spec.element + ">";
  std::string type =
      spec.lanes ? "vector<" + std::to_string(spec.lanes) + "x" + spec.element + ">" : spec.element;
  auto load = [&](const std::string &from) {
    return spec.lanes ? "vector.load " + from + "[%i] : " + buffer + ", " + type
                      : "memref.load " + from + "[%i] : " + buffer;
  };
  std::string operands = spec.op == "powf" ? "%a, %b" : "%a";
  std::string store = spec.lanes ? "vector.store %r, %out[%i] : " + buffer + ", " + type
                                 : "memref.store %r, %out[%i] : " + buffer;
  return "func.func @map(%call: !llvm.ptr, %x: " + buffer + " {llvm.noalias}, %y: " + buffer +
         " {llvm.noalias}, %out: " + buffer +
         " {llvm.noalias}) attributes {heddle.entry} {\n"
         "  %zero = arith.constant 0 : index\n"
         "  %count = arith.constant " +
         count +
         " : index\n"
         "  %step = arith.constant " +
         std::to_string(std::max<int64_t>(spec.lanes, 1)) +
         " : index\n"
         "  scf.for %i = %zero to %count step %step {\n"
         "    %a = " +
         load("%x") + "\n    %b = " + load("%y") + "\n    %r = math." + spec.op + " " + operands + " : " +
         type + "\n    " + store + "\n  }\n  return\n}\n";
}

} // namespace

struct MathKernel::Implementation {
  std::unique_ptr<jit::Executable> code;
  std::string llvmIR, assembly;
};

MathKernel::MathKernel(const MathKernelSpec &spec) : impl(std::make_unique<Implementation>()) {
  DialectRegistry registry;
  registerAllDialects(registry);
  registerAllExtensions(registry);
  registry.insert<ir::HeddleDialect>();
  jit::registerTranslations(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  auto module = parseSourceString<ModuleOp>(source(spec), &context);
  if (!module)
    throw std::runtime_error("cannot parse the kernel:\n" + source(spec));
  PassManager manager(&context);
  if (spec.expand)
    manager.addPass(cpu::createExpandMath({.fused = spec.fused}));
  cpu::buildLLVMPipeline(manager);
  if (failed(manager.run(*module)))
    throw std::runtime_error("cannot lower the kernel of " + spec.op);
  auto native = expect(jit::NativeModule::create(*module, jit::CpuTarget::named(spec.cpu).value()));
  impl->llvmIR = native.llvmIR();
  impl->assembly = expect(native.assembly());
  impl->code = expect(jit::Executable::load(std::move(native), "map"));
}

MathKernel::~MathKernel() = default;

void MathKernel::run(const void *x, const void *y, void *out) const {
  heddle_call_t call{};
  void *buffers[] = {const_cast<void *>(x), const_cast<void *>(y), out};
  if (impl->code->run(&call, buffers) != HEDDLE_OK)
    throw std::runtime_error("the kernel reported an error");
}

const std::string &MathKernel::llvmIR() const { return impl->llvmIR; }
const std::string &MathKernel::assembly() const { return impl->assembly; }

} // namespace heddle::test
