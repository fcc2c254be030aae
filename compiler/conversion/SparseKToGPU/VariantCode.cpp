#include "compiler/conversion/SparseKToGPU/VariantCode.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"
#include "dialects/heddle/IR/Heddle.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace heddle::gpu::attention {

using cpu::attention::OnKey;
using cpu::attention::OnPair;
using cpu::attention::OnQuery;

static RankedTensorType tensorOf(Value value) { return cast<RankedTensorType>(value.getType()); }

void VariantCode::setRow(Scalar batch, Scalar head) {
  row[block.b] = batch;
  row[block.h] = head;
}

void VariantCode::setPair(Scalar i, Scalar j) {
  query = i;
  key = j;
  pair.clear();
}

Scalar VariantCode::get(Value value) {
  if (value == block.b || value == block.h)
    return row.lookup(value);
  if (value == block.i)
    return query;
  if (value == block.j)
    return key;
  const unsigned bits = block.depends(value);
  if (bits & OnPair) {
    if (auto found = pair.find(value); found != pair.end())
      return found->second;
    Scalar result = emit(value);
    return pair[value] = result;
  }
  const std::array<const void *, 3> place{value.getAsOpaquePointer(),
                                          bits & OnQuery ? query.value.getAsOpaquePointer() : nullptr,
                                          bits & OnKey ? key.value.getAsOpaquePointer() : nullptr};
  if (auto found = known.find(place); found != known.end())
    return found->second;
  Scalar result = emit(value);
  return known[place] = result;
}

Scalar VariantCode::emit(Value value) {
  Operation *op = value.getDefiningOp();
  if (auto read = dyn_cast<sparsek::ReadOp>(op))
    return this->read(read);
  cpu::ScalarEmitter emitter(k.b, k.b.getLoc());
  if (auto constant = dyn_cast<ir::ConstantOp>(op))
    return k.wrap(emitter.constant(cast<DenseElementsAttr>(constant.getValue()).getSplatValue<Attribute>(),
                                   tensorOf(value).getElementType()));
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(get(operand).value);
  // Changes of shape have nothing to do.
  if (isa<ir::ReshapeOp, ir::BroadcastOp, ir::TransposeOp, ir::SliceOp, ir::PadOp, ir::ReverseOp>(op))
    return k.wrap(operands[0]);
  if (isa<ir::FoldInOp>(op))
    return k.wrap(emitter.foldIn(operands[0], operands[1]));
  if (auto random = dyn_cast<ir::RandomOp>(op)) {
    Value x = emitter.random(random.getDistribution(), operands[0], random.getStream(),
                             emitter.integer(k.i64Type(), 0));
    return k.wrap(emitter.cast(x, x.getType(), tensorOf(value).getElementType()));
  }
  return k.wrap(emitter.elementwise(op, operands));
}

Scalar VariantCode::limit(const Affine &x) {
  Scalar sum = k.i64(x.constant);
  auto add = [&](Value value, int64_t factor) {
    if (factor != 0)
      sum = sum + k.cast(get(value), k.i64Type()) * factor;
  };
  add(block.i, x.i);
  add(block.j, x.j);
  for (auto [value, coefficient] : x.others)
    add(value, coefficient);
  return sum;
}

Scalar VariantCode::place(ValueRange indices, ArrayRef<int64_t> shape) {
  Scalar at = k.i64(0);
  for (auto [index, extent] : llvm::zip(indices, shape)) {
    // Only visible pairs are known to be inside.
    Scalar inside = k.max(k.cast(get(index), k.i64Type()), k.i64(0));
    at = at * extent + k.min(inside, k.i64(std::max<int64_t>(extent - 1, 0)));
  }
  return at;
}

Scalar VariantCode::read(sparsek::ReadOp op) {
  cpu::ScalarEmitter emitter(k.b, k.b.getLoc());
  auto type = tensorOf(op.getCapture());
  Type element = type.getElementType();
  if (type.getNumElements() == 0) {
    Type compute = cpu::computeType(element);
    return k.wrap(isa<FloatType>(compute) ? emitter.floating(compute, 0) : emitter.integer(compute, 0));
  }
  const unsigned number =
      cast<BlockArgument>(op.getCapture()).getArgNumber() - block.captures.front().getArgNumber();
  const Pointer &capture = captures[number];
  // Nothing writes captures while the kernel runs, so that the load may move out of loops.
  auto load = LLVM::LoadOp::create(k.b, capture.element,
                                   k.offset(capture, place(op.getIndices(), type.getShape())).base,
                                   /*alignment=*/std::max(1u, capture.element.getIntOrFloatBitWidth() / 8));
  load.setInvariant(true);
  Scalar x = k.wrap(emitter.fromStorage(load, element));
  // The visibility may come from what is read outside: zero. Nothing else does.
  if (block.decidesVisibility(op))
    for (auto [index, extent] : llvm::zip(op.getIndices(), type.getShape()))
      if (Scalar isOutside = outside(index, extent); isOutside.value) {
        Value zero = arith::ConstantOp::create(k.b, k.b.getZeroAttr(x.type()));
        x = k.select(isOutside, k.wrap(zero), x);
      }
  return x;
}

Scalar VariantCode::outside(Value index, int64_t extent) {
  if (extent > 0 && block.range(index).isWithin(0, extent - 1))
    return {};
  Scalar x = k.cast(get(index), k.i64Type());
  return (x < 0) | (x >= extent);
}

void VariantCode::report(ArrayRef<Operation *> needed, Scalar seen, const Reports &reports) {
  if (!reports.record.value)
    return;
  for (Operation *op : needed) {
    auto read = dyn_cast<sparsek::ReadOp>(op);
    if (!read)
      continue;
    for (auto [index, extent] : llvm::zip(read.getIndices(), tensorOf(read.getCapture()).getShape())) {
      Scalar bad = outside(index, extent);
      if (!bad.value)
        continue;
      Scalar x = k.cast(get(index), k.i64Type()), size = k.i64(extent);
      for (auto [candidate, message] : reports.messages)
        if (candidate == op)
          k.when(k.both(bad, seen), [&, number = message] { k.report(reports.record, number, x, size); });
    }
  }
}

} // namespace heddle::gpu::attention
