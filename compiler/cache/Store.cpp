//===- Store.cpp - Files that are kept from process to process ------------===//

#include "compiler/cache/Store.h"
#include "compiler/cache/Bytes.h"

#include <heddle/error.hpp>

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/SHA256.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <set>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace fs = std::filesystem;

namespace heddle::cache {

namespace {

/// Before every content: the format, and a SHA-256 of the key and the content.
constexpr std::string_view magic = "heddle program 1\n";
constexpr size_t headBytes = magic.size() + 64;
constexpr std::string_view partPrefix = ".part-", lockName = ".lock";

std::string headOf(const std::string &key, std::string_view content) {
  return std::string(magic) + keyOf({key, content});
}

/// Warns as `warn` does, the first time that this process has something to say.
void warnOnce(const std::string &text) {
  static std::mutex mutex;
  static std::set<std::string> said;
  std::lock_guard lock(mutex);
  if (said.insert(text).second)
    warn(text);
}

/// Why somebody else may have written what is there; "" where only the user can have.
std::string doubt(const struct stat &information) {
  if (information.st_uid != ::geteuid())
    return "it belongs to user " + std::to_string(information.st_uid) + ", not to user " +
           std::to_string(::geteuid());
  if ((information.st_mode & (S_IWGRP | S_IWOTH)) == 0)
    return "";
  char mode[16];
  std::snprintf(mode, sizeof mode, "%04o", information.st_mode & 07777u);
  return "others may write to it (mode " + std::string(mode) + ")";
}

/// Nothing where there is no such file, and, with a warning, where it may be somebody else's.
std::optional<std::string> readFile(const fs::path &file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  const bool isLink = descriptor < 0 && errno == ELOOP;
  if (descriptor < 0 && !isLink)
    return std::nullopt;
  struct stat information{};
  std::string reason = "it is a symbolic link";
  if (!isLink)
    reason = ::fstat(descriptor, &information) != 0 ? std::strerror(errno)
             : !S_ISREG(information.st_mode)        ? "it is not a regular file"
                                                    : doubt(information);
  std::FILE *stream = reason.empty() ? ::fdopen(descriptor, "rb") : nullptr;
  if (!stream) {
    if (descriptor >= 0)
      ::close(descriptor);
    warnOnce("'" + file.string() + "' is not used: " + (reason.empty() ? std::strerror(errno) : reason));
    return std::nullopt;
  }
  std::string content(static_cast<size_t>(information.st_size), '\0');
  content.resize(std::fread(content.data(), 1, content.size(), stream));
  std::fclose(stream);
  return content;
}

int64_t limitFromEnvironment() {
  const char *text = std::getenv("HEDDLE_CACHE_LIMIT");
  if (!text || !*text)
    return int64_t(1) << 30;
  const char *end = text + std::strlen(text);
  int64_t value = 0;
  auto [rest, error] = std::from_chars(text, end, value);
  int shift = 0;
  if (error == std::errc() && rest + 1 == end) {
    shift = *rest == 'K' ? 10 : *rest == 'M' ? 20 : *rest == 'G' ? 30 : 0;
    rest += shift ? 1 : 0;
  }
  if (error != std::errc() || rest != end || value < 0 || value > INT64_MAX >> shift)
    throw Error(HEDDLE_INVALID_ARGUMENT,
                "the environment variable HEDDLE_CACHE_LIMIT: '" + std::string(text) + "' is not a size",
                "write a number of bytes, or one with K, M or G behind it, such as 256M");
  return value << shift;
}

/// A file of the folder, as its removal wants to know it.
struct Known {
  fs::path path;
  fs::file_time_type time;
  int64_t bytes;
};

std::vector<Known> list(const fs::path &folder) {
  std::vector<Known> files;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code gone; // another process may remove what is listed
    const auto bytes = at->file_size(gone);
    const auto time = gone ? fs::file_time_type() : at->last_write_time(gone);
    if (!gone)
      files.push_back({at->path(), time, static_cast<int64_t>(bytes)});
  }
  return files;
}

/// Whether a file's name is one or more of some characters before a suffix.
bool isNamed(const fs::path &file, std::string_view characters, std::string_view suffix) {
  const std::string stem = file.stem().string();
  return file.extension() == suffix && stem.find_first_not_of(characters) == std::string::npos;
}

bool isProgram(const fs::path &file) {
  return isNamed(file, "0123456789abcdef", Store::programSuffix) && file.stem().native().size() == 64;
}
bool isPlans(const fs::path &file) {
  return isNamed(file, "abcdefghijklmnopqrstuvwxyz0123456789-", Store::plansSuffix);
}
bool isPart(const fs::path &file) { return file.filename().string().starts_with(partPrefix); }

} // namespace

std::string sha256(std::string_view bytes) {
  llvm::SHA256 hash;
  hash.update(llvm::StringRef(bytes.data(), bytes.size()));
  const std::array<uint8_t, 32> digest = hash.final();
  return llvm::toHex(digest, /*LowerCase=*/true);
}

std::string keyOf(std::initializer_list<std::string_view> parts) {
  ByteWriter writer;
  for (std::string_view part : parts)
    writer.add(part);
  return sha256(writer.bytes);
}

void warn(const std::string &text) { std::fprintf(stderr, "heddle: warning: %s\n", text.c_str()); }

std::optional<Store> Store::fromEnvironment() {
  auto variable = [](const char *name) {
    const char *text = std::getenv(name);
    return std::string(text ? text : "");
  };
  const std::string named = variable("HEDDLE_CACHE");
  if (named == "off")
    return std::nullopt;
  fs::path folder = named;
  if (named.empty()) {
    const std::string caches = variable("XDG_CACHE_HOME"), home = variable("HOME");
    if (caches.empty() && home.empty())
      return std::nullopt;
    folder = (caches.empty() ? fs::path(home) / ".cache" : fs::path(caches)) / "heddle";
  }
  return Store(folder, limitFromEnvironment());
}

Store::Store(fs::path folder, int64_t limit) : path(std::move(folder)), limit(limit) {
  while (!path.has_filename() && path.has_relative_path())
    path = path.parent_path(); // without the '/' at its end
}

std::optional<Problem> Store::problem() const {
  const std::string named = "the cache '" + path.string() + "' is ", notUsed = named + "not used: ";
  const std::string other = "HEDDLE_CACHE names another folder, or 'off'";
  struct stat information{};
  int status = ::lstat(path.c_str(), &information);
  // A link of the user's own may lead to another disk.
  if (status == 0 && S_ISLNK(information.st_mode) && information.st_uid == ::geteuid())
    status = ::stat(path.c_str(), &information);
  if (status != 0)
    return errno == ENOENT ? std::nullopt : std::optional(Problem{notUsed + std::strerror(errno), other});
  if (information.st_uid == ::geteuid() && !S_ISDIR(information.st_mode))
    return Problem{named + "a file, not a folder", other};
  const std::string reason = doubt(information);
  if (reason.empty())
    return std::nullopt;
  const bool isOwn = information.st_uid == ::geteuid();
  return Problem{notUsed + reason, (isOwn ? "chmod 700 '" + path.string() + "', or " : "") + other};
}

bool Store::isUsable() const {
  const std::optional<Problem> found = problem();
  if (found)
    warnOnce(found->what + "; " + found->hint);
  return !found;
}

bool Store::prepare() const {
  if (!isUsable())
    return false;
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST)
    return isUsable(); // another user may have been faster
  warnOnce("cannot create the folder of the cache '" + path.string() + "': " + std::strerror(errno) +
           "; HEDDLE_CACHE names another one, or 'off'");
  return false;
}

std::optional<std::string> Store::read(const std::string &key) const {
  const fs::path file = path / (key + programSuffix);
  std::optional<std::string> content = isUsable() ? readFile(file) : std::nullopt;
  if (!content)
    return std::nullopt;
  const std::string_view rest =
      content->size() < headBytes ? "" : std::string_view(*content).substr(headBytes);
  if (content->compare(0, headBytes, headOf(key, rest)) != 0) {
    warn("'" + file.string() + "' is damaged, and is made again");
    std::error_code error;
    fs::remove(file, error);
    return std::nullopt;
  }
  ::utimensat(AT_FDCWD, file.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
  content->erase(0, headBytes);
  return content;
}

void Store::write(const std::string &key, std::string_view content) const {
  if (int64_t(headBytes + content.size()) > limit || !prepare())
    return;
  if (replace(path / (key + programSuffix), headOf(key, content) + std::string(content)))
    shrink();
}

std::optional<std::string> Store::readPlans(const std::string &name) const {
  return isUsable() ? readFile(path / (name + plansSuffix)) : std::nullopt;
}

bool Store::replace(const fs::path &file, std::string_view content) const {
  std::string part = (path / (std::string(partPrefix) + "XXXXXX")).string();
  const int descriptor = ::mkostemp(part.data(), O_CLOEXEC);
  std::FILE *stream = descriptor < 0 ? nullptr : ::fdopen(descriptor, "wb");
  bool whole = stream && std::fwrite(content.data(), 1, content.size(), stream) == content.size();
  if (stream)
    whole &= std::fclose(stream) == 0;
  if (whole && std::rename(part.c_str(), file.c_str()) == 0)
    return true;
  warnOnce("cannot write into the cache '" + path.string() + "': " + std::strerror(errno));
  if (descriptor >= 0)
    ::unlink(part.c_str());
  return false;
}

void Store::shrink() const {
  std::vector<Known> programs;
  int64_t bytes = 0;
  std::error_code error;
  const auto now = fs::file_time_type::clock::now();
  for (Known &file : list(path)) {
    if (isPart(file.path) && now - file.time > std::chrono::hours(1))
      fs::remove(file.path, error);
    if (!isProgram(file.path))
      continue;
    bytes += file.bytes;
    programs.push_back(std::move(file));
  }
  std::sort(programs.begin(), programs.end(), [](const Known &a, const Known &b) { return a.time < b.time; });
  for (const Known &file : programs) {
    if (bytes <= limit)
      return;
    fs::remove(file.path, error);
    bytes -= file.bytes;
  }
}

Usage Store::usage() const {
  Usage usage;
  for (const Known &file : list(path)) {
    usage.programs += isProgram(file.path);
    usage.programBytes += isProgram(file.path) ? file.bytes : 0;
    usage.plans += isPlans(file.path);
    usage.planBytes += isPlans(file.path) ? file.bytes : 0;
  }
  return usage;
}

void Store::clear() const {
  for (const Known &file : list(path)) {
    std::error_code error;
    if (isProgram(file.path) || isPlans(file.path) || isPart(file.path))
      fs::remove(file.path, error);
    if (error)
      throw Error(HEDDLE_IO_ERROR, "cannot remove '" + file.path.string() + "': " + error.message());
  }
}

Store::Lock::Lock(const Store &store) {
  if (!store.prepare())
    return;
  descriptor = ::open((store.path / lockName).c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  held = descriptor >= 0 && ::flock(descriptor, LOCK_EX) == 0;
  if (!held)
    warnOnce("cannot lock the cache '" + store.path.string() + "': " + std::strerror(errno));
}

Store::Lock::~Lock() {
  if (descriptor >= 0)
    ::close(descriptor); // ends the lock
}

} // namespace heddle::cache
