//===- SparseK.h - The sparsek dialect --------------------------*- C++ -*-===//

#ifndef HEDDLE_DIALECTS_SPARSEK_IR_SPARSEK_H
#define HEDDLE_DIALECTS_SPARSEK_IR_SPARSEK_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/sparsek/IR/SparseKDialect.h.inc"
#include "dialects/sparsek/IR/SparseKEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/sparsek/IR/SparseKAttrs.h.inc"
#define GET_OP_CLASSES
#include "dialects/sparsek/IR/SparseKOps.h.inc"

#endif // HEDDLE_DIALECTS_SPARSEK_IR_SPARSEK_H
