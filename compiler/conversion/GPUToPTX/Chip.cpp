//===- Chip.cpp - The NVIDIA processors that code is generated for --------===//

#include "compiler/conversion/GPUToPTX/Chip.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace heddle::gpu;

static constexpr Chip chips[] = {
    {"sm_80", "+ptx70", 80},
    {"sm_90a", "+ptx80", 90},
    {"sm_100a", "+ptx86", 100},
};

std::vector<std::string> Chip::names() {
  std::vector<std::string> names;
  for (const Chip &chip : chips)
    names.push_back(chip.name.str());
  return names;
}

llvm::Expected<Chip> Chip::named(llvm::StringRef name) {
  for (const Chip &chip : chips)
    if (chip.name == name)
      return chip;
  return llvm::createStringError("there is no chip '" + name.str() + "'; known are " +
                                 llvm::join(names(), ", "));
}

llvm::Expected<Chip> Chip::forCapability(int capability) {
  for (const Chip &chip : llvm::reverse(chips)) {
    // Code for `a` chips runs on devices of exactly that capability.
    const bool fits =
        chip.name.ends_with("a") ? capability == chip.capability : capability >= chip.capability;
    if (fits)
      return chip;
  }
  return llvm::createStringError("a device of compute capability " + std::to_string(capability / 10) + "." +
                                 std::to_string(capability % 10) +
                                 " is older than 8.0, the oldest that is supported");
}
