// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// heddle_parallel_for: coverage, chunks that ignore the number of threads, nesting, odd arguments.

#include <heddle/runtime.h>

#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {
using Chunks = std::vector<std::pair<int64_t, int64_t>>;

/// The chunks of one loop in ascending order.
Chunks chunksOf(int64_t count, int64_t grain) {
  struct State {
    std::mutex mutex;
    Chunks chunks;
  } state;
  heddle_parallel_for(
      [](void *args, int64_t begin, int64_t end) {
        auto *state = static_cast<State *>(args);
        std::lock_guard lock(state->mutex);
        state->chunks.emplace_back(begin, end);
      },
      &state, count, grain);
  std::sort(state.chunks.begin(), state.chunks.end());
  return state.chunks;
}

/// Restores the default number of threads at the end of a test.
struct ThreadsGuard {
  ~ThreadsGuard() { heddle_set_num_threads(0); }
};
} // namespace

TEST_CASE("chunks depend on count and grain, not on threads", "[parallel]") {
  ThreadsGuard guard;
  for (int32_t threads : {1, 2, 3, 7}) {
    REQUIRE(heddle_set_num_threads(threads) == HEDDLE_OK);
    CHECK(heddle_num_threads() == threads);
    CHECK(chunksOf(10, 4) == Chunks{{0, 4}, {4, 8}, {8, 10}});
    CHECK(chunksOf(8, 4) == Chunks{{0, 4}, {4, 8}});
    CHECK(chunksOf(3, 100) == Chunks{{0, 3}});
    CHECK(chunksOf(3, 0) == Chunks{{0, 1}, {1, 2}, {2, 3}});
    CHECK(chunksOf(2, -9) == Chunks{{0, 1}, {1, 2}});
    CHECK(chunksOf(0, 4).empty());
    CHECK(chunksOf(-3, 4).empty());
  }
}

TEST_CASE("bounds near the largest integer do not overflow", "[parallel]") {
  ThreadsGuard guard;
  const int64_t half = INT64_MAX / 2; // INT64_MAX = 2 half + 1
  for (int32_t threads : {1, 2}) {
    heddle_set_num_threads(threads);
    CHECK(chunksOf(INT64_MAX, INT64_MAX) == Chunks{{0, INT64_MAX}});
    CHECK(chunksOf(INT64_MAX, half + 1) == Chunks{{0, half + 1}, {half + 1, INT64_MAX}});
  }
}

TEST_CASE("several threads take part", "[parallel]") {
  ThreadsGuard guard;
  REQUIRE(heddle_set_num_threads(2) == HEDDLE_OK);
  // Both chunks wait for each other: this ends only if two threads run them at the same time.
  std::atomic<int> arrived{0};
  heddle_parallel_for(
      [](void *args, int64_t, int64_t) {
        auto *arrived = static_cast<std::atomic<int> *>(args);
        ++*arrived;
        while (arrived->load() < 2)
          std::this_thread::yield();
      },
      &arrived, 2, 1);
  CHECK(arrived == 2);
}

TEST_CASE("a loop inside a loop runs on its own thread", "[parallel]") {
  ThreadsGuard guard;
  heddle_set_num_threads(4);
  struct State {
    std::atomic<int> inner{0}, foreign{0};
  } state;
  struct Inner {
    State *state;
    std::thread::id owner;
  };
  heddle_parallel_for(
      [](void *args, int64_t, int64_t) {
        Inner inner{static_cast<State *>(args), std::this_thread::get_id()};
        heddle_parallel_for(
            [](void *args, int64_t begin, int64_t end) {
              auto *inner = static_cast<Inner *>(args);
              inner->state->inner += static_cast<int>(end - begin);
              inner->state->foreign += std::this_thread::get_id() != inner->owner;
            },
            &inner, 10, 3);
      },
      &state, 6, 1);
  CHECK(state.inner == 60);
  CHECK(state.foreign == 0);
}

TEST_CASE("host threads may run loops at the same time", "[parallel]") {
  std::atomic<int64_t> sum{0};
  std::vector<std::thread> hosts;
  for (int t = 0; t < 3; ++t)
    hosts.emplace_back([&sum] {
      heddle_parallel_for(
          [](void *args, int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i)
              *static_cast<std::atomic<int64_t> *>(args) += i;
          },
          &sum, 1000, 7);
    });
  for (std::thread &host : hosts)
    host.join();
  CHECK(sum == 3 * 999 * 1000 / 2);
}

TEST_CASE("the number of threads is checked", "[parallel]") {
  ThreadsGuard guard;
  const int32_t standard = heddle_num_threads();
  CHECK(standard >= 1);
  CHECK(heddle_set_num_threads(-1) == HEDDLE_INVALID_ARGUMENT);
  CHECK(std::string(heddle_last_error()) == "the number of threads is -1, expected 0 (the default) to 4096");
  CHECK(heddle_set_num_threads(4097) == HEDDLE_INVALID_ARGUMENT);
  CHECK(heddle_num_threads() == standard);
  heddle_set_num_threads(5);
  heddle_set_num_threads(0);
  CHECK(heddle_num_threads() == standard);
}
