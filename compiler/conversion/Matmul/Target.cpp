// What the generated code may use on a machine.
#include "compiler/conversion/Matmul/Matmul.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"
#include <unistd.h>

namespace heddle::cpu {

MatmulTarget MatmulTarget::x86Level(int level) {
  MatmulTarget target;
  if (level >= 4) {
    target.vectorBits = 512;
    target.vectorRegisters = 32;
    target.l1Bytes = 48 << 10;
    target.l2Bytes = 1 << 20;
  } else if (level <= 2) {
    target.vectorBits = 128;
    target.fusedMultiplyAdd = false;
    target.halfConversions = false;
  }
  return target;
}

MatmulTarget MatmulTarget::host() {
  llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
  auto has = [&](llvm::StringRef name) {
    auto it = features.find(name);
    return it != features.end() && it->second;
  };
  bool level4 = has("avx512f") && has("avx512vl") && has("avx512bw") && has("avx512dq");
  bool level3 = has("avx2") && has("fma");
  MatmulTarget target = x86Level(level4 ? 4 : level3 ? 3 : 2);
  target.halfConversions = has("f16c") || level4;
#ifdef _SC_LEVEL1_DCACHE_SIZE
  if (long bytes = sysconf(_SC_LEVEL1_DCACHE_SIZE); bytes > 0)
    target.l1Bytes = bytes;
  if (long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE); bytes > 0)
    target.l2Bytes = bytes;
#endif
  return target;
}

} // namespace heddle::cpu
