// The backward pass of a variant: dq by tiles of queries, dk and dv by tiles of keys of each query head, and
// the cotangents of captures.
//
// A cotangent that depends on the query alone (or the key alone) is summed over the keys (queries) in
// registers, and the sums of the rows are added to the capture. One that depends on both is added pair by
// pair. Additions are those of ExactSums, in any order; what they need to know of the size of their terms
// comes from the sums of rows, for pairs from a pass of its own.
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"
#include "compiler/conversion/SparseKToGPU/ExactSum.h"
#include "compiler/conversion/SparseKToGPU/KeyTile.h"
#include "compiler/conversion/SparseKToGPU/QueryTile.h"
#include "compiler/conversion/SparseKToGPU/VariantProgram.h"

#include <algorithm>

using namespace mlir;

namespace heddle::gpu::attention {
namespace {

using cpu::attention::Site;

/// What becomes of the cotangents of captures in a kernel.
enum class Sites {
  Queries, ///< sums of rows of those that depend on the query alone; others that depend on both are added
  Observe, ///< sums of rows of the magnitudes of those that depend on both
  Keys     ///< sums of rows of those that depend on the key alone
};

/// Sums of the cotangents that depend on both, in the order of the sites.
using PairSums = llvm::SmallVector<std::pair<const Site *, ExactSums::Code>, 2>;

class AdjointPairs : public VariantPairs {
public:
  AdjointPairs(TileCode &t, const Plan &plan, const VariantInputs &inputs, Scalar batch, Scalar head,
               bool masked, Sites sites, PairSums &sums)
      : VariantPairs(t, plan, inputs, batch, head, masked), sites(sites), sums(sums) {}

  Pair pair(const QuerySide &query, const KeySide &key, Scalar product) override {
    exists = k.both(k.both(query.position >= 0, query.position < p.spec.length), key.from < p.keyLength);
    return VariantPairs::pair(query, key, product);
  }

  PairAdjoint adjoint(const Pair &pair, Scalar product, Scalar dscore, Scalar dgate) override {
    PairAdjoint result = VariantPairs::adjoint(pair, product, dscore, dgate);
    Scalar counts = pair.seen.value ? k.both(exists, pair.seen) : exists;
    auto value = [&](const Site &site) {
      return k.select(counts, k.cast(code.get(site.value), t.compute), t.number(0));
    };
    for (const Site &site : inputs.block.sites) {
      if ((sites == Sites::Queries && site.kind == Site::Queries) ||
          (sites == Sites::Keys && site.kind == Site::Keys))
        result.sums.push_back(value(site));
      if (sites == Sites::Observe && site.kind == Site::Scattered)
        result.sums.push_back(k.abs(value(site)));
    }
    if (sites == Sites::Queries)
      for (auto &[site, sum] : sums) {
        Scalar x = value(*site), at = placeOf(*site);
        auto &here = sum;
        k.when(counts, [&] { here.add(x, at); });
      }
    return result;
  }

private:
  Scalar placeOf(const Site &site) {
    sparsek::AccumulateOp op = site.op;
    return code.place(op.getIndices(), cast<RankedTensorType>(op.getCapture().getType()).getShape());
  }

  const Sites sites;
  PairSums &sums;
  Scalar exists;
};

class AdjointWalk : public VariantWalk {
public:
  AdjointWalk(TileCode &t, const Plan &plan, const ProgramBuilder &builder, const WalkOperands &operands,
              const VariantInputs &inputs, Sites sites, PairSums &sums)
      : VariantWalk(t, plan, builder, operands, inputs), sites(sites), sums(sums) {}

protected:
  std::unique_ptr<VariantPairs> makePairs(bool masked) override {
    return std::make_unique<AdjointPairs>(t, p, inputs, batch, headOfBatch, masked, sites, sums);
  }

private:
  const Sites sites;
  PairSums &sums;
};

/// A tile of keys of one query head.
class VariantKeyTile : public KeyTile {
public:
  VariantKeyTile(TileCode &t, const Plan &plan, const ProgramBuilder &builder,
                 const QueryWalkOperands &operands, const VariantInputs &inputs, int64_t group)
      : KeyTile(t, plan, builder, operands), inputs(inputs), group(group) {}

  llvm::SmallVector<Pointer, 2> sumsOfRows; ///< [query head, key]
  Pointer dk, dv;                           ///< rows of [query head, key]

  void emit() {
    const int64_t m = p.keyLength, tiles = (m + p.walk.tile - 1) / p.walk.tile;
    Scalar rest = splitColumns(k.block()), row = rest / tiles, firstKey = rest % tiles * p.walk.tile;
    batch = row / p.spec.queryHeads;
    head = row % p.spec.queryHeads;
    rowStart = t.wide(row / group) * m;
    k.when(t.thread < p.walk.tile, [&] {
      Scalar key = firstKey + t.thread;
      k.store(k.select(key < m, key, k.i32(-1)), numbers, t.thread);
    });
    k.barrier();
    for (int64_t half = 0; half < 2; ++half) {
      Scalar key = k.load(numbers, t.row(half));
      sides[half].from = sides[half].until = k.select(key >= 0, key, k.i32(INT32_MAX));
    }
    auto [first, end] = queriesOf(firstKey);
    Scalars state = sum(row, first, end);
    Scalars rows, valid;
    for (int64_t half = 0; half < 2; ++half) {
      Scalar key = firstKey + t.row(half);
      valid.push_back(key < m);
      rows.push_back(t.wide(row) * m + t.wide(k.min(key, k.i32(m - 1))));
      k.when(k.both(valid.back(), k.both(t.firstColumn == 0, columnPart == 0)), [&] {
        for (auto [i, to] : llvm::enumerate(sumsOfRows))
          k.store(state[2 * i + size_t(half)], to, rows.back());
      });
    }
    store(state, dk, p.spec.keyWidth, dv, p.spec.valueWidth, rows, valid);
  }

protected:
  int64_t rowSums() const override {
    return llvm::count_if(inputs.block.sites, [](const Site &site) { return site.kind == Site::Keys; });
  }

  Scalars withPairs(const QueryBlock &block, PairsUse body) override {
    auto emit = [&](bool masked) {
      AdjointPairs pairs(t, p, inputs, batch, head, masked, Sites::Keys, none);
      return body(pairs);
    };
    if (!boundsSettle(inputs.block, /*onKeys=*/false))
      return emit(true);
    Scalar until = block.first + p.walk.block;
    Scalar masked = (until > n) | (block.first < bounds.mostFrom) | (until > bounds.leastUntil);
    return k.choose(masked, [&] { return emit(true); }, [&] { return emit(false); });
  }

private:
  /// The queries from the first to the last one that see keys of the tile, as far as the bounds say.
  std::pair<Scalar, Scalar> queriesOf(Scalar firstKey) {
    const VariantBlock &block = inputs.block;
    Scalar endKey = k.min(firstKey + p.walk.tile, k.i32(p.keyLength));
    VariantCode code(t, block, inputs.captures);
    code.setRow(batch, head);
    if (llvm::any_of(block.bounds(), [](const Bound &bound) { return !bound.isOnKeys(); })) {
      code.setPair({}, k.min(firstKey + t.thread, endKey - 1));
      bounds = reduceBounds(k, boundedInterval(k, code, block, /*onKeys=*/false, n));
      return {bounds.leastFrom, bounds.mostUntil};
    }
    if (block.bounds().empty()) {
      bounds = {k.i32(0), k.i32(0), k.i32(n), k.i32(n)};
      return {bounds.leastFrom, bounds.mostUntil};
    }
    // Which queries come to the tile.
    Scalars range = k.loop(t.thread, k.i32(n), k.i32(k.blockThreads), {k.i32(n), k.i32(0)},
                           [&](Scalar query, llvm::ArrayRef<Scalar> range) {
                             VariantCode here(t, block, inputs.captures);
                             here.setRow(batch, head);
                             here.setPair(query, {});
                             Interval keys = boundedInterval(k, here, block, /*onKeys=*/true, p.keyLength);
                             Scalar meets = k.max(keys.from, firstKey) < k.min(keys.until, endKey);
                             return Scalars{k.select(meets, k.min(range[0], query), range[0]),
                                            k.select(meets, k.max(range[1], query + 1), range[1])};
                           });
    return {k.blockReduce(range[0], [&](Scalar x, Scalar y) { return k.min(x, y); }),
            k.blockReduce(range[1], [&](Scalar x, Scalar y) { return k.max(x, y); })};
  }

  const VariantInputs &inputs;
  const int64_t group;
  Scalar batch, head;
  TileBounds bounds;
  PairSums none;
};

class BackwardProgram {
public:
  BackwardProgram(ProgramBuilder &builder, sparsek::VariantAttentionBackwardOp op, const Target &target)
      : builder(builder), op(op), block(op), queries(makeVariantPlan(op, target, Pass::QueryGradients)),
        keys(makeVariantPlan(op, target, Pass::KeyGradients)),
        queryRows(queries.spec.batch * queries.spec.queryHeads), computeBytes(queries.computeBytes()) {}

  void emit() {
    Type score = cast<RankedTensorType>(op.getLse().getType()).getElementType();
    for (const Site &site : block.sites) {
      auto capture = cast<RankedTensorType>(sparsek::AccumulateOp(site.op).getCapture().getType());
      sums.emplace_back(builder, ("variant_clear_" + Twine(sums.size())).str(), capture.getNumElements(),
                        score);
      rows.push_back(builder.reserve(queryRows * rowLength(site) * computeBytes));
    }
    const bool works = queryRows > 0 && queries.spec.length > 0 && queries.keyLength > 0;
    if (works) {
      statistics = emitStatistics(builder, queries);
      if (llvm::any_of(block.sites, [](const Site &site) { return site.kind == Site::Scattered; })) {
        queryKernel("variant_observe", Sites::Observe);
        for (auto [i, site] : llvm::enumerate(block.sites))
          if (site.kind == Site::Scattered)
            rowsKernel("variant_observe_rows_", i, /*adds=*/false);
      }
      queryKernel("variant_dq", Sites::Queries);
      keyKernel();
      for (auto [i, site] : llvm::enumerate(block.sites))
        if (site.kind != Site::Scattered)
          for (bool adds : {false, true})
            rowsKernel(adds ? "variant_add_" : "variant_observe_rows_", i, adds);
    }
    for (auto [i, number] : llvm::enumerate(op.getWanted()))
      captureKernel(int64_t(i), number);
    if (!works)
      for (unsigned i = 0; i < 3; ++i)
        zeroKernel(i);
  }

private:
  int64_t rowLength(const Site &site) const {
    return site.kind == Site::Keys ? queries.keyLength : queries.spec.length;
  }
  template <typename Use>
  void eachSite(Site::Kind kind, Use use) {
    for (size_t i = 0; i < block.sites.size(); ++i)
      if (block.sites[i].kind == kind)
        use(i);
  }

  void queryKernel(StringRef name, Sites sites) {
    using A = AttentionArgument;
    builder.take({A::Q, A::DOut});
    WalkOperands walkOperands(builder, queries, {});
    VariantOperands operands(builder, block);
    const unsigned lse = builder.take(statistics.lse), shared = builder.take(statistics.shared);
    llvm::SmallVector<unsigned, 4> rowNumbers, sumNumbers;
    eachSite(sites == Sites::Observe ? Site::Scattered : Site::Queries,
             [&](size_t i) { rowNumbers.push_back(builder.take(rows[i])); });
    if (sites == Sites::Queries)
      eachSite(Site::Scattered, [&](size_t i) { sumNumbers.push_back(builder.take(sums[i].operand())); });
    builder.take({A::DQ});
    builder.kernel(name, queryRows * queries.tiles(), queries.walk.threads(), [&](KernelCode &k) {
      TileCode t(k, elementType(k.b, queries.spec), queries.walk.block);
      VariantInputs inputs = operands.inputs(k);
      PairSums pairSums;
      if (sites == Sites::Queries) {
        size_t next = 0;
        eachSite(Site::Scattered, [&](size_t i) {
          pairSums.emplace_back(&block.sites[i], ExactSums::Code(k, sums[i], sumNumbers[next++]));
        });
      }
      AdjointWalk walk(t, queries, builder, walkOperands, inputs, sites, pairSums);
      QueryTile tile(t, queries, builder, walk);
      tile.lse = k.pointer(lse, t.compute);
      tile.shared = k.pointer(shared, t.compute);
      for (unsigned number : rowNumbers)
        tile.sumsOfRows.push_back(k.pointer(number, t.compute));
      tile.emit(k.block());
    });
  }

  void keyKernel() {
    using A = AttentionArgument;
    const int64_t group = keys.spec.group();
    Plan plan = keys; // every query head has rows of its own
    plan.spec.heads = plan.spec.queryHeads;
    DeviceOperand parts[2];
    if (group > 1) {
      parts[0] = builder.reserve(queryRows * plan.keyLength * plan.spec.keyWidth * computeBytes);
      parts[1] = builder.reserve(queryRows * plan.keyLength * plan.spec.valueWidth * computeBytes);
    }
    QueryWalkOperands walkOperands(builder, plan, statistics, /*selects=*/false);
    builder.take({A::K, A::V});
    VariantOperands operands(builder, block);
    llvm::SmallVector<unsigned, 4> rowNumbers;
    eachSite(Site::Keys, [&](size_t i) { rowNumbers.push_back(builder.take(rows[i])); });
    unsigned partNumbers[2] = {};
    if (group > 1)
      for (int i = 0; i < 2; ++i)
        partNumbers[i] = builder.take(parts[i]);
    else
      builder.take({A::DK, A::DV});
    const int64_t tiles = (plan.keyLength + plan.walk.tile - 1) / plan.walk.tile;
    builder.kernel(
        "variant_dk", queryRows * tiles * KeyTile::parts(plan), plan.walk.threads(), [&](KernelCode &k) {
          TileCode t(k, elementType(k.b, plan.spec), plan.walk.block);
          VariantInputs inputs = operands.inputs(k);
          VariantKeyTile tile(t, plan, builder, walkOperands, inputs, group);
          tile.dk = group > 1 ? k.pointer(partNumbers[0], t.compute) : builder.buffer(k, A::DK, t.element);
          tile.dv = group > 1 ? k.pointer(partNumbers[1], t.compute) : builder.buffer(k, A::DV, t.element);
          for (unsigned number : rowNumbers)
            tile.sumsOfRows.push_back(k.pointer(number, t.compute));
          tile.emit();
        });
    if (group > 1) {
      headsKernel("variant_dk_heads", parts[0], A::DK, plan.spec.keyWidth, group);
      headsKernel("variant_dv_heads", parts[1], A::DV, plan.spec.valueWidth, group);
    }
  }

  /// Sums over the query heads of a group, in order.
  void headsKernel(StringRef name, DeviceOperand parts, AttentionArgument to, int64_t width, int64_t group) {
    constexpr int64_t threads = 256;
    const int64_t row = keys.keyLength * width, all = queryRows / group * row;
    const unsigned number = builder.take(parts);
    builder.take({to});
    builder.kernel(name, (all + threads - 1) / threads, threads, [&](KernelCode &k) {
      TileCode t(k, elementType(k.b, keys.spec), 0);
      Scalar at = t.wide(k.block()) * threads + t.wide(k.thread());
      k.when(at < all, [&] {
        Scalar from = at / row * (group * row) + at % row, sum = t.number(0);
        for (int64_t head = 0; head < group; ++head)
          sum = sum + k.load(k.pointer(number, t.compute), from + head * row);
        k.store(k.cast(sum, t.element), builder.buffer(k, to, t.element), at);
      });
    });
  }

  /// Looks at the sums of a site's rows, or adds them to its capture's elements.
  void rowsKernel(StringRef name, size_t number, bool adds) {
    constexpr int64_t threads = 256;
    const Site &site = block.sites[number];
    const int64_t length = rowLength(site), all = queryRows * length;
    VariantOperands operands(builder, block);
    const unsigned from = builder.take(rows[number]), to = builder.take(sums[number].operand());
    builder.kernel((name + Twine(number)).str(), (all + threads - 1) / threads, threads, [&](KernelCode &k) {
      TileCode t(k, elementType(k.b, queries.spec), 0);
      VariantInputs inputs = operands.inputs(k);
      ExactSums::Code sum(k, sums[number], to);
      Scalar at = t.wide(k.block()) * threads + t.wide(k.thread());
      Scalar inside = at < all, here = k.select(inside, at, k.i64(0));
      Scalar x = k.select(inside, k.load(k.pointer(from, t.compute), here), t.number(0));
      if (!adds) {
        sum.observe(x);
        return;
      }
      VariantCode code(t, block, inputs.captures);
      Scalar row = k.cast(here / length, k.i32Type()), position = k.cast(here % length, k.i32Type());
      code.setRow(row / queries.spec.queryHeads, row % queries.spec.queryHeads);
      if (site.kind == Site::Keys)
        code.setPair({}, position);
      else
        code.setPair(position, {});
      sparsek::AccumulateOp accumulate = site.op;
      Scalar place = code.place(accumulate.getIndices(),
                                cast<RankedTensorType>(accumulate.getCapture().getType()).getShape());
      k.when(inside, [&] { sum.add(x, place); });
    });
  }

  /// The cotangent of a capture: what its sites gave, in order.
  void captureKernel(int64_t result, int64_t capture) {
    constexpr int64_t threads = 256;
    auto type = cast<RankedTensorType>(block.captures[size_t(capture)].getType());
    const int64_t all = type.getNumElements();
    llvm::SmallVector<std::pair<size_t, unsigned>, 2> numbers;
    for (auto [i, site] : llvm::enumerate(block.sites))
      if (site.capture == capture)
        numbers.emplace_back(i, builder.take(sums[i].operand()));
    const unsigned to = builder.take(resultBuffer(3 + result));
    builder.kernel(("variant_capture_" + Twine(capture)).str(), (all + threads - 1) / threads, threads,
                   [&](KernelCode &k) {
                     Scalar at = k.cast(k.block(), k.i64Type()) * threads + k.cast(k.thread(), k.i64Type());
                     k.when(at < all, [&] {
                       Scalar sum = k.constant(k.b.getF64Type(), 0);
                       for (auto [i, number] : numbers)
                         sum = sum + ExactSums::Code(k, sums[i], number).value(at);
                       if (!type.getElementType().isF64())
                         sum = k.cast(sum, k.f32Type());
                       k.store(k.cast(sum, type.getElementType()), k.pointer(to, type.getElementType()), at);
                     });
                   });
  }

  void zeroKernel(unsigned result) {
    constexpr int64_t threads = 256;
    auto type = cast<RankedTensorType>(op->getResult(result).getType());
    const int64_t all = type.getNumElements();
    if (all == 0)
      return;
    const unsigned to = builder.take(resultBuffer(result));
    builder.kernel(
        ("variant_zero_" + Twine(result)).str(), (all + threads - 1) / threads, threads, [&](KernelCode &k) {
          Scalar at = k.cast(k.block(), k.i64Type()) * threads + k.cast(k.thread(), k.i64Type());
          k.when(at < all, [&] {
            k.store(k.constant(type.getElementType(), 0), k.pointer(to, type.getElementType()), at);
          });
        });
  }

  ProgramBuilder &builder;
  sparsek::VariantAttentionBackwardOp op;
  const VariantBlock block;
  const Plan queries, keys;
  const int64_t queryRows, computeBytes;
  QueryStatistics statistics;
  std::vector<ExactSums> sums;              ///< of each site
  llvm::SmallVector<DeviceOperand, 4> rows; ///< the sums of rows of each site
};

} // namespace

void emitVariantBackward(ProgramBuilder &builder, sparsek::VariantAttentionBackwardOp op,
                         const Target &target) {
  BackwardProgram(builder, op, target).emit();
}

} // namespace heddle::gpu::attention
