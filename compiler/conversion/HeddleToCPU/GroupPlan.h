//===- GroupPlan.h - Whether and how a group becomes one kernel --*- C++ -*-===//
//
// A group is a set of reductions and wanted results over one iteration space:
//   elementwise  every result has the same number of elements; no reductions
//   rows         reductions over trailing axes: for each row a few passes over its columns, then results of
//                the row
//   columns      reductions over axes with axes after them: for each block of columns one pass over all rows
// Where the processor's kernels can (`GroupLimits::columnSums`), a group over rows also reduces parts of them
// over rows, column by column, in the same passes: the gradients of a norm's weights beside that of its
// input. Planning walks the group without emitting anything and says whether it can be one kernel; the
// kernels of each processor walk it in the same way and emit.
//
//===----------------------------------------------------------------------===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_GROUPPLAN_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_GROUPPLAN_H

#include "compiler/conversion/HeddleToCPU/Evaluator.h"

#include "dialects/heddle/IR/Heddle.h"

namespace heddle::cpu {

/// How a reduction sees its operand: outer x reduced x inner elements, where inner is 1 for trailing axes.
struct ReductionShape {
  int64_t outer = 1, reduced = 1, inner = 1;
  bool operator==(const ReductionShape &) const = default;
};

/// The shape of a heddle.reduce or heddle.arg_reduce, nothing for another operation or for axes with gaps.
std::optional<ReductionShape> reductionShape(mlir::Operation *op);

/// What a processor can keep while it works on a group, and how tensors lie in its memory.
struct GroupLimits {
  int64_t alignment = 64;           ///< of tensors in the arena, in bytes
  int64_t scratchBytes = 256 << 10; ///< of values of one row that later passes over it read again
  /// Every pass reads a row again that is longer than `keptColumns` and of which the values that passes have
  /// in common are more than `keptElements`.
  int64_t keptColumns = INT64_MAX;
  int64_t keptElements = 0;
  int64_t columnBlock = 512; ///< columns of one task where rows are summed up
  bool columnSums = false;   ///< kernels over rows can reduce over rows as well
};

class GroupPlan {
public:
  GroupPlan(llvm::ArrayRef<mlir::Operation *> reductions, llvm::ArrayRef<mlir::Value> outputs,
            std::function<bool(mlir::Value)> isLeaf, const GroupLimits &limits = {});

  /// Whether the group can become one kernel; `why` tells what prevents it.
  mlir::LogicalResult plan(std::string &why);

  /// The reductions and results of a fusion's body.
  static std::pair<llvm::SmallVector<mlir::Operation *>, llvm::SmallVector<mlir::Value>>
  contents(ir::FusionOp op);

  /// Whether output `number` may be written over the leaf, after planning: the leaf is read at the position
  /// that is written, in the same pass at the latest.
  bool canUpdateInPlace(mlir::Value leaf, unsigned number) const;

  /// Whether a large group reads memory across its inner loop, as a transposition does.
  bool readsAcross() const;

protected:
  enum class Kind { Elementwise, Rows, Columns };
  struct Phase {
    llvm::SmallVector<mlir::Operation *, 2> reductions;
    llvm::SmallVector<unsigned, 2> outputs; ///< numbers of outputs stored in this pass
    llvm::SmallVector<unsigned, 2> sums; ///< numbers of outputs that reduce over rows, which this pass feeds
    bool empty() const { return reductions.empty() && outputs.empty() && sums.empty(); }
  };

  int availability(mlir::Value value);
  bool planColumnSums();
  bool isColumnSum(mlir::Value value) const {
    return parts && llvm::is_contained(columnReductions, value.getDefiningOp());
  }
  bool analyse(int64_t columns, bool final);
  void walkRows();
  void walkColumns();
  void cut();
  int64_t scratchBytes() const;
  /// The most values of an element that are needed from one pass to the next.
  int64_t mostKept() const;
  Linear element(const Linear &column) { return space.add(space.scale(row, columns), column); }
  Indices at(mlir::Value tensor, const Linear &position) {
    return space.delinearise(position, tensorType(tensor).getShape());
  }

  llvm::SmallVector<mlir::Operation *> reductions;
  llvm::SmallVector<mlir::Value> outputs;
  std::function<bool(mlir::Value)> isLeaf;
  GroupLimits limits;

  Kind kind = Kind::Elementwise;
  int64_t rows = 1, reduced = 1, columns = 1;
  bool flat = false; ///< one row whose columns are the tasks
  llvm::SmallVector<Phase, 2> phases;
  llvm::SmallVector<unsigned> rowOutputs;
  int64_t parts = 0;        ///< of the rows, each with its own reductions over rows; 0: there are none
  bool interleaved = false; ///< the rows of a part are every `parts`-th, not adjacent ones
  llvm::SmallVector<mlir::Operation *, 2> columnReductions; ///< those over the rows of a part
  bool readsAgain = false;         ///< each pass reads the row, which is too long to be kept
  bool reloads = false;            ///< passes load again what does not fit into scratch memory
  llvm::SmallVector<int64_t> cuts; ///< the columns at which loops over them start, and their end
  int64_t columnBlock = 0;         ///< columns of one task of a kernel over columns

  IndexSpace space;
  std::unique_ptr<Evaluator> evaluator;
  Linear row, step, first;
  llvm::SmallVector<Linear> segments; ///< the column of each loop between two cuts
  llvm::DenseMap<mlir::Value, int> availabilities;
};

} // namespace heddle::cpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_GROUPPLAN_H
