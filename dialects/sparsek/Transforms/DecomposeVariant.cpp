//===- DecomposeVariant.cpp - Dense forms of written variants -------------===//
//
// Each operation of the block becomes the same operation on [b, head, i, j]. An invisible pair takes part in
// no result, and what the block computes for it may be anything, so no derivative may pass through it: s and
// the elements that the block reads are constants there.
//
//===----------------------------------------------------------------------===//

#include "dialects/sparsek/Transforms/DenseBuilder.h"

using namespace mlir;
using namespace heddle;
using namespace heddle::sparsek;
using ir::ComparePredicate;
using ir::ReductionKind;

namespace {

/// What the forward and the backward pass share.
template <typename Op>
class Variant : public DenseBuilder {
public:
  explicit Variant(Op op) : DenseBuilder(op), op(op) {
    auto q = typeOf(op.getQ()), k = typeOf(op.getK());
    batches = q.getDimSize(0), heads = k.getDimSize(1), group = heads ? q.getDimSize(1) / heads : 1;
    queryCount = q.getDimSize(2), keyCount = k.getDimSize(2), width = q.getDimSize(3);
    valueWidth = typeOf(op.getV()).getDimSize(3);
    pairShape = {batches, heads * group, queryCount, keyCount};
    element = typeOf(op.getBody().getArgument(0)).getElementType();
    scale = op.getScale().convertToDouble();
    queries = grouped(op.getQ(), width);
    keys = cast(op.getK(), element);
    values = cast(op.getV(), element);
    auto index = RankedTensorType::get(pairShape, b.getI32Type());
    for (int64_t axis = 0; axis < 4; ++axis)
      positions.push_back(ir::IotaOp::create(b, index, axis));
    s = mul(reshape(einsum("bhgie,bhje->bhgij", queries, keys), pairShape), scale);
  }

protected:
  /// An element of a capture for each pair: where, and whether the indices are inside it.
  struct Place {
    Value offset, inside;
  };

  Value grouped(Value x, int64_t last) {
    return reshape(cast(x, element), {batches, heads, group, queryCount, last});
  }
  Value groupedPairs(Value x) { return reshape(x, {batches, heads, group, queryCount, keyCount}); }
  Value perQuery(Value x) { return broadcast(cast(x, element), pairShape, {0, 1, 2}); }
  Value as(Value x, Value like) {
    return cast(reshape(x, typeOf(like).getShape()), typeOf(like).getElementType());
  }
  Value flag(bool value) { return constant(RankedTensorType::get(pairShape, b.getI1Type()), value); }

  Place placeOf(ValueRange indices, ArrayRef<int64_t> shape) {
    auto index = RankedTensorType::get(pairShape, b.getI32Type());
    Value offset = constant(RankedTensorType::get(pairShape, b.getI64Type()), 0), inside;
    for (auto [i, extent] : llvm::zip_equal(indices, shape)) {
      Value fits = both(compare(ComparePredicate::ge, i, constant(index, 0)),
                        compare(ComparePredicate::lt, i, constant(index, extent)));
      inside = inside ? both(inside, fits) : fits;
      offset = add(mul(offset, extent), cast(i, b.getI64Type()));
    }
    if (!inside)
      inside = flag(true);
    return {select(inside, offset, 0), inside};
  }

  /// The elements that a read gives: 0 outside of the capture.
  Value elements(Value capture, Place place) {
    auto type = typeOf(capture);
    auto result = RankedTensorType::get(pairShape, type.getElementType());
    if (type.getNumElements() == 0)
      return constant(result, 0);
    Value flat = reshape(capture, {type.getNumElements()});
    return select(place.inside, ir::GatherOp::create(b, flat, place.offset, 0), 0);
  }

  /// Runs the block on all pairs; what it yields. Where `visible` is given, invisible pairs have no
  /// derivative. Where `whole`, reads of visible pairs are checked and accumulations collected.
  SmallVector<Value> run(ArrayRef<Value> cotangents, Value visible, bool whole) {
    IRMapping map;
    Block &block = op.getBody().front();
    auto guarded = [&](Value x) {
      return visible && isa<FloatType>(typeOf(x).getElementType()) ? select(visible, x, stop(x)) : x;
    };
    SmallVector<Value> arguments = {guarded(s)};
    llvm::append_range(arguments, positions);
    llvm::append_range(arguments, cotangents);
    llvm::append_range(arguments, op.getCaptures());
    map.map(block.getArguments(), arguments);
    for (Operation &inner : block.without_terminator()) {
      if (auto read = dyn_cast<ReadOp>(inner)) {
        Value capture = map.lookup(read.getCapture());
        SmallVector<Value> indices = lookup(map, read.getIndices());
        ArrayRef<int64_t> shape = typeOf(capture).getShape();
        if (whole)
          check(read, indices, shape, visible);
        map.map(read.getResult(), guarded(elements(capture, placeOf(indices, shape))));
      } else if (auto accumulate = dyn_cast<AccumulateOp>(inner)) {
        if (whole)
          collect(accumulate, map, visible);
      } else if (auto constantOp = dyn_cast<ir::ConstantOp>(inner)) {
        auto value = cast<DenseElementsAttr>(constantOp.getValue());
        auto type = RankedTensorType::get(pairShape, value.getElementType());
        map.map(constantOp.getResult(), ir::ConstantOp::create(b, type, value.resizeSplat(type)));
      } else {
        Operation *copy = b.clone(inner, map);
        for (Value result : copy->getResults())
          result.setType(RankedTensorType::get(pairShape, typeOf(result).getElementType()));
      }
    }
    return lookup(map, block.getTerminator()->getOperands());
  }

  /// Whether each pair is visible.
  Value visibility() { return run(SmallVector<Value>(numCotangents(), zero()), Value(), false)[2]; }

  Value zero() { return constant(s.getType(), 0); }
  static constexpr unsigned numCotangents() {
    return Op::numPairArguments - VariantAttentionOp::numPairArguments;
  }

  SmallVector<Value> lookup(IRMapping &map, ValueRange values) {
    return llvm::map_to_vector(values, [&](Value value) { return map.lookup(value); });
  }

  void check(ReadOp read, ArrayRef<Value> indices, ArrayRef<int64_t> shape, Value visible) {
    for (auto [i, extent] : llvm::zip_equal(indices, shape)) {
      if (extent > 0) {
        ir::CheckIndexOp::create(b, read.getLoc(), select(visible, i, 0), extent,
                                 "index {} is outside a dimension of {}");
        continue;
      }
      Value none = ir::NotOp::create(b, reduce(ReductionKind::any, visible, {0, 1, 2, 3}));
      ir::AssertOp::create(b, read.getLoc(), none, "a read from a tensor without elements");
    }
  }

  void collect(AccumulateOp accumulate, IRMapping &map, Value visible) {
    auto type = typeOf(accumulate.getCapture());
    unsigned capture =
        llvm::cast<BlockArgument>(accumulate.getCapture()).getArgNumber() - op.numPairArguments;
    Place place = placeOf(lookup(map, accumulate.getIndices()), type.getShape());
    Value added = select(both(visible, place.inside), cast(map.lookup(accumulate.getValue()), element), 0);
    int64_t pairs = typeOf(added).getNumElements(), count = type.getNumElements();
    Value &total = cotangents[capture];
    if (!total)
      total = constant(RankedTensorType::get({count}, element), 0);
    if (count > 0)
      total = ir::ScatterAddOp::create(b, total.getType(), total, reshape(place.offset, {pairs}),
                                       reshape(added, {pairs}), 0);
  }

  Op op;
  int64_t batches, heads, group, queryCount, keyCount, width, valueWidth;
  SmallVector<int64_t> pairShape;
  Type element;
  double scale;
  Value queries, keys, values;
  SmallVector<Value> positions; ///< b, h, i, j
  Value s;
  /// By number of the capture, flat.
  llvm::DenseMap<unsigned, Value> cotangents;
};

class DenseVariant : public Variant<VariantAttentionOp> {
public:
  using Variant::Variant;

  void replace() {
    Value visible = visibility();
    SmallVector<Value> found = run({}, visible, true);
    Value logits = select(visible, found[0], -infinity), gate = select(visible, found[1], 0);
    Value top = stop(reduce(ReductionKind::max, logits, {3}));
    top = select(compare(ComparePredicate::lt, ir::AbsOp::create(b, top), infinity), top, 0);
    Value weights = exp(sub(logits, perQuery(top)));
    Value total = sum(weights, {3});
    Value empty = compare(ComparePredicate::eq, total, 0);
    Value divisor = select(empty, 1, total);
    Value p = div(weights, perQuery(divisor));
    Value o = einsum("bhgij,bhjf->bhgif", groupedPairs(mul(p, gate)), values);
    Value lse = select(empty, -infinity, add(top, ir::LogOp::create(b, divisor)));
    op.getO().replaceAllUsesWith(as(o, op.getO()));
    op.getLse().replaceAllUsesWith(as(lse, op.getLse()));
    op.erase();
  }
};

class DenseVariantBackward : public Variant<VariantAttentionBackwardOp> {
public:
  using Variant::Variant;

  void replace() {
    Value visible = visibility();
    // Score and gate do not read the cotangents.
    SmallVector<Value> found = run({zero(), zero()}, visible, false);
    Value gate = select(visible, found[1], 0);
    Value lse = cast(op.getLse(), element);
    Value sees = ir::NotOp::create(b, compare(ComparePredicate::eq, lse, -infinity));
    Value counts = both(visible, broadcast(sees, pairShape, {0, 1, 2}));
    lse = perQuery(select(sees, lse, 0));
    Value logits = select(counts, found[0], -infinity);
    Value p = select(counts, exp(sub(logits, lse)), 0);
    Value cotangent = grouped(op.getDout(), valueWidth);
    Value e = reshape(einsum("bhgif,bhjf->bhgij", cotangent, values), pairShape);
    Value d = sum(mul(cast(op.getDout(), element), cast(op.getO(), element)), {3});
    if (op.getDlse())
      d = sub(d, cast(op.getDlse(), element));
    Value dgate = select(counts, mul(p, e), 0);
    Value dscore = select(counts, mul(p, sub(mul(gate, e), perQuery(d))), 0);
    found = run({dscore, dgate}, visible, true);
    Value ds = groupedPairs(select(counts, found[3], 0));
    SmallVector<Value> results = {mul(einsum("bhgij,bhje->bhgie", ds, keys), scale),
                                  mul(einsum("bhgij,bhgie->bhje", ds, queries), scale),
                                  einsum("bhgij,bhgif->bhjf", groupedPairs(mul(p, gate)), cotangent)};
    for (int64_t capture : op.getWanted()) {
      Value total = cotangents.lookup(capture);
      results.push_back(total ? total : constant(op.getCaptures()[capture].getType(), 0));
    }
    for (auto [result, value] : llvm::zip_equal(op->getResults(), results))
      result.replaceAllUsesWith(as(value, result));
    op.erase();
  }
};

} // namespace

void heddle::sparsek::decomposeVariant(VariantAttentionOp op) { DenseVariant(op).replace(); }
void heddle::sparsek::decomposeVariant(VariantAttentionBackwardOp op) { DenseVariantBackward(op).replace(); }
