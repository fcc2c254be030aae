//===- WholeOps.cpp - Kernels of operations that are not grouped ----------===//

#include "compiler/conversion/HeddleToCPU/ScalarOps.h"
#include "compiler/conversion/HeddleToGPU/GpuEntryLowering.h"
#include "compiler/conversion/HeddleToGPU/Products.h"
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
using heddle::cpu::ScalarEmitter;

static RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

namespace {

/// The elements before, along and after an axis.
struct Split {
  int64_t outer = 1, extent = 1, inner = 1;
  Split(RankedTensorType type, int64_t axis) {
    for (auto [d, n] : llvm::enumerate(type.getShape()))
      ((int64_t)d < axis ? outer : (int64_t)d == axis ? extent : inner) *= n;
  }
};

/// An id as a position in [0, extent): checks have reported what is outside.
Scalar clampedId(Scalar id, int64_t extent) {
  KernelCode &k = *id.code;
  id = k.cast(id, k.i64Type());
  return k.min(k.max(id, k.i64(0)), k.i64(std::max<int64_t>(extent - 1, 0)));
}

/// The number of this thread in the grid, as i64.
Scalar globalThread(KernelCode &k) {
  return k.cast(k.block(), k.i64Type()) * k.blockThreads + k.cast(k.thread(), k.i64Type());
}

Scalar sumOf(Scalar a, Scalar b, Type element) {
  KernelCode &k = *a.code;
  return k.wrap(ScalarEmitter(k.b, k.b.getLoc()).rounded(a + b, element));
}

constexpr int64_t blockThreads = 256;
int64_t blocksFor(int64_t threads) { return (threads + blockThreads - 1) / blockThreads; }

/// A warp for each piece of a row of the table looks through all ids, and adds the updates that are for its
/// row in their order.
void emit(StepBuilder &steps, ScatterAddOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  Type element = type.getElementType(), idType = tensorType(op.getIds()).getElementType();
  Split split(type, op.getAxis());
  const int64_t count = tensorType(op.getIds()).getNumElements();
  constexpr int64_t perLane = 4, piece = perLane * warpSize;
  const int64_t pieces = (split.inner + piece - 1) / piece, tasks = split.outer * split.extent * pieces;
  steps.kernel(
      "rows", blocksFor(tasks * warpSize), blockThreads,
      {operandBuffer(0), operandBuffer(1), operandBuffer(2), resultBuffer(0)}, [&](KernelCode &k) {
        Elements base(k, 0, element), ids(k, 1, idType), updates(k, 2, element), result(k, 3, element);
        Scalar task = globalThread(k) >> 5, lane = k.cast(k.lane(), k.i64Type());
        k.when(task < tasks, [&] {
          Scalar number = task % pieces, row = task / pieces % split.extent,
                 outer = task / (pieces * split.extent);
          Scalars columns, valid, sums;
          for (int64_t j = 0; j < perLane; ++j) {
            Scalar column = number * piece + j * warpSize + lane;
            valid.push_back(column < split.inner);
            columns.push_back(k.min(column, k.i64(split.inner - 1)));
            sums.push_back(base.load((outer * split.extent + row) * split.inner + columns[j]));
          }
          sums =
              k.loop(k.i64(0), k.i64(count), k.i64(warpSize), sums, [&](Scalar first, ArrayRef<Scalar> now) {
                Scalar mine = first + lane;
                Scalar id = clampedId(ids.load(k.min(mine, k.i64(count - 1))), split.extent);
                Scalars carried(now.begin(), now.end());
                carried.push_back(k.ballot((id == row) & (mine < count)));
                Scalars after = k.repeat(
                    carried, [&](ArrayRef<Scalar> now) { return now.back() != 0; },
                    [&](ArrayRef<Scalar> now) {
                      Scalar found = k.cast(k.trailingZeros(now.back()), k.i64Type()) + first;
                      Scalars next;
                      for (int64_t j = 0; j < perLane; ++j)
                        next.push_back(sumOf(now[j],
                                             updates.load((outer * count + found) * split.inner + columns[j]),
                                             element));
                      next.push_back(now.back() & (now.back() - 1));
                      return next;
                    });
                after.pop_back();
                return after;
              });
          for (int64_t j = 0; j < perLane; ++j)
            k.when(valid[j],
                   [&] { result.store(sums[j], (outer * split.extent + row) * split.inner + columns[j]); });
        });
      });
}

/// A thread owns one line along the axis.
void emit(StepBuilder &steps, PutAlongOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  Type element = type.getElementType(), idType = tensorType(op.getIds()).getElementType();
  Split split(type, op.getAxis());
  const int64_t count = tensorType(op.getIds()).getDimSize(op.getAxis());
  const int64_t lines = type.getNumElements() ? split.outer * split.inner : 0;
  steps.kernel("lines", blocksFor(lines), blockThreads,
               {operandBuffer(0), operandBuffer(1), operandBuffer(2), resultBuffer(0)}, [&](KernelCode &k) {
                 Elements base(k, 0, element), ids(k, 1, idType), updates(k, 2, element),
                     result(k, 3, element);
                 Scalar line = globalThread(k);
                 k.when(line < lines, [&] {
                   Scalar outer = line / split.inner, column = line % split.inner;
                   auto at = [&](Scalar number, int64_t extent) {
                     return (outer * extent + number) * split.inner + column;
                   };
                   k.loop(k.i64(0), k.i64(split.extent), k.i64(1), [&](Scalar number) {
                     result.store(base.load(at(number, split.extent)), at(number, split.extent));
                   });
                   k.loop(k.i64(0), k.i64(count), k.i64(1), [&](Scalar number) {
                     Scalar from = at(number, count);
                     Scalar to = at(clampedId(ids.load(from), split.extent), split.extent);
                     result.store(sumOf(result.load(to), updates.load(from), element), to);
                   });
                 });
               });
}

void emit(StepBuilder &steps, DynamicUpdateSliceOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  Type element = type.getElementType(), startType = tensorType(op.getStart()).getElementType();
  Split split(type, op.getAxis());
  const int64_t size = tensorType(op.getUpdate()).getDimSize(op.getAxis()), length = size * split.inner;
  const int64_t all = split.outer * length;
  steps.kernel("block", blocksFor(all), blockThreads, {operandBuffer(1), operandBuffer(2), resultBuffer(0)},
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
    steps.kernel("lines", blocksFor(lines), blockThreads, {operandBuffer(0), resultBuffer(0)},
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

/// One block, so that the first wrong index is reported.
void emit(StepBuilder &steps, CheckIndexOp op) {
  Type idType = tensorType(op.getIds()).getElementType();
  const int64_t count = tensorType(op.getIds()).getNumElements();
  const int64_t threads = count > 4096 ? 1024 : count > 32 ? 128 : 32;
  steps.kernel("ids", count ? 1 : 0, threads,
               {operandBuffer(0), steps.failure(outOfRangeStatus, op.getMessage()), errorRecord()},
               [&](KernelCode &k) {
                 Elements ids(k, 0, idType);
                 const int64_t limit = op.getLimit();
                 auto idAt = [&](Scalar at) { return k.cast(ids.load(at), k.i64Type()); };
                 Scalar wrong = k.loop(k.cast(k.thread(), k.i64Type()), k.i64(count), k.i64(threads),
                                       {k.i64(count)}, [&](Scalar i, ArrayRef<Scalar> first) {
                                         // A negative one is large as an unsigned number.
                                         Scalar inside = k.unsignedLess(idAt(i), k.i64(limit));
                                         return Scalars{k.select(inside, first[0], k.min(first[0], i))};
                                       })[0];
                 wrong = k.blockReduce(wrong, [&](Scalar a, Scalar b) { return k.min(a, b); });
                 k.when((k.thread() == 0) & (wrong < count),
                        [&] { k.report(k.argument(2), k.argument(1), idAt(wrong), k.i64(limit)); });
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

std::optional<DeviceProgram> heddle::gpu::emitWholeOp(mlir::gpu::GPUModuleOp module, Operation *op,
                                                      StringRef prefix, const GpuOptions &options) {
  const Target target{options.sharedBytes};
  if (isa<sparsek::AttentionOp, sparsek::AttentionBackwardOp, sparsek::AttentionTangentOp>(op))
    return emitAttention(module, op, target, prefix);
  if (isa<sparsek::VariantAttentionOp, sparsek::VariantAttentionBackwardOp>(op))
    return emitVariant(module, op, target, prefix);
  if (isSelection(op))
    return emitSelection(module, op, prefix);
  StepBuilder steps(module, op->getLoc(), prefix);
  const bool known =
      llvm::TypeSwitch<Operation *, bool>(op)
          .Case<ScatterAddOp, PutAlongOp, DynamicUpdateSliceOp, CumsumOp, CheckIndexOp, AssertOp>(
              [&](auto typed) {
                emit(steps, typed);
                return true;
              })
          .Case<MatmulOp>([&](MatmulOp product) {
            emitProduct(steps, product);
            return true;
          })
          .Default([](Operation *) { return false; });
  if (!known)
    return std::nullopt;
  return std::move(steps.program);
}
