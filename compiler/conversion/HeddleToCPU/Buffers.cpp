//===- Buffers.cpp - Where every tensor of an entry lives -----------------===//

#include "compiler/conversion/HeddleToCPU/Buffers.h"
#include "compiler/conversion/HeddleToCPU/GroupPlan.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"

#include "dialects/sparsek/IR/SparseK.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"

using namespace mlir;
using namespace heddle::cpu;
using namespace heddle::ir;

Value heddle::cpu::originOf(Value value) {
  while (auto reshape = value.getDefiningOp<ReshapeOp>())
    value = reshape.getX();
  return value;
}

bool heddle::cpu::canUpdateInPlace(Operation *op, Value input, Value result, const GroupLimits &limits) {
  if (auto update = dyn_cast<DynamicUpdateSliceOp>(op))
    return input == update.getX() && input != update.getUpdate();
  if (auto append = dyn_cast<sparsek::AppendOp>(op)) {
    unsigned number = cast<OpResult>(result).getResultNumber();
    return number > 0 && append.getState()[number - 1] == input && llvm::count(op->getOperands(), input) == 1;
  }
  if (auto product = dyn_cast<MatmulOp>(op))
    return product.getAddend() == input && llvm::count(op->getOperands(), input) == 1;
  auto fusion = dyn_cast<FusionOp>(op);
  if (!fusion || llvm::count(fusion.getInputs(), input) != 1)
    return false;
  Block *body = &fusion.getBody().front();
  auto [reductions, outputs] = GroupPlan::contents(fusion);
  GroupPlan group(reductions, outputs, [](Value value) { return isa<BlockArgument>(value); }, limits);
  std::string why;
  unsigned number = llvm::find(fusion.getInputs(), input) - fusion.getInputs().begin();
  return succeeded(group.plan(why)) &&
         group.canUpdateInPlace(body->getArgument(number), cast<OpResult>(result).getResultNumber());
}

BufferPlan::BufferPlan(func::FuncOp function, std::function<Workspace(Operation *)> workspaceOf,
                       const GroupLimits &limits, const Starts &starts)
    : function(function), workspaceOf(std::move(workspaceOf)), limits(limits), starts(starts) {
  Block &body = function.getBody().front();
  number(body);
  for (BlockArgument argument : body.getArguments()) {
    Storage storage{Storage::Argument, (int64_t)argument.getArgNumber()};
    storage.block = &body;
    put(argument, {newStorage(storage), {}});
  }
  SmallVector<int64_t> donors = matchDonors();
  for (auto [i, value] : llvm::enumerate(body.getTerminator()->getOperands())) {
    if (donors[i] >= 0) {
      resultPlaces.push_back(places.find(body.getArgument(donors[i]))->second);
      hint(value, resultPlaces.back(), body.getArgument(donors[i]), &body);
    } else {
      Storage storage{Storage::Result, (int64_t)i};
      storage.block = &body;
      resultPlaces.push_back({newStorage(storage), {}});
    }
  }
  for (auto [i, value] : llvm::enumerate(body.getTerminator()->getOperands()))
    if (donors[i] < 0)
      hint(value, resultPlaces[i], nullptr, &body);
  hintBlock(body);
  placeBlock(body);
  assignOffsets();
}

void BufferPlan::number(Block &block) {
  for (Operation &op : block) {
    int start = nextPoint++;
    if (isa<ForOp, IfOp>(op))
      for (Region &region : op.getRegions())
        for (Block &inner : region)
          number(inner);
    points[&op] = {start, nextPoint++};
  }
}

int BufferPlan::newStorage(Storage storage) {
  storages.push_back(storage);
  return storages.size() - 1;
}

int BufferPlan::newArena(RankedTensorType type, Block *block) {
  Storage storage;
  storage.bytes = tensorBytes(type);
  storage.block = block;
  return newStorage(storage);
}

/// Asks for a value to be made at a place, where `occupant` lives until then. Only what an operation of the
/// block makes can be, and only where nothing reads the occupant from then on; the first wish counts.
void BufferPlan::hint(Value value, const Place &place, Value occupant, Block *block) {
  Value source = originOf(value);
  Operation *op = source.getDefiningOp();
  if (!op || op->getBlock() != block || isa<ConstantOp>(op) ||
      (occupant && !mayTake(occupant, source, block, limits, starts)))
    return;
  hints.try_emplace(source, Wish{place, occupant});
}

/// A carry whose old values are collected: the stack has one slice more than the loop has steps, the carry of
/// a step is its slice, and the next one is made in the slice after it (before it, in reverse).
bool BufferPlan::stackCarry(ForOp loop, unsigned carry, Block *block) {
  int64_t count = loop.getCount();
  for (auto [i, result] : llvm::enumerate(loop.getCollectedResults())) {
    if (loop.getYield().getValues()[loop.getNumCarries() + i] != loop.getCarries()[carry] ||
        places.contains(result) || hints.contains(result) || count == 0)
      continue;
    auto type = tensorType(loop.getCarries()[carry]);
    int64_t size = type.getNumElements();
    Storage storage;
    storage.bytes = tensorBytes(type) * (count + 1);
    storage.block = block;
    storage.first = points[loop].first;
    int number = newStorage(storage);
    bool reverse = loop.getReverse();
    put(result, {number, {}, reverse ? size : 0});
    put(loop.getResult(carry), {number, {}, reverse ? 0 : count * size});
    put(loop.getCarries()[carry], {number, {{loop, size}}, reverse ? size : 0});
    stacked[{loop, carry}] = {{number, {}, reverse ? count * size : 0},
                              {number, {{loop, size}}, reverse ? 0 : size}};
    hint(loop.getInits()[carry], stacked[{loop, carry}].initial, nullptr, block);
    hint(loop.getYield().getValues()[carry], stacked[{loop, carry}].next, nullptr, &loop.getBody().front());
    return true;
  }
  return false;
}

const Place &BufferPlan::initialPlace(ForOp loop, unsigned carry) const {
  auto found = stacked.find({loop, carry});
  return found == stacked.end() ? place(loop.getCarries()[carry]) : found->second.initial;
}

const Place &BufferPlan::nextPlace(ForOp loop, unsigned carry) const {
  auto found = stacked.find({loop, carry});
  return found == stacked.end() ? place(loop.getCarries()[carry]) : found->second.next;
}

/// From the last operation to the first, so that wishes reach through loops to initial values.
void BufferPlan::hintBlock(Block &block) {
  for (Operation &op : llvm::reverse(block)) {
    if (auto loop = dyn_cast<ForOp>(op)) {
      Block *body = &loop.getBody().front();
      for (unsigned i = 0; i < loop.getNumCarries(); ++i)
        stackCarry(loop, i, &block);
      for (auto [i, result] : llvm::enumerate(loop.getResults())) {
        if (places.contains(result))
          continue;
        auto type = cast<RankedTensorType>(result.getType());
        Place place;
        Value occupant;
        if (auto found = hints.find(result); found != hints.end())
          std::tie(place, occupant) = std::tie(found->second.place, found->second.occupant);
        else
          place = {newArena(type, &block), {}};
        put(result, place);
        storages[place.storage].first = std::min(storages[place.storage].first, points[&op].first);
        if (i < loop.getNumCarries()) {
          Value init = loop.getInits()[i], source = originOf(init);
          // Its own first value can be made in place if this loop alone reads it.
          bool alone = true;
          for (Value v = init;; v = v.getDefiningOp<ReshapeOp>().getX()) {
            alone &= v.hasOneUse();
            if (v == source)
              break;
          }
          if (alone)
            hint(init, place, occupant, &block);
          hint(loop.getYield().getValues()[i], place, loop.getCarries()[i], body);
        } else {
          Place slice = place;
          storages[place.storage].sliced = true;
          slice.steps.push_back(
              {loop, loop.getCount() ? type.getNumElements() / (int64_t)loop.getCount() : 0});
          hint(loop.getYield().getValues()[i], slice, occupant ? sliceOf(loop, occupant) : Value(), body);
        }
      }
      hintBlock(*body);
    } else if (isa<IfOp>(op)) {
      for (auto [i, result] : llvm::enumerate(op.getResults())) {
        auto found = hints.find(result);
        Wish wish = found != hints.end()
                        ? found->second
                        : Wish{{newArena(cast<RankedTensorType>(result.getType()), &block), {}}, nullptr};
        const Place &place = wish.place;
        put(result, place);
        storages[place.storage].first = std::min(storages[place.storage].first, points[&op].first);
        for (Region &region : op.getRegions())
          hint(region.front().getTerminator()->getOperand(i), place, wish.occupant, &region.front());
      }
      for (Region &region : op.getRegions())
        hintBlock(region.front());
    }
  }
}

/// A use of a storage: inside a loop that does not contain the storage it lasts until the loop ends.
void BufferPlan::touch(int number, Operation *user) {
  Storage &storage = storages[number];
  Operation *ancestor = storage.block ? storage.block->findAncestorOpInBlock(*user) : user;
  auto [start, end] = points[ancestor ? ancestor : user];
  storage.first = std::min(storage.first, start);
  storage.last = std::max(storage.last, ancestor == user && user->getNumRegions() == 0 ? start : end);
}

void BufferPlan::placeBlock(Block &block) {
  for (Operation &op : block) {
    for (Value operand : op.getOperands())
      touch(places.find(operand)->second.storage, &op);
    if (auto reshape = dyn_cast<ReshapeOp>(op)) {
      put(reshape.getResult(), places.find(reshape.getX())->second);
      continue;
    }
    if (isa<ConstantOp>(op)) {
      Storage storage{Storage::Constant};
      storage.constant = &op;
      storage.block = &block;
      put(op.getResult(0), {newStorage(storage), {}});
      continue;
    }
    if (auto loop = dyn_cast<ForOp>(op)) {
      Block *body = &loop.getBody().front();
      put(loop.getStep(), {newArena(tensorType(loop.getStep()), body), {}});
      storages.back().first = points[&op].first;
      touch(storages.size() - 1, &op);
      for (auto [scanned, slice] : llvm::zip(loop.getScanned(), loop.getSlices())) {
        Place place = places.find(scanned)->second;
        storages[place.storage].sliced = true;
        place.steps.push_back({loop, tensorType(slice).getNumElements()});
        put(slice, place);
      }
      for (auto [carry, result] : llvm::zip(loop.getCarries(), loop.getCarryResults()))
        if (!places.contains(carry))
          put(carry, places.find(result)->second);
      for (Value result : loop.getResults())
        touch(places.find(result)->second.storage, &op);
      placeBlock(*body);
      // A carry that becomes another carry, or the same one moved: the old values are saved before any is
      // replaced.
      for (auto [i, value] : llvm::enumerate(loop.getYield().getValues().take_front(loop.getNumCarries()))) {
        const Place &from = places.find(value)->second, &to = nextPlace(loop, i);
        bool isOverwritten = false;
        for (auto [j, carry] : llvm::enumerate(loop.getCarries()))
          isOverwritten |= place(carry) == from && !stacked.contains({loop, (unsigned)j});
        if (from == to || !isOverwritten || stacked.contains({loop, (unsigned)i}))
          continue;
        int temporary = newArena(tensorType(value), body);
        touch(temporary, loop.getYield());
        exchanges[{loop, (unsigned)i}] = temporary;
      }
      continue;
    }
    if (isa<IfOp>(op)) {
      for (Value result : op.getResults())
        touch(places.find(result)->second.storage, &op);
      for (Region &region : op.getRegions())
        placeBlock(region.front());
      continue;
    }
    for (OpResult result : op.getResults()) {
      auto found = hints.find(result);
      Place place;
      if (found != hints.end())
        place = found->second.place;
      else if (auto over = overwritten(result))
        place = *over;
      else
        place = {newArena(cast<RankedTensorType>(result.getType()), &block), {}};
      put(result, place);
      touch(place.storage, &op);
      if (Operation *start = starts.lookup(&op))
        touch(place.storage, start);
    }
    const Workspace own = workspaceOf(&op);
    if (own.bytes > 0)
      workspaces[&op] = newWorkspace(own.bytes, &op);
    if (own.early > 0) {
      earlyWorkspaces[&op] = newWorkspace(own.early, &op);
      if (Operation *start = starts.lookup(&op))
        touch(earlyWorkspaces[&op], start);
    }
  }
}

int BufferPlan::newWorkspace(int64_t size, Operation *op) {
  Storage storage;
  storage.bytes = size;
  storage.block = op->getBlock();
  int number = newStorage(storage);
  touch(number, op);
  return number;
}

void BufferPlan::put(Value value, Place place) {
  inStorage[place.storage].push_back(value);
  places[value] = std::move(place);
}

/// Whether nothing reads an element of a storage in the place of `slice`, an operand of `op`, after `op`. The
/// slice is all of the storage, or, in a loop, the part of a stack that belongs to a step.
bool BufferPlan::isLastUse(Operation *op, const Place &place) {
  Block *block = op->getBlock(), *home = storages[place.storage].block;
  Operation *loop = block == home ? nullptr : block->getParentOp();
  // In a loop, the stack comes from just outside and each step has its own slice.
  if (loop && (loop->getBlock() != home || place.steps.size() != 1 || place.steps.front().first != loop))
    return false;
  if (!loop && !place.steps.empty())
    return false;
  for (Value value : inStorage[place.storage])
    for (OpOperand &use : value.getUses()) {
      Operation *user = use.getOwner();
      if (value.getParentBlock() == block) {
        Operation *ancestor = block->findAncestorOpInBlock(*user);
        if (!ancestor || op->isBeforeInBlock(ancestor))
          return false;
      } else if (Operation *ancestor = loop ? home->findAncestorOpInBlock(*user) : nullptr) {
        // The loop itself may scan the stack, but not hold it as a whole.
        if (user != loop ? !ancestor->isBeforeInBlock(loop)
                         : use.getOperandNumber() >= cast<ForOp>(loop).getScanned().size())
          return false;
      } else if (!block->findAncestorOpInBlock(*user) ||
                 !block->findAncestorOpInBlock(*user)->isBeforeInBlock(op)) {
        return false;
      }
    }
  return true;
}

/// The place of an operand that nothing needs any more and that the result may be written over.
std::optional<Place> BufferPlan::overwritten(OpResult result) {
  Operation *op = result.getOwner();
  if (!isa<FusionOp, DynamicUpdateSliceOp, MatmulOp, sparsek::AppendOp>(op) ||
      tensorType(result).getNumElements() == 0)
    return std::nullopt;
  for (Value operand : op->getOperands()) {
    if (operand.getType() == result.getType() ||
        tensorType(operand).getNumElements() == tensorType(result).getNumElements()) {
      const Place &place = places.find(operand)->second;
      auto shares = [&](Value other) { return places.find(other)->second.storage == place.storage; };
      bool taken = llvm::any_of(op->getResults().take_front(result.getResultNumber()), shares);
      if (storages[place.storage].kind == Storage::Arena && !taken &&
          llvm::count_if(op->getOperands(), shares) == 1 && isLastUse(op, place) &&
          canUpdateInPlace(op, operand, result, limits))
        return place;
    }
  }
  return std::nullopt;
}

std::vector<std::pair<Storage::Kind, int64_t>> BufferPlan::slicedBuffers() const {
  std::vector<std::pair<Storage::Kind, int64_t>> result;
  for (const Storage &storage : storages)
    if (storage.sliced && (storage.kind == Storage::Argument || storage.kind == Storage::Result))
      result.push_back({storage.kind, storage.number});
  return result;
}

int64_t BufferPlan::exchangeOffset(ForOp loop, unsigned carry) const {
  auto found = exchanges.find({loop, carry});
  return found == exchanges.end() ? -1 : storages[found->second].offset;
}

/// The largest first, each at the lowest offset that is free for as long as it lives.
void BufferPlan::assignOffsets() {
  SmallVector<int> order;
  for (auto [i, storage] : llvm::enumerate(storages))
    if (storage.kind == Storage::Arena && storage.last >= 0)
      order.push_back(i);
  llvm::sort(order, [&](int a, int b) {
    return storages[a].bytes != storages[b].bytes ? storages[a].bytes > storages[b].bytes : a < b;
  });
  SmallVector<int> placed;
  for (int number : order) {
    Storage &storage = storages[number];
    int64_t size = (storage.bytes + limits.alignment - 1) / limits.alignment * limits.alignment;
    SmallVector<std::pair<int64_t, int64_t>> taken;
    for (int other : placed) {
      const Storage &o = storages[other];
      if (o.first <= storage.last && storage.first <= o.last)
        taken.push_back(
            {o.offset, o.offset + (o.bytes + limits.alignment - 1) / limits.alignment * limits.alignment});
    }
    llvm::sort(taken);
    int64_t offset = 0;
    for (auto [low, high] : taken) {
      if (low - offset >= size)
        break;
      offset = std::max(offset, high);
    }
    storage.offset = offset;
    bytes = std::max(bytes, offset + size);
    placed.push_back(number);
  }
}
