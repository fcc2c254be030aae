//===- Choice.h - How an operation's kernels are cut -------------*- C++ -*-===//
#ifndef HEDDLE_COMPILER_CONVERSION_GPU_CHOICE_H
#define HEDDLE_COMPILER_CONVERSION_GPU_CHOICE_H

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace heddle::gpu {

/// Sizes of tiles, stages and modes by name, as text `block=64 stages=2`. Given to an emitter, it fixes what
/// it names, as far as that is possible; the rest is the model's. An emitter gives back one that names
/// everything it took.
class Choice {
public:
  Choice() = default;
  Choice(std::initializer_list<std::pair<const std::string, int64_t>> sizes) : sizes(sizes) {}
  /// Nothing where the text is none of `str`.
  static std::optional<Choice> parse(llvm::StringRef text);

  std::optional<int64_t> operator[](const std::string &name) const {
    auto found = sizes.find(name);
    return found == sizes.end() ? std::nullopt : std::optional(found->second);
  }
  void set(const std::string &name, int64_t size) { sizes[name] = size; }
  bool empty() const { return sizes.empty(); }
  std::string str() const;
  bool operator==(const Choice &) const = default;

private:
  std::map<std::string, int64_t> sizes;
};

/// Measured choices by operation, as planKey names it.
using Choices = std::map<std::string, Choice>;

} // namespace heddle::gpu

#endif // HEDDLE_COMPILER_CONVERSION_GPU_CHOICE_H
