//===- WarpgroupCode.h - Products of warpgroups and their pipelines -------===//
//
// What GPUs of compute capability 9.0 have for products of matrices of bf16 and f16: four warps multiply
// together, asynchronously, matrices in shared memory, and barriers in shared memory hand buffers from the
// warps that fill them to those that multiply.
//
// Matrices in shared memory consist of panels: rows of 64 elements, 128 bytes, one below the other, from a
// multiple of 1024 bytes on. The piece of 16 bytes number c of row r is at 128 r + 16 (c ^ (r & 7)).
//
//===----------------------------------------------------------------------===//
#ifndef HEDDLE_COMPILER_CONVERSION_GPU_WARPGROUPCODE_H
#define HEDDLE_COMPILER_CONVERSION_GPU_WARPGROUPCODE_H

#include "compiler/conversion/GPU/KernelCode.h"

#include <array>

namespace heddle::gpu {

constexpr int64_t warpgroupThreads = 128;
constexpr int64_t panelColumns = 64, panelRowBytes = 128;

// ---- Addresses in shared memory, i32 in bytes ----
Scalar sharedAddress(KernelCode &k, Pointer pointer);
Pointer atShared(KernelCode &k, Scalar address, mlir::Type element);
/// Where piece `piece` (of 16 bytes) of row `row` is within a panel.
Scalar panelOffset(Scalar row, Scalar piece);

// ---- Barriers in shared memory ----
// A phase ends when as many arrivals as were promised have come; phases have the parities 0, 1, 0, …
void initialiseBarrier(KernelCode &k, Scalar barrier, int64_t arrivals);
void publishBarriers(KernelCode &k); ///< after their initialisation, before the block's barrier
void arrive(KernelCode &k, Scalar barrier);
/// Arrives when the background copies that this thread has started are complete.
void arriveAfterCopies(KernelCode &k, Scalar barrier);
/// Waits until the phase of this parity has ended.
void waitForPhase(KernelCode &k, Scalar barrier, Scalar parity);
/// Lets products see what other threads have written to shared memory.
void showToProducts(KernelCode &k);

// ---- Barriers of some threads of a block, by number ----
void joinBarrier(KernelCode &k, Scalar number, int64_t threads);
void arriveAtBarrier(KernelCode &k, Scalar number, int64_t threads);

/// The registers that each thread of this warpgroup may use from here on; `more` or fewer than before.
void setRegisters(KernelCode &k, int64_t count, bool more);

/// x (i32), of which nothing that is computed from it moves to an earlier place: registers are few.
Scalar computeHere(KernelCode &k, Scalar x);
/// x, which is the same for all lanes of a warp: the assembler cannot know that of what is loaded or carried,
/// and computes with it in uniform registers then, where descriptions of matrices must be.
inline Scalar sameForAll(KernelCode &k, Scalar x) { return k.shuffleFrom(x, k.i32(0)); }

// ---- Products ----
/// How products find a matrix of panels, i32: with products along a panel's rows (the columns are summed
/// over), or across them (`across`: the rows are summed over), where panels are `panelBytes` apart.
Scalar describeMatrix(KernelCode &k, Scalar address, bool across = false, int64_t panelBytes = 16);
/// The matrix `bytes` further on.
Scalar advance(Scalar matrix, int64_t bytes);

/// A warp's 16 rows of a 64 x n product of f32, as fragments of 8 columns (TensorCode.h) from left to right.
using Sums = Scalars;

void beginProducts(KernelCode &k);
/// sums + A Bᵀ, or A Bᵀ where `sums` is empty: 16 columns of A, and as many of B's n rows.
Sums multiplyShared(KernelCode &k, mlir::Type element, const Sums &sums, Scalar a, Scalar b, int64_t n);
/// sums + A B: A in registers, B's rows are `across`.
Sums multiplyRegisters(KernelCode &k, mlir::Type element, const Sums &sums, llvm::ArrayRef<Scalar> a,
                       Scalar b, int64_t n);
void endProducts(KernelCode &k);
/// Waits until at most `pending` groups of products are unfinished; `sums` may be read from its result on.
Sums waitForProducts(KernelCode &k, int64_t pending, const Sums &sums);

/// As packPair, but neither moved nor repeated: the registers that products in flight read stay untouched
/// until they have been waited for.
Scalar packInPlace(KernelCode &k, Scalar low, Scalar high, mlir::Type narrow);

/// sum + x y where 0 < gate < 1, sum elsewhere: one conditional instruction, which the assembler does not
/// make of a selection.
Scalar multiplyAddWithin(KernelCode &k, Scalar x, Scalar y, Scalar sum, Scalar gate);

} // namespace heddle::gpu

#endif // HEDDLE_COMPILER_CONVERSION_GPU_WARPGROUPCODE_H
