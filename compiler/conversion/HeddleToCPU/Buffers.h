//===- Buffers.h - Where every tensor of an entry lives ----------*- C++ -*-===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_BUFFERS_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_BUFFERS_H

#include "compiler/conversion/HeddleToCPU/GroupPlan.h"

#include "dialects/heddle/IR/Heddle.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

#include <functional>
#include <optional>
#include <vector>

namespace heddle::cpu {

/// A piece of memory that tensors live in.
struct Storage {
  enum Kind { Arena, Argument, Result, Constant } kind = Arena;
  int64_t number = 0; ///< of the argument or result
  int64_t bytes = 0;
  int64_t offset = 0;                  ///< in the arena
  int first = 1 << 30, last = -1;      ///< program points between which it is in use
  mlir::Block *block = nullptr;        ///< uses in loops inside this block last until the loop's end
  mlir::Operation *constant = nullptr; ///< the heddle.constant
  bool sliced = false;                 ///< some loop reads or writes it slice by slice
};

/// A tensor's place: a storage, the first element, and for each loop around a slice how many elements a step
/// advances.
struct Place {
  int storage = -1;
  llvm::SmallVector<std::pair<ir::ForOp, int64_t>, 1> steps = {};
  int64_t offset = 0;
  bool operator==(const Place &other) const {
    return storage == other.storage && steps == other.steps && offset == other.offset;
  }
};

/// Operations that begin before the place where they stand: the operation of their block before which what
/// they write has to be theirs. What they read is theirs until they stand.
using Starts = llvm::DenseMap<mlir::Operation *, mlir::Operation *>;

/// Memory of an operation's own, in bytes.
struct Workspace {
  int64_t bytes = 0;
  int64_t early = 0; ///< a part of its own, from where the operation begins on
};

/// Chooses places for all tensors of a function whose operations are grouped, and offsets in one arena by
/// lifetime.
///  - results of the function are written where the caller wants them, or over a donated argument of their
///  type that nothing reads any more;
///  - a loop's carry has one place, where its initial value is made if nothing else reads that, and where the
///  next value
///    is made if the old one is not read any more, or only element by element by what makes the new one;
///  - a carry that the loop also collects lives in the stack of its values: each step writes the next slice;
///  - values that a loop collects are made in their slice of the stacked result;
///  - reshapes are other names of the same place.
class BufferPlan {
public:
  BufferPlan(mlir::func::FuncOp function, std::function<Workspace(mlir::Operation *)> workspaceOf,
             const GroupLimits &limits, const Starts &starts);

  const Place &place(mlir::Value value) const { return places.find(value)->second; }
  const Storage &storage(const Place &place) const { return storages[place.storage]; }
  int64_t arenaBytes() const { return bytes; }

  /// Where the caller wants a result, or the donated argument whose memory it takes.
  const Place &resultPlace(unsigned number) const { return resultPlaces[number]; }
  /// The donated argument whose memory a result takes, -1 if it has memory of its own.
  int64_t donor(unsigned result) const {
    const Storage &own = storages[resultPlaces[result].storage];
    return own.kind == Storage::Argument ? own.number : -1;
  }
  /// The arguments and results that loops read or write slice by slice.
  std::vector<std::pair<Storage::Kind, int64_t>> slicedBuffers() const;

  /// Offset of an operation's workspace in the arena, and of the early part of it.
  int64_t workspace(mlir::Operation *op) const { return storages[workspaces.lookup(op)].offset; }
  int64_t earlyWorkspace(mlir::Operation *op) const { return storages[earlyWorkspaces.lookup(op)].offset; }
  /// A place for a yielded carry on its way, where two carries exchange their values; -1 if it needs none.
  int64_t exchangeOffset(ir::ForOp loop, unsigned carry) const;
  /// Where a carry's first value has to be before the loop, and its next value at the end of a step.
  const Place &initialPlace(ir::ForOp loop, unsigned carry) const;
  const Place &nextPlace(ir::ForOp loop, unsigned carry) const;

private:
  void number(mlir::Block &block);
  llvm::SmallVector<int64_t> matchDonors();
  void hintBlock(mlir::Block &block);
  void placeBlock(mlir::Block &block);
  void hint(mlir::Value value, const Place &place, mlir::Value occupant, mlir::Block *block);
  bool stackCarry(ir::ForOp loop, unsigned carry, mlir::Block *block);
  int newStorage(Storage storage);
  int newArena(mlir::RankedTensorType type, mlir::Block *block);
  int newWorkspace(int64_t bytes, mlir::Operation *op);
  void touch(int storage, mlir::Operation *user);
  void put(mlir::Value value, Place place);
  bool isLastUse(mlir::Operation *op, const Place &place);
  std::optional<Place> overwritten(mlir::OpResult result);
  void assignOffsets();

  mlir::func::FuncOp function;
  std::function<Workspace(mlir::Operation *)> workspaceOf;
  GroupLimits limits;
  const Starts &starts;
  std::vector<Place> resultPlaces;
  llvm::DenseMap<mlir::Value, Place> places;
  /// Where a value is to be made, and what lives there before: a donated argument, a carry, a slice of one,
  /// or null.
  struct Wish {
    Place place;
    mlir::Value occupant;
  };
  llvm::DenseMap<mlir::Value, Wish> hints;
  std::vector<Storage> storages;
  llvm::DenseMap<int, llvm::SmallVector<mlir::Value>> inStorage; ///< the tensors that live in it
  llvm::DenseMap<mlir::Operation *, std::pair<int, int>>
      points; ///< of an operation and of the end of its regions
  llvm::DenseMap<mlir::Operation *, int> workspaces, earlyWorkspaces;
  llvm::DenseMap<std::pair<mlir::Operation *, unsigned>, int> exchanges;
  struct StackedCarry {
    Place initial, next;
  };
  llvm::DenseMap<std::pair<mlir::Operation *, unsigned>, StackedCarry> stacked;
  int nextPoint = 0;
  int64_t bytes = 0;
};

/// The value that a chain of reshapes renames.
mlir::Value originOf(mlir::Value value);

/// Whether `value` may end in the memory of `occupant`, of the same type: nothing in the block reads the
/// occupant after what makes the value, and that itself reads each element before it writes it. A value that
/// the block does not make is copied at its end.
bool mayTake(mlir::Value occupant, mlir::Value value, mlir::Block *block, const GroupLimits &limits,
             const Starts &starts);

/// What a loop calls the slices of a tensor that it scans, null if it does not scan it.
mlir::Value sliceOf(ir::ForOp loop, mlir::Value scanned);

/// Whether an operation may write `result` over its operand `input`: it reads each element before it writes
/// it, and never again.
bool canUpdateInPlace(mlir::Operation *op, mlir::Value input, mlir::Value result, const GroupLimits &limits);

} // namespace heddle::cpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_BUFFERS_H
