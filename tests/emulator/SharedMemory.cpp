#include "SharedMemory.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <sys/mman.h>

namespace heddle::emulator {

constexpr int64_t guardBytes = 64 * 1024;
constexpr unsigned char poison = 0xff; // a NaN in every float type

SharedMemory::SharedMemory() {
  void *mapped = mmap(nullptr, most + guardBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  if (mapped == MAP_FAILED)
    throw std::bad_alloc();
  memory = static_cast<char *>(mapped);
  mprotect(memory + most, guardBytes, PROT_NONE);
  start = memory + most;
}

SharedMemory::~SharedMemory() { munmap(memory, most + guardBytes); }

void SharedMemory::reset(int64_t wanted) {
  bytes = wanted;
  const int64_t padded = (bytes + 1023) / 1024 * 1024;
  start = memory + most - padded;
  std::memset(start, poison, padded);
}

bool SharedMemory::intact() const {
  const char *end = memory + most;
  return std::all_of(start + bytes, const_cast<char *>(end),
                     [](char byte) { return byte == static_cast<char>(poison); });
}

bool SharedMemory::behind(const void *address) const {
  return address >= memory + most && address < memory + most + guardBytes;
}

} // namespace heddle::emulator
