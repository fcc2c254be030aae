// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// The failure record of a call, status names and the thread's last error.

#include <heddle/runtime.h>

#include <catch2/catch.hpp>

#include <bit>

#include <string>
#include <thread>
#include <vector>

namespace {
heddle_call_t freshCall() {
  heddle_call_t call;
  heddle_call_init(&call);
  return call;
}
} // namespace

TEST_CASE("versions agree with the header", "[call]") {
  CHECK(heddle_runtime_version() == HEDDLE_RUNTIME_API_VERSION);
  CHECK(std::string(heddle_runtime_version_string()) == HEDDLE_EXPECTED_VERSION);
}

TEST_CASE("every status has its own name", "[call]") {
  std::vector<std::string> names;
  for (int status = HEDDLE_OK; status <= HEDDLE_INTERNAL; ++status) {
    names.push_back(heddle_status_name(static_cast<heddle_status_t>(status)));
    CHECK(names.back() != "unknown status");
    for (size_t i = 0; i + 1 < names.size(); ++i)
      CHECK(names[i] != names.back());
  }
  CHECK(std::string(heddle_status_name(static_cast<heddle_status_t>(99))) == "unknown status");
}

TEST_CASE("a call that did not fail is ok", "[call]") {
  heddle_call_t call = freshCall();
  CHECK(heddle_call_result(&call) == HEDDLE_OK);
}

TEST_CASE("the first failure wins", "[call]") {
  heddle_call_t call = freshCall();
  heddle_fail(&call, HEDDLE_ASSERTION, "rate must be positive");
  heddle_fail(&call, HEDDLE_OUT_OF_RANGE, "later");
  CHECK(call.status == HEDDLE_ASSERTION);
  CHECK(heddle_call_result(&call) == HEDDLE_ASSERTION);
  CHECK(std::string(heddle_last_error()) == "rate must be positive");
}

TEST_CASE("values fill the holes of a message in order", "[call]") {
  auto filled = [](const char *message, int64_t first, int64_t second) {
    heddle_call_t call = freshCall();
    heddle_fail_values(&call, HEDDLE_OUT_OF_RANGE, message, first, second);
    return std::string(call.message);
  };
  CHECK(filled("index {} is outside a dimension of {}", -7, 5) == "index -7 is outside a dimension of 5");
  CHECK(filled("{}", INT64_MIN, 0) == "-9223372036854775808");
  CHECK(filled("none", 1, 2) == "none");
  CHECK(filled("{} {} {}", 1, 2) == "1 2 {}");
  CHECK(filled("k is {g}, not {}{g}", std::bit_cast<int64_t>(-0.5), 2) == "k is -0.5, not 2{g}");
  CHECK(filled("{g}", std::bit_cast<int64_t>(0.1), 0) == "0.10000000000000001");
  CHECK(filled("{gg} {", 1, 2) == "{gg} {");
}

TEST_CASE("a long message is cut at a character's boundary", "[call]") {
  heddle_call_t call = freshCall();
  // 494 bytes, then a two-byte character that would need byte 496, the terminator's.
  std::string message = std::string(494, 'a') + "\xC3\xA9 more";
  heddle_fail(&call, HEDDLE_ASSERTION, message.c_str());
  CHECK(std::string(call.message) == std::string(494, 'a'));

  heddle_call_t numbers = freshCall();
  heddle_fail_values(&numbers, HEDDLE_ASSERTION, (std::string(493, 'a') + "{}").c_str(), 12345, 0);
  CHECK(std::string(numbers.message) == std::string(493, 'a') + "12");
}

TEST_CASE("a failure with the code ok or no message is still a failure", "[call]") {
  heddle_call_t call = freshCall();
  heddle_fail(&call, HEDDLE_OK, nullptr);
  CHECK(heddle_call_result(&call) == HEDDLE_INTERNAL);
  CHECK(std::string(heddle_last_error()).empty());
}

TEST_CASE("many threads may fail at once and one complete message stays", "[call]") {
  heddle_call_t call = freshCall();
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back(
        [&call, t] { heddle_fail_values(&call, HEDDLE_OUT_OF_RANGE, "thread {} of {}", t, t * 1000); });
  for (std::thread &thread : threads)
    thread.join();
  bool complete = false;
  for (int t = 0; t < 8; ++t)
    complete |=
        std::string(call.message) == "thread " + std::to_string(t) + " of " + std::to_string(t * 1000);
  CHECK(complete);
  CHECK(call.status == HEDDLE_OUT_OF_RANGE);
}

TEST_CASE("the last error belongs to its thread", "[call]") {
  CHECK(heddle_set_last_error(HEDDLE_NOT_FOUND, "mine") == HEDDLE_NOT_FOUND);
  std::string other = "unset";
  std::thread([&] { other = heddle_last_error(); }).join();
  CHECK(other.empty());
  CHECK(std::string(heddle_last_error()) == "mine");
}
