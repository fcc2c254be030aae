//===- Keep.cpp - What a loop keeps for its backward pass -----------------===//

#include "compiler/autodiff/Keep.h"
#include "compiler/autodiff/Activity.h"
#include "compiler/autodiff/Support.h"

#include "dialects/sparsek/IR/SparseK.h"

#include <limits>

using namespace mlir;
using namespace heddle::ir;

namespace heddle::autodiff {

bool isCheap(Operation &op) {
  if (op.hasTrait<OpTrait::SameOperandsAndResultType>() && op.getNumRegions() == 0)
    return !isa<CumsumOp>(op);
  return isa<CompareOp, SelectOp, CastOp, ConstantOp, IotaOp, BroadcastOp, ReshapeOp, TransposeOp, SliceOp,
             PadOp, ConcatOp, DynamicSliceOp, RandomOp, FoldInOp>(op);
}

bool isLong(Operation &op) {
  return isa<sparsek::ThresholdOp, sparsek::AttentionOp, sparsek::VariantAttentionOp>(op);
}

bool isCheckpointed(ForOp loop) { return loop->hasAttr("heddle.checkpoint"); }

namespace {

constexpr int64_t unbounded = std::numeric_limits<int64_t>::max() / 4;

/// Bytes of one value; a truth value takes one.
int64_t bytes(Value value) {
  auto type = tensorType(value);
  if (!type.hasStaticShape())
    return unbounded / 1024;
  return type.getNumElements() * std::max<int64_t>(1, type.getElementTypeBitWidth() / 8);
}

/// Whether an operation of a loop is a product with much larger results than factors, which are kept instead.
bool isExpanding(Operation &op, ForOp loop, const KeepOptions &options) {
  auto product = dyn_cast<EinsumOp>(op);
  if (!product)
    return false;
  const int64_t size = bytes(product.getResult());
  return size >= options.expandingBytes / std::max<int64_t>(loop.getCount(), 1) &&
         llvm::all_of(product->getOperands(), [&](Value factor) { return size >= 2 * bytes(factor); });
}

/// A flow network with maximum flow by shortest augmenting levels (Dinic).
class Network {
public:
  int addNode() {
    edgesOf.emplace_back();
    return edgesOf.size() - 1;
  }
  void addEdge(int from, int to, int64_t capacity) {
    edgesOf[from].push_back(edges.size());
    edges.push_back({to, capacity});
    edgesOf[to].push_back(edges.size());
    edges.push_back({from, 0});
  }
  void saturate(int source, int sink) {
    while (findLevels(source, sink)) {
      next.assign(edgesOf.size(), 0);
      while (push(source, sink, unbounded))
        ;
    }
  }
  /// The nodes from which the sink can still be reached.
  std::vector<bool> reaching(int sink) const {
    std::vector<bool> seen(edgesOf.size());
    SmallVector<int> work = {sink};
    seen[sink] = true;
    while (!work.empty()) {
      int node = work.pop_back_val();
      for (int edge : edgesOf[node]) {
        int from = edges[edge].to;
        if (edges[edge ^ 1].capacity > 0 && !seen[from]) {
          seen[from] = true;
          work.push_back(from);
        }
      }
    }
    return seen;
  }

private:
  struct Edge {
    int to;
    int64_t capacity;
  };
  bool findLevels(int source, int sink) {
    level.assign(edgesOf.size(), -1);
    SmallVector<int> queue = {source};
    level[source] = 0;
    for (size_t i = 0; i < queue.size(); ++i)
      for (int edge : edgesOf[queue[i]])
        if (edges[edge].capacity > 0 && level[edges[edge].to] < 0) {
          level[edges[edge].to] = level[queue[i]] + 1;
          queue.push_back(edges[edge].to);
        }
    return level[sink] >= 0;
  }
  int64_t push(int node, int sink, int64_t flow) {
    if (node == sink)
      return flow;
    for (size_t &i = next[node]; i < edgesOf[node].size(); ++i) {
      Edge &edge = edges[edgesOf[node][i]];
      if (edge.capacity <= 0 || level[edge.to] != level[node] + 1)
        continue;
      if (int64_t pushed = push(edge.to, sink, std::min(flow, edge.capacity))) {
        edge.capacity -= pushed;
        edges[edgesOf[node][i] ^ 1].capacity += pushed;
        return pushed;
      }
    }
    return 0;
  }

  std::vector<Edge> edges; // edge e and its reverse e ^ 1
  std::vector<SmallVector<int, 4>> edgesOf;
  std::vector<int> level;
  std::vector<size_t> next;
};

} // namespace

SmallVector<Value> chooseKept(ForOp loop, const llvm::SetVector<Value> &needed, const KeepOptions &options) {
  Block *body = &loop.getBody().front();
  const bool checkpointed = isCheckpointed(loop);
  auto isAgain = [&](Operation *op) {
    return op && (checkpointed ? !isLong(*op) : isCheap(*op) || isExpanding(*op, loop, options));
  };
  YieldOp yield = loop.getYield();
  auto collected = yield.getValues().drop_front(loop.getNumCarries());
  auto carries = loop.getCarries();

  Network network;
  int source = network.addNode(), sink = network.addNode();
  // Each value is an edge from its first node to its second, as wide as the value is large.
  llvm::MapVector<Value, int> nodes;
  llvm::SetVector<Value> values;
  for (Value value : needed)
    values.insert(value);
  for (size_t i = 0; i < values.size(); ++i) {
    Value value = values[i];
    int in = network.addNode(), out = network.addNode();
    nodes[value] = in;
    bool isCarry = llvm::is_contained(carries, value);
    Operation *op = value.getDefiningOp();
    const bool again = isAgain(op);
    network.addEdge(in, out, llvm::is_contained(collected, value) ? 0 : bytes(value));
    if (isCarry || (op && !again))
      network.addEdge(source, in, unbounded);
    if (again)
      for (Value read : readValues(*op))
        if (read.getParentBlock() == body)
          values.insert(read);
  }
  for (auto [value, in] : nodes) {
    if (needed.contains(value))
      network.addEdge(in + 1, sink, unbounded);
    Operation *op = value.getDefiningOp();
    if (isAgain(op))
      for (Value read : readValues(*op))
        if (read.getParentBlock() == body)
          network.addEdge(nodes[read] + 1, in, unbounded);
  }
  network.saturate(source, sink);
  std::vector<bool> behind = network.reaching(sink);
  SmallVector<Value> kept;
  for (auto [value, in] : nodes)
    if (!behind[in] && behind[in + 1])
      kept.push_back(value);
  return kept;
}

} // namespace heddle::autodiff
