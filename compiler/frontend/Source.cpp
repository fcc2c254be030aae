#include "compiler/frontend/Source.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <sys/stat.h>

namespace heddle::frontend {

// Positions are 32-bit, and no program written by people comes near this.
static constexpr size_t maximumSize = size_t(64) << 20;

Source::Source(std::string name, std::string text) : fileName(std::move(name)), contents(std::move(text)) {
  lineStarts.push_back(0);
  for (size_t i = 0; i < contents.size(); ++i)
    if (contents[i] == '\n')
      lineStarts.push_back(static_cast<uint32_t>(i + 1));
}

std::unique_ptr<Source> Source::read(const std::string &path, std::string &error) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) {
    error = std::strerror(errno);
    return nullptr;
  }
  if (S_ISDIR(info.st_mode)) {
    error = "it is a directory";
    return nullptr;
  }
  if (static_cast<size_t>(info.st_size) > maximumSize) {
    error = "it has " + std::to_string(info.st_size) + " bytes; the limit is " + std::to_string(maximumSize);
    return nullptr;
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    error = std::strerror(errno);
    return nullptr;
  }
  // Devices and pipes have no size to check beforehand, so the limit is applied to what arrives.
  std::string text;
  char buffer[1 << 16];
  while (stream.read(buffer, sizeof buffer) || stream.gcount() > 0) {
    text.append(buffer, static_cast<size_t>(stream.gcount()));
    if (text.size() > maximumSize) {
      error = "it has more than " + std::to_string(maximumSize) + " bytes";
      return nullptr;
    }
  }
  return std::make_unique<Source>(path, std::move(text));
}

std::string_view Span::text() const {
  return source ? source->text().substr(begin, end - begin) : std::string_view();
}

size_t Source::lineIndex(uint32_t offset) const {
  auto next = std::upper_bound(lineStarts.begin(), lineStarts.end(), std::min(offset, size()));
  return static_cast<size_t>(next - lineStarts.begin()) - 1;
}

uint32_t Source::lineStart(uint32_t offset) const { return lineStarts[lineIndex(offset)]; }

LineColumn Source::position(uint32_t offset) const {
  offset = std::min(offset, size());
  size_t line = lineIndex(offset);
  unsigned column = 1;
  for (uint32_t i = lineStarts[line]; i < offset; ++i)
    if ((static_cast<unsigned char>(contents[i]) & 0xC0) != 0x80)
      ++column;
  return {static_cast<unsigned>(line + 1), column};
}

std::string_view Source::lineAt(uint32_t offset) const {
  uint32_t begin = lineStart(offset);
  size_t end = contents.find('\n', begin);
  std::string_view line = text().substr(begin, end == std::string::npos ? std::string::npos : end - begin);
  if (!line.empty() && line.back() == '\r')
    line.remove_suffix(1);
  return line;
}

uint32_t Source::invalidByte() const {
  const auto *bytes = reinterpret_cast<const unsigned char *>(contents.data());
  size_t n = contents.size();
  for (size_t i = 0; i < n;) {
    unsigned char lead = bytes[i];
    size_t length = lead < 0x80   ? 1
                    : lead < 0xC2 ? 0
                    : lead < 0xE0 ? 2
                    : lead < 0xF0 ? 3
                    : lead < 0xF5 ? 4
                                  : 0;
    if (length == 0 || i + length > n)
      return static_cast<uint32_t>(i);
    for (size_t j = 1; j < length; ++j)
      if ((bytes[i + j] & 0xC0) != 0x80)
        return static_cast<uint32_t>(i);
    // Overlong forms, surrogates and values above U+10FFFF.
    if ((lead == 0xE0 && bytes[i + 1] < 0xA0) || (lead == 0xED && bytes[i + 1] > 0x9F) ||
        (lead == 0xF0 && bytes[i + 1] < 0x90) || (lead == 0xF4 && bytes[i + 1] > 0x8F))
      return static_cast<uint32_t>(i);
    i += length;
  }
  return size();
}

} // namespace heddle::frontend
