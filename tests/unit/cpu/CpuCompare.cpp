//===- CpuCompare.cpp - Native results against the interpreter's ----------===//
//
// For every public function of an IR file: random arguments, the interpreter's results, the compiled
// function's results, and the largest difference. An argument's attribute `heddle.range = [low, high]` bounds
// its values. Where the interpreter reports a failure the compiled function must report the same.
//
//===----------------------------------------------------------------------===//

#include "compiler/conversion/HeddleToCPU/HeddleToCPU.h"
#include "compiler/conversion/HeddleToLLVM/HeddleToLLVM.h"
#include "compiler/interpreter/Interpreter.h"
#include "compiler/jit/Engine.h"
#include "compiler/pipelines/Pipelines.h"
#include "dialects/heddle/IR/Heddle.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"

#include <algorithm>
#include <chrono>
#include <random>

namespace cl = llvm::cl;
using namespace mlir;
using namespace heddle;

static cl::opt<std::string> fileName(cl::Positional, cl::desc("<file>"), cl::Required);
static cl::opt<double> tolerance("tolerance",
                                 cl::desc("Bound of |x - y| / max(1, |y|) for f32; other types follow"),
                                 cl::init(2e-5));
static cl::opt<bool> noFuse("no-fuse", cl::desc("One operation in each group"));
static cl::opt<bool> verbose("v", cl::desc("Print the largest differences and times"));
static cl::opt<int> repeat("repeat", cl::desc("Run this often and print the shortest time"), cl::init(0));
static cl::opt<std::string> dump("dump", cl::desc("Print a stage: fused, lowered, llvm or asm"));
static cl::opt<std::string> only("function", cl::desc("Compare this function alone"));
static cl::opt<bool> noInterpreter("no-interpreter", cl::desc("Only compile and run"));
static cl::opt<int> level("level", cl::desc("Level of the x86-64 psABI"), cl::init(0));

static interp::Element elementOf(Type type) {
  if (type.isF64())
    return interp::Element::f64;
  if (type.isF32())
    return interp::Element::f32;
  if (type.isBF16())
    return interp::Element::bf16;
  if (type.isF16())
    return interp::Element::f16;
  if (type.isInteger(64))
    return interp::Element::i64;
  if (type.isInteger(32))
    return interp::Element::i32;
  return type.isInteger(8) ? interp::Element::i8 : interp::Element::boolean;
}

static interp::Array randomArray(RankedTensorType type, Attribute range, std::mt19937_64 &random) {
  interp::Array array(elementOf(type.getElementType()), type.getShape());
  double low = array.isFloat() ? -2 : 0, high = array.isFloat() ? 2 : 3;
  if (auto bounds = dyn_cast_or_null<ArrayAttr>(range)) {
    auto number = [](Attribute a) {
      auto real = dyn_cast<FloatAttr>(a);
      return real ? real.getValueAsDouble() : double(cast<IntegerAttr>(a).getInt());
    };
    low = number(bounds[0]), high = number(bounds[1]);
  }
  for (interp::Cell &cell : array.edit()) {
    if (array.isFloat())
      cell.real =
          interp::roundTo(array.element(), low + (high - low) * std::uniform_real_distribution<>()(random));
    else if (array.element() == interp::Element::boolean)
      cell.integer = random() & 1;
    else
      cell.integer = low + int64_t(random() % uint64_t(high - low + 1));
  }
  return array;
}

static double bound(interp::Element element) {
  switch (element) {
  case interp::Element::f64:
    return tolerance * 1e-6;
  case interp::Element::f32:
    return tolerance;
  case interp::Element::bf16:
    return std::max<double>(tolerance, 0.02);
  case interp::Element::f16:
    return std::max<double>(tolerance, 0.003);
  default:
    return 0;
  }
}

/// The largest difference relative to max(1, |expected|); infinite where NaN or infinities differ.
static double difference(const interp::Array &actual, const interp::Array &expected, int64_t &where) {
  double worst = 0;
  where = 0;
  for (int64_t i = 0; i < expected.count(); ++i) {
    double d;
    if (expected.isFloat()) {
      double x = actual.real(i), y = expected.real(i);
      bool same = x == y || (std::isnan(x) && std::isnan(y));
      d = same                                   ? 0
          : std::isfinite(x) && std::isfinite(y) ? std::abs(x - y) / std::max(1.0, std::abs(y))
                                                 : HUGE_VAL;
    } else {
      d = actual.integer(i) == expected.integer(i) ? 0 : HUGE_VAL;
    }
    if (d > worst)
      worst = d, where = i;
  }
  return worst;
}

static bool runPasses(ModuleOp module, llvm::function_ref<void(OpPassManager &)> build) {
  PassManager manager(module.getContext());
  manager.enableVerifier(true);
  build(manager);
  return succeeded(manager.run(module));
}

static bool compareFunction(ModuleOp source, func::FuncOp function) {
  std::string name = function.getName().str();
  auto complain = [&](const llvm::Twine &text) {
    llvm::errs() << '@' << name << ": " << text << '\n';
    return false;
  };
  std::mt19937_64 random(std::hash<std::string>()(name));
  std::vector<interp::Array> arguments;
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    arguments.push_back(randomArray(cast<RankedTensorType>(function.getArgumentTypes()[i]),
                                    function.getArgAttr(i, "heddle.range"), random));
  std::string failure;
  std::vector<interp::Array> expected;
  if (!noInterpreter) {
    auto results = interp::interpret(source, name, arguments);
    if (results)
      expected = std::move(*results);
    else
      failure = llvm::toString(results.takeError());
  }

  OwningOpRef<ModuleOp> module = source.clone();
  for (auto other : module->getOps<func::FuncOp>())
    if (other.getName() != name)
      other.setPrivate();
  cpu::CpuOptions options;
  options.fuse = !noFuse;
  options.level = level;
  auto start = std::chrono::steady_clock::now();
  auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  if (!runPasses(*module, [&](OpPassManager &m) { cpu::buildFusedPipeline(m, {.fuse = options.fuse}); }))
    return complain("cannot be grouped");
  if (dump == "fused")
    module->print(llvm::outs());
  if (!runPasses(*module, [&](OpPassManager &m) { cpu::buildLoweredPipeline(m, options); }))
    return complain("cannot be lowered");
  if (dump == "lowered")
    module->print(llvm::outs());
  int64_t arenaBytes = module->lookupSymbol(name)->getAttrOfType<IntegerAttr>("heddle.arena_bytes").getInt();
  if (!runPasses(*module, [&](OpPassManager &m) { cpu::buildLLVMPipeline(m); }))
    return complain("cannot be lowered to LLVM");
  double passSeconds = seconds();
  auto native = jit::NativeModule::create(*module, {level});
  if (!native)
    return complain(llvm::toString(native.takeError()));
  if (dump == "llvm")
    llvm::outs() << native->llvmIR();
  if (dump == "asm")
    llvm::outs() << *native->assembly();
  auto executable = jit::Executable::load(std::move(*native), name);
  if (!executable)
    return complain(llvm::toString(executable.takeError()));
  double compileSeconds = seconds() - passSeconds;

  // Memory of odd content around and in everything the function writes.
  std::vector<std::vector<char>> memory;
  auto newBuffer = [&](int64_t bytes) -> char * {
    memory.emplace_back(bytes + 192, char(0xA5));
    char *begin = memory.back().data();
    return begin + (64 - reinterpret_cast<uintptr_t>(begin) % 64) + 64 - 64;
  };
  std::vector<void *> buffers;
  for (const interp::Array &argument : arguments) {
    char *buffer = newBuffer(argument.count() * interp::elementBytes(argument.element()));
    argument.toBuffer(buffer);
    buffers.push_back(buffer);
  }
  for (Type type : function.getResultTypes())
    buffers.push_back(
        newBuffer(cast<RankedTensorType>(type).getNumElements() *
                  interp::elementBytes(elementOf(cast<RankedTensorType>(type).getElementType()))));
  buffers.push_back(newBuffer(arenaBytes));
  heddle_call_t call;
  heddle_call_init(&call);
  heddle_set_num_threads(1);
  int32_t status = (*executable)->run(&call, buffers.data());
  auto resultBytes = [&] {
    std::vector<std::vector<char>> bytes;
    for (auto [i, type] : llvm::enumerate(function.getResultTypes())) {
      auto *begin = static_cast<char *>(buffers[arguments.size() + i]);
      auto tensor = cast<RankedTensorType>(type);
      bytes.emplace_back(begin, begin + tensor.getNumElements() *
                                            interp::elementBytes(elementOf(tensor.getElementType())));
    }
    return bytes;
  };
  // The number of threads must not change a bit, and the arena's old contents must not matter.
  auto once = resultBytes();
  heddle_set_num_threads(4);
  heddle_call_init(&call);
  (*executable)->run(&call, buffers.data());
  if (!status && resultBytes() != once)
    return complain("gives other bits on four threads");
  if (!failure.empty() || status) {
    std::string reported = status ? call.message : "no failure";
    // The interpreter marks the position's message as an error.
    std::string wanted = failure;
    if (size_t at = wanted.find(": error: "); at != std::string::npos)
      wanted.replace(at, 9, ": ");
    while (!wanted.empty() && wanted.back() == '\n')
      wanted.pop_back();
    if (reported != wanted)
      return complain("reports \"" + reported + "\", not \"" + wanted + "\"");
    if (verbose)
      llvm::outs() << '@' << name << ": fails as it should: " << reported << '\n';
    return true;
  }
  bool good = true;
  double worst = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    auto actual =
        interp::Array::fromBuffer(expected[i].element(), expected[i].shape(), buffers[arguments.size() + i]);
    int64_t where;
    double d = difference(actual, expected[i], where);
    worst = std::max(worst, d);
    if (d > bound(expected[i].element())) {
      std::string text;
      llvm::raw_string_ostream stream(text);
      stream << "result " << i << " " << expected[i].typeString() << " differs by " << d << " at element "
             << where << ": ";
      if (actual.isFloat())
        stream << actual.real(where) << " is not " << expected[i].real(where);
      else
        stream << actual.integer(where) << " is not " << expected[i].integer(where);
      good = complain(text);
    }
  }
  if (verbose)
    llvm::outs() << '@' << name << ": largest difference " << worst << ", arena " << arenaBytes
                 << " bytes, passes " << passSeconds << " s, code " << compileSeconds << " s\n";
  if (repeat > 0) {
    double best = HUGE_VAL;
    for (int i = 0; i < repeat; ++i) {
      start = std::chrono::steady_clock::now();
      (*executable)->run(&call, buffers.data());
      best = std::min(best, seconds());
    }
    llvm::outs() << '@' << name << ": " << best * 1e3 << " ms\n";
  }
  return good;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::ParseCommandLineOptions(argc, argv, "Compares compiled functions with the interpreter\n");
  DialectRegistry registry;
  pipelines::registerDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  auto module = parseSourceFile<ModuleOp>(fileName, ParserConfig(&context));
  if (!module)
    return 1;
  if (!runPasses(*module, [](OpPassManager &m) { pipelines::buildPipeline(m, pipelines::Stage::Grad, {}); }))
    return 1;
  bool good = true;
  int count = 0;
  for (auto function : llvm::to_vector(module->getOps<func::FuncOp>()))
    if (function.isPublic() && !function.isExternal() && (only.empty() || function.getName() == only)) {
      good &= compareFunction(*module, function);
      ++count;
    }
  llvm::outs() << (good ? "agree: " : "differ: ") << count << " functions\n";
  return good && count ? 0 : 1;
}
