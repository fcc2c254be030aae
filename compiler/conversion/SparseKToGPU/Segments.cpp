// sparsek.segments: one block checks the offsets, then every position finds its sequence.
#include "compiler/conversion/SparseKToGPU/Order.h"
#include "compiler/conversion/SparseKToGPU/Selection.h"
#include "compiler/conversion/SparseKToGPU/Threshold.h"

#include "dialects/sparsek/IR/SparseK.h"

using namespace mlir;

namespace heddle::gpu {

DeviceProgram emitSegments(mlir::gpu::GPUModuleOp module, Operation *op, StringRef prefix) {
  auto segments = cast<sparsek::SegmentsOp>(op);
  StepBuilder steps(module, op->getLoc(), prefix);
  const int64_t count = cast<RankedTensorType>(segments.getOffsets().getType()).getNumElements();
  const int64_t n = int64_t(segments.getLength());
  Type i32 = IntegerType::get(op->getContext(), 32);
  constexpr int32_t invalidArgument = 1; // HEDDLE_INVALID_ARGUMENT
  // One message for each wrong offset; the last is for the end. They are numbered one after the other.
  auto name = [](int64_t s) { return "segments[" + std::to_string(s) + "]"; };
  DeviceOperand messages = steps.failure(invalidArgument, name(0) + " is {}, not 0");
  for (int64_t s = 1; s < count; ++s)
    steps.failure(invalidArgument, name(s) + " is {}, below " + name(s - 1) + ", which is {}");
  steps.failure(invalidArgument,
                name(count - 1) + " is {}, not " + std::to_string(n) + ", the number of positions");

  DeviceOperand first = steps.reserve(4); // the first wrong one, count + 1 if there is none
  steps.kernel("offsets", 1, 256, {operandBuffer(0), first, messages, errorRecord()}, [&](KernelCode &k) {
    Pointer offsets = k.pointer(0, i32);
    auto own = [&](Scalar s) { return k.load(offsets, k.min(s, k.i32(count - 1))); };
    auto before = [&](Scalar s) { return k.load(offsets, k.max(s - 1, k.i32(0))); };
    Scalar wrong = k.loop(
        k.thread(), k.i32(count + 1), k.i32(256), {k.i32(count + 1)}, [&](Scalar s, ArrayRef<Scalar> least) {
          Scalar isWrong =
              k.select(s == 0, own(s) != 0, k.select(s == count, own(s) != n, own(s) < before(s)));
          return Scalars{k.min(least[0], k.select(isWrong, s, k.i32(count + 1)))};
        })[0];
    wrong = k.blockReduce(wrong, [&](Scalar x, Scalar y) { return k.min(x, y); });
    k.when(k.thread() == 0, [&] {
      k.store(wrong, k.pointer(1, i32), k.i32(0));
      k.when(wrong <= count, [&] {
        k.report(k.argument(3), k.argument(2) + wrong, k.cast(own(wrong), k.i64Type()),
                 k.cast(before(wrong), k.i64Type()));
      });
    });
  });
  // Where they are wrong all positions are one sequence, so that what comes after stays within its buffers.
  ScoreRows positions{1, n, 0, i32, false};
  eachPosition(steps, "bounds", positions, {operandBuffer(0), first, resultBuffer(0)},
               [&](KernelCode &k, const Position &p) {
                 Pointer offsets = k.pointer(0, i32), bounds = k.pointer(2, i32);
                 Scalar fine = k.load(k.pointer(1, i32), k.i32(0)) > count;
                 Scalar next = firstWhere(k, k.i32(1), k.i32(count - 1),
                                          [&](Scalar s) { return k.load(offsets, s) > p.i; });
                 Scalars sequence = k.choose(
                     fine, [&] { return Scalars{k.load(offsets, next - 1), k.load(offsets, next)}; },
                     [&] { return Scalars{k.i32(0), k.i32(n)}; });
                 k.store(sequence[0], bounds, p.i);
                 k.store(sequence[1], bounds, p.i + n);
               });
  return std::move(steps.program);
}

} // namespace heddle::gpu
