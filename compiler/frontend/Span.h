// A range of source text.
#pragma once
#include <cstdint>
#include <string_view>

namespace heddle::frontend {

class Source;

/// The bytes [begin, end) of a source. Every token, node and value carries one; a default span points nowhere
/// (built-in things).
struct Span {
  const Source *source = nullptr;
  uint32_t begin = 0;
  uint32_t end = 0;

  bool operator==(const Span &other) const = default;
  bool valid() const { return source != nullptr; }
  /// The text itself; it lives as long as the source.
  std::string_view text() const;
};

/// The smallest span that covers both; they must lie in one source.
inline Span cover(Span a, Span b) {
  if (!a.valid() || !b.valid())
    return a.valid() ? a : b;
  return {a.source, a.begin < b.begin ? a.begin : b.begin, a.end > b.end ? a.end : b.end};
}

} // namespace heddle::frontend
