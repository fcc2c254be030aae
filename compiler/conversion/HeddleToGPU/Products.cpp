//===- Products.cpp - Dense products as kernels ---------------------------===//

#include "compiler/conversion/HeddleToGPU/Products.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"
#include "compiler/conversion/HeddleToGPU/ProductCode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace heddle::gpu;
using namespace heddle::ir;
using heddle::cpu::computeType;
using heddle::cpu::ScalarEmitter;
using heddle::cpu::storageType;

Elements::Elements(KernelCode &code, unsigned argument, Type element)
    : pointer(code.pointer(argument, storageType(element))), element(element) {}

Scalar Elements::load(Scalar at) const {
  KernelCode &k = *pointer.code;
  return k.wrap(ScalarEmitter(k.b, k.b.getLoc()).fromStorage(k.load(pointer, at), element));
}

void Elements::store(Scalar x, Scalar at) const {
  KernelCode &k = *pointer.code;
  if (element.isInteger(1))
    x = k.extendUnsigned(x, pointer.element);
  else if (x.type() != element)
    x = k.wrap(arith::TruncFOp::create(k.b, element, x.value));
  k.store(x, pointer, at);
}

ProductSpec ProductSpec::of(MatmulOp op, bool tf32) {
  auto a = cast<RankedTensorType>(op.getLhs().getType()), c = cast<RankedTensorType>(op.getType());
  ProductSpec spec;
  spec.element = a.getElementType();
  spec.out = c.getElementType();
  spec.batch = c.getDimSize(0);
  spec.m = c.getDimSize(1);
  spec.n = c.getDimSize(2);
  spec.transposeA = op.getTransposeLhs();
  spec.transposeB = op.getTransposeRhs();
  spec.k = a.getDimSize(spec.transposeA ? 1 : 2);
  spec.tf32 = tf32;
  spec.bias = bool(op.getBias());
  spec.addend = bool(op.getAddend());
  spec.relu = op.getRelu();
  return spec;
}

/// Partial sums that a thread adds up.
static int64_t partWidth(const ProductSpec &spec) {
  return std::min<int64_t>(resultWidth(spec), 128 / spec.compute().getIntOrFloatBitWidth());
}

/// Adds up the sums of the parts of k, in their order.
static void addParts(KernelCode &k, const ProductSpec &spec, const ProductPlan &plan) {
  Pointer parts = k.pointer(0, spec.compute());
  ProductResult result(k, spec, 1);
  const int64_t width = partWidth(spec);
  Scalar at = (k.cast(k.block(), k.i64Type()) * k.blockThreads + k.cast(k.thread(), k.i64Type())) * width;
  k.when(at < spec.elements(), [&] {
    Scalars sums;
    for (int64_t part = 0; part < plan.splits; ++part) {
      Value values = k.loadVector(parts, at + part * spec.elements(), width);
      for (int64_t i = 0; i < width; ++i)
        if (part == 0)
          sums.push_back(k.element(values, i));
        else
          sums[size_t(i)] = sums[size_t(i)] + k.element(values, i);
    }
    result.store(sums, at, spec.bias ? at % spec.n : at);
  });
}

void heddle::gpu::emitProduct(StepBuilder &steps, const ProductSpec &spec, const ProductPlan &plan) {
  if (spec.elements() == 0)
    return;
  DeviceOperand sums;
  if (plan.splits > 1)
    sums = steps.reserve(plan.splits * spec.elements() * spec.compute().getIntOrFloatBitWidth() / 8);
  SmallVector<DeviceOperand> result = {resultBuffer(0)};
  for (int64_t i = 0; i < int64_t(spec.bias) + int64_t(spec.addend); ++i)
    result.push_back(operandBuffer(2 + i));
  SmallVector<DeviceOperand> operands = {operandBuffer(0), operandBuffer(1)};
  if (plan.splits > 1)
    operands.push_back(sums);
  else
    operands.append(result);
  steps.kernel("tiles", spec.batch * plan.tiles() * plan.splits, plan.threads, operands, [&](KernelCode &k) {
    if (spec.usesTensorCores())
      emitTensorProduct(k, spec, plan);
    else
      emitRegisterProduct(k, spec, plan);
  });
  if (plan.splits == 1)
    return;
  constexpr int64_t threads = 256;
  operands = {sums};
  operands.append(result);
  steps.kernel("sum", llvm::divideCeil(spec.elements(), threads * partWidth(spec)), threads, operands,
               [&](KernelCode &k) { addParts(k, spec, plan); });
}
