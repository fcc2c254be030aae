//===- DenseTest.cpp - The dense forms of sparsek operations --------------===//

#include "compiler/interpreter/Interpreter.h"
#include "dialects/sparsek/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <random>

using namespace mlir;
using heddle::interp::Array;
using heddle::interp::Element;
using Arrays = std::vector<Array>;

namespace {

struct Setting {
  int64_t topk, window;
  const char *gate, *estimator;
};

/// Attention with its thresholds, their adjoints and tangents for given cotangents and tangents. Two query
/// heads a key-value head, 11 positions.
std::string program(const Setting &s) {
  std::string options = " topk " + std::to_string(s.topk) + " window " + std::to_string(s.window);
  std::string mode = options + " scale 0.6 gate " + s.gate + " estimator " + s.estimator;
  return R"(
!q = tensor<1x4x11x3xf64>
!k = tensor<1x2x11x3xf64>
!u = tensor<1x2x11xf64>
!i = tensor<1x2x11xi32>
!l = tensor<1x4x11xf64>
func.func @f(%q: !q, %k: !k, %v: !k, %u: !u, %do: !q, %dtau: !u, %dlse: !l, %dk: !k)
    -> (!q, !l, !u, !q, !k, !k, !u, !u, !u, !q, !k, !u, !q, !l, !q, !l) {
  %hi, %lo, %count, %end = sparsek.threshold %u)" +
         options + R"( : !u -> !u, !u, !i, !i
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end)" +
         mode + R"( : (!q, !k, !k, !u, !u, !u, !i) -> (!q, !l)
  %g:5 = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do)" +
         mode + R"( : (!q, !k, !k, !u, !u, !u, !i, !q, !l, !q) -> (!q, !k, !k, !u, !u)
  %t = sparsek.threshold_backward %u, %hi, %lo, %count, %dtau window )" +
         std::to_string(s.window) + R"( : !u, !u, !u, !i, !u -> !u
  %h:5 = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do dlse %dlse)" +
         mode + R"( : (!q, !k, !k, !u, !u, !u, !i, !q, !l, !q, !l) -> (!q, !k, !k, !u, !u)
  %x = sparsek.threshold_tangent %u, %hi, %lo, %count, %dtau window )" +
         std::to_string(s.window) + R"( : !u, !u, !u, !i, !u -> !u
  %a:2 = sparsek.attention_tangent %q, %k, %v, %u, %hi, %lo, %end, %o, %lse dq %do dk %dk dv %v du %dtau dtau %x)" +
         mode + R"( : (!q, !k, !k, !u, !u, !u, !i, !q, !l, !q, !k, !k, !u, !u) -> (!q, !l)
  %b:2 = sparsek.attention_tangent %q, %k, %v, %u, %hi, %lo, %end, %o, %lse dk %dk)" +
         mode + R"( : (!q, !k, !k, !u, !u, !u, !i, !q, !l, !k) -> (!q, !l)
  return %o, %lse, %hi, %g#0, %g#1, %g#2, %g#3, %g#4, %t, %h#0, %h#1, %x, %a#0, %a#1, %b#0, %b#1
    : !q, !l, !u, !q, !k, !k, !u, !u, !u, !q, !k, !u, !q, !l, !q, !l
})";
}

Arrays run(ModuleOp module, const Arrays &arguments) {
  auto results = heddle::interp::interpret(module, "f", arguments);
  if (!results)
    FAIL(llvm::toString(results.takeError()));
  return std::move(*results);
}

Array draw(std::mt19937_64 &random, ArrayRef<int64_t> shape) {
  Array array(Element::f64, shape);
  for (auto &cell : array.edit())
    cell.real = std::uniform_real_distribution<double>(-1, 1)(random);
  return array;
}

/// Scores of one kind, by name.
double score(const std::string &kind, std::mt19937_64 &random, int64_t i) {
  double x = std::normal_distribution<double>()(random);
  if (kind == "ties")
    return std::floor(2 * x) / 2;
  if (kind == "constant")
    return 0.25;
  if (kind == "large")
    return 1e6 + x;
  if (kind == "spread")
    return 10 * x;
  if (kind == "minus infinity")
    return i % 3 ? x : -INFINITY;
  if (kind == "not a number")
    return i == 16 ? NAN : x;
  return x;
}

} // namespace

TEST_CASE("the dense forms give what the operations give", "[sparsek]") {
  MLIRContext context;
  context.loadDialect<func::FuncDialect, heddle::ir::HeddleDialect, heddle::sparsek::SparseKDialect>();
  std::mt19937_64 random(7);
  for (Setting setting :
       {Setting{3, 2, "both", "soft"}, Setting{3, 2, "value", "soft"}, Setting{3, 2, "none", "soft"},
        Setting{3, 2, "both", "straight_through"}, Setting{2, 0, "both", "soft"},
        Setting{0, 3, "both", "soft"}, Setting{11, 1, "both", "soft"}, Setting{1, 40, "both", "soft"}}) {
    for (std::string kind :
         {"normal", "ties", "constant", "large", "spread", "minus infinity", "not a number"}) {
      INFO("topk " << setting.topk << " window " << setting.window << " gate " << setting.gate << " "
                   << setting.estimator << ", scores: " << kind);
      auto module = parseSourceString<ModuleOp>(program(setting), &context);
      REQUIRE(module);
      Array u(Element::f64, {1, 2, 11});
      for (auto [i, cell] : llvm::enumerate(u.edit()))
        cell.real = score(kind, random, i);
      Arrays arguments = {draw(random, {1, 4, 11, 3}), draw(random, {1, 2, 11, 3}),
                          draw(random, {1, 2, 11, 3}), u,
                          draw(random, {1, 4, 11, 3}), draw(random, {1, 2, 11}),
                          draw(random, {1, 4, 11}),    draw(random, {1, 2, 11, 3})};
      Arrays expected = run(*module, arguments);
      PassManager passes(&context);
      passes.addPass(heddle::sparsek::createSparseKDecompose());
      REQUIRE(succeeded(passes.run(*module)));
      Arrays found = run(*module, arguments);
      for (auto [r, pair] : llvm::enumerate(llvm::zip_equal(expected, found))) {
        auto &[a, b] = pair;
        INFO("result " << r);
        for (int64_t i = 0; i < a.count(); ++i) {
          INFO("element " << i << ": " << a.real(i) << " and " << b.real(i));
          bool same = a.real(i) == b.real(i) || (std::isnan(a.real(i)) && std::isnan(b.real(i)));
          CHECK((same || std::abs(a.real(i) - b.real(i)) <= 1e-12 * (1 + std::abs(a.real(i)))));
        }
      }
    }
  }
}
