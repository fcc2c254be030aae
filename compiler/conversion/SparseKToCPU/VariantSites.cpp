#include "compiler/conversion/SparseKToCPU/VariantSites.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace heddle::cpu::attention {

static int64_t divideUp(int64_t x, int64_t by) { return (x + by - 1) / by; }

static RankedTensorType captureType(const Site &site) {
  return cast<RankedTensorType>(site.op->getOperand(1).getType());
}

static sparsek::VariantAttentionBackwardOp backwardOf(const VariantPlan &plan) {
  return cast<sparsek::VariantAttentionBackwardOp>(plan.op);
}

/// Whether the index of an axis depends on the query or the key.
static bool isInner(const VariantBlock &block, const Site &site, unsigned axis) {
  return block.depends(sparsek::AccumulateOp(site.op).getIndices()[axis]) & (OnQuery | OnKey | OnPair);
}

//===--- Sizes and operands ---===//

/// The axes whose index is a number itself, such as the query's.
static llvm::SmallVector<unsigned> axesOf(const VariantBlock &block, const Site &site, Value number) {
  const Affine wanted = block.affine(number);
  llvm::SmallVector<unsigned> axes;
  for (auto [axis, index] : llvm::enumerate(sparsek::AccumulateOp(site.op).getIndices())) {
    Affine x = block.affine(index);
    if (x.hasEqualTerms(wanted) && x.constant == 0)
      axes.push_back(unsigned(axis));
  }
  return axes;
}

bool VariantSites::isDirect(const Site &site) const {
  if (site.kind != Site::Scattered)
    return false;
  // All sites of the capture must agree, since they write the same elements.
  return llvm::any_of(axesOf(p.block, site, p.block.i), [&](unsigned axis) {
    return llvm::all_of(p.block.sites, [&](const Site &other) {
      return other.kind != Site::Scattered || other.capture != site.capture ||
             llvm::is_contained(axesOf(p.block, other, p.block.i), axis);
    });
  });
}

bool VariantSites::rowsAreApart(const Site &site) const {
  auto isIndexed = [&](Value number, int64_t extent) {
    return extent == 1 || !axesOf(p.block, site, number).empty();
  };
  return isIndexed(p.block.b, p.block.batch) && isIndexed(p.block.h, p.block.queryHeads);
}

VariantSites::VariantSites(VariantBuilder &builder) : builder(builder), p(builder.plan) {
  constexpr int64_t tasks = 32, copyBytes = 64 << 20;
  const Plan &plan = p.plan;
  const int64_t rows = std::max<int64_t>(plan.spec.rows(), 1), group = plan.spec.group();
  paddedQueries = plan.tiles() * plan.tile;
  paddedKeys = p.blocks() * plan.keyBlock;

  int64_t taskBytes = 0;
  bool mustWait = false; // rows share elements
  for (const Site &site : p.block.sites) {
    if (captureType(site).getNumElements() == 0)
      continue;
    SiteSums entry{&site, {}, 1, isDirect(site), VectorType::get(plan.lanes, accumulator(site.capture))};
    mustWait |= entry.isDirect && !rowsAreApart(site);
    if (site.kind == Site::Scattered && !entry.isDirect) {
      for (auto [axis, extent] : llvm::enumerate(captureType(site).getShape()))
        entry.inner *= isInner(p.block, site, axis) ? extent : 1;
      taskBytes += group * entry.inner * (accumulator(site.capture).getIntOrFloatBitWidth() / 8);
    }
    sums.push_back(entry);
  }
  waveRows = rows;
  if (taskBytes) {
    // Few copies, but enough tasks for the threads, in waves of rows if need be.
    const int64_t fitting = std::max<int64_t>(copyBytes / taskBytes, 1);
    const int64_t tiles = std::max<int64_t>(plan.tiles(), 1);
    chunkTiles = divideUp(tiles, std::clamp<int64_t>(std::min(fitting, divideUp(tasks, rows)), 1, tiles));
    waveRows = std::clamp<int64_t>(fitting / chunks(), 1, rows);
  }
  if (mustWait)
    waveRows = 1;
  const int64_t heads = plan.spec.batch * plan.spec.queryHeads;
  for (SiteSums &entry : sums) {
    if (entry.isDirect)
      continue;
    int64_t extent = heads * (entry.site->kind == Site::Queries ? paddedQueries : paddedKeys);
    if (entry.site->kind == Site::Scattered)
      extent = waveRows * chunks() * group * entry.inner;
    entry.sums = builder.reserve(accumulator(entry.site->capture), extent);
  }
  auto op = backwardOf(p);
  accumulators.resize(op.getCaptures().size());
  for (auto [i, capture] : llvm::enumerate(op.getWanted())) {
    auto type = cast<RankedTensorType>(op.getCaptures()[capture].getType());
    if (accumulator(capture) == type.getElementType())
      accumulators[capture] = {VariantOperand::Result, 3 + int64_t(i), bufferType(type)};
    else
      accumulators[capture] = builder.reserve(accumulator(capture), type.getNumElements());
  }
}

int64_t VariantSites::chunks() const { return divideUp(std::max<int64_t>(p.plan.tiles(), 1), chunkTiles); }

bool VariantSites::has(Site::Kind kind) const {
  return llvm::any_of(sums, [&](const SiteSums &entry) { return entry.site->kind == kind; });
}

Type VariantSites::accumulator(int64_t capture) const {
  Type element = cast<RankedTensorType>(backwardOf(p).getCaptures()[capture].getType()).getElementType();
  return element.isF64() ? element : Type(Float32Type::get(element.getContext()));
}

void VariantSites::addOperands(ArrayRef<Site::Kind> kinds) {
  numbers.clear();
  llvm::DenseMap<int64_t, int> direct; // an accumulator is one operand
  for (const SiteSums &entry : sums) {
    if (!llvm::is_contained(kinds, entry.site->kind))
      continue;
    if (!entry.isDirect) {
      numbers[entry.site] = builder.add(entry.sums);
      continue;
    }
    auto [known, isNew] = direct.try_emplace(entry.site->capture, 0);
    if (isNew)
      known->second = builder.add(accumulators[size_t(entry.site->capture)]);
    numbers[entry.site] = known->second;
  }
}

Value VariantSites::memref(const SiteSums &entry) const {
  return builder.argument(numbers.lookup(entry.site));
}

//===--- Lanes ---===//

LaneRoom laneRoom(AttentionCode &v, Type element) {
  auto scratch = [&](Type type) -> Value {
    return memref::AllocaOp::create(v.b, MemRefType::get({v.lanes}, type), v.b.getI64IntegerAttr(64));
  };
  return {scratch(element), scratch(v.b.getI64Type())};
}

static void addScalar(AttentionCode &v, Value x, Value memref, Value at) {
  Value sum = arith::AddFOp::create(v.b, memref::LoadOp::create(v.b, memref, at), x);
  memref::StoreOp::create(v.b, sum, memref, at);
}

void addLanes(AttentionCode &v, const VariantCode::Place &place, Value values, Value memref, Value base,
              const LaneRoom &room) {
  Type index = v.b.getIndexType();
  if (!isa<VectorType>(place.offset.getType())) {
    addScalar(v, v.sumOfLanes(values), memref, v.add(base, place.offset));
    return;
  }
  auto apart = [&] {
    Value first = vector::ExtractOp::create(v.b, place.offset, ArrayRef<int64_t>{0});
    Value same = arith::CmpIOp::create(v.b, arith::CmpIPredicate::eq, place.offset, v.splat(first));
    v.when(
        vector::ReductionOp::create(v.b, vector::CombiningKind::AND, same),
        [&] {
          Value at = arith::IndexCastOp::create(v.b, index, first);
          addScalar(v, v.sumOfLanes(values), memref, v.add(base, at));
        },
        [&] {
          Value offsets = place.offset;
          auto wide = VectorType::get(v.lanes, v.b.getI64Type());
          if (offsets.getType() != wide)
            offsets = arith::ExtSIOp::create(v.b, wide, offsets);
          vector::StoreOp::create(v.b, values, room.values, v.index(0));
          vector::StoreOp::create(v.b, offsets, room.offsets, v.index(0));
          v.loop(v.index(0), v.index(v.lanes), 1, [&](Value lane) {
            Value at =
                arith::IndexCastOp::create(v.b, index, memref::LoadOp::create(v.b, room.offsets, lane));
            addScalar(v, memref::LoadOp::create(v.b, room.values, lane), memref, v.add(base, at));
          });
        });
  };
  if (!place.first)
    return apart();
  v.when(
      place.isAdjacent,
      [&] {
        Value at = v.add(base, place.first);
        Value sum = arith::AddFOp::create(
            v.b, vector::LoadOp::create(v.b, cast<VectorType>(values.getType()), memref, at), values);
        vector::StoreOp::create(v.b, sum, memref, at);
      },
      apart);
}

//===--- Pairs ---===//

llvm::SmallVector<Value> VariantAdjoint::roots(const VariantBlock &block, ArrayRef<Target> targets) {
  SmallVector<Value> roots{block.ds};
  for (const Target &target : targets) {
    roots.push_back(target.sums->site->value);
    llvm::append_range(roots, sparsek::AccumulateOp(target.sums->site->op).getIndices());
  }
  return roots;
}

VariantAdjoint::VariantAdjoint(AttentionCode &v, VariantBuilder &builder, const Reports &reports,
                               const PairsPlace &place, bool masked, ArrayRef<Target> targets)
    : VariantPairs(v, builder.plan.block, builder.captures(), reports, place, masked,
                   roots(builder.plan.block, targets)),
      targets(targets), keyParts(targets.size()) {}

Values VariantAdjoint::carried() {
  Values values;
  for (const Target &target : targets)
    if (target.sums->site->kind == Site::Queries)
      for (int64_t part = 0; part < 2; ++part)
        values.push_back(vector::LoadOp::create(v.b, target.sums->lanes, target.memref,
                                                v.add(target.base, part * v.lanes)));
  return values;
}

void VariantAdjoint::finish(ValueRange carried) {
  for (const Target &target : targets)
    if (target.sums->site->kind == Site::Queries) {
      for (int64_t part = 0; part < 2; ++part)
        vector::StoreOp::create(v.b, carried[size_t(part)], target.memref,
                                v.add(target.base, part * v.lanes));
      carried = carried.drop_front(2);
    }
}

Value VariantAdjoint::adjoint(Value j, int64_t part, const Pair &pair, Value product, Value dscore,
                              Value dgate, llvm::MutableArrayRef<Value> carried) {
  Value slope = VariantPairs::adjoint(j, part, pair, product, dscore, dgate, carried);
  size_t next = 0;
  for (auto [number, target] : llvm::enumerate(targets)) {
    const Site &site = *target.sums->site;
    Value x = code.lanes(site.value, part);
    if (x.getType() != target.sums->lanes) {
      if (target.sums->lanes.getElementType().isF64())
        x = arith::ExtFOp::create(v.b, target.sums->lanes, x);
      else
        x = arith::TruncFOp::create(v.b, target.sums->lanes, x);
    }
    Value none = arith::ConstantOp::create(v.b, v.b.getZeroAttr(target.sums->lanes));
    if (pair.seen)
      x = v.select(pair.seen, x, none);
    sparsek::AccumulateOp op = site.op;
    if (Value outside = code.outside(op.getIndices(), captureType(site).getShape(), part))
      x = v.select(outside, none, x);
    switch (site.kind) {
    case Site::Queries: {
      Value &sum = carried[2 * next++ + size_t(part)];
      sum = v.sumOf(sum, x);
      break;
    }
    case Site::Keys:
      keyParts[number] = part > 0 ? v.sumOf(keyParts[number], x) : x;
      break;
    case Site::Scattered: {
      auto inCopy = [&](unsigned axis) { return target.sums->isDirect || isInner(block, site, axis); };
      auto place = code.place(op.getIndices(), captureType(site).getShape(), part, inCopy);
      addLanes(v, place, x, target.memref, target.base, target.room);
      break;
    }
    }
  }
  return pair.seen ? v.select(pair.seen, slope, v.zero()) : slope;
}

void VariantAdjoint::endKey(Value j) {
  for (auto [number, target] : llvm::enumerate(targets)) {
    if (target.sums->site->kind != Site::Keys)
      continue;
    Value at = v.mul(j, v.lanes);
    Value old = vector::LoadOp::create(v.b, target.sums->lanes, target.memref, at);
    vector::StoreOp::create(v.b, v.sumOf(old, keyParts[number]), target.memref, at);
  }
}

//===--- Kernels ---===//

void VariantSites::emitClear() {
  constexpr int64_t taskElements = 1 << 14;
  for (auto [capture, operand] : llvm::enumerate(accumulators)) {
    if (!operand.type || operand.type.getNumElements() == 0)
      continue;
    auto memref = builder.add(operand);
    const int64_t extent = operand.type.getNumElements();
    builder.kernel("clear" + std::to_string(capture), divideUp(extent, taskElements),
                   [&](AttentionCode &v, Value begin, Value end) {
                     Value none = arith::ConstantOp::create(v.b, v.b.getZeroAttr(accumulator(capture)));
                     Value last = v.min(v.mul(end, taskElements), v.index(extent));
                     v.loop(v.mul(begin, taskElements), last, 1, [&](Value at) {
                       memref::StoreOp::create(v.b, none, builder.argument(memref), at);
                     });
                   });
  }
}

void VariantSites::emitScattered() {
  constexpr int64_t taskElements = 1 << 12;
  const int64_t group = p.plan.spec.group();
  for (const SiteSums &entry : sums) {
    const Site &site = *entry.site;
    if (site.kind != Site::Scattered || entry.isDirect)
      continue;
    auto copies = builder.add(entry.sums), total = builder.add(accumulators[size_t(site.capture)]);
    builder.addBlock(/*reports=*/false);
    auto firstRow = builder.integer(0), rows = builder.integer(0);
    std::string suffix = "scattered" + std::to_string(&entry - sums.begin());
    builder.kernel(
        suffix, divideUp(entry.inner, taskElements), [&](AttentionCode &v, Value begin, Value end) {
          ArrayRef<int64_t> shape = captureType(site).getShape();
          sparsek::AccumulateOp op = site.op;
          // A task is a range of the inner elements, which nobody else writes.
          Value low = v.mul(begin, taskElements),
                high = v.min(v.mul(end, taskElements), v.index(entry.inner));
          v.loop(v.index(0), builder.argument(rows), 1, [&](Value waveRow) {
            Value row = v.add(builder.argument(firstRow), waveRow);
            v.loop(v.index(0), v.index(group), 1, [&](Value head) {
              VariantCode code(v, p.block, builder.captures());
              code.setRow(v.div(row, p.heads()), v.add(v.mul(v.rem(row, p.heads()), group), head));
              Value slice = code.place(op.getIndices(), shape, 0,
                                       [&](unsigned axis) { return !isInner(p.block, site, axis); })
                                .offset;
              // The place counts the axes that it has; these strides count all.
              slice = expand(v, slice, shape, [&](unsigned axis) { return !isInner(p.block, site, axis); });
              v.loop(v.index(0), v.index(chunks()), 1, [&](Value chunk) {
                Value task = v.add(v.mul(waveRow, chunks()), chunk);
                Value base = v.mul(v.add(v.mul(task, group), head), entry.inner);
                v.loop(low, high, 1, [&](Value inner) {
                  Value at =
                      expand(v, inner, shape, [&](unsigned axis) { return isInner(p.block, site, axis); });
                  Value x = memref::LoadOp::create(v.b, builder.argument(copies), v.add(base, inner));
                  addScalar(v, x, builder.argument(total), v.add(slice, at));
                });
              });
            });
          });
        });
    VariantStep step = builder.program.steps.pop_back_val();
    scatteredSteps.push_back(step);
  }
}

void VariantSites::pushScattered(int64_t firstRow, int64_t rows) {
  for (VariantStep step : scatteredSteps) {
    step.operands[step.operands.size() - 2].number = firstRow;
    step.operands[step.operands.size() - 1].number = rows;
    builder.program.steps.push_back(step);
  }
}

Value VariantSites::expand(AttentionCode &v, Value position, ArrayRef<int64_t> shape,
                           llvm::function_ref<bool(unsigned)> isThere) {
  Value result = v.index(0);
  int64_t stride = 1;
  SmallVector<std::pair<int64_t, int64_t>> axes; // extent, stride
  for (unsigned axis = shape.size(); axis-- > 0;) {
    if (isThere(axis))
      axes.push_back({shape[axis], stride});
    stride *= shape[axis];
  }
  for (auto [number, axis] : llvm::enumerate(axes)) {
    bool isLast = number + 1 == axes.size();
    result = v.add(result, v.mul(isLast ? position : v.rem(position, axis.first), axis.second));
    position = isLast ? position : v.div(position, axis.first);
  }
  return result;
}

void VariantSites::emitGather() {
  auto op = backwardOf(p);
  for (auto [result, capture] : llvm::enumerate(op.getWanted())) {
    auto type = cast<RankedTensorType>(op.getCaptures()[capture].getType());
    const VariantOperand &operand = accumulators[size_t(capture)];
    SmallVector<const SiteSums *> own;
    for (const SiteSums &entry : sums)
      if (entry.site->capture == capture && entry.site->kind != Site::Scattered)
        own.push_back(&entry);
    bool rounds = operand.kind == VariantOperand::Workspace;
    if (type.getNumElements() == 0 || (own.empty() && !rounds))
      continue;
    auto total = builder.add(operand);
    auto rounded = rounds ? builder.result(unsigned(3 + result)) : -1;
    builder.addBlock(/*reports=*/false);
    SmallVector<int> memrefs;
    for (const SiteSums *entry : own)
      memrefs.push_back(builder.add(entry->sums));
    // One task: whoever adds to an element comes in its turn.
    builder.kernel("capture" + std::to_string(capture), 1, [&](AttentionCode &v, Value begin, Value end) {
      LaneRoom room = laneRoom(v, accumulator(capture));
      v.loop(begin, end, 1, [&](Value) {
        for (auto [entry, number] : llvm::zip(own, memrefs))
          addSums(v, *entry, builder.argument(number), builder.argument(total), room);
        if (rounds)
          v.loop(v.index(0), v.index(type.getNumElements()), 1, [&](Value at) {
            Value x = memref::LoadOp::create(v.b, builder.argument(total), at);
            ScalarEmitter(v.b, v.b.getLoc()).store(x, builder.argument(rounded), at, type.getElementType());
          });
      });
    });
  }
}

void VariantSites::addSums(AttentionCode &v, const SiteSums &entry, Value from, Value total,
                           const LaneRoom &room) {
  const Site &site = *entry.site;
  const bool onQueries = site.kind == Site::Queries;
  const int64_t padded = onQueries ? paddedQueries : paddedKeys;
  sparsek::AccumulateOp op = site.op;
  ArrayRef<int64_t> shape = captureType(site).getShape();
  bool isFixed =
      llvm::none_of(op.getIndices(), [&](Value index) { return p.block.depends(index) & (OnQuery | OnKey); });
  v.loop(v.index(0), v.index(p.block.batch * p.block.queryHeads), 1, [&](Value row) {
    Value base = v.mul(row, padded), batch = v.div(row, p.block.queryHeads),
          head = v.rem(row, p.block.queryHeads);
    auto load = [&](Value at) -> Value {
      return vector::LoadOp::create(v.b, entry.lanes, from, v.add(base, at));
    };
    if (isFixed) {
      // One element for all: lanes first.
      Value none = arith::ConstantOp::create(v.b, v.b.getZeroAttr(entry.lanes));
      Values sum =
          v.loopCarrying(v.index(0), v.index(padded), v.lanes, Values{none},
                         [&](Value at, ValueRange sums) { return Values{v.sumOf(sums[0], load(at))}; });
      VariantCode code(v, p.block, builder.captures());
      code.setRow(batch, head);
      addScalar(v, v.sumOfLanes(sum[0]), total, code.place(op.getIndices(), shape, 0).offset);
      return;
    }
    if (onQueries) {
      v.loop(v.index(0), v.index(padded), v.lanes, [&](Value at) {
        VariantCode code(v, p.block, builder.captures());
        code.setRow(batch, head);
        code.setQueries(at);
        addLanes(v, code.place(op.getIndices(), shape, 0), load(at), total, v.index(0), room);
      });
      return;
    }
    v.loop(v.index(0), v.index(p.block.keys), 1, [&](Value key) {
      VariantCode code(v, p.block, builder.captures());
      code.setRow(batch, head);
      code.setKey(key);
      Value x = memref::LoadOp::create(v.b, from, v.add(base, key));
      addScalar(v, x, total, code.place(op.getIndices(), shape, 0).offset);
    });
  });
}

} // namespace heddle::cpu::attention
