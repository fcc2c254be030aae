// What streams have been asked for and have not done yet.
#pragma once

#include "compiler/conversion/GPUToPTX/EmulatedDevice.h"
#include "runtime/src/cuda/DriverApi.h"

#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace heddle::emulator {

using namespace runtime::cuda;

struct Function {
  heddle_emulated_kernel kernel;
  int mostShared = 48 << 10; ///< what a launch may ask for
};

struct Queue;

/// Says whether a piece of work is done.
struct Mark {
  explicit Mark(Queue &queue) : queue(&queue) {}

  Queue *queue; ///< in which the work is, until it is done
  bool reached = false;
  std::chrono::steady_clock::time_point time; ///< when it was done
};

/// One thing that a stream does: a launch, or an action, or nothing, which an event and others may wait for.
struct Work {
  Function *function = nullptr;
  std::array<uint32_t, 3> grid{}, block{};
  uint32_t sharedBytes = 0;
  std::vector<char> arguments; ///< each at a multiple of 16
  std::function<CUresult()> action;
  CUevent event = nullptr; ///< that this records

  std::vector<std::shared_ptr<Mark>> after; ///< what it waits for beside the work before it
  std::shared_ptr<Mark> done;               ///< once it is in a queue

  void setArguments(void **pointers);
  /// What it has to wait for now, or null.
  Mark *obstacle() const {
    for (const std::shared_ptr<Mark> &mark : after)
      if (!mark->reached)
        return mark.get();
    return nullptr;
  }
};

/// The work of one stream, in the order in which it was asked for.
struct Queue {
  /// The null stream, one that waits for it and the other way round, or one that does not.
  enum class Kind { Null, Default, NonBlocking };
  explicit Queue(Kind kind) : kind(kind) {}

  const Kind kind;
  std::deque<Work> works;
  std::shared_ptr<Mark> last; ///< of the latest work
};

} // namespace heddle::emulator
