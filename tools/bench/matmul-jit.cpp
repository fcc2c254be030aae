#include "tools/bench/matmul-jit.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "tools/bench/KernelHarness.h"
#include <array>
#include <heddle/runtime.h>
#include <stdexcept>

using namespace mlir;
using heddle::cpu::MatmulArgument;

namespace heddle::bench {
namespace {

struct Phase {
  KernelHarness::Kernel kernel;
  cpu::KernelCall call;
};

} // namespace

struct CompiledMatmul::Implementation {
  KernelHarness harness;
  cpu::MatmulPlan plan;
  std::vector<Phase> phases;
  void *workspace = nullptr;

  ~Implementation() { heddle_free(workspace); }

  /// The buffers of one phase, in the order of its kernel's arguments.
  std::array<void *, 4> arguments(const Phase &phase, const void *a, const void *b, void *c) const {
    std::array<void *, 4> pointers{};
    for (auto [pointer, argument] : llvm::zip_first(pointers, phase.call.arguments))
      pointer = argument == MatmulArgument::A   ? const_cast<void *>(a)
                : argument == MatmulArgument::B ? const_cast<void *>(b)
                : argument == MatmulArgument::C ? c
                                                : workspace;
    return pointers;
  }
};

CompiledMatmul::CompiledMatmul(const cpu::MatmulSpec &spec, const cpu::MatmulTarget &target,
                               int64_t threadsHint, const CompileOptions &options)
    : CompiledMatmul(cpu::planMatmul(spec, target, threadsHint), options) {}

CompiledMatmul::CompiledMatmul(const cpu::MatmulPlan &plan, const CompileOptions &options)
    : impl(std::make_unique<Implementation>()) {
  impl->plan = plan;
  OpBuilder builder(&impl->harness.context());
  auto calls = cpu::emitMatmulKernels(builder, impl->harness.module(), plan, "product");
  impl->harness.compile(options.target, options.keepText);
  for (cpu::KernelCall &call : calls)
    impl->phases.push_back({impl->harness.kernel(call.symbol), call});
  if (plan.workspaceBytes > 0 && heddle_allocate(plan.workspaceBytes, &impl->workspace) != HEDDLE_OK)
    throw std::runtime_error(heddle_last_error());
}

CompiledMatmul::~CompiledMatmul() = default;
CompiledMatmul::CompiledMatmul(CompiledMatmul &&) noexcept = default;

void CompiledMatmul::run(const void *a, const void *b, void *c) const {
  for (const Phase &phase : impl->phases) {
    auto arguments = impl->arguments(phase, a, b, c);
    heddle_parallel_for(phase.kernel, arguments.data(), phase.call.count, 1);
  }
}

void CompiledMatmul::runBackwards(const void *a, const void *b, void *c, int64_t chunk) const {
  for (const Phase &phase : impl->phases) {
    auto arguments = impl->arguments(phase, a, b, c);
    for (int64_t end = phase.call.count; end > 0; end -= chunk)
      phase.kernel(arguments.data(), std::max<int64_t>(end - chunk, 0), end);
  }
}

const cpu::MatmulPlan &CompiledMatmul::plan() const { return impl->plan; }
const std::string &CompiledMatmul::mlir() const { return impl->harness.mlir(); }
const std::string &CompiledMatmul::llvmIr() const { return impl->harness.llvmIR(); }
const std::string &CompiledMatmul::assembly() const { return impl->harness.assembly(); }
double CompiledMatmul::emitMilliseconds() const { return impl->harness.lowerMilliseconds(); }
double CompiledMatmul::compileMilliseconds() const { return impl->harness.compileMilliseconds(); }

std::function<double()> compilePeak(const cpu::MatmulTarget &target, cpu::MatmulElement element) {
  constexpr int64_t chains = 12, steps = 400000;
  auto harness = std::make_shared<KernelHarness>();
  ImplicitLocOpBuilder b(UnknownLoc::get(&harness->context()), &harness->context());
  b.setInsertionPointToEnd(harness->module().getBody());
  Type type = element == cpu::MatmulElement::F64 ? Type(b.getF64Type()) : Type(b.getF32Type());
  int64_t lanes = target.vectorBits / 8 / cpu::matmulElementBytes(element);
  auto vectorType = VectorType::get(lanes, type);
  auto out = MemRefType::get(lanes * chains, type);
  auto function =
      func::FuncOp::create(b, "peak", b.getFunctionType({b.getIndexType(), b.getIndexType(), out}, {}));
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
    vector::StoreOp::create(b, sum, function.getArgument(2), index(int64_t(i) * lanes));
  func::ReturnOp::create(b);
  harness->compile();
  KernelHarness::Kernel kernel = harness->kernel("peak");
  return [harness, kernel, lanes] {
    alignas(64) double sink[chains * 16];
    void *arguments[] = {sink};
    kernel(arguments, 0, 1);
    return 2.0 * double(lanes * chains * steps);
  };
}

} // namespace heddle::bench
