//===- Reverse.h - The reverse sweep over a block ---------------*- C++ -*-===//

#ifndef HEDDLE_COMPILER_AUTODIFF_REVERSE_H
#define HEDDLE_COMPILER_AUTODIFF_REVERSE_H

#include "compiler/autodiff/Activity.h"
#include "compiler/autodiff/Keep.h"
#include "compiler/autodiff/Support.h"
#include "dialects/autodiff/IR/Autodiff.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"

namespace heddle::autodiff {

/// Gives the function that computes `callee`'s results and the cotangents of the arguments `wrt` (signature
/// as heddle.vjp), deriving it at first use. Null after an error.
using DeriveAdjoint =
    llvm::function_ref<mlir::func::FuncOp(mlir::func::FuncOp callee, llvm::ArrayRef<int64_t> wrt)>;

/// The cotangents gathered in one block. Contributions to values from around the block are kept here too, for
/// the construct that owns the block to carry out.
class BlockCotangents : public CotangentScope {
public:
  BlockCotangents(const Activity &activity, mlir::OpBuilder &builder)
      : activity(activity), builder(builder) {}

  mlir::Value cotangent(mlir::Value forward) override { return cotangents.lookup(forward); }
  void accumulate(mlir::Value forward, mlir::Value value) override;
  bool wanted(mlir::Value forward) override { return activity.contains(forward); }

  /// All values with a cotangent, in the order in which the first contribution came.
  const llvm::MapVector<mlir::Value, mlir::Value> &all() const { return cotangents; }

private:
  const Activity &activity;
  mlir::OpBuilder &builder;
  llvm::MapVector<mlir::Value, mlir::Value> cotangents;
};

/// The reverse sweep of one function. Forward operations stay where they are; adjoint operations are built at
/// a builder's insertion point and read forward values directly. Loops are replaced by loops that also
/// collect what their adjoint reads.
class ReverseSweep {
public:
  ReverseSweep(Activity &activity, mlir::SymbolTable &symbols, mlir::Location request, DeriveAdjoint derive,
               int64_t &fences, const KeepOptions &options)
      : activity(activity), symbols(symbols), request(request), derive(derive), fences(fences),
        options(options) {}
  ~ReverseSweep();

  /// Sweeps the operations of `block` that have a cotangent in `scope`, from last to first. `builder` stands
  /// where every value of the block can be read, now or after the owner has provided it.
  mlir::LogicalResult sweep(mlir::Block &block, BlockCotangents &scope, mlir::OpBuilder &builder);

private:
  mlir::LogicalResult sweepOp(mlir::Operation &op, BlockCotangents &scope, mlir::OpBuilder &builder);
  mlir::LogicalResult sweepFor(ir::ForOp loop, BlockCotangents &scope, mlir::OpBuilder &builder);
  mlir::LogicalResult sweepIf(ir::IfOp choice, BlockCotangents &scope, mlir::OpBuilder &builder);
  mlir::LogicalResult sweepCall(mlir::func::CallOp call, BlockCotangents &scope, mlir::OpBuilder &builder);
  mlir::LogicalResult sweepCustom(mlir::func::CallOp call, mlir::func::FuncOp rule, BlockCotangents &scope,
                                  mlir::OpBuilder &builder);

  /// Replaces `loop` by one that collects `values` of its body too, and adds the results that hold them to
  /// `stacks`.
  ir::ForOp collect(ir::ForOp loop, llvm::ArrayRef<mlir::Value> values,
                    llvm::SmallVectorImpl<mlir::Value> &stacks);

  /// Takes an operation out of the program. It stays allocated until the sweep ends, since maps may hold its
  /// results.
  void retire(mlir::Operation *op);

  Activity &activity;
  mlir::SymbolTable &symbols;
  /// Where the gradient was asked for, for messages.
  mlir::Location request;
  DeriveAdjoint derive;
  int64_t &fences;
  const KeepOptions options;
  llvm::SmallVector<mlir::Operation *> retired;
};

} // namespace heddle::autodiff

#endif // HEDDLE_COMPILER_AUTODIFF_REVERSE_H
