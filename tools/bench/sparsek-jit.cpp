#include "tools/bench/sparsek-jit.h"
#include "compiler/conversion/HeddleToLLVM/HeddleToLLVM.h"
#include "compiler/jit/Engine.h"
#include "dialects/heddle/IR/Heddle.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Pass/PassManager.h"
#include <chrono>
#include <map>
#include <stdexcept>

using namespace mlir;
using heddle::cpu::AttentionArgument;
using heddle::cpu::AttentionOperand;
using heddle::cpu::AttentionStep;

namespace heddle::bench {
namespace {

template <typename T>
T expect(llvm::Expected<T> value) {
  if (!value)
    throw std::runtime_error(llvm::toString(value.takeError()));
  return std::move(*value);
}

/// Emits func.func @attention(%call, buffers.., workspace), which runs the steps; returns the order of the
/// buffers.
std::vector<AttentionArgument> emitEntry(ImplicitLocOpBuilder &b, ModuleOp module,
                                         const cpu::AttentionSpec &spec, const cpu::AttentionProgram &program,
                                         bool reversed) {
  std::map<AttentionArgument, Type> types;
  for (const AttentionStep &step : program.steps)
    for (const AttentionOperand &operand : step.operands)
      if (!operand.isInteger && operand.argument != AttentionArgument::Workspace)
        types[operand.argument] = cpu::attentionOperandType(b, spec, operand);
  SmallVector<Type> inputs{LLVM::LLVMPointerType::get(b.getContext())};
  std::vector<AttentionArgument> order;
  for (auto [argument, type] : types) {
    order.push_back(argument);
    inputs.push_back(type);
  }
  inputs.push_back(MemRefType::get(std::max<int64_t>(program.workspaceBytes, 1), b.getI8Type()));
  b.setInsertionPointToEnd(module.getBody());
  auto entry = func::FuncOp::create(b, "attention", b.getFunctionType(inputs, {}));
  entry->setAttr("heddle.entry", b.getUnitAttr());
  b.setInsertionPointToStart(entry.addEntryBlock());
  auto index = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(b, value); };
  for (const AttentionStep &step : program.steps) {
    SmallVector<Value> values;
    for (const AttentionOperand &operand : step.operands) {
      if (operand.isInteger) {
        values.push_back(index(operand.integer));
      } else if (operand.argument == AttentionArgument::Workspace) {
        auto type = cast<MemRefType>(cpu::attentionOperandType(b, spec, operand));
        values.push_back(memref::ViewOp::create(b, type, entry.getArguments().back(),
                                                index(operand.byteOffset), ValueRange()));
      } else {
        auto at = std::distance(types.begin(), types.find(operand.argument));
        values.push_back(entry.getArgument(unsigned(at) + 1));
      }
    }
    if (step.isRuntimeCall) {
      values.insert(values.begin(), entry.getArgument(0));
      ir::RuntimeCallOp::create(b, step.symbol, values);
    } else if (!reversed) {
      ir::LaunchOp::create(b, step.symbol, index(step.count), step.grain, values);
    } else {
      auto loop = scf::ForOp::create(b, index(0), index(step.count), index(1));
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      Value end = arith::SubIOp::create(b, index(step.count), loop.getInductionVar());
      SmallVector<Value> arguments{arith::SubIOp::create(b, end, index(1)), end};
      arguments.append(values);
      func::CallOp::create(b, step.symbol, TypeRange(), arguments);
    }
  }
  func::ReturnOp::create(b);
  return order;
}

} // namespace

struct CompiledAttention::Implementation {
  cpu::AttentionProgram program;
  std::vector<AttentionArgument> order;
  std::unique_ptr<jit::Executable> code;
  void *workspace = nullptr;
  double compileTime = 0;
  std::string assembly;

  ~Implementation() { heddle_free(workspace); }
};

CompiledAttention::CompiledAttention(Pass pass, const cpu::AttentionSpec &spec,
                                     const AttentionOptions &options)
    : impl(std::make_unique<Implementation>()) {
  const auto start = std::chrono::steady_clock::now();
  DialectRegistry registry;
  registry.insert<ir::HeddleDialect, LLVM::LLVMDialect, arith::ArithDialect, func::FuncDialect,
                  memref::MemRefDialect, scf::SCFDialect, vector::VectorDialect>();
  jit::registerTranslations(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  ImplicitLocOpBuilder b(UnknownLoc::get(&context), &context);
  OwningOpRef<ModuleOp> module = ModuleOp::create(b.getLoc());
  auto emit = pass == Pass::Forward    ? cpu::emitAttentionForward
              : pass == Pass::Backward ? cpu::emitAttentionBackward
                                       : cpu::emitAttentionTangent;
  impl->program = emit(b, *module, spec, cpu::MatmulTarget::of(options.target.level), "sparsek");
  impl->order = emitEntry(b, *module, spec, impl->program, options.reversed);
  PassManager manager(&context);
  cpu::buildLLVMPipeline(manager);
  if (failed(manager.run(*module)))
    throw std::runtime_error("cannot lower the attention to LLVM");
  auto native = expect(jit::NativeModule::create(*module, options.target));
  if (options.keepAssembly)
    impl->assembly = expect(native.assembly());
  impl->code = expect(jit::Executable::load(std::move(native), "attention"));
  impl->compileTime =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  if (heddle_allocate(impl->program.workspaceBytes, &impl->workspace) != HEDDLE_OK)
    throw std::runtime_error(heddle_last_error());
}

CompiledAttention::~CompiledAttention() = default;
CompiledAttention::CompiledAttention(CompiledAttention &&) noexcept = default;

void CompiledAttention::run(const AttentionBuffers &buffers) const {
  std::vector<void *> pointers;
  for (AttentionArgument argument : impl->order)
    pointers.push_back(buffers[argument]);
  pointers.push_back(impl->workspace);
  heddle_call_t call;
  heddle_call_init(&call);
  impl->code->run(&call, pointers.data());
  if (heddle_call_result(&call) != HEDDLE_OK)
    throw std::runtime_error(heddle_last_error());
}

const cpu::AttentionProgram &CompiledAttention::program() const { return impl->program; }
double CompiledAttention::compileMilliseconds() const { return impl->compileTime; }
const std::string &CompiledAttention::assembly() const { return impl->assembly; }

} // namespace heddle::bench
