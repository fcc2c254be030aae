//===- DerivativeTest.cpp - Derivatives against finite differences --------===//
//
// Every public function of cases/*.mlir is a case, unless its name ends in `.kinks`. Of its floating-point
// arguments:
// - the value that comes with the gradient, or with the tangent, is the function's value;
// - the gradient along random directions and single coordinates is the finite difference of the function
// (five-point
//   stencil, f64);
// - <ct, J d> = <J^T ct, d>;
// - the same three hold for the gradient as a function of its own, and for the tangent, unless the case says
// `test.first`.
//
// Attributes: of an argument `test.range = [lo, hi]`, of integers with hi excluded; `test.constant` arguments
// are not differentiated. Where a function `NAME.kinks` exists, a finite difference counts only if that
// function has one value at all points of the stencil: its results say on which piece of a piecewise function
// the arguments lie. The gradient of a `test.estimated` function is not that of its value, so only the two
// modes are compared.
//
// Random numbers depend on the name of the case and on `--rng-seed`.
//
//===----------------------------------------------------------------------===//

#include "compiler/autodiff/Autodiff.h"
#include "compiler/interpreter/Interpreter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <filesystem>
#include <random>

using namespace mlir;
using heddle::interp::Array;
using Arrays = std::vector<Array>;

namespace {

bool isFloat(Type type) { return isa<FloatType>(cast<RankedTensorType>(type).getElementType()); }

std::string typesString(TypeRange types) {
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::interleaveComma(types, os);
  return text;
}

/// A function of a file, with what the tests need to know of it.
struct Case {
  std::string name;
  SmallVector<Type> arguments, results;
  SmallVector<std::pair<double, double>> ranges;
  SmallVector<int64_t> wrt;
  bool second = true, estimated = false;
  /// The function that says on which piece the first `numKinkArguments` arguments lie; empty where there is
  /// none.
  std::string kinks;
  size_t numKinkArguments = 0;
};

class Program {
public:
  explicit Program(const std::string &path) {
    DialectRegistry registry;
    registry.insert<func::FuncDialect, heddle::ir::HeddleDialect, heddle::sparsek::SparseKDialect>();
    heddle::autodiff::registerModels(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    context.allowUnregisteredDialects();
    context.getDiagEngine().registerHandler([](Diagnostic &diagnostic) {
      if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
        FAIL_CHECK(diagnostic.str());
      return success();
    });
    module = parseSourceFile<ModuleOp>(path, &context);
    REQUIRE(module);
    for (auto function : module->getOps<func::FuncOp>())
      if (function.isPublic() && !function.getName().ends_with(".kinks"))
        cases.push_back(read(function));
    addRequests();
    PassManager passes(&context);
    passes.addPass(heddle::autodiff::createHeddleDifferentiate());
    REQUIRE(succeeded(passes.run(*module)));
    REQUIRE(succeeded(verify(*module)));
  }

  Arrays run(const std::string &function, const Arrays &arguments) {
    heddle::interp::Options options;
    options.precision = heddle::interp::Precision::F64;
    auto results = heddle::interp::interpret(*module, function, arguments, options);
    if (!results)
      FAIL(function << ": " << llvm::toString(results.takeError()));
    return std::move(*results);
  }

  std::vector<Case> cases;

private:
  Case read(func::FuncOp function) {
    Case made;
    made.name = function.getName().str();
    made.arguments.assign(function.getArgumentTypes().begin(), function.getArgumentTypes().end());
    made.results.assign(function.getResultTypes().begin(), function.getResultTypes().end());
    made.second = !function->hasAttr("test.first");
    made.estimated = function->hasAttr("test.estimated");
    if (module->lookupSymbol(made.name + ".kinks"))
      made.kinks = made.name + ".kinks";
    made.numKinkArguments = made.arguments.size();
    for (auto [i, type] : llvm::enumerate(made.arguments)) {
      std::pair<double, double> range = {isFloat(type) ? -1 : 0, 2};
      if (isFloat(type))
        range.second = 1;
      if (auto given = function.getArgAttrOfType<ArrayAttr>(i, "test.range"))
        range = {cast<FloatAttr>(given[0]).getValueAsDouble(), cast<FloatAttr>(given[1]).getValueAsDouble()};
      made.ranges.push_back(range);
      if (isFloat(type) && !function.getArgAttr(i, "test.constant"))
        made.wrt.push_back(i);
    }
    return made;
  }

  /// Adds NAME.g (the gradient as a function), NAME.t (the tangent as a function), and NAME.v, NAME.j of the
  /// three.
  void addRequests() {
    std::string text;
    llvm::raw_string_ostream os(text);
    auto declare = [&](const Case &c, StringRef op, StringRef suffix, ArrayRef<Type> extra,
                       ArrayRef<Type> added, bool gradientOnly) {
      SmallVector<Type> operands(c.arguments), results(c.results);
      llvm::append_range(operands, extra);
      llvm::append_range(results, added);
      os << "func.func @\"" << c.name << suffix << "\"(";
      for (auto [i, type] : llvm::enumerate(operands))
        os << (i ? ", " : "") << "%a" << i << ": " << type;
      size_t first = gradientOnly ? c.results.size() : 0;
      os << ") -> (" << typesString(ArrayRef(results).drop_front(first)) << ") {\n  %r:" << results.size()
         << " = heddle." << op << " @\"" << c.name << "\"(";
      for (size_t i = 0; i < operands.size(); ++i)
        os << (i ? ", " : "") << "%a" << i;
      os << ") wrt [";
      llvm::interleaveComma(c.wrt, os);
      os << "] : (" << typesString(operands) << ") -> (" << typesString(results) << ")\n  return ";
      for (size_t i = first; i < results.size(); ++i)
        os << (i > first ? ", " : "") << "%r#" << i;
      os << " : " << typesString(ArrayRef(results).drop_front(first)) << "\n}\n";
    };
    // A derivative as a case of its own: `extra` are its further arguments, `made` its results.
    auto derive = [&](const Case &c, StringRef op, StringRef suffix, ArrayRef<Type> extra,
                      ArrayRef<Type> made) {
      declare(c, op, suffix, extra, made, true);
      Case d = c;
      d.name += suffix;
      d.second = false;
      d.results.assign(made.begin(), made.end());
      for (Type type : extra) {
        d.wrt.push_back(d.arguments.size());
        d.arguments.push_back(type);
        d.ranges.push_back({-1, 1});
      }
      SmallVector<Type> chosen;
      for (int64_t i : d.wrt)
        chosen.push_back(d.arguments[i]);
      declare(d, "vjp", ".v", d.results, chosen, false);
      declare(d, "jvp", ".j", chosen, d.results, false);
      cases.push_back(d);
    };
    size_t n = cases.size();
    for (size_t k = 0; k < n; ++k) {
      Case c = cases[k];
      SmallVector<Type> floats, chosen;
      llvm::copy_if(c.results, std::back_inserter(floats), isFloat);
      for (int64_t i : c.wrt)
        chosen.push_back(c.arguments[i]);
      declare(c, "vjp", ".v", floats, chosen, false);
      declare(c, "jvp", ".j", chosen, floats, false);
      if (!c.second)
        continue;
      derive(c, "vjp", ".g", floats, chosen);
      derive(c, "jvp", ".t", chosen, floats);
    }
    Block parsed; // Refers to functions of the file, so it is verified with them.
    REQUIRE(succeeded(parseSourceString(text, &parsed, ParserConfig(&context, false))));
    module->getBody()->getOperations().splice(module->getBody()->end(), parsed.getOperations());
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
};

std::mt19937_64 randomness; // seeded for each function by its name, so that a new case changes no other one

Array draw(Type type, std::pair<double, double> range) {
  auto tensor = cast<RankedTensorType>(type);
  Type element = tensor.getElementType();
  if (isa<FloatType>(element)) {
    Array array(heddle::interp::Element::f64, tensor.getShape());
    for (auto &cell : array.edit())
      cell.real = std::uniform_real_distribution<double>(range.first, range.second)(randomness);
    return array;
  }
  Array array(element.isInteger(1)    ? heddle::interp::Element::boolean
              : element.isInteger(32) ? heddle::interp::Element::i32
                                      : heddle::interp::Element::i64,
              tensor.getShape());
  for (auto &cell : array.edit())
    cell.integer =
        std::uniform_int_distribution<int64_t>((int64_t)range.first, (int64_t)range.second - 1)(randomness);
  return array;
}

double dot(const Array &a, const Array &b) {
  double sum = 0;
  for (int64_t i = 0; i < a.count(); ++i)
    sum += a.real(i) * b.real(i);
  return sum;
}

double dot(ArrayRef<Array> a, ArrayRef<Array> b) {
  double sum = 0;
  for (auto [x, y] : llvm::zip_equal(a, b))
    sum += dot(x, y);
  return sum;
}

double norm(ArrayRef<Array> a) { return std::sqrt(dot(a, a)); }

/// The arguments with `step` times the direction added to those that are differentiated.
Arrays moved(const Case &c, Arrays arguments, const Arrays &direction, double step) {
  for (auto [i, d] : llvm::zip_equal(c.wrt, direction))
    for (auto [cell, by] : llvm::zip(arguments[i].edit(), d.cells()))
      cell.real += step * by.real;
  return arguments;
}

Arrays floatsOf(const Arrays &arrays) {
  Arrays floats;
  llvm::copy_if(arrays, std::back_inserter(floats), [](const Array &array) { return array.isFloat(); });
  return floats;
}

/// The finite difference of <ct, f> along a direction; nothing where a kink lies between the points.
std::optional<double> difference(Program &program, const Case &c, const Arrays &arguments,
                                 const Arrays &cotangents, const Arrays &direction) {
  const double h = 1e-4;
  std::optional<Arrays> piece;
  const double steps[4] = {-2 * h, -h, h, 2 * h};
  double at[4];
  for (auto [k, step] : llvm::enumerate(steps)) {
    Arrays point = moved(c, arguments, direction, step);
    if (!c.kinks.empty()) {
      Arrays now = program.run(c.kinks, Arrays(point.begin(), point.begin() + c.numKinkArguments));
      if (piece)
        for (auto [a, b] : llvm::zip_equal(*piece, now))
          for (int64_t i = 0; i < a.count(); ++i)
            if (a.integer(i) != b.integer(i))
              return std::nullopt;
      piece = now;
    }
    at[k] = dot(floatsOf(program.run(c.name, point)), cotangents);
  }
  return (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * h);
}

void check(Program &program, const Case &c) {
  INFO("function " << c.name);
  std::vector<uint32_t> numbers(c.name.begin(), c.name.end());
  numbers.push_back(Catch::rngSeed());
  std::seed_seq seed(numbers.begin(), numbers.end());
  randomness.seed(seed);
  Arrays arguments, cotangents;
  for (auto [type, range] : llvm::zip_equal(c.arguments, c.ranges))
    arguments.push_back(draw(type, range));
  for (Type type : c.results)
    if (isFloat(type))
      cotangents.push_back(draw(type, {-1, 1}));

  Arrays value = program.run(c.name, arguments), both = arguments;
  llvm::append_range(both, cotangents);
  Arrays all = program.run(c.name + ".v", both);
  Arrays gradient(all.begin() + value.size(), all.end());
  all.resize(value.size());
  auto checkValue = [&](const Arrays &other) {
    for (auto [a, b] : llvm::zip_equal(floatsOf(value), floatsOf(other)))
      for (int64_t i = 0; i < a.count(); ++i)
        CHECK((a.real(i) == b.real(i) || b.real(i) == Approx(a.real(i)).epsilon(1e-12).margin(1e-13)));
  };
  checkValue(all);

  auto randomDirection = [&] {
    Arrays direction;
    for (int64_t i : c.wrt)
      direction.push_back(draw(c.arguments[i], {-1, 1}));
    return direction;
  };
  std::vector<Arrays> directions = {randomDirection(), randomDirection(), randomDirection()};
  for (size_t k = 0; k < c.wrt.size(); ++k)
    for (int sample = 0; sample < 3; ++sample) {
      Arrays unit;
      for (int64_t i : c.wrt)
        unit.push_back(
            Array(heddle::interp::Element::f64, cast<RankedTensorType>(c.arguments[i]).getShape()));
      if (unit[k].count() == 0)
        continue;
      unit[k].edit()[std::uniform_int_distribution<int64_t>(0, unit[k].count() - 1)(randomness)].real = 1;
      directions.push_back(unit);
    }
  int compared = 0;
  for (const Arrays &direction : directions) {
    double expected = dot(gradient, direction);
    auto found = c.estimated ? std::nullopt : difference(program, c, arguments, cotangents, direction);
    if (found) {
      double scale = 1e-9 * norm(gradient) * norm(direction) + 1e-9;
      INFO("along " << direction.size() << " arguments");
      CHECK(*found == Approx(expected).epsilon(2e-7).margin(10 * scale));
      ++compared;
    }
    Arrays operands = arguments;
    llvm::append_range(operands, direction);
    Arrays tangents = program.run(c.name + ".j", operands);
    checkValue(Arrays(tangents.begin(), tangents.begin() + value.size()));
    tangents.erase(tangents.begin(), tangents.begin() + value.size());
    double scale = norm(gradient) * norm(direction) + norm(tangents) * norm(cotangents);
    CHECK(dot(tangents, cotangents) == Approx(expected).epsilon(1e-11).margin(1e-13 * scale + 1e-14));
  }
  CHECK((c.estimated || 2 * compared >= (int)directions.size())); // Kinks must not hide a whole case.
}

} // namespace

TEST_CASE("derivatives are those of finite differences, in both modes and twice", "[autodiff]") {
  std::vector<std::string> files;
  for (const auto &entry : std::filesystem::directory_iterator(HEDDLE_CASES))
    files.push_back(entry.path().string());
  llvm::sort(files);
  REQUIRE(!files.empty());
  for (const std::string &file : files) {
    SECTION(std::filesystem::path(file).stem().string()) {
      Program program(file);
      REQUIRE(!program.cases.empty());
      for (const Case &c : program.cases)
        check(program, c);
    }
  }
}
