// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// What the runtime's tests share: files as strings, folders of their own, the text of an error.
#pragma once

#include <heddle/error.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>
#include <vector>

namespace testing {

/// A new empty folder, removed at the end of the test.
class Folder {
public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "heddle-test-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string operator/(const std::string &name) const { return (path / name).string(); }
  /// The names in the folder, hidden ones too.
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto &entry : std::filesystem::directory_iterator(path))
      result.push_back(entry.path().filename().string());
    return result;
  }

private:
  std::filesystem::path path;
};

inline void writeFile(const std::string &path, const std::string &bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Failed {
  heddle_status_t status = HEDDLE_OK;
  std::string message = "(nothing was thrown)";
};

/// The Error that `body` throws; `path` within the message is replaced by "FILE".
template <typename Body>
Failed failureOf(Body &&body, const std::string &path = "") {
  try {
    body();
  } catch (const heddle::Error &error) {
    Failed failed{error.status(), error.what()};
    for (size_t at; !path.empty() && (at = failed.message.find(path)) != std::string::npos;)
      failed.message.replace(at, path.size(), "FILE");
    return failed;
  }
  return {};
}

/// What `load` says against a file of these bytes, without "cannot read 'FILE': ". `name` is the file's.
template <typename Load>
std::string refusalOf(Load &&load, const std::string &name, const std::string &bytes,
                      heddle_status_t status) {
  Folder folder;
  const std::string path = folder / name, prefix = "cannot read 'FILE': ";
  writeFile(path, bytes);
  const Failed failed = failureOf([&] { load(path); }, path);
  if (failed.status != status)
    return "?? status " + std::to_string(failed.status) + ": " + failed.message;
  return failed.message.rfind(prefix, 0) == 0 ? failed.message.substr(prefix.size()) : "?? " + failed.message;
}

} // namespace testing
