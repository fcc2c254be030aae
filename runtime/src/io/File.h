// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Files: reading by position, and writing whole or not at all.
#pragma once

#include "core/Failure.h"

#include <cstdint>
#include <string>

namespace heddle::runtime {

/// A regular file opened for reading. Every failure names the path.
class InputFile {
public:
  explicit InputFile(const std::string &path);
  ~InputFile();
  InputFile(const InputFile &) = delete;
  InputFile &operator=(const InputFile &) = delete;

  int64_t size() const { return bytes; }

  /// Reads exactly `size` bytes at `offset`; the caller has checked them against size().
  void read(int64_t offset, void *to, int64_t size) const;

  /// The contents break the format.
  [[noreturn]] void bad(const std::string &what, const std::string &hint = "") const;
  /// The contents are well-formed but nothing that Heddle can hold.
  [[noreturn]] void unsupported(const std::string &what, const std::string &hint = "") const;

private:
  std::string path;
  int descriptor = -1;
  int64_t bytes = 0;
};

/// Writes a file next to its final place and moves it there in `commit`. Without a commit nothing remains:
/// the data have no name in the folder until then where the system can do that (O_TMPFILE), and else a
/// temporary name that the destructor removes.
class OutputFile {
public:
  explicit OutputFile(const std::string &path);
  ~OutputFile();
  OutputFile(const OutputFile &) = delete;
  OutputFile &operator=(const OutputFile &) = delete;

  void write(const void *from, int64_t size);

  /// Puts the data on the disk, then gives them their name, replacing a file of that name.
  void commit();

private:
  [[noreturn]] void fail(int error) const;

  std::string path;      ///< as given, for messages
  std::string target;    ///< symbolic links resolved
  std::string folder;    ///< of the target
  std::string temporary; ///< the name in the folder that must go away, empty if there is none
  int descriptor = -1;
  int64_t written = 0;
};

} // namespace heddle::runtime
