//===- SplitReductions.cpp - Reductions in forms that kernels run well ----===//

#include "compiler/conversion/HeddleToCPU/GroupPlan.h"
#include "compiler/conversion/HeddleToCPU/HeddleToCPU.h"

#include "dialects/heddle/IR/Heddle.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;
using namespace heddle::cpu;
using namespace heddle::ir;

namespace {

/// Below this many elements one task is enough.
constexpr int64_t smallReduction = 1 << 14;

Value castTo(OpBuilder &b, Location loc, Value x, Type element) {
  auto from = tensorType(x);
  if (from.getElementType() == element)
    return x;
  return CastOp::create(b, loc, RankedTensorType::get(from.getShape(), element), x);
}

/// The divisor of n in [low, high] nearest to `wanted`, or 0. Independent of the number of threads.
int64_t divisorNear(int64_t n, int64_t wanted, int64_t low, int64_t high) {
  int64_t best = 0;
  for (int64_t d = std::max<int64_t>(low, 2); d <= std::min(high, n); ++d)
    if (n % d == 0 && (best == 0 || std::abs(d - wanted) < std::abs(best - wanted)))
      best = d;
  return best;
}

/// The sums of bf16 and f16 stay in f32 between the two steps.
Value wideOperand(OpBuilder &b, ReduceOp op) {
  Type element = tensorType(op.getX()).getElementType();
  bool narrow = element.isBF16() || element.isF16();
  return castTo(b, op.getLoc(), op.getX(), narrow ? Type(b.getF32Type()) : element);
}

Value reduce(OpBuilder &b, Location loc, ReductionKind kind, Value x, ArrayRef<int64_t> axes) {
  SmallVector<int64_t> shape;
  for (auto [d, extent] : llvm::enumerate(tensorType(x).getShape()))
    if (!llvm::is_contained(axes, (int64_t)d))
      shape.push_back(extent);
  auto type = RankedTensorType::get(shape, tensorType(x).getElementType());
  return ReduceOp::create(b, loc, type, kind, x, axes);
}

/// [.., a, .., b, ..] over a and b: the last run of adjacent axes first.
void splitGaps(ReduceOp op) {
  OpBuilder b(op);
  Type element = tensorType(op.getX()).getElementType();
  SmallVector<int64_t> axes(op.getAxes());
  SmallVector<int64_t> run = {axes.pop_back_val()};
  while (!axes.empty() && axes.back() == run.front() - 1)
    run.insert(run.begin(), axes.pop_back_val());
  Value inner = reduce(b, op.getLoc(), op.getKind(), wideOperand(b, op), run);
  auto outer = cast<ReduceOp>(reduce(b, op.getLoc(), op.getKind(), inner, axes).getDefiningOp());
  op.replaceAllUsesWith(castTo(b, op.getLoc(), outer.getResult(), element));
  op.erase();
  if (!reductionShape(outer))
    splitGaps(outer);
}

void splitLong(ReduceOp op, const ReductionTasks &wanted) {
  ReductionShape shape = *reductionShape(op);
  int64_t total = shape.outer * shape.reduced * shape.inner;
  int64_t tasks = shape.outer * ((shape.inner + wanted.columnsPerTask - 1) / wanted.columnsPerTask);
  if (total < smallReduction || tasks >= wanted.enoughTasks)
    return;
  // Some thousand elements for each partial result along a row, as many partial results down the columns as
  // keep threads busy: more of them where rows are short.
  constexpr int64_t busyColumns = 1 << 20;
  const int64_t mostParts = std::clamp(busyColumns / shape.inner, wanted.enoughTasks, 2 * wanted.enoughTasks);
  const int64_t columnParts = wanted.rowsPerTask
                                  ? std::clamp<int64_t>(shape.reduced / wanted.rowsPerTask, 64, mostParts)
                                  : std::max<int64_t>(64, 2 * wanted.enoughTasks / tasks);
  int64_t parts =
      shape.inner == 1
          ? divisorNear(shape.reduced, std::clamp<int64_t>(shape.reduced / wanted.rowPart, 8, 1024), 4, 4096)
          : divisorNear(shape.reduced, columnParts, 4, std::max<int64_t>(256, 4 * wanted.enoughTasks));
  if (!parts || parts == shape.reduced) {
    remark::missed(op.getLoc(), remark::RemarkOpts::name("serial reduction").category("heddle"))
        << ("a reduction over " + Twine(shape.reduced) + " elements runs as " + Twine(tasks) +
            (tasks == 1 ? " task" : " tasks") + ", since no divisor of that length gives more")
               .str();
    return;
  }
  OpBuilder b(op);
  Location loc = op.getLoc();
  Value x = wideOperand(b, op);
  Type element = tensorType(x).getElementType();
  const bool interleaved = wanted.interleaved && shape.outer == 1 && shape.inner > 1;
  SmallVector<int64_t> view = {shape.outer, parts, shape.reduced / parts, shape.inner};
  if (interleaved)
    std::swap(view[1], view[2]);
  x = ReshapeOp::create(b, loc, RankedTensorType::get(view, element), x);
  x = reduce(b, loc, op.getKind(), x, {interleaved ? 1 : 2});
  x = reduce(b, loc, op.getKind(), x, {1});
  auto type = cast<RankedTensorType>(op.getResult().getType());
  x = ReshapeOp::create(b, loc, RankedTensorType::get(type.getShape(), element), x);
  op.replaceAllUsesWith(castTo(b, loc, x, type.getElementType()));
  op.erase();
}

struct SplitReductionsPass : PassWrapper<SplitReductionsPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(SplitReductionsPass)
  SplitReductionsPass(const ReductionTasks &tasks) : tasks(tasks) {}
  StringRef getArgument() const final { return "heddle-split-reductions"; }
  StringRef getDescription() const final { return "Reduce over adjacent axes only, and in parallel"; }
  void runOnOperation() final {
    SmallVector<ReduceOp> all;
    getOperation().walk([&](ReduceOp op) { all.push_back(op); });
    for (ReduceOp op : all)
      if (!reductionShape(op))
        splitGaps(op);
    all.clear();
    getOperation().walk([&](ReduceOp op) { all.push_back(op); });
    for (ReduceOp op : all)
      splitLong(op, tasks);
  }

private:
  ReductionTasks tasks;
};

} // namespace

std::unique_ptr<Pass> heddle::cpu::createSplitReductionsPass(const ReductionTasks &tasks) {
  return std::make_unique<SplitReductionsPass>(tasks);
}
