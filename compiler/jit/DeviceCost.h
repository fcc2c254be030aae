//===- DeviceCost.h - What a function launches on a GPU ---------*- C++ -*-===//
#pragma once

#include "compiler/conversion/GPUToPTX/GPUToPTX.h"

#include "mlir/IR/BuiltinOps.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace heddle::jit {

/// One launch, or one product that is left to cuBLASLt.
struct Launch {
  std::string kernel;                   ///< its name; `cuBLASLt` for a product
  std::string operations;               ///< what it computes
  int64_t times = 1;                    ///< how often it runs in one call
  std::array<int64_t, 3> grid{0, 0, 0}; ///< blocks
  int64_t block = 0;                    ///< threads of a block
  int64_t sharedBytes = 0;              ///< of a block
  int64_t bytes = 0;                    ///< operands read and results written
  std::string plan;                     ///< what was chosen where there is a choice: `block=64 stages=2`
  bool measured = false;                ///< by a measurement, not by a model
};

/// The launches of an entry at the stage `lowered` for GPUs, in order, those of loops with their trip counts.
std::vector<Launch> countLaunches(mlir::ModuleOp lowered, const std::string &entry);

/// The part of a multiprocessor's threads that run at once, from 0 to 1.
double occupancy(const Launch &launch, const gpu::KernelResources &resources, const gpu::Chip &chip);

} // namespace heddle::jit
