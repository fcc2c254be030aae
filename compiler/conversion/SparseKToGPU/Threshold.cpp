#include "compiler/conversion/SparseKToGPU/Threshold.h"

#include "compiler/conversion/SparseKToGPU/Order.h"
#include "compiler/conversion/SparseKToGPU/Selection.h"
#include "dialects/sparsek/IR/SparseK.h"

#include <limits>

using namespace mlir;

namespace heddle::gpu {

ScoreRows ScoreRows::of(Value u, int64_t window, Value bounds) {
  auto type = cast<RankedTensorType>(u.getType());
  const int64_t n = type.getDimSize(2);
  return {type.getDimSize(0) * type.getDimSize(1), n, std::min(window, n), type.getElementType(),
          bool(bounds)};
}

SequenceBounds sequenceAt(KernelCode &k, const ScoreRows &rows, Pointer bounds, Scalar position) {
  if (!rows.packed)
    return {k.i32(0), k.i32(rows.n)};
  return {k.load(bounds, position), k.load(bounds, position + rows.n)};
}

Position positionOfThread(KernelCode &k, const ScoreRows &rows) {
  Scalar i = (k.block() / rows.rows) * elementThreads + k.thread();
  Scalar row = k.cast(k.block() % rows.rows, k.i64Type());
  return {row, row * rows.n, i};
}

void eachPosition(StepBuilder &steps, StringRef name, const ScoreRows &rows, ArrayRef<DeviceOperand> operands,
                  llvm::function_ref<void(KernelCode &, const Position &)> body) {
  steps.kernel(name, rows.rows * rows.tiles(), elementThreads, operands, [&](KernelCode &k) {
    Position p = positionOfThread(k, rows);
    k.when(p.i < rows.n, [&] { body(k, p); });
  });
}

Type ThresholdBuffers::orderType() const {
  return IntegerType::get(rows.element.getContext(), serial ? 32 : 64);
}

Scalar keyOrder(KernelCode &k, Scalar clamped, Scalar key) {
  return (k.cast(orderedBits(k, clamped), k.i64Type()) << 32) |
         k.extendUnsigned(key ^ k.i32(-1), k.i64Type());
}
Scalar orderScore(KernelCode &k, Scalar order) {
  return fromOrderedBits(k, k.cast(order >> 32, k.i32Type()));
}
Scalar orderKey(KernelCode &k, Scalar order) { return k.cast(order, k.i32Type()) ^ k.i32(-1); }

/// What holds where there are at most topk candidates.
static void emitDefaults(StepBuilder &steps, const ThresholdBuffers &s) {
  Type order = s.orderType();
  eachPosition(steps, "defaults", s.rows, {s.hi, s.lo, s.count, s.kappa, s.firstNan},
               [&](KernelCode &k, const Position &p) {
                 Type element = s.rows.element;
                 Scalar at = p.at(k, p.i);
                 const bool wide = order.getIntOrFloatBitWidth() == 64;
                 k.store(k.constant(element, -std::numeric_limits<double>::infinity()), k.pointer(0, element),
                         at);
                 k.store(k.constant(element, 0.0), k.pointer(1, element), at);
                 k.store(k.i32(0), k.pointer(2, k.i32Type()), at);
                 k.store(wide ? k.i64(std::numeric_limits<int64_t>::min())
                              : k.i32(std::numeric_limits<int32_t>::min()),
                         k.pointer(3, order), at);
                 k.store(k.i32(std::numeric_limits<int32_t>::max()), k.pointer(4, k.i32Type()), at);
               });
}

static void emitFirstNan(StepBuilder &steps, const ThresholdBuffers &s) {
  Type i32 = IntegerType::get(s.rows.element.getContext(), 32);
  eachPosition(steps, "first_nan", s.rows, {s.u, s.bounds, s.firstNan},
               [&](KernelCode &k, const Position &p) {
                 k.when(k.isNan(k.load(k.pointer(0, s.rows.element), p.at(k, p.i))), [&] {
                   Scalar start = sequenceAt(k, s.rows, k.pointer(1, i32), p.i).start;
                   k.atomicMin(p.i, k.pointer(2, i32), p.at(k, start));
                 });
               });
}

/// Without a budget there are no candidates; keys leave with the window.
static void emitWindowOnly(StepBuilder &steps, const ThresholdBuffers &s) {
  eachPosition(steps, "window_only", s.rows, {s.hi, s.lo, s.count, s.end, s.bounds},
               [&](KernelCode &k, const Position &p) {
                 Type element = s.rows.element;
                 Scalar at = p.at(k, p.i);
                 SequenceBounds sequence = sequenceAt(k, s.rows, k.pointer(4, k.i32Type()), p.i);
                 k.store(k.constant(element, -std::numeric_limits<double>::infinity()), k.pointer(0, element),
                         at);
                 k.store(k.constant(element, 0.0), k.pointer(1, element), at);
                 k.store(k.i32(0), k.pointer(2, k.i32Type()), at);
                 Scalar window = k.min(k.i32(s.rows.window), sequence.stop - p.i);
                 k.store(p.i + window, k.pointer(3, k.i32Type()), at);
               });
}

DeviceProgram emitThreshold(mlir::gpu::GPUModuleOp module, Operation *op, StringRef prefix) {
  return emitTunedThreshold(module, op, prefix, {});
}

DeviceProgram emitTunedThreshold(mlir::gpu::GPUModuleOp module, Operation *op, StringRef prefix,
                                 const ThresholdTuning &tuning) {
  auto threshold = cast<sparsek::ThresholdOp>(op);
  StepBuilder steps(module, op->getLoc(), prefix);
  ThresholdBuffers s;
  s.rows = ScoreRows::of(threshold.getU(), int64_t(threshold.getWindow()), threshold.getBounds());
  if (s.rows.size() == 0)
    return std::move(steps.program);
  s.topk = std::min<int64_t>(int64_t(threshold.getTopk()), s.rows.n);
  s.u = operandBuffer(0);
  s.bounds = s.rows.packed ? operandBuffer(1) : operandBuffer(0); // not read where there are none
  s.hi = resultBuffer(0);
  s.lo = resultBuffer(1);
  s.count = resultBuffer(2);
  s.end = resultBuffer(3);
  s.serial = s.rows.element.isF64();
  if (s.topk == 0) {
    emitWindowOnly(steps, s);
    return std::move(steps.program);
  }
  const int64_t orderBytes = s.orderType().getIntOrFloatBitWidth() / 8;
  s.kappa = steps.reserve(s.rows.size() * orderBytes);
  s.firstNan = steps.reserve(s.rows.size() * 4);
  s.crowded = steps.reserve((s.crowdedWords() + 1) * 4);
  if (s.serial || s.topk >= s.rows.n - s.rows.window) {
    emitDefaults(steps, s);
    emitFirstNan(steps, s);
    if (s.serial)
      emitSerialThresholds(steps, s);
  } else {
    emitChunkedThresholds(steps, s, tuning);
  }
  emitRuns(steps, s);
  return std::move(steps.program);
}

} // namespace heddle::gpu
