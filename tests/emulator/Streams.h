// Streams, events and captures, as the functions of the driver see them.
#pragma once

#include "Driver.h"

#include <set>

namespace heddle::runtime::cuda {

struct CUgraphNode_st {
  emulator::Work work;
  size_t number;             ///< in its graph
  bool aside;                ///< captured from another stream than the one that began
  std::vector<size_t> after; ///< the numbers of the nodes that it waits for
};

struct CUgraph_st {
  std::vector<std::shared_ptr<CUgraphNode_st>> nodes; ///< as they were captured: none waits for a later one
};

/// Of one stream, and of those that waited for its events.
struct Capture {
  CUstream origin;
  std::set<CUstream> streams;
  std::unique_ptr<CUgraph_st> graph; ///< null when it has ended
};

struct CUstream_st {
  explicit CUstream_st(emulator::Queue::Kind kind) : queue(kind) {}

  emulator::Queue queue;
  std::shared_ptr<Capture> capture;
  std::vector<CUgraphNode> last; ///< of the capture: what the next node waits for
};

struct CUevent_st {
  std::shared_ptr<emulator::Mark> record; ///< the latest; null at first
  std::shared_ptr<Capture> capture;       ///< in which it was recorded instead
  std::vector<CUgraphNode> after;         ///< and behind which nodes
};

} // namespace heddle::runtime::cuda

namespace heddle::emulator {

/// Also that of the null stream.
Queue &queueOf(CUstream stream);
void endCapture(Capture &capture);

} // namespace heddle::emulator
