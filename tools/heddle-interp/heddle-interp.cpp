//===- heddle-interp.cpp - Evaluates functions of an IR file --------------===//
//
// Runs every public function without parameters of a module, in order, and prints what it returns. Exit
// status 0: all ran and every expectation of the check dialect held; 1: some did not, or the file is wrong.

#include "compiler/interpreter/Interpreter.h"
#include "compiler/interpreter/check/Check.h"
#include "dialects/heddle/IR/Heddle.h"
#include "dialects/sparsek/IR/SparseK.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"

namespace cl = llvm::cl;
using namespace heddle;

static cl::OptionCategory category("heddle-interp options");
static cl::opt<std::string> inputName(cl::Positional, cl::desc("<file, or - for standard input>"),
                                      cl::init("-"), cl::cat(category));
static cl::opt<interp::Precision> precision(
    "precision", cl::desc("How floating-point types are evaluated"),
    cl::values(clEnumValN(interp::Precision::Declared, "declared", "rounded to each operation's type"),
               clEnumValN(interp::Precision::F64, "f64", "all of them as f64")),
    cl::init(interp::Precision::Declared), cl::cat(category));
static cl::opt<std::string> only("function", cl::desc("Run this function alone"), cl::value_desc("name"),
                                 cl::cat(category));

/// Evaluates one function and prints its results; whether it succeeded.
static bool run(mlir::ModuleOp module, mlir::func::FuncOp function) {
  interp::Options options;
  options.precision = precision;
  options.foreign = check::evaluate;
  auto results = interp::interpret(module, function.getName(), {}, options);
  if (!results) {
    llvm::handleAllErrors(
        results.takeError(),
        [](const interp::Error &error) { mlir::emitError(error.location) << error.message; },
        [&](const llvm::ErrorInfoBase &error) { function.emitError() << error.message(); });
    return false;
  }
  for (const interp::Array &result : *results)
    llvm::outs() << '@' << function.getName() << ": " << result.typeString() << ' ' << result.str() << '\n';
  return true;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(argc, argv, "Evaluates heddle, sparsek and check operations\n");

  mlir::DialectRegistry registry;
  registry.insert<mlir::func::FuncDialect, ir::HeddleDialect, heddle::sparsek::SparseKDialect,
                  check::CheckDialect>();
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);

  std::string message;
  auto file = mlir::openInputFile(inputName, &message);
  if (!file) {
    llvm::errs() << "error: " << message << '\n';
    return 1;
  }
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(file), llvm::SMLoc());
  mlir::SourceMgrDiagnosticHandler handler(sources, &context);
  auto module = mlir::parseSourceFile<mlir::ModuleOp>(sources, &context);
  if (!module)
    return 1;

  int ran = 0;
  bool good = true;
  for (auto function : module->getOps<mlir::func::FuncOp>()) {
    bool wanted = only.empty()
                      ? function.isPublic() && !function.isExternal() && function.getNumArguments() == 0
                      : function.getName() == only;
    if (!wanted)
      continue;
    ++ran;
    good &= run(*module, function);
  }
  if (ran == 0) {
    llvm::errs() << "error: " << inputName << " has no "
                 << (only.empty() ? "public function without parameters" : "function @" + only) << '\n';
    return 1;
  }
  return good ? 0 : 1;
}
