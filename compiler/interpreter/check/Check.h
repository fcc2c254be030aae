//===- Check.h - Expectations in tests --------------------------*- C++ -*-===//

#ifndef HEDDLE_COMPILER_INTERPRETER_CHECK_CHECK_H
#define HEDDLE_COMPILER_INTERPRETER_CHECK_CHECK_H

#include "compiler/interpreter/Array.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "llvm/Support/Error.h"

#include "compiler/interpreter/check/CheckDialect.h.inc"
#define GET_OP_CLASSES
#include "compiler/interpreter/check/Check.h.inc"

namespace heddle::check {

/// Evaluates an operation of this dialect, for `interp::Options::foreign`. An expectation that does not hold
/// is an error that names the first element that differs.
llvm::Error evaluate(mlir::Operation *op, llvm::ArrayRef<interp::Array> inputs);

} // namespace heddle::check

#endif // HEDDLE_COMPILER_INTERPRETER_CHECK_CHECK_H
