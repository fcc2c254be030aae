//===- EntryLowering.h - From a grouped function to launches -----*- C++ -*-===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_ENTRYLOWERING_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_ENTRYLOWERING_H

#include "compiler/conversion/HeddleToCPU/Buffers.h"
#include "compiler/conversion/HeddleToCPU/HeddleToCPU.h"
#include "compiler/conversion/Matmul/Matmul.h"
#include "compiler/conversion/SparseKToCPU/Attention.h"
#include "compiler/conversion/SparseKToCPU/Variant.h"

#include "dialects/sparsek/IR/SparseK.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <map>
#include <optional>

namespace heddle::cpu {

/// The plan of a product, nothing for integers, which plain loops multiply.
std::optional<MatmulPlan> matmulPlan(ir::MatmulOp op, const MatmulTarget &target);

/// Replaces one function of groups and whole operations by an entry over buffers, with its kernels.
class EntryLowering {
public:
  EntryLowering(mlir::func::FuncOp source, const MatmulTarget &target);
  mlir::LogicalResult run();

private:
  /// A kernel under construction: `arguments` are the memrefs after the range.
  struct Kernel {
    mlir::func::FuncOp function;
    mlir::Value begin, end;
    llvm::SmallVector<mlir::Value> arguments;
    mlir::OpBuilder builder;
  };

  mlir::LogicalResult lowerBlock(mlir::Block &block);
  mlir::LogicalResult lower(mlir::Operation *op);
  mlir::LogicalResult lower(ir::FusionOp op);
  mlir::LogicalResult lower(ir::ForOp op);
  mlir::LogicalResult lower(ir::IfOp op);
  void lower(ir::AssertOp op);
  void lower(ir::CheckIndexOp op);
  void lower(ir::MatmulOp op);
  void lowerIntegerMatmul(ir::MatmulOp op);
  void lower(ir::ScatterAddOp op);
  void lower(ir::PutAlongOp op);
  void lower(ir::CumsumOp op);
  void lower(ir::ArgsortOp op);
  void lower(ir::DynamicUpdateSliceOp op);
  void lower(sparsek::SegmentsOp op);
  void lower(sparsek::ThresholdOp op);
  void lower(sparsek::ThresholdBackwardOp op);
  void lower(sparsek::ThresholdTangentOp op);
  void lower(sparsek::ProjectOp op);
  mlir::Value boundsBuffer(mlir::Location loc, mlir::Value bounds);
  void lower(sparsek::AppendOp op);
  void lower(sparsek::FillCacheOp op);
  void lowerAttention(mlir::Operation *op);
  /// The kernels of an attention, emitted when its workspace is first asked for.
  const AttentionProgram &attentionProgram(mlir::Operation *op);
  void lowerVariant(mlir::Operation *op);
  const VariantProgram &variantProgram(mlir::Operation *op);
  int64_t workspaceBytes(mlir::Operation *op);

  /// The buffer of a tensor at the builder: memref<count x storage type>.
  mlir::Value buffer(mlir::Value tensor);
  mlir::Value viewOf(const Place &place, mlir::MemRefType type, mlir::Location loc);
  mlir::Value arenaView(int64_t offset, mlir::MemRefType type, mlir::Location loc);
  void copy(mlir::Value from, const Place &to, mlir::Location loc);

  /// A new kernel over buffers of these types.
  Kernel kernel(mlir::Operation *op, llvm::StringRef name, mlir::TypeRange types);
  void launch(mlir::Location loc, llvm::StringRef symbol, int64_t count, int64_t grain,
              mlir::ValueRange arguments);
  std::string uniqueName(llvm::StringRef hint);
  mlir::Value message(mlir::OpBuilder &builder, mlir::Operation *op, llvm::StringRef text);
  mlir::Value constantIndex(mlir::Location loc, int64_t value);

  mlir::ModuleOp module;
  mlir::func::FuncOp source, entry;
  MatmulTarget target;
  std::map<std::string, AttentionProgram> attentions;
  std::map<std::string, VariantProgram> variants;
  int kernelCount = 0;
  BufferPlan plan; ///< asks for workspaces when it is made: after everything that they need
  mlir::OpBuilder builder;
  mlir::Value call, arena;
  llvm::SmallVector<mlir::Value> inputs, results;
  llvm::DenseMap<mlir::Operation *, mlir::Value> loopIndices;
  std::map<std::string, std::string> symbols;
  std::map<std::string, llvm::SmallVector<KernelCall, 2>> products;
  std::map<std::string, std::string> messages;
};

/// heddle_dtype_t.
int32_t runtimeType(mlir::Type element);

/// The text of an operation without its operands' names and locations: equal operations give equal kernels.
std::string kernelKey(mlir::Operation *op);

} // namespace heddle::cpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_ENTRYLOWERING_H
