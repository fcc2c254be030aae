//===- Selection.h - Scores, thresholds and order as device kernels -------===//
//
// Emits the kernels of one operation into a gpu.module and says how to launch them. Kernels stand at the end
// of the module and are named `prefix` + "_" + suffix. Shapes are static.
//
//===----------------------------------------------------------------------===//
#ifndef HEDDLE_COMPILER_CONVERSION_SPARSEKTOGPU_SELECTION_H
#define HEDDLE_COMPILER_CONVERSION_SPARSEKTOGPU_SELECTION_H

#include "compiler/conversion/SparseKToGPU/DeviceProgram.h"
#include "llvm/ADT/StringRef.h"

namespace mlir {
class Operation;
namespace gpu {
class GPUModuleOp;
} // namespace gpu
} // namespace mlir

namespace heddle::gpu {

/// heddle.argsort along any axis.
DeviceProgram emitArgsort(mlir::gpu::GPUModuleOp module, mlir::Operation *op, llvm::StringRef prefix);
DeviceProgram emitThreshold(mlir::gpu::GPUModuleOp module, mlir::Operation *op, llvm::StringRef prefix);
DeviceProgram emitThresholdBackward(mlir::gpu::GPUModuleOp module, mlir::Operation *op,
                                    llvm::StringRef prefix);
DeviceProgram emitThresholdTangent(mlir::gpu::GPUModuleOp module, mlir::Operation *op,
                                   llvm::StringRef prefix);
DeviceProgram emitSegments(mlir::gpu::GPUModuleOp module, mlir::Operation *op, llvm::StringRef prefix);
DeviceProgram emitProject(mlir::gpu::GPUModuleOp module, mlir::Operation *op, llvm::StringRef prefix);
/// Writes the results other than o over copies of the cache, which the caller makes where a result does not
/// take its operand's place.
DeviceProgram emitAppend(mlir::gpu::GPUModuleOp module, mlir::Operation *op, llvm::StringRef prefix);
DeviceProgram emitFillCache(mlir::gpu::GPUModuleOp module, mlir::Operation *op, llvm::StringRef prefix);

/// Whether `emitSelection` knows the operation: one of those above.
bool isSelection(mlir::Operation *op);
/// All steps of thresholds, and of their gradients and tangents, are early ones.
DeviceProgram emitSelection(mlir::gpu::GPUModuleOp module, mlir::Operation *op, llvm::StringRef prefix);
/// `sharedBytes`: what a block of threads has on the device.
DeviceProgram emitSelectionWithin(mlir::gpu::GPUModuleOp module, mlir::Operation *op, llvm::StringRef prefix,
                                  int64_t sharedBytes);

} // namespace heddle::gpu

#endif // HEDDLE_COMPILER_CONVERSION_SPARSEKTOGPU_SELECTION_H
