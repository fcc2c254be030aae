//===- ProductPlan.h - How a dense product is cut into blocks ----*- C++ -*-===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_PRODUCTPLAN_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_PRODUCTPLAN_H

#include "compiler/conversion/GPU/Choice.h"

#include "dialects/heddle/IR/Heddle.h"

#include <vector>

namespace heddle::gpu {

/// One product with static shapes, all operands contiguous: C[b] = A[b] B[b], m x k by k x n. A transposed
/// factor is stored as k x m, or n x k.
struct ProductSpec {
  mlir::Type element; ///< of A and B
  mlir::Type out;     ///< of C
  int64_t batch = 1, m = 0, n = 0, k = 0;
  bool transposeA = false, transposeB = false;
  bool tf32 = false; ///< f32 factors are rounded to TF32
  /// What is done with the sums: a bias of n elements, a tensor like C, relu.
  bool bias = false, addend = false, relu = false;

  static ProductSpec of(ir::MatmulOp op, bool tf32);
  /// What sums are in.
  mlir::Type compute() const;
  bool usesTensorCores() const;
  int64_t elements() const { return batch * m * n; }
  /// Of A: whether elements that follow each other in memory are along k; the same of B.
  bool alongStepsA() const { return !transposeA; }
  bool alongStepsB() const { return transposeB; }
};

/// A block computes a tile of C over a part of k, in steps of `depth`.
struct ProductPlan {
  int64_t tileRows = 0, tileColumns = 0, depth = 0;
  int64_t threads = 0;
  int64_t splits = 1;     ///< parts of k; a second kernel adds them up in order
  int64_t splitDepth = 0; ///< of a part, a multiple of `depth`
  int64_t rowTiles = 0, columnTiles = 0;

  int64_t tiles() const { return rowTiles * columnTiles; }
  Choice taken() const { return {{"rows", tileRows}, {"columns", tileColumns}, {"splits", splits}}; }
};

/// Copies that are on their way at once, with the one that is multiplied.
constexpr int64_t productStages = 3;

/// Follows from the shape and the choice alone (`rows`, `columns` of tiles, `splits`), so that results have
/// equal bits on every device.
ProductPlan planProduct(const ProductSpec &spec, const Choice &choice = {});
/// Choices that are worth measuring; the model's comes first and is empty.
std::vector<Choice> productCandidates(const ProductSpec &spec);

} // namespace heddle::gpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_PRODUCTPLAN_H
