//===- Products.h - Dense products as kernels --------------------*- C++ -*-===//
#ifndef HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_PRODUCTS_H
#define HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_PRODUCTS_H

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

/// A product of any element type by tiles in shared memory; every sum goes along k in order.
void emitProduct(StepBuilder &steps, ir::MatmulOp op);

} // namespace heddle::gpu

#endif // HEDDLE_COMPILER_CONVERSION_HEDDLETOGPU_PRODUCTS_H
