//===- GroupPlan.cpp - Whether and how a group becomes one kernel ---------===//

#include "compiler/conversion/HeddleToCPU/GroupPlan.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"

#include "dialects/heddle/IR/Heddle.h"

using namespace mlir;
using namespace heddle::cpu;
using namespace heddle::ir;

std::optional<ReductionShape> heddle::cpu::reductionShape(Operation *op) {
  SmallVector<int64_t> axes;
  if (auto reduce = dyn_cast<ReduceOp>(op))
    axes.assign(reduce.getAxes().begin(), reduce.getAxes().end());
  else if (auto arg = dyn_cast<ArgReduceOp>(op))
    axes.push_back(arg.getAxis());
  else
    return std::nullopt;
  ArrayRef<int64_t> shape = tensorType(op->getOperand(0)).getShape();
  ReductionShape result;
  int state = 0;
  for (auto [d, extent] : llvm::enumerate(shape)) {
    bool isReduced = llvm::is_contained(axes, d);
    if (extent == 1)
      continue;
    if (isReduced && state == 2)
      return std::nullopt;
    state = isReduced ? 1 : (state ? 2 : 0);
    (state == 0 ? result.outer : state == 1 ? result.reduced : result.inner) *= extent;
  }
  return result;
}

GroupPlan::GroupPlan(ArrayRef<Operation *> reductions, ArrayRef<Value> outputs,
                     std::function<bool(Value)> isLeaf, const GroupLimits &limits)
    : reductions(reductions), outputs(outputs), isLeaf(std::move(isLeaf)), limits(limits) {}

/// The pass over a row in which a value can be computed: after those of the reductions that it depends on.
int GroupPlan::availability(Value value) {
  if (isLeaf(value))
    return 0;
  if (auto found = availabilities.find(value); found != availabilities.end())
    return found->second;
  Operation *op = value.getDefiningOp();
  int result = 0;
  for (Value operand : op->getOperands())
    result = std::max(result, availability(operand));
  if (llvm::is_contained(reductions, op))
    ++result;
  return availabilities[value] = result;
}

/// Separates reductions over rows from those along them. Below 32 parts, each a task, too few threads would
/// be busy unless there is little to do.
bool GroupPlan::planColumnSums() {
  if (!limits.columnSums)
    return false;
  std::optional<ReductionShape> across, along;
  SmallVector<Operation *> over, others;
  for (Operation *op : reductions) {
    auto shape = reductionShape(op);
    const bool isAcross = shape && shape->inner > 1 && isa<ReduceOp>(op);
    std::optional<ReductionShape> &known = isAcross ? across : along;
    if (!shape || (known && *known != *shape))
      return false;
    known = shape;
    (isAcross ? over : others).push_back(op);
  }
  if (!across)
    return false;
  // Rows of a part are adjacent, or those of all parts take turns.
  const int64_t length = along ? along->reduced : tensorType(over.front()->getOperand(0)).getShape().back();
  const bool inTurns =
      across->outer == 1 && across->inner > length && length > 0 && across->inner % length == 0;
  const int64_t tasks = inTurns ? across->inner / length : across->outer;
  const int64_t width = inTurns ? length : across->inner, all = tasks * across->reduced;
  if (width > limits.keptColumns || width < 64 || (tasks < 32 && across->reduced > 8))
    return false;
  if (along ? along->outer != all || along->reduced != width || along->inner != 1
            : llvm::none_of(outputs,
                            [&](Value output) { return tensorType(output).getNumElements() == all * width; }))
    return false;
  // Nothing in the group reads their results.
  auto isRead = [&](Value value) { return llvm::is_contained(over, value.getDefiningOp()); };
  SmallVector<Value> open;
  for (Value output : outputs)
    llvm::append_range(open, isRead(output) ? output.getDefiningOp()->getOperands() : ValueRange(output));
  for (Operation *op : others)
    llvm::append_range(open, op->getOperands());
  llvm::DenseSet<Value> seen;
  while (!open.empty()) {
    Value value = open.pop_back_val();
    if (isLeaf(value) || !seen.insert(value).second)
      continue;
    if (isRead(value))
      return false;
    llvm::append_range(open, value.getDefiningOp()->getOperands());
  }
  parts = tasks;
  interleaved = inTurns;
  rows = all;
  columns = width;
  reductions = others;
  columnReductions.assign(over.begin(), over.end());
  return true;
}

LogicalResult GroupPlan::plan(std::string &why) {
  auto reject = [&](const char *reason) {
    why = reason;
    return failure();
  };
  if (planColumnSums()) {
    kind = Kind::Rows;
  } else if (!reductions.empty()) {
    auto shape = reductionShape(reductions.front());
    if (!shape)
      return reject("the reduced axes are not adjacent");
    for (Operation *op : reductions)
      if (reductionShape(op) != shape)
        return reject("reductions over different shapes");
    rows = shape->outer;
    kind = shape->inner == 1 ? Kind::Rows : Kind::Columns;
    columns = kind == Kind::Rows ? shape->reduced : shape->inner;
    reduced = kind == Kind::Rows ? 1 : shape->reduced;
  }

  if (kind == Kind::Columns) {
    for (Operation *op : reductions)
      if (availability(op->getResult(0)) != 1)
        return reject("a reduction over leading axes depends on another one");
    for (Value output : outputs)
      if (tensorType(output).getNumElements() != rows * columns)
        return reject("results of different sizes");
    columnBlock = std::min(columns, limits.columnBlock);
    row = space.loop({0, rows - 1}, 1);
    first = space.loop({0, columns - 1}, 1);
    step = space.loop({0, reduced - 1}, 2);
    evaluator = std::make_unique<Evaluator>(space, isLeaf, nullptr);
    segments = {space.loop({0, columns - 1}, 3), space.loop({0, columns - 1}, 2)};
    walkColumns();
    why = evaluator->failure;
    return success(!evaluator->failed());
  }

  if (kind == Kind::Rows) {
    int passes = 0;
    for (Operation *op : reductions)
      passes = std::max(passes, availability(op->getResult(0)));
    phases.resize(passes + 1);
    for (Operation *op : reductions)
      phases[availability(op->getResult(0)) - 1].reductions.push_back(op);
    for (auto [i, output] : llvm::enumerate(outputs)) {
      int64_t count = tensorType(output).getNumElements();
      if (isColumnSum(output)) {
        phases[availability(output.getDefiningOp()->getOperand(0))].sums.push_back(i);
        continue;
      }
      bool isReduction = llvm::is_contained(reductions, output.getDefiningOp());
      if (count == rows && (isReduction || columns != 1))
        rowOutputs.push_back(i);
      else if (count == rows * columns)
        phases[availability(output)].outputs.push_back(i);
      else
        return reject("results of different sizes");
    }
    bool fits = analyse(columns, true);
    why = evaluator->failure;
    return success(fits);
  }

  int64_t count = tensorType(outputs.front()).getNumElements();
  for (Value output : outputs)
    if (tensorType(output).getNumElements() != count)
      return reject("results of different sizes");
  phases.resize(1);
  for (unsigned i = 0; i < outputs.size(); ++i)
    phases[0].outputs.push_back(i);
  // As many columns as can be walked without a division for each element.
  SmallVector<int64_t> candidates = {count};
  for (Value output : outputs) {
    int64_t suffix = count;
    for (int64_t extent : tensorType(output).getShape()) {
      suffix = extent ? suffix / extent : 0;
      if (suffix > 1 && !llvm::is_contained(candidates, suffix))
        candidates.push_back(suffix);
    }
  }
  llvm::sort(candidates, std::greater<int64_t>());
  for (int64_t candidate : candidates) {
    bool clean = analyse(candidate, false);
    why = evaluator->failure;
    if (evaluator->failed())
      return failure();
    if (clean || candidate == candidates.back()) {
      return success(analyse(candidate, true));
    }
  }
  return failure();
}

/// One or two analysis walks with this many columns: the first finds where to cut the loops, the second, on
/// request, what to keep between passes. Returns whether no position needs a division by column.
bool GroupPlan::analyse(int64_t columnCount, bool final) {
  if (kind == Kind::Elementwise) {
    int64_t count = tensorType(outputs.front()).getNumElements();
    columns = columnCount;
    rows = columns ? count / columns : 0;
    flat = rows == 1;
  }
  space = IndexSpace();
  row = space.loop({0, std::max<int64_t>(rows - 1, 0)}, 1);
  evaluator = std::make_unique<Evaluator>(space, isLeaf, nullptr);
  cuts = {0, columns};
  segments = {space.loop({0, std::max<int64_t>(columns - 1, 0)}, 2)};
  walkRows();
  if (evaluator->failed())
    return false;
  bool clean = !evaluator->columnDivided;
  if (!final)
    return clean;
  std::set<int64_t> breakpoints = evaluator->breakpoints;
  cuts = {0};
  if (breakpoints.size() <= 8)
    for (int64_t at : breakpoints)
      if (at > 0 && at < columns)
        cuts.push_back(at);
  cuts.push_back(columns);
  segments.clear();
  for (size_t i = 0; i + 1 < cuts.size(); ++i)
    segments.push_back(space.loop({cuts[i], std::max(cuts[i], cuts[i + 1] - 1)}, 2));
  evaluator = std::make_unique<Evaluator>(space, isLeaf, nullptr);
  walkRows();
  readsAgain = columns > limits.keptColumns && columns * mostKept() > limits.keptElements;
  reloads = scratchBytes() > limits.scratchBytes || (readsAgain && !evaluator->stashes.empty());
  if (reloads)
    evaluator->stashes.clear();
  return true;
}

void GroupPlan::walkRows() {
  for (auto [number, phase] : llvm::enumerate(phases)) {
    evaluator->phase = number;
    if (!phase.empty())
      for (const Linear &column : segments) {
        evaluator->column = column;
        evaluator->segment = &column - segments.begin();
        evaluator->levels[2].clear();
        Linear position = element(column);
        for (Operation *op : phase.reductions)
          evaluator->eval(op->getOperand(0), at(op->getOperand(0), position));
        for (unsigned i : phase.outputs) {
          evaluator->eval(outputs[i], at(outputs[i], position));
          // The result is stored in row-major order along the column.
          evaluator->position(position);
        }
        for (unsigned i : phase.sums) {
          Value summed = outputs[i].getDefiningOp()->getOperand(0);
          evaluator->eval(summed, at(summed, position));
        }
      }
    for (Operation *op : phase.reductions) {
      Evaluator::Reduced info;
      info.position = row;
      evaluator->reduced[op->getResult(0)] = info;
    }
  }
  evaluator->column = Linear(0);
  evaluator->phase = phases.size();
  for (unsigned i : rowOutputs)
    evaluator->eval(outputs[i], at(outputs[i], row));
}

void GroupPlan::walkColumns() {
  evaluator->column = segments[0];
  Linear position = space.add(space.scale(space.add(space.scale(row, reduced), step), columns), segments[0]);
  for (Operation *op : reductions)
    evaluator->eval(op->getOperand(0), at(op->getOperand(0), position));
  evaluator->column = segments[1];
  evaluator->levels[2].clear();
  Linear result = space.add(space.scale(row, columns), segments[1]);
  for (Operation *op : reductions) {
    Evaluator::Reduced info;
    info.position = result;
    info.level = 2;
    info.scratchPosition = space.add(segments[1], space.scale(first, -1));
    evaluator->reduced[op->getResult(0)] = info;
  }
  for (Value output : outputs)
    evaluator->eval(output, at(output, result));
}

int64_t GroupPlan::mostKept() const {
  std::map<void *, std::pair<int, int>> passes; ///< the first and last pass that need a tensor's elements
  auto need = [&](Value tensor, int first, int last) {
    auto [range, isNew] = passes.try_emplace(tensor.getAsOpaquePointer(), first, last);
    range->second = {std::min(range->second.first, first), std::max(range->second.second, last)};
  };
  for (const Evaluator::Load &load : evaluator->loads)
    if (tensorType(load.leaf).getNumElements() >= columns)
      need(load.leaf, load.phase, load.phase);
  for (auto &[key, stash] : evaluator->stashes)
    need(stash.tensor, stash.firstPhase, stash.lastPhase);
  int64_t most = 1;
  for (int pass = 0; pass + 1 < (int)phases.size(); ++pass)
    most = std::max<int64_t>(most, llvm::count_if(passes, [&](auto &entry) {
                               return entry.second.first <= pass && pass < entry.second.second;
                             }));
  return most;
}

int64_t GroupPlan::scratchBytes() const {
  int64_t bytes = 0;
  for (auto &[key, stash] : evaluator->stashes)
    bytes += columns * (int64_t)std::max(1u, computeType(stash.type).getIntOrFloatBitWidth() / 8);
  return bytes;
}

std::pair<SmallVector<Operation *>, SmallVector<Value>> GroupPlan::contents(FusionOp op) {
  Block *body = &op.getBody().front();
  SmallVector<Operation *> reductions;
  for (Operation &inner : *body)
    if (isa<ReduceOp, ArgReduceOp>(inner))
      reductions.push_back(&inner);
  return {reductions, llvm::to_vector(cast<YieldOp>(body->getTerminator()).getValues())};
}

bool GroupPlan::canUpdateInPlace(Value leaf, unsigned number) const {
  if (tensorType(leaf).getNumElements() != tensorType(outputs[number]).getNumElements() ||
      tensorType(leaf).getElementType() != tensorType(outputs[number]).getElementType())
    return false;
  auto element = [this](const Linear &column) { return const_cast<GroupPlan *>(this)->element(column); };
  SmallVector<Linear> own; ///< the positions that are written
  int pass = -1;
  if (kind == Kind::Columns) {
    own = {element(segments[1])};
    pass = 0;
  } else if (llvm::is_contained(rowOutputs, number)) {
    own = {row};
    pass = phases.size();
  } else {
    for (auto [p, phase] : llvm::enumerate(phases))
      if (llvm::is_contained(phase.outputs, number))
        pass = p;
    if (pass < 0 || (reloads && (pass + 1 < (int)phases.size() || !rowOutputs.empty())))
      return false;
    own = llvm::map_to_vector(segments, element);
  }
  return llvm::all_of(evaluator->loads, [&](const Evaluator::Load &load) {
    return load.leaf != leaf || (load.phase <= pass && llvm::is_contained(own, load.position));
  });
}

bool GroupPlan::readsAcross() const {
  bool isLarge = rows * reduced * columns >= 1 << 14;
  return isLarge && (evaluator->columnDivided || evaluator->columnStrideCost > 0);
}
