// Captures and graphs.

#include "Streams.h"

#include <algorithm>

using namespace heddle::emulator;

namespace heddle::runtime::cuda {
struct CUgraphExec_st {
  std::vector<std::shared_ptr<CUgraphNode_st>> source; ///< by which later calls name the nodes
  std::vector<Work> nodes;
};
} // namespace heddle::runtime::cuda

using Nodes = std::vector<std::shared_ptr<CUgraphNode_st>>;

/// Calls `visit` for each of the nodes that is not `done` yet and that those `wanted` need, they included.
template <typename Visit>
static void forNeeded(const Nodes &nodes, std::vector<size_t> wanted, std::vector<bool> &done,
                      Visit &&visit) {
  while (!wanted.empty()) {
    const size_t number = wanted.back();
    wanted.pop_back();
    if (done[number])
      continue;
    done[number] = true;
    visit(number);
    wanted.insert(wanted.end(), nodes[number]->after.begin(), nodes[number]->after.end());
  }
}

/// The nodes in an order that they allow, those aside as late as possible: when another one waits for them.
static std::vector<size_t> orderedLate(const Nodes &nodes) {
  std::vector<size_t> order;
  std::vector<bool> done(nodes.size());
  for (const bool aside : {false, true})
    for (const auto &node : nodes) {
      if (node->aside != aside)
        continue;
      const auto begin = static_cast<std::ptrdiff_t>(order.size());
      forNeeded(nodes, {node->number}, done, [&](size_t number) { order.push_back(number); });
      std::sort(order.begin() + begin, order.end());
    }
  return order;
}

/// The same, but those aside as early as possible.
static std::vector<size_t> orderedEarly(const Nodes &nodes) {
  std::vector<std::vector<size_t>> dependants(nodes.size());
  std::vector<size_t> open(nodes.size()), order, ready;
  for (const auto &node : nodes) {
    open[node->number] = node->after.size();
    for (const size_t before : node->after)
      dependants[before].push_back(node->number);
    if (node->aside && node->after.empty())
      ready.push_back(node->number);
  }
  std::reverse(ready.begin(), ready.end());
  auto perform = [&](size_t number) {
    order.push_back(number);
    for (const size_t dependant : dependants[number])
      if (--open[dependant] == 0 && nodes[dependant]->aside)
        ready.push_back(dependant);
  };
  auto performReady = [&] {
    while (!ready.empty()) {
      const size_t number = ready.back();
      ready.pop_back();
      perform(number);
    }
  };
  performReady();
  for (const auto &node : nodes)
    if (!node->aside) {
      perform(node->number);
      performReady();
    }
  return order;
}

//===----------------------------------------------------------------------===//
// Captures
//===----------------------------------------------------------------------===//

void heddle::emulator::endCapture(Capture &capture) {
  capture.graph = nullptr;
  // The last of them lets go of the capture.
  for (const std::set<CUstream> streams = std::move(capture.streams); CUstream stream : streams) {
    stream->last.clear();
    stream->capture = nullptr;
  }
}

CUresult cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  if (!stream || stream->capture)
    return CUDA_ERROR_INVALID_VALUE;
  stream->capture = std::make_shared<Capture>(Capture{stream, {stream}, std::make_unique<CUgraph_st>()});
  return CUDA_SUCCESS;
}

CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph) {
  HEDDLE_EMULATED_ENTER_STREAM(stream);
  *graph = nullptr;
  if (!isCapturing(stream) || stream->capture->origin != stream)
    return CUDA_ERROR_INVALID_VALUE;
  std::unique_ptr<CUgraph_st> captured = std::move(stream->capture->graph);
  std::vector<size_t> last;
  for (const CUgraphNode node : stream->last)
    last.push_back(node->number);
  endCapture(*stream->capture);
  size_t joined = 0;
  std::vector<bool> known(captured->nodes.size());
  forNeeded(captured->nodes, std::move(last), known, [&](size_t) { ++joined; });
  if (joined < captured->nodes.size())
    return CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
  *graph = captured.release();
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
    *id = reinterpret_cast<uint64_t>(stream->capture.get());
  if (graph)
    *graph = stream->capture->graph.get();
  if (dependencies)
    *dependencies = stream->last.data();
  if (count)
    *count = stream->last.size();
  return CUDA_SUCCESS;
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

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
  for (const size_t number : machine.order ? orderedEarly(exec->source) : orderedLate(exec->source))
    put(stream, exec->nodes[number]);
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
      std::equal(exec->source.begin(), exec->source.end(), graph->nodes.begin(), graph->nodes.end(),
                 [](const auto &old, const auto &node) {
                   return !old->work.function == !node->work.function && old->after == node->after;
                 });
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
