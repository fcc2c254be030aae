//===- Cleanup.cpp - Simplification of derived functions ------------------===//

#include "compiler/autodiff/Cleanup.h"
#include "compiler/autodiff/Activity.h"
#include "compiler/autodiff/Support.h"

#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/CSE.h"

using namespace mlir;
using namespace heddle::ir;

namespace heddle::autodiff {
namespace {

/// The operation that gives `value` by adding into, or writing over, zeros, if nothing else reads it.
template <typename Op>
Op intoZeros(Value value, Value (*base)(Op)) {
  auto op = value.getDefiningOp<Op>();
  return op && op->hasOneUse() && splatNumber(base(op)) == 0.0 ? op : Op();
}

/// a + scatter(0, u) ==> scatter(a, u), so that a running sum is updated where it changes alone.
struct AddIntoSum : OpRewritePattern<AddOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AddOp op, PatternRewriter &rewriter) const override {
    for (auto [sum, term] : {std::pair(op.getLhs(), op.getRhs()), std::pair(op.getRhs(), op.getLhs())}) {
      if (auto add = intoZeros<ScatterAddOp>(term, [](ScatterAddOp op) -> Value { return op.getBase(); })) {
        rewriter.replaceOpWithNewOp<ScatterAddOp>(op, op.getType(), sum, add.getIds(), add.getUpdates(),
                                                  add.getAxis());
        return success();
      }
      if (auto add = intoZeros<PutAlongOp>(term, [](PutAlongOp op) -> Value { return op.getBase(); })) {
        rewriter.replaceOpWithNewOp<PutAlongOp>(op, op.getType(), sum, add.getIds(), add.getUpdates(),
                                                add.getAxis());
        return success();
      }
      if (auto write = intoZeros<DynamicUpdateSliceOp>(
              term, [](DynamicUpdateSliceOp op) -> Value { return op.getX(); })) {
        Location loc = op.getLoc();
        Value old = DynamicSliceOp::create(rewriter, loc, sum, write.getStart(), write.getAxis(),
                                           tensorType(write.getUpdate()).getDimSize(write.getAxis()));
        Value next = AddOp::create(rewriter, loc, old, write.getUpdate());
        rewriter.replaceOpWithNewOp<DynamicUpdateSliceOp>(op, op.getType(), sum, next, write.getStart(),
                                                          write.getAxis());
        return success();
      }
    }
    return failure();
  }
};

/// pad(a) + pad(b) ==> concat(a, b) where the two fill each other's zeros along one axis: the cotangent of a
/// value that was cut in two.
struct AddPads : OpRewritePattern<AddOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AddOp op, PatternRewriter &rewriter) const override {
    auto a = op.getLhs().getDefiningOp<PadOp>(), b = op.getRhs().getDefiningOp<PadOp>();
    if (!a || !b || splatNumber(a.getValue()) != 0.0 || splatNumber(b.getValue()) != 0.0)
      return failure();
    for (auto [first, second] : {std::pair(a, b), std::pair(b, a)})
      if (auto axis = meetingAxis(first, second)) {
        rewriter.replaceOpWithNewOp<ConcatOp>(op, ValueRange{first.getX(), second.getX()}, *axis);
        return success();
      }
    return failure();
  }

  /// The axis along which `first` ends where `second` begins, if together they fill the result.
  static std::optional<int64_t> meetingAxis(PadOp first, PadOp second) {
    std::optional<int64_t> axis;
    auto isZero = [](int64_t x) { return x == 0; };
    if (!llvm::all_of(first.getInterior(), isZero) || !llvm::all_of(second.getInterior(), isZero))
      return std::nullopt;
    for (int64_t d = 0, rank = first.getLow().size(); d < rank; ++d) {
      bool whole = !first.getLow()[d] && !first.getHigh()[d] && !second.getLow()[d] && !second.getHigh()[d];
      bool meets = !first.getLow()[d] && !second.getHigh()[d] &&
                   first.getHigh()[d] == tensorType(second.getX()).getDimSize(d) &&
                   second.getLow()[d] == tensorType(first.getX()).getDimSize(d);
      if (whole)
        continue;
      if (axis || !meets)
        return std::nullopt;
      axis = d;
    }
    return axis;
  }
};

/// Drops what nothing reads: collected results, carries that only feed themselves, scanned operands. Carries
/// that never change are replaced by their start.
struct PruneLoop : OpRewritePattern<ForOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ForOp loop, PatternRewriter &rewriter) const override {
    Block &body = loop.getBody().front();
    YieldOp yield = loop.getYield();
    unsigned numScanned = loop.getScanned().size(), numCarries = loop.getNumCarries();
    auto carries = llvm::to_vector_of<Value>(loop.getCarries());

    bool changed = false;
    for (unsigned i = 0; i < numCarries; ++i) {
      Value init = loop.getInits()[i];
      if (yield.getValues()[i] != carries[i] || (carries[i].use_empty() && loop.getResult(i).use_empty()))
        continue;
      if (carries[i].hasOneUse() && loop.getResult(i).use_empty())
        continue;
      rewriter.replaceAllUsesExcept(carries[i], init, yield);
      rewriter.replaceAllUsesWith(loop.getResult(i), init);
      changed = true;
    }

    llvm::BitVector live = liveYields(loop, carries);
    SmallVector<unsigned> keptScanned, keptResults;
    for (unsigned i = 0; i < numScanned; ++i)
      if (!body.getArgument(1 + i).use_empty())
        keptScanned.push_back(i);
    for (unsigned i = 0; i < loop.getNumResults(); ++i)
      if (live[i])
        keptResults.push_back(i);
    if (keptScanned.size() == numScanned && keptResults.size() == loop.getNumResults())
      return success(changed);

    SmallVector<Value> scanned, inits, yields;
    SmallVector<Type> types;
    llvm::BitVector erased(body.getNumArguments());
    for (unsigned i : keptScanned)
      scanned.push_back(loop.getScanned()[i]);
    for (unsigned i = 0; i < numScanned; ++i)
      if (!llvm::is_contained(keptScanned, i))
        erased.set(1 + i);
    for (unsigned i : keptResults) {
      if (i < numCarries)
        inits.push_back(loop.getInits()[i]);
      yields.push_back(yield.getValues()[i]);
      types.push_back(loop.getResult(i).getType());
    }
    for (unsigned i = 0; i < numCarries; ++i)
      if (!live[i]) {
        erased.set(1 + numScanned + i);
        // What is left of its uses feeds dead yields only.
        rewriter.replaceAllUsesWith(carries[i], loop.getInits()[i]);
      }
    rewriter.modifyOpInPlace(yield, [&] { yield->setOperands(yields); });
    auto pruned =
        ForOp::create(rewriter, loop.getLoc(), types, loop.getCount(), scanned, inits, loop.getReverse());
    pruned->setDiscardableAttrs(loop->getDiscardableAttrDictionary());
    body.eraseArguments(erased);
    pruned.getBody().takeBody(loop.getBody());
    for (auto [k, i] : llvm::enumerate(keptResults))
      rewriter.replaceAllUsesWith(loop.getResult(i), pruned.getResult(k));
    rewriter.eraseOp(loop);
    return success();
  }

  /// Yielded values that have a reader outside, or that a live one depends on through the carries.
  static llvm::BitVector liveYields(ForOp loop, ArrayRef<Value> carries) {
    Block *body = &loop.getBody().front();
    auto yielded = loop.getYield().getValues();
    llvm::BitVector live(yielded.size());
    llvm::SetVector<Value> work;
    for (Operation &op : body->without_terminator())
      if (!isMemoryEffectFree(&op))
        for (Value read : readValues(op))
          work.insert(read);
    auto add = [&](unsigned i) {
      live.set(i);
      work.insert(yielded[i]);
    };
    for (auto [i, result] : llvm::enumerate(loop.getResults()))
      if (!result.use_empty())
        add(i);
    for (size_t i = 0; i < work.size(); ++i) {
      Value value = work[i];
      if (value.getParentBlock() != body)
        continue;
      if (Operation *op = value.getDefiningOp()) {
        for (Value read : readValues(*op))
          work.insert(read);
        continue;
      }
      auto at = llvm::find(carries, value);
      if (at != carries.end())
        add(at - carries.begin());
    }
    return live;
  }
};

/// Drops results of a condition that nothing reads.
struct PruneIf : OpRewritePattern<IfOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(IfOp choice, PatternRewriter &rewriter) const override {
    SmallVector<unsigned> kept;
    SmallVector<Type> types;
    for (auto [i, result] : llvm::enumerate(choice.getResults()))
      if (!result.use_empty()) {
        kept.push_back(i);
        types.push_back(result.getType());
      }
    if (kept.size() == choice.getNumResults())
      return failure();
    auto pruned = IfOp::create(rewriter, choice.getLoc(), types, choice.getCondition());
    for (auto [from, to] : llvm::zip(choice->getRegions(), pruned->getRegions())) {
      Operation *yield = from.front().getTerminator();
      auto values = llvm::map_to_vector(kept, [&](unsigned i) { return yield->getOperand(i); });
      rewriter.modifyOpInPlace(yield, [&] { yield->setOperands(values); });
      to.takeBody(from);
    }
    for (auto [k, i] : llvm::enumerate(kept))
      rewriter.replaceAllUsesWith(choice.getResult(i), pruned.getResult(k));
    rewriter.eraseOp(choice);
    return success();
  }
};

} // namespace

void populateCleanupPatterns(RewritePatternSet &patterns) {
  patterns.add<AddIntoSum, AddPads, PruneLoop, PruneIf>(patterns.getContext());
}

void cleanUp(func::FuncOp function) {
  MLIRContext *context = function.getContext();
  RewritePatternSet patterns(context);
  for (Dialect *dialect : context->getLoadedDialects())
    dialect->getCanonicalizationPatterns(patterns);
  for (RegisteredOperationName name : context->getRegisteredOperations())
    if (isa_and_nonnull<HeddleDialect>(&name.getDialect()) || name.getDialectNamespace() == "sparsek")
      name.getCanonicalizationPatterns(patterns, context);
  populateCleanupPatterns(patterns);
  FrozenRewritePatternSet frozen(std::move(patterns));
  IRRewriter rewriter(context);
  for (int round = 0; round < 4; ++round) {
    DominanceInfo dominance(function);
    bool merged = false, rewritten = false;
    eliminateCommonSubExpressions(rewriter, dominance, function, &merged);
    (void)applyPatternsGreedily(function, frozen, GreedyRewriteConfig(), &rewritten);
    if (!merged && !rewritten)
      break;
  }
}

} // namespace heddle::autodiff
