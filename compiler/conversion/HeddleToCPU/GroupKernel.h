//===- GroupKernel.h - The kernel of a group for CPUs ------------*- C++ -*-===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_GROUPKERNEL_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_GROUPKERNEL_H

#include "compiler/conversion/HeddleToCPU/GroupPlan.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace heddle::cpu {

class GroupKernel : public GroupPlan {
public:
  using GroupPlan::GroupPlan;

  /// Fills `function` (two indices, then memrefs) after planning. `inputs` are the leaves with the memrefs
  /// that hold them; `results` are the memrefs of the outputs, in order.
  void emit(mlir::func::FuncOp function, llvm::ArrayRef<std::pair<mlir::Value, mlir::Value>> inputs,
            mlir::ValueRange results);

  /// Tasks of the kernel, and how many of them are worth a thread's attention.
  int64_t taskCount() const;
  int64_t grain();

private:
  void emitRows(mlir::func::FuncOp function, mlir::ValueRange results);
  void emitPass(const Phase &phase, mlir::ValueRange results, mlir::Value begin, mlir::Value end);
  void emitColumns(mlir::func::FuncOp function, mlir::ValueRange results);
  void allocateStashes(mlir::OpBuilder &builder, mlir::Location loc);
};

} // namespace heddle::cpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_GROUPKERNEL_H
