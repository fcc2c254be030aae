//===- Register.h - Our dialects and passes by name -------------*- C++ -*-===//
#pragma once

namespace mlir {
class DialectRegistry;
}

namespace heddle::pipelines {

/// Makes every pass of ours known to command lines: for heddle-opt and the plugin of mlir-opt.
void registerPasses();

/// Our dialects, with the derivatives of their operations.
void registerHeddleDialects(mlir::DialectRegistry &registry);

} // namespace heddle::pipelines
