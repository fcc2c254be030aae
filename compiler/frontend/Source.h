// A source file held in memory, and positions inside it.
#pragma once
#include "compiler/frontend/Span.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace heddle::frontend {

/// A 1-based line and a 1-based column counted in Unicode code points, as editors show them.
struct LineColumn {
  unsigned line = 1;
  unsigned column = 1;
};

/// The text of one file together with the starts of its lines. Any bytes are accepted; `invalidByte` says
/// where the text stops being UTF-8.
class Source {
public:
  Source(std::string name, std::string text);

  /// Reads a file. Returns null and fills `error` with the reason when it cannot be read.
  static std::unique_ptr<Source> read(const std::string &path, std::string &error);

  const std::string &name() const { return fileName; }
  std::string_view text() const { return contents; }
  uint32_t size() const { return static_cast<uint32_t>(contents.size()); }

  LineColumn position(uint32_t offset) const;
  /// The line that holds `offset`, without its line break.
  std::string_view lineAt(uint32_t offset) const;
  uint32_t lineStart(uint32_t offset) const;
  /// The offset of the first byte that is not part of valid UTF-8, or `size()`.
  uint32_t invalidByte() const;

private:
  size_t lineIndex(uint32_t offset) const;

  std::string fileName;
  std::string contents;
  std::vector<uint32_t> lineStarts;
};

} // namespace heddle::frontend
