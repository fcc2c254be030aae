#include "compiler/conversion/SparseKToGPU/WarpgroupKeyParts.h"
#include "compiler/conversion/SparseKToGPU/Order.h"

namespace heddle::gpu::attention {

Waves Waves::of(const Plan &plan) {
  const int64_t rows = plan.spec.rows();
  // As many rows at a time as a modest memory holds, in waves of about one size.
  const int64_t most =
      plan.spec.topk > 0 ? std::clamp<int64_t>(plan.partialBytes / bytesOfRow(plan), 1, rows) : rows;
  const int64_t count = (rows + most - 1) / most;
  return {count, (rows + count - 1) / count};
}

static SlotLinks emitSlotLinks(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists) {
  constexpr int64_t threads = 256;
  const AttentionSpec &s = plan.spec;
  const int64_t chunks = plan.chunks(), parts = (plan.slotStride + threads - 1) / threads;
  SlotLinks links{builder.reserve(s.rows() * s.length * 4),
                  builder.reserve(s.rows() * chunks * plan.slotStride * 4)};
  builder.take({AttentionArgument::End});
  SlotLists slots = SlotLists::take(builder, lists);
  const unsigned firstNumber = builder.take(links.first), nextNumber = builder.take(links.next);
  builder.kernel("attention_links", s.rows() * chunks * parts, threads, [&](KernelCode &k) {
    slots.open(k);
    Pointer ends = builder.buffer(k, AttentionArgument::End, k.i32Type());
    Scalar list = k.block() / parts, slot = k.block() % parts * threads + k.thread();
    Scalar row = list / chunks, chunk = list % chunks;
    k.when(slot < k.load(slots.total, list), [&] {
      Scalar at = k.cast(list, k.i64Type()) * plan.slotStride + k.cast(slot, k.i64Type());
      Scalar key = k.load(slots.keys, at), place = row * s.length + key, until = k.load(ends, place);
      auto store = [&](Scalar slot, unsigned number, Scalar at) {
        k.store(slot, k.pointer(number, k.i32Type()), at);
      };
      k.when(key + s.window >= chunk * plan.chunk, [&] { store(slot, firstNumber, place); });
      k.when(until > (chunk + 1) * plan.chunk,
             [&] { store(slots.slotOf(k, plan, row, chunk + 1, key, until), nextNumber, at); });
    });
  });
  return links;
}

static TaskLists emitTasks(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists,
                           const Waves &waves) {
  const AttentionSpec &s = plan.spec;
  const bool selects = s.topk > 0;
  TaskLists result;
  result.counterCount = 2 * waves.count;
  result.counters = builder.reserve(2 * result.counterCount * 4);
  const unsigned countersNumber = builder.take(result.counters);
  unsigned totalNumber = 0, tasksNumber = 0;
  const int64_t places = KeyWarpgroupCode::placesOfRow(plan, true),
                most = KeyWarpgroupCode::tilesOfList(plan);
  if (selects) {
    result.tasks = builder.reserve(s.rows() * places * 4);
    totalNumber = builder.take(lists.slotTotal);
    tasksNumber = builder.take(result.tasks);
  }
  constexpr int64_t threads = 256;
  builder.kernel("attention_tasks", waves.count, threads, [&](KernelCode &k) {
    Scalar thread = k.thread(), number = k.block();
    Pointer counters = k.pointer(countersNumber, k.i32Type());
    k.when(thread < 2, [&] { k.store(k.i32(0), counters, number * 2 + thread); });
    if (!selects)
      return;
    Pointer totals = k.pointer(totalNumber, k.i32Type()), tasks = k.pointer(tasksNumber, k.i32Type());
    Scalar firstRow = number * waves.rows, rows = k.min(k.i32(s.rows()) - firstRow, k.i32(waves.rows));
    // Appends tasks: each of `count` places has a list and of its tiles [first, limit).
    auto append = [&](Scalar written, Scalar count,
                      llvm::function_ref<std::array<Scalar, 3>(Scalar place)> tilesOf) {
      return k.loop(
          k.i32(0), count, k.i32(threads), {written}, [&](Scalar start, llvm::ArrayRef<Scalar> written) {
            Scalar place = start + thread;
            auto [list, first, limit] = tilesOf(k.min(place, count - 1));
            Scalar tiles = k.ceilDivide(k.load(totals, list), KeyWarpgroupPlan::tile);
            Scalar own = k.select(place < count, k.max(k.min(tiles, limit) - first, k.i32(0)), k.i32(0));
            const BlockScan scan = blockScan(k, own);
            Scalar to = written[0] + scan.before;
            k.loop(k.i32(0), own, k.i32(1),
                   [&](Scalar tile) { k.store(list * most + first + tile, tasks, to + tile); });
            return Scalars{written[0] + scan.all};
          })[0];
    };
    Scalar begin = firstRow * places;
    // Nothing is selected in a row's first window, and keys join one after the other in the chunks after it.
    const int64_t chunks = plan.chunks(), empty = std::min(chunks, s.window / plan.chunk);
    const int64_t growing = std::min(chunks, (s.topk + s.window + plan.chunk - 1) / plan.chunk);
    const int64_t later = chunks - growing, some = growing - empty;
    Scalar written = begin;
    if (later > 0)
      written = append(written, rows * later, [&](Scalar place) -> std::array<Scalar, 3> {
        return {(firstRow + place / later) * chunks + (place % later + growing), k.i32(0), k.i32(most)};
      });
    // Of the growing ones each tile sees fewer queries than the one before it: all rows' longest ones come
    // first, so that all blocks of threads end together.
    if (some > 0) {
      Scalar lists = rows * some;
      written = append(written, lists * most, [&](Scalar place) -> std::array<Scalar, 3> {
        Scalar list = place % lists, tile = place / lists;
        return {(firstRow + list / some) * chunks + (list % some + empty), tile, tile + 1};
      });
    }
    k.when(thread == 0, [&] { k.store(written - begin, counters, number * 2 + result.counterCount); });
  });
  return result;
}

KeyWork emitKeyWork(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists) {
  const Waves waves = Waves::of(plan);
  SlotLinks links;
  if (plan.spec.topk > 0)
    links = emitSlotLinks(builder, plan, lists);
  const TaskLists tasks = emitTasks(builder, plan, lists, waves);
  builder.program.endEarly();
  return {waves, links, tasks};
}

DeviceStep emitPartialSums(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists,
                           const SlotLinks &links, const TaskLists &tasks, const PartialSums &parts,
                           const Target &target) {
  constexpr int64_t threads = 256, warps = threads / warpSize, each = 4; // f32 of a lane's piece
  const AttentionSpec &s = plan.spec;
  const int64_t width = plan.keyPad + plan.valuePad, most = KeyWarpgroupCode::tilesOfList(plan);
  builder.take({AttentionArgument::End});
  const unsigned keysNumber = builder.take(lists.slotKeys), totalNumber = builder.take(lists.slotTotal);
  const unsigned nextNumber = builder.take(links.next), tasksNumber = builder.take(tasks.tasks);
  const unsigned countersNumber = builder.take(tasks.counters);
  const unsigned rowsNumber = builder.take(parts.rows), scoresNumber = builder.take(parts.scores);
  const unsigned firstRowNumber = builder.take(DeviceOperand{DeviceOperand::I32, 0});
  const unsigned counterNumber = builder.take(DeviceOperand{DeviceOperand::I32, 0});
  // A warp looks at some slots together, one a lane, and adds up those that are the first of their key: of
  // short rows two at a time, half a warp each, so that more loads are on their way.
  constexpr int64_t together = 4;
  const int64_t lanes = width > 128 ? warpSize : warpSize / 2;
  builder.kernel("attention_partial_sums", 8 * target.multiprocessors, threads, [&](KernelCode &k) {
    auto numbers = [&](unsigned number) { return k.pointer(number, k.i32Type()); };
    Pointer keys = numbers(keysNumber), totals = numbers(totalNumber), next = numbers(nextNumber);
    Pointer ends = builder.buffer(k, AttentionArgument::End, k.i32Type());
    Pointer rows = k.pointer(rowsNumber, k.f32Type()), scores = k.pointer(scoresNumber, k.f32Type());
    Scalar firstRow = k.argument(firstRowNumber), lane = k.thread() & (warpSize - 1);
    Scalar group = lane / lanes, laneOfRow = lane % lanes;
    auto wide = [&](Scalar x) { return k.cast(x, k.i64Type()); };
    Scalar count = k.load(numbers(countersNumber), k.argument(counterNumber) + tasks.counterCount);

    const int64_t pieces = (width + each * lanes - 1) / (each * lanes);
    auto column = [&](int64_t piece) { return laneOfRow * each + piece * each * lanes; };
    auto loadRow = [&](Scalar part) { // the score, then the lane's columns
      Scalars x{k.load(scores, part)};
      for (int64_t i = 0; i < pieces; ++i) {
        Scalar at = k.select(column(i) < width, column(i), k.i32(0));
        mlir::Value piece = k.loadVector(rows, part * width + wide(at), each);
        for (int64_t j = 0; j < each; ++j)
          x.push_back(k.element(piece, j));
      }
      return x;
    };

    auto placeOf = [&](Scalar list, Scalar slot) { return wide(list) * plan.slotStride + wide(slot); };
    auto partOf = [&](Scalar place) { return place - wide(firstRow * plan.chunks()) * plan.slotStride; };
    auto addFrom = [&](Scalar list, Scalar slot, Scalar until, Scalar second) {
      Scalar place = placeOf(list, slot), chunk = list % plan.chunks(), ofRow = list - chunk;
      Scalars carried = loadRow(partOf(place));
      const size_t sums = carried.size();
      carried.append({chunk + 1, second});
      carried = k.repeat(
          carried, [&](llvm::ArrayRef<Scalar> carried) { return carried[sums] * plan.chunk < until; },
          [&](llvm::ArrayRef<Scalar> carried) {
            Scalar chunk = carried[sums], place = placeOf(ofRow + chunk, carried[sums + 1]);
            // Of the last chunk it means nothing.
            Scalar following = k.load(next, place);
            Scalars result = loadRow(partOf(place));
            for (size_t i = 0; i < sums; ++i)
              result[i] = carried[i] + result[i];
            result.append({chunk + 1, following});
            return result;
          });
      for (int64_t i = 0; i < pieces; ++i)
        k.when(column(i) < width, [&] {
          k.storeVector(k.vectorOf(llvm::ArrayRef(carried).slice(size_t(1 + each * i), size_t(each))), rows,
                        partOf(place) * width + wide(column(i)));
        });
      k.when(laneOfRow == 0, [&] { k.store(carried[0], scores, partOf(place)); });
    };

    constexpr int64_t tile = KeyWarpgroupPlan::tile;
    Scalar firstTask = firstRow * KeyWarpgroupCode::placesOfRow(plan, true);
    // The slots that a warp looks at together are far from each other: keys that begin in one list, such as
    // those of rows' first chunks, go through many.
    Scalar apart = count * (tile / together);
    k.loop(k.block() * warps + (k.thread() >> 5), apart, k.blocks() * warps, [&](Scalar number) {
      Scalar start = number + lane % together * apart;
      Scalar task = k.load(numbers(tasksNumber), firstTask + start / tile), list = task / most;
      Scalar slot = task % most * tile + start % tile;
      Scalars own = k.choose(
          k.both(lane < together, slot < k.load(totals, list)),
          [&] {
            Scalar place = placeOf(list, slot), key = k.load(keys, place);
            Scalar until = k.load(ends, list / plan.chunks() * s.length + key);
            Scalar start = list % plan.chunks() * plan.chunk;
            Scalar isFirst = k.both(key + s.window >= start, until > start + plan.chunk);
            return Scalars{isFirst, until, k.load(next, place)};
          },
          [&] { return Scalars{k.truth(false), k.i32(0), k.i32(0)}; });
      Scalar firsts = k.ballot(own[0]);
      k.loop(k.i32(0), k.i32(together), k.i32(warpSize / lanes), [&](Scalar i) {
        Scalar mine = i + group;
        auto ofMine = [&](Scalar x) { return k.shuffleFrom(x, mine); };
        Scalar ofList = ofMine(list), ofSlot = ofMine(slot), until = ofMine(own[1]), second = ofMine(own[2]);
        k.when((firsts >> mine & 1) != 0, [&] { addFrom(ofList, ofSlot, until, second); });
      });
    });
  });
  DeviceStep step = builder.program.steps.back();
  builder.program.steps.pop_back();
  return step;
}

} // namespace heddle::gpu::attention
