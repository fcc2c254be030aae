//===- Main.cpp - Compiled functions against the interpreter --------------===//
//
// For every public function of IR files: random arguments, the interpreter's results, the compiled function's
// results, and the largest difference. Where the interpreter reports a failure the compiled function must
// report the same.
//
//===----------------------------------------------------------------------===//

#include "Values.h"

#include "compiler/pipelines/Pipelines.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"

namespace cl = llvm::cl;
using namespace mlir;
using namespace heddle;
using namespace heddle::tests;

static cl::list<std::string> fileNames(cl::Positional, cl::desc("<files>"), cl::OneOrMore);
enum class Where { Cpu, Cuda };
static cl::opt<Where> device("device", cl::desc("What runs the compiled functions"), cl::init(Where::Cpu),
                             cl::values(clEnumValN(Where::Cpu, "cpu", "this processor"),
                                        clEnumValN(Where::Cuda, "cuda", "the first GPU")));
static cl::opt<double> tolerance("tolerance",
                                 cl::desc("Bound of |x - y| / max(1, |y|) for f32; other types follow"),
                                 cl::init(2e-5));
static cl::opt<bool> noFuse("no-fuse", cl::desc("One operation in each group"));
static cl::opt<bool> verbose("v", cl::desc("Print the largest differences and times"));
static cl::opt<int> repeat("repeat", cl::desc("Run this often and print the shortest time"), cl::init(0));
static cl::opt<std::string> dump("dump",
                                 cl::desc("Print a stage: fused, lowered; of the CPU also llvm or asm"));
static cl::opt<std::string> only("function", cl::desc("Compare this function alone"));
static cl::opt<bool> noInterpreter("no-interpreter", cl::desc("Only compile and run"));
static cl::opt<int> level("level", cl::desc("Level of the x86-64 psABI"), cl::init(0));

/// The interpreter marks the position's message as an error.
static std::string asReported(std::string failure) {
  if (size_t at = failure.find(": error: "); at != std::string::npos)
    failure.replace(at, 9, ": ");
  while (!failure.empty() && failure.back() == '\n')
    failure.pop_back();
  return failure;
}

/// Tensor cores round weights of 16-bit operands, and what is computed from their results follows; sums of
/// captures are exact to a fraction of their largest term. So a norm within the bound of the roughest type
/// will do on a GPU.
static double roughest(func::FuncOp function, interp::Element result) {
  double largest = bound(result, tolerance);
  for (Type type : function.getArgumentTypes())
    if (interp::Element element = elementOf(cast<RankedTensorType>(type).getElementType());
        interp::isFloat(element))
      largest = std::max(largest, bound(element, tolerance));
  return interp::isFloat(result) ? largest : 0;
}

static bool compareFunction(ModuleOp source, func::FuncOp function) {
  std::string name = function.getName().str();
  auto complain = [&](const llvm::Twine &text) {
    llvm::errs() << '@' << name << ": " << text << '\n';
    return false;
  };
  std::vector<interp::Array> arguments = randomArguments(function);
  std::string failure;
  std::vector<interp::Array> expected;
  if (!noInterpreter) {
    auto results = interp::interpret(source, name, arguments);
    if (results)
      expected = std::move(*results);
    else
      failure = asReported(llvm::toString(results.takeError()));
  }
  const Settings settings{!noFuse, level, repeat, dump};
  auto outcome = device == Where::Cpu ? runOnCpu(source, function, arguments, settings)
                                      : runOnDevice(source, function, arguments, settings);
  if (!outcome)
    return complain(llvm::toString(outcome.takeError()));
  if (outcome->failure != failure)
    return complain("reports \"" + (outcome->failure.empty() ? "no failure" : outcome->failure) +
                    "\", not \"" + failure + "\"");
  if (!failure.empty()) {
    if (verbose)
      llvm::outs() << '@' << name << ": fails as it should: " << failure << '\n';
    return true;
  }
  bool good = true;
  double worst = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const interp::Array &actual = outcome->results[i];
    const Difference d = difference(actual, expected[i]);
    worst = std::max(worst, d.largest);
    if (d.largest <= bound(expected[i].element(), tolerance) ||
        (device == Where::Cuda && d.norm <= roughest(function, expected[i].element())))
      continue;
    std::string text;
    llvm::raw_string_ostream stream(text);
    stream << "result " << i << " " << expected[i].typeString() << " differs by " << d.largest
           << " at element " << d.where << ": ";
    if (actual.isFloat())
      stream << actual.real(d.where) << " is not " << expected[i].real(d.where);
    else
      stream << actual.integer(d.where) << " is not " << expected[i].integer(d.where);
    good = complain(text);
  }
  if (verbose || repeat > 0)
    llvm::outs() << '@' << name << ": largest difference " << worst << ", " << outcome->notes;
  return good;
}

/// The number of functions that were compared, or nothing if one differs.
static std::optional<int> compareFile(const std::string &fileName, MLIRContext &context) {
  auto module = parseSourceFile<ModuleOp>(fileName, ParserConfig(&context));
  if (!module)
    return std::nullopt;
  auto differentiate = [](OpPassManager &m) { pipelines::buildPipeline(m, pipelines::Stage::Grad, {}); };
  if (auto error = runPasses(*module, differentiate, "differentiated")) {
    llvm::errs() << fileName << ": " << llvm::toString(std::move(error)) << '\n';
    return std::nullopt;
  }
  bool good = true;
  int count = 0;
  for (auto function : llvm::to_vector(module->getOps<func::FuncOp>()))
    if (function.isPublic() && !function.isExternal() && (only.empty() || function.getName() == only)) {
      good &= compareFunction(*module, function);
      ++count;
    }
  if (!good)
    llvm::outs() << "differ: " << fileName << '\n';
  return good ? std::optional(count) : std::nullopt;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::ParseCommandLineOptions(argc, argv, "Compares compiled functions with the interpreter\n");
  DialectRegistry registry;
  pipelines::registerDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  bool good = true;
  int count = 0;
  for (const std::string &fileName : fileNames) {
    const std::optional<int> compared = compareFile(fileName, context);
    good &= compared.has_value();
    count += compared.value_or(0);
  }
  if (good)
    llvm::outs() << "agree: " << count << " functions\n";
  return good && count ? 0 : 1;
}
