// A block of threads: fibers that meet at barriers and in the collective operations of warps.
#pragma once

#include "Fiber.h"
#include "SharedMemory.h"
#include "compiler/conversion/GPUToPTX/EmulatedDevice.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace heddle::emulator {

constexpr int warpSize = 32;
constexpr int mostThreads = 1024;

/// A kernel with its arguments.
struct Launch {
  const heddle_emulated_kernel *kernel;
  std::array<uint32_t, 3> grid, block;
  int64_t sharedBytes;
  void **arguments;
};

/// What a lane brings to a collective operation and takes from it.
struct Request {
  void (*operation)(struct Group &); ///< runs once, when the last lane has come
  const char *name;
  uint32_t mask;
  int32_t kind = 0;
  int64_t value = 0;
  int32_t lane = 0, clamp = 0;
  const int32_t *a = nullptr, *b = nullptr;
  const float *c = nullptr;
  void *out = nullptr; ///< memory of the lane
  int64_t result = 0;
};

/// The lanes that have come; null where one takes no part.
struct Group {
  std::array<Request *, warpSize> lanes{};
};

class Block {
public:
  Block() = default;
  Block(const Block &) = delete;

  /// Runs all threads to their end. Returns what went wrong, "" if nothing did.
  std::string run(const Launch &launch, std::array<uint32_t, 3> index, bool descending);

  /// The block that this thread of the process is running, null outside of kernels.
  static Block *running();

  // ---- For the running fiber ----
  int32_t reg(int32_t which) const { return current->registers[which]; }
  char *shared() const { return memory.base(); }
  int64_t collective(Request &request);
  /// Waits until `count` threads have come, 0: all that have not ended. Gives the combined predicate.
  int32_t barrier(int32_t number, int32_t count, bool wait, int32_t predicate, int32_t kind);
  void yield();
  void copy(void *to, const void *from, int32_t bytes, int32_t used);
  void commitCopies();
  void waitForCopies(int32_t groups);
  /// Gives the block up; does not return.
  [[noreturn]] void fail(std::string why);
  /// For a fiber that gives up: the top of its stack, as a function finds it.
  void *freshStack() { return current->stack->top(); }
  /// What an address in shared memory or a stack is, "" for others.
  std::string describeAddress(const void *address) const;

private:
  enum class State : uint8_t { ready, collective, barrier, ended };
  struct Copy {
    void *to;
    const void *from;
    int32_t bytes, used, group;
  };
  struct Thread {
    std::unique_ptr<Stack> stack;
    Context context = nullptr;
    void *sanitizer = nullptr; ///< the address sanitizer's state of the stack
    State state = State::ready;
    Request *request = nullptr;
    int32_t barrier = 0, reduction = 0;
    std::array<int32_t, HEDDLE_EMULATED_REGISTERS> registers{};
    std::vector<Copy> copies;
    int32_t committed = 0; ///< groups of copies
  };
  struct Barrier {
    int32_t come = 0, count = 0, kind = -1, predicates = 0;
  };

  void start(Thread &thread, int number);
  void resume(Thread &thread);
  void runThread();
  void suspend();
  void endThread();
  bool tryCollective(int warp, const Request &request);
  void tryBarrier(int number);
  int numberOf(const Thread &thread) const { return static_cast<int>(&thread - threads.data()); }
  int warpLanes(int warp) const { return std::min(warpSize, count - warp * warpSize); }
  std::string describe(const Thread &thread) const;
  std::string deadlock() const;
  std::string where() const;

  const Launch *launch = nullptr;
  std::array<uint32_t, 3> index{};
  int count = 0, alive = 0;
  std::vector<Thread> threads;
  std::array<uint32_t, mostThreads / warpSize> waitingLanes{}, endedLanes{};
  std::array<Barrier, 16> barriers{};
  SharedMemory memory;
  Thread *current = nullptr;
  Context scheduler = nullptr;
  const void *schedulerStack = nullptr;
  size_t schedulerBytes = 0;
  bool onlyYielded = false;
  std::string failure;
};

} // namespace heddle::emulator
