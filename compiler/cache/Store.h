//===- Store.h - Files that are kept from process to process ----*- C++ -*-===//
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace heddle::cache {

/// What a folder holds.
struct Usage {
  int64_t programs = 0, programBytes = 0;
  int64_t plans = 0, planBytes = 0; ///< files of measured plans
};

/// Why a folder is not used, and what helps.
struct Problem {
  std::string what, hint;
};

/// A folder of the cache, which must be the user's own, with no right for others to write: what is read is
/// run. Any number of processes may use it at the same time. Reading and writing never
/// fail: what cannot be done is left out, with a warning.
class Store {
public:
  /// The folder and limit of the environment; nothing where it switches the cache off, or where there is no
  /// home. Throws Error for a limit that is none.
  static std::optional<Store> fromEnvironment();

  Store(std::filesystem::path folder, int64_t limit);

  /// What is wrong with the folder; nothing where it can be used, or is still to be made.
  std::optional<Problem> problem() const;

  /// The content under a key of `keyOf`, which then counts as just used.
  std::optional<std::string> read(const std::string &key) const;
  /// Keeps a content, and removes what was not used for longest beyond the limit.
  void write(const std::string &key, std::string_view content) const;

  /// A file of plans, by name, as it is.
  std::optional<std::string> readPlans(const std::string &name) const;
  /// Replaces it by what `change` makes of it (or of nothing). Processes wait for each other.
  template <typename Change>
  void changePlans(const std::string &name, Change change) const {
    if (Lock lock(*this); lock.held)
      replace(path / (name + plansSuffix), change(readPlans(name)));
  }

  const std::filesystem::path &folder() const { return path; }
  int64_t mostBytes() const { return limit; }
  Usage usage() const;
  /// Removes what the cache has written, and nothing else. Throws Error where that is not possible.
  void clear() const;

  static constexpr const char *programSuffix = ".program", *plansSuffix = ".plans";

private:
  struct Lock {
    explicit Lock(const Store &store);
    ~Lock();
    Lock(const Lock &) = delete;
    Lock &operator=(const Lock &) = delete;
    bool held = false;
    int descriptor = -1;
  };

  bool isUsable() const; ///< warns once where not
  bool prepare() const;
  bool replace(const std::filesystem::path &file, std::string_view content) const;
  void shrink() const;

  std::filesystem::path path;
  int64_t limit;
};

/// A key that stands for all the parts, in their order.
std::string keyOf(std::initializer_list<std::string_view> parts);

/// 64 hexadecimal digits.
std::string sha256(std::string_view bytes);

/// A line on stderr.
void warn(const std::string &text);

} // namespace heddle::cache
