//===- Entry.h - A function of a program and its arguments ------*- C++ -*-===//
#pragma once

#include "compiler/frontend/Frontend.h"
#include "compiler/jit/Specialise.h"
#include "tools/heddle/Values.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace heddle::tool {

/// A program loaded and checked, and one of its functions.
class Entry {
public:
  /// Throws Error with the diagnostics, or when there is no such function.
  Entry(const std::string &file, const std::string &name);

  const frontend::Program &program() const { return *loaded; }

  /// Makes a tensor for every leaf of every parameter that has no default: shapes come from the values, then
  /// from `dims`. Throws Error for missing and surplus values, types and shapes that do not fit, and
  /// dimensions that nothing binds.
  frontend::EntryArguments bind(const std::vector<NamedValue> &values,
                                const std::map<std::string, int64_t> &dims,
                                std::vector<Tensor> &tensors) const;

  /// For each leaf of the arguments whether its parameter is among `names`. Throws Error for a name that no
  /// argument has.
  std::vector<bool> donated(const std::vector<std::string> &names,
                            const frontend::EntryArguments &arguments) const;

  /// The types alone, with every dimension taken from `dims`.
  frontend::EntryArguments types(const std::map<std::string, int64_t> &dims) const;

private:
  /// Throws Error where the function has no parameter of a name.
  void requireParameter(const std::string &parameter) const;
  /// Throws Error for a dimension that the function does not have, and for one that only `--dim` can give.
  void requireDims(const std::map<std::string, int64_t> &dims) const;

  std::unique_ptr<frontend::Program> loaded;
  std::string name;
  frontend::EntrySignature signature;
};

/// Loads and checks a program. Throws Error with all diagnostics.
std::unique_ptr<frontend::Program> loadChecked(const std::string &file);

} // namespace heddle::tool
