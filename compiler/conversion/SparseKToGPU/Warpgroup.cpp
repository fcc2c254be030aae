#include "compiler/conversion/SparseKToGPU/Warpgroup.h"
#include "compiler/conversion/SparseKToGPU/AttentionKernels.h"

#include <cfloat>
#include <cmath>
#include <limits>

namespace heddle::gpu::attention {

int64_t WarpgroupPlan::bytes() const {
  return queryBytes() + cotangentBytes() + keyStages * keyBytes() + valueStages * valueBytes() +
         slots() * numbers * block * 4 + 4 * keyStages * 8;
}

/// Of queries.
constexpr int64_t mostTile = 192;

std::optional<WarpgroupPlan> WarpgroupPlan::of(const AttentionSpec &spec, const Target &target, Pass pass) {
  auto fits = [](int64_t width) { return width % 8 == 0 && 8 <= width && width <= 128; };
  const bool narrow = spec.element == cpu::MatmulElement::BF16 || spec.element == cpu::MatmulElement::F16;
  // A maximum of products is one of scores; rows are counted in 32 bits.
  const bool plain = spec.scale > 0 && std::isfinite(float(spec.scale)) && float(spec.scale) >= FLT_MIN &&
                     spec.rows() * spec.length < std::numeric_limits<int32_t>::max() - mostTile;
  const bool wanted = target.warpgroupProducts && target.choice["warpgroups"] != 0;
  if (!wanted || !narrow || !fits(spec.keyWidth) || !fits(spec.valueWidth) || !plain)
    return std::nullopt;
  WarpgroupPlan plan;
  plan.keyPanels = (spec.keyWidth + panelColumns - 1) / panelColumns;
  plan.valuePanels = (spec.valueWidth + panelColumns - 1) / panelColumns;
  if (pass == Pass::QueryGradients)
    plan.cotangentPanels = plan.valuePanels;
  const int64_t sumWidth = pass == Pass::Forward ? spec.valueWidth : spec.keyWidth;
  // A third warpgroup fills gaps of the others, but gradients of wide heads need the registers of two.
  const int64_t most = pass == Pass::Forward || sumWidth <= 64 ? 3 : 2;
  plan.warpgroups = std::clamp<int64_t>(target.choice["warpgroups"].value_or(most), 2, most);
  // What registers hold, as far as shared memory goes.
  int64_t widest;
  if (plan.warpgroups == 3) {
    plan.gatherRegisters = 40;
    plan.productRegisters = 152;
    widest = pass == Pass::Forward && sumWidth <= 64 ? 80 : 64;
  } else {
    if (sumWidth <= 96) {
      plan.gatherRegisters = 56;
      plan.productRegisters = 224;
    }
    widest = pass == Pass::Forward ? 96 : 80;
  }
  llvm::SmallVector<int64_t, 2> blocks = {widest, 64};
  if (auto chosen = target.choice[choiceName(pass, "block")];
      chosen && *chosen % 16 == 0 && 64 <= *chosen && *chosen <= widest)
    blocks = {*chosen};
  const int64_t mostStages = std::min<int64_t>(target.choice[choiceName(pass, "stages")].value_or(6), 6);
  for (int64_t block : blocks) {
    plan.block = block;
    for (plan.valueStages = mostStages; plan.valueStages > 1; --plan.valueStages) {
      plan.keyStages = plan.valueStages + (pass == Pass::QueryGradients ? 1 : 0);
      if (plan.bytes() <= target.sharedBytes)
        return plan;
    }
  }
  return std::nullopt;
}

WarpgroupParameters::WarpgroupParameters(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists,
                                         const TileMarks &tileMarks) {
  using A = AttentionArgument;
  builder.take({A::K, A::V});
  tileLists = takeTileLists(builder, plan, lists);
  marks = takeTileMarks(builder, tileMarks);
}

WarpgroupCode::WarpgroupCode(KernelCode &k, const Plan &plan, const WarpgroupPlan &sizes,
                             const ProgramBuilder &builder, const WarpgroupParameters &parameters)
    : k(k), p(plan), w(sizes), builder(builder), n(plan.spec.length), element(elementType(k.b, plan.spec)) {
  using A = AttentionArgument;
  keyRows = builder.buffer(k, A::K, element);
  valueRows = builder.buffer(k, A::V, element);
  bounds = builder.buffer(k, A::Bounds, k.i32Type());
  marks = k.pointer(parameters.marks.words, k.i32Type());
  anyMark = k.pointer(parameters.marks.any, k.i32Type());
  if (p.spec.topk > 0) {
    u = builder.buffer(k, A::U, k.f32Type());
    hi = builder.buffer(k, A::Hi, k.f32Type());
    lo = builder.buffer(k, A::Lo, k.f32Type());
    ends = builder.buffer(k, A::End, k.i32Type());
    listKeys = k.pointer(parameters.tileLists.keys, k.i32Type());
    listFull = k.pointer(parameters.tileLists.full, k.i32Type());
    listTotal = k.pointer(parameters.tileLists.total, k.i32Type());
  }
  thread = k.thread();
  lane = thread & (warpSize - 1);
  shared = sharedAddress(k, k.shared(w.bytes(), k.b.getI8Type()));
  cotangentsStart = w.queryBytes();
  keysStart = cotangentsStart + w.cotangentBytes();
  valuesStart = keysStart + w.keyStages * w.keyBytes();
  numbersStart = valuesStart + w.valueStages * w.valueBytes();
  barriersStart = numbersStart + w.slots() * WarpgroupPlan::numbers * w.block * 4;
}

void WarpgroupCode::prepareShared() {
  k.when(thread == 0, [&] {
    // Copies arrive, and with those of a block the thread, for the numbers that it has stored.
    auto initialise = [&](int64_t stages, Barrier full, Barrier empty) {
      for (int64_t i = 0; i < stages; ++i) {
        initialiseBarrier(k, barrier(full, k.i32(i)), (full == fullBlock() ? 2 : 1) * warpgroupThreads);
        initialiseBarrier(k, barrier(empty, k.i32(i)), w.warps());
      }
    };
    initialise(w.keyStages, FullKeys, EmptyKeys);
    initialise(w.valueStages, FullValues, EmptyValues);
    publishBarriers(k);
  });
  auto zeroPadding = [&](int64_t width, int64_t tileStart, int64_t stagesStart, int64_t stages,
                         int64_t stageBytes) {
    zeroHalfStep(k, address(tileStart), w.tile(), width);
    for (int64_t i = 0; i < stages; ++i)
      zeroHalfStep(k, address(stagesStart + i * stageBytes), w.block, width);
  };
  zeroPadding(p.spec.keyWidth, 0, keysStart, w.keyStages, w.keyBytes());
  if (w.cotangentPanels > 0)
    zeroPadding(p.spec.valueWidth, cotangentsStart, valuesStart, w.valueStages, w.valueBytes());
  k.barrier();
}

Scalar WarpgroupCode::nextIndex(const WarpgroupTile &tile) {
  Scalar index = computeHere(k, tile.index); // registers are few
  return k.select(tile.hasNext, index + k.blocks(), index);
}

WarpgroupTile WarpgroupCode::tileAt(Scalar index) {
  // Long walks come first, and then those of the tiles of all heads that see few keys yet, the longest ones
  // first, so that all blocks of threads end together. In the forward pass all tiles go so, from the last
  // queries to the first ones; gradients go head by head otherwise, since they read more and find it in the
  // cache. Query heads of a group, which read the same keys, are neighbours.
  const int64_t tiles = p.tiles(), group = p.spec.group(), heads = p.spec.rows() * group;
  const int64_t shorter = w.cotangentPanels > 0
                              ? std::min(tiles, (p.spec.topk + p.spec.window + w.tile() - 1) / w.tile())
                              : tiles;
  const int64_t longer = std::max<int64_t>(tiles - shorter, 1), ofLonger = (tiles - shorter) * heads;
  Scalar isLonger = index < ofLonger;
  Scalar reversed = k.select(isLonger, k.i32(ofLonger), k.i32(tiles * heads)) - 1 - index;
  Scalar place = reversed / group;
  Scalar tile = k.select(isLonger, place % longer + shorter, reversed / heads);
  Scalar head = k.select(isLonger, place / longer * group + reversed % group, reversed % heads),
         row = head / group;
  WarpgroupTile result;
  result.index = index;
  result.number = head * tiles + tile;
  result.rowStart = row * n;
  result.first = tile * w.tile();
  result.last = k.min(result.first + w.tile(), k.i32(n)) - 1;
  result.queryStart = wide(head) * n + wide(result.first);
  result.list = wide(row * tiles + tile);
  return result;
}

Scalars WarpgroupCode::walkAt(Scalar index) {
  WarpgroupTile tile = tileAt(index);
  Scalars result;
  if (p.spec.topk > 0)
    result = {k.load(listTotal, tile.list), k.load(listFull, tile.list)};
  if (p.spec.packed)
    result.push_back(k.load(bounds, tile.first));
  return result;
}

void WarpgroupCode::forEachTile(
    llvm::ArrayRef<Scalar> init,
    llvm::function_ref<Scalars(const WarpgroupTile &, llvm::ArrayRef<Scalar>)> body) {
  const int64_t block = w.block;
  const int64_t count = p.spec.rows() * p.tiles() * p.spec.group();
  Scalars carried = walkAt(k.block());
  const size_t known = carried.size();
  carried.append(init.begin(), init.end());
  k.loop(k.block(), k.i32(count), k.blocks(), carried, [&](Scalar index, llvm::ArrayRef<Scalar> carried) {
    Scalars values(carried);
    for (Scalar &x : llvm::MutableArrayRef(values).take_front(known))
      x = sameForAll(k, x);
    WarpgroupTile tile = tileAt(index);
    tile.hasNext = index < k.i32(count) - k.blocks();
    Scalars following;
    tile.lookAhead = [&] { following = walkAt(nextIndex(tile)); };
    tile.list = tile.list * p.listStride;
    tile.selectedKeys = tile.wholeKeys = tile.selectedBlocks = tile.windowBegin = tile.windowEnd = k.i32(0);
    if (p.spec.topk > 0) {
      tile.selectedKeys = values[0];
      tile.wholeKeys = values[1];
      tile.selectedBlocks = (tile.selectedKeys + (block - 1)) / block;
    }
    tile.blocks = tile.selectedBlocks;
    if (p.spec.window > 0) {
      Scalar begin = p.spec.packed ? values[known - 1] : k.i32(0);
      tile.windowBegin = k.max(begin, tile.first - (p.spec.window - 1));
      tile.windowEnd = tile.last + 1;
      tile.blocks = tile.blocks + (tile.windowEnd - tile.windowBegin + (block - 1)) / block;
    }
    tile.blocks = k.max(tile.blocks, k.i32(1)); // one that nobody sees, where there is none
    Scalars rest = body(tile, llvm::ArrayRef(values).drop_front(known));
    following.append(rest);
    return following;
  });
}

void emitWarpgroupKernel(KernelCode &k, const Plan &plan, const WarpgroupPlan &sizes,
                         const ProgramBuilder &builder, const WarpgroupParameters &parameters,
                         WarpgroupConsumer consumer) {
  k.function->setAttr("nvvm.minctasm", k.b.getI32IntegerAttr(1));
  WarpgroupCode code(k, plan, sizes, builder, parameters);
  code.prepareShared();
  // The same for all lanes, which the compiler cannot know of a quotient.
  Scalar warpgroup = sameForAll(k, code.thread / warpgroupThreads);
  k.when(warpgroup == 0, [&] { emitProducer(code); }, [&] { consumer(code, warpgroup - 1); });
}

Scalar WarpgroupCode::center(const WarpgroupTile &tile) {
  Scalar key = k.load(hi, tile.rowStart + tile.last);
  return k.select(k.abs(key) <= FLT_MAX, key, k.f32(0));
}

} // namespace heddle::gpu::attention
