// Streams, events and graphs.

#include "Driver.h"

#include <chrono>

using namespace heddle::emulator;

namespace heddle::runtime::cuda {
struct CUgraphNode_st {
  Work work;
};
struct CUgraph_st {
  std::vector<std::shared_ptr<CUgraphNode_st>> nodes; ///< in the order of one stream
};
struct CUgraphExec_st {
  std::vector<std::shared_ptr<CUgraphNode_st>> source; ///< by which later calls name the nodes
  std::vector<Work> nodes;
};
struct CUstream_st {
  std::unique_ptr<CUgraph_st> captured; ///< while it captures
  CUgraphNode last = nullptr;
  uint64_t number = 0; ///< of the capture
};
struct CUevent_st {
  bool done = true;
  std::chrono::steady_clock::time_point time; ///< when it was done
};
} // namespace heddle::runtime::cuda

bool heddle::emulator::isCapturing(CUstream stream) { return stream && stream->captured; }

CUresult heddle::emulator::put(CUstream stream, Work work) {
  if (!isCapturing(stream)) {
    Machine::get().enqueue(std::move(work));
    return CUDA_SUCCESS;
  }
  stream->captured->nodes.push_back(std::make_shared<CUgraphNode_st>(CUgraphNode_st{std::move(work)}));
  stream->last = stream->captured->nodes.back().get();
  return CUDA_SUCCESS;
}

//===----------------------------------------------------------------------===//
// Streams and events
//===----------------------------------------------------------------------===//

CUresult cuStreamCreate(CUstream *stream, unsigned) {
  HEDDLE_EMULATED_ENTER_STREAM(nullptr);
  *stream = new CUstream_st;
  return CUDA_SUCCESS;
}

CUresult cuStreamDestroy_v2(CUstream stream) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  CUresult result = machine.finish();
  delete stream;
  return result;
}

CUresult cuStreamSynchronize(CUstream stream) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  return isCapturing(stream) ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : machine.finish();
}

CUresult cuEventCreate(CUevent *event, unsigned) {
  HEDDLE_EMULATED_ENTER_STREAM(nullptr);
  *event = new CUevent_st;
  return CUDA_SUCCESS;
}

CUresult cuEventDestroy_v2(CUevent event) {
  HEDDLE_EMULATED_ENTER_STREAM(nullptr);
  CUresult result = machine.finish();
  delete event;
  return result;
}

static std::function<CUresult()> recordOf(CUevent event) {
  return [event]() -> CUresult {
    event->done = true;
    event->time = std::chrono::steady_clock::now();
    return CUDA_SUCCESS;
  };
}

CUresult cuEventRecord(CUevent event, CUstream stream) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  event->done = false;
  return put(stream, recordOf(event));
}

CUresult cuEventRecordWithFlags(CUevent event, CUstream stream, unsigned flags) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  if (flags != CU_EVENT_RECORD_EXTERNAL || !isCapturing(stream))
    return CUDA_ERROR_INVALID_VALUE;
  return put(stream, recordOf(event));
}

CUresult cuEventElapsedTime(float *milliseconds, CUevent from, CUevent to) {
  HEDDLE_EMULATED_ENTER_STREAM(nullptr);
  if (!from->done || !to->done)
    return CUDA_ERROR_NOT_READY;
  *milliseconds = std::chrono::duration<float, std::milli>(to->time - from->time).count();
  return CUDA_SUCCESS;
}

/// One piece of work is done at each question, so that a host that polls sees both answers.
CUresult cuEventQuery(CUevent event) {
  HEDDLE_EMULATED_ENTER_STREAM(nullptr);
  if (event->done)
    return CUDA_SUCCESS;
  if (CUresult failed = machine.step())
    return failed;
  return CUDA_ERROR_NOT_READY;
}

CUresult cuEventSynchronize(CUevent event) {
  HEDDLE_EMULATED_ENTER_STREAM(nullptr);
  while (!event->done)
    if (CUresult failed = machine.step())
      return failed;
  return CUDA_SUCCESS;
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

CUresult cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  if (!stream || stream->captured)
    return CUDA_ERROR_INVALID_VALUE;
  stream->captured = std::make_unique<CUgraph_st>();
  stream->last = nullptr;
  ++stream->number;
  return CUDA_SUCCESS;
}

CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  if (!isCapturing(stream))
    return CUDA_ERROR_INVALID_VALUE;
  *graph = stream->captured.release();
  return CUDA_SUCCESS;
}

CUresult cuStreamGetCaptureInfo_v2(CUstream stream, CUstreamCaptureStatus *status, uint64_t *id,
                                   CUgraph *graph, const CUgraphNode **dependencies, size_t *count) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  const bool active = isCapturing(stream);
  *status = active ? CU_STREAM_CAPTURE_STATUS_ACTIVE : CU_STREAM_CAPTURE_STATUS_NONE;
  if (!active)
    return CUDA_SUCCESS;
  if (id)
    *id = stream->number;
  if (graph)
    *graph = stream->captured.get();
  if (dependencies)
    *dependencies = &stream->last;
  if (count)
    *count = stream->last ? 1 : 0;
  return CUDA_SUCCESS;
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, unsigned long long) {
  HEDDLE_EMULATED_ENTER_STREAM(nullptr);
  auto *made = new CUgraphExec_st{graph->nodes, {}};
  for (const auto &node : graph->nodes)
    made->nodes.push_back(node->work);
  *exec = made;
  return CUDA_SUCCESS;
}

CUresult cuGraphLaunch(CUgraphExec exec, CUstream stream) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  for (const Work &work : exec->nodes)
    put(stream, work);
  return CUDA_SUCCESS;
}

CUresult cuGraphExecKernelNodeSetParams_v2(CUgraphExec exec, CUgraphNode node,
                                           const CUDA_KERNEL_NODE_PARAMS *parameters) {
  HEDDLE_EMULATED_ENTER_STREAM(nullptr);
  for (size_t i = 0; i < exec->source.size(); ++i) {
    if (exec->source[i].get() != node)
      continue;
    if (!exec->nodes[i].function)
      return CUDA_ERROR_INVALID_VALUE;
    const auto &p = *parameters;
    return describeLaunch(exec->nodes[i], p.func, {p.gridDimX, p.gridDimY, p.gridDimZ},
                          {p.blockDimX, p.blockDimY, p.blockDimZ}, p.sharedMemBytes, p.kernelParams);
  }
  return CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGraphExecUpdate_v2(CUgraphExec exec, CUgraph graph, CUgraphExecUpdateResultInfo *result) {
  HEDDLE_EMULATED_ENTER_STREAM(nullptr);
  *result = {};
  const bool same =
      exec->nodes.size() == graph->nodes.size() &&
      std::equal(exec->nodes.begin(), exec->nodes.end(), graph->nodes.begin(),
                 [](const Work &old, const auto &node) { return !old.function == !node->work.function; });
  if (!same) {
    result->result = 1;
    return CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
  }
  for (size_t i = 0; i < exec->nodes.size(); ++i)
    exec->nodes[i] = graph->nodes[i]->work;
  return CUDA_SUCCESS;
}

CUresult cuGraphExecDestroy(CUgraphExec exec) {
  HEDDLE_EMULATED_ENTER_STREAM(nullptr);
  delete exec;
  return CUDA_SUCCESS;
}

CUresult cuGraphDestroy(CUgraph graph) {
  HEDDLE_EMULATED_ENTER_STREAM(nullptr);
  delete graph;
  return CUDA_SUCCESS;
}
