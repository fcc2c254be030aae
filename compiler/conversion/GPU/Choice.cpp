//===- Choice.cpp - How an operation's kernels are cut --------------------===//

#include "compiler/conversion/GPU/Choice.h"

#include "llvm/ADT/SmallVector.h"

using namespace heddle::gpu;

std::optional<Choice> Choice::parse(llvm::StringRef text) {
  Choice choice;
  llvm::SmallVector<llvm::StringRef> parts;
  text.split(parts, ' ', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  for (llvm::StringRef part : parts) {
    auto [name, number] = part.split('=');
    int64_t size = 0;
    if (name.empty() || number.getAsInteger(10, size))
      return std::nullopt;
    choice.set(name.str(), size);
  }
  return choice;
}

std::string Choice::str() const {
  std::string text;
  for (const auto &[name, size] : sizes)
    text += (text.empty() ? "" : " ") + name + "=" + std::to_string(size);
  return text;
}
