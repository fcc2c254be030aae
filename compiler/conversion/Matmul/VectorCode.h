// Short names for the vector and index code of the product kernels, with conversions of narrow elements.
#pragma once

#include "compiler/conversion/Matmul/Matmul.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace heddle::cpu::matmul {

using mlir::Type;
using mlir::Value;
using mlir::ValueRange;
using mlir::VectorType;
using Values = llvm::SmallVector<Value, 32>;

/// A flat memref with the element type as the product sees it.
struct Buffer {
  Value memref;
  MatmulElement element = MatmulElement::F32;
};

/// Emits at the builder's insertion point. "Lane vectors" have `lanes` accumulator elements.
class VectorCode {
public:
  VectorCode(mlir::ImplicitLocOpBuilder &builder, const MatmulTarget &target, MatmulElement accumulator,
             int64_t lanes);

  mlir::ImplicitLocOpBuilder &b;
  const int64_t lanes;
  const MatmulElement accumulator;

  Type elementType(MatmulElement element);
  Type accumulatorType() { return elementType(accumulator); }
  VectorType vectorType(int64_t size);
  VectorType laneVectorType() { return vectorType(lanes); }

  // Index arithmetic; constants are folded.
  Value index(int64_t value);
  Value add(Value x, Value y);
  Value add(Value x, int64_t y) { return add(x, index(y)); }
  Value sub(Value x, Value y);
  Value mul(Value x, int64_t y);
  Value div(Value x, int64_t y);
  Value rem(Value x, int64_t y);
  Value min(Value x, Value y);
  Value max(Value x, Value y);
  Value select(Value condition, Value x, Value y);
  Value less(Value x, Value y);
  Value equal(Value x, int64_t y);

  /// for (i = lower; i < upper; i += step) body(i)
  void loop(Value lower, Value upper, int64_t step, llvm::function_ref<void(Value)> body);
  /// The same with loop-carried values; body returns their next values.
  Values loopCarrying(Value lower, Value upper, int64_t step, ValueRange init,
                      llvm::function_ref<Values(Value, ValueRange)> body);
  /// if (condition) then(), without results.
  void when(Value condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise = nullptr);
  /// condition ? then() : otherwise(), with `types` as results.
  Values choose(Value condition, mlir::TypeRange types, llvm::function_ref<Values()> then,
                llvm::function_ref<Values()> otherwise);
  /// condition ? body(true) : body(false)
  Values choose(Value condition, mlir::TypeRange types, llvm::function_ref<Values(bool)> body);

  Value zero();       ///< a lane vector of zeros
  Value zeroScalar(); ///< an accumulator element
  Value splat(Value scalar, int64_t size);
  Value splat(Value scalar) { return splat(scalar, lanes); }
  Value multiplyAdd(Value x, Value y, Value sum);
  Value sumOf(Value x, Value y);

  /// One element, widened to the accumulator type.
  Value loadScalar(Buffer from, Value at);
  void storeScalar(Value value, Buffer to, Value at);
  /// `count` consecutive elements, widened: vector<count>.
  Value loadShort(Buffer from, Value at, int64_t count);
  void storeShort(Value value, Buffer to, Value at);
  /// `count` <= lanes consecutive elements in a lane vector; the other lanes are zero and not read.
  Value loadLanes(Buffer from, Value at, int64_t count);
  Value loadLanes(Buffer from, Value at) { return loadLanes(from, at, lanes); }
  /// Stores the first `count` lanes.
  void storeLanes(Value value, Buffer to, Value at, int64_t count);
  void storeLanes(Value value, Buffer to, Value at) { storeLanes(value, to, at, lanes); }
  /// `count` elements `stride` apart, zero in the other lanes, and the reverse.
  Value gatherLanes(Buffer from, Value at, int64_t stride, int64_t count);
  void scatterLanes(Value value, Buffer to, Value at, int64_t stride, int64_t count);

  /// Lane vectors r0..r(lanes-1) to the vectors of their i-th lanes.
  Values transpose(Values rows);
  /// The sum of the lanes, by halves.
  Value sumOfLanes(Value vector);

private:
  Value widen(Value value, MatmulElement from);
  Value narrow(Value value, MatmulElement to);
  Value widenHalf(Value value);
  Value narrowHalf(Value value);
  Value intConstant(Type like, unsigned bits, int64_t value);
  Value shuffle(Value x, Value y, llvm::ArrayRef<int64_t> mask);
  Value laneMask(int64_t count);
  Type withElement(Type shape, Type element);

  const MatmulTarget &target;
};

} // namespace heddle::cpu::matmul
