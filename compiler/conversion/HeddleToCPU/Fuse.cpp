//===- Fuse.cpp - Groups of operations that become one kernel -------------===//
//
// In each block, operations are nodes of a graph. Moves of elements (broadcasts, transpositions, slices, ...)
// are no nodes: they are repeated in each group that reads through them. Nodes are merged, first each with
// the producers of its operands, then with neighbours that read the same data, as long as the union can be
// one kernel and the graph of groups stays without cycles.
//
//===----------------------------------------------------------------------===//

#include "compiler/conversion/HeddleToCPU/Fusible.h"
#include "compiler/conversion/HeddleToCPU/GroupPlan.h"
#include "compiler/conversion/HeddleToCPU/HeddleToCPU.h"

#include "dialects/heddle/IR/Heddle.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Iterators.h"
#include "mlir/Pass/Pass.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

#include <queue>

using namespace mlir;
using namespace heddle::cpu;
using namespace heddle::ir;

namespace {

constexpr size_t maxMembers = 160, maxLeaves = 40, maxOutputs = 16;

struct Node {
  Operation *op = nullptr;
  bool fusible = false;
  SmallVector<int> sources; ///< nodes whose results it reads, also through moves
  int group = 0;
};

struct Group {
  SmallVector<int> members; ///< sorted
  bool alive = true;
};

class BlockFusion {
public:
  BlockFusion(Block &block, bool merge, const GroupLimits &limits)
      : block(block), merge(merge), limits(limits) {}

  void run() {
    collect();
    if (merge) {
      mergeWithProducers();
      mergeNeighbours();
    }
    rewrite();
  }

private:
  bool isLocal(Value value) const {
    Operation *op = value.getDefiningOp();
    return op && op->getBlock() == &block;
  }

  /// A value that something outside of kernels reads has to be in memory.
  void demand(Value value) {
    if (!isLocal(value))
      return;
    Operation *op = value.getDefiningOp();
    if (!isMove(op) || !demanded.insert(op).second)
      return;
    // A reshape of something in memory is the same memory.
    if (isa<ReshapeOp>(op))
      demand(op->getOperand(0));
  }

  void collect() {
    for (Operation &op : block)
      if (!isFusible(&op))
        op.walk([&](Operation *inner) {
          for (Value operand : inner->getOperands())
            demand(operand);
        });
    for (Operation &op : block) {
      if (op.hasTrait<OpTrait::IsTerminator>() || (isMove(&op) && !demanded.contains(&op)))
        continue;
      Node node;
      node.op = &op;
      node.fusible = isFusible(&op) && !isa<ReshapeOp>(op);
      node.group = nodes.size();
      llvm::SetVector<int> sources;
      auto add = [&](Value value) {
        if (node.fusible) {
          for (Value leaf : leavesOf(value))
            if (int source = sourceOf(leaf); source >= 0)
              sources.insert(source);
        } else if (int source = sourceOf(value); source >= 0) {
          sources.insert(source);
        }
      };
      if (node.fusible) {
        for (Value operand : op.getOperands())
          add(operand);
      } else {
        op.walk([&](Operation *inner) {
          for (Value operand : inner->getOperands())
            add(operand);
        });
        // What has effects stays in order.
        if (!isPure(&op)) {
          if (lastEffect >= 0)
            sources.insert(lastEffect);
          lastEffect = nodes.size();
        }
      }
      node.sources.assign(sources.begin(), sources.end());
      numbers[&op] = nodes.size();
      groups.push_back({{(int)nodes.size()}, true});
      nodes.push_back(std::move(node));
    }
  }

  int sourceOf(Value value) const {
    auto found = isLocal(value) ? numbers.find(value.getDefiningOp()) : numbers.end();
    return found == numbers.end() ? -1 : found->second;
  }

  /// The values behind `value` that are not moves of this block.
  SmallVector<Value> leavesOf(Value value) {
    SmallVector<Value> leaves, open = {value};
    while (!open.empty()) {
      Value next = open.pop_back_val();
      if (isLocal(next) && isMove(next.getDefiningOp()))
        llvm::append_range(open, next.getDefiningOp()->getOperands());
      else
        leaves.push_back(next);
    }
    return leaves;
  }

  bool inGroup(ArrayRef<int> members, Operation *op) const {
    auto found = numbers.find(op);
    return found != numbers.end() && llvm::binary_search(members, found->second);
  }

  /// Results of members that something outside the group reads.
  SmallVector<Value> outputsOf(ArrayRef<int> members) {
    SmallVector<Value> outputs;
    for (int member : members)
      for (Value result : nodes[member].op->getResults())
        if (usedOutside(result, members))
          outputs.push_back(result);
    return outputs;
  }

  /// Whether something outside the group needs a member's result in memory.
  bool usedOutside(Value value, ArrayRef<int> members) {
    if (Operation *own = value.getDefiningOp(); isMove(own) && demanded.contains(own))
      return true;
    for (Operation *user : value.getUsers()) {
      if (user->getBlock() != &block || (!isMove(user) && !inGroup(members, user)))
        return true;
      if (!isMove(user))
        continue;
      // A move that was demanded reads it in another kernel, or is the same memory under another shape.
      bool isMember = inGroup(members, user);
      if ((demanded.contains(user) && !isMember) || readThrough(user->getResult(0), members))
        return true;
    }
    return false;
  }

  /// Whether another group reads what is behind a move. Those who need the move's own result in memory do
  /// not.
  bool readThrough(Value moved, ArrayRef<int> members) {
    for (Operation *user : moved.getUsers()) {
      if (user->getBlock() != &block || !isFusible(user))
        continue;
      bool isMember = inGroup(members, user);
      if (isMove(user)) {
        bool isNode = demanded.contains(user) && !isa<ReshapeOp>(user);
        if ((isNode && !isMember) || readThrough(user->getResult(0), members))
          return true;
      } else if (!isMember) {
        return true;
      }
    }
    return false;
  }

  std::function<bool(Value)> leafTest(SmallVector<int> members) {
    return [this, members = std::move(members)](Value value) {
      if (!isLocal(value))
        return true;
      Operation *op = value.getDefiningOp();
      return !isMove(op) && !inGroup(members, op);
    };
  }

  bool canBeKernel(ArrayRef<int> members) {
    SmallVector<Operation *> reductions;
    llvm::SetVector<Value> leaves;
    for (int member : members) {
      Operation *op = nodes[member].op;
      if (isReduction(op))
        reductions.push_back(op);
      for (Value operand : op->getOperands())
        for (Value leaf : leavesOf(operand))
          if (!isLocal(leaf) || !inGroup(members, leaf.getDefiningOp()))
            leaves.insert(leaf);
    }
    SmallVector<Value> outputs = outputsOf(members);
    if (members.size() > maxMembers || leaves.size() > maxLeaves || outputs.size() > maxOutputs ||
        outputs.empty())
      return false;
    std::string why;
    return succeeded(GroupPlan(reductions, outputs, leafTest(SmallVector<int>(members)), limits).plan(why));
  }

  /// Whether a path leads from a member over other groups back to a member. Earlier groups count too: through
  /// a group of early and late operations they may wait for a late one.
  bool makesCycle(ArrayRef<int> members) {
    llvm::DenseSet<int> seen;
    SmallVector<int> open;
    auto visitSources = [&](int node) {
      for (int source : nodes[node].sources)
        if (!llvm::binary_search(members, source) && seen.insert(nodes[source].group).second)
          open.push_back(nodes[source].group);
    };
    for (int member : members)
      visitSources(member);
    while (!open.empty()) {
      const Group &group = groups[open.pop_back_val()];
      for (int node : group.members)
        for (int source : nodes[node].sources) {
          if (llvm::binary_search(members, source))
            return true;
          if (seen.insert(nodes[source].group).second)
            open.push_back(nodes[source].group);
        }
    }
    return false;
  }

  bool tryMerge(int a, int b) {
    if (a == b || !nodes[groups[a].members.front()].fusible || !nodes[groups[b].members.front()].fusible)
      return false;
    SmallVector<int> members(groups[a].members);
    llvm::append_range(members, groups[b].members);
    llvm::sort(members);
    if (makesCycle(members) || !canBeKernel(members))
      return false;
    int target = std::min(a, b), gone = std::max(a, b);
    for (int member : groups[gone].members)
      nodes[member].group = target;
    groups[target].members = std::move(members);
    groups[gone].alive = false;
    groups[gone].members.clear();
    return true;
  }

  int64_t elements(int node) const {
    int64_t most = tensorType(nodes[node].op->getResult(0)).getNumElements();
    if (isReduction(nodes[node].op))
      most = tensorType(nodes[node].op->getOperand(0)).getNumElements();
    return most;
  }

  void mergeWithProducers() {
    for (int n = 0; n < (int)nodes.size(); ++n) {
      if (!nodes[n].fusible)
        continue;
      SmallVector<int> sources(nodes[n].sources);
      llvm::sort(sources, std::greater<int>());
      for (int source : sources)
        if (nodes[source].fusible)
          tryMerge(nodes[source].group, nodes[n].group);
    }
  }

  /// Groups over as many elements that read the same large tensor.
  void mergeNeighbours() {
    std::map<void *, SmallVector<int>> readers;
    llvm::MapVector<std::pair<void *, int64_t>, llvm::SetVector<int>> buckets;
    for (int n = 0; n < (int)nodes.size(); ++n) {
      if (!nodes[n].fusible || isMove(nodes[n].op))
        continue;
      int64_t size = elements(n);
      if (size < 64)
        continue;
      for (Value operand : nodes[n].op->getOperands())
        for (Value leaf : leavesOf(operand))
          if (tensorType(leaf).getNumElements() == size)
            buckets[{leaf.getAsOpaquePointer(), size}].insert(n);
    }
    for (auto &[key, members] : buckets)
      for (size_t i = 1; i < members.size(); ++i)
        for (size_t j = i; j-- > 0 && i - j <= 4;)
          if (tryMerge(nodes[members[j]].group, nodes[members[i]].group))
            break;
  }

  //===--------------------------------------------------------------------===//
  // Rewriting
  //===--------------------------------------------------------------------===//

  /// Groups in an order that respects what they read, as close to the program's as possible.
  SmallVector<int> schedule() {
    SmallVector<int> waiting(groups.size(), 0);
    SmallVector<SmallVector<int>> users(groups.size());
    for (auto [g, group] : llvm::enumerate(groups)) {
      llvm::SetVector<int> sources;
      for (int member : group.members)
        for (int source : nodes[member].sources)
          if (nodes[source].group != (int)g)
            sources.insert(nodes[source].group);
      waiting[g] = sources.size();
      for (int source : sources)
        users[source].push_back(g);
    }
    std::priority_queue<std::pair<int, int>, std::vector<std::pair<int, int>>, std::greater<>> ready;
    for (auto [g, group] : llvm::enumerate(groups))
      if (group.alive && waiting[g] == 0)
        ready.push({group.members.back(), (int)g});
    SmallVector<int> order;
    while (!ready.empty()) {
      int g = ready.top().second;
      ready.pop();
      order.push_back(g);
      for (int user : users[g])
        if (--waiting[user] == 0)
          ready.push({groups[user].members.back(), user});
    }
    return order;
  }

  void rewrite() {
    Operation *end = block.getTerminator();
    SmallVector<int> order = schedule();
    SmallVector<Operation *> dead;
    IRMapping replaced;
    // What the moves inside groups read is looked up in the original operations, so these stay until the end.
    for (int g : order) {
      const Group &group = groups[g];
      Operation *first = nodes[group.members.front()].op;
      if (!nodes[group.members.front()].fusible) {
        first->moveBefore(end);
        first->walk([&](Operation *inner) {
          for (OpOperand &operand : inner->getOpOperands())
            operand.set(replaced.lookupOrDefault(operand.get()));
        });
        continue;
      }
      makeFusion(group.members, end, replaced);
      for (int member : group.members)
        dead.push_back(nodes[member].op);
    }
    for (OpOperand &operand : end->getOpOperands())
      operand.set(replaced.lookupOrDefault(operand.get()));
    // Everything else in the block is unused now.
    SmallVector<Operation *> rest;
    llvm::DenseSet<Operation *> kept;
    for (int g : order)
      if (!nodes[groups[g].members.front()].fusible)
        kept.insert(nodes[groups[g].members.front()].op);
    for (Operation &op : llvm::reverse(block))
      if (!kept.contains(&op) && !isa<FusionOp>(op) && &op != end)
        rest.push_back(&op);
    for (Operation *op : rest)
      op->dropAllReferences();
    for (Operation *op : rest)
      op->erase();
  }

  void makeFusion(ArrayRef<int> members, Operation *end, IRMapping &replaced) {
    SmallVector<Value> outputs = outputsOf(members);
    auto isLeaf = leafTest(SmallVector<int>(members));
    SmallVector<Location> locations;
    for (Value output : outputs)
      locations.push_back(output.getLoc());
    OpBuilder builder(end);
    // Inputs in the order in which the body first reads them.
    llvm::SetVector<Value> inputs;
    SmallVector<Operation *> body;
    llvm::DenseSet<Operation *> seen;
    std::function<void(Value)> visit = [&](Value value) {
      if (isLeaf(value)) {
        inputs.insert(value);
        return;
      }
      Operation *op = value.getDefiningOp();
      if (!seen.insert(op).second)
        return;
      for (Value operand : op->getOperands())
        visit(operand);
      body.push_back(op);
    };
    for (Value output : outputs)
      visit(output);
    SmallVector<Value> operands =
        llvm::map_to_vector(inputs, [&](Value v) { return replaced.lookupOrDefault(v); });
    Location loc = outputs.size() == 1 ? outputs[0].getLoc() : builder.getFusedLoc(locations);
    auto fusion = FusionOp::create(builder, loc, TypeRange(ValueRange(outputs)), operands);
    Block *inside = builder.createBlock(&fusion.getBody());
    IRMapping local;
    for (Value input : inputs)
      local.map(input, inside->addArgument(input.getType(), input.getLoc()));
    for (Operation *op : body)
      builder.clone(*op, local)->removeAttr(repeatedAttr);
    SmallVector<Value> yields = llvm::map_to_vector(outputs, [&](Value v) { return local.lookup(v); });
    YieldOp::create(builder, loc, yields);
    for (auto [output, result] : llvm::zip(outputs, fusion.getResults()))
      replaced.map(output, result);
  }

  Block &block;
  bool merge;
  GroupLimits limits;
  std::vector<Node> nodes;
  std::vector<Group> groups;
  llvm::DenseMap<Operation *, int> numbers;
  llvm::DenseSet<Operation *> demanded;
  int lastEffect = -1;
};

struct FusePass : PassWrapper<FusePass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(FusePass)
  FusePass() = default;
  FusePass(bool merge, bool columnSums, bool repeats) {
    this->merge = merge;
    this->columnSums = columnSums;
    this->repeats = repeats;
  }
  FusePass(const FusePass &other) : PassWrapper(other) {}
  StringRef getArgument() const final { return "heddle-fuse"; }
  StringRef getDescription() const final { return "Group operations that become one kernel"; }
  Option<bool> merge{*this, "merge", llvm::cl::desc("Put more than one operation into a group"),
                     llvm::cl::init(true)};
  Option<bool> columnSums{*this, "column-sums",
                          llvm::cl::desc("Groups over rows may reduce over rows as well"),
                          llvm::cl::init(false)};
  Option<bool> repeats{*this, "repeats",
                       llvm::cl::desc("Compute again what takes more bytes than what it is computed from"),
                       llvm::cl::init(false)};

  /// Inner blocks first: when an outer one is grouped, their operations count as parts of a loop or
  /// condition.
  static SmallVector<Block *> blocksOf(func::FuncOp function) {
    SmallVector<Block *> blocks;
    function.walk<WalkOrder::PostOrder>([&](Operation *op) {
      if (isa<ForOp, IfOp, func::FuncOp>(op))
        for (Region &region : op->getRegions())
          for (Block &block : region)
            blocks.push_back(&block);
    });
    return blocks;
  }

  void runOnOperation() final {
    GroupLimits limits;
    limits.columnSums = columnSums;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isExternal())
        continue;
      function.walk<WalkOrder::PostOrder>([](ForOp loop) { hoistInvariants(loop); });
      for (Block *block : blocksOf(function))
        sinkMoves(*block);
      // Moves that are not read any more, and what only they read.
      function.walk<WalkOrder::PostOrder, mlir::ReverseIterator>([](Operation *op) {
        if (isOpTriviallyDead(op))
          op->erase();
      });
      if (repeats)
        for (Block *block : blocksOf(function))
          repeatNarrow(*block);
      for (Block *block : blocksOf(function))
        BlockFusion(*block, merge, limits).run();
    }
  }
};

} // namespace

std::unique_ptr<Pass> heddle::cpu::createFusePass(bool merge, bool columnSums, bool repeats) {
  return std::make_unique<FusePass>(merge, columnSums, repeats);
}
