//===- Tune.cpp - Plans of kernels by measurement -------------------------===//

#include "compiler/jit/Tune.h"

#include "compiler/conversion/HeddleToLLVM/HeddleToLLVM.h"
#include "compiler/jit/DeviceFunction.h"
#include "compiler/jit/Engine.h"
#include "compiler/jit/SingleOperation.h"
#include "compiler/jit/Specialisations.h"
#include "compiler/jit/Stages.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"

#include <cmath>
#include <new>

using namespace mlir;

namespace heddle::jit {

cache::MeasuredPlans knownPlans(const DeviceTarget &target) {
  const std::optional<cache::Store> store = cache::Store::fromEnvironment();
  return store ? cache::readPlans(*store, target.name) : cache::MeasuredPlans();
}

std::shared_ptr<const gpu::Choices> choicesOf(const cache::MeasuredPlans &plans) {
  auto choices = std::make_shared<gpu::Choices>();
  for (const auto &[operation, plan] : plans)
    if (std::optional<gpu::Choice> choice = gpu::Choice::parse(plan.plan))
      (*choices)[operation] = *choice;
  return choices;
}

std::string describeForCache(const cache::MeasuredPlans &plans) {
  std::string text;
  for (const auto &[operation, plan] : plans)
    text += "\n" + operation + "\n" + plan.plan;
  return text;
}

std::string TunedOperation::str() const {
  auto microseconds = [](double time) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f us", time);
    return std::string(text);
  };
  std::string text = what + ": " + plan.plan + " in " + microseconds(plan.microseconds);
  text += plan.plan == plan.model
              ? ", as the model chose"
              : "; the model's " + plan.model + " takes " + microseconds(plan.modelMicroseconds);
  return text + (isNew ? "" : " (measured before)");
}

namespace {

/// A function of a module on the device, ready to be called.
class Loaded {
public:
  /// Of a module that is lowered.
  Loaded(ModuleOp module, const std::string &name, const DeviceTarget &target, int device,
         const CpuTarget &host)
      : device(Device::cuda(device)) {
    auto entry = module.lookupSymbol<func::FuncOp>(name);
    const int64_t arenaBytes = entry->getAttrOfType<IntegerAttr>("heddle.arena_bytes").getInt();
    const size_t buffers = entry.getNumArguments() - 2; // between the call and the arena
    DeviceProgram code = compileDevice(module, name, target);
    assemble(code, target);
    PassManager manager(module.getContext(), ModuleOp::getOperationName());
    cpu::buildLLVMPipeline(manager);
    if (failed(manager.run(module)))
      throw Error(HEDDLE_INTERNAL, "lowering to LLVM failed");
    auto compiled = Executable::compile(module, name, host);
    if (!compiled)
      throw Error(HEDDLE_INTERNAL, llvm::toString(compiled.takeError()));
    executable = std::move(*compiled);
    function = loadDeviceFunction(code, name, device, buffers, arenaBytes, executable->entry());
  }

  std::vector<Tensor> run(const std::vector<Tensor> &arguments, TypeRange resultTypes) {
    std::vector<Tensor> results;
    for (Type type : resultTypes) {
      const LeafType leaf = leafType(type, {});
      results.push_back(Tensor::empty(leaf.shape, leaf.dtype, device));
    }
    std::vector<void *> buffers = buffersOf(arguments, results);
    heddle_cuda_run_t *run = nullptr;
    check(heddle_cuda_function_start(function.get(), buffers.data(), &run));
    const heddle_status_t status = heddle_cuda_run_wait(run);
    heddle_cuda_run_free(run);
    check(status);
    return results;
  }

  double microseconds(const std::vector<Tensor> &arguments, const std::vector<Tensor> &results, int calls) {
    std::vector<void *> buffers = buffersOf(arguments, results);
    double time = 0;
    check(heddle_cuda_function_measure(function.get(), buffers.data(), calls, &time));
    return time;
  }

private:
  static std::vector<void *> buffersOf(const std::vector<Tensor> &arguments,
                                       const std::vector<Tensor> &results) {
    std::vector<void *> buffers;
    for (const Tensor &tensor : arguments)
      buffers.push_back(tensor.raw());
    for (const Tensor &tensor : results)
      buffers.push_back(tensor.raw());
    return buffers;
  }

  const Device device;
  std::unique_ptr<Executable> executable;
  DeviceFunction function;
};

/// The norm of the difference over that of what is expected: by this rule compiled code is compared with the
/// interpreter in tests, too. Infinite where one has NaN or an infinity that the other has not.
double differenceOf(const Tensor &actual, const Tensor &expected) {
  const Tensor x = actual.to(Device::cpu()).cast(DType::f32), y = expected.to(Device::cpu()).cast(DType::f32);
  double squares = 0, size = 0;
  for (int64_t i = 0; i < y.count(); ++i) {
    const double a = x.data<float>()[i], b = y.data<float>()[i];
    if (!std::isfinite(a) || !std::isfinite(b)) {
      if (a != b && !(std::isnan(a) && std::isnan(b)))
        return HUGE_VAL;
      continue;
    }
    squares += (a - b) * (a - b);
    size += b * b;
  }
  return squares == 0 ? 0 : std::sqrt(squares / size);
}

/// What results may differ by where operands are of a type.
double bound(Type element) {
  return element.isF64() ? 2e-6 : element.isF32() ? 2e-5 : element.isBF16() ? 0.02 : 0.003;
}

/// The candidates of one operation.
class Search {
public:
  Search(Operation *op, const DeviceTarget &target, int device, const CpuTarget &host,
         const gpu::GpuOptions &options)
      : op(op), target(target), device(device), host(host), options(options), key(gpu::planKey(op, options)) {
  }

  cache::MeasuredPlan run() {
    const std::vector<Tensor> operands = prepare();
    struct Candidate {
      std::string plan;
      std::unique_ptr<Loaded> code;
      std::vector<Tensor> results;
      double microseconds;
    };
    std::vector<Candidate> candidates;
    for (const gpu::Choice &choice : gpu::candidatesOf(op, options)) {
      Candidate candidate;
      try {
        OwningOpRef<ModuleOp> module = lowered(choice, candidate.plan);
        auto known = [&](const Candidate &other) { return other.plan == candidate.plan; };
        if (llvm::any_of(candidates, known))
          continue;
        candidate.code = std::make_unique<Loaded>(*module, singleOperationName, target, device, host);
        candidate.results = candidate.code->run(operands, op->getResultTypes());
        if (!candidates.empty() && !agree(candidate.results, candidates.front().results))
          continue;
      } catch (const Error &) {
        if (candidates.empty()) // the model's own
          throw;
        continue;
      }
      candidate.microseconds = HUGE_VAL;
      candidates.push_back(std::move(candidate));
    }
    // In turns, so that a clock that drifts is the same for all.
    const int rounds = target.emulated ? 1 : 3, calls = target.emulated ? 1 : 7;
    for (int round = 0; round < rounds; ++round)
      for (Candidate &candidate : candidates)
        candidate.microseconds = std::min(candidate.microseconds,
                                          candidate.code->microseconds(operands, candidate.results, calls));
    const Candidate &model = candidates.front();
    const Candidate *best = &model;
    // What is within the noise of measurements is left to the model.
    for (const Candidate &candidate : candidates)
      if (candidate.microseconds < 0.98 * model.microseconds && candidate.microseconds < best->microseconds)
        best = &candidate;
    return {best->plan, model.plan, best->microseconds, model.microseconds};
  }

private:
  std::vector<Tensor> prepare() {
    OwningOpRef<ModuleOp> module = operandsOf(op);
    pipelines::PipelineOptions passes;
    passes.cpu.level = host.level;
    passes.device = options;
    runPipeline(*module, pipelines::Stage::Lowered, passes);
    Loaded code(*module, singleOperationName, target, device, host);
    return code.run({Tensor::scalar(int64_t(1)).to(Device::cuda(device))}, op->getOperandTypes());
  }

  OwningOpRef<ModuleOp> lowered(const gpu::Choice &choice, std::string &plan) {
    OwningOpRef<ModuleOp> module = aloneInModule(op);
    gpu::GpuOptions forced = options;
    forced.measured = std::make_shared<gpu::Choices>(gpu::Choices{{key, choice}});
    PassManager manager(module->getContext(), ModuleOp::getOperationName());
    gpu::buildLoweredPipeline(manager, forced);
    if (failed(manager.run(*module)))
      throw Error(HEDDLE_INTERNAL, "an operation that is measured cannot be lowered");
    module->walk([&](Operation *kernel) {
      if (auto taken = kernel->getAttrOfType<StringAttr>("heddle.plan"))
        plan = taken.str();
    });
    return module;
  }

  bool agree(const std::vector<Tensor> &actual, const std::vector<Tensor> &expected) const {
    const Type element = cast<RankedTensorType>(op->getOperand(0).getType()).getElementType();
    for (auto [x, y] : llvm::zip(actual, expected))
      if (!(differenceOf(x, y) <= bound(element)))
        return false;
    return true;
  }

  Operation *op;
  const DeviceTarget &target;
  const int device;
  const CpuTarget &host;
  const gpu::GpuOptions &options;
  const std::string key;
};

/// The choice for one operation; nothing, with a warning, where it cannot be measured.
std::optional<cache::MeasuredPlan> measure(Search search, const std::string &what) {
  std::string reason;
  try {
    return search.run();
  } catch (const Error &error) {
    reason = StringRef(error.what()).split('\n').first.str();
  } catch (const std::bad_alloc &) {
    reason = "out of memory";
  }
  cache::warn("cannot measure " + what + ", which keeps the model's plan: " + reason);
  return std::nullopt;
}

} // namespace

std::vector<TunedOperation> tune(ModuleOp fused, const DeviceTarget &target, int device,
                                 const CpuTarget &host, const gpu::GpuOptions &options,
                                 cache::MeasuredPlans &plans) {
  const std::optional<cache::Store> store = cache::Store::fromEnvironment();
  std::vector<TunedOperation> tuned;
  std::set<std::string> seen;
  fused.walk([&](Operation *op) {
    const std::string key = gpu::planKey(op, options);
    if (key.empty() || !seen.insert(key).second)
      return;
    auto known = plans.find(key);
    TunedOperation operation{describeOperation(op), {}, known == plans.end()};
    if (!operation.isNew) {
      operation.plan = known->second;
    } else if (auto plan = measure(Search(op, target, device, host, options), operation.what)) {
      operation.plan = plans[key] = *plan;
      if (store) // at once: who stops the process keeps what was measured until then
        cache::addPlans(*store, target.name, {{key, *plan}});
    } else {
      return;
    }
    tuned.push_back(std::move(operation));
  });
  return tuned;
}

} // namespace heddle::jit
