//===- TensorCode.h - Tensor cores and copies in the background -----------===//
//
// What every NVIDIA GPU from compute capability 8.0 on has for products of matrices of bf16 and f16: copies
// from global to shared memory that go on while the threads compute, loads of fragments, and products of
// fragments.
//
// A fragment of 16 rows x 8 columns is spread over a warp: lane l holds the rows l / 4 and l / 4 + 8, and of
// each the columns 2 (l % 4) and 2 (l % 4) + 1, in the order row by row.
//
//===----------------------------------------------------------------------===//
#ifndef HEDDLE_COMPILER_CONVERSION_GPU_TENSORCODE_H
#define HEDDLE_COMPILER_CONVERSION_GPU_TENSORCODE_H

#include "compiler/conversion/GPU/KernelCode.h"

#include <array>

namespace heddle::gpu {

/// Copies 4, 8 or 16 bytes from global to shared memory in the background, or zeros where `valid` is false;
/// both addresses are multiples of `bytes`. `to` and `from` count elements. What is not valid is not read.
void copyInBackground(KernelCode &k, Pointer to, Scalar toAt, Pointer from, Scalar fromAt, int64_t bytes,
                      Scalar valid);
void copyInBackground(KernelCode &k, Pointer to, Scalar toAt, Pointer from, Scalar fromAt, int64_t bytes);
/// Ends a group of this thread's copies.
void commitCopies(KernelCode &k);
/// Waits until at most `pending` groups of this thread's copies are on their way.
void waitForCopies(KernelCode &k, int64_t pending);

/// Lets a row of `from` [.., width], of elements of `bytes`, come to the second-level cache.
void prefetchRow(KernelCode &k, Pointer from, Scalar row, int64_t width, int64_t bytes);

/// Four matrices of 8 rows of 8 elements of 16 bits in shared memory; lane l gives the address of row l % 8
/// of matrix l / 8. Of each matrix a lane gets the elements 2 (l % 4) and 2 (l % 4) + 1 of row l / 4 as one
/// i32, or of column l / 4 where transposed.
std::array<Scalar, 4> loadMatrices(KernelCode &k, Pointer row, Scalar at, bool transposed);

/// Two f32 rounded to bf16 or f16, the first one in the low half.
Scalar packPair(KernelCode &k, Scalar low, Scalar high, mlir::Type narrow);

/// An f32 rounded to the 11 bits of TF32, halves away from zero, as a register of a fragment.
Scalar roundToTF32(KernelCode &k, Scalar x);

/// c + a b for a of 16 x 16 and b of 16 x 8 elements of bf16 or f16, or, where `element` is f32, of 16 x 8
/// and 8 x 8 of TF32; c are f32. A lane holds neighbours of bf16 and f16 together, of TF32 a: the rows
/// l / 4 and l / 4 + 8 of column l % 4, then of column l % 4 + 4; b: the rows l % 4 and l % 4 + 4 of column
/// l / 4.
std::array<Scalar, 4> multiplyFragments(KernelCode &k, mlir::Type element, std::array<Scalar, 4> a,
                                        std::array<Scalar, 2> b, std::array<Scalar, 4> c);

} // namespace heddle::gpu

#endif // HEDDLE_COMPILER_CONVERSION_GPU_TENSORCODE_H
