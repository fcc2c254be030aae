// IR from text, to be interpreted.

#include "Program.h"

#include "compiler/interpreter/Interpreter.h"
#include "dialects/heddle/IR/Heddle.h"
#include "dialects/sparsek/IR/SparseK.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"

#include <catch2/catch.hpp>

using namespace heddle;

struct Program::Parsed {
  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

Program::Program(const std::string &text) : parsed(std::make_unique<Parsed>()) {
  parsed->context.loadDialect<mlir::func::FuncDialect, ir::HeddleDialect, heddle::sparsek::SparseKDialect>();
  parsed->module = mlir::parseSourceString<mlir::ModuleOp>(text, &parsed->context, "program.mlir");
  REQUIRE(parsed->module);
}

Program::~Program() = default;

static interp::Options optionsOf(bool f64, int64_t maxElements) {
  interp::Options options;
  options.precision = f64 ? interp::Precision::F64 : interp::Precision::Declared;
  options.maxElements = maxElements;
  return options;
}

Program::Arrays Program::run(Arrays args, bool f64, int64_t maxElements) {
  auto results = interp::interpret(*parsed->module, "f", std::move(args), optionsOf(f64, maxElements));
  if (!results)
    FAIL(llvm::toString(results.takeError()));
  return *results;
}

std::string Program::error(Arrays args, const std::string &function, bool f64, int64_t maxElements) {
  auto results = interp::interpret(*parsed->module, function, std::move(args), optionsOf(f64, maxElements));
  if (results)
    FAIL("the program succeeded");
  return llvm::toString(results.takeError());
}
