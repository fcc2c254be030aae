//===- Passes.h - Passes over sparsek operations ----------------*- C++ -*-===//

#ifndef HEDDLE_DIALECTS_SPARSEK_TRANSFORMS_PASSES_H
#define HEDDLE_DIALECTS_SPARSEK_TRANSFORMS_PASSES_H

#include "dialects/heddle/IR/Heddle.h"
#include "dialects/sparsek/IR/SparseK.h"

#include "mlir/Pass/Pass.h"

namespace heddle::sparsek {

#define GEN_PASS_DECL
#include "dialects/sparsek/Transforms/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "dialects/sparsek/Transforms/Passes.h.inc"

} // namespace heddle::sparsek

#endif // HEDDLE_DIALECTS_SPARSEK_TRANSFORMS_PASSES_H
