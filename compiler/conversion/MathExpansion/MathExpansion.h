//===- MathExpansion.h - Elementary functions as arithmetic -----*- C++ -*-===//
#pragma once

#include "mlir/Pass/Pass.h"

namespace heddle::cpu {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "compiler/conversion/MathExpansion/Passes.h.inc"

} // namespace heddle::cpu
