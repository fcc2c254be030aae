#include "Memory.h"

#include <algorithm>
#include <cstring>
#include <sys/mman.h>

namespace heddle::emulator {

constexpr size_t pageBytes = 4096, alignment = 256;
constexpr unsigned char poison = 0xff; // a NaN in every float type

static size_t roundUp(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

void *DeviceMemory::allocate(size_t bytes) {
  std::lock_guard lock(mutex);
  if (bytes > limit || used > limit - bytes)
    return nullptr;
  const size_t padded = roundUp(std::max<size_t>(bytes, 1), alignment), body = roundUp(padded, pageBytes);
  void *mapped = mmap(nullptr, body + pageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED)
    return nullptr;
  char *memory = static_cast<char *>(mapped);
  mprotect(memory + body, pageBytes, PROT_NONE);
  char *start = memory + body - padded;
  std::memset(memory, poison, body);
  allocations[start] = {memory, body + pageBytes, bytes};
  used += bytes;
  return start;
}

bool DeviceMemory::release(void *pointer, bool &overwritten) {
  std::lock_guard lock(mutex);
  auto found = allocations.find(static_cast<char *>(pointer));
  if (found == allocations.end())
    return false;
  const Allocation &allocation = found->second;
  const char *end = allocation.mapped + allocation.mappedBytes - pageBytes;
  overwritten = !std::all_of(static_cast<const char *>(pointer) + allocation.bytes, end,
                             [](char byte) { return byte == static_cast<char>(poison); });
  munmap(allocation.mapped, allocation.mappedBytes);
  used -= allocation.bytes;
  allocations.erase(found);
  return true;
}

void DeviceMemory::releaseAll() {
  std::lock_guard lock(mutex);
  for (const auto &[start, allocation] : allocations)
    munmap(allocation.mapped, allocation.mappedBytes);
  allocations.clear();
  used = 0;
}

bool DeviceMemory::holds(const void *pointer, size_t bytes) const {
  std::lock_guard lock(mutex);
  auto at = const_cast<char *>(static_cast<const char *>(pointer));
  auto after = allocations.upper_bound(at);
  if (after == allocations.begin())
    return bytes == 0;
  const auto &[start, allocation] = *std::prev(after);
  const size_t offset = static_cast<size_t>(at - start);
  return bytes == 0 || (offset <= allocation.bytes && bytes <= allocation.bytes - offset);
}

std::string DeviceMemory::describe(const void *address) const {
  std::lock_guard lock(mutex);
  auto at = const_cast<char *>(static_cast<const char *>(address));
  auto after = allocations.upper_bound(at);
  if (after == allocations.begin())
    return "";
  const auto &[start, allocation] = *std::prev(after);
  if (at >= allocation.mapped + allocation.mappedBytes)
    return "";
  return std::to_string(at - (start + allocation.bytes)) + " bytes behind an allocation of " +
         std::to_string(allocation.bytes) + " bytes";
}

size_t DeviceMemory::freeBytes() const {
  std::lock_guard lock(mutex);
  return limit - used;
}

} // namespace heddle::emulator
