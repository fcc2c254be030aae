//===- HeddleOps.td - All operations of the heddle dialect ----------------===//

#ifndef HEDDLE_OPS
#define HEDDLE_OPS

include "dialects/heddle/IR/HeddleElementwiseOps.td"
include "dialects/heddle/IR/HeddleShapeOps.td"
include "dialects/heddle/IR/HeddleReductionOps.td"
include "dialects/heddle/IR/HeddleLinearOps.td"
include "dialects/heddle/IR/HeddleIndexOps.td"
include "dialects/heddle/IR/HeddleControlOps.td"
include "dialects/heddle/IR/HeddleRuntimeOps.td"

#endif // HEDDLE_OPS
