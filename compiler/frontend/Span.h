//===- Span.h - A range of source text --------------------------------------===//
#pragma once

#include <cstdint>

namespace heddle::frontend {

/// The bytes [begin, end) of the source file with the given number. Every token, node and value carries one.
struct Span {
  uint32_t file = 0;
  uint32_t begin = 0;
  uint32_t end = 0;

  bool operator==(const Span &other) const = default;
};

/// The smallest span that covers both; they must be of one file.
inline Span cover(Span a, Span b) {
  return {a.file, a.begin < b.begin ? a.begin : b.begin, a.end > b.end ? a.end : b.end};
}

} // namespace heddle::frontend
