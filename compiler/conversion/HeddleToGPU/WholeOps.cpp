//===- WholeOps.cpp - Kernels of operations that are not grouped ----------===//

#include "compiler/conversion/HeddleToCPU/ScalarOps.h"
#include "compiler/conversion/HeddleToGPU/GpuEntryLowering.h"
#include "compiler/conversion/HeddleToGPU/Products.h"
#include "compiler/conversion/HeddleToGPU/Scatter.h"
#include "compiler/conversion/SparseKToGPU/Attention.h"
#include "compiler/conversion/SparseKToGPU/Selection.h"
#include "compiler/conversion/SparseKToGPU/Steps.h"
#include "compiler/conversion/SparseKToGPU/Variant.h"

#include "dialects/sparsek/IR/SparseK.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace heddle::gpu;
using namespace heddle::ir;
using heddle::cpu::assertionFailedStatus;
using heddle::cpu::computeType;
using heddle::cpu::outOfRangeStatus;
using heddle::cpu::tensorType;
namespace sk = heddle::sparsek;

namespace {

void emit(StepBuilder &steps, DynamicUpdateSliceOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  Type element = type.getElementType(), startType = tensorType(op.getStart()).getElementType();
  Split split(type, op.getAxis());
  const int64_t size = tensorType(op.getUpdate()).getDimSize(op.getAxis()), length = size * split.inner;
  const int64_t all = split.outer * length;
  steps.kernel("block", blocksFor(all), wholeOpThreads, {operandBuffer(1), operandBuffer(2), resultBuffer(0)},
               [&](KernelCode &k) {
                 Elements update(k, 0, element), starts(k, 1, startType), result(k, 2, element);
                 Scalar i = globalThread(k);
                 k.when(i < all, [&] {
                   Scalar start = clampedId(starts.load(k.i64(0)), split.extent - size + 1) * split.inner;
                   Scalar to = i / length * (split.extent * split.inner) + start + i % length;
                   result.store(update.load(i), to);
                 });
               });
}

/// Along the last axis the threads of a block scan pieces of a line; otherwise a thread owns a line.
void emit(StepBuilder &steps, CumsumOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  Type element = type.getElementType(), wide = computeType(element);
  Split split(type, op.getAxis());
  const int64_t lines = type.getNumElements() ? split.outer * split.inner : 0;
  auto add = [](Scalar a, Scalar b) { return a + b; };
  if (split.inner > 1) {
    steps.kernel("lines", blocksFor(lines), wholeOpThreads, {operandBuffer(0), resultBuffer(0)},
                 [&](KernelCode &k) {
                   Elements x(k, 0, element), result(k, 1, element);
                   Scalar line = globalThread(k);
                   k.when(line < lines, [&] {
                     Scalar outer = line / split.inner, column = line % split.inner;
                     k.loop(k.i64(0), k.i64(split.extent), k.i64(1), {k.constant(wide, 0)},
                            [&](Scalar number, ArrayRef<Scalar> sum) {
                              if (op.getReverse())
                                number = split.extent - 1 - number;
                              Scalar at = (outer * split.extent + number) * split.inner + column;
                              Scalar next = sum[0] + x.load(at);
                              result.store(next, at);
                              return Scalars{next};
                            });
                   });
                 });
    return;
  }
  const int64_t threads = split.extent > 256  ? 1024
                          : split.extent > 32 ? 128
                                              : 32,
                warps = threads / warpSize;
  steps.kernel("line", lines, threads, {operandBuffer(0), resultBuffer(0)}, [&](KernelCode &k) {
    Elements x(k, 0, element), result(k, 1, element);
    Pointer totals = k.shared(warps, wide);
    Scalar start = k.cast(k.block(), k.i64Type()) * split.extent, thread = k.cast(k.thread(), k.i64Type());
    k.loop(k.i64(0), k.i64(split.extent), k.i64(threads), {k.constant(wide, 0)},
           [&](Scalar first, ArrayRef<Scalar> before) {
             Scalar number = first + thread, inside = number < split.extent;
             Scalar at = k.min(number, k.i64(split.extent - 1));
             if (op.getReverse())
               at = split.extent - 1 - at;
             at = start + at;
             Scalar sum = k.warpInclusiveScan(k.select(inside, x.load(at), k.constant(wide, 0)), add);
             k.when(k.lane() == warpSize - 1, [&] { k.store(sum, totals, k.warp()); });
             k.barrier();
             Scalar carry = before[0], total = before[0];
             for (int64_t warp = 0; warp < warps; ++warp) {
               Scalar part = k.load(totals, k.i32(warp));
               carry = k.select(k.warp() > warp, carry + part, carry);
               total = total + part;
             }
             k.barrier();
             k.when(inside, [&] { result.store(carry + sum, at); });
             return Scalars{total};
           });
  });
}

/// The first wrong index is reported: the smallest of all threads, by one block.
void emit(StepBuilder &steps, CheckIndexOp op) {
  Type idType = tensorType(op.getIds()).getElementType();
  const int64_t count = tensorType(op.getIds()).getNumElements(), limit = op.getLimit();
  // A block finds the first of 4096; many such need a second pass.
  constexpr int64_t piece = 4096;
  const int64_t pieces = (count + piece - 1) / piece;
  const int64_t threads = count > 1024 ? 256 : count > 32 ? 128 : 32;
  auto least = [](Scalar a, Scalar b) { return a.code->min(a, b); };
  auto firstWrong = [&](KernelCode &k, Scalar begin, Scalar end) {
    Elements ids(k, 0, idType);
    Scalar wrong = k.loop(begin + k.cast(k.thread(), k.i64Type()), end, k.i64(k.blockThreads), {k.i64(count)},
                          [&](Scalar i, ArrayRef<Scalar> first) {
                            // A negative one is large as an unsigned number.
                            Scalar inside = k.unsignedLess(k.cast(ids.load(i), k.i64Type()), k.i64(limit));
                            return Scalars{k.select(inside, first[0], k.min(first[0], i))};
                          })[0];
    return k.blockReduce(wrong, least);
  };
  auto report = [&](KernelCode &k, Scalar wrong, unsigned message) {
    k.when((k.thread() == 0) & (wrong < count), [&] {
      Scalar id = k.cast(Elements(k, 0, idType).load(wrong), k.i64Type());
      k.report(k.argument(message + 1), k.argument(message), id, k.i64(limit));
    });
  };
  DeviceOperand failure = steps.failure(outOfRangeStatus, op.getMessage());
  if (pieces <= 1) {
    steps.kernel("ids", pieces, threads, {operandBuffer(0), failure, errorRecord()},
                 [&](KernelCode &k) { report(k, firstWrong(k, k.i64(0), k.i64(count)), 1); });
    return;
  }
  DeviceOperand found = steps.reserve(pieces * 8);
  steps.kernel("ids", pieces, threads, {operandBuffer(0), found}, [&](KernelCode &k) {
    Scalar begin = k.cast(k.block(), k.i64Type()) * piece;
    Scalar wrong = firstWrong(k, begin, k.min(begin + piece, k.i64(count)));
    k.when(k.thread() == 0, [&] { k.store(wrong, k.pointer(1, k.i64Type()), k.block()); });
  });
  steps.kernel("report", 1, threads, {operandBuffer(0), found, failure, errorRecord()}, [&](KernelCode &k) {
    Scalar wrong = k.loop(k.cast(k.thread(), k.i64Type()), k.i64(pieces), k.i64(threads), {k.i64(count)},
                          [&](Scalar i, ArrayRef<Scalar> first) {
                            return Scalars{k.min(first[0], k.load(k.pointer(1, k.i64Type()), i))};
                          })[0];
    report(k, k.blockReduce(wrong, least), 2);
  });
}

void emit(StepBuilder &steps, AssertOp op) {
  steps.kernel("condition", 1, warpSize,
               {operandBuffer(0), steps.failure(assertionFailedStatus, op.getMessage()), errorRecord()},
               [&](KernelCode &k) {
                 Scalar holds = k.load(k.pointer(0, k.b.getI8Type()), k.i32(0));
                 k.when((k.thread() == 0) & (holds == 0),
                        [&] { k.report(k.argument(2), k.argument(1), k.i64(0), k.i64(0)); });
               });
}

} // namespace

/// The program of an operation whose plan may be chosen, or of any other.
static std::optional<DeviceProgram> emit(mlir::gpu::GPUModuleOp module, Operation *op, StringRef prefix,
                                         const GpuOptions &options, const Choice &choice) {
  Target target = targetOf(options);
  target.choice = choice;
  if (isa<sk::AttentionOp, sk::AttentionBackwardOp, sk::AttentionTangentOp>(op))
    return emitAttention(module, op, target, prefix);
  if (isa<sk::VariantAttentionOp, sk::VariantAttentionBackwardOp>(op))
    return emitVariant(module, op, target, prefix);
  if (isSelection(op))
    return emitSelectionWithin(module, op, prefix, target.sharedBytes);
  StepBuilder steps(module, op->getLoc(), prefix);
  const bool known = llvm::TypeSwitch<Operation *, bool>(op)
                         .Case<DynamicUpdateSliceOp, CumsumOp, CheckIndexOp, AssertOp>([&](auto typed) {
                           emit(steps, typed);
                           return true;
                         })
                         .Case<ScatterAddOp, PutAlongOp>([&](auto scatter) {
                           emitScatter(steps, scatter);
                           return true;
                         })
                         .Case<MatmulOp>([&](MatmulOp product) {
                           emitProduct(steps, ProductSpec::of(product, options.tf32), choice);
                           return true;
                         })
                         .Default([](Operation *) { return false; });
  if (!known)
    return std::nullopt;
  return std::move(steps.program);
}

std::optional<DeviceProgram> heddle::gpu::emitWholeOp(mlir::gpu::GPUModuleOp module, Operation *op,
                                                      StringRef prefix, const GpuOptions &options) {
  Choice choice;
  if (options.measured)
    if (auto found = options.measured->find(planKey(op, options)); found != options.measured->end())
      choice = found->second;
  std::optional<DeviceProgram> program = emit(module, op, prefix, options, choice);
  if (program && !program->taken.empty()) {
    // For `heddle explain`.
    OpBuilder b(module.getContext());
    const bool measured = !choice.empty() && program->taken == choice;
    for (const DeviceStep &step : program->steps) {
      Operation *kernel = module.lookupSymbol(step.kernel);
      kernel->setAttr("heddle.plan", b.getStringAttr(program->taken.str()));
      kernel->setAttr("heddle.measured", b.getBoolAttr(measured));
    }
  }
  return program;
}
