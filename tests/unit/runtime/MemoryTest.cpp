// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// Aligned allocation, its statistics and its limit.

#include <heddle/runtime.h>

#include <catch2/catch.hpp>

#include <cstring>
#include <string>

namespace {
heddle_memory_stats_t stats() {
  heddle_memory_stats_t result;
  heddle_memory_stats(&result);
  return result;
}
} // namespace

TEST_CASE("memory is aligned and writable to its last byte", "[memory]") {
  for (int64_t bytes : {0, 1, 63, 64, 65, 1000003}) {
    void *pointer = nullptr;
    REQUIRE(heddle_allocate(bytes, &pointer) == HEDDLE_OK);
    CHECK(reinterpret_cast<uintptr_t>(pointer) % HEDDLE_ALIGNMENT == 0);
    std::memset(pointer, 0x5A, static_cast<size_t>(bytes));
    heddle_free(pointer);
  }
  heddle_free(nullptr);
}

TEST_CASE("statistics follow allocations and releases", "[memory]") {
  const heddle_memory_stats_t before = stats();
  heddle_memory_reset_peak();
  void *a = nullptr, *b = nullptr;
  REQUIRE(heddle_allocate(1000, &a) == HEDDLE_OK);
  REQUIRE(heddle_allocate(500, &b) == HEDDLE_OK);
  heddle_free(a);
  heddle_memory_stats_t now = stats();
  CHECK(now.current_bytes == before.current_bytes + 500);
  CHECK(now.peak_bytes == before.current_bytes + 1500);
  CHECK(now.allocations == before.allocations + 2);
  CHECK(now.live_allocations == before.live_allocations + 1);
  heddle_memory_reset_peak();
  CHECK(stats().peak_bytes == before.current_bytes + 500);
  heddle_free(b);
  CHECK(stats().current_bytes == before.current_bytes);
  CHECK(stats().live_allocations == before.live_allocations);
}

TEST_CASE("impossible sizes are refused and not counted", "[memory]") {
  const heddle_memory_stats_t before = stats();
  void *pointer = nullptr;
  CHECK(heddle_allocate(-1, &pointer) == HEDDLE_INVALID_ARGUMENT);
  CHECK(std::string(heddle_last_error()) == "cannot allocate -1 bytes");
  CHECK(heddle_allocate(INT64_MAX, &pointer) == HEDDLE_OUT_OF_MEMORY);
  CHECK(std::string(heddle_last_error()) == "cannot allocate 9223372036854775807 bytes");
  CHECK(heddle_allocate(8, nullptr) == HEDDLE_INVALID_ARGUMENT);
  CHECK(std::string(heddle_last_error()) == "the result is a null pointer");
  CHECK(pointer == nullptr);
  CHECK(stats().current_bytes == before.current_bytes);
  CHECK(stats().allocations == before.allocations);
}

TEST_CASE("a limit refuses what would pass it", "[memory]") {
  const int64_t used = stats().current_bytes;
  REQUIRE(heddle_memory_set_limit(used + 100) == HEDDLE_OK);
  void *first = nullptr, *second = nullptr;
  CHECK(heddle_allocate(60, &first) == HEDDLE_OK);
  CHECK(heddle_allocate(41, &second) == HEDDLE_OUT_OF_MEMORY);
  CHECK(std::string(heddle_last_error()) == "cannot allocate 41 bytes: the limit is " +
                                                std::to_string(used + 100) + " bytes and " +
                                                std::to_string(used + 60) + " are in use");
  CHECK(heddle_allocate(40, &second) == HEDDLE_OK);
  heddle_free(first);
  heddle_free(second);
  CHECK(heddle_memory_set_limit(-5) == HEDDLE_INVALID_ARGUMENT);
  CHECK(std::string(heddle_last_error()) == "the memory limit is -5 bytes, expected 0 (none) or more");
  REQUIRE(heddle_memory_set_limit(0) == HEDDLE_OK);
}
