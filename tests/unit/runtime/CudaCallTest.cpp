// Calls of entries on a GPU with the stub driver: launches, graphs, error records. The entries are written
// here as generated code would be.

#include "StubAdd.h"
#include "Support.h"

#include <heddle/tensor.hpp>

#include <catch2/catch.hpp>

#include <deque>

using namespace heddle;
using namespace testing;

namespace {

const Device gpu = Device::cuda(0);

// ---- Kernels of the stub ----

/// Reports an index that is not below the limit.
void checkKernel(unsigned, void **arguments) {
  const float index = **static_cast<float **>(arguments[0]);
  auto *record = *static_cast<heddle_cuda_error_t **>(arguments[1]);
  if (index >= 3 && !record->claimed)
    *record = {1, 1, static_cast<int64_t>(index), 3};
}

stub::Image image() {
  stub::Image made;
  made.count = 2;
  made.kernels[0] = {"add", 3, {8, 8, 4}, addKernel};
  made.kernels[1] = {"check", 2, {8, 8}, checkKernel};
  return made;
}

// ---- Entries: (x f32[4]) → f32[4], with an arena of one more ----

/// x + 1 + 2 + 4 + 8 through the arena.
int32_t chain(heddle_call_t *call, void **buffers) {
  add(call, buffers[0], buffers[2], 1, 4);
  add(call, buffers[2], buffers[2], 2, 4);
  add(call, buffers[2], buffers[2], 4, 4);
  add(call, buffers[2], buffers[1], 8, 4);
  return call->status;
}

/// The same with a copy and a fill on the way.
int32_t mixed(heddle_call_t *call, void **buffers) {
  heddle_cuda_copy(call, buffers[2], buffers[0], 16);
  heddle_cuda_fill(call, buffers[2], 0x40000000, 2); // 2.0f
  add(call, buffers[2], buffers[2], 1, 4);
  add(call, buffers[2], buffers[1], 2, 4);
  return call->status;
}

/// One launch: not worth a graph.
int32_t single(heddle_call_t *call, void **buffers) {
  add(call, buffers[0], buffers[1], 1, 4);
  add(call, buffers[0], buffers[1], 1, 0);
  return call->status;
}

/// Checks x[0] before it adds.
int32_t checked(heddle_call_t *call, void **buffers) {
  void *arguments[] = {&buffers[0]};
  heddle_cuda_launch(call, 1, 1, 1, 1, 32, 0, arguments);
  return chain(call, buffers);
}

/// Adds 100 where x[0] is positive.
int32_t branching(heddle_call_t *call, void **buffers) {
  void *arguments[] = {&buffers[0]};
  heddle_cuda_launch(call, 1, 1, 1, 1, 32, 0, arguments);
  float first = 0;
  heddle_cuda_read(call, &first, buffers[0], 4);
  if (call->status == HEDDLE_OK)
    add(call, buffers[0], buffers[1], first > 0 ? 100 : 0, 4);
  return call->status;
}

int32_t wrongKernel(heddle_call_t *call, void **buffers) {
  heddle_cuda_launch(call, 7, 1, 1, 1, 1, 0, nullptr);
  return call->status;
}

int32_t wideGrid(heddle_call_t *call, void **buffers) {
  heddle_cuda_launch(call, 0, 1, 70000, 1, 1, 0, nullptr);
  return call->status;
}

/// A function of the runtime, and its calls with tensors.
class Loaded {
public:
  explicit Loaded(int32_t (*entry)(heddle_call_t *, void **), bool capturable = true) {
    const stub::Image code = image();
    const int32_t addBytes[] = {8, 8, 4}, checkBytes[] = {8};
    const heddle_cuda_kernel_t kernels[] = {{"add", addBytes, 3, 0, 0, 0},
                                            {"check", checkBytes, 1, 100 << 10, 1, 0}};
    const heddle_cuda_message_t messages[] = {
        {"unused", HEDDLE_ASSERTION, 0}, {"index {} is outside a dimension of {}", HEDDLE_OUT_OF_RANGE, 0}};
    heddle_cuda_program_t program{};
    program.name = "entry";
    program.image = &code;
    program.image_bytes = sizeof code;
    program.kernels = kernels;
    program.kernel_count = 2;
    program.messages = messages;
    program.message_count = 2;
    program.buffer_count = 2;
    program.arena_bytes = 16;
    program.can_be_captured = capturable;
    program.entry = entry;
    check(heddle_cuda_function_create(0, &program, &function));
  }
  ~Loaded() { heddle_cuda_function_free(function); }

  heddle_cuda_run_t *start(const Tensor &x, const Tensor &result) {
    void *buffers[] = {x.raw(), result.raw()};
    heddle_cuda_run_t *run = nullptr;
    check(heddle_cuda_function_start(function, buffers, &run));
    return run;
  }
  static void finish(heddle_cuda_run_t *run) {
    const heddle_status_t status = heddle_cuda_run_wait(run);
    const std::string message = heddle_last_error();
    heddle_cuda_run_free(run);
    if (status != HEDDLE_OK)
      throw Error(status, message);
  }
  void into(const Tensor &x, const Tensor &result) { finish(start(x, result)); }
  std::vector<float> operator()(const std::vector<float> &x) {
    const Tensor result = Tensor::empty({4}, DType::f32, gpu);
    into(Tensor::from(x).to(gpu), result);
    const Tensor here = result.to(Device::cpu());
    return {here.values<float>().begin(), here.values<float>().end()};
  }

  heddle_cuda_function_t *function = nullptr;
};

std::vector<float> valuesOf(const Tensor &tensor) {
  const Tensor here = tensor.to(Device::cpu());
  return {here.values<float>().begin(), here.values<float>().end()};
}

/// Fresh counts.
stub::Control &counted() {
  stub::Control &control = heddle_stub_control;
  control.launches = control.graphLaunches = control.captures = control.instantiations = control.nodeUpdates =
      control.graphUpdates = 0;
  return control;
}

} // namespace

TEST_CASE("the first call launches kernels, later ones replay a graph", "[cuda]") {
  stub::Control &control = counted();
  Loaded function(chain);
  const Tensor x = Tensor::from<float>({0, 1, 2, 3}).to(gpu), y = Tensor::empty({4}, DType::f32, gpu);
  const std::vector<float> expected = {15, 16, 17, 18};
  for (int call = 0; call < 5; ++call) {
    REQUIRE(heddle_tensor_copy(&Tensor::zeros({4}, DType::f32).view(), &y.view()) == HEDDLE_OK);
    function.into(x, y);
    CHECK(valuesOf(y) == expected);
  }
  CHECK(control.launches == 4);
  CHECK(control.captures == 1);
  CHECK(control.instantiations == 1);
  CHECK(control.graphLaunches == 4);
  CHECK(control.liveGraphs == 1);
  // What lies in the buffers is read anew.
  REQUIRE(heddle_tensor_copy(&Tensor::from<float>({10, 0, 0, 0}).view(), &x.view()) == HEDDLE_OK);
  function.into(x, y);
  CHECK(valuesOf(y) == std::vector<float>{25, 15, 15, 15});
}

TEST_CASE("calls are measured between events", "[cuda]") {
  stub::Control &control = counted();
  Loaded function(chain);
  const Tensor x = Tensor::from<float>({0, 1, 2, 3}).to(gpu), y = Tensor::empty({4}, DType::f32, gpu);
  void *buffers[] = {x.raw(), y.raw()};
  double microseconds = 0;
  check(heddle_cuda_function_measure(function.function, buffers, 5, &microseconds));
  CHECK(microseconds == 250); // four kernels, as the stub's clock has it
  CHECK(control.launches == 4);
  CHECK(control.graphLaunches == 2 + 5); // of the three that do not count, the first launches kernels
  CHECK(valuesOf(y) == std::vector<float>{15, 16, 17, 18});
  auto measure = [&](heddle_cuda_function_t *measured, int32_t calls, double *out) {
    return failureOf([&] { check(heddle_cuda_function_measure(measured, buffers, calls, out)); }).message;
  };
  CHECK(measure(function.function, 0, &microseconds) == "the number of calls is 0, not positive");
  CHECK(measure(nullptr, 1, &microseconds) == "the function is a null pointer");
  control.failing = "cuEventElapsedTime";
  control.result = runtime::cuda::CUDA_ERROR_INVALID_HANDLE;
  CHECK(measure(function.function, 1, &microseconds) == "cannot measure calls: error 400");
  control.failing = nullptr;
}

TEST_CASE("other addresses get graphs of their own, then patched ones", "[cuda]") {
  stub::Control &control = counted();
  {
    Loaded function(chain);
    std::deque<Tensor> kept;
    for (int call = 0; call < 20; ++call) {
      kept.push_back(Tensor::full({4}, float(call), DType::f32).to(gpu));
      const Tensor y = Tensor::empty({4}, DType::f32, gpu);
      kept.push_back(y);
      function.into(kept[kept.size() - 2], y);
      CHECK(valuesOf(y) == std::vector<float>(4, float(call) + 15));
    }
    CHECK(control.launches == 4);
    CHECK(control.captures == 4);
    CHECK(control.graphLaunches == 19);
    // Of four launches two name a buffer that changed.
    CHECK(control.nodeUpdates == 2 * 15);
    CHECK(control.graphUpdates == 0);
    // The latest four are known.
    function.into(kept[kept.size() - 8], kept[kept.size() - 7]);
    CHECK(control.captures == 4);
    CHECK(control.nodeUpdates == 2 * 15);
    CHECK(valuesOf(kept[kept.size() - 7]) == std::vector<float>(4, 31));
  }
  CHECK(control.liveGraphs == 0);
}

TEST_CASE("copies and fills are captured, and captured again where they change", "[cuda]") {
  stub::Control &control = counted();
  Loaded function(mixed);
  std::deque<Tensor> kept;
  for (int call = 0; call < 10; ++call) {
    kept.push_back(Tensor::full({4}, float(call), DType::f32).to(gpu));
    const Tensor y = Tensor::empty({4}, DType::f32, gpu);
    kept.push_back(y);
    function.into(kept[kept.size() - 2], y);
    CHECK(valuesOf(y) == std::vector<float>{5, 5, float(call) + 3, float(call) + 3});
  }
  CHECK(control.captures == 9);
  CHECK(control.graphUpdates == 5);
  CHECK(control.instantiations == 4);
  // A node of an updated graph can still be patched.
  function.into(kept[0], kept[1]);
  CHECK(valuesOf(kept[1]) == std::vector<float>{5, 5, 3, 3});
  const Tensor y = Tensor::empty({4}, DType::f32, gpu);
  for (const Tensor &x : {kept[2], kept[4], kept[6]})
    function.into(x, kept[3]);
  function.into(kept[0], y);
  CHECK(valuesOf(y) == std::vector<float>{5, 5, 3, 3});
}

TEST_CASE("an update that the driver refuses makes a new graph", "[cuda]") {
  stub::Control &control = counted();
  Loaded function(mixed);
  control.failing = "cuGraphExecUpdate_v2";
  control.result = runtime::cuda::CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
  std::deque<Tensor> kept;
  for (int call = 0; call < 7; ++call) {
    kept.push_back(Tensor::full({4}, float(call), DType::f32).to(gpu));
    const Tensor y = Tensor::empty({4}, DType::f32, gpu);
    kept.push_back(y);
    function.into(kept[kept.size() - 2], y);
    CHECK(valuesOf(y)[3] == float(call) + 3);
  }
  control.failing = nullptr;
  CHECK(control.instantiations == 6);
  CHECK(control.graphUpdates == 0);
  CHECK(control.liveGraphs == 4);
}

TEST_CASE("a node that cannot be patched is captured again", "[cuda]") {
  stub::Control &control = counted();
  Loaded function(chain);
  control.failing = "cuGraphExecKernelNodeSetParams_v2";
  control.result = runtime::cuda::CUDA_ERROR_INVALID_VALUE;
  std::deque<Tensor> kept;
  for (int call = 0; call < 7; ++call) {
    kept.push_back(Tensor::full({4}, float(call), DType::f32).to(gpu));
    const Tensor y = Tensor::empty({4}, DType::f32, gpu);
    kept.push_back(y);
    function.into(kept[kept.size() - 2], y);
    CHECK(valuesOf(y)[3] == float(call) + 15);
  }
  control.failing = nullptr;
  CHECK(control.captures == 6);
  CHECK(control.graphUpdates == 2);
}

TEST_CASE("where capturing fails kernels are launched", "[cuda]") {
  stub::Control &control = counted();
  for (const char *symbol :
       {"cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuGraphInstantiateWithFlags"}) {
    Loaded function(chain);
    function({0, 0, 0, 0});
    control.failing = symbol;
    control.result = runtime::cuda::CUDA_ERROR_UNKNOWN;
    counted();
    CHECK(function({1, 1, 1, 1})[0] == 16);
    control.failing = nullptr;
    CHECK(function({2, 1, 1, 1})[0] == 17);
    CHECK(control.launches == 8);
    CHECK(control.graphLaunches == 0);
  }
}

TEST_CASE("a single launch and an entry that reads are not captured", "[cuda]") {
  stub::Control &control = counted();
  Loaded one(single), reads(branching, false);
  for (int call = 0; call < 3; ++call) {
    CHECK(one({1, 2, 3, 4}) == std::vector<float>{2, 3, 4, 5});
    CHECK(reads({1, 2, 3, 4}) == std::vector<float>{101, 102, 103, 104});
    CHECK(reads({-1, 2, 3, 4}) == std::vector<float>{-1, 2, 3, 4});
  }
  CHECK(control.captures == 0);
  CHECK(control.launches == 3 + 2 * 2 * 3);
}

TEST_CASE("a kernel's failure has its message, and the next call is fine", "[cuda]") {
  Loaded function(checked);
  for (int call = 0; call < 4; ++call) {
    CHECK(function({2, 0, 0, 0})[0] == 17);
    const Failed failed = failureOf([&] { function({7, 0, 0, 0}); });
    CHECK(failed.status == HEDDLE_OUT_OF_RANGE);
    CHECK(failed.message == "index 7 is outside a dimension of 3");
  }
  // Calls in flight keep their failures apart, also those that nobody waits for.
  const Tensor good = Tensor::from<float>({1, 0, 0, 0}).to(gpu),
               bad = Tensor::from<float>({9, 0, 0, 0}).to(gpu), y = Tensor::empty({4}, DType::f32, gpu);
  heddle_cuda_run_t *first = function.start(good, y), *second = function.start(bad, y),
                    *third = function.start(good, y);
  heddle_cuda_run_free(function.start(bad, y));
  heddle_cuda_run_t *last = function.start(good, y);
  CHECK(heddle_cuda_run_done(first) == 1);
  CHECK(heddle_cuda_run_wait(second) == HEDDLE_OUT_OF_RANGE);
  CHECK(heddle_cuda_run_wait(second) == HEDDLE_OUT_OF_RANGE);
  CHECK(std::string(heddle_last_error()) == "index 9 is outside a dimension of 3");
  for (heddle_cuda_run_t *run : {first, third, last})
    CHECK(heddle_cuda_run_wait(run) == HEDDLE_OK);
  for (heddle_cuda_run_t *run : {first, second, third, last})
    heddle_cuda_run_free(run);
}

TEST_CASE("a failure is seen before the host decides on what it reads", "[cuda]") {
  Loaded function(branching, false);
  CHECK(failureOf([&] { function({5, 0, 0, 0}); }).message == "index 5 is outside a dimension of 3");
  CHECK(function({1, 0, 0, 0})[0] == 101);
}

TEST_CASE("an entry that reads cannot be captured by mistake", "[cuda]") {
  // Told that it can, it reads on the way of the second call; the function then launches.
  Loaded function(branching, true);
  for (int call = 0; call < 3; ++call)
    CHECK(function({1, 0, 0, 0})[0] == 101);
}

TEST_CASE("defects of generated code are errors", "[cuda]") {
  CHECK(failureOf([] { Loaded{wrongKernel}({0, 0, 0, 0}); }).message == "the program has no kernel 7");
  const Failed failed = failureOf([] { Loaded{wideGrid}({0, 0, 0, 0}); });
  CHECK(failed.status == HEDDLE_UNSUPPORTED);
  CHECK(failed.message ==
        "kernel 'add' would need a grid of 1 x 70000 x 1 blocks, which is more than a GPU takes");
}

TEST_CASE("what the driver reports during a call", "[cuda]") {
  stub::Control &control = heddle_stub_control;
  Loaded function(chain);
  control.failing = "cuLaunchKernel";
  control.result = runtime::cuda::CUDA_ERROR_OUT_OF_MEMORY;
  const Failed failed = failureOf([&] { function({0, 0, 0, 0}); });
  CHECK(failed.status == HEDDLE_OUT_OF_MEMORY);
  CHECK(failed.message == "cannot launch kernel 'add': CUDA_ERROR_OUT_OF_MEMORY (stub)\n"
                          "hint: let go of tensors on the GPU, or make the problem smaller");
  control.failing = "cuEventSynchronize";
  control.result = runtime::cuda::CUDA_ERROR_ILLEGAL_ADDRESS;
  CHECK(
      failureOf([&] { function({0, 0, 0, 0}); }).message ==
      "cannot run kernels on the GPU: CUDA_ERROR_ILLEGAL_ADDRESS (an illegal memory access was encountered)\n"
      "hint: a kernel failed, and this process cannot use the GPU any more; this is a defect of Heddle: "
      "please "
      "report it with the program");
  control.failing = nullptr;
  CHECK(function({0, 0, 0, 0})[0] == 15);
}

TEST_CASE("code that a GPU does not take", "[cuda]") {
  stub::Control &control = heddle_stub_control;
  const int64_t live = control.liveAllocations;
  auto loading = [&](int result) {
    control.failing = "cuModuleLoadDataEx";
    control.result = result;
    const std::string message = failureOf([] { Loaded{chain}; }).message;
    control.failing = nullptr;
    return message;
  };
  using namespace runtime::cuda;
  CHECK(loading(CUDA_ERROR_NO_BINARY_FOR_GPU) ==
        "'entry' was compiled for another GPU than cuda:0 (Stub GPU, compute capability 9.0)\n"
        "hint: compile it for this one");
  CHECK(loading(CUDA_ERROR_UNSUPPORTED_PTX_VERSION) ==
        "the NVIDIA driver, which is for CUDA 12.4, is too old for the code of 'entry'\nhint: update the "
        "driver");
  CHECK(loading(CUDA_ERROR_JIT_COMPILER_NOT_FOUND) ==
        "cannot load 'entry' on cuda:0 (Stub GPU, compute capability 9.0): error 221\n"
        "hint: the driver compiles PTX with libnvidia-ptxjitcompiler.so.1, which belongs to it: install the "
        "whole "
        "driver, and see that CUDA_DISABLE_PTX_JIT is not set");
  heddle_cuda_program_t program{};
  program.name = "entry";
  program.image = "nonsense";
  program.entry = chain;
  heddle_cuda_function_t *function = nullptr;
  CHECK(heddle_cuda_function_create(0, &program, &function) == HEDDLE_INTERNAL);
  CHECK(std::string(heddle_last_error()) ==
        "cannot load 'entry' on cuda:0 (Stub GPU, compute capability 9.0): CUDA_ERROR_INVALID_PTX (stub)\n"
        "ptxas application ptx input, line 1; fatal : stub");
  const stub::Image code = image();
  program.image = &code;
  heddle_cuda_kernel_t kernel{"absent", nullptr, 0, 0, 0, 0};
  program.kernels = &kernel;
  program.kernel_count = 1;
  CHECK(heddle_cuda_function_create(0, &program, &function) == HEDDLE_INTERNAL);
  CHECK(std::string(heddle_last_error()) == "cannot find kernel 'absent': CUDA_ERROR_NOT_FOUND (stub)");
  kernel = {"add", nullptr, 0, 300000, 0, 0};
  CHECK(heddle_cuda_function_create(0, &program, &function) == HEDDLE_UNSUPPORTED);
  CHECK(std::string(heddle_last_error()) ==
        "kernel 'add' needs 300000 bytes of shared memory, but a block on cuda:0 (Stub GPU) can have 232448");
  CHECK(heddle_cuda_function_create(0, nullptr, &function) == HEDDLE_INVALID_ARGUMENT);
  CHECK(heddle_cuda_run_wait(nullptr) == HEDDLE_INVALID_ARGUMENT);
  heddle_cuda_function_free(nullptr);
  heddle_cuda_run_free(nullptr);
  CHECK(control.liveAllocations == live);
}

TEST_CASE("functions share one arena, as large as the largest needs", "[cuda]") {
  auto bytes = [] {
    heddle_memory_stats_t stats;
    check(heddle_cuda_memory_stats(0, &stats));
    return stats.current_bytes;
  };
  const int64_t before = bytes();
  {
    const int64_t record = sizeof(heddle_cuda_error_t);
    Loaded first(chain);
    CHECK(bytes() == before + record);
    first({0, 0, 0, 0});
    CHECK(bytes() == before + record + 16);
    Loaded second(chain);
    second({0, 0, 0, 0});
    CHECK(bytes() == before + 2 * record + 16);
  }
  CHECK(bytes() == before);
}
