//===- EntryLowering.h - From a grouped function to launches -----*- C++ -*-===//
//
// Replaces a function of groups and whole operations by an entry over buffers. Where tensors live, loops,
// conditions, copies and the arguments of kernels are the same on every processor; what a processor does in
// its own way is in the virtual functions.
//
//===----------------------------------------------------------------------===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_ENTRYLOWERING_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_ENTRYLOWERING_H

#include "compiler/conversion/HeddleToCPU/Buffers.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <map>
#include <optional>

namespace heddle::cpu {

class EntryLowering {
public:
  virtual ~EntryLowering() = default;
  mlir::LogicalResult run();

protected:
  EntryLowering(mlir::func::FuncOp source, const GroupLimits &limits);

  /// A group and the arguments of its kernel.
  struct GroupCall {
    ir::FusionOp op;
    llvm::SmallVector<mlir::Operation *> reductions = {};
    llvm::SmallVector<mlir::Value> outputs = {};
    llvm::SmallVector<mlir::Value> operands = {};     ///< buffers, of the inputs first
    llvm::SmallVector<unsigned> resultArguments = {}; ///< for each result the number of its buffer
    std::string key = {};                             ///< equal for groups that can share a kernel
    llvm::StringRef name = {};
  };

  // ---- What differs ----
  virtual Workspace workspaceOf(mlir::Operation *op) = 0;
  /// The operations that begin before the place where they stand. Asked for before the plan is made.
  virtual Starts findStarts() { return Starts(); }
  /// Called where an operation is reached, before it is lowered.
  virtual void reach(mlir::Operation *) {}
  /// Launches the kernel of a group.
  virtual mlir::LogicalResult lowerGroup(const GroupCall &group) = 0;
  /// Lowers an operation that is neither a group nor control.
  virtual mlir::LogicalResult lowerWhole(mlir::Operation *op) = 0;
  /// The elements of a constant as bytes.
  virtual mlir::Value constantBuffer(ir::ConstantOp constant) = 0;
  /// Memory for constants behind the tensors of the arena.
  virtual int64_t constantBytes() { return 0; }
  virtual void copyBuffer(mlir::Location loc, mlir::Value from, mlir::Value to) = 0;
  /// Stores the number of a loop's step, an i32.
  virtual void storeStep(mlir::Location loc, mlir::Value step, mlir::Value to) = 0;
  /// The one truth value of a buffer, as i1.
  virtual mlir::Value loadTruth(mlir::Location loc, mlir::Value buffer) = 0;
  /// Before the first operation of the entry, and after the last.
  virtual void begin() {}
  virtual void finish() {}

  // ---- What is shared ----
  /// The buffer of a tensor at the builder: memref<count x storage type>.
  mlir::Value buffer(mlir::Value tensor);
  mlir::Value viewOf(const Place &place, mlir::MemRefType type, mlir::Location loc);
  mlir::Value arenaView(int64_t offset, mlir::MemRefType type, mlir::Location loc);
  void copy(mlir::Value from, const Place &to, mlir::Location loc);
  std::string uniqueName(llvm::StringRef hint);
  mlir::Value constantIndex(mlir::Location loc, int64_t value);
  static llvm::SmallVector<char> bytesOf(ir::ConstantOp constant);

  mlir::ModuleOp module;
  mlir::func::FuncOp source, entry;
  GroupLimits limits;
  Starts starts; ///< as `findStarts` says
  std::optional<BufferPlan> plan;
  mlir::OpBuilder builder;
  mlir::Value call, arena;
  std::map<std::string, std::string> symbols; ///< of kernels and constants, by what they hold
  int kernelCount = 0;

private:
  mlir::LogicalResult lowerBlock(mlir::Block &block);
  mlir::LogicalResult lower(mlir::Operation *op);
  mlir::LogicalResult lower(ir::FusionOp op);
  mlir::LogicalResult lower(ir::ForOp op);
  mlir::LogicalResult lower(ir::IfOp op);

  llvm::SmallVector<mlir::Value> inputs, results;
  llvm::DenseMap<mlir::Operation *, mlir::Value> loopIndices;
};

/// The text of an operation without its operands' names and locations: equal operations give equal kernels.
std::string kernelKey(mlir::Operation *op);

/// `file:line:col: ` of the innermost position in the source that a location names.
std::string sourcePosition(mlir::Location loc);

} // namespace heddle::cpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_ENTRYLOWERING_H
