//===- Order.cpp - An order of operations that holds less memory ----------===//
//
// Within a block, what lets go of more memory than it takes runs as soon as it can; everything else keeps the
// order of the program, which keeps what was just made close to where it is read.
//
//===----------------------------------------------------------------------===//

#include "compiler/conversion/HeddleToCPU/Buffers.h"
#include "compiler/conversion/HeddleToCPU/Evaluator.h"
#include "compiler/conversion/HeddleToCPU/HeddleToCPU.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"

#include "dialects/heddle/IR/Heddle.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Pass/Pass.h"
#include "llvm/ADT/SetVector.h"

#include <set>

using namespace mlir;
using namespace heddle::cpu;
using namespace heddle::ir;

namespace {

/// The operations between two with effects, which stay where they are.
class Stretch {
public:
  Stretch(Block &block, ArrayRef<Operation *> operations, Operation *end)
      : block(block), operations(operations), end(end) {}

  void run() {
    for (auto [i, op] : llvm::enumerate(operations))
      numbers[op] = i;
    reads.resize(operations.size());
    waiting.resize(operations.size());
    SmallVector<SmallVector<int>> users(operations.size());
    for (auto [i, op] : llvm::enumerate(operations)) {
      llvm::SetVector<int> sources;
      op->walk([&](Operation *inner) {
        for (Value operand : inner->getOperands()) {
          Operation *from = operand.getDefiningOp();
          if (auto found = numbers.find(from); from && found != numbers.end() && from != op)
            sources.insert(found->second);
          if (Value owner = originOf(operand);
              owner.getParentBlock() == &block && owner.getDefiningOp() != op)
            reads[i].insert(owner);
        }
      });
      waiting[i] = sources.size();
      for (int source : sources)
        users[source].push_back(i);
    }
    for (auto &owners : reads)
      for (Value owner : owners)
        ++readers[owner];

    std::set<int> ready;
    for (auto [i, count] : llvm::enumerate(waiting))
      if (count == 0)
        ready.insert(i);
    while (!ready.empty()) {
      int best = *ready.begin();
      int64_t least = 0;
      for (int candidate : ready)
        if (int64_t change = growth(candidate); change < least) {
          least = change;
          best = candidate;
        }
      ready.erase(best);
      operations[best]->moveBefore(end);
      for (Value owner : reads[best])
        --readers[owner];
      for (int user : users[best])
        if (--waiting[user] == 0)
          ready.insert(user);
    }
  }

private:
  /// Bytes of the arena that a value takes: none where it has a place anyway.
  int64_t bytes(Value value) {
    auto [found, isNew] = sizes.try_emplace(value, 0);
    if (!isNew)
      return found->second;
    int64_t result = 0;
    if (value.getDefiningOp() && !isa<ReshapeOp, ConstantOp>(value.getDefiningOp()) && !outlives(value))
      result = tensorType(value).getNumElements() *
               (storageType(tensorType(value).getElementType()).getIntOrFloatBitWidth() / 8);
    return sizes[value] = result;
  }

  /// Whether the block hands a value on, or something after this stretch reads it.
  bool outlives(Value value) {
    for (Operation *user : value.getUsers()) {
      Operation *ancestor = block.findAncestorOpInBlock(*user);
      if (!numbers.contains(ancestor))
        return true;
      if (isa<ReshapeOp>(user) && outlives(user->getResult(0)))
        return true;
    }
    return false;
  }

  /// Bytes that are in use after an operation and were not before.
  int64_t growth(int number) {
    // While a loop runs, everything else waits: what lets go of memory around it goes first.
    if (isa<ForOp, IfOp>(operations[number]))
      return 0;
    int64_t change = 0;
    for (Value result : operations[number]->getResults())
      change += bytes(result);
    for (Value owner : reads[number])
      if (readers.lookup(owner) == 1)
        change -= bytes(owner);
    return change;
  }

  Block &block;
  ArrayRef<Operation *> operations;
  Operation *end;
  llvm::DenseMap<Operation *, int> numbers;
  std::vector<llvm::SetVector<Value>> reads; ///< memory that an operation reads
  SmallVector<int> waiting;
  llvm::DenseMap<Value, int> readers; ///< operations to come that read it
  llvm::DenseMap<Value, int64_t> sizes;
};

struct OrderPass : PassWrapper<OrderPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(OrderPass)
  StringRef getArgument() const final { return "heddle-order"; }
  StringRef getDescription() const final { return "Run early what lets go of memory"; }

  void runOnOperation() final {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal())
        order(function.getBody().front());
  }

  static void order(Block &block) {
    SmallVector<Operation *> all, stretch;
    for (Operation &op : block)
      all.push_back(&op);
    for (Operation *op : all) {
      if (isa<ForOp, IfOp>(op))
        for (Region &region : op->getRegions())
          if (!region.empty())
            order(region.front());
      if (!op->hasTrait<OpTrait::IsTerminator>() && isMemoryEffectFree(op)) {
        stretch.push_back(op);
        continue;
      }
      if (stretch.size() > 2)
        Stretch(block, stretch, op).run();
      stretch.clear();
    }
  }
};

} // namespace

std::unique_ptr<Pass> heddle::cpu::createOrderPass() { return std::make_unique<OrderPass>(); }
