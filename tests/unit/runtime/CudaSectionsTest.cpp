// Steps that a call puts aside, with the stub driver: on which streams they are launched, captured, compared,
// and that every call joins them. The entries are written here as generated code would be.

#include "StubAdd.h"
#include "Support.h"

#include <heddle/tensor.hpp>

#include <catch2/catch.hpp>

#include <deque>
#include <map>

using namespace heddle;
using namespace testing;

namespace {

const Device gpu = Device::cuda(0);

float *floats(void *buffer) { return static_cast<float *>(buffer); }

// ---- Entries: (x f32[4]) → f32[4], with an arena of four more; they add in x, y and the arena ----

/// y[0] = x[0] + 1 + 4, y[1] = x[0] + 1 + 2: the second aside.
int32_t beside(heddle_call_t *call, void **buffers) {
  float *x = floats(buffers[0]), *y = floats(buffers[1]), *arena = floats(buffers[2]);
  add(call, x, arena, 1);
  heddle_cuda_aside(call);
  add(call, arena, y + 1, 2);
  heddle_cuda_return(call, 0);
  add(call, arena, y, 4);
  heddle_cuda_join(call, 0);
  add(call, y + 1, arena + 1, 8);
  return call->status;
}

/// One section that a loop comes to twice, one that is joined by a later one, one that nobody joins.
int32_t several(heddle_call_t *call, void **buffers) {
  float *x = floats(buffers[0]), *y = floats(buffers[1]);
  for (int i = 0; i < 2; ++i) {
    heddle_cuda_aside(call);
    add(call, x, y, 1);
    heddle_cuda_return(call, 5);
    heddle_cuda_join(call, 5);
  }
  heddle_cuda_aside(call);
  add(call, x, y + 1, 2);
  heddle_cuda_return(call, 0);
  heddle_cuda_aside(call);
  heddle_cuda_join(call, 0); // they follow each other anyway
  add(call, y + 1, y + 2, 3);
  heddle_cuda_return(call, 1);
  heddle_cuda_join(call, 1);
  heddle_cuda_aside(call);
  add(call, y + 2, y + 3, 4);
  heddle_cuda_return(call, 2);
  return call->status;
}

int32_t sectionOfBranch = 0;
/// Chains that differ in what is aside, as `sectionOfBranch` says: nothing for -1.
int32_t changing(heddle_call_t *call, void **buffers) {
  float *x = floats(buffers[0]), *y = floats(buffers[1]);
  const int32_t section = sectionOfBranch;
  if (section >= 0)
    heddle_cuda_aside(call);
  add(call, x, y, 1);
  if (section >= 0)
    heddle_cuda_return(call, section);
  for (int i = 1; i < 4; ++i)
    add(call, x, y + i, static_cast<float>(i + 1));
  if (section >= 0)
    heddle_cuda_join(call, section);
  return call->status;
}

bool fails = false;
/// Fails, where that is asked for, with one section that is not joined, or within it.
template <bool Within>
int32_t failing(heddle_call_t *call, void **buffers) {
  float *x = floats(buffers[0]), *y = floats(buffers[1]);
  add(call, x, y, 1);
  heddle_cuda_aside(call);
  add(call, x, y + 1, 2);
  if (Within && fails)
    heddle_fail(call, HEDDLE_ASSERTION, "within");
  heddle_cuda_return(call, 0);
  add(call, x, y + 2, 3);
  if (!Within && fails)
    heddle_fail(call, HEDDLE_ASSERTION, "after");
  heddle_cuda_join(call, 0);
  add(call, y + 1, y + 3, 4);
  return call->status;
}

/// Reads while something is aside, and within a section.
int32_t reading(heddle_call_t *call, void **buffers) {
  float *x = floats(buffers[0]), *y = floats(buffers[1]);
  float number = 0;
  heddle_cuda_aside(call);
  add(call, x, y, 1);
  heddle_cuda_return(call, 0);
  heddle_cuda_read(call, &number, y, 4);
  heddle_cuda_join(call, 0); // it has been joined, which is no harm
  add(call, x, y + 1, number);
  heddle_cuda_aside(call);
  heddle_cuda_read(call, &number, y + 1, 4);
  add(call, x, y + 2, number);
  heddle_cuda_return(call, 0);
  heddle_cuda_join(call, 0);
  return call->status;
}

/// Three launches, which are too few for a graph, and sections.
int32_t few(heddle_call_t *call, void **buffers) {
  add(call, buffers[0], buffers[1], 1);
  heddle_cuda_aside(call);
  add(call, buffers[0], buffers[1], 1);
  heddle_cuda_return(call, 0);
  heddle_cuda_join(call, 0);
  add(call, buffers[0], buffers[1], 1);
  return call->status;
}

// ---- What the stub tells ----

/// Streams and events by the order in which they are seen, such as "launch A, record 1 A, wait 1 B".
struct Watch {
  Watch() {
    current = this;
    heddle_stub_control.watch = [](const char *what, const void *stream, const void *event) {
      current->note(what, stream, event);
    };
  }
  ~Watch() { heddle_stub_control.watch = nullptr; }

  void note(const char *what, const void *stream, const void *event) {
    if (!text.empty())
      text += ", ";
    text += what;
    if (event)
      text += " " + std::to_string(events.try_emplace(event, events.size() + 1).first->second);
    text += " ";
    text += static_cast<char>(streams.try_emplace(stream, 'A' + streams.size()).first->second);
  }
  /// Since it was asked last.
  std::string take() {
    streams.clear();
    events.clear();
    return std::exchange(text, "");
  }

  static inline Watch *current = nullptr;
  std::string text;
  std::map<const void *, size_t> streams, events;
};

class Loaded {
public:
  explicit Loaded(int32_t (*entry)(heddle_call_t *, void **), bool capturable = true) {
    stub::Image code;
    code.count = 1;
    code.kernels[0] = {"add", 3, {8, 8, 4}, addKernel};
    const int32_t bytes[] = {8, 8, 4};
    const heddle_cuda_kernel_t kernel{"add", bytes, 3, 0, 0, 0};
    heddle_cuda_program_t program{};
    program.name = "entry";
    program.image = &code;
    program.image_bytes = sizeof code;
    program.kernels = &kernel;
    program.kernel_count = 1;
    program.buffer_count = 2;
    program.arena_bytes = 16;
    program.can_be_captured = capturable;
    program.entry = entry;
    check(heddle_cuda_function_create(0, &program, &function));
  }
  ~Loaded() { heddle_cuda_function_free(function); }

  void into(const Tensor &x, const Tensor &result) {
    void *buffers[] = {x.raw(), result.raw()};
    heddle_cuda_run_t *run = nullptr;
    check(heddle_cuda_function_start(function, buffers, &run));
    heddle_cuda_run_wait(run);
    heddle_cuda_run_free(run);
  }
  std::vector<float> operator()(float first) {
    into(x = Tensor::from<float>({first, 0, 0, 0}).to(gpu), y = Tensor::zeros({4}, DType::f32).to(gpu));
    return values();
  }
  std::vector<float> values() const {
    const Tensor here = y.to(Device::cpu());
    return {here.values<float>().begin(), here.values<float>().end()};
  }

  heddle_cuda_function_t *function = nullptr;
  Tensor x = Tensor::zeros({4}, DType::f32).to(gpu), y = Tensor::zeros({4}, DType::f32).to(gpu);
};

/// Fresh counts, and nothing that fails.
stub::Control &fresh() {
  stub::Control &control = heddle_stub_control;
  control.launches = control.graphLaunches = control.captures = control.instantiations = control.nodeUpdates =
      control.graphUpdates = 0;
  control.failing = nullptr;
  control.after = 0;
  control.clock = 0;
  fails = false;
  return control;
}

/// The failure of one call.
Failed failed(int32_t (*entry)(heddle_call_t *, void **)) {
  return failureOf([&] { Loaded{entry}(1); });
}

} // namespace

TEST_CASE("sections of a call run on a second stream, direct, captured, replayed and patched", "[cuda]") {
  stub::Control &control = fresh();
  Loaded function(beside);
  Watch watch;
  const std::string steps =
      "launch A, record 1 A, wait 1 B, launch B, record 2 B, launch A, wait 2 A, launch A";
  CHECK(function(10) == std::vector<float>{15, 13, 0, 0});
  CHECK(watch.take() == steps + ", record 3 A");
  CHECK(control.launches == 4);
  const Tensor x = function.x, y = function.y; // no other tensor gets their addresses
  function.into(x, y);
  // On two streams of its own; then the graph is launched, whose end is recorded.
  CHECK(watch.take() == steps + ", record 3 C");
  for (int call = 0; call < 3; ++call) {
    REQUIRE(heddle_tensor_copy(&Tensor::full({4}, float(call), DType::f32).view(), &x.view()) == HEDDLE_OK);
    function.into(x, y);
    CHECK(watch.take() == "record 1 A");
    CHECK(function.values() == std::vector<float>{float(call) + 5, float(call) + 3, 0, 0});
  }
  CHECK(control.launches == 4);
  CHECK(control.captures == 1);
  std::deque<Tensor> kept;
  for (int call = 1; call < 10; ++call) {
    CHECK(function(float(call)) == std::vector<float>{float(call) + 5, float(call) + 3, 0, 0});
    kept.push_back(function.x);
    kept.push_back(function.y);
    CHECK(watch.take() == (call < 4 ? steps + ", record 3 C" : "record 1 A"));
  }
  // Of four launches all but the last have other addresses in x or y, and the last in y.
  CHECK(control.captures == 4);
  CHECK(control.nodeUpdates == 6 * 4);
  CHECK(control.graphUpdates == 0);
  CHECK(control.instantiations == 4);
}

TEST_CASE("sections in loops, and what a call does not join itself", "[cuda]") {
  fresh();
  Loaded function(several);
  Watch watch;
  const std::string turn = "record 1 A, wait 1 B, launch B, record 2 B, wait 2 A, ";
  const std::string steps = turn + turn +
                            "record 1 A, wait 1 B, launch B, record 3 B, record 1 A, wait 1 B, launch B, "
                            "record 4 B, wait 4 A, record 1 A, wait 1 B, launch B, record 5 B, "
                            "record 1 B, wait 1 A"; // joined by the end of the call
  CHECK(function(1) == std::vector<float>{2, 3, 6, 10});
  CHECK(watch.take() == steps + ", record 6 A");
  CHECK(function(2) == std::vector<float>{3, 4, 7, 11});
  CHECK(watch.take() == steps + ", record 6 C");
  CHECK(heddle_stub_control.captures == 1);
  CHECK(heddle_stub_control.graphLaunches == 1);
}

TEST_CASE("a recording with other sections is not patched", "[cuda]") {
  stub::Control &control = fresh();
  Loaded function(changing);
  std::deque<Tensor> kept;
  auto call = [&](int32_t section) {
    sectionOfBranch = section;
    CHECK(function(1) == std::vector<float>{2, 3, 4, 5});
    kept.push_back(function.x);
    kept.push_back(function.y);
  };
  for (int i = 0; i < 5; ++i)
    call(0); // one direct, four graphs
  call(0);
  CHECK(control.captures == 4);
  CHECK(control.nodeUpdates == 4);
  call(1); // the number of a section is part of a step
  CHECK(control.captures == 5);
  CHECK(control.instantiations == 5);
  CHECK(control.graphUpdates == 0);
  call(-1);
  CHECK(control.captures == 6);
  CHECK(control.instantiations == 6);
  CHECK(control.graphUpdates == 0);
}

TEST_CASE("steps that only order others do not make a graph worth it", "[cuda]") {
  stub::Control &control = fresh();
  Loaded function(few);
  for (int call = 0; call < 3; ++call)
    CHECK(function(1)[0] == 2);
  CHECK(control.captures == 0);
  CHECK(control.launches == 9);
}

TEST_CASE("a call that fails joins what is aside", "[cuda]") {
  stub::Control &control = fresh();
  Watch watch;
  {
    Loaded function(failing<false>);
    fails = true;
    const Failed after = failureOf([&] { function(1); });
    CHECK(after.status == HEDDLE_ASSERTION);
    CHECK(after.message == "after");
    CHECK(watch.take() ==
          "launch A, record 1 A, wait 1 B, launch B, record 2 B, launch A, record 1 B, wait 1 A");
    // The first call counts as one; the next is captured, fails, and says so when it is launched.
    CHECK(failureOf([&] { function(1); }).message == "after");
    CHECK(watch.take() ==
          "launch A, record 1 A, wait 1 B, launch B, record 2 B, launch A, record 1 B, wait 1 A, "
          "launch C, record 1 C, wait 1 D, launch D, record 2 D, launch C, record 1 D, wait 1 C");
    CHECK(control.captures == 1);
    CHECK(control.liveGraphs == 0);
    fails = false;
    CHECK(function(1) == std::vector<float>{2, 3, 4, 7});
  }
  watch.take();
  Loaded function(failing<true>);
  fails = true;
  CHECK(failureOf([&] { function(1); }).message == "within");
  CHECK(watch.take() == "launch A, record 1 A, wait 1 B, launch B, record 1 B, wait 1 A");
  CHECK(failureOf([&] { function(1); }).message == "within");
  CHECK(control.captures == 2);
  CHECK(control.liveGraphs == 0);
  // The streams can be captured again.
  fails = false;
  Loaded again(beside);
  for (int call = 0; call < 2; ++call)
    CHECK(again(10) == std::vector<float>{15, 13, 0, 0});
  CHECK(control.graphLaunches == 1);
}

TEST_CASE("what the driver reports of sections", "[cuda]") {
  stub::Control &control = fresh();
  for (const char *symbol : {"cuStreamWaitEvent", "cuEventRecord"})
    for (int after : {0, 1}) { // at the beginning of a section, or at its end
      Loaded function(beside);
      control.failing = symbol;
      control.after = after;
      control.result = runtime::cuda::CUDA_ERROR_UNKNOWN;
      CHECK(failureOf([&] { function(1); }).message ==
            "cannot order the steps of a call: CUDA_ERROR_UNKNOWN (stub)");
      fresh();
      CHECK(function(10) == std::vector<float>{15, 13, 0, 0});
    }
  // At the end of a call, which joins section 2.
  Loaded function(several);
  control.failing = "cuStreamWaitEvent";
  control.after = 8;
  CHECK(failureOf([&] { function(1); }).message ==
        "cannot order the steps of a call: CUDA_ERROR_UNKNOWN (stub)");
  // Where that fails in a capture, the call is launched.
  control.failing = nullptr;
  Loaded captured(several);
  captured(1);
  control.failing = "cuStreamWaitEvent";
  control.after = 8;
  CHECK(failureOf([&] { captured(1); }).message ==
        "cannot order the steps of a call: CUDA_ERROR_UNKNOWN (stub)");
  fresh();
  CHECK(captured(1) == std::vector<float>{2, 3, 6, 10});
  CHECK(control.graphLaunches == 0);
  CHECK(control.launches == 5);
  CHECK(control.liveGraphs == 0);
}

TEST_CASE("misuse of sections is a defect of generated code", "[cuda]") {
  fresh();
  auto message = [](int32_t (*entry)(heddle_call_t *, void **)) {
    const Failed failure = failed(entry);
    CHECK(failure.status == HEDDLE_INTERNAL);
    return failure.message;
  };
  CHECK(message([](heddle_call_t *call, void **) {
          heddle_cuda_aside(call);
          heddle_cuda_aside(call);
          return call->status;
        }) == "a section of a call begins within another one");
  CHECK(message([](heddle_call_t *call, void **) {
          heddle_cuda_return(call, 3);
          return call->status;
        }) == "section 3 of a call ends, but none has begun");
  CHECK(message([](heddle_call_t *call, void **) {
          heddle_cuda_aside(call);
          heddle_cuda_return(call, -2);
          return call->status;
        }) == "a section of a call has the number -2");
  CHECK(message([](heddle_call_t *call, void **) {
          heddle_cuda_aside(call);
          heddle_cuda_return(call, 0);
          heddle_cuda_join(call, 1);
          return call->status;
        }) == "a call waits for section 1, which it has not put aside");
  // Sections of an earlier call are none of this one.
  CHECK(message([](heddle_call_t *call, void **) {
          heddle_cuda_join(call, 0);
          return call->status;
        }) == "a call waits for section 0, which it has not put aside");
  // After a failure they do nothing.
  Watch watch;
  CHECK(failed([](heddle_call_t *call, void **) {
          heddle_fail(call, HEDDLE_ASSERTION, "first");
          heddle_cuda_aside(call);
          heddle_cuda_return(call, -1);
          heddle_cuda_join(call, 9);
          return call->status;
        }).message == "first");
  CHECK(watch.take().empty());
}

TEST_CASE("a read by the host waits for what is aside", "[cuda]") {
  fresh();
  Loaded function(reading, false);
  Watch watch;
  CHECK(function(1) == std::vector<float>{2, 3, 4, 0});
  CHECK(watch.take() ==
        "record 1 A, wait 1 B, launch B, record 2 B, record 1 B, wait 1 A, wait 2 A, launch A, "
        "record 1 A, wait 1 B, launch B, record 2 B, wait 2 A, record 3 A");
}

TEST_CASE("a profile runs sections one after the other", "[cuda]") {
  stub::Control &control = fresh();
  for (const bool capturable : {true, false}) {
    Loaded function(beside, capturable);
    Watch watch;
    void *buffers[] = {function.x.raw(), function.y.raw()};
    heddle_cuda_profile_t *made = nullptr;
    control.captures = 0;
    check(heddle_cuda_function_profile(function.function, buffers, nullptr, 0, nullptr, 0, 2, &made));
    REQUIRE(made->count == 1);
    CHECK(made->steps[0].name == std::string("add"));
    CHECK(made->steps[0].launches == 4);
    CHECK(made->steps[0].call_microseconds == 250);
    heddle_cuda_profile_free(made);
    CHECK(control.captures == (capturable ? 1 : 0));
    // The first call is an ordinary one. All that is timed is on one stream.
    std::string timed = watch.take();
    const std::string first =
        "launch A, record 1 A, wait 1 B, launch B, record 2 B, launch A, wait 2 A, launch A";
    REQUIRE(timed.substr(0, first.size()) == first);
    timed = timed.substr(first.size());
    if (capturable) {
      CHECK(timed == ", launch C, launch C, launch C, launch C");
    } else {
      CHECK(timed.find("wait") == std::string::npos);
      CHECK(timed.find('B') == std::string::npos);
    }
    CHECK(function.values() == std::vector<float>{5, 3, 0, 0});
  }
}
