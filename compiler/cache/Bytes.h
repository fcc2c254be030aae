//===- Bytes.h - Numbers and texts as bytes, and back -----------*- C++ -*-===//
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace heddle::cache {

/// Appends values in the order in which ByteReader takes them.
class ByteWriter {
public:
  template <typename T>
    requires std::is_trivially_copyable_v<T>
  void add(const T &value) {
    bytes.append(reinterpret_cast<const char *>(&value), sizeof value);
  }
  void add(std::string_view text) {
    add(static_cast<uint64_t>(text.size()));
    bytes += text;
  }
  void add(const std::string &text) { add(std::string_view(text)); }
  void add(const char *text) { add(std::string_view(text)); }
  template <typename T>
  void add(const std::vector<T> &values) {
    add(static_cast<uint64_t>(values.size()));
    for (const T &value : values)
      add(value);
  }

  std::string bytes;
};

/// Reads what a ByteWriter wrote. Beyond the end values are empty, and `complete` is false.
class ByteReader {
public:
  explicit ByteReader(std::string_view bytes) : rest(bytes) {}

  template <typename T>
    requires std::is_trivially_copyable_v<T>
  void read(T &value) {
    if (std::string_view part = take(sizeof value); !part.empty())
      std::memcpy(static_cast<void *>(&value), part.data(), sizeof value);
  }
  void read(std::string &text) {
    uint64_t size = 0;
    read(size);
    text = take(size);
  }
  template <typename T>
  void read(std::vector<T> &values) {
    uint64_t count = 0;
    read(count);
    for (uint64_t i = 0; i < count && !failed; ++i)
      read(values.emplace_back());
  }

  /// Whether all was there so far.
  bool good() const { return !failed; }
  /// Whether all was there and nothing is left.
  bool complete() const { return !failed && rest.empty(); }

private:
  std::string_view take(uint64_t size) {
    failed |= size > rest.size();
    if (failed)
      return {};
    std::string_view part = rest.substr(0, size);
    rest.remove_prefix(size);
    return part;
  }

  std::string_view rest;
  bool failed = false;
};

} // namespace heddle::cache
