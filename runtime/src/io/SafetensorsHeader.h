// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The JSON header of a .safetensors file.
#pragma once

#include "io/File.h"

#include <string>
#include <utility>
#include <vector>

namespace heddle::runtime {

/// One tensor of the header, as written: nothing but the JSON's form has been checked.
struct TensorEntry {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  std::vector<int64_t> offsets; ///< begin and end in the data that follow the header
};

struct SafetensorsHeader {
  std::vector<TensorEntry> tensors; ///< in the header's order
  std::vector<std::pair<std::string, std::string>> metadata;
};

/// A text of the file for a message: at most 100 bytes of it, control characters as '?'.
std::string printable(const std::string &text);

/// Parses the header's text; every deviation from the format's structure, repeated keys included, is a
/// failure that names the file. Depth and memory are bounded by the text.
SafetensorsHeader parseSafetensorsHeader(const InputFile &file, const std::string &text);

} // namespace heddle::runtime
