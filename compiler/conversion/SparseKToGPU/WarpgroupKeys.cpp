#include "compiler/conversion/SparseKToGPU/WarpgroupKeyParts.h"

namespace heddle::gpu::attention {

int64_t KeyWarpgroupPlan::bytes() const {
  return keyBytes() + valueBytes() + stages * (queryBytes() + outBytes() + numbers * block * 4) +
         2 * keyNumbers * tile * 4 + 2 * threads * 4 + words * 4 + (4 + 2 * stages) * 8;
}

std::optional<KeyWarpgroupPlan> KeyWarpgroupPlan::of(const AttentionSpec &spec, const Target &target,
                                                     bool selected) {
  KeyWarpgroupPlan plan;
  plan.keyPanels = (spec.keyWidth + panelColumns - 1) / panelColumns;
  plan.valuePanels = (spec.valueWidth + panelColumns - 1) / panelColumns;
  // Long blocks read keys and values, which lie in shared memory, less often for as many products. Their
  // products have registers beside the sums, which leave some for the rest.
  const int64_t registersOfSums = selected ? 160 : 192;
  const int64_t sums = (spec.keyWidth + spec.valueWidth) / 2;
  const int64_t step = selected ? centered : 16; // queries of a block that selects keys have whole centers
  for (plan.block = std::clamp<int64_t>((registersOfSums - sums) / step * step, 64, 96); plan.block > 16;
       plan.block -= step) {
    for (plan.stages = 6; plan.stages > 1 && plan.bytes() > target.sharedBytes;)
      --plan.stages;
    if (plan.stages >= 2)
      break;
  }
  if (plan.stages < 2)
    return std::nullopt;
  return plan;
}

std::optional<KeyWarpgroupPlans> KeyWarpgroupPlans::of(const AttentionSpec &spec, const Target &target) {
  auto ofSelected = KeyWarpgroupPlan::of(spec, target, true),
       ofWindow = KeyWarpgroupPlan::of(spec, target, false);
  if (!ofSelected || !ofWindow)
    return std::nullopt;
  return KeyWarpgroupPlans{*ofSelected, *ofWindow};
}

KeyWarpgroupCode::KeyWarpgroupCode(KernelCode &k, const Plan &plan, const KeyWarpgroupPlan &sizes,
                                   const ProgramBuilder &builder, const KeyWarpgroupParameters &parameters,
                                   bool selected, int64_t counterCount)
    : k(k), p(plan), w(sizes), builder(builder), selected(selected), n(plan.spec.length),
      element(elementType(k.b, plan.spec)), counterCount(counterCount) {
  using A = AttentionArgument;
  queryRows = builder.buffer(k, A::Q, element);
  outRows = builder.buffer(k, A::DOut, element);
  keyRows = builder.buffer(k, A::K, element);
  valueRows = builder.buffer(k, A::V, element);
  lse = k.pointer(parameters.lse, k.f32Type());
  sharedSums = k.pointer(parameters.shared, k.f32Type());
  bounds = builder.buffer(k, A::Bounds, k.i32Type());
  if (p.spec.topk > 0) {
    u = builder.buffer(k, A::U, k.f32Type());
    ends = builder.buffer(k, A::End, k.i32Type());
    partRows = k.pointer(parameters.partRows, k.f32Type());
    partScores = k.pointer(parameters.partScores, k.f32Type());
    auto list = [&](unsigned number) { return k.pointer(number, k.i32Type()); };
    if (selected) {
      slotKeys = list(parameters.slotKeys);
      slotTotal = list(parameters.slotTotal);
      taskNumbers = list(parameters.tasks);
      if (gated()) {
        centers = k.pointer(parameters.centers, k.f32Type());
        below = k.pointer(parameters.below, k.f32Type());
        centerTile = parameters.centerTile;
      }
    } else {
      firstSlot = list(parameters.firstSlot);
    }
  }
  counters = k.pointer(parameters.counters, k.i32Type());
  firstRow = k.argument(parameters.firstRow);
  rows = k.argument(parameters.rows);
  counterNumber = k.argument(parameters.counterNumber);
  thread = k.thread();
  lane = thread & (warpSize - 1);
  shared = sharedAddress(k, k.shared(w.bytes(), k.b.getI8Type()));
  valuesStart = w.keyBytes();
  queriesStart = valuesStart + w.valueBytes();
  outsStart = queriesStart + w.stages * w.queryBytes();
  numbersStart = outsStart + w.stages * w.outBytes();
  keyNumbersStart = numbersStart + w.stages * KeyWarpgroupPlan::numbers * w.block * 4;
  gateSumsStart = keyNumbersStart + 2 * KeyWarpgroupPlan::keyNumbers * KeyWarpgroupPlan::tile * 4;
  wordsStart = gateSumsStart + 2 * KeyWarpgroupPlan::threads * 4;
  barriersStart = wordsStart + KeyWarpgroupPlan::words * 4;
}

void KeyWarpgroupCode::prepareShared() {
  constexpr int64_t warps = 2 * warpgroupThreads / warpSize; // that multiply
  k.when(thread == 0, [&] {
    // Copies arrive, and with those of keys the thread, for the numbers that it has stored.
    initialiseBarrier(k, fullKeys(), 2 * warpgroupThreads);
    initialiseBarrier(k, emptyKeys(), warps);
    for (int64_t i = 0; i < w.stages; ++i) {
      initialiseBarrier(k, fullQueries(k.i32(i)), warpgroupThreads);
      initialiseBarrier(k, emptyQueries(k.i32(i)), warps);
    }
    for (int64_t i = 0; i < 2; ++i)
      initialiseBarrier(k, endedTask(k.i32(i)), warps);
    publishBarriers(k);
  });
  zeroHalfStep(k, address(0), KeyWarpgroupPlan::tile, p.spec.keyWidth);
  zeroHalfStep(k, address(valuesStart), KeyWarpgroupPlan::tile, p.spec.valueWidth);
  for (int64_t i = 0; i < w.stages; ++i) {
    zeroHalfStep(k, address(queriesStart + i * w.queryBytes()), w.block, p.spec.keyWidth);
    zeroHalfStep(k, address(outsStart + i * w.outBytes()), w.block, p.spec.valueWidth);
  }
  k.barrier();
}

static int64_t tilesOf(int64_t keys) { return (keys + KeyWarpgroupPlan::tile - 1) / KeyWarpgroupPlan::tile; }
int64_t KeyWarpgroupCode::tilesOfList(const Plan &p) { return tilesOf(p.slotStride); }
int64_t KeyWarpgroupCode::placesOfRow(const Plan &p, bool selected) {
  return selected ? tilesOfList(p) * p.chunks() : tilesOf(p.spec.length);
}

Scalar KeyWarpgroupCode::takeTask() {
  Scalar index = k.atomicAdd(k.i32(1), counters, counterNumber);
  if (!selected) {
    // Windows of the last keys of rows are short: they come last, so that all blocks of threads end together.
    const int64_t places = placesOfRow(p, false), shorter = std::min(tilesOf(p.spec.window), places),
                  whole = places - shorter;
    Scalar others = index - rows * whole, isWhole = others < 0;
    Scalar row = k.select(isWhole, index / std::max<int64_t>(whole, 1), others % rows);
    Scalar tile = k.select(isWhole, index % std::max<int64_t>(whole, 1), others / rows + whole);
    return k.select(index < rows * places, row * places + tile, k.i32(-1));
  }
  return k.choose(
      index < k.load(counters, counterNumber + counterCount),
      [&] { return Scalars{k.load(taskNumbers, firstRow * placesOfRow(p, true) + index)}; },
      [&] { return Scalars{k.i32(-1)}; })[0];
}

KeyTask KeyWarpgroupCode::taskAt(Scalar number) {
  const int64_t places = selected ? tilesOfList(p) : placesOfRow(p, false);
  KeyTask task;
  task.first = number % places * KeyWarpgroupPlan::tile;
  if (selected) {
    task.list = number / places;
    task.row = task.list / p.chunks();
    task.chunk = task.list % p.chunks();
  } else {
    task.row = firstRow + number / places;
  }
  return task;
}

Scalar KeyWarpgroupCode::windowEnd(Scalar key) {
  Scalar end = k.min(key + p.spec.window, k.i32(n));
  return p.spec.packed ? k.min(end, k.load(bounds, key + n)) : end;
}

void emitKeyGradients(ProgramBuilder &builder, const Plan &plan, const KeyWarpgroupPlans &sizes,
                      const KeyLists &lists, const QuerySides &sides, const KeyWork &work,
                      const Target &target) {
  using A = AttentionArgument;
  const AttentionSpec &s = plan.spec;
  const bool selects = s.topk > 0;
  const auto &[waves, links, tasks] = work;
  PartialSums parts;
  if (selects) {
    parts.rows = builder.reserve(waves.rows * Waves::bytesOfRow(plan));
    parts.scores = builder.reserve(waves.rows * Waves::partsOfRow(plan) * 4);
  }
  auto emit = [&](llvm::StringRef name, bool selected) {
    KeyWarpgroupParameters parameters;
    builder.take({A::Q, A::DOut, A::K, A::V});
    parameters.lse = builder.take(sides.statistics.lse);
    parameters.shared = builder.take(sides.statistics.shared);
    if (selects) {
      builder.take({A::End});
      parameters.partRows = builder.take(parts.rows);
      parameters.partScores = builder.take(parts.scores);
    }
    if (selected) {
      builder.take({A::U});
      if (plan.routesValues()) {
        parameters.centers = builder.take(sides.thresholds.centers);
        parameters.below = builder.take(sides.thresholds.below);
        parameters.centerTile = sides.thresholds.tile;
      }
      parameters.slotKeys = builder.take(lists.slotKeys);
      parameters.slotTotal = builder.take(lists.slotTotal);
      parameters.tasks = builder.take(tasks.tasks);
    } else {
      if (s.packed)
        builder.take({A::Bounds});
      if (selects)
        parameters.firstSlot = builder.take(links.first);
      builder.take({A::DK, A::DV, A::DU});
    }
    parameters.counters = builder.take(tasks.counters);
    for (unsigned *number : {&parameters.firstRow, &parameters.rows, &parameters.counterNumber})
      *number = builder.take(DeviceOperand{DeviceOperand::I32, 0});
    builder.kernel(name, target.multiprocessors, KeyWarpgroupPlan::threads, [&](KernelCode &k) {
      k.function->setAttr("nvvm.minctasm", k.b.getI32IntegerAttr(1));
      KeyWarpgroupCode code(k, plan, selected ? sizes.ofSelected : sizes.ofWindow, builder, parameters,
                            selected, tasks.counterCount);
      code.prepareShared();
      // The same for all lanes, which the compiler cannot know of a quotient.
      Scalar warpgroup = sameForAll(k, code.thread / warpgroupThreads);
      k.when(warpgroup == 0, [&] { emitKeyProducer(code); }, [&] { emitKeyConsumer(code, warpgroup - 1); });
    });
    DeviceStep step = builder.program.steps.back();
    builder.program.steps.pop_back();
    return step;
  };
  DeviceStep ofSelected, sums;
  if (selects) {
    ofSelected = emit("attention_dk_selected", true);
    sums = emitPartialSums(builder, plan, lists, links, tasks, parts, target);
  }
  const DeviceStep ofWindow = emit("attention_dk", false);
  auto add = [&](DeviceStep step, int64_t places, llvm::ArrayRef<int64_t> numbers) {
    step.grid[0] = std::min(places, step.grid[0]);
    for (size_t i = 0; i < numbers.size(); ++i)
      step.operands[step.operands.size() - numbers.size() + i].number = numbers[i];
    builder.program.steps.push_back(step);
  };
  for (int64_t wave = 0; wave < waves.count; ++wave) {
    const int64_t first = wave * waves.rows, rows = std::min(waves.rows, s.rows() - first);
    auto places = [&](bool selected) { return rows * KeyWarpgroupCode::placesOfRow(plan, selected); };
    if (selects) {
      add(ofSelected, places(true), {first, rows, 2 * wave});
      add(sums, places(true) * KeyWarpgroupPlan::tile, {first, 2 * wave});
    }
    add(ofWindow, places(false), {first, rows, 2 * wave + 1});
  }
}

} // namespace heddle::gpu::attention
