#include "Block.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdio>
#include <cstring>

namespace heddle::emulator {

static thread_local Block *runningBlock = nullptr;

Block *Block::running() { return runningBlock; }

//===----------------------------------------------------------------------===//
// The scheduler
//===----------------------------------------------------------------------===//

void Block::start(Thread &thread, int number) {
  if (!thread.stack)
    thread.stack = std::make_unique<Stack>();
  thread.context = thread.stack->start([] { runningBlock->runThread(); });
  thread.state = State::ready;
  thread.copies.clear();
  thread.committed = 0;
  auto &registers = thread.registers;
  const auto size = launch->block;
  const uint32_t position[3] = {number % size[0], number / size[0] % size[1], number / (size[0] * size[1])};
  for (int axis = 0; axis < 3; ++axis) {
    registers[HEDDLE_EMULATED_TID + axis] = static_cast<int32_t>(position[axis]);
    registers[HEDDLE_EMULATED_NTID + axis] = static_cast<int32_t>(size[axis]);
    registers[HEDDLE_EMULATED_CTAID + axis] = static_cast<int32_t>(index[axis]);
    registers[HEDDLE_EMULATED_NCTAID + axis] = static_cast<int32_t>(launch->grid[axis]);
  }
  const int lane = number % warpSize;
  const uint32_t self = 1u << lane;
  registers[HEDDLE_EMULATED_LANEID] = lane;
  registers[HEDDLE_EMULATED_WARPID] = number / warpSize;
  registers[HEDDLE_EMULATED_NWARPID] = (count + warpSize - 1) / warpSize;
  registers[HEDDLE_EMULATED_WARPSIZE] = warpSize;
  registers[HEDDLE_EMULATED_LANEMASK_EQ] = static_cast<int32_t>(self);
  registers[HEDDLE_EMULATED_LANEMASK_LT] = static_cast<int32_t>(self - 1);
  registers[HEDDLE_EMULATED_LANEMASK_LE] = static_cast<int32_t>(self | (self - 1));
  registers[HEDDLE_EMULATED_LANEMASK_GT] = static_cast<int32_t>(~(self | (self - 1)));
  registers[HEDDLE_EMULATED_LANEMASK_GE] = static_cast<int32_t>(~(self - 1));
  registers[HEDDLE_EMULATED_DYNAMIC_SMEM_SIZE] = static_cast<int32_t>(launch->sharedBytes);
}

std::string Block::run(const Launch &what, std::array<uint32_t, 3> at, bool descending) {
  launch = &what;
  index = at;
  count = alive = static_cast<int>(what.block[0] * what.block[1] * what.block[2]);
  if (threads.empty())
    threads = std::vector<Thread>(mostThreads);
  memory.reset(what.sharedBytes);
  for (int i = 0; i < count; ++i)
    start(threads[i], i);
  waitingLanes.fill(0);
  endedLanes.fill(0);
  barriers.fill({});
  failure.clear();
  runningBlock = this;
  auto progress = std::chrono::steady_clock::now();
  while (alive > 0 && failure.empty()) {
    bool moved = false;
    onlyYielded = true;
    for (int i = 0; i < count && failure.empty(); ++i) {
      Thread &thread = threads[descending ? count - 1 - i : i];
      if (thread.state != State::ready)
        continue;
      moved = true;
      resume(thread);
    }
    if (!failure.empty() || alive == 0)
      break;
    if (!moved) {
      failure = where() + ": deadlock: " + deadlock();
    } else if (!onlyYielded) {
      progress = std::chrono::steady_clock::now();
    } else if (std::chrono::steady_clock::now() - progress > std::chrono::seconds(20)) {
      failure = where() + ": threads have polled memory for 20 seconds: " + deadlock();
    }
  }
  runningBlock = nullptr;
  current = nullptr;
  if (failure.empty() && !memory.intact())
    failure = where() + ": wrote behind the " + std::to_string(what.sharedBytes) + " bytes of shared memory";
  return failure;
}

void Block::resume(Thread &thread) {
  current = &thread;
  void *sanitizer = nullptr;
  announceSwitch(&sanitizer, thread.stack->bottom(), Stack::bytes);
  heddle_emulator_switch(&scheduler, thread.context);
  announceArrival(sanitizer, nullptr, nullptr);
}

void Block::suspend() {
  Thread &thread = *current;
  const bool ends = thread.state == State::ended || !failure.empty();
  announceSwitch(ends ? nullptr : &thread.sanitizer, schedulerStack, schedulerBytes);
  heddle_emulator_switch(&thread.context, scheduler);
  announceArrival(thread.sanitizer, &schedulerStack, &schedulerBytes);
}

void Block::runThread() {
  announceArrival(nullptr, &schedulerStack, &schedulerBytes);
  launch->kernel->run(launch->arguments);
  endThread();
}

void Block::endThread() {
  const int number = numberOf(*current), warp = number / warpSize;
  onlyYielded = false;
  current->state = State::ended;
  --alive;
  endedLanes[warp] |= 1u << number % warpSize;
  // Whoever waited for this thread alone goes on.
  for (int lane = 0; lane < warpLanes(warp); ++lane) {
    Thread &other = threads[warp * warpSize + lane];
    if (other.state == State::collective)
      tryCollective(warp, *other.request);
  }
  for (int i = 0; i < static_cast<int>(barriers.size()); ++i)
    tryBarrier(i);
  suspend();
}

void Block::yield() { suspend(); }

void Block::fail(std::string why) {
  failure = where() + ", thread " + std::to_string(numberOf(*current)) + ": " + why;
  suspend();
  __builtin_unreachable();
}

//===----------------------------------------------------------------------===//
// Warps and barriers
//===----------------------------------------------------------------------===//

int64_t Block::collective(Request &request) {
  const int number = numberOf(*current), warp = number / warpSize;
  const uint32_t self = 1u << number % warpSize;
  if (!(request.mask & self))
    fail(std::string(request.name) + " without this lane in its mask");
  onlyYielded = false;
  current->request = &request;
  current->state = State::collective;
  waitingLanes[warp] |= self;
  if (!tryCollective(warp, request))
    suspend();
  return request.result;
}

bool Block::tryCollective(int warp, const Request &request) {
  const int lanes = warpLanes(warp);
  const uint32_t present = lanes == warpSize ? ~0u : (1u << lanes) - 1;
  const uint32_t members = request.mask & present & ~endedLanes[warp];
  if ((waitingLanes[warp] & members) != members)
    return false;
  Group group;
  for (uint32_t rest = members; rest; rest &= rest - 1) {
    const int lane = std::countr_zero(rest);
    Request *other = threads[warp * warpSize + lane].request;
    if (other->operation != request.operation || other->mask != request.mask)
      return false;
    group.lanes[lane] = other;
  }
  request.operation(group);
  for (uint32_t rest = members; rest; rest &= rest - 1)
    threads[warp * warpSize + std::countr_zero(rest)].state = State::ready;
  waitingLanes[warp] &= ~members;
  return true;
}

int32_t Block::barrier(int32_t number, int32_t wanted, bool wait, int32_t predicate, int32_t kind) {
  if (number < 0 || number >= static_cast<int32_t>(barriers.size()))
    fail("there is no barrier " + std::to_string(number));
  Barrier &barrier = barriers[number];
  if (wanted % warpSize != 0 || wanted > count)
    fail("a barrier of " + std::to_string(wanted) + " threads");
  if (barrier.come > 0 && (barrier.count != wanted || barrier.kind != kind))
    fail("barrier " + std::to_string(number) + " is used in two ways at once");
  onlyYielded = false;
  ++barrier.come;
  barrier.count = wanted;
  barrier.kind = kind;
  barrier.predicates += predicate != 0;
  if (wait) {
    current->state = State::barrier;
    current->barrier = number;
  }
  tryBarrier(number);
  if (wait && current->state == State::barrier)
    suspend();
  return current->reduction;
}

void Block::tryBarrier(int number) {
  Barrier &barrier = barriers[number];
  const int needed = barrier.count ? barrier.count : alive;
  if (barrier.come == 0 || barrier.come < needed)
    return;
  // NVVM's kinds: popc, and, or.
  const int32_t combined = barrier.kind == 0   ? barrier.predicates
                           : barrier.kind == 1 ? barrier.predicates == barrier.come
                                               : barrier.predicates > 0;
  for (int i = 0; i < count; ++i)
    if (threads[i].state == State::barrier && threads[i].barrier == number) {
      threads[i].state = State::ready;
      threads[i].reduction = combined;
    }
  barrier = {};
}

//===----------------------------------------------------------------------===//
// Asynchronous copies
//===----------------------------------------------------------------------===//

void Block::copy(void *to, const void *from, int32_t bytes, int32_t used) {
  if ((bytes != 4 && bytes != 8 && bytes != 16) || used < 0 || used > bytes ||
      reinterpret_cast<uintptr_t>(to) % bytes || reinterpret_cast<uintptr_t>(from) % bytes)
    fail("a copy of " + std::to_string(used) + " of " + std::to_string(bytes) +
         " bytes between these addresses");
  current->copies.push_back({to, from, bytes, used, current->committed});
}

void Block::commitCopies() { ++current->committed; }

void Block::waitForCopies(int32_t groups) {
  auto &copies = current->copies;
  const int32_t until = current->committed - groups;
  auto done =
      std::find_if(copies.begin(), copies.end(), [&](const Copy &copy) { return copy.group >= until; });
  for (auto copy = copies.begin(); copy != done; ++copy) {
    std::memcpy(copy->to, copy->from, copy->used);
    std::memset(static_cast<char *>(copy->to) + copy->used, 0, copy->bytes - copy->used);
  }
  copies.erase(copies.begin(), done);
}

//===----------------------------------------------------------------------===//
// Messages
//===----------------------------------------------------------------------===//

std::string Block::where() const {
  std::string text = "kernel " + std::string(launch->kernel->name) + ", block (";
  return text + std::to_string(index[0]) + ", " + std::to_string(index[1]) + ", " + std::to_string(index[2]) +
         ")";
}

std::string Block::describeAddress(const void *address) const {
  if (memory.behind(address))
    return "behind the " + std::to_string(launch->sharedBytes) + " bytes of shared memory";
  return current->stack->holds(address) ? "behind the end of the thread's stack" : "";
}

std::string Block::describe(const Thread &thread) const {
  if (thread.state == State::ended)
    return "ended";
  if (thread.state == State::ready)
    return "running";
  if (thread.state == State::barrier) {
    const Barrier &barrier = barriers[thread.barrier];
    return "waiting at barrier " + std::to_string(thread.barrier) + " for " +
           (barrier.count ? std::to_string(barrier.count) + " threads" : std::string("all threads"));
  }
  char mask[16];
  std::snprintf(mask, sizeof mask, "0x%08x", thread.request->mask);
  return std::string("waiting in ") + thread.request->name + " of lanes " + mask;
}

/// "threads 0-31 waiting at barrier 0 for all threads, threads 32-63 ended"
std::string Block::deadlock() const {
  std::string text;
  for (int first = 0, next; first < count; first = next) {
    std::string state = describe(threads[first]);
    for (next = first + 1; next < count && describe(threads[next]) == state;)
      ++next;
    text += text.empty() ? "" : ", ";
    text += next - first == 1 ? "thread " + std::to_string(first)
                              : "threads " + std::to_string(first) + "-" + std::to_string(next - 1);
    text += " " + state;
  }
  return text;
}

} // namespace heddle::emulator
