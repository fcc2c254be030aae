// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.

#include "io/File.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <system_error>

using namespace heddle::runtime;

namespace {
std::string systemText(int error) { return std::generic_category().message(error); }

heddle_status_t statusOf(int error) { return error == ENOENT ? HEDDLE_NOT_FOUND : HEDDLE_IO_ERROR; }

/// One transfer: the kernel cuts longer ones anyway, and a signal then interrupts between them.
constexpr int64_t transferBytes = int64_t(1) << 30;

/// Returns 0 or what went wrong.
int writeAll(int descriptor, const void *from, int64_t size) {
  const char *at = static_cast<const char *>(from);
  while (size > 0) {
    const ssize_t put = write(descriptor, at, static_cast<size_t>(std::min(size, transferBytes)));
    if (put < 0 && errno == EINTR)
      continue;
    if (put <= 0)
      return put < 0 ? errno : ENOSPC;
    at += put;
    size -= put;
  }
  return 0;
}

/// A name in the folder that no other thread or process uses now.
std::string temporaryName(const std::string &folder) {
  static std::atomic<uint32_t> counter{0};
  return folder + "/.heddle-" + std::to_string(getpid()) + "-" + std::to_string(counter++) + ".tmp";
}
} // namespace

InputFile::InputFile(const std::string &path) : path(path) {
  // Not blocking, so that opening a pipe without a writer returns and is refused below.
  descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    throw Failure(statusOf(errno), "cannot open '" + path + "': " + systemText(errno));
  struct stat info;
  const int error = fstat(descriptor, &info) == 0 ? 0 : errno;
  if (error == 0 && S_ISREG(info.st_mode)) {
    bytes = info.st_size;
    return;
  }
  close(descriptor);
  if (error)
    throw Failure(HEDDLE_IO_ERROR, "cannot open '" + path + "': " + systemText(error));
  throw Failure(HEDDLE_IO_ERROR, "cannot read '" + path + "': it is " +
                                     (S_ISDIR(info.st_mode) ? "a directory" : "not a regular file"));
}

InputFile::~InputFile() { close(descriptor); }

void InputFile::read(int64_t offset, void *to, int64_t size) const {
  char *at = static_cast<char *>(to);
  while (size > 0) {
    const ssize_t got = pread(descriptor, at, static_cast<size_t>(std::min(size, transferBytes)), offset);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      throw Failure(HEDDLE_IO_ERROR, "cannot read '" + path + "': " + systemText(errno));
    if (got == 0)
      throw Failure(HEDDLE_IO_ERROR, "cannot read '" + path + "': it became shorter while it was read");
    at += got;
    offset += got;
    size -= got;
  }
}

void InputFile::bad(const std::string &what, const std::string &hint) const {
  throw Failure(HEDDLE_BAD_FILE, "cannot read '" + path + "': " + what, hint);
}

void InputFile::unsupported(const std::string &what, const std::string &hint) const {
  throw Failure(HEDDLE_UNSUPPORTED, "cannot read '" + path + "': " + what, hint);
}

OutputFile::OutputFile(const std::string &path) : path(path), target(path) {
  // A link keeps pointing at the file: replace what it leads to.
  struct stat info;
  const bool exists = stat(path.c_str(), &info) == 0;
  if (exists) {
    if (!S_ISREG(info.st_mode))
      throw Failure(HEDDLE_IO_ERROR, "cannot write '" + path + "': it is " +
                                         (S_ISDIR(info.st_mode) ? "a directory" : "not a regular file"));
    if (char *resolved = realpath(path.c_str(), nullptr)) {
      target = resolved;
      std::free(resolved);
    }
  }
  const size_t slash = target.rfind('/');
  folder = slash == std::string::npos ? "." : slash == 0 ? "/" : target.substr(0, slash);
  if (slash != std::string::npos && slash + 1 == target.size())
    throw Failure(HEDDLE_INVALID_ARGUMENT, "cannot write '" + path + "': it names a directory");

  if (access("/proc/self/fd", X_OK) == 0)
    descriptor = open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
  while (descriptor < 0) {
    temporary = temporaryName(folder);
    descriptor = open(temporary.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (descriptor < 0 && errno != EEXIST) {
      const int error = errno;
      temporary.clear();
      throw Failure(statusOf(error), "cannot write '" + path + "': " + systemText(error),
                    error == ENOENT ? "its folder does not exist" : "");
    }
  }
  if (exists) // best effort: on a foreign owner's file the default mode stays
    (void)!fchmod(descriptor, info.st_mode & 07777);
}

OutputFile::~OutputFile() {
  if (descriptor >= 0)
    close(descriptor);
  if (!temporary.empty())
    unlink(temporary.c_str());
}

void OutputFile::fail(int error) const {
  throw Failure(HEDDLE_IO_ERROR, "cannot write '" + path + "': " + systemText(error));
}

void OutputFile::write(const void *from, int64_t size) {
  // Passing the limit would send SIGXFSZ, which ends the process.
  rlimit limit;
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
      static_cast<uint64_t>(written) + static_cast<uint64_t>(size) > limit.rlim_cur)
    fail(EFBIG);
  if (const int error = writeAll(descriptor, from, size))
    fail(error);
  written += size;
}

void OutputFile::commit() {
  if (fsync(descriptor) != 0)
    fail(errno);
  if (temporary.empty()) {
    const std::string unnamed = "/proc/self/fd/" + std::to_string(descriptor);
    std::string name;
    do {
      name = temporaryName(folder);
      if (linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0)
        temporary = name;
      else if (errno != EEXIST)
        fail(errno);
    } while (temporary.empty());
  }
  const int closed = close(descriptor);
  descriptor = -1;
  if (closed != 0)
    fail(errno);
  if (rename(temporary.c_str(), target.c_str()) != 0)
    fail(errno);
  temporary.clear();
  // The new name itself must survive a power cut; file systems that cannot sync a folder are left alone.
  if (int directory = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); directory >= 0) {
    fsync(directory);
    close(directory);
  }
}

heddle_status_t heddle_file_save(const char *path, const void *data, int64_t size) {
  return guard([&] {
    requirePointer(path, "the path");
    if (size < 0)
      throw Failure(HEDDLE_INVALID_ARGUMENT, "the size " + std::to_string(size) + " is negative");
    if (size > 0)
      requirePointer(data, "the data");
    struct stat info;
    if (stat(path, &info) != 0 || S_ISREG(info.st_mode) || S_ISDIR(info.st_mode)) {
      OutputFile file(path);
      file.write(data, size);
      file.commit();
      return;
    }
    // A device or a pipe takes the bytes; a rename would replace it.
    const int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    int error = descriptor < 0 ? errno : writeAll(descriptor, data, size);
    if (descriptor >= 0 && close(descriptor) != 0 && error == 0)
      error = errno;
    if (error)
      throw Failure(HEDDLE_IO_ERROR, "cannot write '" + std::string(path) + "': " + systemText(error));
  });
}
