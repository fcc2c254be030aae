//===- VariantTest.cpp - Random variants and their dense forms ------------===//
//
// The operation, its backward operation and their blocks against the dense form, whose derivative is that of
// heddle operations.
//
//===----------------------------------------------------------------------===//

#include "RandomVariant.h"

#include "compiler/autodiff/Autodiff.h"
#include "compiler/interpreter/Interpreter.h"
#include "dialects/sparsek/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <catch2/catch.hpp>

#include <cmath>

using namespace mlir;
using heddle::interp::Array;
using heddle::interp::Element;
using Arrays = std::vector<Array>;

static Arrays run(ModuleOp module, StringRef function, const Arrays &arguments) {
  auto results = heddle::interp::interpret(module, function, arguments);
  if (!results)
    FAIL(llvm::toString(results.takeError()));
  return std::move(*results);
}

/// @g(arguments, cotangents of o and lse) -> (o, lse, gradients of all but the table).
static std::string withGradient(const std::string &function) {
  size_t open = function.find('('), arrow = function.find(") -> ("), close = function.find(") {");
  std::string parameters = function.substr(open + 1, arrow - open - 1);
  std::string results = function.substr(arrow + 6, close - arrow - 6);
  std::string o = results.substr(0, results.find(", ")), lse = results.substr(results.find(", ") + 2);
  std::string types, gradients;
  SmallVector<StringRef> list;
  StringRef(parameters).split(list, ", ");
  for (auto [i, parameter] : llvm::enumerate(list)) {
    std::string type = parameter.split(": ").second.str();
    types += type + ", ";
    gradients += i < 6 ? ", " + type : "";
  }
  return "func.func @g(" + parameters + ", %do: " + o + ", %dlse: " + lse + ") -> (" + results + gradients +
         ") {\n  %r:8 = heddle.vjp @f(%q, %k, %v, %bias, %u, %c, %table, %do, %dlse) wrt [0, 1, 2, 3, 4, 5] "
         ": (" +
         types + o + ", " + lse + ") -> (" + results + gradients +
         ")\n  return %r#0, %r#1, %r#2, %r#3, %r#4, %r#5, %r#6, %r#7 : " + results + gradients + "\n}\n" +
         function;
}

TEST_CASE("random variants have the values and gradients of their dense forms", "[variant]") {
  DialectRegistry registry;
  registry.insert<func::FuncDialect, heddle::ir::HeddleDialect, heddle::sparsek::SparseKDialect>();
  heddle::autodiff::registerModels(registry);
  MLIRContext context(registry);
  context.loadAllAvailableDialects();
  int64_t seen = 0;
  for (uint32_t seed = 0; seed < 300; ++seed) {
    RandomVariant variant(seed);
    std::string text = withGradient(variant.text());
    INFO("seed " << seed << "\n" << text);
    std::mt19937_64 random(seed);
    Arrays arguments;
    for (auto [i, shape] : llvm::enumerate(variant.shapes())) {
      arguments.push_back(Array(i == 6 ? Element::i32 : Element::f64, shape));
      for (auto &cell : arguments.back().edit())
        if (i == 6)
          cell.integer = std::uniform_int_distribution<int64_t>(0, variant.tableRange() - 1)(random);
        else
          cell.real = std::uniform_real_distribution<double>(-1, 1)(random);
    }
    Arrays found[2];
    for (bool dense : {false, true}) {
      auto module = parseSourceString<ModuleOp>(text, &context);
      REQUIRE(module);
      PassManager passes(&context);
      if (dense)
        passes.addPass(heddle::sparsek::createSparseKDecompose());
      passes.addPass(heddle::autodiff::createHeddleDifferentiate());
      REQUIRE(succeeded(passes.run(*module)));
      Arrays all = arguments, values = run(*module, "f", arguments);
      std::mt19937_64 cotangents(seed + 1);
      for (Array value : values) {
        for (auto &cell : value.edit()) // A query that sees nothing has no finite lse to differentiate.
          cell.real =
              std::isfinite(cell.real) ? std::uniform_real_distribution<double>(-1, 1)(cotangents) : 0;
        all.push_back(value);
      }
      found[dense] = run(*module, "g", all);
      for (auto [value, again] : llvm::zip(values, found[dense]))
        CHECK(value.str() == again.str());
    }
    for (auto [r, pair] : llvm::enumerate(llvm::zip_equal(found[0], found[1]))) {
      auto &[a, b] = pair;
      INFO("result " << r);
      for (int64_t i = 0; i < a.count(); ++i) {
        INFO("element " << i << ": " << a.real(i) << " and " << b.real(i));
        CHECK(
            (a.real(i) == b.real(i) || std::abs(a.real(i) - b.real(i)) <= 1e-11 * (1 + std::abs(b.real(i)))));
        seen += r > 2 && a.real(i) != 0;
      }
    }
  }
  CHECK(seen > 2000); // gradients that are not zero
}
