#include "Machine.h"
#include "Faults.h"
#include "Streams.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <thread>

namespace heddle::emulator {

Machine &Machine::get() {
  // Never destroyed: programs release memory at their very end.
  static Machine &machine = *new Machine;
  return machine;
}

static const char *setting(const char *name) {
  const char *value = std::getenv(name);
  return value && *value ? value : nullptr;
}

/// "64M", "2G", "1000"
static size_t parseBytes(const char *text) {
  char *end = nullptr;
  size_t bytes = std::strtoull(text, &end, 10);
  switch (*end) {
  case 'G':
    bytes <<= 10;
    [[fallthrough]];
  case 'M':
    bytes <<= 10;
    [[fallthrough]];
  case 'K':
    bytes <<= 10;
  }
  return bytes;
}

void Machine::initialise() {
  if (memory)
    return;
  const char *bytes = setting("HEDDLE_EMULATED_MEMORY"), *count = setting("HEDDLE_EMULATED_DEVICES");
  memory.emplace(bytes ? parseBytes(bytes) : size_t(4) << 30);
  devices = count ? std::atoi(count) : 1;
  const char *threads = setting("HEDDLE_EMULATED_THREADS");
  workers =
      threads ? std::atoi(threads) : static_cast<int>(std::min(std::thread::hardware_concurrency(), 8u));
  workers = std::max(workers, 1);
  if (const char *text = setting("HEDDLE_EMULATED_ORDER"))
    order = std::atoi(text);
  // "cuMemAllocAsync:3=2,cuLaunchKernel:1=719": the third call gives result 2, …
  if (const char *text = setting("HEDDLE_EMULATED_FAIL")) {
    std::istringstream list(text);
    for (std::string entry; std::getline(list, entry, ',');) {
      const size_t colon = entry.find(':'), equals = entry.find('=');
      if (colon != std::string::npos && equals != std::string::npos)
        injected[{entry.substr(0, colon), std::atoi(entry.c_str() + colon + 1)}] =
            std::atoi(entry.c_str() + equals + 1);
    }
  }
}

CUresult Machine::enter(const char *function) {
  if (injected.empty())
    return CUDA_SUCCESS;
  auto found = injected.find({function, ++calls[function]});
  return found == injected.end() ? CUDA_SUCCESS : found->second;
}

//===----------------------------------------------------------------------===//
// The order of work
//===----------------------------------------------------------------------===//

void Machine::enqueue(Queue &queue, Work work) {
  auto waits = [&](const Queue &other) {
    return queue.kind == Queue::Kind::Null ? other.kind == Queue::Kind::Default
                                           : queue.kind == Queue::Kind::Default && &other == &nullQueue;
  };
  for (const Queue *other : queues)
    if (other->last && !other->last->reached && waits(*other))
      work.after.push_back(other->last);
  queue.last = work.done = std::make_shared<Mark>(queue);
  if (work.event) {
    work.event->record = work.done;
    work.event->capture = nullptr;
  }
  queue.works.push_back(std::move(work));
}

CUresult Machine::doFront(Queue &queue) {
  const Work work = std::move(queue.works.front());
  queue.works.pop_front();
  if (broken == CUDA_SUCCESS)
    broken = run(work);
  work.done->reached = true;
  work.done->time = std::chrono::steady_clock::now();
  return broken;
}

CUresult Machine::step(Queue &queue) {
  if (queue.works.empty())
    return broken;
  if (order)
    for (auto other = queues.rbegin(); other != queues.rend(); ++other)
      if (*other != &queue && !(*other)->works.empty() && !(*other)->works.front().obstacle())
        return doFront(**other);
  // Work only waits for older work, so this ends.
  Queue *next = &queue;
  while (const Mark *obstacle = next->works.front().obstacle())
    next = obstacle->queue;
  return doFront(*next);
}

CUresult Machine::finish(Queue &queue) {
  if (&queue == &nullQueue)
    enqueue(queue, {}); // which waits for other streams
  while (!queue.works.empty())
    step(queue);
  return broken;
}

CUresult Machine::finish() {
  for (Queue *queue : queues)
    finish(*queue);
  return broken;
}

void Machine::release() {
  if (contexts == 0 || --contexts > 0)
    return;
  for (Queue *queue : queues) {
    for (const Work &work : queue->works)
      work.done->reached = true;
    queue->works.clear();
  }
  memory->releaseAll();
  broken = CUDA_SUCCESS;
  failure.clear();
}

CUresult Machine::run(const Work &work) {
  if (work.function)
    return launch(work);
  return work.action ? work.action() : CUDA_SUCCESS;
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

static constexpr size_t slot(int32_t bytes) { return (bytes + 15) / 16 * 16; }

void Work::setArguments(void **pointers) {
  arguments.clear();
  for (int32_t i = 0; i < function->kernel.arguments; ++i) {
    const int32_t bytes = function->kernel.argument_bytes[i];
    const size_t at = arguments.size();
    arguments.resize(at + slot(bytes));
    std::memcpy(arguments.data() + at, pointers[i], bytes);
  }
}

CUresult Machine::launch(const Work &work) {
  std::vector<void *> pointers;
  size_t at = 0;
  for (int32_t i = 0; i < work.function->kernel.arguments; ++i) {
    pointers.push_back(const_cast<char *>(work.arguments.data()) + at);
    at += slot(work.function->kernel.argument_bytes[i]);
  }
  const Launch launch{&work.function->kernel, work.grid, work.block, work.sharedBytes, pointers.data()};
  const uint64_t count = uint64_t(work.grid[0]) * work.grid[1] * work.grid[2];
  const auto threads = static_cast<size_t>(std::min<uint64_t>(workers, count));
  while (blocks.size() < threads)
    blocks.push_back(std::make_unique<Block>());
  // Blocks start in order, so one may wait for those before it.
  std::atomic<uint64_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex failureMutex;
  auto run = [&](Block &block) {
    FaultStack stack;
    for (uint64_t i; !failed && (i = next++) < count;) {
      const uint64_t number = order ? count - 1 - i : i;
      const std::array<uint32_t, 3> index = {static_cast<uint32_t>(number % work.grid[0]),
                                             static_cast<uint32_t>(number / work.grid[0] % work.grid[1]),
                                             static_cast<uint32_t>(number / work.grid[0] / work.grid[1])};
      std::string why = block.run(launch, index, order != 0);
      if (why.empty())
        continue;
      std::lock_guard lock(failureMutex);
      if (!failed.exchange(true))
        failure = why;
    }
  };
  FaultHandlers handlers;
  std::vector<std::thread> others;
  for (size_t i = 1; i < threads; ++i)
    others.emplace_back([&run, &block = *blocks[i]] { run(block); });
  run(*blocks[0]);
  for (std::thread &thread : others)
    thread.join();
  if (!failed)
    return CUDA_SUCCESS;
  std::fprintf(stderr, "Heddle emulated device: %s\n", failure.c_str());
  return CUDA_ERROR_LAUNCH_FAILED;
}

} // namespace heddle::emulator
