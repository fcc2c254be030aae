//===- InPlace.cpp - Values that take the memory of others ----------------===//
//
// The next value of a loop's carry takes the memory of the old one, and a result of the function that of an
// argument which the caller gave up (`heddle.donated`), where nothing reads what lived there once the new
// value is written.
//
//===----------------------------------------------------------------------===//

#include "compiler/conversion/HeddleToCPU/Buffers.h"
#include "compiler/conversion/HeddleToCPU/Evaluator.h"

#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;
using namespace heddle::cpu;
using namespace heddle::ir;

/// The value and everything that renames it.
static SmallVector<Value> namesOf(Value value) {
  SmallVector<Value> names = {value};
  for (size_t i = 0; i < names.size(); ++i)
    for (Operation *user : names[i].getUsers())
      if (isa<ReshapeOp>(user))
        names.push_back(user->getResult(0));
  return names;
}

Value heddle::cpu::sliceOf(ForOp loop, Value scanned) {
  SmallVector<Value> names = namesOf(scanned);
  for (auto [operand, slice] : llvm::zip(loop.getScanned(), loop.getSlices()))
    if (llvm::is_contained(names, operand))
      return slice;
  return nullptr;
}

bool heddle::cpu::mayTake(Value occupant, Value value, Block *block, const GroupLimits &limits,
                          const Starts &starts) {
  SmallVector<Value> names = namesOf(occupant);
  value = originOf(value);
  if (llvm::is_contained(names, value))
    return true;
  Operation *producer = value.getDefiningOp();
  if (!producer || producer->getBlock() != block || isa<ConstantOp>(producer))
    producer = block->getTerminator();
  SmallVector<OpOperand *> reads; ///< by what makes the value
  for (Value name : names)
    for (OpOperand &use : name.getUses()) {
      Operation *ancestor = block->findAncestorOpInBlock(*use.getOwner());
      if (!ancestor || isa<ReshapeOp>(use.getOwner()))
        continue;
      // What begins early writes beside what stands before it; some of that would be early enough.
      if (producer->isBeforeInBlock(ancestor) || starts.contains(producer))
        return false;
      if (ancestor == producer)
        reads.push_back(&use);
    }
  if (reads.empty())
    return true;
  if (isa<IfOp>(producer)) {
    unsigned number = cast<OpResult>(value).getResultNumber();
    return llvm::all_of(producer->getRegions(), [&](Region &branch) {
      return mayTake(occupant, branch.front().getTerminator()->getOperand(number), &branch.front(), limits,
                     starts);
    });
  }
  if (reads.size() != 1 || reads.front()->getOwner() != producer)
    return false;
  unsigned operand = reads.front()->getOperandNumber();
  auto loop = dyn_cast<ForOp>(producer);
  if (!loop)
    return isa<OpResult>(value) && canUpdateInPlace(producer, reads.front()->get(), value, limits);
  unsigned number = cast<OpResult>(value).getResultNumber(), scanned = loop.getScanned().size();
  if (number < loop.getNumCarries())
    return operand == scanned + number;
  // Each step writes its slice of what the loop collects over the slice that it has read.
  return operand < scanned && mayTake(loop.getSlices()[operand], loop.getYield().getValues()[number],
                                      &loop.getBody().front(), limits, starts);
}

/// How many components at the ends of two paths are equal: `p.layers.w` and `out.1.layers.w` have two.
static int64_t commonPath(StringAttr a, StringAttr b) {
  if (!a || !b)
    return 0;
  SmallVector<StringRef> left, right;
  a.getValue().split(left, '.');
  b.getValue().split(right, '.');
  int64_t count = 0;
  while (count < (int64_t)std::min(left.size(), right.size()) &&
         left[left.size() - 1 - count] == right[right.size() - 1 - count])
    ++count;
  return count;
}

/// The donated argument whose memory each result takes, -1 for none. An argument that is returned as it is
/// comes first, then what is computed from the argument, then memory that is merely free; among those the
/// result whose name is most like the argument's.
SmallVector<int64_t> BufferPlan::matchDonors() {
  struct Pair {
    int64_t kinship, path;
    int64_t result, argument;
  };
  Block &body = function.getBody().front();
  std::vector<Pair> pairs;
  auto results = body.getTerminator()->getOperands();
  for (BlockArgument argument : body.getArguments()) {
    if (!function.getArgAttr(argument.getArgNumber(), "heddle.donated") ||
        tensorType(argument).getNumElements() == 0)
      continue;
    SmallVector<Value> names = namesOf(argument);
    auto label = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "heddle.name");
    for (auto [i, value] : llvm::enumerate(results)) {
      if (value.getType() != argument.getType() || !mayTake(argument, value, &body, limits, starts))
        continue;
      Value source = originOf(value);
      Operation *producer = source.getDefiningOp();
      auto reads = [&](Value operand) { return llvm::is_contained(names, operand); };
      int64_t kinship = llvm::is_contained(names, source)                          ? 2
                        : producer && llvm::any_of(producer->getOperands(), reads) ? 1
                                                                                   : 0;
      auto path = function.getResultAttrOfType<StringAttr>(i, "heddle.name");
      pairs.push_back({kinship, commonPath(label, path), (int64_t)i, (int64_t)argument.getArgNumber()});
    }
  }
  llvm::sort(pairs, [](const Pair &a, const Pair &b) {
    return std::tuple(-a.kinship, -a.path, a.result, a.argument) <
           std::tuple(-b.kinship, -b.path, b.result, b.argument);
  });
  SmallVector<int64_t> donors(results.size(), -1);
  for (const Pair &pair : pairs)
    if (donors[pair.result] < 0 && !llvm::is_contained(donors, pair.argument))
      donors[pair.result] = pair.argument;
  return donors;
}
