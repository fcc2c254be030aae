// The emulated GPU: what runs kernels, the queue of work, and failures.
#pragma once

#include "Block.h"
#include "Memory.h"
#include "runtime/src/cuda/DriverApi.h"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace heddle::emulator {

using namespace runtime::cuda;

struct Function {
  heddle_emulated_kernel kernel;
  int mostShared = 48 << 10; ///< what a launch may ask for
};

/// One thing that a stream does: a launch, or an action.
struct Work {
  Function *function = nullptr;
  std::array<uint32_t, 3> grid{}, block{};
  uint32_t sharedBytes = 0;
  std::vector<char> arguments; ///< each at a multiple of 16
  std::function<CUresult()> action;

  void setArguments(void **pointers);
};

/// All state of the library. Work of all streams is done in the order in which it was asked for, but only
/// when somebody waits: a host that does not wait sees old data.
class Machine {
public:
  static Machine &get();

  /// Reads the environment: HEDDLE_EMULATED_DEVICES (1), HEDDLE_EMULATED_MEMORY (4G), HEDDLE_EMULATED_THREADS
  /// (of this machine), HEDDLE_EMULATED_FAIL (function:call=result, …).
  void initialise();
  bool initialised() const { return !!memory; }
  /// Counts a call of a function of the driver; not CUDA_SUCCESS where it is to fail.
  CUresult enter(const char *function);

  void enqueue(Work work);
  /// Does all work. Once something has failed, everything does.
  CUresult finish();
  /// Does the oldest piece of work.
  CUresult step();
  /// A context keeps memory, work and failures until it is released as often as it was retained.
  void retain() { ++contexts; }
  void release();

  int devices = 1;
  std::optional<DeviceMemory> memory; ///< of all devices together
  std::map<const char *, size_t> pinned;
  std::recursive_mutex mutex;
  std::string failure;
  int order = 0;

private:
  CUresult run(const Work &work);
  CUresult launch(const Work &work);

  std::deque<Work> queue;
  CUresult broken = CUDA_SUCCESS;
  int workers = 1, contexts = 0;
  std::vector<std::unique_ptr<Block>> blocks;
  std::map<std::string, int> calls;
  std::map<std::pair<std::string, int>, CUresult> injected;
};

} // namespace heddle::emulator
