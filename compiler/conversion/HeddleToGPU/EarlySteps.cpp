//===- EarlySteps.cpp - Steps that run beside other work ------------------===//

#include "compiler/conversion/HeddleToGPU/EarlySteps.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"

#include "dialects/heddle/IR/Heddle.h"
#include "dialects/sparsek/IR/SparseK.h"

using namespace mlir;
using namespace heddle::gpu;
using namespace heddle::ir;
namespace sk = heddle::sparsek;

/// Those whose programs tell of early steps.
static bool mayBeginEarly(Operation *op) {
  return isa<sk::ThresholdOp, sk::ThresholdBackwardOp, sk::ThresholdTangentOp, sk::AttentionOp,
             sk::AttentionBackwardOp, sk::AttentionTangentOp>(op);
}

/// About twice the bytes that a GPU moves while it selects, for each score that it selects from, since both
/// take longer beside each other: of 12 rows of 32,768 thresholds take an H200 110 us and lists 15, at 3
/// TB/s.
constexpr int64_t bytesOfThresholds = 2048, bytesOfLists = 256;

EarlySteps::EarlySteps(func::FuncOp function, Programs programOf) {
  visit(function.getBody().front(), programOf);
}

void EarlySteps::visit(Block &block, Programs programOf) {
  for (Operation &op : block) {
    if (isa<ForOp, IfOp>(op))
      for (Region &region : op.getRegions())
        visit(region.front(), programOf);
    if (!mayBeginEarly(&op))
      continue;
    const DeviceProgram &program = programOf(&op);
    Operation *start = program.earlySteps > 0 ? findStart(&op, program) : &op;
    if (start == &op)
      continue;
    startOf[&op] = start;
    if (program.earlySteps == program.steps.size())
      wholly.insert(&op);
    starting[start].push_back(&op);
    sections.try_emplace(&op, sections.size());
  }
}

/// The first operation of the block before which a value is there, for what is put aside.
Operation *EarlySteps::availableAt(Value value, Block &block) const {
  Operation *producer = cpu::originOf(value).getDefiningOp();
  if (!producer || producer->getBlock() != &block)
    return &block.front();
  // What is put aside later finds what was put aside before.
  return wholly.contains(producer) ? startOf.lookup(producer) : producer->getNextNode();
}

/// The bytes that an operation moves at least, 0 where it launches nothing itself. Products take longer.
int64_t EarlySteps::work(Operation *op) const {
  if (isa<ReshapeOp, ConstantOp>(op) || wholly.contains(op))
    return 0;
  int64_t bytes = 0;
  for (ValueRange values : {ValueRange(op->getOperands()), ValueRange(op->getResults())})
    for (Value value : values)
      bytes += cpu::tensorBytes(value.getType());
  return bytes;
}

/// Behind what is put aside already, if that makes what the steps read. Otherwise as late as leaves enough to
/// do until the operation, but no earlier than what they read is there; the operation itself where nothing is
/// to be done in between.
Operation *EarlySteps::findStart(Operation *op, const DeviceProgram &program) const {
  Block &block = *op->getBlock();
  SmallVector<Value> read;
  for (const DeviceStep &step : ArrayRef(program.steps).take_front(program.earlySteps))
    for (const DeviceOperand &operand : step.operands)
      if (operand.kind == DeviceOperand::Operand)
        read.push_back(op->getOperand(operand.number));
  Operation *earliest = &block.front();
  int64_t scores = 0;
  for (Value value : read) {
    scores = std::max(scores, cast<RankedTensorType>(value.getType()).getNumElements());
    if (Operation *available = availableAt(value, block); earliest->isBeforeInBlock(available))
      earliest = available;
  }
  for (Value value : read)
    if (Operation *producer = cpu::originOf(value).getDefiningOp();
        wholly.contains(producer) && startOf.lookup(producer) == earliest)
      return earliest;
  const bool isWhole = program.earlySteps == program.steps.size();
  const int64_t enough = scores * (isWhole ? bytesOfThresholds : bytesOfLists);
  int64_t between = 0;
  Operation *start = op;
  for (Operation *at = op; at != earliest && between < enough;) {
    at = at->getPrevNode();
    if (const int64_t bytes = work(at)) {
      between += bytes;
      start = at;
    }
  }
  return start;
}

ArrayRef<Operation *> EarlySteps::startingAt(Operation *at) const {
  auto found = starting.find(at);
  return found == starting.end() ? ArrayRef<Operation *>() : ArrayRef<Operation *>(found->second);
}

std::optional<int32_t> EarlySteps::sectionOf(Operation *op) const {
  auto found = sections.find(op);
  return found == sections.end() ? std::nullopt : std::optional(found->second);
}
