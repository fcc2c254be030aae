//===- Values.h - Arguments and results of a comparison ---------*- C++ -*-===//
#pragma once

#include "compiler/interpreter/Interpreter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <optional>
#include <string>
#include <vector>

namespace heddle::tests {

interp::Element elementOf(mlir::Type type);

/// Random values for every argument, the same for the same name of a function: floats in [-2, 2], integers
/// from 0 to 3, or within the argument's attribute `heddle.range = [low, high]`.
std::vector<interp::Array> randomArguments(mlir::func::FuncOp function);

/// How far results are from what is expected; infinite where NaN, infinities or integers differ.
struct Difference {
  double largest = 0; ///< relative to max(1, |expected|)
  int64_t where = 0;  ///< the element of that
  double norm = 0;    ///< of the difference, relative to the norm of what is expected
};
Difference difference(const interp::Array &actual, const interp::Array &expected);

/// What results of a type may differ by, from what f32 may.
double bound(interp::Element element, double tolerance);

/// What running a function gave: the message of its failure, or its results; and notes for a reader.
struct Outcome {
  std::string failure;
  std::vector<interp::Array> results;
  std::string notes;
};

struct Settings {
  bool fuse = true;
  int level = 0;    ///< of the x86-64 psABI
  int repeat = 0;   ///< run this often and note the shortest time
  std::string dump; ///< prints this stage
};

/// Compiles a function of a module at the stage `grad` and runs it: for the CPU on one and four threads, for
/// the first GPU kernel by kernel and as a graph. Other bits the second time are an error, as is what cannot
/// be compiled.
llvm::Expected<Outcome> runOnCpu(mlir::ModuleOp source, mlir::func::FuncOp function,
                                 const std::vector<interp::Array> &arguments, const Settings &settings);
llvm::Expected<Outcome> runOnDevice(mlir::ModuleOp source, mlir::func::FuncOp function,
                                    const std::vector<interp::Array> &arguments, const Settings &settings);

/// A copy of the module in which this function alone is public.
mlir::OwningOpRef<mlir::ModuleOp> isolated(mlir::ModuleOp source, llvm::StringRef name);
/// Runs the passes that `build` adds, and says what they are for where they fail.
llvm::Error runPasses(mlir::ModuleOp module, llvm::function_ref<void(mlir::OpPassManager &)> build,
                      const char *purpose);

} // namespace heddle::tests
