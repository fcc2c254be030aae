// Memory of the emulated device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace heddle::emulator {

/// Allocations end at a page that faults, up to the alignment of 256 bytes; fresh memory is full of NaN.
class DeviceMemory {
public:
  explicit DeviceMemory(size_t limit) : limit(limit) {}

  /// Null where the limit does not allow it.
  void *allocate(size_t bytes);
  /// False if there is no such allocation. `overwritten` says whether something wrote behind its end.
  bool release(void *pointer, bool &overwritten);
  void releaseAll();
  /// Whether the bytes lie in one allocation.
  bool holds(const void *pointer, size_t bytes) const;
  /// Where an address lies, for messages: "8 bytes behind an allocation of 256 bytes"; "" if near none.
  std::string describe(const void *address) const;
  size_t freeBytes() const;
  size_t totalBytes() const { return limit; }

private:
  struct Allocation {
    char *mapped;
    size_t mappedBytes, bytes;
  };
  size_t limit, used = 0;
  mutable std::mutex mutex;
  std::map<char *, Allocation> allocations;
};

} // namespace heddle::emulator
