//===- Scatter.cpp - Additions by number ----------------------------------===//
//
// A list of ids says where updates go: one list for all columns of a table (scatter_add), or one for each
// line (put_along). The list is sorted by id, equal ids in their order, and cut into chunks. A thread adds up
// the updates of a chunk and column, id after id. Ids whose updates all lie in one chunk are done with that;
// of the others the parts are added in the order of chunks.
//
//===----------------------------------------------------------------------===//

#include "compiler/conversion/HeddleToGPU/Scatter.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"
#include "compiler/conversion/HeddleToGPU/Products.h"
#include "compiler/conversion/SparseKToGPU/Sort.h"

using namespace mlir;
using namespace heddle::gpu;
using namespace heddle::ir;
using heddle::cpu::computeType;

static RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

Scalar heddle::gpu::clampedId(Scalar id, int64_t extent) {
  KernelCode &k = *id.code;
  id = k.cast(id, k.i64Type());
  return k.min(k.max(id, k.i64(0)), k.i64(std::max<int64_t>(extent - 1, 0)));
}

Scalar heddle::gpu::globalThread(KernelCode &k) {
  return k.cast(k.block(), k.i64Type()) * k.blockThreads + k.cast(k.thread(), k.i64Type());
}

namespace {

struct Scatter {
  Split split;   ///< of the table
  int64_t count; ///< ids of a list
  int64_t lists; ///< of ids
  Type element, idType;

  int64_t columns() const { return split.outer * split.inner / lists; } ///< that share a list
  /// Updates of which one thread adds up those of a column.
  int64_t chunk() const { return columns() >= warpSize ? 128 : 16; }
  int64_t chunks() const { return (count + chunk() - 1) / chunk(); }
  int64_t threads() const { return lists * chunks() * columns(); }
};

constexpr int64_t together = 8; ///< loads that are on their way at once

/// What one thread of the two kernels of sums works on.
struct Task {
  Task(KernelCode &k, const Scatter &scatter, unsigned keysArgument)
      : k(k), scatter(scatter), keys(k.pointer(keysArgument, k.i64Type())) {
    Scalar task = globalThread(k);
    column = task % scatter.columns();
    chunk = task / scatter.columns() % scatter.chunks();
    list = task / (scatter.columns() * scatter.chunks());
    Scalar line = scatter.lists == 1 ? column : list;
    outer = line / scatter.split.inner;
    inner = line % scatter.split.inner;
  }

  Scalar inGrid() { return globalThread(k) < scatter.threads(); }
  /// A sorted record: the id above the position in the list.
  Scalar key(Scalar at) { return k.load(keys, list * scatter.count + at); }
  static Scalar idOf(Scalar key) { return key >> 32; }
  Scalar update(Scalar key) {
    return (outer * scatter.count + (key & 0xffffffffll)) * scatter.split.inner + inner;
  }
  Scalar place(Scalar id) { return (outer * scatter.split.extent + id) * scatter.split.inner + inner; }
  /// The part of a chunk's first id that began before it, or of its last id that goes on behind it.
  Scalar part(Scalar ofChunk, bool begins) {
    return ((list * scatter.chunks() + ofChunk) * 2 + int64_t(begins)) * scatter.columns() + column;
  }

  KernelCode &k;
  const Scatter &scatter;
  Pointer keys;
  Scalar column, chunk, list, outer, inner;
};

void emitCopy(StepBuilder &steps, const Scatter &scatter) {
  const int64_t all = scatter.split.outer * scatter.split.extent * scatter.split.inner;
  steps.kernel("copy", blocksFor(all), wholeOpThreads, {operandBuffer(0), resultBuffer(0)},
               [&](KernelCode &k) {
                 Elements base(k, 0, scatter.element), result(k, 1, scatter.element);
                 Scalar i = globalThread(k);
                 k.when(i < all, [&] { result.store(base.load(i), i); });
               });
}

/// The sorted list of ids, one record for each.
DeviceOperand emitOrder(StepBuilder &steps, const Scatter &scatter) {
  DeviceOperand keys = steps.reserve(scatter.lists * scatter.count * 8);
  SortedRows rows{scatter.lists, scatter.count, {IntegerType::get(scatter.element.getContext(), 64)}};
  emitSort(
      steps, "order", rows, scatter.count, {operandBuffer(1)},
      [&](KernelCode &k, Scalar list, Scalar i) {
        Elements ids(k, 0, scatter.idType);
        Scalar at = k.cast(i, k.i64Type());
        Scalar line = scatter.lists == 1
                          ? at
                          : (list / scatter.split.inner * scatter.count + at) * scatter.split.inner +
                                list % scatter.split.inner;
        return Scalars{(clampedId(ids.load(line), scatter.split.extent) << 32) | at};
      },
      {keys},
      [&](KernelCode &k, unsigned first, Scalar list, Scalar i, ArrayRef<Scalar> record) {
        k.store(record[0], k.pointer(first, k.i64Type()), list * scatter.count + k.cast(i, k.i64Type()));
      });
  return keys;
}

void emitChunks(StepBuilder &steps, const Scatter &scatter, DeviceOperand keys, DeviceOperand parts) {
  steps.kernel("chunks", blocksFor(scatter.threads()), wholeOpThreads,
               {operandBuffer(2), resultBuffer(0), keys, parts}, [&](KernelCode &k) {
                 Elements updates(k, 0, scatter.element), result(k, 1, scatter.element);
                 Pointer partial = k.pointer(3, computeType(scatter.element));
                 Task task(k, scatter, 2);
                 k.when(task.inGrid(), [&] {
                   Scalar first = task.chunk * scatter.chunk(),
                          last = k.min(first + scatter.chunk(), k.i64(scatter.count));
                   auto add = [&](Scalar id, Scalar sum) {
                     Scalar at = task.place(id);
                     result.store(result.load(at) + sum, at);
                   };
                   auto done = [&](Scalar id, Scalar sum, Scalar beganBefore) {
                     k.when(
                         beganBefore != 0, [&] { k.store(sum, partial, task.part(task.chunk, false)); },
                         [&] { add(id, sum); });
                   };
                   Scalar start = Task::idOf(task.key(first));
                   Scalar before = Task::idOf(task.key(k.max(first - 1, k.i64(0))));
                   Scalar beganBefore = k.select((first > 0) & (before == start), k.i32(1), k.i32(0));
                   Scalars now = k.loop(first, last, k.i64(together),
                                        {k.constant(computeType(scatter.element), 0), start, beganBefore},
                                        [&](Scalar at, ArrayRef<Scalar> carried) {
                                          Scalar sum = carried[0], id = carried[1], began = carried[2];
                                          Scalars keys, terms;
                                          for (int64_t i = 0; i < together; ++i)
                                            keys.push_back(task.key(k.min(at + i, last - 1)));
                                          for (Scalar key : keys)
                                            terms.push_back(updates.load(task.update(key)));
                                          for (int64_t i = 0; i < together; ++i) {
                                            Scalar next = Task::idOf(keys[i]),
                                                   isNew = next != id; // a repeated last one is not
                                            k.when(isNew, [&] { done(id, sum, began); });
                                            Scalar grown = k.select(at + i < last, sum + terms[i], sum);
                                            sum = k.select(isNew, terms[i], grown);
                                            began = k.select(isNew, k.i32(0), began);
                                            id = next;
                                          }
                                          return Scalars{sum, id, began};
                                        });
                   Scalar after = Task::idOf(task.key(k.min(last, k.i64(scatter.count - 1))));
                   Scalar goesOn = (last < scatter.count) & (after == now[1]) & (now[2] == 0);
                   k.when(
                       goesOn, [&] { k.store(now[0], partial, task.part(task.chunk, true)); },
                       [&] { done(now[1], now[0], now[2]); });
                 });
               });
}

/// Who has the first part of an id adds the others.
void emitParts(StepBuilder &steps, const Scatter &scatter, DeviceOperand keys, DeviceOperand parts) {
  if (scatter.chunks() == 1)
    return;
  steps.kernel("parts", blocksFor(scatter.threads()), wholeOpThreads, {resultBuffer(0), keys, parts},
               [&](KernelCode &k) {
                 Elements result(k, 0, scatter.element);
                 Pointer partial = k.pointer(2, computeType(scatter.element));
                 Task task(k, scatter, 1);
                 auto idAt = [&](Scalar at) { return Task::idOf(task.key(at)); };
                 k.when(task.inGrid() & (task.chunk < scatter.chunks() - 1), [&] {
                   Scalar first = task.chunk * scatter.chunk(), last = first + scatter.chunk(),
                          id = idAt(last - 1);
                   Scalar began = (first > 0) & (idAt(k.max(first - 1, k.i64(0))) == id);
                   k.when((idAt(last) == id) & (began == k.truth(false)), [&] {
                     Scalar own = k.load(partial, task.part(task.chunk, true));
                     Scalars sums = k.repeat(
                         {own, task.chunk + 1, k.truth(true)}, [&](ArrayRef<Scalar> now) { return now[2]; },
                         [&](ArrayRef<Scalar> now) {
                           Scalar sum = now[0], more = now[2];
                           Scalars ids, terms;
                           for (int64_t i = 0; i < together; ++i) {
                             Scalar chunk = k.min(now[1] + i, k.i64(scatter.chunks() - 1));
                             ids.push_back(idAt(chunk * scatter.chunk()));
                             terms.push_back(k.load(partial, task.part(chunk, false)));
                           }
                           for (int64_t i = 0; i < together; ++i) {
                             more = more & (now[1] + i < scatter.chunks()) & (ids[i] == id);
                             sum = k.select(more, sum + terms[i], sum);
                           }
                           return Scalars{sum, now[1] + together, more};
                         });
                     Scalar at = task.place(id);
                     result.store(result.load(at) + sums[0], at);
                   });
                 });
               });
}

void emitScatter(StepBuilder &steps, const Scatter &scatter) {
  emitCopy(steps, scatter);
  if (scatter.threads() == 0)
    return;
  DeviceOperand keys = emitOrder(steps, scatter);
  const int64_t bytes = computeType(scatter.element).getIntOrFloatBitWidth() / 8;
  DeviceOperand parts = steps.reserve(2 * scatter.threads() * bytes);
  emitChunks(steps, scatter, keys, parts);
  emitParts(steps, scatter, keys, parts);
}

} // namespace

void heddle::gpu::emitScatter(StepBuilder &steps, ScatterAddOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  auto ids = tensorType(op.getIds());
  ::emitScatter(steps, {Split(type, op.getAxis()), ids.getNumElements(), 1, type.getElementType(),
                        ids.getElementType()});
}

void heddle::gpu::emitScatter(StepBuilder &steps, PutAlongOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  auto ids = tensorType(op.getIds());
  Split split(type, op.getAxis());
  ::emitScatter(steps, {split, ids.getDimSize(op.getAxis()), std::max<int64_t>(split.outer * split.inner, 1),
                        type.getElementType(), ids.getElementType()});
}
