//===- EarlySteps.h - Steps that run beside other work -----------*- C++ -*-===//
//
// Thresholds and lists of keys need scores alone, and keep few of a GPU's units busy. Such steps of an
// operation are put aside, on another stream, before work that does not depend on them, such as the products
// that make queries, keys and values. The operation itself waits for them where it stands. There is one other
// stream: what is put aside later runs later, and who waits for it waits for all before it.
//
//===----------------------------------------------------------------------===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_EARLYSTEPS_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_EARLYSTEPS_H

#include "compiler/conversion/HeddleToCPU/Buffers.h"
#include "compiler/conversion/SparseKToGPU/DeviceProgram.h"

namespace heddle::gpu {

class EarlySteps {
public:
  using Programs = llvm::function_ref<const DeviceProgram &(mlir::Operation *)>;

  EarlySteps() = default;
  EarlySteps(mlir::func::FuncOp function, Programs programOf);

  /// The operations whose early steps are put aside, and before which one that happens.
  const cpu::Starts &starts() const { return startOf; }
  /// The operations whose early steps are put aside before this one, in order.
  llvm::ArrayRef<mlir::Operation *> startingAt(mlir::Operation *at) const;
  /// By which the runtime knows the early steps of an operation, nothing where they are not put aside.
  std::optional<int32_t> sectionOf(mlir::Operation *op) const;

private:
  void visit(mlir::Block &block, Programs programOf);
  mlir::Operation *availableAt(mlir::Value value, mlir::Block &block) const;
  mlir::Operation *findStart(mlir::Operation *op, const DeviceProgram &program) const;
  int64_t work(mlir::Operation *op) const;

  cpu::Starts startOf;
  llvm::DenseSet<mlir::Operation *> wholly; ///< of those that begin early, the ones that have no other steps
  llvm::DenseMap<mlir::Operation *, llvm::SmallVector<mlir::Operation *, 2>> starting;
  llvm::DenseMap<mlir::Operation *, int32_t> sections;
};

} // namespace heddle::gpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_EARLYSTEPS_H
