// The order of work on several streams of the emulated driver, and of branches of graphs. Who forgets to wait
// for another stream sees old data in one of the two orders.

#include "DriverCalls.h"

#include <catch2/catch.hpp>
#include <vector>

namespace {

/// out[0] = out[0] * 10 + digit
void append(void **arguments) {
  auto *out = *static_cast<int32_t **>(arguments[0]);
  out[0] = out[0] * 10 + *static_cast<int32_t *>(arguments[1]);
}
const int32_t appendBytes[] = {8, 4};
const heddle_emulated_kernel kernels[] = {{"append", append, appendBytes, 2, 1}};

/// A number whose digits tell in which order launches happened.
struct Device {
  CUcontext context = nullptr;
  CUstream main = nullptr, aside = nullptr;
  CUevent fork = nullptr, join = nullptr;
  CUmodule module = nullptr;
  CUfunction append = nullptr;
  CUdeviceptr number = 0;

  explicit Device(int32_t order) {
    REQUIRE(cuInit(0) == CUDA_SUCCESS);
    REQUIRE(cuDevicePrimaryCtxRetain(&context, 0) == CUDA_SUCCESS);
    REQUIRE(cuCtxPushCurrent_v2(context) == CUDA_SUCCESS);
    REQUIRE(cuStreamCreate(&main, CU_STREAM_DEFAULT) == CUDA_SUCCESS);
    REQUIRE(cuStreamCreate(&aside, CU_STREAM_NON_BLOCKING) == CUDA_SUCCESS);
    for (CUevent *event : {&fork, &join})
      REQUIRE(cuEventCreate(event, CU_EVENT_DISABLE_TIMING) == CUDA_SUCCESS);
    heddle_emulated_image image = {HEDDLE_EMULATED_MAGIC, 1, kernels};
    REQUIRE(cuModuleLoadDataEx(&module, &image, 0, nullptr, nullptr) == CUDA_SUCCESS);
    REQUIRE(cuModuleGetFunction(&append, module, "append") == CUDA_SUCCESS);
    REQUIRE(cuMemAllocAsync(&number, 4, main) == CUDA_SUCCESS);
    heddle_emulated_set_order(order);
  }
  ~Device() {
    heddle_emulated_set_order(0);
    cuModuleUnload(module);
    for (CUevent event : {fork, join})
      cuEventDestroy_v2(event);
    cuStreamDestroy_v2(aside);
    cuStreamDestroy_v2(main);
    CUcontext before;
    cuCtxPopCurrent_v2(&before);
    cuDevicePrimaryCtxRelease_v2(0);
  }

  void launch(int32_t digit, CUstream on) {
    void *arguments[] = {&number, &digit};
    REQUIRE(cuLaunchKernel(append, 1, 1, 1, 1, 1, 1, 0, on, arguments, nullptr) == CUDA_SUCCESS);
  }
  void clear(CUstream on) { REQUIRE(cuMemsetD32Async(number, 0, 1, on) == CUDA_SUCCESS); }
  /// What follows on `to` waits for what `from` has been asked for.
  void order(CUstream from, CUevent event, CUstream to) {
    REQUIRE(cuEventRecord(event, from) == CUDA_SUCCESS);
    REQUIRE(cuStreamWaitEvent(to, event, 0) == CUDA_SUCCESS);
  }
  int32_t value() {
    int32_t result = 0;
    REQUIRE(cuMemcpyDtoHAsync_v2(&result, number, 4, main) == CUDA_SUCCESS);
    return result;
  }
  void begin() {
    REQUIRE(cuStreamBeginCapture_v2(main, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL) == CUDA_SUCCESS);
  }
  CUgraph end() {
    CUgraph graph = nullptr;
    REQUIRE(cuStreamEndCapture(main, &graph) == CUDA_SUCCESS);
    return graph;
  }
  std::vector<CUgraphNode> lastOf(CUstream stream) {
    CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
    const CUgraphNode *nodes = nullptr;
    size_t count = 0;
    REQUIRE(cuStreamGetCaptureInfo_v2(stream, &status, nullptr, nullptr, &nodes, &count) == CUDA_SUCCESS);
    CHECK(status == CU_STREAM_CAPTURE_STATUS_ACTIVE);
    return {nodes, nodes + count};
  }
  /// 1, then 2 and 3 aside, beside 4 and 5 on the main stream, and 6 that waits for both.
  void diamond() {
    clear(main);
    launch(1, main);
    order(main, fork, aside);
    launch(2, aside);
    launch(3, aside);
    REQUIRE(cuEventRecord(join, aside) == CUDA_SUCCESS);
    launch(4, main);
    launch(5, main);
    REQUIRE(cuStreamWaitEvent(main, join, 0) == CUDA_SUCCESS);
    launch(6, main);
  }
};

} // namespace

TEST_CASE("another stream's work happens as late as an event allows, or as early", "[emulator]") {
  for (int32_t order : {0, 1}) {
    Device device(order);
    device.diamond();
    CHECK(device.value() == (order ? 123456 : 145236));
  }
}

TEST_CASE("who does not wait for another stream sees old data", "[emulator]") {
  {
    Device device(0);
    device.clear(device.main);
    device.order(device.main, device.fork, device.aside);
    device.launch(2, device.aside);
    device.launch(1, device.main);
    CHECK(device.value() == 1);
    CHECK(device.value() == 1);
    // An event says when it is done.
    CHECK(cuEventRecord(device.join, device.aside) == CUDA_SUCCESS);
    CHECK(cuEventQuery(device.join) == CUDA_ERROR_NOT_READY);
    CHECK(cuEventSynchronize(device.join) == CUDA_SUCCESS);
    CHECK(cuEventQuery(device.join) == CUDA_SUCCESS);
    CHECK(device.value() == 12);
    // So does the stream itself.
    device.launch(3, device.aside);
    CHECK(device.value() == 12);
    CHECK(cuStreamSynchronize(device.aside) == CUDA_SUCCESS);
    CHECK(device.value() == 123);
  }
  // The other way round: work aside that does not wait comes too early.
  for (int32_t order : {0, 1}) {
    Device device(order);
    device.launch(2, device.aside);
    device.clear(device.main);
    device.order(device.aside, device.join, device.main);
    CHECK(device.value() == (order ? 0 : 2));
  }
}

TEST_CASE("a wait means the record that the event has at that time", "[emulator]") {
  Device device(0);
  CHECK(cuStreamWaitEvent(device.main, device.join, 0) == CUDA_SUCCESS); // never recorded
  CHECK(cuStreamWaitEvent(device.main, device.join, 1) == CUDA_ERROR_INVALID_VALUE);
  device.clear(device.main);
  device.order(device.main, device.fork, device.aside);
  device.launch(1, device.aside);
  device.order(device.aside, device.join, device.main);
  device.launch(2, device.aside);
  CHECK(cuEventRecord(device.join, device.aside) == CUDA_SUCCESS);
  CHECK(device.value() == 1);
  CHECK(cuEventSynchronize(device.join) == CUDA_SUCCESS);
  CHECK(device.value() == 12);
}

TEST_CASE("the null stream and blocking streams wait for each other", "[emulator]") {
  for (int32_t order : {0, 1}) {
    Device device(order);
    device.clear(device.main);
    device.launch(1, device.main);
    device.launch(2, nullptr);
    device.launch(3, device.main);
    CHECK(device.value() == 123);
    device.launch(4, device.main);
    CHECK(cuStreamSynchronize(nullptr) == CUDA_SUCCESS);
    device.launch(5, device.aside);
    device.launch(6, nullptr); // waits for the main stream only
    CHECK(device.value() == (order ? 123456 : 12346));
  }
}

TEST_CASE("memory is freed in the order of its stream", "[emulator]") {
  for (const bool joined : {true, false}) {
    Device device(0);
    device.clear(device.main);
    device.order(device.main, device.fork, device.aside);
    device.launch(1, device.aside);
    if (joined)
      device.order(device.aside, device.join, device.main);
    CHECK(cuMemFreeAsync(device.number, device.main) == CUDA_SUCCESS);
    CHECK(cuStreamSynchronize(device.main) == CUDA_SUCCESS);
    // Else the launch finds no memory.
    CHECK(cuStreamSynchronize(device.aside) == (joined ? CUDA_SUCCESS : CUDA_ERROR_LAUNCH_FAILED));
  }
}

TEST_CASE("a capture spreads to streams that wait for it", "[emulator]") {
  for (int32_t order : {0, 1}) {
    Device device(order);
    device.clear(device.main);
    device.begin();
    device.diamond();
    const std::vector<CUgraphNode> last = device.lastOf(device.main), side = device.lastOf(device.aside);
    CHECK(last.size() == 1);
    CHECK(side.size() == 1);
    CHECK(cuStreamSynchronize(device.aside) == CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    CHECK(cuEventQuery(device.join) == CUDA_ERROR_CAPTURED_EVENT);
    CHECK(cuEventSynchronize(device.join) == CUDA_ERROR_CAPTURED_EVENT);
    CUgraph none = nullptr;
    CHECK(cuStreamEndCapture(device.aside, &none) == CUDA_ERROR_INVALID_VALUE);
    CUgraph graph = device.end();
    // The streams are free again.
    CHECK(cuStreamSynchronize(device.aside) == CUDA_SUCCESS);
    CHECK(cuStreamWaitEvent(device.main, device.join, 0) == CUDA_ERROR_CAPTURED_EVENT);
    CUgraphExec exec;
    REQUIRE(cuGraphInstantiateWithFlags(&exec, graph, 0) == CUDA_SUCCESS);
    for (int launch = 0; launch < 2; ++launch) {
      CHECK(cuGraphLaunch(exec, device.main) == CUDA_SUCCESS);
      CHECK(device.value() == (order ? 123456 : 145236));
    }
    // Nodes of both branches can be changed.
    int32_t eight = 8, nine = 9;
    void *sideArguments[] = {&device.number, &eight}, *lastArguments[] = {&device.number, &nine};
    CUDA_KERNEL_NODE_PARAMS parameters{device.append, 1,       1,       1,      1, 1, 1, 0,
                                       sideArguments, nullptr, nullptr, nullptr};
    CHECK(cuGraphExecKernelNodeSetParams_v2(exec, side[0], &parameters) == CUDA_SUCCESS);
    parameters.kernelParams = lastArguments;
    CHECK(cuGraphExecKernelNodeSetParams_v2(exec, last[0], &parameters) == CUDA_SUCCESS);
    CHECK(cuGraphLaunch(exec, device.main) == CUDA_SUCCESS);
    CHECK(device.value() == (order ? 128459 : 145289));
    // A graph of the same form updates it, one in which other nodes wait does not.
    device.begin();
    device.diamond();
    CUgraph same = device.end();
    CUgraphExecUpdateResultInfo result;
    CHECK(cuGraphExecUpdate_v2(exec, same, &result) == CUDA_SUCCESS);
    CHECK(cuGraphLaunch(exec, device.main) == CUDA_SUCCESS);
    CHECK(device.value() == (order ? 123456 : 145236));
    device.begin();
    device.clear(device.main);
    for (int32_t digit : {1, 2, 3, 4, 5, 6})
      device.launch(digit, device.main);
    CUgraph chain = device.end();
    CHECK(cuGraphExecUpdate_v2(exec, chain, &result) == CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
    CHECK(cuGraphExecDestroy(exec) == CUDA_SUCCESS);
    for (CUgraph made : {graph, same, chain})
      CHECK(cuGraphDestroy(made) == CUDA_SUCCESS);
  }
}

TEST_CASE("after a join the next node waits for both streams", "[emulator]") {
  Device device(0);
  device.begin();
  CHECK(device.lastOf(device.main).empty());
  // The capture may spread before it has a node.
  device.order(device.main, device.fork, device.aside);
  CHECK(device.lastOf(device.aside).empty());
  device.launch(1, device.aside);
  device.launch(2, device.main);
  device.order(device.aside, device.join, device.main);
  CHECK(device.lastOf(device.main).size() == 2);
  device.order(device.aside, device.join, device.main);
  CHECK(device.lastOf(device.main).size() == 2);
  device.launch(3, device.main);
  CHECK(device.lastOf(device.main).size() == 1);
  CHECK(cuGraphDestroy(device.end()) == CUDA_SUCCESS);
}

TEST_CASE("branches of a graph that nothing waits for until its end", "[emulator]") {
  for (int32_t order : {0, 1}) {
    Device device(order);
    device.begin();
    device.clear(device.main);
    device.order(device.main, device.fork, device.aside);
    device.launch(2, device.aside);
    device.launch(1, device.main);
    device.order(device.aside, device.join, device.main);
    CUgraph graph = device.end();
    CUgraphExec exec;
    REQUIRE(cuGraphInstantiateWithFlags(&exec, graph, 0) == CUDA_SUCCESS);
    CHECK(cuGraphLaunch(exec, device.main) == CUDA_SUCCESS);
    CHECK(device.value() == (order ? 21 : 12));
    CHECK(cuGraphExecDestroy(exec) == CUDA_SUCCESS);
    CHECK(cuGraphDestroy(graph) == CUDA_SUCCESS);
  }
}

TEST_CASE("captures that end too early or wait for what is not captured", "[emulator]") {
  Device device(0);
  device.clear(device.main);
  CUgraph graph = nullptr;
  device.begin();
  device.order(device.main, device.fork, device.aside);
  device.launch(1, device.aside);
  device.order(device.aside, device.join, device.main);
  device.launch(2, device.aside); // after the record
  CHECK(cuStreamEndCapture(device.main, &graph) == CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
  CHECK(graph == nullptr);
  // Nothing of it has happened, and both streams work again.
  device.launch(3, device.main);
  CHECK(device.value() == 3);
  device.order(device.main, device.fork, device.aside);
  device.launch(4, device.aside);
  device.order(device.aside, device.join, device.main);
  CHECK(device.value() == 34);
  device.begin();
  CHECK(cuStreamWaitEvent(device.main, device.join, 0) == CUDA_ERROR_STREAM_CAPTURE_ISOLATION);
  CHECK(cuGraphDestroy(device.end()) == CUDA_SUCCESS);
}
