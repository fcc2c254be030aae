// What device code calls: registers, barriers, collective operations of a warp, intrinsics.

#include "Block.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

using namespace heddle::emulator;

#define HEDDLE_EMULATOR_EXPORT extern "C" __attribute__((visibility("default")))

HEDDLE_EMULATOR_EXPORT int32_t heddle_emulated_register(int32_t which) {
  return Block::running()->reg(which);
}
HEDDLE_EMULATOR_EXPORT void *heddle_emulated_shared() { return Block::running()->shared(); }
HEDDLE_EMULATOR_EXPORT void heddle_emulated_yield() { Block::running()->yield(); }

HEDDLE_EMULATOR_EXPORT void heddle_emulated_check_alignment(const void *address, int32_t alignment) {
  const uintptr_t rest = reinterpret_cast<uintptr_t>(address) % static_cast<uintptr_t>(alignment);
  if (rest != 0)
    Block::running()->fail("accesses a vector " + std::to_string(rest) +
                           " bytes behind a multiple of its alignment of " + std::to_string(alignment) +
                           " bytes");
}

//===----------------------------------------------------------------------===//
// Barriers and asynchronous copies
//===----------------------------------------------------------------------===//

HEDDLE_EMULATOR_EXPORT void heddle_emulated_barrier(int32_t barrier, int32_t threads) {
  Block::running()->barrier(barrier, threads, /*wait=*/true, 0, -1);
}
HEDDLE_EMULATOR_EXPORT void heddle_emulated_barrier_arrive(int32_t barrier, int32_t threads) {
  Block::running()->barrier(barrier, threads, /*wait=*/false, 0, -1);
}
HEDDLE_EMULATOR_EXPORT int32_t heddle_emulated_barrier_reduce(int32_t barrier, int32_t threads,
                                                              int32_t predicate, int32_t kind) {
  return Block::running()->barrier(barrier, threads, /*wait=*/true, predicate, kind);
}

HEDDLE_EMULATOR_EXPORT void heddle_emulated_copy(void *to, const void *from, int32_t bytes, int32_t used) {
  Block::running()->copy(to, from, bytes, used);
}
HEDDLE_EMULATOR_EXPORT void heddle_emulated_copy_commit() { Block::running()->commitCopies(); }
HEDDLE_EMULATOR_EXPORT void heddle_emulated_copy_wait(int32_t groups) {
  Block::running()->waitForCopies(groups);
}

//===----------------------------------------------------------------------===//
// Collective operations
//===----------------------------------------------------------------------===//

template <typename F>
static void eachLane(Group &group, F body) {
  for (int lane = 0; lane < warpSize; ++lane)
    if (group.lanes[lane])
      body(lane, *group.lanes[lane]);
}

static void warpBarrier(Group &) {}
HEDDLE_EMULATOR_EXPORT void heddle_emulated_warp_barrier(int32_t mask) {
  Request request{.operation = warpBarrier, .name = "bar.warp.sync", .mask = static_cast<uint32_t>(mask)};
  Block::running()->collective(request);
}

/// As the PTX manual's pseudo-code has it. A source lane that takes no part has no defined value: poison.
static void shuffle(Group &group) {
  constexpr int64_t poison = 0xffffffff;
  eachLane(group, [&](int lane, Request &request) {
    const int clamp = request.clamp & 31, segments = request.clamp >> 8 & 31;
    const int highest = (lane & segments) | (clamp & ~segments), lowest = lane & segments;
    const int distance = request.lane & 31;
    int source = lane;
    bool valid = false;
    switch (request.kind) {
    case 0: // bfly
      source = lane ^ distance;
      valid = source <= highest;
      break;
    case 1: // up
      source = lane - distance;
      valid = source >= highest;
      break;
    case 2: // down
      source = lane + distance;
      valid = source <= highest;
      break;
    default: // idx
      source = lowest | (distance & ~segments);
      valid = source <= highest;
    }
    if (!valid)
      source = lane;
    const Request *from = group.lanes[source];
    request.result = (from ? from->value & 0xffffffff : poison) | static_cast<int64_t>(valid) << 32;
  });
}
HEDDLE_EMULATOR_EXPORT int64_t heddle_emulated_shuffle(int32_t mask, int32_t value, int32_t lane,
                                                       int32_t clamp, int32_t kind) {
  Request request{.operation = shuffle,
                  .name = "shfl.sync",
                  .mask = static_cast<uint32_t>(mask),
                  .kind = kind,
                  .value = value,
                  .lane = lane,
                  .clamp = clamp};
  return Block::running()->collective(request);
}

static void vote(Group &group) {
  uint32_t yes = 0, all = 0;
  eachLane(group, [&](int lane, Request &request) {
    all |= 1u << lane;
    yes |= static_cast<uint32_t>(request.value != 0) << lane;
  });
  eachLane(group, [&](int, Request &request) {
    const int32_t results[] = {yes != 0, yes == all, static_cast<int32_t>(yes), yes == 0 || yes == all};
    request.result = results[request.kind]; // any, all, ballot, uni
  });
}
HEDDLE_EMULATOR_EXPORT int32_t heddle_emulated_vote(int32_t mask, int32_t predicate, int32_t kind) {
  Request request{.operation = vote,
                  .name = "vote.sync",
                  .mask = static_cast<uint32_t>(mask),
                  .kind = kind,
                  .value = predicate};
  return static_cast<int32_t>(Block::running()->collective(request));
}

static void match(Group &group) {
  eachLane(group, [&](int, Request &request) {
    request.result = 0;
    eachLane(group, [&](int other, Request &there) {
      request.result |= static_cast<int64_t>(there.value == request.value) << other;
    });
  });
}
HEDDLE_EMULATOR_EXPORT int32_t heddle_emulated_match(int32_t mask, int64_t value, int32_t) {
  Request request{
      .operation = match, .name = "match.sync", .mask = static_cast<uint32_t>(mask), .value = value};
  return static_cast<int32_t>(Block::running()->collective(request));
}

static void reduce(Group &group) {
  bool first = true;
  int32_t total = 0;
  eachLane(group, [&](int, Request &request) {
    const auto x = static_cast<int32_t>(request.value);
    const auto u = static_cast<uint32_t>(x), t = static_cast<uint32_t>(total);
    // The numbers of NVVM: add, and, max, min, or, umax, umin, xor.
    const int32_t next[] = {0,
                            static_cast<int32_t>(t + u),
                            total & x,
                            std::max(total, x),
                            std::min(total, x),
                            total | x,
                            static_cast<int32_t>(std::max(t, u)),
                            static_cast<int32_t>(std::min(t, u)),
                            total ^ x};
    total = first ? x : next[request.kind];
    first = false;
  });
  eachLane(group, [&](int, Request &request) { request.result = total; });
}
HEDDLE_EMULATOR_EXPORT int32_t heddle_emulated_reduce(int32_t mask, int32_t value, int32_t kind) {
  if (kind < 1 || kind > 8)
    Block::running()->fail("redux.sync of an unknown kind");
  Request request{.operation = reduce,
                  .name = "redux.sync",
                  .mask = static_cast<uint32_t>(mask),
                  .kind = kind,
                  .value = value};
  return static_cast<int32_t>(Block::running()->collective(request));
}

static void elect(Group &group) {
  bool elected = false;
  eachLane(group, [&](int, Request &request) { request.result = !std::exchange(elected, true); });
}
HEDDLE_EMULATOR_EXPORT int32_t heddle_emulated_elect(int32_t mask) {
  Request request{.operation = elect, .name = "elect.sync", .mask = static_cast<uint32_t>(mask)};
  return static_cast<int32_t>(Block::running()->collective(request));
}

//===----------------------------------------------------------------------===//
// Intrinsics
//===----------------------------------------------------------------------===//

/// Subnormal numbers count as zeros of their sign.
static float flushed(float x) { return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0f, x) : x; }

HEDDLE_EMULATOR_EXPORT float heddle_emulated_ex2_approx_f(float x) { return std::exp2(x); }
HEDDLE_EMULATOR_EXPORT float heddle_emulated_ex2_approx_ftz_f(float x) {
  return flushed(std::exp2(flushed(x)));
}
HEDDLE_EMULATOR_EXPORT float heddle_emulated_lg2_approx_f(float x) { return std::log2(x); }
HEDDLE_EMULATOR_EXPORT float heddle_emulated_lg2_approx_ftz_f(float x) { return std::log2(flushed(x)); }
HEDDLE_EMULATOR_EXPORT float heddle_emulated_rcp_approx_ftz_f(float x) { return flushed(1.0f / flushed(x)); }
HEDDLE_EMULATOR_EXPORT float heddle_emulated_rsqrt_approx_f(float x) {
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(x)));
}
HEDDLE_EMULATOR_EXPORT float heddle_emulated_rsqrt_approx_ftz_f(float x) {
  return heddle_emulated_rsqrt_approx_f(flushed(x));
}
/// The sum clipped to [0, 1]; 0 for NaN.
HEDDLE_EMULATOR_EXPORT float heddle_emulated_add_rn_sat_f(float x, float y) {
  return std::fmin(std::fmax(x + y, 0.0f), 1.0f);
}
HEDDLE_EMULATOR_EXPORT float heddle_emulated_sqrt_rn_f(float x) { return std::sqrt(x); }
HEDDLE_EMULATOR_EXPORT double heddle_emulated_sqrt_rn_d(double x) { return std::sqrt(x); }

/// To the nearest number with 10 bits of fraction, ties away from zero.
HEDDLE_EMULATOR_EXPORT int32_t heddle_emulated_f2tf32_rna(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  if (!std::isfinite(x))
    return static_cast<int32_t>(bits);
  return static_cast<int32_t>((bits + 0x1000) & ~0x1fffu);
}
