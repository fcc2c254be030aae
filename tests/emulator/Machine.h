// The emulated GPU: what runs kernels, the order of work, and failures.
#pragma once

#include "Block.h"
#include "Memory.h"
#include "Queue.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace heddle::emulator {

/// All state of the library. Work is done only when somebody waits: a host that does not wait sees old data.
/// So does a stream that does not wait for another one: work of other streams than the one that somebody
/// waits for is done as late as possible, or, with the other order, as early as possible.
class Machine {
public:
  static Machine &get();

  /// Reads the environment: HEDDLE_EMULATED_DEVICES (1), HEDDLE_EMULATED_MEMORY (4G), HEDDLE_EMULATED_THREADS
  /// (of this machine), HEDDLE_EMULATED_ORDER (0), HEDDLE_EMULATED_FAIL (function:call=result, …).
  void initialise();
  bool initialised() const { return !!memory; }
  /// Counts a call of a function of the driver; not CUDA_SUCCESS where it is to fail.
  CUresult enter(const char *function);

  void add(Queue &queue) { queues.push_back(&queue); }
  /// Of an empty one.
  void remove(Queue &queue) { std::erase(queues, &queue); }

  void enqueue(Queue &queue, Work work);
  /// Does all work. Once something has failed, everything does.
  CUresult finish();
  /// Does all work of a stream.
  CUresult finish(Queue &queue);
  /// Does one piece of work for somebody who waits for this stream.
  CUresult step(Queue &queue);
  /// A context keeps memory, work and failures until it is released as often as it was retained.
  void retain() { ++contexts; }
  void release();

  int devices = 1;
  std::optional<DeviceMemory> memory; ///< of all devices together
  std::map<const char *, size_t> pinned;
  std::recursive_mutex mutex;
  std::string failure;
  int order = 0;
  Queue nullQueue{Queue::Kind::Null};

private:
  CUresult doFront(Queue &queue);
  CUresult run(const Work &work);
  CUresult launch(const Work &work);

  std::vector<Queue *> queues{&nullQueue}; ///< the oldest first
  CUresult broken = CUDA_SUCCESS;
  int workers = 1, contexts = 0;
  std::vector<std::unique_ptr<Block>> blocks;
  std::map<std::string, int> calls;
  std::map<std::pair<std::string, int>, CUresult> injected;
};

} // namespace heddle::emulator
