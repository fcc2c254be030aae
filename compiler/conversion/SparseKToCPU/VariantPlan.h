// Sizes, workspaces and kernels of a variant's program. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToCPU/AttentionPlan.h"
#include "compiler/conversion/SparseKToCPU/Variant.h"
#include "compiler/conversion/SparseKToCPU/VariantCode.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace heddle::cpu::attention {

/// What the bounds of the visibility say of the queries of a panel, or of the keys of a block: the least and
/// greatest first key (query) that one of them sees, and the least and greatest end, as i32.
enum BoundEntry : int64_t { LeastFrom, MostFrom, LeastUntil, MostUntil, boundEntries };

struct VariantPlan {
  VariantPlan(mlir::Operation *op, const MatmulTarget &target, bool backward);

  mlir::Operation *op;
  VariantBlock block;
  Plan plan;
  bool boundsKeys = false, boundsQueries = false; ///< whether there are such bounds
  bool visits = false; ///< whether blocks of keys look for the queries that bounds on keys lead to them

  int64_t heads() const { return plan.spec.heads; }
  int64_t panels() const { return plan.tiles() * (plan.tile / plan.panel); }
  int64_t blocks() const { return (block.keys + plan.keyBlock - 1) / plan.keyBlock; }
  /// Rows of the tables of bounds: one for each batch and query head that they depend on.
  int64_t boundRows() const;
};

/// The row of the tables of bounds for a batch and a query head.
Value boundRow(AttentionCode &v, const VariantPlan &plan, Value batch, Value head);

/// The table of the bounds of all panels [row, panel, entry] and of all key blocks [row, block, entry], and
/// the queries from the first to the last panel that a block has keys for [row, block, begin and end]; null
/// where there are no such bounds.
struct BoundTables {
  Value panels, blocks, visits;
};

/// A program under construction.
class VariantBuilder {
public:
  VariantBuilder(mlir::OpBuilder &builder, mlir::ModuleOp module, const VariantPlan &plan,
                 llvm::StringRef namePrefix);

  /// An operand of the kernel to be emitted next, by its number.
  using Number = int;
  Number operand(unsigned number);
  Number result(unsigned number);
  /// A part of the workspace.
  VariantOperand reserve(mlir::Type element, int64_t extent);
  Number add(VariantOperand operand);
  Number integer(int64_t value);

  /// The captures, and where `reports` the operands that reports need.
  void addBlock(bool reports);
  /// The tables of bounds, which `boundsStep` fills.
  void addBounds();

  /// Emits a kernel of the operands so far, which the next kernel does not inherit, and returns its step.
  VariantStep &kernel(llvm::StringRef suffix, int64_t count,
                      llvm::function_ref<void(AttentionCode &, Value begin, Value end)> body);
  Value argument(Number number) { return arguments[size_t(number)]; }
  Buffer buffer(Number number);

  // Within a kernel, after `addBlock` and `addBounds`.
  llvm::ArrayRef<Value> captures() const { return captureValues; }
  const Reports &reports() const { return reportValues; }
  const BoundTables &bounds() const { return boundValues; }

  const VariantPlan &plan;
  VariantProgram program;

private:
  mlir::OpBuilder &builder;
  mlir::ModuleOp module;
  std::string namePrefix;
  llvm::SmallVector<VariantOperand, 16> operands;
  Values arguments;
  Number firstCapture = -1, firstReport = -1, firstBounds = -1;
  llvm::SmallVector<VariantOperand, 3> boundOperands;
  Values captureValues;
  Reports reportValues;
  BoundTables boundValues;
};

/// The step that fills the tables of bounds, where there are any.
void emitBounds(VariantBuilder &builder);

/// The kernels of the forward and the backward pass.
void emitVariantForward(VariantBuilder &builder);
void emitVariantBackward(VariantBuilder &builder);

} // namespace heddle::cpu::attention
