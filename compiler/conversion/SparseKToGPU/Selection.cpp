#include "compiler/conversion/SparseKToGPU/Selection.h"
#include "compiler/conversion/SparseKToGPU/Threshold.h"

#include "dialects/heddle/IR/Heddle.h"
#include "dialects/sparsek/IR/SparseK.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace heddle::gpu {

using Emitter = DeviceProgram (*)(mlir::gpu::GPUModuleOp, Operation *, StringRef);

static Emitter emitterOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, Emitter>(op)
      .Case<ir::ArgsortOp>([](auto) { return emitArgsort; })
      .Case<sparsek::ThresholdOp>([](auto) { return emitThreshold; })
      .Case<sparsek::ThresholdBackwardOp>([](auto) { return emitThresholdBackward; })
      .Case<sparsek::ThresholdTangentOp>([](auto) { return emitThresholdTangent; })
      .Case<sparsek::SegmentsOp>([](auto) { return emitSegments; })
      .Case<sparsek::ProjectOp>([](auto) { return emitProject; })
      .Case<sparsek::AppendOp>([](auto) { return emitAppend; })
      .Case<sparsek::FillCacheOp>([](auto) { return emitFillCache; })
      .Default([](auto) { return nullptr; });
}

bool isSelection(Operation *op) { return emitterOf(op) != nullptr; }
DeviceProgram emitSelection(mlir::gpu::GPUModuleOp module, Operation *op, StringRef prefix) {
  return emitSelectionWithin(module, op, prefix, ThresholdTuning().sharedBytes);
}
DeviceProgram emitSelectionWithin(mlir::gpu::GPUModuleOp module, Operation *op, StringRef prefix,
                                  int64_t sharedBytes) {
  if (!isa<sparsek::ThresholdOp, sparsek::ThresholdBackwardOp, sparsek::ThresholdTangentOp>(op))
    return emitterOf(op)(module, op, prefix);
  DeviceProgram program = isa<sparsek::ThresholdOp>(op)
                              ? emitTunedThreshold(module, op, prefix, {.sharedBytes = sharedBytes})
                              : emitterOf(op)(module, op, prefix);
  program.endEarly();
  return program;
}

} // namespace heddle::gpu
