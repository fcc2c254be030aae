//===- Evaluate.h - What the operation families share -----------*- C++ -*-===//
//
// Private to the interpreter. Inside it failures are exceptions; `interpret` turns them into an llvm::Error.
// Nothing is thrown through code of MLIR or LLVM.

#ifndef HEDDLE_COMPILER_INTERPRETER_EVALUATE_H
#define HEDDLE_COMPILER_INTERPRETER_EVALUATE_H

#include "compiler/interpreter/Interpreter.h"

#include "mlir/IR/BuiltinAttributeInterfaces.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/Twine.h"

#include <array>
#include <optional>

namespace heddle::sparsek {
class VariantAttentionOp;
class VariantAttentionBackwardOp;
} // namespace heddle::sparsek

namespace heddle::interp {

/// Thrown where the program fails.
struct Failure {
  mlir::Location location;
  std::string message;
};

[[noreturn]] void fail(mlir::Operation *op, const llvm::Twine &message);

/// The element type that an IR tensor type names.
Element declaredElement(mlir::Type tensorType);

/// How arrays are made under the options of one run.
struct Context {
  const Options &options;

  /// The element type that values of an IR tensor type are held in.
  Element elementOf(mlir::Type tensorType) const;

  /// Zeros for result `index` of an operation. Fails where the shape is too large or disagrees with the
  /// result's type.
  Array make(mlir::Operation *op, llvm::ArrayRef<int64_t> shape, unsigned index = 0) const;

  /// The static shape of result `index`; fails where an extent is dynamic.
  llvm::ArrayRef<int64_t> staticShape(mlir::Operation *op, unsigned index = 0) const;
};

using Inputs = llvm::ArrayRef<Array>;
using Results = llvm::SmallVectorImpl<Array>;

/// Each evaluates the operations of its family and returns whether `op` is one.
bool evaluateElementwise(const Context &context, mlir::Operation *op, Inputs inputs, Results &results);
bool evaluateShape(const Context &context, mlir::Operation *op, Inputs inputs, Results &results);
bool evaluateRandom(const Context &context, mlir::Operation *op, Inputs inputs, Results &results);
bool evaluateReduction(const Context &context, mlir::Operation *op, Inputs inputs, Results &results);
bool evaluateLinear(const Context &context, mlir::Operation *op, Inputs inputs, Results &results);
bool evaluateIndex(const Context &context, mlir::Operation *op, Inputs inputs, Results &results);
bool evaluateSparseK(const Context &context, mlir::Operation *op, Inputs inputs, Results &results);
bool evaluateCache(const Context &context, mlir::Operation *op, Inputs inputs, Results &results);

/// What running the block of a variant on one pair gives.
struct PairEffects {
  llvm::SmallVector<Array> yielded;
  /// The first read outside a capture, which counts where the pair turns out visible.
  std::optional<Failure> failure;
  /// Additions to elements of captures, which are block arguments.
  struct Addition {
    unsigned argument;
    int64_t offset;
    double value;
  };
  llvm::SmallVector<Addition> additions;
};
using RunPair = llvm::function_ref<PairEffects(Inputs arguments)>;

/// Attention with a block for each pair, which `run` runs.
void evaluateVariant(const Context &context, sparsek::VariantAttentionOp op, Inputs inputs, Results &results,
                     RunPair run);
void evaluateVariantBackward(const Context &context, sparsek::VariantAttentionBackwardOp op, Inputs inputs,
                             Results &results, RunPair run);

/// Evaluates the reads and accumulations in such a block and returns whether `op` is one.
bool evaluateAccess(const Context &context, mlir::Operation *op, Inputs inputs, Results &results,
                    PairEffects &effects);

/// The value of an attribute in the interpreter.
Array constantArray(const Context &context, mlir::Operation *op, mlir::ElementsAttr value);

//===----------------------------------------------------------------------===//
// Walks
//===----------------------------------------------------------------------===//

/// Calls `visit(offsets)` for every index of `shape` in row-major order, where `offsets[k]` is
/// `start[k] + sum over d of index[d] * strides[k][d]`.
template <size_t N, typename Visit>
void walk(llvm::ArrayRef<int64_t> shape, const std::array<Shape, N> &strides, std::array<int64_t, N> start,
          Visit visit) {
  size_t rank = shape.size();
  if (llvm::is_contained(shape, 0))
    return;
  if (rank == 0) {
    visit(start);
    return;
  }
  Shape index(rank, 0);
  std::array<int64_t, N> row = start;
  while (true) {
    std::array<int64_t, N> at = row;
    for (int64_t i = 0; i < shape[rank - 1]; ++i) {
      visit(at);
      for (size_t k = 0; k < N; ++k)
        at[k] += strides[k][rank - 1];
    }
    size_t d = rank - 1;
    while (d > 0) {
      --d;
      for (size_t k = 0; k < N; ++k)
        row[k] += strides[k][d];
      if (++index[d] < shape[d])
        break;
      for (size_t k = 0; k < N; ++k)
        row[k] -= strides[k][d] * shape[d];
      index[d] = 0;
      if (d == 0)
        return;
    }
    if (rank == 1)
      return;
  }
}

/// The product of the extents in [begin, end).
inline int64_t extentProduct(llvm::ArrayRef<int64_t> shape, size_t begin, size_t end) {
  int64_t product = 1;
  for (size_t d = begin; d < end; ++d)
    product *= shape[d];
  return product;
}

/// A shape cut at an axis: elements are at `(o * extent + i) * inner + r` for o < outer, i < extent, r <
/// inner.
struct AxisView {
  int64_t outer, extent, inner;
  AxisView(llvm::ArrayRef<int64_t> shape, int64_t axis)
      : outer(extentProduct(shape, 0, axis)), extent(shape[axis]),
        inner(extentProduct(shape, axis + 1, shape.size())) {}
  int64_t at(int64_t o, int64_t i, int64_t r) const { return (o * extent + i) * inner + r; }
};

} // namespace heddle::interp

#endif // HEDDLE_COMPILER_INTERPRETER_EVALUATE_H
