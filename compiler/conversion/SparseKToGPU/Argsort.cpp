// heddle.argsort: records of the element's order and its position, so that sorting is stable.
#include "compiler/conversion/SparseKToGPU/Order.h"
#include "compiler/conversion/SparseKToGPU/Selection.h"
#include "compiler/conversion/SparseKToGPU/Sort.h"

#include "dialects/heddle/IR/Heddle.h"

#include <limits>

using namespace mlir;

namespace heddle::gpu {

/// An i32 or i64 whose order is that of the elements, NaN last.
static Scalar sortKey(KernelCode &k, Scalar x, bool descending) {
  Type type = x.type();
  const bool wide = type.getIntOrFloatBitWidth() == 64;
  Scalar bits = x;
  if (isa<FloatType>(type)) {
    if (!wide)
      x = k.cast(x, k.f32Type());
    bits = orderedBits(k, x + k.constant(x.type(), 0.0)); // one zero
  } else if (!wide) {
    bits = k.cast(x, k.i32Type());
  }
  if (descending)
    bits = bits ^ literal(bits, int64_t(-1));
  if (!isa<FloatType>(type))
    return bits;
  Scalar last =
      wide ? k.i64(std::numeric_limits<int64_t>::max()) : k.i32(std::numeric_limits<int32_t>::max());
  return k.select(k.isNan(x), last, bits);
}

DeviceProgram emitArgsort(mlir::gpu::GPUModuleOp module, Operation *op, StringRef prefix) {
  auto argsort = cast<ir::ArgsortOp>(op);
  auto type = cast<RankedTensorType>(argsort.getX().getType());
  auto resultType = cast<RankedTensorType>(argsort.getType());
  const int64_t axis = int64_t(argsort.getAxis());
  const bool descending = argsort.getDescending();
  int64_t outer = 1, inner = 1;
  for (auto [d, extent] : llvm::enumerate(type.getShape()))
    (int64_t(d) < axis ? outer : inner) *= int64_t(d) == axis ? 1 : extent;
  const int64_t n = type.getDimSize(axis), kept = resultType.getDimSize(axis);

  StepBuilder steps(module, op->getLoc(), prefix);
  if (outer * inner * n * kept == 0)
    return std::move(steps.program);
  Type element = type.getElementType();
  const bool wide = element.getIntOrFloatBitWidth() == 64;
  Builder b(op->getContext());
  SortedRows rows{outer * inner, n, {}};
  rows.parts.push_back(b.getI64Type());
  if (wide)
    rows.parts.push_back(b.getI32Type());

  auto place = [=](KernelCode &k, Scalar row, Scalar i, int64_t extent) {
    return (row / inner) * (extent * inner) + row % inner + k.cast(i, k.i64Type()) * inner;
  };
  auto source = [&](KernelCode &k, Scalar row, Scalar i) {
    Scalar key = sortKey(k, k.load(k.pointer(0, element), place(k, row, i, n)), descending);
    if (wide)
      return Scalars{key, i};
    return Scalars{(k.cast(key, k.i64Type()) << 32) | k.extendUnsigned(i, k.i64Type())};
  };
  auto sink = [&](KernelCode &k, unsigned first, Scalar row, Scalar i, ArrayRef<Scalar> record) {
    Scalar index = wide ? record[1] : k.cast(record[0], k.i32Type());
    k.when(i < kept, [&] { k.store(index, k.pointer(first, k.i32Type()), place(k, row, i, kept)); });
  };
  emitSort(steps, "sort", rows, kept, {operandBuffer(0)}, source, {resultBuffer(0)}, sink);
  return std::move(steps.program);
}

} // namespace heddle::gpu
