//===- Forward.h - The forward sweep ----------------------------*- C++ -*-===//

#ifndef HEDDLE_COMPILER_AUTODIFF_FORWARD_H
#define HEDDLE_COMPILER_AUTODIFF_FORWARD_H

#include "compiler/autodiff/Activity.h"
#include "dialects/autodiff/IR/Autodiff.h"
#include "dialects/heddle/IR/Heddle.h"

#include "llvm/ADT/DenseMap.h"

namespace heddle::autodiff {

/// The forward sweep of one function: beside each operation, what computes the tangents of its results. Loops
/// and conditions are replaced by ones that carry tangents too.
class ForwardSweep : public TangentScope {
public:
  ForwardSweep(const Activity &activity, mlir::Location request) : activity(activity), request(request) {}
  ~ForwardSweep();

  mlir::Value tangent(mlir::Value primal) override { return tangents.lookup(primal); }
  void setTangent(mlir::Value primal, mlir::Value tangent) override { tangents[primal] = tangent; }

  mlir::LogicalResult sweep(mlir::Block &block);

private:
  mlir::LogicalResult sweepOp(mlir::Operation &op);
  mlir::LogicalResult sweepFor(ir::ForOp loop);
  mlir::LogicalResult sweepIf(ir::IfOp choice);
  void retire(mlir::Operation *op);

  const Activity &activity;
  mlir::Location request;
  llvm::DenseMap<mlir::Value, mlir::Value> tangents;
  llvm::SmallVector<mlir::Operation *> retired;
};

} // namespace heddle::autodiff

#endif // HEDDLE_COMPILER_AUTODIFF_FORWARD_H
