//===- EarlySteps.cpp - Steps that run beside other work ------------------===//

#include "compiler/conversion/HeddleToGPU/EarlySteps.h"

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

static int64_t bytesOf(Value value) {
  auto tensor = cast<RankedTensorType>(value.getType());
  return tensor.getNumElements() * std::max<int64_t>(tensor.getElementTypeBitWidth() / 8, 1);
}

/// How many bytes a GPU moves while it selects, for each score that it selects from, twice: both take longer
/// beside each other. Thresholds of 12 rows of 32,768 take an H200 110 us, and lists 15, at 3 TB/s.
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
    Operation *start = program.earlySteps > 0 ? startOf(&op, program) : &op;
    if (start == &op)
      continue;
    begun[&op] = start;
    if (program.earlySteps == program.steps.size())
      wholly.insert(&op);
    beginnings[start].push_back(&op);
    sections.try_emplace(&op, sections.size());
  }
}

/// The first operation of the block before which a value is there, for what is put aside.
Operation *EarlySteps::availableAt(Value value, Block &block) const {
  Operation *producer = cpu::originOf(value).getDefiningOp();
  if (!producer || producer->getBlock() != &block)
    return &block.front();
  // What is put aside later finds what was put aside before.
  return wholly.contains(producer) ? begun.lookup(producer) : producer->getNextNode();
}

/// The bytes that an operation moves at least, 0 where it launches nothing itself. Products take longer.
int64_t EarlySteps::work(Operation *op) const {
  if (isa<ReshapeOp, ConstantOp>(op) || wholly.contains(op))
    return 0;
  int64_t bytes = 0;
  for (ValueRange values : {ValueRange(op->getOperands()), ValueRange(op->getResults())})
    for (Value value : values)
      bytes += bytesOf(value);
  return bytes;
}

/// Behind what is put aside already, if that makes what the steps read. Otherwise as late as leaves enough to
/// do until the operation, but no earlier than what they read is there; the operation itself where nothing is
/// to be done in between.
Operation *EarlySteps::startOf(Operation *op, const DeviceProgram &program) const {
  Block &block = *op->getBlock();
  Operation *earliest = &block.front();
  int64_t scores = 0;
  Operation *last = nullptr; ///< where what they read is put aside
  for (const DeviceStep &step : ArrayRef(program.steps).take_front(program.earlySteps))
    for (const DeviceOperand &operand : step.operands)
      if (operand.kind == DeviceOperand::Operand) {
        Value value = op->getOperand(operand.number);
        scores = std::max(scores, cast<RankedTensorType>(value.getType()).getNumElements());
        Operation *available = availableAt(value, block);
        if (earliest->isBeforeInBlock(available))
          earliest = available;
        if (wholly.contains(cpu::originOf(value).getDefiningOp()) && available == earliest)
          last = available;
      }
  if (last == earliest)
    return last;
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

ArrayRef<Operation *> EarlySteps::beginning(Operation *at) const {
  auto found = beginnings.find(at);
  return found == beginnings.end() ? ArrayRef<Operation *>() : ArrayRef<Operation *>(found->second);
}

std::optional<int32_t> EarlySteps::sectionOf(Operation *op) const {
  auto found = sections.find(op);
  return found == sections.end() ? std::nullopt : std::optional(found->second);
}
