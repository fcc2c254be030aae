//===- SparseKDialect.cpp - Registration ----------------------------------===//

#include "dialects/sparsek/IR/SparseK.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Transforms/InliningUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace heddle::sparsek;

#include "dialects/sparsek/IR/SparseKDialect.cpp.inc"
#include "dialects/sparsek/IR/SparseKEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/sparsek/IR/SparseKAttrs.cpp.inc"

namespace {
struct SparseKInliner : DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;
  bool isLegalToInline(Operation *, Region *, bool, IRMapping &) const final { return true; }
};
} // namespace

void SparseKDialect::initialize() {
  addInterfaces<SparseKInliner>();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/sparsek/IR/SparseKAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/sparsek/IR/SparseKOps.cpp.inc"
      >();
}
