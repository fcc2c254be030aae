//===- Activity.h - Which values depend on the arguments --------*- C++ -*-===//

#ifndef HEDDLE_COMPILER_AUTODIFF_ACTIVITY_H
#define HEDDLE_COMPILER_AUTODIFF_ACTIVITY_H

#include "mlir/IR/Block.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/DenseSet.h"

namespace heddle::autodiff {

/// Values whose derivative with respect to the chosen arguments may not be zero.
class Activity {
public:
  bool contains(mlir::Value value) const { return active.contains(value); }
  void insert(mlir::Value value) { active.insert(value); }

  /// Extends the set through a block whose arguments have been marked, into the regions below it. Loops are
  /// followed to a fixed point over their carries.
  void propagate(mlir::Block &block);

  /// Marks the copies of active values that `mapping` made of `op` and everything inside it.
  void copy(mlir::Operation &op, const mlir::IRMapping &mapping);

private:
  bool mark(mlir::Value value);
  void propagate(mlir::Operation &op);

  llvm::DenseSet<mlir::Value> active;
};

/// Whether an operation that reads active values can give active results at all.
bool passesDerivative(mlir::Operation &op);

/// Values that `op` and the regions inside it read from outside of `op`, each once, in order.
llvm::SmallVector<mlir::Value> readValues(mlir::Operation &op);

} // namespace heddle::autodiff

#endif // HEDDLE_COMPILER_AUTODIFF_ACTIVITY_H
