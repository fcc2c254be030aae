//===- HeddleFoldsMovePairs.cpp - Moves of elements that meet others ------===//
//
// The canonical forms: axes of extent 1 come and go by heddle.reshape alone; broadcasts stand after
// everything that works on fewer elements before them (slices, transpositions, elementwise operations), and
// so do reshapes that only add or drop axes of extent 1.
//
//===----------------------------------------------------------------------===//

#include "dialects/heddle/IR/HeddleNumbers.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace heddle::ir;

namespace {

bool isStatic(Value value) { return tensorOf(value).hasStaticShape(); }

/// The shape without its axes of extent 1.
SmallVector<int64_t> squeezed(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> result;
  llvm::copy_if(shape, std::back_inserter(result), [](int64_t extent) { return extent != 1; });
  return result;
}

/// For each axis of `from`, other than those of extent 1, the axis of `to` with the same elements, where the
/// shapes differ in axes of extent 1 only; -1 for axes of extent 1.
std::optional<SmallVector<int64_t>> matchUnitReshape(ArrayRef<int64_t> from, ArrayRef<int64_t> to) {
  if (llvm::is_contained(from, ShapedType::kDynamic) || llvm::is_contained(to, ShapedType::kDynamic) ||
      squeezed(from) != squeezed(to))
    return std::nullopt;
  SmallVector<int64_t> axes;
  size_t at = 0;
  for (int64_t extent : from) {
    if (extent == 1) {
      axes.push_back(-1);
      continue;
    }
    while (to[at] == 1)
      ++at;
    axes.push_back(at++);
  }
  return axes;
}

/// `value` reshaped to `shape`, or itself where it has that shape.
Value reshapeTo(PatternRewriter &rewriter, Location loc, Value value, ArrayRef<int64_t> shape) {
  auto type = reshaped(tensorOf(value), shape);
  return type == value.getType() ? value : rewriter.createOrFold<ReshapeOp>(loc, type, value);
}

//===----------------------------------------------------------------------===//
// Axes of extent 1
//===----------------------------------------------------------------------===//

/// A broadcast that repeats nothing ==> a reshape.
struct BroadcastOfUnits : OpRewritePattern<BroadcastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BroadcastOp op, PatternRewriter &rewriter) const override {
    if (!isStatic(op.getX()) || !isStatic(op.getResult()) ||
        tensorOf(op.getX()).getNumElements() != tensorOf(op.getResult()).getNumElements())
      return failure();
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), op.getX());
    return success();
  }
};

/// A transposition that only moves axes of extent 1 ==> a reshape.
struct TransposeOfUnits : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op, PatternRewriter &rewriter) const override {
    if (!isStatic(op.getX()))
      return failure();
    auto axes = llvm::to_vector(llvm::make_filter_range(
        op.getPermutation(), [&](int64_t axis) { return tensorOf(op.getX()).getDimSize(axis) != 1; }));
    if (!llvm::is_sorted(axes))
      return failure();
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), op.getX());
    return success();
  }
};

/// broadcast(reshape x), where the reshape or x itself has axes of extent 1, ==> broadcast(x without those
/// axes).
struct BroadcastWithoutUnits : OpRewritePattern<BroadcastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BroadcastOp op, PatternRewriter &rewriter) const override {
    auto type = tensorOf(op.getX());
    if (!type.hasStaticShape() || !llvm::is_contained(type.getShape(), 1))
      return failure();
    SmallVector<int64_t> axes;
    for (auto [extent, axis] : llvm::zip(type.getShape(), op.getAxes()))
      if (extent != 1)
        axes.push_back(axis);
    Value x = reshapeTo(rewriter, op.getLoc(), op.getX(), squeezed(type.getShape()));
    rewriter.replaceOpWithNewOp<BroadcastOp>(op, op.getType(), x, axes);
    return success();
  }
};

/// reshape(broadcast x), where the reshape adds or drops axes of extent 1, ==> broadcast(x).
struct ReshapeOfBroadcast : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op, PatternRewriter &rewriter) const override {
    auto broadcast = op.getX().getDefiningOp<BroadcastOp>();
    if (!broadcast || !isStatic(broadcast.getX()))
      return failure();
    auto to = matchUnitReshape(tensorOf(op.getX()).getShape(), tensorOf(op.getResult()).getShape());
    if (!to)
      return failure();
    ArrayRef<int64_t> shape = tensorOf(broadcast.getX()).getShape();
    SmallVector<int64_t> axes;
    for (auto [extent, axis] : llvm::zip(shape, broadcast.getAxes()))
      if (extent != 1)
        axes.push_back((*to)[axis]);
    Value x = reshapeTo(rewriter, op.getLoc(), broadcast.getX(), squeezed(shape));
    rewriter.replaceOpWithNewOp<BroadcastOp>(op, op.getType(), x, axes);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Broadcasts
//===----------------------------------------------------------------------===//

/// transpose(broadcast x) ==> broadcast(transpose x).
struct TransposeOfBroadcast : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op, PatternRewriter &rewriter) const override {
    auto broadcast = op.getX().getDefiningOp<BroadcastOp>();
    if (!broadcast)
      return failure();
    // The axes of the result that hold axes of x, and which ones.
    SmallVector<int64_t> axes, order;
    for (auto [to, from] : llvm::enumerate(op.getPermutation()))
      if (const auto *at = llvm::find(broadcast.getAxes(), from); at != broadcast.getAxes().end()) {
        axes.push_back(to);
        order.push_back(at - broadcast.getAxes().begin());
      }
    Value x = rewriter.createOrFold<TransposeOp>(op.getLoc(), broadcast.getX(), order);
    rewriter.replaceOpWithNewOp<BroadcastOp>(op, op.getType(), x, axes);
    return success();
  }
};

/// slice(broadcast x) ==> broadcast(slice x).
struct SliceOfBroadcast : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op, PatternRewriter &rewriter) const override {
    auto broadcast = op.getX().getDefiningOp<BroadcastOp>();
    if (!broadcast)
      return failure();
    auto pick = [&](ArrayRef<int64_t> all) {
      return llvm::map_to_vector(broadcast.getAxes(), [&](int64_t axis) { return all[axis]; });
    };
    Value x = rewriter.createOrFold<SliceOp>(op.getLoc(), broadcast.getX(), pick(op.getStarts()),
                                             pick(op.getSizes()), pick(op.getStrides()));
    rewriter.replaceOpWithNewOp<BroadcastOp>(op, op.getType(), x, llvm::to_vector(broadcast.getAxes()));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Slices, borders, concatenations
//===----------------------------------------------------------------------===//

/// slice(concat(.., x, ..)), all inside x, ==> slice(x).
struct SliceOfConcat : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op, PatternRewriter &rewriter) const override {
    auto concat = op.getX().getDefiningOp<ConcatOp>();
    if (!concat)
      return failure();
    int64_t axis = concat.getAxis(), size = op.getSizes()[axis];
    int64_t first = op.getStarts()[axis], last = first + (size - 1) * op.getStrides()[axis], begin = 0;
    for (Value input : concat.getInputs()) {
      int64_t extent = tensorOf(input).getDimSize(axis);
      if (size == 0 || ShapedType::isDynamic(extent))
        return failure();
      if (first >= begin && last < begin + extent) {
        SmallVector<int64_t> starts(op.getStarts());
        starts[axis] -= begin;
        rewriter.replaceOpWithNewOp<SliceOp>(op, op.getType(), input, starts, op.getSizes(), op.getStrides());
        return success();
      }
      begin += extent;
    }
    return failure();
  }
};

/// slice(pad x), all inside x, ==> slice(x).
struct SliceOfPad : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op, PatternRewriter &rewriter) const override {
    auto pad = op.getX().getDefiningOp<PadOp>();
    if (!pad || !isStatic(pad.getX()))
      return failure();
    SmallVector<int64_t> starts(op.getStarts()), strides(op.getStrides());
    for (auto [d, extent] : llvm::enumerate(tensorOf(pad.getX()).getShape())) {
      int64_t step = pad.getInterior()[d] + 1, size = op.getSizes()[d], first = starts[d] - pad.getLow()[d];
      if (size == 0 || first < 0 || first % step || (size > 1 && strides[d] % step))
        return failure();
      starts[d] = first / step;
      strides[d] = size > 1 ? strides[d] / step : 1;
      if (starts[d] + (size - 1) * strides[d] >= extent)
        return failure();
    }
    rewriter.replaceOpWithNewOp<SliceOp>(op, op.getType(), pad.getX(), starts, op.getSizes(), strides);
    return success();
  }
};

/// pad(pad x) with one value and no gaps ==> pad(x).
struct PadOfPad : OpRewritePattern<PadOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(PadOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getX().getDefiningOp<PadOp>();
    auto isZero = [](int64_t n) { return n == 0; };
    if (!inner || inner.getValue() != op.getValue() || !llvm::all_of(op.getInterior(), isZero))
      return failure();
    auto sum = [](ArrayRef<int64_t> a, ArrayRef<int64_t> b) {
      return llvm::map_to_vector(llvm::zip_equal(a, b),
                                 [](auto pair) { return std::get<0>(pair) + std::get<1>(pair); });
    };
    rewriter.replaceOpWithNewOp<PadOp>(op, op.getType(), inner.getX(), op.getValue(),
                                       sum(inner.getLow(), op.getLow()), sum(inner.getHigh(), op.getHigh()),
                                       inner.getInterior());
    return success();
  }
};

/// Drops empty operands, opens concatenations along the same axis that nothing else reads, and joins slices
/// that follow each other in one tensor.
struct SimplifyConcat : OpRewritePattern<ConcatOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConcatOp op, PatternRewriter &rewriter) const override {
    auto type = tensorOf(op.getResult());
    if (!type.hasStaticShape() || type.getNumElements() == 0)
      return failure();
    int64_t axis = op.getAxis();
    SmallVector<Value> inputs;
    bool changed = false;
    for (Value input : op.getInputs()) {
      auto inner = input.getDefiningOp<ConcatOp>();
      if (!isStatic(input))
        return failure();
      if (tensorOf(input).getNumElements() == 0) {
        changed = true;
      } else if (inner && static_cast<int64_t>(inner.getAxis()) == axis && inner->hasOneUse()) {
        llvm::append_range(inputs, inner.getInputs());
        changed = true;
      } else if (Value joined = inputs.empty() ? Value() : join(rewriter, inputs.back(), input, axis)) {
        inputs.back() = joined;
        changed = true;
      } else {
        inputs.push_back(input);
      }
    }
    if (!changed)
      return failure();
    if (inputs.size() == 1)
      rewriter.replaceOp(op, inputs.front());
    else
      rewriter.replaceOpWithNewOp<ConcatOp>(op, inputs, axis);
    return success();
  }

  /// One slice for two, where `b` begins where `a` ends.
  static Value join(PatternRewriter &rewriter, Value a, Value b, int64_t axis) {
    auto first = a.getDefiningOp<SliceOp>(), second = b.getDefiningOp<SliceOp>();
    if (!first || !second || first.getX() != second.getX() || first.getStrides() != second.getStrides())
      return {};
    SmallVector<int64_t> starts(first.getStarts()), sizes(first.getSizes());
    starts[axis] += sizes[axis] * first.getStrides()[axis];
    if (ArrayRef<int64_t>(starts) != second.getStarts())
      return {};
    sizes[axis] += second.getSizes()[axis];
    return rewriter.createOrFold<SliceOp>(first.getLoc(), first.getX(), llvm::to_vector(first.getStarts()),
                                          sizes, llvm::to_vector(first.getStrides()));
  }
};

//===----------------------------------------------------------------------===//
// Positions known at compile time
//===----------------------------------------------------------------------===//

std::optional<int64_t> constantScalar(Value value) {
  auto numbers = Numbers::of(value);
  return numbers && numbers->isSplat() ? std::optional((*numbers)[0].integer) : std::nullopt;
}

/// A dynamic slice from a constant position inside ==> a slice. One outside stays and fails when it runs.
struct DynamicSliceOfConstant : OpRewritePattern<DynamicSliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(DynamicSliceOp op, PatternRewriter &rewriter) const override {
    auto start = constantScalar(op.getStart());
    auto type = tensorOf(op.getX());
    int64_t axis = op.getAxis(), size = op.getSize();
    if (!start || !type.hasStaticShape() || *start < 0 || *start > type.getDimSize(axis) - size)
      return failure();
    SmallVector<int64_t> starts(type.getRank(), 0), sizes(type.getShape()), strides(type.getRank(), 1);
    starts[axis] = *start;
    sizes[axis] = size;
    rewriter.replaceOpWithNewOp<SliceOp>(op, op.getType(), op.getX(), starts, sizes, strides);
    return success();
  }
};

/// An update of everything, from position 0, ==> the update.
struct UpdateOfAll : OpRewritePattern<DynamicUpdateSliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(DynamicUpdateSliceOp op, PatternRewriter &rewriter) const override {
    if (constantScalar(op.getStart()) != 0 || op.getUpdate().getType() != op.getType() ||
        !isStatic(op.getX()))
      return failure();
    rewriter.replaceOp(op, op.getUpdate());
    return success();
  }
};

/// A gather by one constant number inside ==> a slice.
struct GatherOfConstant : OpRewritePattern<GatherOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(GatherOp op, PatternRewriter &rewriter) const override {
    auto id = constantScalar(op.getIds());
    auto type = tensorOf(op.getTable());
    int64_t axis = op.getAxis();
    if (!id || !type.hasStaticShape() || tensorOf(op.getIds()).getNumElements() != 1 || *id < 0 ||
        *id >= type.getDimSize(axis))
      return failure();
    SmallVector<int64_t> starts(type.getRank(), 0), sizes(type.getShape()), strides(type.getRank(), 1);
    starts[axis] = *id;
    sizes[axis] = 1;
    Value row = rewriter.createOrFold<SliceOp>(op.getLoc(), op.getTable(), starts, sizes, strides);
    rewriter.replaceOp(op, reshapeTo(rewriter, op.getLoc(), row, tensorOf(op.getResult()).getShape()));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Elementwise operations of moved values
//===----------------------------------------------------------------------===//

/// f(move x, move y, constant) ==> move(f(x, y, constant)) for one broadcast, or one reshape that adds or
/// drops axes of extent 1, of all operands: f then works on fewer elements, and the move may meet others.
struct MoveAfterElementwise : RewritePattern {
  MoveAfterElementwise(MLIRContext *context) : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}

  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!isElementwise(op) || !isStatic(op->getResult(0)))
      return failure();
    Operation *move = nullptr;
    for (Value operand : op->getOperands()) {
      if (isSplat(operand))
        continue;
      Operation *source = operand.getDefiningOp();
      if (!source || !isMove(source) || (move && !isSameMove(move, source)))
        return failure();
      move = source;
    }
    if (!move)
      return failure();
    ArrayRef<int64_t> shape = tensorOf(move->getOperand(0)).getShape();
    IRMapping mapping;
    for (Value operand : op->getOperands()) {
      if (!isSplat(operand)) {
        mapping.map(operand, operand.getDefiningOp()->getOperand(0));
        continue;
      }
      auto value = cast<DenseElementsAttr>(operand.getDefiningOp<ConstantOp>().getValue());
      mapping.map(operand, ConstantOp::create(rewriter, operand.getLoc(), resplat(value, shape)));
    }
    auto type = tensorOf(op->getResult(0));
    Value result = rewriter.clone(*op, mapping)->getResult(0);
    result.setType(reshaped(type, shape));
    if (auto broadcast = dyn_cast<BroadcastOp>(move))
      rewriter.replaceOpWithNewOp<BroadcastOp>(op, type, result, llvm::to_vector(broadcast.getAxes()));
    else
      rewriter.replaceOpWithNewOp<ReshapeOp>(op, type, result);
    return success();
  }

  static bool isSplat(Value value) {
    auto numbers = Numbers::of(value);
    return numbers && numbers->isSplat();
  }
  static bool isMove(Operation *op) {
    if (auto reshape = dyn_cast<ReshapeOp>(op))
      return isUnitReshape(reshape);
    return isa<BroadcastOp>(op) && isStatic(op->getOperand(0)) && isStatic(op->getResult(0));
  }
  static bool isSameMove(Operation *a, Operation *b) {
    return a->getName() == b->getName() && a->getAttrDictionary() == b->getAttrDictionary() &&
           tensorOf(a->getOperand(0)).getShape() == tensorOf(b->getOperand(0)).getShape();
  }
};

} // namespace

bool heddle::ir::isUnitReshape(ReshapeOp op) {
  return matchUnitReshape(tensorOf(op.getX()).getShape(), tensorOf(op.getResult()).getShape()).has_value();
}

void HeddleDialect::getCanonicalizationPatterns(RewritePatternSet &patterns) const {
  patterns.add<MoveAfterElementwise>(getContext());
}

void BroadcastOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<BroadcastOfUnits, BroadcastWithoutUnits>(context);
}

void ReshapeOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<ReshapeOfBroadcast>(context);
}

void TransposeOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<TransposeOfUnits, TransposeOfBroadcast>(context);
}

void SliceOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<SliceOfBroadcast, SliceOfConcat, SliceOfPad>(context);
}

void PadOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<PadOfPad>(context);
}

void ConcatOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<SimplifyConcat>(context);
}

void DynamicSliceOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DynamicSliceOfConstant>(context);
}

void DynamicUpdateSliceOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<UpdateOfAll>(context);
}

void GatherOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<GatherOfConstant>(context);
}
