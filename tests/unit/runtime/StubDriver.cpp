// The stub driver: streams run at once, memory is the host's, a graph is a list of functions.

#include "StubDriver.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

using namespace heddle::runtime::cuda;
using stub::Control;

extern "C" __attribute__((visibility("default"))) Control heddle_stub_control;
Control heddle_stub_control;

namespace {

Control &control = heddle_stub_control;

/// What the test wants `symbol` to return.
CUresult injected(const char *symbol) {
  if (!control.failing || std::strcmp(control.failing, symbol) != 0)
    return CUDA_SUCCESS;
  return control.after-- > 0 ? CUDA_SUCCESS : control.result;
}

struct Node {
  const stub::Kernel *kernel = nullptr; ///< null for another operation
  unsigned blocks = 0;
  std::vector<std::vector<char>> arguments;
  std::function<void()> other;

  void run() const {
    if (!kernel)
      return other();
    std::vector<void *> pointers;
    for (const auto &argument : arguments)
      pointers.push_back(const_cast<char *>(argument.data()));
    kernel->run(blocks, pointers.data());
  }
  void take(void **values) {
    arguments.clear();
    for (int i = 0; i < kernel->arguments; ++i) {
      const char *from = static_cast<const char *>(values[i]);
      arguments.emplace_back(from, from + kernel->bytes[i]);
    }
  }
};

struct Graph {
  Graph() { ++control.liveGraphs; }
  ~Graph() { --control.liveGraphs; }
  std::vector<std::unique_ptr<Node>> nodes;
};

/// Its nodes are numbered as those of the graph that it was made from.
struct Exec {
  std::vector<Node> nodes;
  std::vector<const Node *> from;
};

struct Stream {
  Graph *capturing = nullptr; ///< owned by the stream that began
  Stream *origin = nullptr;   ///< which that is
  CUgraphNode last = nullptr;
  size_t nodes = 0, joined = 0; ///< captured here, and those among them that the origin waits for
};

struct Event {
  double at = 0;              ///< the clock's time when it was recorded
  Stream *captured = nullptr; ///< where, during a capture
  size_t nodes = 0;           ///< of that stream, before it
};

std::vector<Stream *> &streams() {
  static auto &all = *new std::vector<Stream *>;
  return all;
}

Stream *streamOf(CUstream stream) { return reinterpret_cast<Stream *>(stream); }

/// Tells the test what a stream is asked for.
void tell(const char *what, CUstream stream, CUevent event = nullptr) {
  if (control.watch)
    control.watch(what, stream, event);
}

/// Adds it to the graph that the stream captures.
Node *capture(Stream &stream) {
  stream.capturing->nodes.push_back(std::make_unique<Node>());
  Node *node = stream.capturing->nodes.back().get();
  stream.last = reinterpret_cast<CUgraphNode>(node);
  ++stream.nodes;
  return node;
}

/// Runs the operation, or adds it to the graph that the stream captures.
CUresult enqueue(CUstream stream, std::function<void()> operation) {
  Stream *target = streamOf(stream);
  if (!target->capturing) {
    operation();
    return CUDA_SUCCESS;
  }
  capture(*target)->other = std::move(operation);
  return CUDA_SUCCESS;
}

/// The same for a copy or a fill.
CUresult transfer(CUstream stream, std::function<void()> operation) {
  return enqueue(stream, [operation = std::move(operation)] {
    operation();
    control.clock += control.transferTime;
  });
}

void *memory(CUdeviceptr address) { return reinterpret_cast<void *>(address); }

std::map<CUdeviceptr, size_t> &allocations() {
  static auto &known = *new std::map<CUdeviceptr, size_t>;
  return known;
}

} // namespace

#define STUB(name, parameters) extern "C" __attribute__((visibility("default"))) CUresult name parameters
#define FAIL_IF_ASKED(name)                                                                                  \
  if (CUresult wanted = injected(#name))                                                                     \
    return wanted;

STUB(cuGetErrorName, (CUresult error, const char **text)) {
  *text = error == CUDA_ERROR_ILLEGAL_ADDRESS  ? "CUDA_ERROR_ILLEGAL_ADDRESS"
          : error == CUDA_ERROR_OUT_OF_MEMORY  ? "CUDA_ERROR_OUT_OF_MEMORY"
          : error == CUDA_ERROR_INVALID_PTX    ? "CUDA_ERROR_INVALID_PTX"
          : error == CUDA_ERROR_UNKNOWN        ? "CUDA_ERROR_UNKNOWN"
          : error == CUDA_ERROR_NOT_FOUND      ? "CUDA_ERROR_NOT_FOUND"
          : error == CUDA_ERROR_LAUNCH_TIMEOUT ? "CUDA_ERROR_LAUNCH_TIMEOUT"
                                               : nullptr;
  return *text ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
STUB(cuGetErrorString, (CUresult error, const char **text)) {
  *text = error == CUDA_ERROR_ILLEGAL_ADDRESS ? "an illegal memory access was encountered" : "stub";
  return CUDA_SUCCESS;
}
STUB(cuInit, (unsigned)) { return injected("cuInit"); }
STUB(cuDriverGetVersion, (int *version)) {
  FAIL_IF_ASKED(cuDriverGetVersion)
  *version = control.version;
  return CUDA_SUCCESS;
}
STUB(cuDeviceGetCount, (int *count)) {
  *count = control.devices;
  return CUDA_SUCCESS;
}
STUB(cuDeviceGet, (CUdevice * device, int ordinal)) {
  *device = ordinal;
  return CUDA_SUCCESS;
}
STUB(cuDeviceGetName, (char *name, int size, CUdevice)) {
  std::strncpy(name, control.name, static_cast<size_t>(size) - 1);
  return CUDA_SUCCESS;
}
STUB(cuDeviceGetAttribute, (int *value, CUdevice_attribute attribute, CUdevice)) {
  switch (attribute) {
  case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
    *value = 4;
    break;
  case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE:
    *value = 1 << 20;
    break;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
    *value = control.major;
    break;
  case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
    *value = control.minor;
    break;
  case CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED:
    *value = control.memoryPools;
    break;
  default:
    *value = control.sharedBytes;
  }
  return CUDA_SUCCESS;
}
STUB(cuDeviceTotalMem_v2, (size_t *bytes, CUdevice)) {
  *bytes = static_cast<size_t>(control.memory);
  return CUDA_SUCCESS;
}
STUB(cuDeviceGetDefaultMemPool, (CUmemoryPool *, CUdevice)) { return CUDA_SUCCESS; }
STUB(cuDevicePrimaryCtxRetain, (CUcontext *, CUdevice)) { return injected("cuDevicePrimaryCtxRetain"); }
STUB(cuDevicePrimaryCtxRelease_v2, (CUdevice)) { return CUDA_SUCCESS; }
STUB(cuCtxPushCurrent_v2, (CUcontext)) { return CUDA_SUCCESS; }
STUB(cuCtxPopCurrent_v2, (CUcontext *)) { return CUDA_SUCCESS; }
STUB(cuStreamCreate, (CUstream * stream, unsigned)) {
  streams().push_back(new Stream);
  *stream = reinterpret_cast<CUstream>(streams().back());
  return CUDA_SUCCESS;
}
STUB(cuStreamDestroy_v2, (CUstream stream)) {
  std::erase(streams(), streamOf(stream));
  delete streamOf(stream);
  return CUDA_SUCCESS;
}
STUB(cuStreamSynchronize, (CUstream stream)) {
  FAIL_IF_ASKED(cuStreamSynchronize)
  return streamOf(stream)->capturing ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : CUDA_SUCCESS;
}
/// A capture spreads to a stream that waits for an event of it.
STUB(cuStreamWaitEvent, (CUstream stream, CUevent event, unsigned)) {
  FAIL_IF_ASKED(cuStreamWaitEvent)
  tell("wait", stream, event);
  Stream *target = streamOf(stream), *from = reinterpret_cast<Event *>(event)->captured;
  if (target->capturing && (!from || from->capturing != target->capturing))
    return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
  if (!from)
    return CUDA_SUCCESS;
  if (!from->capturing)
    return CUDA_ERROR_CAPTURED_EVENT;
  if (!target->capturing)
    *target = {from->capturing, from->origin};
  if (target == from->origin)
    from->joined = std::max(from->joined, reinterpret_cast<Event *>(event)->nodes);
  return CUDA_SUCCESS;
}
STUB(cuStreamBeginCapture_v2, (CUstream stream, CUstreamCaptureMode)) {
  FAIL_IF_ASKED(cuStreamBeginCapture_v2)
  ++control.captures;
  *streamOf(stream) = {new Graph, streamOf(stream)};
  return CUDA_SUCCESS;
}
STUB(cuStreamEndCapture, (CUstream stream, CUgraph *graph)) {
  std::unique_ptr<Graph> captured(streamOf(stream)->capturing);
  *graph = nullptr;
  bool joined = true;
  for (Stream *other : streams())
    if (other->capturing == captured.get()) {
      joined &= other == streamOf(stream) || other->joined == other->nodes;
      *other = {};
    }
  if (!joined)
    return CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
  FAIL_IF_ASKED(cuStreamEndCapture)
  *graph = reinterpret_cast<CUgraph>(captured.release());
  return CUDA_SUCCESS;
}
STUB(cuStreamGetCaptureInfo_v2, (CUstream stream, CUstreamCaptureStatus *status, uint64_t *, CUgraph *,
                                 const CUgraphNode **dependencies, size_t *count)) {
  *status = CU_STREAM_CAPTURE_STATUS_ACTIVE;
  *dependencies = &streamOf(stream)->last;
  *count = 1;
  return CUDA_SUCCESS;
}
STUB(cuEventCreate, (CUevent * event, unsigned)) {
  FAIL_IF_ASKED(cuEventCreate)
  ++control.liveEvents;
  *event = reinterpret_cast<CUevent>(new Event);
  return CUDA_SUCCESS;
}
STUB(cuEventDestroy_v2, (CUevent event)) {
  --control.liveEvents;
  delete reinterpret_cast<Event *>(event);
  return CUDA_SUCCESS;
}
STUB(cuEventRecord, (CUevent event, CUstream stream)) {
  FAIL_IF_ASKED(cuEventRecord)
  tell("record", stream, event);
  // During a capture it is no node.
  Stream *target = streamOf(stream);
  Event *recorded = reinterpret_cast<Event *>(event);
  if (target->capturing)
    *recorded = {recorded->at, target, target->nodes};
  else
    *recorded = {control.clock};
  return CUDA_SUCCESS;
}
STUB(cuEventRecordWithFlags, (CUevent event, CUstream stream, unsigned flags)) {
  FAIL_IF_ASKED(cuEventRecordWithFlags)
  if (flags != CU_EVENT_RECORD_EXTERNAL || !streamOf(stream)->capturing)
    return CUDA_ERROR_INVALID_VALUE;
  ++control.eventNodes;
  return enqueue(stream, [=] { reinterpret_cast<Event *>(event)->at = control.clock; });
}
STUB(cuEventQuery, (CUevent)) { return injected("cuEventQuery"); }
STUB(cuEventSynchronize, (CUevent)) { return injected("cuEventSynchronize"); }
STUB(cuEventElapsedTime, (float *milliseconds, CUevent from, CUevent to)) {
  *milliseconds = static_cast<float>(reinterpret_cast<Event *>(to)->at - reinterpret_cast<Event *>(from)->at);
  return injected("cuEventElapsedTime");
}
STUB(cuMemPoolSetAttribute, (CUmemoryPool, CUmemPool_attribute, void *)) { return CUDA_SUCCESS; }
STUB(cuMemPoolTrimTo, (CUmemoryPool, size_t)) { return CUDA_SUCCESS; }
STUB(cuMemAllocAsync, (CUdeviceptr * pointer, size_t bytes, CUstream)) {
  FAIL_IF_ASKED(cuMemAllocAsync)
  if (control.usedMemory + static_cast<int64_t>(bytes) > control.memory)
    return CUDA_ERROR_OUT_OF_MEMORY;
  *pointer = reinterpret_cast<CUdeviceptr>(std::aligned_alloc(256, (bytes + 255) / 256 * 256));
  allocations()[*pointer] = bytes;
  control.usedMemory += static_cast<int64_t>(bytes);
  ++control.liveAllocations;
  return CUDA_SUCCESS;
}
STUB(cuMemFreeAsync, (CUdeviceptr pointer, CUstream)) {
  auto found = allocations().find(pointer);
  if (found == allocations().end())
    return CUDA_ERROR_INVALID_VALUE;
  control.usedMemory -= static_cast<int64_t>(found->second);
  --control.liveAllocations;
  allocations().erase(found);
  std::free(memory(pointer));
  return CUDA_SUCCESS;
}
STUB(cuMemGetInfo_v2, (size_t *free, size_t *total)) {
  *free = static_cast<size_t>(control.memory - control.usedMemory);
  *total = static_cast<size_t>(control.memory);
  return CUDA_SUCCESS;
}
STUB(cuMemHostAlloc, (void **pointer, size_t bytes, unsigned)) {
  *pointer = std::calloc(1, bytes);
  return CUDA_SUCCESS;
}
STUB(cuMemFreeHost, (void *pointer)) {
  std::free(pointer);
  return CUDA_SUCCESS;
}
STUB(cuMemcpyHtoDAsync_v2, (CUdeviceptr to, const void *from, size_t bytes, CUstream stream)) {
  FAIL_IF_ASKED(cuMemcpyHtoDAsync_v2)
  return transfer(stream, [=] { std::memcpy(memory(to), from, bytes); });
}
STUB(cuMemcpyDtoHAsync_v2, (void *to, CUdeviceptr from, size_t bytes, CUstream stream)) {
  FAIL_IF_ASKED(cuMemcpyDtoHAsync_v2)
  return transfer(stream, [=] { std::memcpy(to, memory(from), bytes); });
}
STUB(cuMemcpyDtoDAsync_v2, (CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream)) {
  return transfer(stream, [=] { std::memcpy(memory(to), memory(from), bytes); });
}
STUB(cuMemcpyPeerAsync,
     (CUdeviceptr to, CUcontext, CUdeviceptr from, CUcontext, size_t bytes, CUstream stream)) {
  return transfer(stream, [=] { std::memcpy(memory(to), memory(from), bytes); });
}
STUB(cuMemsetD8Async, (CUdeviceptr to, unsigned char value, size_t count, CUstream stream)) {
  return transfer(stream, [=] { std::memset(memory(to), value, count); });
}
STUB(cuMemsetD32Async, (CUdeviceptr to, unsigned value, size_t count, CUstream stream)) {
  return transfer(stream, [=] {
    for (size_t i = 0; i < count; ++i)
      static_cast<unsigned *>(memory(to))[i] = value;
  });
}
STUB(cuModuleLoadDataEx,
     (CUmodule * module, const void *image, unsigned count, CUjit_option *options, void **values)) {
  FAIL_IF_ASKED(cuModuleLoadDataEx)
  if (std::strcmp(static_cast<const char *>(image), "STUBIMG") != 0) {
    for (unsigned i = 0; i < count; ++i)
      if (options[i] == CU_JIT_ERROR_LOG_BUFFER)
        std::strcpy(static_cast<char *>(values[i]), "ptxas application ptx input, line 1; fatal : stub");
    return CUDA_ERROR_INVALID_PTX;
  }
  *module = reinterpret_cast<CUmodule>(new stub::Image(*static_cast<const stub::Image *>(image)));
  return CUDA_SUCCESS;
}
STUB(cuModuleUnload, (CUmodule module)) {
  delete reinterpret_cast<stub::Image *>(module);
  return CUDA_SUCCESS;
}
STUB(cuModuleGetFunction, (CUfunction * function, CUmodule module, const char *name)) {
  auto *image = reinterpret_cast<stub::Image *>(module);
  for (int32_t i = 0; i < image->count; ++i)
    if (std::strcmp(image->kernels[i].name, name) == 0) {
      *function = reinterpret_cast<CUfunction>(&image->kernels[i]);
      return CUDA_SUCCESS;
    }
  return CUDA_ERROR_NOT_FOUND;
}
STUB(cuFuncSetAttribute, (CUfunction, CUfunction_attribute, int)) { return CUDA_SUCCESS; }
STUB(cuLaunchKernel, (CUfunction function, unsigned gridX, unsigned, unsigned, unsigned, unsigned, unsigned,
                      unsigned, CUstream stream, void **arguments, void **)) {
  FAIL_IF_ASKED(cuLaunchKernel)
  tell("launch", stream);
  auto *kernel = reinterpret_cast<const stub::Kernel *>(function);
  Stream *target = streamOf(stream);
  if (!target->capturing) {
    ++control.launches;
    kernel->run(gridX, arguments);
    return CUDA_SUCCESS;
  }
  Node *node = capture(*target);
  node->kernel = kernel;
  node->blocks = gridX;
  node->take(arguments);
  return CUDA_SUCCESS;
}
STUB(cuGraphInstantiateWithFlags, (CUgraphExec * exec, CUgraph graph, unsigned long long)) {
  FAIL_IF_ASKED(cuGraphInstantiateWithFlags)
  ++control.instantiations;
  auto *made = new Exec;
  for (const auto &node : reinterpret_cast<Graph *>(graph)->nodes) {
    made->nodes.push_back(*node);
    made->from.push_back(node.get());
  }
  *exec = reinterpret_cast<CUgraphExec>(made);
  return CUDA_SUCCESS;
}
STUB(cuGraphLaunch, (CUgraphExec exec, CUstream)) {
  FAIL_IF_ASKED(cuGraphLaunch)
  ++control.graphLaunches;
  for (const Node &node : reinterpret_cast<Exec *>(exec)->nodes)
    node.run();
  return CUDA_SUCCESS;
}
STUB(cuGraphExecKernelNodeSetParams_v2,
     (CUgraphExec exec, CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS *parameters)) {
  FAIL_IF_ASKED(cuGraphExecKernelNodeSetParams_v2)
  auto *target = reinterpret_cast<Exec *>(exec);
  for (size_t i = 0; i < target->from.size(); ++i)
    if (target->from[i] == reinterpret_cast<Node *>(node)) {
      ++control.nodeUpdates;
      target->nodes[i].blocks = parameters->gridDimX;
      target->nodes[i].take(parameters->kernelParams);
      return CUDA_SUCCESS;
    }
  return CUDA_ERROR_INVALID_VALUE;
}
STUB(cuGraphExecUpdate_v2, (CUgraphExec exec, CUgraph graph, CUgraphExecUpdateResultInfo *)) {
  auto *target = reinterpret_cast<Exec *>(exec);
  auto *source = reinterpret_cast<Graph *>(graph);
  if (target->nodes.size() != source->nodes.size())
    return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
  FAIL_IF_ASKED(cuGraphExecUpdate_v2)
  ++control.graphUpdates;
  for (size_t i = 0; i < target->nodes.size(); ++i)
    target->nodes[i] = *source->nodes[i];
  return CUDA_SUCCESS;
}
STUB(cuGraphExecDestroy, (CUgraphExec exec)) {
  delete reinterpret_cast<Exec *>(exec);
  return CUDA_SUCCESS;
}
STUB(cuGraphDestroy, (CUgraph graph)) {
  delete reinterpret_cast<Graph *>(graph);
  return CUDA_SUCCESS;
}
