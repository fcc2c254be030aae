//===- ProductCode.h - What the kernels of dense products share --*- C++ -*-===//
//
// A block finds its tile, copies parts of the factors to shared memory some steps ahead of their use, and
// stores its sums by rows.
//
//===----------------------------------------------------------------------===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_PRODUCTCODE_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_PRODUCTCODE_H

#include "compiler/conversion/GPU/KernelCode.h"
#include "compiler/conversion/HeddleToGPU/ProductPlan.h"

#include <optional>

namespace heddle::gpu {

/// Arguments of the kernels over tiles.
enum ProductArgument : unsigned { ArgumentA, ArgumentB, ArgumentC };

/// Which part of the product this block computes.
struct ProductBlock {
  ProductBlock(KernelCode &k, const ProductSpec &spec, const ProductPlan &plan);

  Scalar matrix;                ///< of the batch, i64
  Scalar part;                  ///< of k, i64
  Scalar firstRow, firstColumn; ///< of the tile, i32
  Scalar firstStep;             ///< along k, i32
  Scalar steps;                 ///< of `depth`, i32
};

/// Starts copies of a factor's part of one tile to shared memory. A line are elements that follow each other
/// in memory: along k, or along the rows of A or columns of B ("positions"). What lies outside is 0.
class TileCopy {
public:
  /// A tile of `positions` from `first` on, of a factor with `extent` of them.
  struct Shape {
    int64_t positions, extent;
    bool alongSteps;
  };
  /// Where element `at` of line `line` lies, both i32 and within the tile.
  using Place = llvm::function_ref<Scalar(Scalar line, Scalar at)>;

  TileCopy(KernelCode &k, const ProductSpec &spec, const ProductPlan &plan, const ProductBlock &block,
           unsigned argument, Shape shape, Scalar first);
  /// The steps from `firstStep` (i32) on.
  void start(Pointer to, Scalar firstStep, Place place);

private:
  KernelCode &k;
  const ProductSpec &spec;
  const Shape shape;
  int64_t lines, lineLength;    ///< of the tile
  int64_t allLines, lineExtent; ///< of a matrix
  int64_t width = 1;            ///< elements of a copy
  int64_t linesAtOnce, passes;
  Pointer from;
  Scalar line, at;           ///< of this thread's first copy
  Scalar firstLine, firstAt; ///< where the tile starts, without steps; i32
  Scalar origin;             ///< of this thread's first copy in memory, without steps; i64
};

/// The loop over the steps of a block. `start` copies what step number (i32) needs to a stage (i32);
/// `multiply` adds a stage to the sums.
Scalars runStages(KernelCode &k, Scalar steps, llvm::ArrayRef<Scalar> sums,
                  llvm::function_ref<void(Scalar step, Scalar stage)> start,
                  llvm::function_ref<Scalars(Scalar stage, llvm::ArrayRef<Scalar> sums)> multiply);

/// Elements of a result that are accessed together.
int64_t resultWidth(const ProductSpec &spec);

/// The result, with all that is done to sums on their way to it. Its buffer, the bias and the addend are
/// arguments from `firstArgument` on.
class ProductResult {
public:
  ProductResult(KernelCode &k, const ProductSpec &spec, unsigned firstArgument);
  /// Stores the sums of adjacent elements from number `at` on, of which the first one is in column `column`,
  /// both i64.
  void store(llvm::ArrayRef<Scalar> sums, Scalar at, Scalar column);

private:
  /// Adjacent elements of another operand, in the type of computation.
  Scalars load(Pointer from, Scalar at, size_t count);

  KernelCode &k;
  const ProductSpec &spec;
  Pointer to, bias, addend;
};

/// What a block stores: a tile of the result, or of the partial sums of a part of k, which lie one part after
/// the other.
class TileResult {
public:
  TileResult(KernelCode &k, const ProductSpec &spec, const ProductPlan &plan, const ProductBlock &block);
  /// Stores the sums of adjacent elements, `resultWidth` of them or a part, where they are inside. Row and
  /// column are i32, of C.
  void store(llvm::ArrayRef<Scalar> sums, Scalar row, Scalar column);

private:
  KernelCode &k;
  const ProductSpec &spec;
  const ProductPlan &plan;
  std::optional<ProductResult> result; ///< where sums are complete
  Pointer parts;
  Scalar matrix; ///< i64
};

/// The kernels' bodies: by tensor cores, and by multiply-adds on tiles in registers.
void emitTensorProduct(KernelCode &k, const ProductSpec &spec, const ProductPlan &plan);
void emitRegisterProduct(KernelCode &k, const ProductSpec &spec, const ProductPlan &plan);

} // namespace heddle::gpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_PRODUCTCODE_H
