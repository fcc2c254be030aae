//===- CpuEntryLowering.h - Entries for CPUs ---------------------*- C++ -*-===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_CPUENTRYLOWERING_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_CPUENTRYLOWERING_H

#include "compiler/conversion/HeddleToCPU/EntryLowering.h"
#include "compiler/conversion/HeddleToCPU/HeddleToCPU.h"
#include "compiler/conversion/Matmul/Matmul.h"
#include "compiler/conversion/SparseKToCPU/Attention.h"
#include "compiler/conversion/SparseKToCPU/Variant.h"

#include "dialects/sparsek/IR/SparseK.h"

namespace heddle::cpu {

/// The plan of a product, nothing for integers, which plain loops multiply.
std::optional<MatmulPlan> matmulPlan(ir::MatmulOp op, const MatmulTarget &target);

/// Kernels are functions over a range of tasks, launched on the runtime's threads.
class CpuEntryLowering : public EntryLowering {
public:
  CpuEntryLowering(mlir::func::FuncOp source, const MatmulTarget &target)
      : EntryLowering(source, {}), target(target) {}

private:
  Workspace workspaceOf(mlir::Operation *op) override;
  mlir::LogicalResult lowerGroup(const GroupCall &group) override;
  mlir::LogicalResult lowerWhole(mlir::Operation *op) override;
  mlir::Value constantBuffer(ir::ConstantOp constant) override;
  void copyBuffer(mlir::Location loc, mlir::Value from, mlir::Value to) override;
  void storeStep(mlir::Location loc, mlir::Value step, mlir::Value to) override;
  mlir::Value loadTruth(mlir::Location loc, mlir::Value buffer) override;

  /// A kernel under construction: `arguments` are the memrefs after the range.
  struct Kernel {
    mlir::func::FuncOp function;
    mlir::Value begin, end;
    llvm::SmallVector<mlir::Value> arguments;
    mlir::OpBuilder builder;
  };

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

  /// A new kernel over buffers of these types.
  Kernel kernel(mlir::Operation *op, llvm::StringRef name, mlir::TypeRange types);
  void launch(mlir::Location loc, llvm::StringRef symbol, int64_t count, int64_t grain,
              mlir::ValueRange arguments);
  mlir::Value message(mlir::OpBuilder &builder, mlir::Operation *op, llvm::StringRef text);

  MatmulTarget target;
  std::map<std::string, AttentionProgram> attentions;
  std::map<std::string, VariantProgram> variants;
  std::map<std::string, llvm::SmallVector<KernelCall, 2>> products;
  std::map<std::string, std::string> messages;
};

} // namespace heddle::cpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_CPUENTRYLOWERING_H
