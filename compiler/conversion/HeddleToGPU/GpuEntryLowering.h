//===- GpuEntryLowering.h - Entries for GPUs ---------------------*- C++ -*-===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_GPUENTRYLOWERING_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_GPUENTRYLOWERING_H

#include "compiler/conversion/HeddleToCPU/EntryLowering.h"
#include "compiler/conversion/HeddleToGPU/EarlySteps.h"
#include "compiler/conversion/HeddleToGPU/HeddleToGPU.h"
#include "compiler/conversion/SparseKToGPU/Attention.h"
#include "compiler/conversion/SparseKToGPU/DeviceProgram.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace heddle::gpu {

/// The entry runs on the host and puts launches, copies and products on the stream of the call, and early
/// steps aside (`EarlySteps`). Buffers are memory of the device; kernels are in the module `kernels`. The
/// entry's attributes tell the runtime what it refers to by number: `heddle.kernels` (names),
/// `heddle.messages` (pairs of status and text), `heddle.products` (the fields of heddle_cuda_matmul_t).
class GpuEntryLowering : public cpu::EntryLowering {
public:
  GpuEntryLowering(mlir::func::FuncOp source, const GpuOptions &options);

private:
  cpu::Workspace workspaceOf(mlir::Operation *op) override;
  cpu::Starts findStarts() override;
  void reach(mlir::Operation *op) override;
  mlir::LogicalResult lowerGroup(const GroupCall &group) override;
  mlir::LogicalResult lowerWhole(mlir::Operation *op) override;
  mlir::Value constantBuffer(ir::ConstantOp constant) override;
  int64_t constantBytes() override;
  void copyBuffer(mlir::Location loc, mlir::Value from, mlir::Value to) override;
  void storeStep(mlir::Location loc, mlir::Value step, mlir::Value to) override;
  mlir::Value loadTruth(mlir::Location loc, mlir::Value buffer) override;
  void begin() override;
  void finish() override;

  /// The launches of an operation that is not grouped; its kernels are emitted when it is first asked for.
  const DeviceProgram &program(mlir::Operation *op);
  void runProgram(mlir::Operation *op);
  void runStep(mlir::Operation *op, const DeviceProgram &program, const DeviceStep &step);
  /// Leaves a product to the runtime.
  void callMatmul(ir::MatmulOp op);

  void launch(mlir::Location loc, llvm::StringRef kernel, llvm::ArrayRef<int64_t> grid, int64_t block,
              int64_t shared, mlir::ValueRange arguments);
  void runtimeCall(mlir::Location loc, llvm::StringRef function, mlir::ValueRange arguments);
  std::string kernelName(llvm::StringRef hint);
  int32_t message(int32_t status, const std::string &text);
  int32_t firstFailure(const DeviceProgram &program, const std::string &where);
  /// What the address of a tensor is a multiple of, at most 16.
  int64_t alignmentOf(mlir::Value tensor);
  mlir::Value i32(mlir::Location loc, int64_t value);

  GpuOptions options;
  EarlySteps early;
  mlir::gpu::GPUModuleOp kernels;
  std::map<std::string, DeviceProgram> programs;
  llvm::SmallVector<mlir::Attribute> launched, messages, products;
  std::map<std::string, int32_t> kernelNumbers, messageNumbers, productNumbers;

  /// Constants lie behind the arena's tensors; they are written when the entry starts.
  struct ConstantPlace {
    int64_t offset;
    std::optional<int32_t> word; ///< repeated, if that is all
  };
  std::map<const void *, ConstantPlace> constants; ///< by the attribute
  llvm::SmallVector<char> image;                   ///< what is not repeated, in order
  int64_t imageOffset = 0;
};

/// Alignment of tensors in the arena, in bytes.
constexpr int64_t deviceAlignment = 256;

/// What kernels of these options may count on.
Target targetOf(const GpuOptions &options);
/// Whether the runtime computes an operation with a library.
bool isLeftToRuntime(mlir::Operation *op, const GpuOptions &options);

/// The kernels of an operation that is neither grouped nor left to the runtime, nothing where there are none.
/// `prefix` starts their names.
std::optional<DeviceProgram> emitWholeOp(mlir::gpu::GPUModuleOp module, mlir::Operation *op,
                                         llvm::StringRef prefix, const GpuOptions &options);

} // namespace heddle::gpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_GPUENTRYLOWERING_H
