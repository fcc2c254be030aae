//===- Prepare.cpp - Before operations are grouped ------------------------===//

#include "compiler/conversion/HeddleToCPU/Evaluator.h"
#include "compiler/conversion/HeddleToCPU/HeddleToCPU.h"

#include "dialects/heddle/IR/Heddle.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace heddle::cpu;
using namespace heddle::ir;

namespace {

/// x -> x.
template <typename OpT>
struct DropIdentity : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;
  LogicalResult matchAndRewrite(OpT op, PatternRewriter &rewriter) const final {
    rewriter.replaceOp(op, op.getX());
    return success();
  }
};

/// Moves of elements that move nothing, and chains of them.
struct SimplifyMove : RewritePattern {
  SimplifyMove(MLIRContext *context) : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}

  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const final {
    if (op->getNumOperands() == 0 || op->getNumResults() != 1 || !isa<HeddleDialect>(op->getDialect()))
      return failure();
    Value x = op->getOperand(0);
    bool sameType = x.getType() == op->getResult(0).getType();
    Operation *producer = x.getDefiningOp();
    if (auto reshape = dyn_cast<ReshapeOp>(op)) {
      if (sameType)
        return replace(rewriter, op, x);
      if (auto inner = dyn_cast_or_null<ReshapeOp>(producer)) {
        rewriter.replaceOpWithNewOp<ReshapeOp>(op, reshape.getType(), inner.getX());
        return success();
      }
      return failure();
    }
    if (auto transpose = dyn_cast<TransposeOp>(op)) {
      ArrayRef<int64_t> permutation = transpose.getPermutation();
      if (llvm::is_sorted(permutation))
        return replace(rewriter, op, x);
      if (auto inner = dyn_cast_or_null<TransposeOp>(producer)) {
        SmallVector<int64_t> both =
            llvm::map_to_vector(permutation, [&](int64_t d) { return inner.getPermutation()[d]; });
        rewriter.replaceOpWithNewOp<TransposeOp>(op, op->getResult(0).getType(), inner.getX(), both);
        return success();
      }
      // Axes of extent 1 may go anywhere without moving elements.
      int64_t last = -1;
      for (int64_t d : permutation) {
        if (tensorType(x).getDimSize(d) == 1)
          continue;
        if (d < last)
          return failure();
        last = d;
      }
      rewriter.replaceOpWithNewOp<ReshapeOp>(op, op->getResult(0).getType(), x);
      return success();
    }
    if (auto broadcast = dyn_cast<BroadcastOp>(op)) {
      if (sameType)
        return replace(rewriter, op, x);
      if (auto inner = dyn_cast_or_null<BroadcastOp>(producer)) {
        SmallVector<int64_t> axes =
            llvm::map_to_vector(inner.getAxes(), [&](int64_t d) { return broadcast.getAxes()[d]; });
        rewriter.replaceOpWithNewOp<BroadcastOp>(op, op->getResult(0).getType(), inner.getX(), axes);
        return success();
      }
      auto from = tensorType(x), to = cast<RankedTensorType>(op->getResult(0).getType());
      if (from.getNumElements() == to.getNumElements()) {
        rewriter.replaceOpWithNewOp<ReshapeOp>(op, to, x);
        return success();
      }
      return failure();
    }
    if (auto reduce = dyn_cast<ReduceOp>(op)) {
      auto to = cast<RankedTensorType>(op->getResult(0).getType());
      if (tensorType(x).getNumElements() != to.getNumElements() || to.getNumElements() == 0)
        return failure();
      rewriter.replaceOpWithNewOp<ReshapeOp>(op, to, x);
      return success();
    }
    if (isa<CastOp, SliceOp>(op) && sameType)
      return replace(rewriter, op, x);
    if (auto pad = dyn_cast<PadOp>(op)) {
      auto none = [](int64_t n) { return n == 0; };
      if (llvm::all_of(pad.getLow(), none) && llvm::all_of(pad.getHigh(), none) &&
          llvm::all_of(pad.getInterior(), none))
        return replace(rewriter, op, x);
      return failure();
    }
    if (auto concat = dyn_cast<ConcatOp>(op); concat && concat.getInputs().size() == 1)
      return replace(rewriter, op, x);
    return failure();
  }

  static LogicalResult replace(PatternRewriter &rewriter, Operation *op, Value x) {
    rewriter.replaceOp(op, x);
    return success();
  }
};

/// Whether all elements are known to lie in [0, extent).
bool knownInside(Value ids, int64_t extent) {
  Operation *op = ids.getDefiningOp();
  if (!op) {
    // The step of a loop.
    auto argument = cast<BlockArgument>(ids);
    auto loop = dyn_cast_or_null<ForOp>(argument.getOwner()->getParentOp());
    return loop && argument == loop.getStep() && (int64_t)loop.getCount() <= extent;
  }
  if (auto iota = dyn_cast<IotaOp>(op))
    return cast<RankedTensorType>(iota.getType()).getDimSize(iota.getAxis()) <= extent;
  if (auto constant = dyn_cast<ConstantOp>(op)) {
    auto dense = dyn_cast<DenseIntElementsAttr>(constant.getValue());
    return dense && llvm::all_of(dense.getValues<APInt>(), [&](const APInt &x) {
             return !x.isNegative() && x.getSExtValue() < extent;
           });
  }
  if (auto sort = dyn_cast<ArgsortOp>(op))
    return tensorType(sort.getX()).getDimSize(sort.getAxis()) <= extent;
  if (auto arg = dyn_cast<ArgReduceOp>(op))
    return tensorType(arg.getX()).getDimSize(arg.getAxis()) <= extent;
  if (isa<BroadcastOp, ReshapeOp, TransposeOp, SliceOp, ReverseOp>(op))
    return knownInside(op->getOperand(0), extent);
  return false;
}

struct PreparePass : PassWrapper<PreparePass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(PreparePass)
  StringRef getArgument() const final { return "heddle-prepare"; }
  StringRef getDescription() const final {
    return "Remove what only differentiation needs and check run-time indices";
  }

  void runOnOperation() final {
    ModuleOp module = getOperation();
    WalkResult result = module.walk([](Operation *op) {
      for (Type type : op->getResultTypes())
        if (auto tensor = dyn_cast<RankedTensorType>(type); tensor && !tensor.hasStaticShape()) {
          op->emitError("a dimension of ")
              << tensor << " is not known when the program is compiled for the CPU";
          return WalkResult::interrupt();
        }
      if (isa<VjpOp, JvpOp>(op)) {
        op->emitError("a derivative is still to be made");
        return WalkResult::interrupt();
      }
      return WalkResult::advance();
    });
    if (result.wasInterrupted())
      return signalPassFailure();

    RewritePatternSet patterns(&getContext());
    patterns.add<DropIdentity<StopGradientOp>, DropIdentity<FenceOp>, SimplifyMove>(&getContext());
    if (failed(applyPatternsGreedily(module, std::move(patterns))))
      return signalPassFailure();
    module.walk([&](Operation *op) { check(op); });
    module.walk([&](PutAlongOp op) { spread(op); });
  }

  /// One addition to each line, at `ids`, is a choice for each element: it then fuses with what is around it.
  static void spread(PutAlongOp op) {
    int64_t axis = op.getAxis();
    auto idsType = tensorType(op.getIds()), type = cast<RankedTensorType>(op.getType());
    if (idsType.getDimSize(axis) != 1)
      return;
    OpBuilder b(op);
    Location loc = op.getLoc();
    SmallVector<int64_t> line(idsType.getShape()), axes;
    line.erase(line.begin() + axis);
    for (int64_t d = 0; d < type.getRank(); ++d)
      if (d != axis)
        axes.push_back(d);
    auto spreadOver = [&](Value x) -> Value {
      Type element = tensorType(x).getElementType();
      Value flat = ReshapeOp::create(b, loc, RankedTensorType::get(line, element), x);
      return BroadcastOp::create(b, loc, RankedTensorType::get(type.getShape(), element), flat, axes);
    };
    Value number =
        IotaOp::create(b, loc, RankedTensorType::get(type.getShape(), idsType.getElementType()), axis);
    Value here = CompareOp::create(b, loc, ComparePredicate::eq, number, spreadOver(op.getIds()));
    Value sum = AddOp::create(b, loc, op.getBase(), spreadOver(op.getUpdates()));
    op.replaceAllUsesWith(SelectOp::create(b, loc, type, here, sum, op.getBase()).getResult());
    op.erase();
  }

  /// The check in front of an operation at run-time positions.
  static void check(Operation *op) {
    Value ids;
    int64_t extent = 0;
    std::string message = "index {} is outside a dimension of {}";
    auto from = [&](Value positions, Value table, int64_t axis) {
      ids = positions;
      extent = tensorType(table).getDimSize(axis);
    };
    auto block = [&](Value start, Value table, int64_t axis, int64_t size) {
      ids = start;
      int64_t dimension = tensorType(table).getDimSize(axis);
      extent = dimension - size + 1;
      if (size != 1)
        message = "a slice of " + std::to_string(size) + " from {} is outside a dimension of " +
                  std::to_string(dimension);
    };
    if (auto gather = dyn_cast<GatherOp>(op))
      from(gather.getIds(), gather.getTable(), gather.getAxis());
    else if (auto scatter = dyn_cast<ScatterAddOp>(op))
      from(scatter.getIds(), scatter.getBase(), scatter.getAxis());
    else if (auto take = dyn_cast<TakeAlongOp>(op))
      from(take.getIds(), take.getX(), take.getAxis());
    else if (auto put = dyn_cast<PutAlongOp>(op))
      from(put.getIds(), put.getBase(), put.getAxis());
    else if (auto slice = dyn_cast<DynamicSliceOp>(op))
      block(slice.getStart(), slice.getX(), slice.getAxis(), slice.getSize());
    else if (auto update = dyn_cast<DynamicUpdateSliceOp>(op))
      block(update.getStart(), update.getX(), update.getAxis(),
            tensorType(update.getUpdate()).getDimSize(update.getAxis()));
    else
      return;
    if (knownInside(ids, extent))
      return;
    for (Operation *user : ids.getUsers())
      if (auto other = dyn_cast<CheckIndexOp>(user))
        if ((int64_t)other.getLimit() <= extent && other.getMessage() == message &&
            other->getBlock() == op->getBlock())
          return;
    OpBuilder builder(op);
    CheckIndexOp::create(builder, op->getLoc(), ids, extent, message);
  }
};

} // namespace

std::unique_ptr<Pass> heddle::cpu::createPreparePass() { return std::make_unique<PreparePass>(); }
