// The emulated driver as the runtime uses it: order of work, graphs, failures. Runs with
// HEDDLE_EMULATED_MEMORY=1M and HEDDLE_EMULATED_FAIL=cuMemsetD8Async:1=1.

#include "DriverCalls.h"

#include <bit>
#include <catch2/catch.hpp>
#include <vector>

namespace {

/// out[0] = out[0] * factor + block
void scale(void **arguments) {
  auto *out = *static_cast<int32_t **>(arguments[0]);
  out[0] = out[0] * *static_cast<int32_t *>(arguments[1]) + heddle_emulated_register(HEDDLE_EMULATED_NCTAID);
}
/// Barriers that not all threads come to.
void stuck(void **) {
  if (heddle_emulated_register(HEDDLE_EMULATED_TID) < 3)
    heddle_emulated_barrier(heddle_emulated_register(HEDDLE_EMULATED_TID), 0);
}
const int32_t scaleBytes[] = {8, 4};
const heddle_emulated_kernel kernels[] = {{"scale", scale, scaleBytes, 2, 1},
                                          {"stuck", stuck, nullptr, 0, 0}};

struct Device {
  CUcontext context = nullptr;
  CUstream stream = nullptr, other = nullptr;
  CUmodule module = nullptr;
  CUfunction scale = nullptr, stuck = nullptr;

  Device() {
    REQUIRE(cuInit(0) == CUDA_SUCCESS);
    REQUIRE(cuDevicePrimaryCtxRetain(&context, 0) == CUDA_SUCCESS);
    REQUIRE(cuCtxPushCurrent_v2(context) == CUDA_SUCCESS);
    REQUIRE(cuStreamCreate(&stream, 0) == CUDA_SUCCESS);
    REQUIRE(cuStreamCreate(&other, CU_STREAM_NON_BLOCKING) == CUDA_SUCCESS);
    heddle_emulated_image image = {HEDDLE_EMULATED_MAGIC, 2, kernels};
    REQUIRE(cuModuleLoadDataEx(&module, &image, 0, nullptr, nullptr) == CUDA_SUCCESS);
    REQUIRE(cuModuleGetFunction(&scale, module, "scale") == CUDA_SUCCESS);
    REQUIRE(cuModuleGetFunction(&stuck, module, "stuck") == CUDA_SUCCESS);
  }
  ~Device() {
    cuModuleUnload(module);
    cuStreamDestroy_v2(stream);
    cuStreamDestroy_v2(other);
    CUcontext before;
    cuCtxPopCurrent_v2(&before);
    cuDevicePrimaryCtxRelease_v2(0);
  }

  CUdeviceptr allocate(size_t bytes) {
    CUdeviceptr pointer = 0;
    REQUIRE(cuMemAllocAsync(&pointer, bytes, stream) == CUDA_SUCCESS);
    return pointer;
  }
  CUresult launchScale(CUdeviceptr out, int32_t factor, CUstream on) {
    void *arguments[] = {&out, &factor};
    return cuLaunchKernel(scale, 1, 1, 1, 1, 1, 1, 0, on, arguments, nullptr);
  }
  int32_t value(CUdeviceptr from) {
    int32_t result = 0;
    REQUIRE(cuMemcpyDtoHAsync_v2(&result, from, 4, stream) == CUDA_SUCCESS);
    return result;
  }
};

} // namespace

TEST_CASE("work happens in order, when somebody waits", "[emulator]") {
  Device device;
  CUdeviceptr memory = device.allocate(4);
  int32_t *host = nullptr;
  REQUIRE(cuMemHostAlloc(reinterpret_cast<void **>(&host), 4, 0) == CUDA_SUCCESS);
  CUevent event;
  REQUIRE(cuEventCreate(&event, 0) == CUDA_SUCCESS);
  int32_t five = 5;
  CHECK(cuMemcpyHtoDAsync_v2(memory, &five, 4, device.stream) == CUDA_SUCCESS);
  five = 6; // was copied before
  CHECK(device.launchScale(memory, 10, device.stream) == CUDA_SUCCESS);
  *host = -7;
  CHECK(cuMemcpyDtoHAsync_v2(host, memory, 4, device.stream) == CUDA_SUCCESS);
  CHECK(cuEventRecord(event, device.stream) == CUDA_SUCCESS);
  CHECK(*host == -7);
  CHECK(cuEventQuery(event) == CUDA_ERROR_NOT_READY);
  CHECK(*host == -7);
  CHECK(cuEventSynchronize(event) == CUDA_SUCCESS);
  CHECK(*host == 51);
  CHECK(cuEventQuery(event) == CUDA_SUCCESS);
  *host = 3; // page-locked memory is read later
  CHECK(cuMemcpyHtoDAsync_v2(memory, host, 4, device.stream) == CUDA_SUCCESS);
  *host = 4;
  CHECK(device.value(memory) == 4);
  CHECK(cuEventDestroy_v2(event) == CUDA_SUCCESS);
  CHECK(cuMemFreeHost(host) == CUDA_SUCCESS);
}

TEST_CASE("memory has a limit, and is full of NaN at first", "[emulator]") {
  Device device;
  size_t free = 0, total = 0;
  CHECK(cuMemGetInfo_v2(&free, &total) == CUDA_SUCCESS);
  CHECK((free == 1 << 20 && total == 1 << 20));
  CUdeviceptr first = device.allocate(1000000), second = 0;
  CHECK(cuMemAllocAsync(&second, 100000, device.stream) == CUDA_ERROR_OUT_OF_MEMORY);
  CHECK(device.value(first) == -1);
  CHECK(cuMemFreeAsync(first, device.stream) == CUDA_SUCCESS);
  // It is free once the stream has come to it.
  CHECK(cuMemAllocAsync(&second, 100000, device.stream) == CUDA_ERROR_OUT_OF_MEMORY);
  CHECK(cuStreamSynchronize(device.stream) == CUDA_SUCCESS);
  CHECK(cuMemAllocAsync(&second, 100000, device.stream) == CUDA_SUCCESS);
  // As the environment says.
  CHECK(cuMemsetD8Async(second, 1, 4, device.stream) == CUDA_ERROR_INVALID_VALUE);
  CHECK(cuMemsetD8Async(second, 1, 4, device.stream) == CUDA_SUCCESS);
  CHECK(device.value(second) == 0x01010101);
}

TEST_CASE("graphs", "[emulator]") {
  Device device;
  CUdeviceptr memory = device.allocate(4), another = device.allocate(4);
  auto capture = [&](CUdeviceptr on, int32_t factor, std::vector<CUgraphNode> &nodes) {
    REQUIRE(cuStreamBeginCapture_v2(device.other, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL) == CUDA_SUCCESS);
    REQUIRE(cuMemsetD32Async(on, 2, 1, device.other) == CUDA_SUCCESS);
    for (int i = 0; i < 2; ++i) {
      REQUIRE(device.launchScale(on, factor, device.other) == CUDA_SUCCESS);
      CUstreamCaptureStatus status;
      const CUgraphNode *last = nullptr;
      size_t count = 0;
      REQUIRE(cuStreamGetCaptureInfo_v2(device.other, &status, nullptr, nullptr, &last, &count) ==
              CUDA_SUCCESS);
      REQUIRE((status == CU_STREAM_CAPTURE_STATUS_ACTIVE && count == 1));
      nodes.push_back(last[0]);
    }
    CHECK(cuStreamSynchronize(device.other) == CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    CUgraph graph = nullptr;
    REQUIRE(cuStreamEndCapture(device.other, &graph) == CUDA_SUCCESS);
    return graph;
  };
  std::vector<CUgraphNode> nodes, others;
  CUgraph graph = capture(memory, 10, nodes);
  CHECK(device.value(memory) == -1); // nothing has happened
  CUgraphExec exec;
  REQUIRE(cuGraphInstantiateWithFlags(&exec, graph, 0) == CUDA_SUCCESS);
  for (int i = 0; i < 2; ++i) {
    CHECK(cuGraphLaunch(exec, device.stream) == CUDA_SUCCESS);
    CHECK(device.value(memory) == 211);
  }
  int32_t factor = 100;
  void *arguments[] = {&memory, &factor};
  CUDA_KERNEL_NODE_PARAMS parameters{device.scale, 1, 1, 1, 1, 1, 1, 0, arguments, nullptr, nullptr, nullptr};
  CHECK(cuGraphExecKernelNodeSetParams_v2(exec, nodes[1], &parameters) == CUDA_SUCCESS);
  CHECK(cuGraphLaunch(exec, device.stream) == CUDA_SUCCESS);
  CHECK(device.value(memory) == 2101);
  CUgraph changed = capture(another, 3, others);
  CUgraphExecUpdateResultInfo result;
  CHECK(cuGraphExecUpdate_v2(exec, changed, &result) == CUDA_SUCCESS);
  CHECK(cuGraphDestroy(changed) == CUDA_SUCCESS);
  CHECK(cuGraphLaunch(exec, device.stream) == CUDA_SUCCESS);
  CHECK(device.value(another) == 22);
  CHECK(device.value(memory) == 2101);
  // The nodes of the first graph still name those of the executable.
  CHECK(cuGraphExecKernelNodeSetParams_v2(exec, nodes[0], &parameters) == CUDA_SUCCESS);
  CHECK(cuGraphExecKernelNodeSetParams_v2(exec, others[0], &parameters) == CUDA_ERROR_INVALID_VALUE);
  CHECK(cuGraphExecDestroy(exec) == CUDA_SUCCESS);
  CHECK(cuGraphDestroy(graph) == CUDA_SUCCESS);
}

TEST_CASE("events of a graph are recorded at each launch", "[emulator]") {
  Device device;
  CUdeviceptr memory = device.allocate(4);
  CUevent before, after;
  REQUIRE((cuEventCreate(&before, 0) == CUDA_SUCCESS && cuEventCreate(&after, 0) == CUDA_SUCCESS));
  CHECK(cuEventRecordWithFlags(before, device.other, CU_EVENT_RECORD_EXTERNAL) == CUDA_ERROR_INVALID_VALUE);
  REQUIRE(cuStreamBeginCapture_v2(device.other, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL) == CUDA_SUCCESS);
  CHECK(cuEventRecordWithFlags(before, device.other, CU_EVENT_RECORD_EXTERNAL) == CUDA_SUCCESS);
  REQUIRE(device.launchScale(memory, 1, device.other) == CUDA_SUCCESS);
  CHECK(cuEventRecordWithFlags(after, device.other, CU_EVENT_RECORD_EXTERNAL) == CUDA_SUCCESS);
  CHECK(cuEventRecordWithFlags(after, device.other, CU_EVENT_RECORD_DEFAULT) == CUDA_ERROR_INVALID_VALUE);
  CUgraph graph;
  CUgraphExec exec;
  REQUIRE(cuStreamEndCapture(device.other, &graph) == CUDA_SUCCESS);
  REQUIRE(cuGraphInstantiateWithFlags(&exec, graph, 0) == CUDA_SUCCESS);
  CUevent start;
  REQUIRE(cuEventCreate(&start, 0) == CUDA_SUCCESS);
  float untilBefore = 0, untilAfter = 0;
  for (int launch = 0; launch < 2; ++launch) {
    REQUIRE(cuEventRecord(start, device.stream) == CUDA_SUCCESS);
    REQUIRE(cuGraphLaunch(exec, device.stream) == CUDA_SUCCESS);
    REQUIRE(cuStreamSynchronize(device.stream) == CUDA_SUCCESS);
    CHECK(cuEventElapsedTime(&untilBefore, start, before) == CUDA_SUCCESS);
    CHECK(cuEventElapsedTime(&untilAfter, start, after) == CUDA_SUCCESS);
    // The second time this would be negative for a record that the launch did not make anew.
    CHECK((0 < untilBefore && untilBefore < untilAfter));
  }
  for (CUevent event : {start, before, after})
    CHECK(cuEventDestroy_v2(event) == CUDA_SUCCESS);
  CHECK(cuGraphExecDestroy(exec) == CUDA_SUCCESS);
  CHECK(cuGraphDestroy(graph) == CUDA_SUCCESS);
}

TEST_CASE("launches that cannot be", "[emulator]") {
  Device device;
  auto launch = [&](unsigned grid, unsigned threads, unsigned shared) {
    return cuLaunchKernel(device.stuck, grid, 1, 1, threads, 1, 1, shared, device.stream, nullptr, nullptr);
  };
  CHECK(launch(0, 32, 0) == CUDA_ERROR_INVALID_VALUE);
  CHECK(launch(1, 1025, 0) == CUDA_ERROR_INVALID_VALUE);
  CHECK(launch(1, 32, 60000) == CUDA_ERROR_INVALID_VALUE);
  CHECK(cuFuncSetAttribute(device.stuck, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 60000) ==
        CUDA_SUCCESS);
  CHECK(cuFuncSetAttribute(device.stuck, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 200000) ==
        CUDA_ERROR_INVALID_VALUE);
  CUmodule module;
  CUfunction function;
  CHECK(cuModuleLoadDataEx(&module, "//\n// PTX", 0, nullptr, nullptr) == CUDA_ERROR_INVALID_IMAGE);
  CHECK(cuModuleGetFunction(&function, device.module, "missing") == CUDA_ERROR_NOT_FOUND);
}

TEST_CASE("a deadlock fails the launch and all that follows", "[emulator]") {
  {
    Device device;
    CUdeviceptr memory = device.allocate(4);
    CHECK(cuLaunchKernel(device.stuck, 1, 1, 1, 2, 1, 1, 0, device.stream, nullptr, nullptr) == CUDA_SUCCESS);
    CHECK(cuStreamSynchronize(device.stream) == CUDA_ERROR_LAUNCH_FAILED);
    CHECK(heddle_emulated_failure() == std::string("kernel stuck, block (0, 0, 0): deadlock: thread 0 "
                                                   "waiting at barrier 0 for all threads, thread 1 "
                                                   "waiting at barrier 1 for all threads"));
    CHECK(device.launchScale(memory, 1, device.stream) == CUDA_SUCCESS);
    CHECK(cuStreamSynchronize(device.stream) == CUDA_ERROR_LAUNCH_FAILED);
  }
  Device again;
  CHECK(cuStreamSynchronize(again.stream) == CUDA_SUCCESS);
  CHECK(heddle_emulated_failure() == std::string());
}

TEST_CASE("errors have names", "[emulator]") {
  const char *text = nullptr;
  CHECK(cuGetErrorName(CUDA_ERROR_OUT_OF_MEMORY, &text) == CUDA_SUCCESS);
  CHECK(text == std::string("CUDA_ERROR_OUT_OF_MEMORY"));
  CHECK(cuGetErrorString(CUDA_ERROR_OUT_OF_MEMORY, &text) == CUDA_SUCCESS);
  CHECK(text == std::string("out of memory"));
  CHECK(cuGetErrorName(12345, &text) == CUDA_ERROR_INVALID_VALUE);
}

extern "C" __bf16 __truncsfbf2(float);
extern "C" __bf16 __truncdfbf2(double);

TEST_CASE("numbers are rounded to bf16 once", "[emulator]") {
  auto bits = [](__bf16 x) { return std::bit_cast<uint16_t>(x); };
  CHECK(bits(__truncsfbf2(1.0f)) == 0x3f80);
  CHECK(bits(__truncsfbf2(1.00390625f)) == 0x3f80); // a tie goes to the even neighbour
  CHECK(bits(__truncsfbf2(1.01171875f)) == 0x3f82);
  CHECK(bits(__truncsfbf2(-3.4e38f)) == 0xff80);
  CHECK(bits(__truncsfbf2(std::bit_cast<float>(0x7f800001u))) == 0x7fc0);
  // Through f32 this would first become a tie, then go down.
  CHECK(bits(__truncdfbf2(1.00390625 + 0x1p-40)) == 0x3f81);
  CHECK(bits(__truncdfbf2(1.01171875 - 0x1p-40)) == 0x3f81);
  CHECK(bits(__truncdfbf2(1.00390625)) == 0x3f80);
}
