//===- HeddleFoldsControl.cpp - Simplification of loops and conditions ----===//

#include "dialects/heddle/IR/HeddleNumbers.h"

#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace heddle::ir;

namespace {

//===----------------------------------------------------------------------===//
// Values that a loop hands through
//===----------------------------------------------------------------------===//

/// Replaces what a loop carries, collects or scans without changing it, by where it comes from:
/// - a carry that is yielded unchanged, or as its own start, by its start;
/// - a collected value from around the loop by its repetition, a collected slice by the scanned tensor;
/// - a result that is collected twice, or a tensor that is scanned twice, by the first;
/// - slices of equal elements, or along the repetition of a broadcast, by one of them.
/// What is unused then goes with `PruneLoop`.
struct ForwardThroughLoop : OpRewritePattern<ForOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ForOp loop, PatternRewriter &rewriter) const override {
    YieldOp yield = loop.getYield();
    bool changed = false;
    auto replace = [&](Value from, Value to, OpOperand *except = nullptr) {
      rewriter.replaceUsesWithIf(from, to, [&](OpOperand &use) {
        changed |= &use != except;
        return &use != except;
      });
    };
    auto isOutside = [&](Value value) { return !loop.getBody().isAncestor(value.getParentRegion()); };

    for (auto [i, carry] : llvm::enumerate(loop.getCarries())) {
      Value init = loop.getInits()[i], next = yield.getValues()[i];
      if (next != carry && next != init)
        continue;
      replace(carry, init, &yield->getOpOperand(i));
      replace(loop.getResult(i), init);
    }
    auto collected = yield.getValues().drop_front(loop.getNumCarries());
    for (auto [i, value] : llvm::enumerate(collected)) {
      Value result = loop.getCollectedResults()[i];
      if (result.use_empty())
        continue;
      if (size_t first = llvm::find(collected, value) - collected.begin(); first < i) {
        replace(result, loop.getCollectedResults()[first]);
      } else if (isOutside(value)) {
        rewriter.setInsertionPoint(loop);
        auto axes = llvm::to_vector(llvm::seq<int64_t>(1, tensorOf(value).getRank() + 1));
        replace(result, rewriter.createOrFold<BroadcastOp>(loop.getLoc(), result.getType(), value, axes));
      } else if (auto at = llvm::find(loop.getSlices(), value); at != loop.getSlices().end()) {
        Value scanned = loop.getScanned()[at - loop.getSlices().begin()];
        if (scanned.getType() == result.getType())
          replace(result, scanned);
      }
    }
    for (auto [i, scanned, slice] : llvm::enumerate(loop.getScanned(), loop.getSlices())) {
      if (slice.use_empty())
        continue;
      if (size_t first = llvm::find(loop.getScanned(), scanned) - loop.getScanned().begin(); first < i)
        replace(slice, loop.getSlices()[first]);
      else if (Value same = sameSlice(rewriter, loop, scanned, slice.getType()))
        replace(slice, same);
    }
    return success(changed);
  }

  /// The slice that all steps of `scanned` have, made in front of the loop; null where they may differ.
  static Value sameSlice(PatternRewriter &rewriter, ForOp loop, Value scanned, Type type) {
    rewriter.setInsertionPoint(loop);
    if (auto constant = scanned.getDefiningOp<ConstantOp>()) {
      auto numbers = Numbers::of(scanned);
      if (!numbers || !numbers->isSplat())
        return {};
      auto value = cast<DenseElementsAttr>(constant.getValue());
      return ConstantOp::create(rewriter, constant.getLoc(),
                                resplat(value, cast<RankedTensorType>(type).getShape()));
    }
    auto broadcast = scanned.getDefiningOp<BroadcastOp>();
    if (!broadcast || llvm::is_contained(broadcast.getAxes(), 0))
      return {};
    auto axes = llvm::map_to_vector(broadcast.getAxes(), [](int64_t axis) { return axis - 1; });
    return rewriter.createOrFold<BroadcastOp>(loop.getLoc(), type, broadcast.getX(), axes);
  }
};

/// Reshapes that only add or drop axes of extent 1 move from what is collected to the stack of it, and from
/// what is scanned to its slices: there they meet others.
struct ReshapeAroundLoop : OpRewritePattern<ForOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ForOp loop, PatternRewriter &rewriter) const override {
    bool changed = false;
    for (auto [i, scanned, slice] : llvm::enumerate(loop.getScanned(), loop.getSlices())) {
      auto reshape = scanned.getDefiningOp<ReshapeOp>();
      if (!reshape || !isUnitReshape(reshape))
        continue;
      auto type = tensorOf(reshape.getX());
      if (type.getRank() == 0 || type.getDimSize(0) != static_cast<int64_t>(loop.getCount()))
        continue;
      rewriter.setInsertionPointToStart(&loop.getBody().front());
      auto made = ReshapeOp::create(rewriter, reshape.getLoc(), slice.getType(), slice);
      rewriter.replaceAllUsesExcept(slice, made, made);
      rewriter.modifyOpInPlace(loop, [&] {
        slice.setType(reshaped(type, type.getShape().drop_front()));
        loop.getScannedMutable()[i].set(reshape.getX());
      });
      changed = true;
    }
    YieldOp yield = loop.getYield();
    for (unsigned i = loop.getNumCarries(); i < loop.getNumResults(); ++i) {
      auto reshape = yield.getValues()[i].getDefiningOp<ReshapeOp>();
      if (!reshape || !isUnitReshape(reshape))
        continue;
      OpResult result = loop->getOpResult(i);
      rewriter.setInsertionPointAfter(loop);
      auto made = ReshapeOp::create(rewriter, reshape.getLoc(), result.getType(), result);
      rewriter.replaceAllUsesExcept(result, made, made);
      SmallVector<int64_t> shape = {static_cast<int64_t>(loop.getCount())};
      llvm::append_range(shape, tensorOf(reshape.getX()).getShape());
      rewriter.modifyOpInPlace(loop, [&] { result.setType(reshaped(tensorOf(reshape.getX()), shape)); });
      rewriter.modifyOpInPlace(yield, [&] { yield->setOperand(i, reshape.getX()); });
      changed = true;
    }
    return success(changed);
  }
};

//===----------------------------------------------------------------------===//
// Values that nothing reads
//===----------------------------------------------------------------------===//

/// What an operation reads, in its regions too.
void collectReads(Operation &op, llvm::SetVector<Value> &reads) {
  op.walk([&](Operation *inner) { reads.insert_range(inner->getOperands()); });
}

/// Drops results of a loop that nothing reads, with the carries that only feed themselves, and scanned
/// operands whose slices are not used.
struct PruneLoop : OpRewritePattern<ForOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ForOp loop, PatternRewriter &rewriter) const override {
    Block &body = loop.getBody().front();
    YieldOp yield = loop.getYield();
    unsigned numScanned = loop.getScanned().size(), numCarries = loop.getNumCarries();
    llvm::BitVector live = liveResults(loop), erased(body.getNumArguments());
    for (unsigned i = 0; i < numScanned; ++i)
      erased[1 + i] = body.getArgument(1 + i).use_empty();
    for (unsigned i = 0; i < numCarries; ++i)
      erased[1 + numScanned + i] = !live[i];
    if (live.all() && erased.none())
      return failure();

    SmallVector<Value> scanned, inits, yields;
    SmallVector<Type> types;
    for (unsigned i = 0; i < numScanned; ++i)
      if (!erased[1 + i])
        scanned.push_back(loop.getScanned()[i]);
    for (unsigned i : live.set_bits()) {
      if (i < numCarries)
        inits.push_back(loop.getInits()[i]);
      yields.push_back(yield.getValues()[i]);
      types.push_back(loop.getResult(i).getType());
    }
    // What still reads a dropped carry only leads to dropped results.
    for (unsigned i = 0; i < numCarries; ++i)
      if (!live[i])
        rewriter.replaceAllUsesWith(loop.getCarries()[i], loop.getInits()[i]);
    rewriter.modifyOpInPlace(yield, [&] { yield->setOperands(yields); });
    auto pruned =
        ForOp::create(rewriter, loop.getLoc(), types, loop.getCount(), scanned, inits, loop.getReverse());
    pruned->setDiscardableAttrs(loop->getDiscardableAttrDictionary());
    rewriter.modifyOpInPlace(loop, [&] { body.eraseArguments(erased); });
    rewriter.inlineRegionBefore(loop.getBody(), pruned.getBody(), pruned.getBody().end());
    for (auto [k, i] : llvm::enumerate(live.set_bits()))
      rewriter.replaceAllUsesWith(loop.getResult(i), pruned.getResult(k));
    rewriter.eraseOp(loop);
    return success();
  }

  /// Results that something reads outside, or that an operation with effects or another such result depends
  /// on.
  static llvm::BitVector liveResults(ForOp loop) {
    Block *body = &loop.getBody().front();
    auto yielded = loop.getYield().getValues();
    unsigned firstCarry = 1 + loop.getScanned().size();
    llvm::BitVector live(yielded.size());
    llvm::SetVector<Value> work;
    for (Operation &op : body->without_terminator())
      if (!isMemoryEffectFree(&op))
        collectReads(op, work);
    auto keep = [&](unsigned i) {
      live.set(i);
      work.insert(yielded[i]);
    };
    for (OpResult result : loop.getResults())
      if (!result.use_empty())
        keep(result.getResultNumber());
    for (size_t i = 0; i < work.size(); ++i) {
      Value value = work[i];
      if (value.getParentBlock() != body)
        continue;
      if (Operation *op = value.getDefiningOp())
        collectReads(*op, work);
      else if (unsigned number = cast<BlockArgument>(value).getArgNumber(); number >= firstCarry)
        keep(number - firstCarry);
    }
    return live;
  }
};

//===----------------------------------------------------------------------===//
// Loops of no step or one
//===----------------------------------------------------------------------===//

struct FewSteps : OpRewritePattern<ForOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ForOp loop, PatternRewriter &rewriter) const override {
    if (loop.getCount() == 0 && loop.getNumCollected() == 0) {
      rewriter.replaceOp(loop, loop.getInits());
      return success();
    }
    // Differentiation reads marks on loops: they stay until it has.
    if (loop.getCount() != 1 || !loop->getDiscardableAttrDictionary().empty())
      return failure();
    Location loc = loop.getLoc();
    SmallVector<Value> arguments = {splatValue(rewriter, loc, loop.getStep().getType(), 0)};
    for (auto [scanned, slice] : llvm::zip(loop.getScanned(), loop.getSlices()))
      arguments.push_back(rewriter.createOrFold<ReshapeOp>(loc, slice.getType(), scanned));
    llvm::append_range(arguments, loop.getInits());
    YieldOp yield = loop.getYield();
    rewriter.inlineBlockBefore(&loop.getBody().front(), loop, arguments);
    SmallVector<Value> results;
    for (auto [i, value] : llvm::enumerate(yield.getValues()))
      results.push_back(i < loop.getNumCarries()
                            ? value
                            : rewriter.createOrFold<ReshapeOp>(loc, loop.getResult(i).getType(), value));
    rewriter.eraseOp(yield);
    rewriter.replaceOp(loop, results);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Conditions
//===----------------------------------------------------------------------===//

/// A condition known at compile time ==> the region that it chooses.
struct KnownCondition : OpRewritePattern<IfOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(IfOp op, PatternRewriter &rewriter) const override {
    auto condition = Numbers::of(op.getCondition());
    if (!condition)
      return failure();
    Block *chosen = &op->getRegion((*condition)[0].integer ? 0 : 1).front();
    auto *yield = chosen->getTerminator();
    rewriter.inlineBlockBefore(chosen, op);
    SmallVector<Value> results(yield->getOperands());
    rewriter.eraseOp(yield);
    rewriter.replaceOp(op, results);
    return success();
  }
};

/// Drops results that nothing reads or that are one value from around on both sides.
struct PruneIf : OpRewritePattern<IfOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(IfOp op, PatternRewriter &rewriter) const override {
    Operation *yields[2] = {op.getThenRegion().front().getTerminator(),
                            op.getElseRegion().front().getTerminator()};
    SmallVector<unsigned> kept;
    SmallVector<Type> types;
    for (auto [i, result] : llvm::enumerate(op.getResults())) {
      Value value = yields[0]->getOperand(i);
      if (value == yields[1]->getOperand(i))
        rewriter.replaceAllUsesWith(result, value);
      if (result.use_empty())
        continue;
      kept.push_back(i);
      types.push_back(result.getType());
    }
    if (kept.size() == op.getNumResults())
      return failure();
    auto pruned = IfOp::create(rewriter, op.getLoc(), types, op.getCondition());
    pruned->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    for (auto [yield, from, to] : llvm::zip(yields, op->getRegions(), pruned->getRegions())) {
      auto values = llvm::map_to_vector(kept, [&](unsigned i) { return yield->getOperand(i); });
      rewriter.modifyOpInPlace(yield, [&] { yield->setOperands(values); });
      rewriter.inlineRegionBefore(from, to, to.end());
    }
    for (auto [k, i] : llvm::enumerate(kept))
      rewriter.replaceAllUsesWith(op.getResult(i), pruned.getResult(k));
    rewriter.eraseOp(op);
    return success();
  }
};

/// A check that holds at compile time goes.
struct KnownAssertion : OpRewritePattern<AssertOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AssertOp op, PatternRewriter &rewriter) const override {
    if (!isAll(op.getCondition(), 1))
      return failure();
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void ForOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<ForwardThroughLoop, ReshapeAroundLoop, PruneLoop, FewSteps>(context);
}

void IfOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<KnownCondition, PruneIf>(context);
}

void AssertOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<KnownAssertion>(context);
}
