// Part of Heddle, under the Apache License v2.0 with LLVM Exceptions. See LICENSE.
//
// One call of an entry as a CUDA graph: captured once, replayed with one launch, and patched where buffers
// have other addresses.
#pragma once

#include "cuda/Device.h"

#include <cstring>
#include <vector>

namespace heddle::runtime::cuda {

/// A graph of more steps (a long loop) would take longer to make and more memory than it is worth.
constexpr size_t mostSteps = 1 << 15;

/// What the host code of an entry asks for, in order. Reads are only told to profiles; the last three only
/// order the others.
struct Step {
  enum class Kind { Launch, Copy, Fill, Product, Read, Aside, Return, Join } kind;
  int32_t number = 0; ///< of the kernel, product or section
  unsigned gridX = 0, gridY = 0, gridZ = 0, block = 0, sharedBytes = 0;
  bool operator==(const Step &) const = default;
  bool onlyOrders() const { return kind >= Kind::Aside; }
};

/// The steps of one call with the bytes of their arguments.
class Recording {
public:
  void add(const Step &step, CUgraphNode node, const std::vector<char> &arguments);
  size_t size() const { return entries.size(); }
  const Step &step(size_t at) const { return entries[at].step; }
  CUgraphNode node(size_t at) const { return entries[at].node; }
  bool sameArguments(size_t at, const std::vector<char> &arguments) const;
  /// Of the same size as before.
  void setArguments(size_t at, const std::vector<char> &arguments);
  /// Whether as many steps are in the same sections, so that nodes correspond where graphs do.
  bool sameSections(const Recording &other) const;
  /// Takes the nodes of another recording with the same sections.
  void takeNodes(const Recording &other);

private:
  struct Entry {
    Step step;
    CUgraphNode node;
    size_t begin, bytes; ///< in `arguments`
  };
  std::vector<Entry> entries;
  std::vector<char> arguments;
};

/// A captured call, ready to be launched.
class Graph {
public:
  explicit Graph(Device &device) : device(device) {}
  ~Graph();
  Graph(const Graph &) = delete;
  Graph &operator=(const Graph &) = delete;

  /// Takes a captured graph over: updates what there is, or instantiates it.
  void adopt(CUgraph captured, Recording steps);
  void launch(CUstream stream) const;
  CUgraphExec executable() const { return exec; }

  Recording recording;
  std::vector<void *> buffers; ///< the addresses that the graph works on
  uint64_t lastUse = 0;

private:
  void clear();

  Device &device;
  CUgraph graph = nullptr; ///< whose nodes `recording` names
  CUgraphExec exec = nullptr;
};

} // namespace heddle::runtime::cuda
