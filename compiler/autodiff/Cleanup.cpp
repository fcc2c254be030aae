//===- Cleanup.cpp - Simplification of derived functions ------------------===//

#include "compiler/autodiff/Cleanup.h"
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

} // namespace

void populateCleanupPatterns(RewritePatternSet &patterns) {
  patterns.add<AddIntoSum, AddPads>(patterns.getContext());
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
