// Sorting of rows of records: blocks in shared memory, then passes that merge pairs of lists. For what makes
// device programs.
#pragma once

#include "compiler/conversion/SparseKToGPU/Steps.h"

#include <functional>

namespace heddle::gpu {

/// Rows of n records, each of a few i32 or i64 parts that are compared one after the other, signed. No two
/// records of a row are equal, and none consists of largest values alone.
struct SortedRows {
  int64_t rows = 0, n = 0;
  llvm::SmallVector<mlir::Type, 3> parts;
};

/// Where records come from and go to: row is an i64, i an i32.
using RecordSource = llvm::function_ref<Scalars(KernelCode &k, Scalar row, Scalar i)>;
using RecordSink =
    llvm::function_ref<void(KernelCode &k, Scalar row, Scalar i, llvm::ArrayRef<Scalar> record)>;

/// Sorts the first `width` records (an i32, a power of two) of arrays in shared memory.
void sortShared(KernelCode &k, llvm::ArrayRef<Pointer> arrays, Scalar width);

/// Sorts the records of every aligned block of `width` positions (a power of two).
void emitBlockSort(StepBuilder &steps, llvm::StringRef name, const SortedRows &rows, int64_t width,
                   llvm::ArrayRef<DeviceOperand> operands, RecordSource source, RecordSink sink);

/// Merges sorted lists of `size` adjacent records pairwise. The first operands are the arrays [rows, n] of
/// the parts.
void emitMerge(StepBuilder &steps, llvm::StringRef name, const SortedRows &rows, int64_t size,
               llvm::ArrayRef<DeviceOperand> operands, RecordSink sink);

/// Arrays [rows, n] of the parts in the workspace, and a sink that writes to the operands from `first` on.
llvm::SmallVector<DeviceOperand> reserveRecords(StepBuilder &steps, const SortedRows &rows);
void storeRecord(KernelCode &k, const SortedRows &rows, unsigned first, Scalar row, Scalar i,
                 llvm::ArrayRef<Scalar> record);

/// Where sorted records of operands from number `first` on go.
using SortedSink =
    std::function<void(KernelCode &k, unsigned first, Scalar row, Scalar i, llvm::ArrayRef<Scalar> record)>;

/// Sorts whole rows, or gives the first `kept` records of what would be sorted rows. `from` are the operands
/// of the source, `to` those of the sink.
void emitSort(StepBuilder &steps, llvm::StringRef name, const SortedRows &rows, int64_t kept,
              llvm::ArrayRef<DeviceOperand> from, RecordSource source, llvm::ArrayRef<DeviceOperand> to,
              const SortedSink &sink);

} // namespace heddle::gpu
