#include "compiler/conversion/SparseKToGPU/Sort.h"

#include "compiler/conversion/SparseKToGPU/Order.h"

#include <limits>

using namespace mlir;

namespace heddle::gpu {
namespace {

Scalar largest(KernelCode &k, Type type) {
  return type.getIntOrFloatBitWidth() == 64 ? k.i64(std::numeric_limits<int64_t>::max())
                                            : k.i32(std::numeric_limits<int32_t>::max());
}

int64_t bytesOf(Type type) { return type.getIntOrFloatBitWidth() / 8; }

Scalars loadAll(KernelCode &k, ArrayRef<Pointer> arrays, Scalar at) {
  Scalars record;
  for (Pointer array : arrays)
    record.push_back(k.load(array, at));
  return record;
}

void storeAll(KernelCode &k, ArrayRef<Scalar> record, ArrayRef<Pointer> arrays, Scalar at) {
  for (auto [part, array] : llvm::zip(record, arrays))
    k.store(part, array, at);
}

constexpr int64_t mergeThreads = 256, largestBlock = 2048;

} // namespace

void sortShared(KernelCode &k, ArrayRef<Pointer> arrays, Scalar width) {
  // Bitonic: runs of `size` are sorted, alternately up and down, by exchanges over distances that halve.
  k.repeat(
      {k.i32(2), k.i32(1)}, [&](ArrayRef<Scalar> state) { return state[0] <= width; },
      [&](ArrayRef<Scalar> state) {
        Scalar size = state[0], distance = state[1];
        k.loop(k.thread(), width >> 1, k.i32(k.blockThreads), [&](Scalar pair) {
          Scalar within = pair & (distance - 1);
          Scalar i = ((pair - within) << 1) | within, j = i + distance;
          Scalars a = loadAll(k, arrays, i), b = loadAll(k, arrays, j);
          k.when(recordLess(k, b, a) == ((i & size) == 0), [&] {
            storeAll(k, b, arrays, i);
            storeAll(k, a, arrays, j);
          });
        });
        k.barrier();
        Scalar last = distance == 1;
        return Scalars{k.select(last, size << 1, size), k.select(last, size, distance >> 1)};
      });
}

void emitBlockSort(StepBuilder &steps, StringRef name, const SortedRows &rows, int64_t width,
                   ArrayRef<DeviceOperand> operands, RecordSource source, RecordSink sink) {
  const int64_t tiles = (rows.n + width - 1) / width;
  const int64_t threads = std::clamp<int64_t>(width / 2, warpSize, 256);
  steps.kernel(name, rows.rows * tiles, threads, operands, [&](KernelCode &k) {
    Scalar row = k.cast(k.block() / tiles, k.i64Type()), first = (k.block() % tiles) * width;
    SmallVector<Pointer> arrays;
    for (Type part : rows.parts)
      arrays.push_back(k.shared(width, part));
    auto eachOwn = [&](llvm::function_ref<void(Scalar)> body) {
      k.loop(k.thread(), k.i32(width), k.i32(threads), body);
    };
    eachOwn([&](Scalar at) {
      Scalars record = k.choose(
          first + at < rows.n, [&] { return source(k, row, first + at); },
          [&] {
            Scalars padding;
            for (Type part : rows.parts)
              padding.push_back(largest(k, part));
            return padding;
          });
      storeAll(k, record, arrays, at);
    });
    k.barrier();
    sortShared(k, arrays, k.i32(width));
    eachOwn([&](Scalar at) {
      k.when(first + at < rows.n, [&] { sink(k, row, first + at, loadAll(k, arrays, at)); });
    });
  });
}

void emitMerge(StepBuilder &steps, StringRef name, const SortedRows &rows, int64_t size,
               ArrayRef<DeviceOperand> operands, RecordSink sink) {
  const int64_t tiles = (rows.n + mergeThreads - 1) / mergeThreads;
  steps.kernel(name, rows.rows * tiles, mergeThreads, operands, [&](KernelCode &k) {
    Scalar row = k.cast(k.block() / tiles, k.i64Type()), at = (k.block() % tiles) * mergeThreads + k.thread();
    k.when(at < rows.n, [&] {
      SmallVector<Pointer> arrays;
      for (auto [number, part] : llvm::enumerate(rows.parts))
        arrays.push_back(k.offset(k.pointer(unsigned(number), part), row * rows.n));
      Scalars own = loadAll(k, arrays, at);
      // Its place is its rank in its own list and in the other one of the pair.
      Scalar start = at - at % size, isSecond = at % (2 * size) >= size;
      Scalar pair = k.select(isSecond, start - size, start);
      Scalar other = k.select(isSecond, pair, k.min(pair + size, k.i32(rows.n)));
      Scalar otherEnd = k.min(other + size, k.i32(rows.n));
      Scalar found =
          firstWhere(k, other, otherEnd, [&](Scalar i) { return recordLess(k, own, loadAll(k, arrays, i)); });
      sink(k, row, pair + (at - start) + (found - other), own);
    });
  });
}

SmallVector<DeviceOperand> reserveRecords(StepBuilder &steps, const SortedRows &rows) {
  SmallVector<DeviceOperand> arrays;
  for (Type part : rows.parts)
    arrays.push_back(steps.reserve(rows.rows * rows.n * bytesOf(part)));
  return arrays;
}

void storeRecord(KernelCode &k, const SortedRows &rows, unsigned first, Scalar row, Scalar i,
                 ArrayRef<Scalar> record) {
  Scalar at = row * rows.n + k.cast(i, k.i64Type());
  for (auto [number, part] : llvm::enumerate(rows.parts))
    k.store(record[number], k.pointer(first + unsigned(number), part), at);
}

/// The first `kept` records of every block, in a row each; then as before with fewer.
static void emitSortFirst(StepBuilder &steps, StringRef name, const SortedRows &rows, int64_t kept,
                          int64_t width, ArrayRef<DeviceOperand> from, RecordSource source,
                          ArrayRef<DeviceOperand> to, const SortedSink &sink) {
  SortedRows fewer = rows;
  const int64_t whole = (rows.n - 1) / width;
  fewer.n = whole * kept + std::min(kept, rows.n - whole * width);
  SmallVector<DeviceOperand> arrays = reserveRecords(steps, fewer), operands(from);
  operands.append(arrays);
  emitBlockSort(steps, (name + "_first").str(), rows, width, operands, source,
                [&](KernelCode &k, Scalar row, Scalar i, ArrayRef<Scalar> record) {
                  Scalar place = i % width;
                  k.when(place < kept, [&] {
                    storeRecord(k, fewer, unsigned(from.size()), row, i / width * kept + place, record);
                  });
                });
  emitSort(
      steps, (name + "_rest").str(), fewer, kept, arrays,
      [&](KernelCode &k, Scalar row, Scalar i) {
        Scalars record;
        for (auto [number, part] : llvm::enumerate(fewer.parts))
          record.push_back(k.load(k.pointer(unsigned(number), part), row * fewer.n + k.cast(i, k.i64Type())));
        return record;
      },
      to, sink);
}

void emitSort(StepBuilder &steps, StringRef name, const SortedRows &rows, int64_t kept,
              ArrayRef<DeviceOperand> from, RecordSource source, ArrayRef<DeviceOperand> to,
              const SortedSink &sink) {
  const int64_t width = std::min(largestBlock, powerAbove(std::max<int64_t>(rows.n, warpSize)));
  const bool single = rows.n <= width;
  if (!single && 4 * kept <= width)
    return emitSortFirst(steps, name, rows, kept, width, from, source, to, sink);
  SmallVector<DeviceOperand> here, there;
  if (!single)
    here = reserveRecords(steps, rows);
  if (rows.n > 2 * width)
    there = reserveRecords(steps, rows);
  const auto parts = unsigned(rows.parts.size());

  SmallVector<DeviceOperand> operands(from);
  operands.append(single ? to.begin() : here.begin(), single ? to.end() : here.end());
  emitBlockSort(steps, (name + "_blocks").str(), rows, width, operands, source,
                [&](KernelCode &k, Scalar row, Scalar i, ArrayRef<Scalar> record) {
                  if (single)
                    sink(k, unsigned(from.size()), row, i, record);
                  else
                    storeRecord(k, rows, unsigned(from.size()), row, i, record);
                });
  for (int64_t size = width; size < rows.n; size *= 2) {
    const bool last = 2 * size >= rows.n;
    operands = here;
    operands.append(last ? to.begin() : there.begin(), last ? to.end() : there.end());
    emitMerge(steps, (name + "_merge_" + Twine(size)).str(), rows, size, operands,
              [&](KernelCode &k, Scalar row, Scalar i, ArrayRef<Scalar> record) {
                if (last)
                  sink(k, parts, row, i, record);
                else
                  storeRecord(k, rows, parts, row, i, record);
              });
    std::swap(here, there);
  }
}

} // namespace heddle::gpu
