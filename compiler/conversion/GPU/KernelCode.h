//===- KernelCode.h - The vocabulary that device kernels are written in ---===//
//
// A kernel is built by C++ that reads like the kernel: scalars with operators, loops and conditions that take
// lambdas, pointers with element types, shared memory, and what the threads of a warp or block do together.
// Integers are i32 or i64 and signed unless a name says otherwise.
//
//===----------------------------------------------------------------------===//
#ifndef HEDDLE_COMPILER_CONVERSION_GPU_KERNELCODE_H
#define HEDDLE_COMPILER_CONVERSION_GPU_KERNELCODE_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"

#include <concepts>

namespace heddle::gpu {

class KernelCode;

/// Threads of a warp.
constexpr int64_t warpSize = 32;

/// A value of device code. An arithmetic literal beside it takes its type.
struct Scalar {
  KernelCode *code = nullptr;
  mlir::Value value;

  operator mlir::Value() const { return value; }
  mlir::Type type() const { return value.getType(); }
};
using Scalars = llvm::SmallVector<Scalar, 8>;

/// Memory of elements of one type, in global (1) or shared (3) memory.
struct Pointer {
  KernelCode *code = nullptr;
  mlir::Value base; ///< !llvm.ptr of some address space
  mlir::Type element;
};

template <typename T>
concept Number = std::integral<T> || std::floating_point<T>;

Scalar operator+(Scalar a, Scalar b);
Scalar operator-(Scalar a, Scalar b);
Scalar operator*(Scalar a, Scalar b);
Scalar operator/(Scalar a, Scalar b);
Scalar operator%(Scalar a, Scalar b);
Scalar operator&(Scalar a, Scalar b);
Scalar operator|(Scalar a, Scalar b);
Scalar operator^(Scalar a, Scalar b);
Scalar operator<<(Scalar a, Scalar b);
Scalar operator>>(Scalar a, Scalar b); ///< logical: zeros come in
Scalar operator-(Scalar a);
Scalar operator!(Scalar a); ///< of a truth value
/// Comparisons of floats are false where one is NaN, but for != .
Scalar operator<(Scalar a, Scalar b);
Scalar operator<=(Scalar a, Scalar b);
Scalar operator>(Scalar a, Scalar b);
Scalar operator>=(Scalar a, Scalar b);
Scalar operator==(Scalar a, Scalar b);
Scalar operator!=(Scalar a, Scalar b);
Scalar literal(Scalar like, double value);
Scalar literal(Scalar like, int64_t value);

template <Number T>
Scalar literalOf(Scalar like, T value) {
  if constexpr (std::floating_point<T>)
    return literal(like, static_cast<double>(value));
  else
    return literal(like, static_cast<int64_t>(value));
}

#define HEDDLE_KERNEL_OPERATOR(op)                                                                           \
  template <Number T>                                                                                        \
  Scalar operator op(Scalar a, T b) {                                                                        \
    return a op literalOf(a, b);                                                                             \
  }                                                                                                          \
  template <Number T>                                                                                        \
  Scalar operator op(T a, Scalar b) {                                                                        \
    return literalOf(b, a) op b;                                                                             \
  }
HEDDLE_KERNEL_OPERATOR(+)
HEDDLE_KERNEL_OPERATOR(-)
HEDDLE_KERNEL_OPERATOR(*)
HEDDLE_KERNEL_OPERATOR(/)
HEDDLE_KERNEL_OPERATOR(%)
HEDDLE_KERNEL_OPERATOR(&)
HEDDLE_KERNEL_OPERATOR(|)
HEDDLE_KERNEL_OPERATOR(^)
HEDDLE_KERNEL_OPERATOR(<<)
HEDDLE_KERNEL_OPERATOR(>>)
HEDDLE_KERNEL_OPERATOR(<)
HEDDLE_KERNEL_OPERATOR(<=)
HEDDLE_KERNEL_OPERATOR(>)
HEDDLE_KERNEL_OPERATOR(>=)
HEDDLE_KERNEL_OPERATOR(==)
HEDDLE_KERNEL_OPERATOR(!=)
#undef HEDDLE_KERNEL_OPERATOR

/// Builds one gpu.func at the insertion point of `b`.
class KernelCode {
public:
  /// A new kernel at the end of `module`. Its parameters have `types`: !llvm.ptr<1> for buffers, integers,
  /// floats.
  KernelCode(mlir::gpu::GPUModuleOp module, mlir::Location loc, llvm::StringRef name, mlir::TypeRange types,
             int64_t blockThreads);
  KernelCode(const KernelCode &) = delete;

  mlir::gpu::GPUFuncOp function;
  mlir::ImplicitLocOpBuilder b;
  const int64_t blockThreads;

  // ---- Parameters and constants ----
  Scalar argument(unsigned number);
  Pointer pointer(unsigned number, mlir::Type element);
  Scalar i32(int64_t value);
  Scalar i64(int64_t value);
  Scalar f32(double value);
  Scalar truth(bool value);
  Scalar constant(mlir::Type type, double value);
  mlir::Type i1Type() { return b.getI1Type(); }
  mlir::Type i32Type() { return b.getI32Type(); }
  mlir::Type i64Type() { return b.getI64Type(); }
  mlir::Type f32Type() { return b.getF32Type(); }
  Scalar wrap(mlir::Value value) { return {this, value}; }

  // ---- Where this thread stands (i32) ----
  Scalar thread();             ///< in its block, 0 ≤ thread < blockThreads
  Scalar lane();               ///< in its warp
  Scalar warp();               ///< of its block
  Scalar block(int axis = 0);  ///< in the grid
  Scalar blocks(int axis = 0); ///< of the grid

  // ---- Arithmetic that has no operator ----
  Scalar min(Scalar x, Scalar y); ///< of floats: the other one where one is NaN
  Scalar max(Scalar x, Scalar y);
  Scalar abs(Scalar x);
  Scalar multiplyAdd(Scalar x, Scalar y, Scalar sum);
  Scalar select(Scalar condition, Scalar x, Scalar y);
  Scalar both(Scalar x, Scalar y) { return x & y; }
  Scalar unsignedLess(Scalar x, Scalar y);
  Scalar isNan(Scalar x) { return x != x; }
  Scalar sqrt(Scalar x);
  Scalar exp2Approximate(Scalar x); ///< f32, relative error 2^-22, subnormal results are 0
  Scalar log2Approximate(Scalar x);
  Scalar addClipped(Scalar x, Scalar y); ///< f32 x + y clipped to [0, 1]; 0 for NaN
  /// Converts between integers (with sign), floats, and between both (toward zero).
  Scalar cast(Scalar x, mlir::Type to);
  Scalar bitcast(Scalar x, mlir::Type to);
  Scalar extendUnsigned(Scalar x, mlir::Type to);
  Scalar countOnes(Scalar x);
  Scalar leadingZeros(Scalar x);
  Scalar trailingZeros(Scalar x);
  Scalar ceilDivide(Scalar x, int64_t divisor) { return (x + (divisor - 1)) / divisor; }

  // ---- Control ----
  void when(Scalar condition, llvm::function_ref<void()> then,
            llvm::function_ref<void()> otherwise = nullptr);
  Scalars choose(Scalar condition, llvm::function_ref<Scalars()> then,
                 llvm::function_ref<Scalars()> otherwise);
  /// for (i = lower; i < upper; i += step); bounds of one integer type.
  void loop(Scalar lower, Scalar upper, Scalar step, llvm::function_ref<void(Scalar)> body);
  Scalars loop(Scalar lower, Scalar upper, Scalar step, llvm::ArrayRef<Scalar> init,
               llvm::function_ref<Scalars(Scalar, llvm::ArrayRef<Scalar>)> body);
  /// Runs body for i in [0, count) at compile time.
  void unrolled(int64_t count, llvm::function_ref<void(int64_t)> body);
  /// while (condition(values)) values = body(values)
  Scalars repeat(llvm::ArrayRef<Scalar> init, llvm::function_ref<Scalar(llvm::ArrayRef<Scalar>)> condition,
                 llvm::function_ref<Scalars(llvm::ArrayRef<Scalar>)> body);
  void finish(); ///< ends the kernel: once, after everything else

  // ---- Memory ----
  Pointer offset(Pointer base, Scalar elements);
  Pointer as(Pointer base, mlir::Type element); ///< the same bytes seen as other elements
  Scalar load(Pointer from, Scalar at);
  void store(Scalar x, Pointer to, Scalar at);
  /// `count` adjacent elements, which start at a multiple of their size together.
  mlir::Value loadVector(Pointer from, Scalar at, int64_t count);
  void storeVector(mlir::Value vector, Pointer to, Scalar at);
  Scalar element(mlir::Value vector, int64_t at);
  mlir::Value vectorOf(llvm::ArrayRef<Scalar> elements);
  /// Memory of the block: the next `count` elements of its dynamic shared memory, aligned to 16 bytes.
  Pointer shared(int64_t count, mlir::Type element);
  int64_t sharedBytes() const { return usedShared; }
  /// Rolls shared memory back, so that what comes later may take the same bytes (a barrier lies between).
  void releaseShared(int64_t bytes) { usedShared = bytes; }
  int64_t sharedHighWater() const { return mostShared; }
  Scalar atomicAdd(Scalar x, Pointer to, Scalar at); ///< integers only; gives the old value
  Scalar atomicMin(Scalar x, Pointer to, Scalar at);
  Scalar compareAndSwap(Pointer at, Scalar index, Scalar expected, Scalar desired);
  /// Writes a failure into the error record (heddle_cuda_error_t) unless another one is there already.
  /// `record` is an !llvm.ptr, `message` an i32, the others are i64.
  void report(Scalar record, Scalar message, Scalar first, Scalar second);

  // ---- Warps and blocks ----
  void barrier();
  void warpBarrier();
  Scalar shuffleXor(Scalar x, int64_t mask);
  Scalar shuffleUp(Scalar x, int64_t distance);   ///< from lane - distance; the first lanes keep theirs
  Scalar shuffleDown(Scalar x, int64_t distance); ///< from lane + distance; the last lanes keep theirs
  Scalar shuffleFrom(Scalar x, Scalar lane);
  Scalar ballot(Scalar condition); ///< i32 with a bit for each lane
  using Combine = llvm::function_ref<Scalar(Scalar, Scalar)>;
  /// Combines the lanes of each group of `width` lanes; every lane gets the result. A fixed order.
  Scalar warpReduce(Scalar x, Combine combine, int64_t width = warpSize);
  /// Sum of the lanes up to and with this one.
  Scalar warpInclusiveScan(Scalar x, Combine combine);
  /// Combines all threads of the block; every thread gets the result. Contains barriers; takes shared memory.
  Scalar blockReduce(Scalar x, Combine combine);

private:
  Scalar shuffle(Scalar x, Scalar other, mlir::gpu::ShuffleMode mode);

  mlir::Value sharedBase;
  int64_t usedShared = 0, mostShared = 0;
};

} // namespace heddle::gpu

#endif // HEDDLE_COMPILER_CONVERSION_GPU_KERNELCODE_H
