//===- Decompose.h - Dense forms of sparsek operations ----------*- C++ -*-===//

#ifndef HEDDLE_DIALECTS_SPARSEK_TRANSFORMS_DECOMPOSE_H
#define HEDDLE_DIALECTS_SPARSEK_TRANSFORMS_DECOMPOSE_H

#include "mlir/IR/Operation.h"

namespace heddle::sparsek {

/// Replaces one operation by heddle operations over all pairs of positions and erases it. The formulas are
/// those of the operation descriptions; differentiating the result gives the derivative of the operation,
/// kinks excepted. False where the operation has no dense form (sparsek.project, and sparsek.threshold of a
/// heddle.stop_gradient), which is then left alone. Shapes are static.
bool decompose(mlir::Operation *op);

} // namespace heddle::sparsek

#endif // HEDDLE_DIALECTS_SPARSEK_TRANSFORMS_DECOMPOSE_H
