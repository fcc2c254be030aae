//===- Target.cpp - The processor that code is generated for --------------===//

#include "compiler/jit/Target.h"

#include "llvm/TargetParser/Host.h"

namespace heddle::jit {

std::vector<std::string> CpuTarget::names() { return {"native", "x86-64-v2", "x86-64-v3", "x86-64-v4"}; }

std::optional<CpuTarget> CpuTarget::named(llvm::StringRef name) {
  for (int level : {0, 2, 3, 4})
    if (name == CpuTarget{level}.name())
      return CpuTarget{level};
  return std::nullopt;
}

std::string CpuTarget::name() const { return level == 0 ? "native" : "x86-64-v" + std::to_string(level); }

std::vector<std::string> CpuTarget::missing(const llvm::StringMap<bool> &features) const {
  std::vector<std::string> lacking;
  auto need = [&](int from, std::initializer_list<const char *> names) {
    for (const char *name : names)
      if (level >= from && !features.lookup(name))
        lacking.push_back(name);
  };
  need(2, {"cx16", "popcnt", "sahf", "sse3", "ssse3", "sse4.1", "sse4.2"});
  need(3, {"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "xsave"});
  need(4, {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"});
  return lacking;
}

std::vector<std::string> CpuTarget::missingHere() const { return missing(llvm::sys::getHostCPUFeatures()); }

} // namespace heddle::jit
