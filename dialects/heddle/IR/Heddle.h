//===- Heddle.h - The tensor dialect ----------------------------*- C++ -*-===//

#ifndef HEDDLE_DIALECTS_HEDDLE_IR_HEDDLE_H
#define HEDDLE_DIALECTS_HEDDLE_IR_HEDDLE_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/heddle/IR/HeddleDialect.h.inc"
#include "dialects/heddle/IR/HeddleEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/heddle/IR/HeddleAttrs.h.inc"
#define GET_OP_CLASSES
#include "dialects/heddle/IR/HeddleOps.h.inc"

namespace heddle::ir {

/// Whether two extents can be the same: equal, or one of them dynamic.
inline bool extentsAgree(int64_t a, int64_t b) {
  return a == b || mlir::ShapedType::isDynamic(a) || mlir::ShapedType::isDynamic(b);
}

/// `4x8`, `?x3`, or `scalar`, for messages.
std::string shapeString(llvm::ArrayRef<int64_t> shape);

} // namespace heddle::ir

#endif // HEDDLE_DIALECTS_HEDDLE_IR_HEDDLE_H
