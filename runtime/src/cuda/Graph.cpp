// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.

#include "cuda/Graph.h"

#include <algorithm>

using namespace heddle::runtime::cuda;

void Recording::add(const Step &step, CUgraphNode node, const std::vector<char> &bytes) {
  entries.push_back({step, node, arguments.size(), bytes.size()});
  arguments.insert(arguments.end(), bytes.begin(), bytes.end());
}

bool Recording::sameArguments(size_t at, const std::vector<char> &bytes) const {
  const Entry &entry = entries[at];
  return entry.bytes == bytes.size() &&
         (bytes.empty() || std::memcmp(arguments.data() + entry.begin, bytes.data(), bytes.size()) == 0);
}

void Recording::setArguments(size_t at, const std::vector<char> &bytes) {
  std::memcpy(arguments.data() + entries[at].begin, bytes.data(), bytes.size());
}

bool Recording::sameSections(const Recording &other) const {
  return std::equal(entries.begin(), entries.end(), other.entries.begin(), other.entries.end(),
                    [](const Entry &a, const Entry &b) {
                      return a.step.onlyOrders() || b.step.onlyOrders() ? a.step == b.step : true;
                    });
}

void Recording::takeNodes(const Recording &other) {
  for (size_t i = 0; i < entries.size(); ++i)
    entries[i].node = other.entries[i].node;
}

Graph::~Graph() { clear(); }

void Graph::clear() {
  if (exec)
    device.driver.cuGraphExecDestroy(exec);
  if (graph)
    device.driver.cuGraphDestroy(graph);
  exec = nullptr;
  graph = nullptr;
}

void Graph::adopt(CUgraph captured, Recording steps) {
  const Driver &driver = device.driver;
  if (exec) {
    CUgraphExecUpdateResultInfo result{};
    if (steps.sameSections(recording) &&
        driver.cuGraphExecUpdate_v2(exec, captured, &result) == CUDA_SUCCESS) {
      // The executable goes on knowing the nodes of the graph that it was made from.
      steps.takeNodes(recording);
      recording = std::move(steps);
      driver.cuGraphDestroy(captured);
      return;
    }
    clear();
  }
  graph = captured;
  recording = std::move(steps);
  driver.require(driver.cuGraphInstantiateWithFlags(&exec, graph, 0), "make a CUDA graph of a call");
}

void Graph::launch(CUstream stream) const {
  device.driver.require(device.driver.cuGraphLaunch(exec, stream), "launch the CUDA graph of a call");
}
