//===- Products.h - Dense products as kernels --------------------*- C++ -*-===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_PRODUCTS_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_PRODUCTS_H

#include "compiler/conversion/HeddleToGPU/ProductPlan.h"
#include "compiler/conversion/SparseKToGPU/Steps.h"

#include "dialects/heddle/IR/Heddle.h"

namespace heddle::gpu {

/// A buffer of elements, read and written in their compute type.
class Elements {
public:
  Elements(KernelCode &code, unsigned argument, mlir::Type element);
  Scalar load(Scalar at) const;
  void store(Scalar x, Scalar at) const;

private:
  Pointer pointer;
  mlir::Type element;
};

/// The kernels of a product, whose operands are A and B and whose result is C.
void emitProduct(StepBuilder &steps, const ProductSpec &spec, const ProductPlan &plan);
inline void emitProduct(StepBuilder &steps, const ProductSpec &spec, const Choice &choice = {}) {
  const ProductPlan plan = planProduct(spec, choice);
  steps.program.taken = plan.taken();
  emitProduct(steps, spec, plan);
}

} // namespace heddle::gpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_PRODUCTS_H
