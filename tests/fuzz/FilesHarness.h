// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// One case of the file readers' fuzz tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace heddle::fuzz {

struct Outcome {
  std::string broken; ///< which promise was broken, empty if all were kept
  bool npyLoaded = false;
  bool archiveLoaded = false;
};

/// Gives the bytes as a file to both readers and checks what they promise whatever a file holds: a result or
/// an error with a message, no memory beyond twice the file's size at once, nothing left allocated, and a
/// result that is written and read again has the same elements.
Outcome checkReaders(const uint8_t *data, size_t size);

} // namespace heddle::fuzz
