//===- PrepareSparseK.cpp - Dense forms where a derivative needs them -----===//

#include "compiler/autodiff/Prepare.h"
#include "compiler/autodiff/Support.h"
#include "dialects/sparsek/IR/SparseK.h"

using namespace mlir;
using namespace heddle::sparsek;

namespace heddle::autodiff {

LogicalResult decomposeForDerivative(func::FuncOp function, const Activity &activity, bool forward,
                                     bool &changed) {
  return success();
}

} // namespace heddle::autodiff
