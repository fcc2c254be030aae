//===- HeddleFoldsReductions.cpp - Folding of reductions and products -----===//
//
// Sums of floating point keep their order and their roundings: only largest and smallest elements, truth
// values and integers, which wrap, combine freely.
//
//===----------------------------------------------------------------------===//

#include "dialects/heddle/IR/HeddleNumbers.h"

#include "mlir/IR/PatternMatch.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace heddle::ir;

/// The element that changes nothing, as the result over nothing.
static Number identity(ReductionKind kind, Type element) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  auto number = [&](double value) {
    return convert(Number{.real = value}, Float64Type::get(element.getContext()), element);
  };
  switch (kind) {
  case ReductionKind::sum:
  case ReductionKind::any:
    return number(0);
  case ReductionKind::prod:
  case ReductionKind::all:
    return number(1);
  case ReductionKind::max:
    return number(-infinity);
  case ReductionKind::min:
    return number(infinity);
  }
  return number(0);
}

static double combine(ReductionKind kind, double a, double x) {
  switch (kind) {
  case ReductionKind::sum:
    return a + x;
  case ReductionKind::prod:
    return a * x;
  case ReductionKind::max:
    return std::isnan(a) || a >= x ? a : x;
  default:
    return std::isnan(a) || a <= x ? a : x;
  }
}

static int64_t combine(ReductionKind kind, int64_t a, int64_t x) {
  switch (kind) {
  case ReductionKind::sum:
    return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(x));
  case ReductionKind::prod:
    return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(x));
  case ReductionKind::max:
  case ReductionKind::any:
    return std::max(a, x);
  case ReductionKind::min:
  case ReductionKind::all:
    return std::min(a, x);
  }
  return a;
}

OpFoldResult ReduceOp::fold(FoldAdaptor adaptor) {
  if (getAxes().empty())
    return getX();
  auto numbers = Numbers::of(adaptor.getX());
  auto type = cast<RankedTensorType>(getType());
  if (!numbers || !numbers->isSplat() || !type.hasStaticShape() || type.getNumElements() == 0)
    return {};
  // Equal elements, as many as are taken together.
  int64_t count = numbers->type().getNumElements() / type.getNumElements();
  bool real = isReal(type);
  bool settled = (getKind() != ReductionKind::sum && getKind() != ReductionKind::prod) ||
                 (getKind() == ReductionKind::sum && numbers->all(0));
  if (settled)
    count = std::min<int64_t>(count, 1);
  if (count > Numbers::limit)
    return {};
  Type element = type.getElementType(), wide = real ? Type(Float64Type::get(getContext())) : element;
  Number x = (*numbers)[0], total = identity(getKind(), wide);
  for (int64_t i = 0; i < count; ++i)
    if (real)
      total.real = combine(getKind(), total.real, x.real);
    else
      total.integer = combine(getKind(), total.integer, x.integer);
  return Numbers(type, {convert(total, real ? wide : IntegerType::get(getContext(), 64), element)}).attr();
}

OpFoldResult CumsumOp::fold(FoldAdaptor adaptor) {
  auto type = cast<RankedTensorType>(getType());
  if (getX().getType() == type && type.getDimSize(getAxis()) == 1)
    return getX();
  return isAll(adaptor.getX(), 0) ? adaptor.getX() : Attribute();
}

namespace {

/// Whether taking elements together in groups first, or some of them twice, changes nothing.
bool combinesFreely(ReductionKind kind, Type tensor, bool repeated) {
  if (kind == ReductionKind::sum || kind == ReductionKind::prod)
    return !repeated && !isReal(tensor);
  return true;
}

/// Axes of extent 1 are dropped by a reshape.
struct ReduceOfUnits : OpRewritePattern<ReduceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReduceOp op, PatternRewriter &rewriter) const override {
    auto type = tensorOf(op.getX());
    SmallVector<int64_t> shape, axes;
    for (int64_t d = 0; d < type.getRank(); ++d) {
      bool reduced = llvm::is_contained(op.getAxes(), d);
      if (reduced && type.getDimSize(d) == 1)
        continue;
      if (reduced)
        axes.push_back(shape.size());
      shape.push_back(type.getDimSize(d));
    }
    if (axes.size() == op.getAxes().size() || !type.hasStaticShape())
      return failure();
    Value x = rewriter.createOrFold<ReshapeOp>(op.getLoc(), reshaped(type, shape), op.getX());
    rewriter.replaceOp(op, rewriter.createOrFold<ReduceOp>(op.getLoc(), op.getKind(), x, axes));
    return success();
  }
};

/// reduce(reduce x) of one kind ==> reduce(x).
struct ReduceOfReduce : OpRewritePattern<ReduceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReduceOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getX().getDefiningOp<ReduceOp>();
    if (!inner || inner.getKind() != op.getKind() || !combinesFreely(op.getKind(), op.getType(), false))
      return failure();
    SmallVector<int64_t> axes;
    int64_t outer = 0;
    for (int64_t d = 0, rank = tensorOf(inner.getX()).getRank(); d < rank; ++d)
      if (llvm::is_contained(inner.getAxes(), d) || llvm::is_contained(op.getAxes(), outer++))
        axes.push_back(d);
    rewriter.replaceOpWithNewOp<ReduceOp>(op, op.getKind(), inner.getX(), axes);
    return success();
  }
};

/// reduce(broadcast x) over repetitions ==> x without them, where repetition changes nothing.
struct ReduceOfBroadcast : OpRewritePattern<ReduceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReduceOp op, PatternRewriter &rewriter) const override {
    auto broadcast = op.getX().getDefiningOp<BroadcastOp>();
    if (!broadcast || !combinesFreely(op.getKind(), op.getType(), true))
      return failure();
    auto type = tensorOf(op.getX());
    SmallVector<int64_t> shape, axes, broadcastAxes;
    for (int64_t d = 0; d < type.getRank(); ++d) {
      bool reduced = llvm::is_contained(op.getAxes(), d), own = llvm::is_contained(broadcast.getAxes(), d);
      if (reduced && !own) {
        if (type.getDimSize(d) == 0 || type.isDynamicDim(d))
          return failure();
        continue;
      }
      if (reduced)
        axes.push_back(shape.size());
      if (own)
        broadcastAxes.push_back(shape.size());
      shape.push_back(type.getDimSize(d));
    }
    if (axes.size() == op.getAxes().size())
      return failure();
    Value x = rewriter.createOrFold<BroadcastOp>(op.getLoc(), reshaped(type, shape), broadcast.getX(),
                                                 broadcastAxes);
    rewriter.replaceOp(op, rewriter.createOrFold<ReduceOp>(op.getLoc(), op.getKind(), x, axes));
    return success();
  }
};

/// reduce(reshape x), where the reshape adds axes of extent 1, ==> reshape(reduce x).
struct ReduceOfReshape : OpRewritePattern<ReduceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReduceOp op, PatternRewriter &rewriter) const override {
    auto reshape = op.getX().getDefiningOp<ReshapeOp>();
    if (!reshape)
      return failure();
    auto from = tensorOf(reshape.getX()), to = tensorOf(op.getX());
    if (!from.hasStaticShape() || !to.hasStaticShape())
      return failure();
    // Axes of x in turn, each found again after axes of extent 1.
    SmallVector<int64_t> axes;
    int64_t at = 0;
    for (int64_t d = 0; d < from.getRank(); ++d, ++at) {
      while (at < to.getRank() && to.getDimSize(at) == 1 && from.getDimSize(d) != 1)
        ++at;
      if (at == to.getRank() || to.getDimSize(at) != from.getDimSize(d))
        return failure();
      if (llvm::is_contained(op.getAxes(), at))
        axes.push_back(d);
    }
    for (; at < to.getRank(); ++at)
      if (to.getDimSize(at) != 1)
        return failure();
    if (from.getRank() == to.getRank())
      return failure();
    Value sum = rewriter.createOrFold<ReduceOp>(op.getLoc(), op.getKind(), reshape.getX(), axes);
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), sum);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// einsum(transpose a, b) ==> einsum(a, b) with the labels in a's order, where that leaves the order of the
/// sum: at most one label is summed over, or the elements are integers.
struct EinsumOfTranspose : OpRewritePattern<EinsumOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(EinsumOp op, PatternRewriter &rewriter) const override {
    std::string labels[2] = {op.getLhsLabels().str(), op.getRhsLabels().str()};
    StringRef resultLabels = op.getResultLabels();
    llvm::SmallDenseSet<char> summed;
    for (char label : labels[0] + labels[1])
      if (!resultLabels.contains(label))
        summed.insert(label);
    if (summed.size() > 1 && isReal(op.getType()))
      return failure();
    Value operands[2] = {op.getLhs(), op.getRhs()};
    bool changed = false;
    for (int i = 0; i < 2; ++i)
      if (auto transpose = operands[i].getDefiningOp<TransposeOp>()) {
        std::string own(labels[i].size(), ' ');
        for (auto [d, axis] : llvm::enumerate(transpose.getPermutation()))
          own[axis] = labels[i][d];
        labels[i] = own;
        operands[i] = transpose.getX();
        changed = true;
      }
    if (!changed)
      return failure();
    rewriter.replaceOpWithNewOp<EinsumOp>(
        op, op.getType(), labels[0] + "," + labels[1] + "->" + resultLabels.str(), operands[0], operands[1]);
    return success();
  }
};

/// transpose(einsum(a, b)), where nothing else reads the product, ==> einsum with the result's labels in that
/// order.
struct TransposeOfEinsum : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op, PatternRewriter &rewriter) const override {
    auto einsum = op.getX().getDefiningOp<EinsumOp>();
    if (!einsum || !einsum->hasOneUse())
      return failure();
    std::string labels;
    for (int64_t axis : op.getPermutation())
      labels += einsum.getResultLabels()[axis];
    rewriter.replaceOpWithNewOp<EinsumOp>(
        op, op.getType(), (einsum.getLhsLabels() + "," + einsum.getRhsLabels() + "->" + labels).str(),
        einsum.getLhs(), einsum.getRhs());
    return success();
  }
};

} // namespace

void ReduceOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<ReduceOfUnits, ReduceOfReduce, ReduceOfBroadcast, ReduceOfReshape>(context);
}

void EinsumOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<EinsumOfTranspose, TransposeOfEinsum>(context);
}
