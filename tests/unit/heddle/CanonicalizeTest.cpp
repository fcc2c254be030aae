// Canonicalisation changes no bit: random functions give the same results before and after.

#include "RandomFunction.h"

#include "compiler/interpreter/Interpreter.h"
#include "dialects/heddle/IR/Heddle.h"
#include "dialects/heddle/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

#include <catch2/catch.hpp>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>

using namespace heddle;
using interp::Array;

static Array randomArray(const TensorType &type, std::mt19937 &random) {
  static const std::pair<const char *, interp::Element> elements[] = {
      {"f64", interp::Element::f64}, {"f32", interp::Element::f32}, {"bf16", interp::Element::bf16},
      {"f16", interp::Element::f16}, {"i32", interp::Element::i32}, {"i1", interp::Element::boolean}};
  auto element = std::find_if(std::begin(elements), std::end(elements), [&](const auto &known) {
                   return known.first == type.element;
                 })->second;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  static const double special[] = {0.0,      -0.0,      1.0,          -1.0, 2.0,     0.5,
                                   infinity, -infinity, std::nan(""), 1e-7, -60000.0};
  Array array(element, type.shape);
  for (interp::Cell &cell : array.edit())
    if (!array.isFloat())
      cell.integer = element == interp::Element::boolean ? static_cast<int64_t>(random() % 2)
                                                         : static_cast<int64_t>(random() % 9) - 4;
    else
      cell.real = random() % 3 ? interp::roundTo(element, std::normal_distribution<double>()(random))
                               : interp::roundTo(element, special[random() % std::size(special)]);
  return array;
}

/// Equal bits; NaNs are equal, and without `signedZeros` 0 and -0 are.
static bool isSame(const Array &a, const Array &b, bool signedZeros) {
  if (a.shape() != b.shape() || a.element() != b.element())
    return false;
  for (int64_t i = 0; i < a.count(); ++i) {
    bool same = a.integer(i) == b.integer(i);
    if (a.isFloat())
      same |= (std::isnan(a.real(i)) && std::isnan(b.real(i))) || (!signedZeros && a.real(i) == b.real(i));
    if (!same)
      return false;
  }
  return true;
}

static std::string textOf(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  module.print(os);
  return text;
}

static std::vector<Array> run(mlir::ModuleOp module, const std::vector<Array> &arguments) {
  auto results = interp::interpret(module, "f", arguments);
  if (!results)
    FAIL(llvm::toString(results.takeError()) << "\n" << textOf(module));
  return *results;
}

static void checkSeed(uint32_t seed, bool signedZeros) {
  RandomFunction function(seed, 24, signedZeros);
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<mlir::func::FuncDialect, ir::HeddleDialect>();
  INFO("seed " << seed << "\n" << function.text());
  auto module = mlir::parseSourceString<mlir::ModuleOp>(function.text(), &context);
  REQUIRE(module);
  std::mt19937 random(seed);
  std::vector<Array> arguments;
  for (const TensorType &type : function.arguments())
    arguments.push_back(randomArray(type, random));
  std::vector<Array> before = run(*module, arguments);

  // Where it does not converge the pass fails: patterns that undo each other would show as nothing but time.
  mlir::PassManager passes(&context);
  REQUIRE(mlir::succeeded(mlir::parsePassPipeline(
      "canonicalize{test-convergence=true},heddle-hoist-invariants,cse,canonicalize{test-convergence=true}",
      passes)));
  REQUIRE(mlir::succeeded(passes.run(*module)));

  std::vector<Array> after = run(*module, arguments);
  REQUIRE(before.size() == after.size());
  for (size_t i = 0; i < before.size(); ++i)
    if (!isSame(before[i], after[i], signedZeros))
      FAIL("result " << i << " was " << before[i].str() << " and is " << after[i].str() << " after\n"
                     << textOf(*module));
}

static void checkSeeds(uint32_t first, bool signedZeros) {
  mlir::registerTransformsPasses();
  ir::registerHeddleTransformsPasses();
  // A longer search: HEDDLE_FUZZ_SEED=5000 HEDDLE_FUZZ_ROUNDS=100000.
  auto setting = [](const char *name, uint32_t fallback) {
    return std::getenv(name) ? static_cast<uint32_t>(std::atoi(std::getenv(name))) : fallback;
  };
  first += setting("HEDDLE_FUZZ_SEED", 0);
  for (uint32_t seed = first, rounds = setting("HEDDLE_FUZZ_ROUNDS", 600); seed < first + rounds; ++seed)
    checkSeed(seed, signedZeros);
}

TEST_CASE("canonical functions give the same bits") { checkSeeds(1, true); }

TEST_CASE("canonical functions with sums and extrema give the same numbers") { checkSeeds(1, false); }
