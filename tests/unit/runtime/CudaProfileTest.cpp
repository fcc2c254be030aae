// Profiles of calls with the stub driver: its clock is moved on by kernels, whose times are thereby exact.

#include "StubDriver.h"
#include "Support.h"

#include <heddle/cuda.h>
#include <heddle/tensor.hpp>

#include <catch2/catch.hpp>

#include <cmath>

using namespace heddle;
using namespace testing;
using runtime::cuda::CUDA_ERROR_INVALID_HANDLE;

namespace {

/// Microseconds of the launches of "fast" and "slow" to come, in order; then 1 and 10.
struct Script {
  std::vector<double> fast, slow;
} script;

void spend(double microseconds) { heddle_stub_control.clock += microseconds / 1000; }

void spendNext(std::vector<double> &times, double otherwise) {
  spend(times.empty() ? otherwise : times.front());
  if (!times.empty())
    times.erase(times.begin());
}

/// x[0] += 1
void fastKernel(unsigned, void **arguments) {
  **static_cast<float **>(arguments[0]) += 1;
  spendNext(script.fast, 1);
}
/// x[0] *= 2, and a failure where that is more than 1000.
void slowKernel(unsigned, void **arguments) {
  float &x = **static_cast<float **>(arguments[0]);
  x *= 2;
  auto *record = *static_cast<heddle_cuda_error_t **>(arguments[1]);
  if (x > 1000 && !record->claimed)
    *record = {1, 0, static_cast<int64_t>(x), 1000};
  spendNext(script.slow, 10);
}

void launch(heddle_call_t *call, int32_t kernel, void *x) {
  void *arguments[] = {static_cast<void *>(&x)};
  heddle_cuda_launch(call, kernel, 1, 1, 1, 1, 0, arguments);
}

// ---- Entries: (x f32[4]) → f32[4]; x is overwritten ----

int32_t steps(heddle_call_t *call, void **buffers) {
  launch(call, 0, buffers[0]);
  launch(call, 1, buffers[0]);
  launch(call, 0, buffers[0]);
  heddle_cuda_fill(call, buffers[1], 0, 4);
  heddle_cuda_copy(call, buffers[1], buffers[0], 4);
  return call->status;
}

int32_t single(heddle_call_t *call, void **buffers) {
  launch(call, 0, buffers[0]);
  return call->status;
}

int32_t nothing(heddle_call_t *call, void **) { return call->status; }

int repetitions = 0;
int32_t many(heddle_call_t *call, void **buffers) {
  for (int i = 0; i < repetitions; ++i)
    launch(call, 0, buffers[0]);
  return call->status;
}

/// Goes on as x[0] says; the host takes its time.
int32_t reading(heddle_call_t *call, void **buffers) {
  launch(call, 0, buffers[0]);
  float x = 0;
  heddle_cuda_read(call, &x, buffers[0], 4);
  spend(500);
  for (int i = 0; i < static_cast<int>(x) && call->status == HEDDLE_OK; ++i)
    launch(call, 1, buffers[0]);
  return call->status;
}

int turn = 0;
/// Launches "slow" once more in each call, and "fast" in the second.
int32_t varying(heddle_call_t *call, void **buffers) {
  ++turn;
  for (int i = 0; i < turn; ++i)
    launch(call, 1, buffers[0]);
  if (turn == 2)
    launch(call, 0, buffers[0]);
  return call->status;
}

/// A product, which the stub of cuBLASLt cannot capture, between two kernels.
int32_t product(heddle_call_t *call, void **buffers) {
  launch(call, 0, buffers[0]);
  heddle_cuda_matmul(call, 0, buffers[0], buffers[0], nullptr, nullptr, buffers[1], nullptr);
  launch(call, 1, buffers[0]);
  return call->status;
}

struct Row {
  std::string name;
  int64_t launches;
  double launch, call;
  /// Events are floats of milliseconds.
  bool operator==(const Row &other) const {
    auto same = [](double x, double y) { return std::abs(x - y) <= 1e-6 * std::abs(y); };
    return name == other.name && launches == other.launches && same(launch, other.launch) &&
           same(call, other.call);
  }
};
std::ostream &operator<<(std::ostream &out, const Row &row) {
  return out << row.name << " " << row.launches << " " << row.launch << " " << row.call;
}

class Loaded {
public:
  explicit Loaded(int32_t (*entry)(heddle_call_t *, void **), bool capturable = true) {
    stub::Image code;
    code.count = 2;
    code.kernels[0] = {"fast", 1, {8}, fastKernel};
    code.kernels[1] = {"slow", 2, {8, 8}, slowKernel};
    const int32_t bytes[] = {8};
    const heddle_cuda_kernel_t kernels[] = {{"fast", bytes, 1, 0, 0, 0}, {"slow", bytes, 1, 0, 1, 0}};
    const heddle_cuda_message_t messages[] = {{"{} is more than {}", HEDDLE_OUT_OF_RANGE, 0}};
    heddle_cuda_matmul_t problem{};
    problem.m = problem.row_b = problem.n = problem.row_out = problem.k = problem.row_a = 2;
    problem.batch = 1;
    problem.type = problem.out_type = HEDDLE_F32;
    heddle_cuda_program_t program{};
    program.name = "entry";
    program.image = &code;
    program.kernels = kernels;
    program.kernel_count = 2;
    program.messages = messages;
    program.message_count = 1;
    program.products = &problem;
    program.product_count = 1;
    program.buffer_count = 2;
    program.can_be_captured = capturable;
    program.entry = entry;
    check(heddle_cuda_function_create(0, &program, &function));
  }
  ~Loaded() { heddle_cuda_function_free(function); }

  std::vector<Row> profile(int64_t calls, const std::vector<heddle_cuda_group_t> &groups = {}) {
    void *buffers[] = {x.raw(), y.raw()};
    const heddle_cuda_refill_t refill{x.raw(), given.raw(), 16};
    heddle_cuda_profile_t *made = nullptr;
    check(heddle_cuda_function_profile(function, buffers, &refill, 1, groups.data(),
                                       static_cast<int32_t>(groups.size()), calls, &made));
    std::vector<Row> rows;
    for (int64_t i = 0; i < made->count; ++i) {
      const heddle_cuda_step_time_t &step = made->steps[i];
      rows.push_back({step.name, step.launches, step.launch_microseconds, step.call_microseconds});
    }
    heddle_cuda_profile_free(made);
    return rows;
  }
  std::string failure(int64_t calls = 1) {
    return failureOf([&] { profile(calls); }).message;
  }
  float at(const Tensor &tensor) const { return tensor.to(Device::cpu()).data<float>()[0]; }

  Tensor given = Tensor::from<float>({3, 0, 0, 0});
  Tensor x = Tensor::zeros({4}, DType::f32).to(Device::cuda(0)),
         y = Tensor::zeros({4}, DType::f32).to(Device::cuda(0));
  heddle_cuda_function_t *function = nullptr;
};

/// Fresh counts, and nothing that fails.
stub::Control &fresh() {
  stub::Control &control = heddle_stub_control;
  control.launches = control.graphLaunches = control.captures = control.instantiations = 0;
  control.eventNodes = 0;
  control.clock = control.transferTime = 0;
  control.failing = nullptr;
  control.after = 0;
  script = {};
  return control;
}

} // namespace

TEST_CASE("a profile has medians of launches and of calls, what takes most first", "[cuda]") {
  stub::Control &control = fresh();
  control.transferTime = 0.004;
  Loaded function(steps);
  // The call that is launched one by one and the first launch of the graph do not count.
  script.fast = {900, 900, 900, 900, 1, 2, 3, 4, 5, 16};
  script.slow = {900, 900, 30, 50, 40};
  CHECK(function.profile(3) == std::vector<Row>{{"slow", 1, 40, 40}, // of 30, 50, 40
                                                {"fast", 2, 3.5, 7}, // of 1 2 3 4 5 16; 3, 7, 21
                                                {"copy", 1, 4, 4},   // in the order of names
                                                {"fill", 1, 4, 4}});
  CHECK(control.launches == 3);
  CHECK(control.captures == 1);
  CHECK(control.instantiations == 1);
  CHECK(control.graphLaunches == 1 + 3);
  CHECK(control.liveGraphs == 0);
  // The mean of the two in the middle of an even number.
  control.transferTime = 0;
  script.slow = {0, 0, 10, 20, 50, 40};
  CHECK(function.profile(4).front() == Row{"slow", 1, 30, 30});
  CHECK(control.instantiations == 2);
}

TEST_CASE("each call of a profile begins with what it is given", "[cuda]") {
  fresh();
  for (int64_t calls : {1, 4}) {
    Loaded function(steps);
    function.profile(calls);
    CHECK(function.at(function.x) == 9); // (3 + 1) * 2 + 1
    CHECK(function.at(function.y) == 9);
    CHECK(function.at(function.given) == 3);
  }
  // Without a refill a call goes on from the last one.
  Loaded function(single);
  void *buffers[] = {function.x.raw(), function.y.raw()};
  heddle_cuda_profile_t *made = nullptr;
  check(heddle_cuda_function_profile(function.function, buffers, nullptr, 0, nullptr, 0, 5, &made));
  CHECK(function.at(function.x) == 1 + 1 + 5);
  heddle_cuda_function_free(std::exchange(function.function, nullptr));
  REQUIRE(made->count == 1);
  CHECK(std::string(made->steps[0].name) == "fast"); // also when the function is gone
  heddle_cuda_profile_free(made);
}

TEST_CASE("a profile of one step is a graph, one of no steps is empty", "[cuda]") {
  stub::Control &control = fresh();
  CHECK(Loaded(single).profile(10) == std::vector<Row>{{"fast", 1, 1, 1}});
  CHECK(control.graphLaunches == 11);
  CHECK(control.launches == 1);
  CHECK(Loaded(nothing).profile(10).empty());
}

TEST_CASE("a profile of thousands of steps, and of too many", "[cuda]") {
  stub::Control &control = fresh();
  Loaded function(many);
  repetitions = 32768;
  control.clock = 0;
  const std::vector<Row> rows = function.profile(2);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].launches == 32768);
  CHECK(rows[0].call == Approx(32768));
  CHECK(control.captures == 1);
  const int events = control.liveEvents;
  repetitions = 32769;
  CHECK(failureOf([&] { function.profile(2); }).status == HEDDLE_UNSUPPORTED);
  CHECK(function.failure() == "a call of 'entry' has 32769 steps, and only up to 32768 are profiled\n"
                              "hint: profile smaller dimensions, or a function that is a part of this one");
  CHECK(control.liveEvents == events);
}

TEST_CASE("an entry that reads is launched with events around each step", "[cuda]") {
  stub::Control &control = fresh();
  control.transferTime = 0.002;
  Loaded function(reading, false);
  function.given = Tensor::from<float>({2, 0, 0, 0});
  // A read fetches the error record too; the host's 500 are nobody's.
  CHECK(function.profile(3) == std::vector<Row>{{"slow", 3, 10, 30}, {"read", 1, 4, 4}, {"fast", 1, 1, 1}});
  CHECK(control.captures == 0);
  CHECK(control.launches == 4 * (1 + 3));
}

TEST_CASE("calls that differ in what they launch have the median's", "[cuda]") {
  fresh();
  Loaded function(varying, false);
  turn = 0;
  CHECK(function.profile(3) == std::vector<Row>{{"slow", 3, 10, 30}, {"fast", 0, 1, 0}});
}

TEST_CASE("what cannot be captured is launched, products too", "[cuda]") {
  stub::Control &control = fresh();
  Loaded function(product);
  CHECK(function.profile(3) ==
        std::vector<Row>{{"slow", 1, 10, 10}, {"fast", 1, 1, 1}, {"cuBLASLt_1x2x2_over_2_f32", 1, 0, 0}});
  CHECK(control.graphLaunches == 0);
  CHECK(control.liveGraphs == 0);
  for (const char *symbol : {"cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuGraphInstantiateWithFlags",
                             "cuGraphLaunch", "cuEventRecordWithFlags"}) {
    fresh();
    Loaded other(steps);
    control.failing = symbol;
    control.result = runtime::cuda::CUDA_ERROR_UNKNOWN;
    CHECK(other.profile(2)[0] == Row{"slow", 1, 10, 10});
    CHECK(control.graphLaunches == 0);
    CHECK(control.launches == 3 * 3);
    CHECK(control.liveGraphs == 0);
  }
  control.failing = nullptr;
}

TEST_CASE("what goes wrong in a profile", "[cuda]") {
  stub::Control &control = fresh();
  Loaded function(steps);
  function.profile(1); // the runtime has its own events now
  const int events = control.liveEvents;
  for (const char *symbol : {"cuEventCreate", "cuEventElapsedTime"})
    for (int after : {0, 3}) {
      control.failing = symbol;
      control.result = CUDA_ERROR_INVALID_HANDLE;
      control.after = after;
      CHECK(function.failure() == "cannot profile a call: error 400");
    }
  Loaded reads(reading, false);
  control.failing = "cuEventRecord";
  CHECK(reads.failure() == "cannot profile a call: error 400");
  control.failing = nullptr;
  CHECK(control.liveEvents == events);
  CHECK(control.liveGraphs == 0);
  // A kernel's failure has its message, as in a call, and is forgotten.
  function.given = Tensor::from<float>({600, 0, 0, 0});
  CHECK(function.failure() == "1202 is more than 1000");
  function.given = Tensor::from<float>({1, 0, 0, 0});
  CHECK(function.profile(2).size() == 4);
  CHECK(function.failure(0) == "the number of calls is 0, not positive");

  void *buffers[] = {function.x.raw(), function.y.raw()};
  heddle_cuda_profile_t *made = nullptr;
  auto refused = [&](heddle_cuda_function_t *which, void *const *list, int32_t refills,
                     heddle_cuda_profile_t **out, int32_t groups = 0) {
    return failureOf([&] {
             check(heddle_cuda_function_profile(which, list, nullptr, refills, nullptr, groups, 1, out));
           })
        .message;
  };
  CHECK(refused(nullptr, buffers, 0, &made) == "the function is a null pointer");
  CHECK(refused(function.function, nullptr, 0, &made) == "the list of buffers is a null pointer");
  CHECK(refused(function.function, buffers, 1, &made) == "the list of refills is a null pointer");
  CHECK(refused(function.function, buffers, 0, &made, 1) == "the list of groups is a null pointer");
  CHECK(refused(function.function, buffers, 0, nullptr) == "the result is a null pointer");
  heddle_cuda_profile_free(nullptr);
}

TEST_CASE("adjacent steps of a group have no events between them", "[cuda]") {
  stub::Control &control = fresh();
  control.transferTime = 0.004;
  Loaded function(steps); // fast, slow, fast, fill, copy
  auto profile = [&](const std::vector<heddle_cuda_group_t> &groups) {
    control.eventNodes = 0;
    return function.profile(3, groups);
  };
  profile({});
  CHECK(control.eventNodes == 5 + 1);
  // Two kinds of kernels in one run.
  CHECK(profile({{"kernels", "^(fast|slow)$"}}) ==
        std::vector<Row>{{"kernels", 1, 12, 12}, {"copy", 1, 4, 4}, {"fill", 1, 4, 4}});
  CHECK(control.eventNodes == 3 + 1);
  // Two runs, since another step stands between them; a part of the name matches.
  CHECK(profile({{"ends", "as"}}) ==
        std::vector<Row>{{"slow", 1, 10, 10}, {"copy", 1, 4, 4}, {"fill", 1, 4, 4}, {"ends", 2, 1, 2}});
  CHECK(control.eventNodes == 5 + 1);
  // The first group that matches; beside each other, groups are apart. One that nothing is in has no row.
  CHECK(profile({{"a", "slow"}, {"b", "slow|fast"}, {"c", "fill|slow"}, {"d", "slow"}}) ==
        std::vector<Row>{{"a", 1, 10, 10}, {"c", 1, 4, 4}, {"copy", 1, 4, 4}, {"b", 2, 1, 2}});
  CHECK(control.eventNodes == 5 + 1);
  // Groups of one name are one; an empty expression is in every name.
  CHECK(profile({{"a", "fast"}, {"a", "slow"}, {"b", ""}}) ==
        std::vector<Row>{{"a", 1, 12, 12}, {"b", 1, 8, 8}});
  CHECK(control.eventNodes == 2 + 1);
  CHECK(profile({{"all", "."}}) == std::vector<Row>{{"all", 1, 20, 20}});
  CHECK(control.eventNodes == 1 + 1);
  // Steps of a name that a group also has are no part of its runs.
  CHECK(profile({{"fast", "slow"}}).front() == Row{"fast", 3, 1, 12});
  CHECK(control.eventNodes == 5 + 1);
  CHECK(function.at(function.x) == 9);
  CHECK(Loaded(nothing).profile(1, {{"all", "."}}).empty());
  // The last event too can fail, which ends the capture.
  control.failing = "cuEventRecordWithFlags";
  control.result = runtime::cuda::CUDA_ERROR_UNKNOWN;
  control.after = 1;
  CHECK(function.profile(2, {{"all", "."}}) == std::vector<Row>{{"all", 1, 20, 20}});
  CHECK(control.liveGraphs == 0);
  control.failing = nullptr;
}

TEST_CASE("a group of steps that are launched one by one takes their sum", "[cuda]") {
  stub::Control &control = fresh();
  control.transferTime = 0.002;
  Loaded function(reading, false); // fast, read, slow as often as x[0] says
  function.given = Tensor::from<float>({2, 0, 0, 0});
  // Not what the host takes after the read.
  CHECK(function.profile(3, {{"all", "."}}) == std::vector<Row>{{"all", 1, 35, 35}});
  CHECK(function.profile(3, {{"slow ones", "slow"}}) ==
        std::vector<Row>{{"slow ones", 1, 30, 30}, {"read", 1, 4, 4}, {"fast", 1, 1, 1}});
  Loaded other(varying, false);
  turn = 0;
  CHECK(other.profile(3, {{"all", "."}}) == std::vector<Row>{{"all", 1, 30, 30}}); // of 21, 30, 40
}

TEST_CASE("groups that are wrong", "[cuda]") {
  stub::Control &control = fresh();
  Loaded function(steps);
  auto refused = [&](const char *name, const char *expression) {
    const heddle_cuda_group_t group{name, expression};
    const auto failure = failureOf([&] { function.profile(1, {{"good", "x"}, group}); });
    CHECK(failure.status == HEDDLE_INVALID_ARGUMENT);
    CHECK(failureOf([&] { check(heddle_cuda_group_check(&group)); }).message == failure.message);
    return failure.message;
  };
  const std::string wrong = refused("lists", "keys_(");
  CHECK(wrong.rfind("group 'lists': the regular expression 'keys_(' is wrong: ", 0) == 0);
  CHECK(wrong.find("\nhint: part of a name matches itself") != std::string::npos);
  for (const char *expression : {"*", "[a", "\\", ")", "[z-a]", "\\1", "[[:none:]]"})
    refused("lists", expression);
  const std::string nested = std::string(100'000, '(') + std::string(100'000, ')');
  CHECK(refused("deep", nested.c_str()) ==
        "group 'deep': a regular expression of 200000 bytes is longer than 4096\n"
        "hint: give a part of it to another group of this name");
  CHECK(refused("", "x") ==
        "a group has no name\nhint: give it the name that its steps are to have together");
  CHECK(refused(nullptr, "x") == "the name of a group is a null pointer");
  CHECK(refused("lists", nullptr) == "the expression of a group is a null pointer");
  CHECK(heddle_cuda_group_check(nullptr) == HEDDLE_INVALID_ARGUMENT);
  CHECK(control.launches == 0);
  const std::string deepest = std::string(2048, '(') + std::string(2048, ')');
  const heddle_cuda_group_t group{"deep", deepest.c_str()};
  CHECK(heddle_cuda_group_check(&group) == HEDDLE_OK);
  CHECK(function.profile(1, {group}).front().name == "deep");
}

TEST_CASE("calls go on after a profile as before it", "[cuda]") {
  fresh();
  Loaded function(steps);
  auto call = [&] {
    void *buffers[] = {function.x.raw(), function.y.raw()};
    heddle_cuda_run_t *run = nullptr;
    check(heddle_cuda_function_start(function.function, buffers, &run));
    check(heddle_cuda_run_wait(run));
    heddle_cuda_run_free(run);
    return function.at(function.y);
  };
  CHECK(call() == 3); // (0 + 1) * 2 + 1
  CHECK(call() == 9);
  function.profile(3); // x[0] is 9 after each
  CHECK(call() == 21);
  CHECK(call() == 45);
}
