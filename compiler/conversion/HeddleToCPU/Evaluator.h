//===- Evaluator.h - One element of a tensor, computed in place --*- C++ -*-===//
//
// The value of a tensor at an index tuple is a scalar expression over elements of other tensors. The
// evaluator walks the operations of a group and emits that expression, once per distinct (tensor, indices)
// and loop, at the outermost loop where it is known. Without a builder it walks the same way and only records
// what planning needs.
//
//===----------------------------------------------------------------------===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_EVALUATOR_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_EVALUATOR_H

#include "compiler/conversion/HeddleToCPU/IndexSpace.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace heddle::cpu {

inline mlir::RankedTensorType tensorType(mlir::Value value) {
  return mlir::cast<mlir::RankedTensorType>(value.getType());
}

class Evaluator {
public:
  using Key = std::vector<int64_t>;

  /// `isLeaf` tells which tensors are in memory. A null builder only analyses.
  Evaluator(IndexSpace &space, std::function<bool(mlir::Value)> isLeaf, mlir::OpBuilder *builder)
      : space(space), isLeaf(std::move(isLeaf)), builder(builder) {}

  /// Forgets what the analysis saw but its findings: from now on code is emitted.
  void startEmission(mlir::OpBuilder &emitter) {
    builder = &emitter;
    loc = emitter.getUnknownLoc();
    levels.assign(4, Level());
    reduced.clear();
    leastLevels.clear();
  }

  /// Element `indices` of `tensor`, in its compute type.
  mlir::Value eval(mlir::Value tensor, llvm::ArrayRef<Linear> indices);
  /// An index expression as code.
  mlir::Value position(const Linear &x);

  // ---- What is in memory ----
  llvm::DenseMap<mlir::Value, mlir::Value> buffers;
  /// A reduction of this group: its result is known at one position only, as a scalar or in scratch memory.
  struct Reduced {
    Linear position; ///< the row-major position of its result at which it may be read
    unsigned level = 1;
    mlir::Value scalar;         ///< in the compute type
    mlir::Value scratch;        ///< alternatively, memory with ...
    Linear scratchPosition = 0; ///< ... the element at this position
  };
  llvm::DenseMap<mlir::Value, Reduced> reduced;

  /// Positions that differ by a constant only are made of one sum, so that accesses to adjacent elements can
  /// be joined.
  bool constantsLast = false;

  // ---- Loops ----
  struct Level {
    mlir::Operation *anchor = nullptr; ///< code of this level goes before it
    std::map<Key, mlir::Value> values;
    std::map<unsigned, mlir::Value> atoms;
    void clear() {
      values.clear();
      atoms.clear();
    }
  };
  std::vector<Level> levels = std::vector<Level>(4);

  // ---- Values kept from one pass over a row to the next ----
  struct Stash {
    mlir::Value scratch;
    mlir::Type type;
    bool stored = false;
    mlir::Value tensor;
    int segment = 0; ///< which loop over columns computes it
    int firstPhase = 0, lastPhase = 0;
  };
  std::map<Key, Stash> stashes;
  Linear column; ///< the counter of the innermost loop over a row
  int phase = 0;
  int segment = 0;
  static constexpr int stashCost = 8;

  // ---- What an analysis finds ----
  struct Load {
    mlir::Value leaf;
    Linear position;
    int phase;
  };
  std::vector<Load> loads;
  std::set<int64_t> breakpoints; ///< columns at which the outcome of a static condition changes
  bool columnDivided = false;    ///< a position holds a quotient or remainder of the column
  int64_t columnStrideCost = 0;  ///< accesses that are not along the column
  std::string failure;           ///< why the group cannot become one kernel; empty if it can
  bool failed() const { return !failure.empty(); }

  /// How much arithmetic an element takes: 1 for cheap operations and loads, more for functions.
  int cost(mlir::Value tensor);

private:
  struct Condition {
    enum Kind { Never, Always, Sometimes } kind;
    mlir::Value value;
  };

  mlir::Value compute(mlir::Value tensor, llvm::ArrayRef<Linear> indices);
  mlir::Value load(mlir::Value tensor, llvm::ArrayRef<Linear> indices);
  mlir::Value evalPad(mlir::Operation *op, llvm::ArrayRef<Linear> indices);
  mlir::Value evalConcat(mlir::Operation *op, unsigned from, int64_t offset, llvm::ArrayRef<Linear> indices);
  mlir::Value evalUpdate(mlir::Operation *op, llvm::ArrayRef<Linear> indices);
  mlir::Value evalRandom(mlir::Operation *op, llvm::ArrayRef<Linear> indices);
  Linear runTimeIndex(mlir::Value ids, llvm::ArrayRef<Linear> indices, int64_t extent);
  Condition inside(const Linear &x, Range range);
  Condition both(Condition a, Condition b);
  mlir::Value branch(Condition condition, mlir::Type type, llvm::function_ref<mlir::Value()> then,
                     llvm::function_ref<mlir::Value()> otherwise);
  mlir::Value atomValue(unsigned number);
  unsigned leastLevel(mlir::Value tensor);
  Key keyOf(mlir::Value tensor, llvm::ArrayRef<Linear> indices);
  void at(unsigned level);
  std::map<Key, mlir::Value> &memo(unsigned level);
  mlir::Value *find(const Key &key, unsigned level);

  IndexSpace &space;
  std::function<bool(mlir::Value)> isLeaf;
  mlir::OpBuilder *builder;
  std::optional<mlir::Location> loc;
  std::vector<std::map<Key, mlir::Value>> branches; ///< what is known only inside the conditions around
  std::vector<std::map<unsigned, mlir::Value>> branchAtoms;
  struct RunTimeIndex {
    mlir::Value ids;
    Indices indices;
    int64_t extent;
  };
  std::map<Key, Linear> runTimeIndices;
  std::map<unsigned, RunTimeIndex> runTimeSources;
  std::map<Key, std::pair<int, bool>> firstUse; ///< phase of the first use; whether it was under a condition
  unsigned conditionLevel = 0;                  ///< the level of the value that is being computed
  llvm::DenseMap<mlir::Value, int> costs;
  llvm::DenseMap<mlir::Value, unsigned> leastLevels;
};

} // namespace heddle::cpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_EVALUATOR_H
