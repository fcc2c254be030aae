//===- Specialise.cpp - One function for one set of shapes ----------------===//

#include "compiler/jit/Specialisations.h"

#include "compiler/cache/Identity.h"
#include "compiler/conversion/HeddleToLLVM/HeddleToLLVM.h"
#include "compiler/interpreter/Interpreter.h"
#include "compiler/jit/DeviceProgram.h"
#include "compiler/jit/Engine.h"
#include "compiler/jit/OnDevice.h"
#include "compiler/jit/Stages.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"

#include "llvm/ADT/StringExtras.h"

#include <chrono>
#include <map>
#include <mutex>

using namespace mlir;

namespace heddle::jit {

namespace {

DType dtypeOfType(Type type) {
  if (type.isF64())
    return DType::f64;
  if (type.isF32())
    return DType::f32;
  if (type.isBF16())
    return DType::bf16;
  if (type.isF16())
    return DType::f16;
  switch (type.getIntOrFloatBitWidth()) {
  case 64:
    return DType::i64;
  case 32:
    return DType::i32;
  case 8:
    return DType::i8;
  default:
    return DType::boolean;
  }
}

} // namespace

LeafType leafType(Type type, Attribute name) {
  auto tensor = cast<RankedTensorType>(type);
  auto text = dyn_cast_or_null<StringAttr>(name);
  return {text ? text.str() : "", dtypeOfType(tensor.getElementType()),
          Shape(tensor.getShape().begin(), tensor.getShape().end())};
}

CpuTarget runnableTarget(const std::string &name) {
  auto target = CpuTarget::named(name);
  if (!target)
    throw Error(HEDDLE_INVALID_ARGUMENT, "there is no processor '" + name + "'",
                "known are " + llvm::join(CpuTarget::names(), ", "));
  std::vector<std::string> missing = target->missingHere();
  if (!missing.empty())
    throw Error(HEDDLE_INVALID_ARGUMENT,
                "this processor cannot run code for " + name + ": it lacks " + llvm::join(missing, ", "),
                "'native' is what this machine has");
  return *target;
}

Error allocationError(const Error &error, const std::string &what) {
  return Error(error.status(), what + ": " + error.what());
}

std::vector<Tensor> Specialisation::run(std::vector<Tensor> arguments) {
  Started started = start(std::move(arguments));
  if (started.run)
    started.run->wait();
  return std::move(started.results);
}

SpecialisationBase::SpecialisationBase(const frontend::Program &program, std::unique_ptr<MLIRContext> context,
                                       OwningOpRef<ModuleOp> owned, const std::string &entry)
    : context(std::move(context)), module(std::move(owned)), excerpts(program) {
  auto function = module->lookupSymbol<func::FuncOp>(entry);
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
    inputs.push_back(leafType(type, function.getArgAttr(i, "heddle.name")));
  for (auto [i, type] : llvm::enumerate(function.getResultTypes()))
    outputs.push_back(leafType(type, function.getResultAttr(i, "heddle.name")));
}

Started SpecialisationBase::start(std::vector<Tensor> arguments) {
  try {
    return evaluate(std::move(arguments));
  } catch (const Error &error) {
    throw Error(error.status(), excerpts.show(error.what()));
  }
}

std::vector<StepTime> SpecialisationBase::profile(const std::vector<Tensor> &arguments, int64_t calls,
                                                  const std::vector<StepGroup> &groups) {
  try {
    return measure(arguments, calls, groups);
  } catch (const Error &error) {
    throw Error(error.status(), excerpts.show(error.what()));
  }
}

std::vector<StepTime> SpecialisationBase::measure(const std::vector<Tensor> &, int64_t,
                                                  const std::vector<StepGroup> &) {
  return {};
}

CompiledEntry SpecialisationBase::obtain(const std::string &entry, const CpuTarget &host,
                                         const std::string &settings,
                                         llvm::function_ref<CompiledEntry()> compile) {
  const std::optional<cache::Store> store =
      cache::compilerIdentity().empty() ? std::nullopt : cache::Store::fromEnvironment();
  std::string key;
  std::optional<CompiledEntry> code;
  if (store) {
    key = cacheKey(*module, entry, host, settings);
    if (std::optional<std::string> kept = key.empty() ? std::nullopt : store->read(key))
      code = CompiledEntry::deserialise(*kept);
  }
  fromCache = code.has_value();
  if (!code) {
    code = compile();
    if (!key.empty() && code->canBeKept)
      store->write(key, code->serialise());
  }
  arenaBytes = code->arenaBytes;
  donors = code->donors;
  module = nullptr;
  context.reset();
  return std::move(*code);
}

CompiledEntry SpecialisationBase::plan(const std::string &entry) {
  CompiledEntry code;
  auto lowered = module->lookupSymbol<func::FuncOp>(entry);
  code.arenaBytes = lowered->getAttrOfType<IntegerAttr>("heddle.arena_bytes").getInt();
  for (size_t i = 0; i < outputs.size(); ++i) {
    auto donor = lowered.getArgAttrOfType<IntegerAttr>(1 + inputs.size() + i, "heddle.donor");
    code.donors.push_back(donor ? donor.getInt() : -1);
  }
  return code;
}

std::string settingsOf(const FunctionOptions &options) {
  return std::string(options.decompose ? "decompose " : "") + (options.allowTF32 ? "tf32 " : "");
}

std::vector<std::string> SpecialisationBase::compileHost(const CpuTarget &host) {
  PassManager manager(context.get(), ModuleOp::getOperationName());
  cpu::buildLLVMPipeline(manager);
  if (failed(manager.run(*module)))
    throw Error(HEDDLE_INTERNAL, "lowering to LLVM failed");
  auto objects = Executable::compileObjects(*module, host);
  if (!objects)
    throw Error(HEDDLE_INTERNAL, llvm::toString(objects.takeError()));
  return std::move(*objects);
}

std::unique_ptr<Executable> link(const CompiledEntry &code, const std::string &entry) {
  auto loaded = Executable::link(code.objects, entry);
  if (!loaded)
    throw Error(HEDDLE_INTERNAL, llvm::toString(loaded.takeError()));
  return std::move(*loaded);
}

std::vector<Tensor> SpecialisationBase::makeResults(const std::vector<Tensor> &arguments,
                                                    Device device) const {
  std::vector<Tensor> results;
  results.reserve(outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    const LeafType &type = outputs[i];
    try {
      results.push_back(donors[i] >= 0 ? arguments[donors[i]]
                                       : Tensor::empty(type.shape, type.dtype, device));
    } catch (const Error &error) {
      throw allocationError(error, "result '" + type.name + "', " + type.str());
    }
  }
  return results;
}

namespace {

class Interpreted : public SpecialisationBase {
public:
  Interpreted(const frontend::Program &program, std::unique_ptr<MLIRContext> context,
              OwningOpRef<ModuleOp> owned, const std::string &entry, const FunctionOptions &options)
      : SpecialisationBase(program, std::move(context), std::move(owned), entry), entry(entry) {
    if (options.doublePrecision) {
      precision = interp::Precision::F64;
      for (LeafType &type : outputs)
        if (isFloat(type.dtype))
          type.dtype = DType::f64;
    }
    pipelines::PipelineOptions passes;
    passes.decompose = options.decompose;
    runPipeline(*module, pipelines::Stage::Grad, passes);
  }

  Started evaluate(std::vector<Tensor> arguments) override;

private:
  std::string entry;
  interp::Precision precision = interp::Precision::Declared;
};

/// The working memory of compiled functions. A call borrows what it needs, so that functions that run one
/// after the other share one arena; what is kept ends with the last function.
class ArenaPool {
public:
  struct Loan {
    Loan(ArenaPool &pool, int64_t bytes) : pool(pool), memory(pool.take(std::max<int64_t>(bytes, 1))) {}
    ~Loan() { pool.give(std::move(memory)); }
    Loan(const Loan &) = delete;
    Loan &operator=(const Loan &) = delete;

    ArenaPool &pool;
    Tensor memory;
  };

  static std::shared_ptr<ArenaPool> shared() {
    static std::mutex mutex;
    static std::weak_ptr<ArenaPool> known;
    std::lock_guard lock(mutex);
    std::shared_ptr<ArenaPool> pool = known.lock();
    if (!pool)
      known = pool = std::make_shared<ArenaPool>();
    return pool;
  }

private:
  Tensor take(int64_t bytes) {
    std::lock_guard lock(mutex);
    // The smallest that is large enough; otherwise the largest makes room for a larger one.
    auto found = idle.lower_bound(bytes);
    if (found == idle.end() && !idle.empty())
      idle.erase(std::prev(idle.end()));
    try {
      if (found == idle.end())
        return Tensor::empty({bytes}, DType::i8);
    } catch (const Error &error) {
      throw allocationError(error, "working memory");
    }
    Tensor memory = std::move(found->second);
    idle.erase(found);
    return memory;
  }
  void give(Tensor memory) {
    std::lock_guard lock(mutex);
    const int64_t bytes = memory.count();
    idle.emplace(bytes, std::move(memory));
  }

  std::mutex mutex;
  std::multimap<int64_t, Tensor> idle; ///< by size
};

class Compiled : public SpecialisationBase {
public:
  Compiled(const frontend::Program &program, std::unique_ptr<MLIRContext> context,
           OwningOpRef<ModuleOp> owned, const std::string &entry, const FunctionOptions &options)
      : SpecialisationBase(program, std::move(context), std::move(owned), entry) {
    const CpuTarget target = runnableTarget(options.cpu);
    executable = link(obtain(entry, target, settingsOf(options),
                             [&] {
                               pipelines::PipelineOptions passes;
                               passes.decompose = options.decompose;
                               passes.cpu.level = target.level;
                               runPipeline(*module, pipelines::Stage::Lowered, passes);
                               CompiledEntry code = plan(entry);
                               code.objects = compileHost(target);
                               return code;
                             }),
                      entry);
  }

  Started evaluate(std::vector<Tensor> arguments) override {
    ArenaPool::Loan arena(*pool, arenaBytes);
    std::vector<Tensor> results = makeResults(arguments, Device::cpu());
    std::vector<void *> buffers;
    buffers.reserve(arguments.size() + outputs.size() + 1);
    for (const Tensor &argument : arguments)
      buffers.push_back(argument.raw());
    for (const Tensor &result : results)
      buffers.push_back(result.raw());
    buffers.push_back(arena.memory.raw());
    heddle_call_t call;
    heddle_call_init(&call);
    executable->run(&call, buffers.data());
    check(heddle_call_result(&call));
    return {std::move(results), nullptr};
  }

private:
  std::unique_ptr<Executable> executable;
  std::shared_ptr<ArenaPool> pool = ArenaPool::shared();
};

Started Interpreted::evaluate(std::vector<Tensor> arguments) {
  std::vector<interp::Array> values;
  for (const Tensor &argument : arguments)
    values.push_back(interp::Array::fromBuffer(static_cast<interp::Element>(argument.dtype()),
                                               argument.shape(), argument.raw()));
  interp::Options options;
  options.precision = precision;
  auto computed = interp::interpret(*module, entry, std::move(values), options);
  if (!computed)
    throw Error(HEDDLE_PROGRAM_ERROR, llvm::toString(computed.takeError()));
  std::vector<Tensor> results;
  for (auto [type, value] : llvm::zip(outputs, *computed)) {
    results.push_back(Tensor::empty(type.shape, type.dtype));
    value.toBuffer(results.back().raw());
  }
  return {std::move(results), nullptr};
}

} // namespace

std::unique_ptr<Specialisation> Specialisation::create(const frontend::Program &program,
                                                       const std::string &entry,
                                                       const frontend::EntryArguments &arguments,
                                                       const FunctionOptions &options,
                                                       const std::vector<bool> &donated) {
  auto start = std::chrono::steady_clock::now();
  if (options.device.isCuda())
    DeviceTarget::of(options.device.index()); // says what is missing before anything is compiled
  auto [context, module] = elaborate(program, entry, arguments);
  auto function = module->lookupSymbol<func::FuncOp>(entry);
  for (size_t i = 0; i < donated.size(); ++i)
    if (donated[i])
      function.setArgAttr(i, "heddle.donated", UnitAttr::get(context.get()));
  std::unique_ptr<Specialisation> result;
  try {
    if (options.backend == Backend::Interpreter)
      result = std::make_unique<Interpreted>(program, std::move(context), std::move(module), entry, options);
    else if (options.device.isCuda())
      result = specialiseOnDevice(program, std::move(context), std::move(module), entry, options);
    else
      result = std::make_unique<Compiled>(program, std::move(context), std::move(module), entry, options);
  } catch (const Error &error) {
    throw Error(error.status(), Excerpts(program).show(error.what()));
  }
  result->compileSeconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

DType dtypeOf(frontend::ElementType element) {
  switch (element) {
  case frontend::ElementType::F64:
    return DType::f64;
  case frontend::ElementType::F32:
    return DType::f32;
  case frontend::ElementType::BF16:
    return DType::bf16;
  case frontend::ElementType::F16:
    return DType::f16;
  case frontend::ElementType::I64:
    return DType::i64;
  case frontend::ElementType::I32:
    return DType::i32;
  case frontend::ElementType::I8:
    return DType::i8;
  case frontend::ElementType::Bool:
    return DType::boolean;
  }
  return DType::f32;
}

frontend::ElementType elementOf(DType dtype) {
  switch (dtype) {
  case DType::f64:
    return frontend::ElementType::F64;
  case DType::f32:
    return frontend::ElementType::F32;
  case DType::bf16:
    return frontend::ElementType::BF16;
  case DType::f16:
    return frontend::ElementType::F16;
  case DType::i64:
    return frontend::ElementType::I64;
  case DType::i32:
    return frontend::ElementType::I32;
  case DType::i8:
    return frontend::ElementType::I8;
  case DType::boolean:
    return frontend::ElementType::Bool;
  }
  return frontend::ElementType::F32;
}

} // namespace heddle::jit
