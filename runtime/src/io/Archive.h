// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The archive behind heddle_archive_t: named tensors and metadata, both in order.
#pragma once

#include "core/Tensor.h"

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

struct heddle_archive {
  struct Item {
    std::string name;
    std::shared_ptr<DLManagedTensor> tensor;
  };
  std::vector<Item> items;
  std::unordered_map<std::string, int64_t> positions; ///< of each name in `items`
  std::vector<std::pair<std::string, std::string>> metadata;
};

namespace heddle::runtime {

/// The key that .safetensors keeps for metadata; no tensor may have it as its name.
inline constexpr const char *metadataKey = "__metadata__";

/// Whether the text is UTF-8, which names and metadata must be.
bool isUtf8(const std::string &text);

/// Reads and writes the .safetensors format.
std::unique_ptr<heddle_archive> loadSafetensors(const std::string &path);
void saveSafetensors(const heddle_archive &archive, const std::string &path);

} // namespace heddle::runtime
