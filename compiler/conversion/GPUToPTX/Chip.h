//===- Chip.h - The NVIDIA processors that code is generated for -*- C++ -*-===//
#ifndef HEDDLE_COMPILER_CONVERSION_GPUTOPTX_CHIP_H
#define HEDDLE_COMPILER_CONVERSION_GPUTOPTX_CHIP_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace heddle::gpu {

/// A processor and the oldest version of PTX that has all of its instructions.
struct Chip {
  llvm::StringRef name;    ///< `sm_90a`, as LLVM and ptxas call it
  llvm::StringRef version; ///< `+ptx80`, a feature of LLVM's target
  int capability;          ///< 90 for 9.0

  /// Shared memory of a multiprocessor in bytes. Each has 65536 registers and 2048 threads.
  int64_t sharedBytes() const { return capability == 80 ? 164 << 10 : 228 << 10; }

  /// Whether warpgroups multiply matrices (wgmma), which no other generation does.
  bool hasWarpgroupProducts() const { return capability == 90; }

  /// The chip of a name, or an error that lists the names.
  static llvm::Expected<Chip> named(llvm::StringRef name);
  /// What runs on a device of this compute capability, 9.0 as 90.
  static llvm::Expected<Chip> forCapability(int capability);
  static std::vector<std::string> names();
};

} // namespace heddle::gpu

#endif // HEDDLE_COMPILER_CONVERSION_GPUTOPTX_CHIP_H
