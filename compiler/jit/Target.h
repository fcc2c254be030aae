//===- Target.h - The processor that code is generated for ------*- C++ -*-===//
#pragma once

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include <optional>
#include <string>
#include <vector>

namespace heddle::jit {

/// A processor: this machine's, or any that has a level of the x86-64 psABI.
struct CpuTarget {
  int level = 0; ///< 2 (SSE4.2), 3 (AVX2 with FMA) or 4 (AVX-512); 0 is the machine that runs this

  /// The target of a name as users write it, `native` or `x86-64-v3`.
  static std::optional<CpuTarget> named(llvm::StringRef name);
  /// The names that `named` knows.
  static std::vector<std::string> names();

  std::string name() const;

  /// What the level needs and a processor with these features lacks, as LLVM names it: `avx2`, `fma`.
  std::vector<std::string> missing(const llvm::StringMap<bool> &features) const;
  /// The same for this machine: empty when it can run the code.
  std::vector<std::string> missingHere() const;
};

} // namespace heddle::jit
