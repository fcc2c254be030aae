//===- CompiledEntry.h - A specialisation as machine code -------*- C++ -*-===//
//
// What compilation leaves of an entry, and what the cache keeps of it.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "compiler/cache/Store.h"
#include "compiler/jit/DeviceProgram.h"
#include "compiler/jit/Target.h"

#include "mlir/IR/BuiltinOps.h"

namespace heddle::jit {

struct CompiledEntry {
  std::vector<std::string> objects; ///< object files of the host
  int64_t arenaBytes = 0;
  std::vector<int64_t> donors; ///< for each result the argument whose memory it takes, or -1
  std::optional<DeviceProgram> device;
  bool canBeKept = true; ///< another attempt would give the same; no part of the bytes

  std::string serialise() const;
  /// Nothing where the bytes are none of `serialise`.
  static std::optional<CompiledEntry> deserialise(std::string_view bytes);
};

/// Everything that the code of an elaborated module depends on: `settings` are the options.
std::string cacheKey(mlir::ModuleOp module, const std::string &entry, const CpuTarget &host,
                     const std::string &settings);

/// The properties of a device that its code depends on, as part of a key.
std::string describeForCache(const DeviceTarget &target);

} // namespace heddle::jit
