// Compiled entries, as the runtime calls them, on the emulated device: launches one by one, graphs, patched
// graphs, failures of kernels.

#include "compiler/conversion/GPUToPTX/EmulatedDevice.h"
#include "runtime/src/cuda/DriverApi.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <heddle/cuda.h>
#include <string>
#include <vector>

using namespace heddle::runtime::cuda;

#define HEDDLE_TEST_DECLARE(name, parameters) extern "C" CUresult name parameters;
HEDDLE_CUDA_SYMBOLS(HEDDLE_TEST_DECLARE)

namespace {

constexpr int64_t count = 1000;

int64_t threadNumber() {
  return int64_t(heddle_emulated_register(HEDDLE_EMULATED_CTAID)) *
             heddle_emulated_register(HEDDLE_EMULATED_NTID) +
         heddle_emulated_register(HEDDLE_EMULATED_TID);
}

/// out[i] = x[i] * factor + y[i]
void combine(void **arguments) {
  const int64_t i = threadNumber();
  if (i < count)
    (*static_cast<float **>(arguments[0]))[i] =
        (*static_cast<float **>(arguments[1]))[i] * *static_cast<float *>(arguments[3]) +
        (*static_cast<float **>(arguments[2]))[i];
}
const int32_t combineBytes[] = {8, 8, 8, 4};

/// Reports numbers that are negative.
void check(void **arguments) {
  const int64_t i = threadNumber();
  if (i >= count || (*static_cast<float **>(arguments[0]))[i] >= 0)
    return;
  auto *record = *static_cast<heddle_cuda_error_t **>(arguments[1]);
  if (!__sync_bool_compare_and_swap(&record->claimed, 0, 1))
    return;
  record->message = 0;
  record->first = i;
  record->second = count;
}
const int32_t checkBytes[] = {8, 8};

const heddle_emulated_kernel emulated[] = {{"combine", combine, combineBytes, 4, 256},
                                           {"check", check, checkBytes, 2, 256}};

/// Buffers: x, y, out, and the arena for one vector.
int32_t entry(heddle_call_t *call, void **buffers) {
  void *x = buffers[0], *y = buffers[1], *out = buffers[2], *arena = buffers[3];
  heddle_cuda_fill(call, out, 0, count);
  heddle_cuda_copy(call, arena, x, count * sizeof(float));
  void *checked[] = {&arena};
  heddle_cuda_launch(call, 1, 4, 1, 1, 256, 0, checked);
  for (int i = 1; i <= 3; ++i) {
    float factor = static_cast<float>(i);
    void *arguments[] = {&out, &arena, i == 1 ? &y : &out, &factor};
    heddle_cuda_launch(call, 0, 4, 1, 1, 256, 0, arguments);
  }
  return call->status;
}

struct Vector {
  CUdeviceptr address = 0;
  CUstream stream;

  explicit Vector(CUstream stream, float value) : stream(stream) {
    REQUIRE(cuMemAllocAsync(&address, count * sizeof(float), stream) == CUDA_SUCCESS);
    set(value);
  }
  void set(float value) {
    std::vector<float> values(count, value);
    REQUIRE(cuMemcpyHtoDAsync_v2(address, values.data(), count * sizeof(float), stream) == CUDA_SUCCESS);
  }
  std::vector<float> get() const {
    std::vector<float> values(count);
    REQUIRE(cuMemcpyDtoHAsync_v2(values.data(), address, count * sizeof(float), stream) == CUDA_SUCCESS);
    return values;
  }
  void *pointer() const { return reinterpret_cast<void *>(address); }
};

} // namespace

TEST_CASE("compiled entries on the emulated device", "[emulator]") {
  setenv("HEDDLE_CUDA_DRIVER", HEDDLE_EMULATED_CUDA, 1);
  int32_t devices = 0;
  INFO(heddle_last_error());
  REQUIRE(heddle_cuda_device_count(&devices) == HEDDLE_OK);
  CHECK(devices == 1);
  heddle_cuda_device_t device;
  REQUIRE(heddle_cuda_device(0, &device) == HEDDLE_OK);
  CHECK(device.name == std::string("Heddle emulated device"));
  CHECK((device.major == 8 && device.minor == 0 && device.emulated == 1 && device.has_matmul == 0));
  CHECK(device.shared_bytes == 163 << 10);
  void *handle = nullptr;
  REQUIRE(heddle_cuda_stream(0, &handle) == HEDDLE_OK);
  auto stream = static_cast<CUstream>(handle);
  CUcontext context;
  REQUIRE(cuDevicePrimaryCtxRetain(&context, 0) == CUDA_SUCCESS);
  REQUIRE(cuCtxPushCurrent_v2(context) == CUDA_SUCCESS);

  const heddle_emulated_image image = {HEDDLE_EMULATED_MAGIC, 2, emulated};
  const heddle_cuda_kernel_t kernels[] = {{"combine", combineBytes, 4, 0, 0, 0},
                                          {"check", checkBytes, 1, 0, 1, 0}};
  const heddle_cuda_message_t messages[] = {{"number {} of {} is negative", HEDDLE_OUT_OF_RANGE, 0}};
  heddle_cuda_program_t program = {};
  program.name = "combine";
  program.image = &image;
  program.image_bytes = sizeof image;
  program.kernels = kernels;
  program.messages = messages;
  program.kernel_count = 2;
  program.message_count = 1;
  program.buffer_count = 3;
  program.arena_bytes = count * sizeof(float);
  program.can_be_captured = 1;
  program.entry = entry;
  heddle_cuda_function_t *function = nullptr;
  REQUIRE(heddle_cuda_function_create(0, &program, &function) == HEDDLE_OK);

  auto call = [&](const Vector &x, const Vector &y, const Vector &out) {
    void *buffers[] = {x.pointer(), y.pointer(), out.pointer()};
    heddle_cuda_run_t *run = nullptr;
    REQUIRE(heddle_cuda_function_start(function, buffers, &run) == HEDDLE_OK);
    heddle_status_t status = heddle_cuda_run_wait(run);
    CHECK(heddle_cuda_run_done(run) == 1);
    heddle_cuda_run_free(run);
    return status;
  };
  // The first call launches, the second makes a graph, the third uses it; many buffers patch what is there.
  Vector x(stream, 2), y(stream, 100), out(stream, 0);
  for (int i = 0; i < 3; ++i) {
    x.set(static_cast<float>(i));
    CHECK(call(x, y, out) == HEDDLE_OK);
    CHECK(out.get() == std::vector<float>(count, 100.0f + 6.0f * i));
  }
  std::vector<Vector> others;
  for (int i = 0; i < 8; ++i)
    others.emplace_back(stream, 1.0f * i);
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < 8; ++i) {
      CHECK(call(others[i], y, out) == HEDDLE_OK);
      CHECK(out.get() == std::vector<float>(count, 100.0f + 6.0f * i));
    }
  // A kernel's report, and a call after it.
  std::vector<float> values(count, 1.0f);
  values[700] = -1;
  REQUIRE(cuMemcpyHtoDAsync_v2(x.address, values.data(), count * sizeof(float), stream) == CUDA_SUCCESS);
  CHECK(call(x, y, out) == HEDDLE_OUT_OF_RANGE);
  CHECK(heddle_last_error() == std::string("number 700 of 1000 is negative"));
  x.set(3);
  CHECK(call(x, y, out) == HEDDLE_OK);
  CHECK(out.get() == std::vector<float>(count, 118.0f));
  // Calls that nobody waits for happen in order.
  for (int i = 0; i < 5; ++i) {
    void *buffers[] = {others[i].pointer(), i ? out.pointer() : y.pointer(), out.pointer()};
    heddle_cuda_run_t *run = nullptr;
    REQUIRE(heddle_cuda_function_start(function, buffers, &run) == HEDDLE_OK);
    heddle_cuda_run_free(run);
  }
  REQUIRE(heddle_cuda_synchronize(0) == HEDDLE_OK);
  // Each call but the first adds to the zeros that it starts with.
  CHECK(out.get() == std::vector<float>(count, 24.0f));
  heddle_cuda_function_free(function);
  CUcontext before;
  cuCtxPopCurrent_v2(&before);
}
