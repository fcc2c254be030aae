//===- Interpreter.h - Evaluates programs without compiling them *- C++ -*-===//
//
// The numeric truth of the project: what the operations of `heddle` and `sparsek` mean, written to be read.
// Every backend is compared with it.

#ifndef HEDDLE_COMPILER_INTERPRETER_INTERPRETER_H
#define HEDDLE_COMPILER_INTERPRETER_INTERPRETER_H

#include "compiler/interpreter/Array.h"

#include "mlir/IR/Location.h"
#include "llvm/Support/Error.h"

#include <functional>
#include <optional>

namespace mlir {
class ModuleOp;
class Operation;
} // namespace mlir

namespace heddle::interp {

enum class Precision {
  /// Each operation's result is rounded to its element type; sums within an operation are taken in double.
  Declared,
  /// Every floating-point type is f64: nothing is rounded, casts between floats are identities, and random
  /// numbers are
  /// the f32 ones widened. Arguments of any floating-point type are taken for any other; results are f64.
  F64,
};

/// A failure of the evaluated program (an index out of range, an assertion, a value the interpreter cannot
/// hold) at the operation's source location.
class Error : public llvm::ErrorInfo<Error> {
public:
  static char ID;
  Error(mlir::Location location, std::string message) : location(location), message(std::move(message)) {}

  /// `file:line:col: error: message`, without the position where the location names no file.
  void log(llvm::raw_ostream &os) const override;
  std::error_code convertToErrorCode() const override { return llvm::inconvertibleErrorCode(); }

  mlir::Location location;
  std::string message;
};

struct Options {
  Precision precision = Precision::Declared;
  /// An operation whose result would take all arrays of the process past this many elements is refused. One
  /// element takes 8 bytes, whatever its type.
  int64_t maxElements = int64_t(1) << 29;
  /// Calls nested deeper are refused.
  int maxDepth = 256;
  /// Called for operations without results of other dialects, with their operands; by default they are an
  /// error.
  std::function<llvm::Error(mlir::Operation *, llvm::ArrayRef<Array>)> foreign;
  /// Called before each operation that is evaluated, with its operands: for tools that look into a run.
  std::function<void(mlir::Operation *, llvm::ArrayRef<Array>)> observe;
};

/// Evaluates a function of heddle, sparsek and func operations. `args` are its arguments in order and must
/// have their shapes and element types. One thread at a time per module.
llvm::Expected<std::vector<Array>> interpret(mlir::ModuleOp module, llvm::StringRef function,
                                             std::vector<Array> args, const Options &options = {});

/// The position that a location names, looking through call sites, names and fusions.
std::optional<mlir::FileLineColLoc> filePosition(mlir::Location location);

} // namespace heddle::interp

#endif // HEDDLE_COMPILER_INTERPRETER_INTERPRETER_H
