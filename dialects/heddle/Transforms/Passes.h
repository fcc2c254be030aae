//===- Passes.h - Passes over the heddle dialect ----------------*- C++ -*-===//

#ifndef HEDDLE_DIALECTS_HEDDLE_TRANSFORMS_PASSES_H
#define HEDDLE_DIALECTS_HEDDLE_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace heddle::ir {

#define GEN_PASS_DECL
#include "dialects/heddle/Transforms/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "dialects/heddle/Transforms/Passes.h.inc"

} // namespace heddle::ir

#endif // HEDDLE_DIALECTS_HEDDLE_TRANSFORMS_PASSES_H
