// sparsek.project: a block of threads for every row.
#include "compiler/conversion/SparseKToGPU/Order.h"
#include "compiler/conversion/SparseKToGPU/RowThreshold.h"
#include "compiler/conversion/SparseKToGPU/Selection.h"
#include "compiler/conversion/SparseKToGPU/Steps.h"

#include "dialects/sparsek/IR/SparseK.h"

#include <limits>

using namespace mlir;

namespace heddle::gpu {

DeviceProgram emitProject(mlir::gpu::GPUModuleOp module, Operation *op, StringRef prefix) {
  auto project = cast<sparsek::ProjectOp>(op);
  StepBuilder steps(module, op->getLoc(), prefix);
  auto type = cast<RankedTensorType>(project.getZ().getType());
  Type element = type.getElementType(),
       budget = cast<RankedTensorType>(project.getK().getType()).getElementType();
  Type f64 = Float64Type::get(op->getContext()), f32 = Float32Type::get(op->getContext());
  const int64_t n = type.getShape().back(), rows = n ? type.getNumElements() / n : 0;
  constexpr int32_t invalidArgument = 1; // HEDDLE_INVALID_ARGUMENT
  DeviceOperand message = steps.failure(invalidArgument, "sparsek needs k > 0, but k is {g}");
  // With no rows the budget is checked all the same.
  const int64_t threads = std::clamp<int64_t>(powerAbove(n), warpSize, 256);
  steps.kernel(
      "rows", std::max<int64_t>(rows, 1), threads,
      {operandBuffer(0), operandBuffer(1), resultBuffer(0), message, errorRecord()}, [&](KernelCode &k) {
        Scalar mass = k.cast(k.load(k.pointer(1, budget), k.i32(0)), f64);
        Scalar positive = mass > 0.0;
        k.when(!positive & (k.block() == 0) & (k.thread() == 0),
               [&] { k.report(k.argument(4), k.argument(3), k.bitcast(mass, k.i64Type()), k.i64(0)); });
        if (rows == 0)
          return;
        k.when(positive, [&] {
          Scalar first = k.cast(k.block(), k.i64Type()) * n, count = k.i32(n);
          Pointer z = k.offset(k.pointer(0, element), first), p = k.offset(k.pointer(2, element), first);
          auto plain = [&](Scalar i) { return k.cast(k.load(z, i), element.isF64() ? f64 : f32); };
          auto score = [&](Scalar i) { return clampScore(k, plain(i)); };
          Scalar anyNan =
              k.loop(k.thread(), count, k.i32(threads), {k.i32(0)}, [&](Scalar i, ArrayRef<Scalar> any) {
                return Scalars{any[0] | k.cast(k.isNan(plain(i)), k.i32Type())};
              })[0];
          anyNan = k.blockReduce(anyNan, [](Scalar x, Scalar y) { return x | y; });
          Scalar none = k.constant(f64, -std::numeric_limits<double>::infinity());
          Scalars tau = k.choose((anyNan == 0) & (mass < double(n)),
                                 [&] {
                                   RowThreshold row = solveRow(k, count, mass, score);
                                   return Scalars{row.hi, row.lo};
                                 },
                                 [&] { return Scalars{none, k.constant(f64, 0.0)}; });
          k.loop(k.thread(), count, k.i32(threads), [&](Scalar i) {
            Scalar gate = (k.cast(score(i), f64) - tau[0]) - tau[1];
            gate = k.max(k.min(gate, k.constant(f64, 1.0)), k.constant(f64, 0.0));
            gate = k.select(anyNan != 0, k.constant(f64, std::numeric_limits<double>::quiet_NaN()), gate);
            // Rounded to f32 first, as everything narrower is.
            k.store(element.isF64() ? gate : k.cast(k.cast(gate, f32), element), p, i);
          });
        });
      });
  return std::move(steps.program);
}

} // namespace heddle::gpu
