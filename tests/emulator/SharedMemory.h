// The shared memory of a block.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heddle::emulator {

/// Memory below 2^31, whose end is watched: what lies behind the launch's bytes up to the next KiB is checked
/// after the block, and what lies behind that faults.
class SharedMemory {
public:
  static constexpr int64_t most = 232 * 1024;

  SharedMemory();
  ~SharedMemory();
  SharedMemory(const SharedMemory &) = delete;

  /// Fresh memory, full of NaN.
  void reset(int64_t bytes);
  char *base() const { return start; }
  /// Whether nothing was written behind the bytes.
  bool intact() const;
  /// Whether an address lies right behind it.
  bool behind(const void *address) const;

private:
  char *memory, *start;
  int64_t bytes = 0;
};

} // namespace heddle::emulator
