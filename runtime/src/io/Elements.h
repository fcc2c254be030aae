// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Checks of element values that every format needs.
#pragma once

#include "io/File.h"

#include <string>

namespace heddle::runtime {

/// Fails unless the bytes of a bool tensor are 0 or 1, since generated code relies on it. `where` starts the
/// message, such as "tensor 'mask': "; all values of other types are fine.
inline void checkElements(const InputFile &file, const std::string &where, heddle_dtype_t dtype,
                          const char *data, int64_t count) {
  if (dtype != HEDDLE_BOOL)
    return;
  for (int64_t i = 0; i < count; ++i)
    if (static_cast<unsigned char>(data[i]) > 1)
      file.bad(where + "element " + std::to_string(i) + " of a bool tensor is the byte " +
               std::to_string(static_cast<unsigned char>(data[i])) + ", expected 0 or 1");
}

} // namespace heddle::runtime
