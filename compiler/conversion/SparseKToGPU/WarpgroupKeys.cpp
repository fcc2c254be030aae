#include "compiler/conversion/SparseKToGPU/WarpgroupKeys.h"

#include <limits>

namespace heddle::gpu::attention {

int64_t KeyWarpgroupPlan::bytes() const {
  return keyBytes() + valueBytes() + stages * (queryBytes() + outBytes() + numbers * block * 4) +
         keyNumbers * tile * 4 + 2 * threads * 4 + words * 4 + (2 + 2 * stages) * 8;
}

std::optional<KeyWarpgroupPlan> KeyWarpgroupPlan::of(const AttentionSpec &spec, const Target &target) {
  auto fits = [](int64_t width) { return width % 8 == 0 && 8 <= width && width <= 128; };
  const bool narrow = spec.element == cpu::MatmulElement::BF16 || spec.element == cpu::MatmulElement::F16;
  const bool counted = spec.rows() * spec.length < std::numeric_limits<int32_t>::max() - tile;
  const bool wanted = target.warpgroupProducts && target.choice["warpgroups"] != 0;
  if (!wanted || !narrow || !fits(spec.keyWidth) || !fits(spec.valueWidth) || !counted)
    return std::nullopt;
  KeyWarpgroupPlan plan;
  plan.keyPanels = (spec.keyWidth + panelColumns - 1) / panelColumns;
  plan.valuePanels = (spec.valueWidth + panelColumns - 1) / panelColumns;
  for (plan.stages = 6; plan.stages > 1 && plan.bytes() > target.sharedBytes;)
    --plan.stages;
  if (plan.stages < 2)
    return std::nullopt;
  return plan;
}

KeyWarpgroupCode::KeyWarpgroupCode(KernelCode &k, const Plan &plan, const KeyWarpgroupPlan &sizes,
                                   const ProgramBuilder &builder, const KeyWarpgroupParameters &parameters,
                                   bool selected)
    : k(k), p(plan), w(sizes), builder(builder), selected(selected), n(plan.spec.length),
      element(elementType(k.b, plan.spec)) {
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
    hi = builder.buffer(k, A::Hi, k.f32Type());
    lo = builder.buffer(k, A::Lo, k.f32Type());
    ends = builder.buffer(k, A::End, k.i32Type());
    partRows = k.pointer(parameters.partRows, k.f32Type());
    partScores = k.pointer(parameters.partScores, k.f32Type());
    auto list = [&](unsigned number) { return k.pointer(number, k.i32Type()); };
    if (selected) {
      slotKeys = list(parameters.slotKeys);
      slotTotal = list(parameters.slotTotal);
    } else {
      firstSlot = list(parameters.firstSlot);
      nextSlot = list(parameters.nextSlot);
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
  keyNumbersStart = numbersStart + w.stages * KeyWarpgroupPlan::numbers * KeyWarpgroupPlan::block * 4;
  gateSumsStart = keyNumbersStart + KeyWarpgroupPlan::keyNumbers * KeyWarpgroupPlan::tile * 4;
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
    publishBarriers(k);
  });
  zeroHalfStep(k, address(0), KeyWarpgroupPlan::tile, p.spec.keyWidth);
  zeroHalfStep(k, address(valuesStart), KeyWarpgroupPlan::tile, p.spec.valueWidth);
  for (int64_t i = 0; i < w.stages; ++i) {
    zeroHalfStep(k, address(queriesStart + i * w.queryBytes()), KeyWarpgroupPlan::block, p.spec.keyWidth);
    zeroHalfStep(k, address(outsStart + i * w.outBytes()), KeyWarpgroupPlan::block, p.spec.valueWidth);
  }
  k.barrier();
}

int64_t KeyWarpgroupCode::placesOfRow(const Plan &p, bool selected) {
  auto tiles = [](int64_t keys) { return (keys + KeyWarpgroupPlan::tile - 1) / KeyWarpgroupPlan::tile; };
  return selected ? tiles(p.slotStride) * p.chunks() : tiles(p.spec.length);
}

Scalar KeyWarpgroupCode::tasks() { return rows * placesOfRow(p, selected); }

KeyTask KeyWarpgroupCode::taskAt(Scalar index) {
  const int64_t places = placesOfRow(p, selected);
  KeyTask task;
  task.row = firstRow + index / places;
  Scalar place = index % places;
  if (selected) { // full tiles come before those that are not, and neighbours read the same queries
    task.chunk = place % p.chunks();
    task.list = task.row * p.chunks() + task.chunk;
    place = place / p.chunks();
  }
  task.first = place * KeyWarpgroupPlan::tile;
  return task;
}

Scalar KeyWarpgroupCode::windowEnd(Scalar key) {
  Scalar end = k.min(key + p.spec.window, k.i32(n));
  return p.spec.packed ? k.min(end, k.load(bounds, key + n)) : end;
}

namespace {

/// Where keys are in the lists of chunks, so that their partial sums are found without a search.
struct SlotLinks {
  DeviceOperand first; ///< [row, length]: the slot of a selected key in the list of its first chunk
  DeviceOperand next;  ///< [row, chunk, slot]: its slot in the list of the next chunk
};

SlotLinks emitSlotLinks(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists) {
  constexpr int64_t threads = 256;
  const AttentionSpec &s = plan.spec;
  const int64_t chunks = plan.chunks(), parts = (plan.slotStride + threads - 1) / threads;
  SlotLinks links{builder.reserve(s.rows() * s.length * 4),
                  builder.reserve(s.rows() * chunks * plan.slotStride * 4)};
  builder.take({AttentionArgument::End});
  const unsigned keysNumber = builder.take(lists.slotKeys), totalNumber = builder.take(lists.slotTotal);
  const unsigned firstNumber = builder.take(links.first), nextNumber = builder.take(links.next);
  builder.kernel("attention_links", s.rows() * chunks * parts, threads, [&](KernelCode &k) {
    auto buffer = [&](unsigned number) { return k.pointer(number, k.i32Type()); };
    Pointer keys = buffer(keysNumber), total = buffer(totalNumber);
    Pointer ends = builder.buffer(k, AttentionArgument::End, k.i32Type());
    Scalar list = k.block() / parts, slot = k.block() % parts * threads + k.thread();
    Scalar row = list / chunks, chunk = list % chunks;
    auto startOf = [&](Scalar list) { return k.cast(list, k.i64Type()) * plan.slotStride; };
    k.when(slot < k.load(total, list), [&] {
      Scalar at = startOf(list) + k.cast(slot, k.i64Type());
      Scalar key = k.load(keys, at), place = row * s.length + key;
      k.when(key + s.window >= chunk * plan.chunk, [&] { k.store(slot, buffer(firstNumber), place); });
      k.when(k.load(ends, place) > (chunk + 1) * plan.chunk, [&] {
        Scalar start = startOf(list + 1);
        Scalars found = k.repeat(
            {k.i32(0), k.load(total, list + 1)},
            [&](llvm::ArrayRef<Scalar> range) { return range[0] + 1 < range[1]; },
            [&](llvm::ArrayRef<Scalar> range) {
              Scalar middle = (range[0] + range[1]) >> 1;
              Scalar below = k.load(keys, start + k.cast(middle, k.i64Type())) <= key;
              return Scalars{k.select(below, middle, range[0]), k.select(below, range[1], middle)};
            });
        k.store(found[0], buffer(nextNumber), at);
      });
    });
  });
  return links;
}

} // namespace

void emitKeyGradients(ProgramBuilder &builder, const Plan &plan, const KeyWarpgroupPlan &sizes,
                      const KeyLists &lists, const QueryStatistics &statistics, const Target &target) {
  using A = AttentionArgument;
  const AttentionSpec &s = plan.spec;
  const bool selects = s.topk > 0;
  const int64_t partsOfRow = plan.chunks() * plan.slotStride;
  const int64_t rowBytes = partsOfRow * (plan.keyPad + plan.valuePad) * 4;
  // Partial sums of as many rows at a time as a modest memory holds, in waves of about one size.
  const int64_t most = selects ? std::clamp<int64_t>(plan.partialBytes / rowBytes, 1, s.rows()) : s.rows();
  const int64_t waves = (s.rows() + most - 1) / most, wave = (s.rows() + waves - 1) / waves;
  DeviceOperand partRows, partScores;
  SlotLinks links;
  if (selects) {
    partRows = builder.reserve(wave * rowBytes);
    partScores = builder.reserve(wave * partsOfRow * 4);
    links = emitSlotLinks(builder, plan, lists);
  }
  const int64_t counterCount = 2 * waves;
  const DeviceOperand counters = builder.reserve(counterCount * 4);
  const unsigned cleared = builder.take(counters);
  builder.kernel("attention_counters", 1, warpSize, [&](KernelCode &k) {
    k.loop(k.thread(), k.i32(counterCount), k.i32(warpSize),
           [&](Scalar i) { k.store(k.i32(0), k.pointer(cleared, k.i32Type()), i); });
  });
  auto emit = [&](llvm::StringRef name, bool selected) {
    KeyWarpgroupParameters parameters;
    builder.take({A::Q, A::DOut, A::K, A::V});
    parameters.lse = builder.take(statistics.lse);
    parameters.shared = builder.take(statistics.shared);
    if (selects) {
      builder.take({A::End});
      parameters.partRows = builder.take(partRows);
      parameters.partScores = builder.take(partScores);
    }
    if (selected) {
      builder.take({A::U, A::Hi, A::Lo});
      parameters.slotKeys = builder.take(lists.slotKeys);
      parameters.slotTotal = builder.take(lists.slotTotal);
    } else {
      if (s.packed)
        builder.take({A::Bounds});
      if (selects) {
        parameters.firstSlot = builder.take(links.first);
        parameters.nextSlot = builder.take(links.next);
      }
      builder.take({A::DK, A::DV, A::DU});
    }
    parameters.counters = builder.take(counters);
    for (unsigned *number : {&parameters.firstRow, &parameters.rows, &parameters.counterNumber})
      *number = builder.take(DeviceOperand{DeviceOperand::I32, 0});
    builder.kernel(name, target.multiprocessors, KeyWarpgroupPlan::threads, [&](KernelCode &k) {
      k.function->setAttr("nvvm.minctasm", k.b.getI32IntegerAttr(1));
      KeyWarpgroupCode code(k, plan, sizes, builder, parameters, selected);
      code.prepareShared();
      // The same for all lanes, which the compiler cannot know of a quotient.
      Scalar warpgroup = k.shuffleFrom(code.thread / warpgroupThreads, k.i32(0));
      k.when(warpgroup == 0, [&] { emitKeyProducer(code); }, [&] { emitKeyConsumer(code, warpgroup - 1); });
    });
    DeviceStep step = builder.program.steps.back();
    builder.program.steps.pop_back();
    return std::pair{step, KeyWarpgroupCode::placesOfRow(plan, selected)};
  };
  llvm::SmallVector<std::pair<DeviceStep, int64_t>, 2> steps; // and their tasks for each row
  if (selects)
    steps.push_back(emit("attention_dk_selected", true));
  steps.push_back(emit("attention_dk", false));
  int64_t counter = 0;
  for (int64_t row = 0; row < s.rows(); row += wave)
    for (auto &[step, places] : steps) {
      const int64_t rows = std::min(wave, s.rows() - row), numbers[] = {row, rows, counter++};
      step.grid[0] = std::min(rows * places, target.multiprocessors);
      for (size_t i = 0; i < 3; ++i)
        step.operands[step.operands.size() - 3 + i].number = numbers[i];
      builder.program.steps.push_back(step);
    }
}

} // namespace heddle::gpu::attention
