//===- ScalarOps.h - Elementwise operations on one element -------*- C++ -*-===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_SCALAROPS_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_SCALAROPS_H

#include "dialects/heddle/IR/Heddle.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

#include <array>

namespace heddle::cpu {

/// What generated code reports: values of heddle_status_t.
constexpr int32_t outOfRangeStatus = 7, assertionFailedStatus = 8;

/// The type that elements are computed in: f32 for bf16 and f16, whose values are rounded after each
/// operation.
mlir::Type computeType(mlir::Type element);

/// The type of elements in memory: one byte for truth values.
mlir::Type storageType(mlir::Type element);
/// What a tensor takes in memory.
int64_t tensorBytes(mlir::Type tensor);

/// The element type as the runtime numbers it: heddle_dtype_t.
int32_t runtimeType(mlir::Type element);

/// A flat buffer of `count` elements of a tensor.
mlir::MemRefType bufferType(mlir::RankedTensorType type);

/// Emits code on scalars in compute types. What is elementwise, random numbers and rounding also works on
/// vectors of them, if all operands have the same shape.
class ScalarEmitter {
public:
  ScalarEmitter(mlir::OpBuilder &builder, mlir::Location loc) : b(builder), loc(loc) {}

  /// The result of an elementwise operation; `operands` are elements of its operands.
  mlir::Value elementwise(mlir::Operation *op, mlir::ValueRange operands);
  mlir::Value cast(mlir::Value x, mlir::Type from, mlir::Type to);
  /// Rounds to the precision of `element`, staying in its compute type.
  mlir::Value rounded(mlir::Value x, mlir::Type element);
  /// A loaded element, or vector of elements, in its compute type.
  mlir::Value fromStorage(mlir::Value x, mlir::Type element);
  mlir::Value load(mlir::Value memref, mlir::Value position, mlir::Type element);
  void store(mlir::Value x, mlir::Value memref, mlir::Value position, mlir::Type element);
  mlir::Value constant(mlir::Attribute element, mlir::Type type);
  mlir::Value floating(mlir::Type type, double value);
  mlir::Value integer(mlir::Type type, int64_t value);
  mlir::Value index(int64_t value);
  /// An index as an element.
  mlir::Value fromIndex(mlir::Value index, mlir::Type element, bool fitsI32);
  /// An element of an i32 or i64 tensor as an index in [0, extent).
  mlir::Value toIndex(mlir::Value x, int64_t extent);

  /// Where a reduction starts, and one more element of it, in the accumulator's type.
  mlir::Value identity(ir::ReductionKind kind, mlir::Type type);
  mlir::Value combine(ir::ReductionKind kind, mlir::Value accumulator, mlir::Value x);

  /// The four words of Philox 4x32-10 as i32.
  std::array<mlir::Value, 4> philox(mlir::Value key, std::array<mlir::Value, 4> counter);
  /// heddle.fold_in.
  mlir::Value foldIn(mlir::Value key, mlir::Value data);
  /// Element number `position` (i64) of heddle.random, in f32 or i32.
  mlir::Value random(ir::RandomDistribution distribution, mlir::Value key, int64_t stream,
                     mlir::Value position);

private:
  mlir::Value integerDivide(mlir::Value a, mlir::Value b);

  mlir::OpBuilder &b;
  mlir::Location loc;
};

} // namespace heddle::cpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOCPU_SCALAROPS_H
