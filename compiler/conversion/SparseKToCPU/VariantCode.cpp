#include "compiler/conversion/SparseKToCPU/VariantCode.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"
#include "dialects/heddle/IR/Heddle.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace heddle::cpu::attention {

static RankedTensorType tensorOf(Value value) { return cast<RankedTensorType>(value.getType()); }
static bool isLanes(Value x) { return isa<VectorType>(x.getType()); }

//===--- What the block's arguments are ---===//

Value &VariantCode::at(Value value, int64_t part) {
  unsigned bits = block.depends(value);
  if (bits & OnPair || (bits & OnQuery && bits & OnKey))
    return pair[part][value];
  if (bits & OnQuery)
    return query[part][value];
  return bits & OnKey ? key[value] : row[value];
}

void VariantCode::setRow(Value batch, Value head) {
  row[block.b] = arith::IndexCastOp::create(v.b, v.b.getI32Type(), batch);
  row[block.h] = arith::IndexCastOp::create(v.b, v.b.getI32Type(), head);
}

void VariantCode::setQueries(Value first) {
  auto type = VectorType::get(v.lanes, v.b.getI32Type());
  Value start = v.splat(arith::IndexCastOp::create(v.b, v.b.getI32Type(), first));
  Value last = v.splat(v.i32(std::max<int64_t>(block.queries - 1, 0)));
  for (int64_t part = 0; part < 2; ++part) {
    query[part].clear();
    SmallVector<int32_t, 16> iota;
    for (int64_t lane = 0; lane < v.lanes; ++lane)
      iota.push_back(int32_t(part * v.lanes + lane));
    Value lane = arith::ConstantOp::create(v.b, DenseElementsAttr::get(type, ArrayRef<int32_t>(iota)));
    query[part][block.i] = arith::MinSIOp::create(v.b, arith::AddIOp::create(v.b, lane, start), last);
  }
}

void VariantCode::setKey(Value position) {
  key.clear();
  for (auto &values : pair)
    values.clear();
  key[block.j] = arith::IndexCastOp::create(v.b, v.b.getI32Type(), position);
}

//===--- Values ---===//

Value VariantCode::asLanes(Value x) { return isLanes(x) ? x : v.splat(x); }

Value VariantCode::get(Value value, int64_t part) {
  if (Value known = at(value, part))
    return known;
  Value result = emit(value, part);
  return at(value, part) = result;
}

Value VariantCode::emit(Value value, int64_t part) {
  Operation *op = value.getDefiningOp();
  if (auto read = dyn_cast<sparsek::ReadOp>(op))
    return this->read(read, part);
  ScalarEmitter emitter(v.b, v.b.getLoc());
  if (auto constant = dyn_cast<ir::ConstantOp>(op))
    return emitter.constant(cast<DenseElementsAttr>(constant.getValue()).getSplatValue<Attribute>(),
                            tensorOf(value).getElementType());
  Values operands;
  for (Value operand : op->getOperands())
    operands.push_back(get(operand, part));
  // Changes of shape have nothing to do.
  if (isa<ir::ReshapeOp, ir::BroadcastOp, ir::TransposeOp, ir::SliceOp, ir::PadOp, ir::ReverseOp>(op))
    return operands[0];
  if (llvm::any_of(operands, isLanes))
    for (Value &operand : operands)
      operand = asLanes(operand);
  if (isa<ir::FoldInOp>(op))
    return emitter.foldIn(operands[0], operands[1]);
  if (auto random = dyn_cast<ir::RandomOp>(op)) {
    Type position = v.b.getI64Type();
    if (isLanes(operands[0]))
      position = VectorType::get(v.lanes, position);
    Value x = emitter.random(random.getDistribution(), operands[0], random.getStream(),
                             emitter.integer(position, 0));
    return emitter.cast(x, getElementTypeOrSelf(x), tensorOf(value).getElementType());
  }
  return emitter.elementwise(op, operands);
}

Value VariantCode::limit(const Affine &x, int64_t part) {
  Type i64 = v.b.getI64Type();
  auto wide = [&](Value value) -> Value {
    value = get(value, part);
    return arith::ExtSIOp::create(v.b, isLanes(value) ? Type(VectorType::get(v.lanes, i64)) : i64, value);
  };
  auto constant = [&](int64_t number) -> Value {
    return arith::ConstantOp::create(v.b, v.b.getI64IntegerAttr(number));
  };
  Value sum = constant(x.constant);
  auto add = [&](Value value, int64_t factor) {
    if (factor == 0)
      return;
    Value term = wide(value);
    if (isLanes(term))
      sum = asLanes(sum);
    else if (isLanes(sum))
      term = asLanes(term);
    Value f = constant(factor);
    sum = arith::AddIOp::create(v.b, sum, arith::MulIOp::create(v.b, term, isLanes(term) ? asLanes(f) : f));
  };
  add(block.i, x.i);
  add(block.j, x.j);
  for (auto [value, coefficient] : x.others)
    add(value, coefficient);
  return sum;
}

//===--- Elements of captures ---===//

Value VariantCode::index(Value x) { return arith::IndexCastOp::create(v.b, v.b.getIndexType(), x); }

VariantCode::Place VariantCode::place(ValueRange indices, ArrayRef<int64_t> shape, int64_t part,
                                      llvm::function_ref<bool(unsigned)> isInner) {
  int64_t stride = 1, lanesStride = 0;
  Value scalars = v.index(0), vectors, first, adjacent;
  bool isWide = false;
  int64_t total = 1;
  for (auto [axis, extent] : llvm::enumerate(shape))
    total *= !isInner || isInner(axis) ? extent : 1;
  isWide = total > INT32_MAX;
  Type element = isWide ? v.b.getI64Type() : v.b.getI32Type();
  unsigned vectorAxes = 0;
  for (unsigned axis = shape.size(); axis-- > 0;) {
    if (isInner && !isInner(axis))
      continue;
    const int64_t extent = shape[axis], last = std::max<int64_t>(extent - 1, 0);
    Value given = get(indices[axis], part);
    bool isInside = block.range(indices[axis]).isWithin(0, last);
    if (!isLanes(given)) {
      Value at = index(given);
      // Only visible pairs are known to be inside.
      at = v.max(v.min(at, v.index(last)), v.index(0));
      scalars = v.add(scalars, v.mul(at, stride));
    } else {
      ++vectorAxes;
      auto constant = [&](int64_t number) {
        return v.splat(arith::ConstantOp::create(v.b, v.b.getI32IntegerAttr(int32_t(number))));
      };
      Value at = arith::MaxSIOp::create(v.b, given, constant(0));
      if (last <= INT32_MAX)
        at = arith::MinSIOp::create(v.b, at, constant(last));
      if (isWide)
        at = arith::ExtSIOp::create(v.b, VectorType::get(v.lanes, element), at);
      Value factor = v.splat(arith::ConstantOp::create(v.b, v.b.getIntegerAttr(element, stride)));
      at = arith::MulIOp::create(v.b, at, factor);
      vectors = vectors ? Value(arith::AddIOp::create(v.b, vectors, at)) : at;
      lanesStride = stride;
      // Adjacent: the query's number plus what is the same for all lanes.
      Affine x = block.affine(indices[axis]);
      bool isRow = llvm::all_of(x.others,
                                [&](auto term) { return !(block.depends(term.first) & (OnQuery | OnPair)); });
      if (x.i == 1 && isRow) {
        Value lane0 = vector::ExtractOp::create(v.b, given, ArrayRef<int64_t>{0});
        first = index(lane0);
        Value lastLane = vector::ExtractOp::create(v.b, given, ArrayRef<int64_t>{v.lanes - 1});
        // The last tile repeats its last query; then the lanes are not adjacent.
        Value spread = arith::CmpIOp::create(v.b, arith::CmpIPredicate::eq, v.sub(index(lastLane), first),
                                             v.index(v.lanes - 1));
        Value low = arith::CmpIOp::create(v.b, arith::CmpIPredicate::sge, first, v.index(0));
        Value high = v.less(index(lastLane), v.index(extent));
        adjacent = arith::AndIOp::create(v.b, spread, arith::AndIOp::create(v.b, low, high));
        (void)isInside;
      } else {
        first = {};
      }
    }
    stride *= extent;
  }
  if (!vectors)
    return {scalars, {}, {}};
  Place result;
  if (vectorAxes == 1 && lanesStride == 1 && first) {
    result.first = v.add(scalars, first);
    result.isAdjacent = adjacent;
  }
  Value base = arith::IndexCastOp::create(v.b, element, scalars);
  result.offset = arith::AddIOp::create(v.b, vectors, v.splat(base));
  return result;
}

Value VariantCode::read(sparsek::ReadOp op, int64_t part) {
  ScalarEmitter emitter(v.b, v.b.getLoc());
  auto type = tensorOf(op.getCapture());
  Type element = type.getElementType(), stored = storageType(element);
  Value memref =
      captures[cast<BlockArgument>(op.getCapture()).getArgNumber() - block.captures.front().getArgNumber()];
  if (type.getNumElements() == 0) {
    Type compute = computeType(element);
    return isa<FloatType>(compute) ? emitter.floating(compute, 0) : emitter.integer(compute, 0);
  }
  Place where = place(op.getIndices(), type.getShape(), part);
  // The visibility may come from what is read outside: zero. Nothing else does.
  auto orZero = [&](Value x) -> Value {
    if (!block.decidesVisibility(op))
      return x;
    for (auto [index, extent] : llvm::zip(op.getIndices(), type.getShape()))
      if (Value isOutside = outside(index, extent, part)) {
        if (isLanes(isOutside))
          x = asLanes(x);
        else if (isLanes(x))
          isOutside = asLanes(isOutside);
        Value zero = arith::ConstantOp::create(v.b, v.b.getZeroAttr(x.getType()));
        x = arith::SelectOp::create(v.b, isOutside, zero, x);
      }
    return x;
  };
  if (!isLanes(where.offset))
    return orZero(emitter.load(memref, where.offset, element));
  auto lanesType = VectorType::get(v.lanes, stored);
  auto gather = [&]() -> Value {
    auto maskType = VectorType::get(v.lanes, v.b.getI1Type());
    Value mask = arith::ConstantOp::create(v.b, DenseElementsAttr::get(maskType, true));
    Value none = arith::ConstantOp::create(v.b, v.b.getZeroAttr(lanesType));
    return vector::GatherOp::create(v.b, lanesType, memref, ValueRange{v.index(0)}, where.offset, mask, none);
  };
  Value x;
  if (where.first)
    x = v.choose(
        where.isAdjacent, {lanesType},
        [&] { return Values{vector::LoadOp::create(v.b, lanesType, memref, where.first)}; },
        [&] { return Values{gather()}; })[0];
  else
    x = gather();
  return orZero(emitter.fromStorage(x, element));
}

Value VariantCode::outside(Value index, int64_t extent, int64_t part) {
  if (extent > 0 && block.range(index).isWithin(0, extent - 1))
    return {};
  // A negative one is large as an unsigned number.
  ScalarEmitter emitter(v.b, v.b.getLoc());
  Value x = get(index, part);
  if (extent > INT32_MAX)
    return arith::CmpIOp::create(v.b, arith::CmpIPredicate::slt, x, emitter.integer(x.getType(), 0));
  return arith::CmpIOp::create(v.b, arith::CmpIPredicate::uge, x, emitter.integer(x.getType(), extent));
}

Value VariantCode::outside(ValueRange indices, ArrayRef<int64_t> shape, int64_t part) {
  Value all;
  for (auto [index, extent] : llvm::zip(indices, shape))
    if (Value bad = outside(index, extent, part)) {
      bad = asLanes(bad);
      all = all ? Value(arith::OrIOp::create(v.b, all, bad)) : bad;
    }
  return all;
}

Value VariantCode::outside(ArrayRef<Operation *> needed, int64_t part) {
  Value all;
  for (Operation *op : needed)
    if (auto read = dyn_cast<sparsek::ReadOp>(op))
      if (Value bad = outside(read.getIndices(), tensorOf(read.getCapture()).getShape(), part))
        all = all ? Value(arith::OrIOp::create(v.b, all, bad)) : bad;
  return all;
}

void VariantCode::report(ArrayRef<Operation *> needed, int64_t part, Value bad, const Reports &reports) {
  Value any = vector::ReductionOp::create(v.b, vector::CombiningKind::OR, bad);
  v.when(any, [&] {
    ScalarEmitter emitter(v.b, v.b.getLoc());
    Type i64 = v.b.getI64Type();
    for (Operation *op : needed) {
      auto read = dyn_cast<sparsek::ReadOp>(op);
      if (!read)
        continue;
      for (unsigned axis = 0; axis < read.getIndices().size(); ++axis) {
        const int64_t size = tensorOf(read.getCapture()).getDimSize(axis);
        Value isOutside = outside(read.getIndices()[axis], size, part);
        if (!isOutside)
          continue;
        Value lanes = arith::AndIOp::create(v.b, bad, asLanes(isOutside));
        v.loop(v.index(0), v.index(v.lanes), 1, [&](Value lane) {
          v.when(vector::ExtractOp::create(v.b, lanes, lane), [&] {
            Value x = get(read.getIndices()[axis], part);
            if (isLanes(x))
              x = vector::ExtractOp::create(v.b, x, lane);
            Value code = emitter.integer(v.b.getI32Type(), outOfRangeStatus);
            Value extent = emitter.integer(i64, size);
            ir::RuntimeCallOp::create(v.b, "heddle_fail_values",
                                      ValueRange{reports.call, code, reports.messages.lookup(op),
                                                 arith::ExtSIOp::create(v.b, i64, x), extent});
          });
        });
      }
    }
  });
}

} // namespace heddle::cpu::attention
