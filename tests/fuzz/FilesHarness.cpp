// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.

#include "FilesHarness.h"

#include <heddle/io.hpp>

#include <cstring>
#include <stdexcept>
#include <sys/mman.h>
#include <unistd.h>

using namespace heddle;
using heddle::fuzz::Outcome;

namespace {
/// A file in memory that has a path.
class MemoryFile {
public:
  MemoryFile(const uint8_t *data, size_t size) : descriptor(memfd_create("heddle-fuzz", MFD_CLOEXEC)) {
    if (descriptor < 0 || ::write(descriptor, data, size) != static_cast<ssize_t>(size))
      throw std::runtime_error("cannot create a file in memory");
  }
  ~MemoryFile() { close(descriptor); }
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor); }

private:
  int descriptor;
};

/// A file name in the temporary folder, removed at the end.
class TemporaryPath {
public:
  TemporaryPath() {
    char pattern[] = "/tmp/heddle-fuzz-XXXXXX";
    close(mkstemp(pattern));
    name = pattern;
  }
  ~TemporaryPath() { unlink(name.c_str()); }
  const std::string &path() const { return name; }

private:
  std::string name;
};

heddle_memory_stats_t stats() {
  heddle_memory_stats_t result;
  heddle_memory_stats(&result);
  return result;
}

std::string checkError(const Error &error) {
  const std::string message = error.what();
  const bool known = error.status() == HEDDLE_BAD_FILE || error.status() == HEDDLE_UNSUPPORTED;
  if (!known)
    return "the status is '" + std::string(heddle_status_name(error.status())) +
           "' with the message: " + message;
  if (message.rfind("cannot read '", 0) != 0)
    return "the message is: " + message;
  for (unsigned char c : message)
    if (c < ' ' && c != '\n')
      return "the message holds a control character: " + message;
  return "";
}

bool same(const Tensor &a, const Tensor &b) {
  return a.str() == b.str() && std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0;
}

/// Writing costs a sync of the disk, so one result in many is written.
bool sampled(const uint8_t *data, size_t size) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < size; ++i)
    hash = (hash ^ data[i]) * 16777619u;
  return hash % 64 == 0;
}
} // namespace

Outcome heddle::fuzz::checkReaders(const uint8_t *data, size_t size) {
  Outcome outcome;
  const MemoryFile file(data, size);
  const int64_t before = stats().current_bytes;
  heddle_memory_reset_peak();

  try {
    const Tensor tensor = load_npy(file.path());
    outcome.npyLoaded = true;
    if (sampled(data, size)) {
      const TemporaryPath copy;
      save_npy(copy.path(), tensor);
      if (!same(tensor, load_npy(copy.path())))
        outcome.broken = "a .npy file that was written has other elements";
    }
  } catch (const Error &error) {
    outcome.broken = checkError(error);
  }

  if (outcome.broken.empty()) {
    try {
      Metadata metadata, copiedMetadata;
      const Struct loaded = load_safetensors(file.path(), &metadata);
      outcome.archiveLoaded = true;
      if (sampled(data, size)) {
        const TemporaryPath copy;
        save_safetensors(copy.path(), loaded, metadata);
        const Struct again = load_safetensors(copy.path(), &copiedMetadata);
        bool equal = again.size() == loaded.size() && copiedMetadata == metadata;
        for (size_t i = 0; equal && i < loaded.size(); ++i)
          equal = again.leaf(i).first == loaded.leaf(i).first &&
                  same(again.leaf(i).second, loaded.leaf(i).second);
        if (!equal)
          outcome.broken = "a .safetensors file that was written has other contents";
      }
    } catch (const Error &error) {
      outcome.broken = checkError(error);
    }
  }

  const heddle_memory_stats_t after = stats();
  if (outcome.broken.empty() && after.current_bytes != before)
    outcome.broken = std::to_string(after.current_bytes - before) + " bytes stay allocated";
  if (outcome.broken.empty() && after.peak_bytes - before > 2 * static_cast<int64_t>(size))
    outcome.broken = std::to_string(after.peak_bytes - before) + " bytes were allocated for a file of " +
                     std::to_string(size);
  return outcome;
}
