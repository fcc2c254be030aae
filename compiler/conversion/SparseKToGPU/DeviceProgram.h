//===- DeviceProgram.h - What an operation becomes on a device ------------===//
//
// An operation becomes a sequence of kernel launches, which the entry lowering emits one after the other. All
// sizes are known when the program is made.
//
//===----------------------------------------------------------------------===//
#ifndef HEDDLE_COMPILER_CONVERSION_SPARSEKTOGPU_DEVICEPROGRAM_H
#define HEDDLE_COMPILER_CONVERSION_SPARSEKTOGPU_DEVICEPROGRAM_H

#include "compiler/conversion/GPU/Choice.h"

#include "llvm/ADT/SmallVector.h"

#include <array>
#include <cstdint>
#include <string>

namespace heddle::gpu {

/// An argument of a launch, for the operation that the program was made for or an equal one.
struct DeviceOperand {
  enum Kind {
    Operand,   ///< !llvm.ptr<1>: the buffer of the operation's operand `number`
    Result,    ///< !llvm.ptr<1>: the buffer of its result `number`
    Workspace, ///< !llvm.ptr<1>: the workspace from byte `number` on, a multiple of 256
    I32,       ///< i32: `number` itself
    I64,       ///< i64: `number` itself
    Errors,    ///< !llvm.ptr: the record that failures are written to
    Message,   ///< i32: what to report of the operation that a variant's reads list at `number`
    Failure,   ///< i32: the program's own message `number`, reported of the operation itself
  } kind = I32;
  int64_t number = 0;
};

/// What a kernel may report: `text` has up to two "{}" for integers.
struct DeviceFailure {
  int32_t status; ///< heddle_status_t
  std::string text;
};

/// A launch of a kernel of the module. `Errors` comes last among the operands where it is there.
struct DeviceStep {
  std::string kernel;
  std::array<int64_t, 3> grid = {1, 1, 1};
  int64_t block = 0;  ///< threads
  int64_t shared = 0; ///< bytes of dynamic shared memory
  llvm::SmallVector<DeviceOperand, 16> operands;
};

/// The steps, one after the other. The workspace is uninitialised device memory. Early steps come first and
/// have a part of the workspace first: where they read fewer operands than the others, they can run before
/// those are there, beside what computes them.
struct DeviceProgram {
  llvm::SmallVector<DeviceStep, 8> steps;
  llvm::SmallVector<DeviceFailure, 2> failures; ///< numbered one after the other
  int64_t workspaceBytes = 0;
  size_t earlySteps = 0;
  int64_t earlyBytes = 0;
  Choice taken; ///< what was chosen where more than one way serves

  /// Reserves a part of the workspace.
  DeviceOperand reserve(int64_t bytes) {
    DeviceOperand part{DeviceOperand::Workspace, workspaceBytes};
    workspaceBytes += std::max<int64_t>((bytes + 255) / 256, 1) * 256; // no two parts at one place
    return part;
  }
  /// All steps and memory so far are early ones.
  void endEarly() {
    earlySteps = steps.size();
    earlyBytes = workspaceBytes;
  }
};

} // namespace heddle::gpu

#endif // HEDDLE_COMPILER_CONVERSION_SPARSEKTOGPU_DEVICEPROGRAM_H
