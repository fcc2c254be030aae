// The warpgroup that gathers keys and values of a task, then the queries that see them, block by block.
// Tasks are taken from a counter: which block of threads computes one changes no result.
#include "compiler/conversion/GPU/TensorCode.h"
#include "compiler/conversion/SparseKToGPU/Pairs.h"
#include "compiler/conversion/SparseKToGPU/WarpgroupKeys.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

namespace heddle::gpu::attention {
namespace {

class KeyProducer {
public:
  explicit KeyProducer(KeyWarpgroupCode &code) : c(code), k(code.k), p(code.p), block(code.w.block) {}

  void emit() {
    setRegisters(k, c.w.gatherRegisters, /*more=*/false);
    Scalars last = k.repeat(
        {takeTask(), k.i32(KeyWarpgroupCode::stageParity | 3 * KeyWarpgroupCode::task)},
        [&](llvm::ArrayRef<Scalar> values) { return values[0] >= 0; },
        [&](llvm::ArrayRef<Scalar> values) {
          Scalar ring = c.nextTask(gather(values[0], values[1]));
          return Scalars{takeTask(), ring};
        });
    // There are no more.
    waitForPhase(k, c.emptyKeys(), c.keysParityOf(last[1]));
    k.when(c.thread == 0,
           [&] { k.store(k.i32(-1), c.words(), c.taskWord(KeyWarpgroupCode::Task, parityOf(last[1]))); });
    arrive(k, c.fullKeys());
    arriveAfterCopies(k, c.fullKeys());
  }

private:
  static constexpr int64_t tile = KeyWarpgroupPlan::tile;

  /// Of the task whose keys come next, whose number is one more than the ring has.
  Scalar parityOf(Scalar ring) { return c.keysParityOf(computeHere(k, ring)) ^ 1; }
  void join() { joinBarrier(k, k.i32(1), warpgroupThreads); }

  Scalar takeTask() {
    k.when(c.thread == 0, [&] { k.store(c.takeTask(), c.words(), k.i32(KeyWarpgroupCode::NextTask)); });
    join();
    Scalar number = k.load(c.words(), k.i32(KeyWarpgroupCode::NextTask));
    join(); // before it changes
    return number;
  }

  struct KeyNumbers {
    Scalar key, from, until, score, selectedUntil, slot;
  };

  /// Of the key that this thread looks after.
  KeyNumbers numbersOf(const KeyTask &task) {
    Scalar place = task.first + c.thread, rowStart = task.row * c.n;
    KeyNumbers result;
    Scalar valid;
    if (c.selected) {
      Scalar total = k.load(c.slotTotal, task.list);
      valid = place < total;
      result.key = k.load(c.slotKeys, c.wide(task.list) * p.slotStride + c.wide(k.min(place, total - 1)));
      Scalar at = c.wide(rowStart + result.key);
      Scalar start = task.chunk * p.chunk;
      result.from = k.max(result.key + p.spec.window, start);
      result.until = k.min(k.load(c.ends, at), start + p.chunk);
      if (c.gated())
        result.score = finiteScore(k, k.load(c.u, at));
    } else {
      valid = place < c.n;
      result.key = k.min(place, k.i32(c.n - 1));
      result.from = result.key;
      result.until = c.windowEnd(result.key);
      if (p.spec.window == 0)
        valid = k.truth(false);
      if (c.addsPartialSums()) {
        Scalar at = c.wide(rowStart + result.key);
        result.selectedUntil = k.load(c.ends, at);
        result.slot = k.load(c.firstSlot, at); // means nothing where no query selects the key
      }
    }
    result.from = k.select(valid, result.from, k.i32(INT32_MAX));
    result.until = k.select(valid, result.until, k.i32(0));
    return result;
  }

  /// What is read once the task before has ended.
  void prefetchKey(const KeyTask &task, const KeyNumbers &known) {
    Scalar row = c.wide(task.row * c.n + known.key);
    prefetchRow(k, c.keyRows, row, p.spec.keyWidth, 2);
    prefetchRow(k, c.valueRows, row, p.spec.valueWidth, 2);
    if (c.addsPartialSums()) {
      Scalar from = known.key + p.spec.window;
      k.when(known.selectedUntil > from, [&] {
        Scalar list = (task.row - c.firstRow) * p.chunks() + from / p.chunk;
        Scalar part = c.wide(list) * p.slotStride + c.wide(known.slot);
        prefetchRow(k, c.partRows, part, p.keyPad + p.valuePad, 4);
      });
    }
  }

  /// Stores what is known of a task and its keys, and gives its blocks of queries.
  Scalar prepare(Scalar number, const KeyTask &task, Scalar parity) {
    KeyNumbers known = numbersOf(task);
    auto store = [&](Scalar x, KeyWarpgroupCode::KeyNumber which) {
      k.store(x, c.keyNumbers(which, parity), c.thread);
    };
    prefetchKey(task, known);
    store(known.key, KeyWarpgroupCode::Key);
    store(known.from, KeyWarpgroupCode::From);
    store(known.until, KeyWarpgroupCode::Until);
    if (c.gated())
      store(known.score, KeyWarpgroupCode::Score);
    if (c.addsPartialSums()) {
      store(known.selectedUntil, KeyWarpgroupCode::SelectedUntil);
      store(known.slot, KeyWarpgroupCode::Slot);
    }
    auto smaller = [&](Scalar x, Scalar y) { return k.min(x, y); };
    auto larger = [&](Scalar x, Scalar y) { return k.max(x, y); };
    Scalar first = k.warpReduce(known.from, smaller), end = k.warpReduce(known.until, larger);
    constexpr int64_t warps = warpgroupThreads / warpSize;
    k.when(c.lane == 0, [&] {
      Scalar warp = c.thread >> 5;
      k.store(first, c.words(), warp + int64_t(KeyWarpgroupCode::Minima));
      k.store(end, c.words(), warp + int64_t(KeyWarpgroupCode::Maxima));
    });
    join();
    first = end = {};
    for (int64_t i = 0; i < warps; ++i) {
      Scalar low = k.load(c.words(), k.i32(KeyWarpgroupCode::Minima + i));
      Scalar high = k.load(c.words(), k.i32(KeyWarpgroupCode::Maxima + i));
      first = i ? k.min(first, low) : low;
      end = i ? k.max(end, high) : high;
    }
    if (c.gated())
      first = first & -KeyWarpgroupPlan::centered;
    Scalar blocks = (k.max(end - first, k.i32(0)) + (block - 1)) / block;
    k.when(c.thread == 0, [&] {
      k.store(number, c.words(), c.taskWord(KeyWarpgroupCode::Task, parity));
      k.store(first, c.words(), c.taskWord(KeyWarpgroupCode::First, parity));
      k.store(blocks, c.words(), c.taskWord(KeyWarpgroupCode::Blocks, parity));
    });
    join(); // the words are there
    return blocks;
  }

  Scalar gather(Scalar number, Scalar ring) {
    KeyTask task = c.taskAt(number);
    Scalar parity = parityOf(ring);
    // What is known of the task before the last one is stored over.
    waitForPhase(k, c.endedTask(parity), (((computeHere(k, ring) + KeyWarpgroupCode::task) >> 5) & 1) ^ 1);
    Scalar blocks = prepare(number, task, parity);
    auto overBlocks = [&](Scalar head, Scalar begin, Scalar end, Scalar ring) {
      return k.loop(begin, end, k.i32(1), {ring}, [&](Scalar number, llvm::ArrayRef<Scalar> ring) {
        gatherQueries(head, number, ring[0], parity);
        return Scalars{c.following(ring[0])};
      })[0];
    };
    // The first queries come while the keys of the task before are still multiplied.
    const int64_t group = p.spec.group();
    Scalar firstHead = task.row * group, early = k.min(blocks, k.i32(c.w.stages - 1));
    ring = overBlocks(firstHead, k.i32(0), early, ring);
    waitForPhase(k, c.emptyKeys(), c.keysParityOf(ring));
    Scalar rowStart = c.wide(task.row * c.n);
    auto copy = [&](Pointer from, int64_t start, int64_t width) {
      copyEach(k.offset(from, rowStart * width), width, c.address(start), tile,
               [&](Scalar row) { return k.load(c.keyNumbers(KeyWarpgroupCode::Key, parity), row); });
    };
    copy(c.keyRows, 0, p.spec.keyWidth);
    copy(c.valueRows, c.valuesStart, p.spec.valueWidth);
    arrive(k, c.fullKeys());
    arriveAfterCopies(k, c.fullKeys());
    auto allBlocks = [&] { return k.load(c.words(), c.taskWord(KeyWarpgroupCode::Blocks, parity)); };
    ring = overBlocks(firstHead, early, allBlocks(), ring);
    if (group == 1)
      return ring;
    return k.loop(firstHead + 1, firstHead + group, k.i32(1), {ring},
                  [&](Scalar head, llvm::ArrayRef<Scalar> ring) {
                    return Scalars{overBlocks(head, k.i32(0), allBlocks(), ring[0])};
                  })[0];
  }

  /// One row after the other, and what depends on the thread computed here: registers are few.
  void copyEach(Pointer from, int64_t width, Scalar to, int64_t rows,
                llvm::function_ref<Scalar(Scalar row)> sourceOf) {
    Scalar thread = computeHere(k, c.thread), piece = thread & 7, row = thread >> 3;
    Scalar start = to + panelOffset(row, piece);
    for (int64_t i = 0; i < rows; i += rowsAtATime)
      copyRows(k, c.element, start + i * panelRowBytes, rows, from, width, sourceOf(row + i), piece);
  }

  void gatherQueries(Scalar head, Scalar number, Scalar ring, Scalar parity) {
    Scalar stage = c.stageOf(ring);
    waitForPhase(k, c.emptyQueries(stage), (ring >> 3) & 1);
    Scalar last = k.i32(c.n - 1), headStart = c.wide(head) * c.n;
    Scalar first = k.load(c.words(), c.taskWord(KeyWarpgroupCode::First, parity)) + number * block;
    auto copyBlock = [&](Pointer from, Scalar to, int64_t width) {
      copyEach(k.offset(from, headStart * width), width, to, block,
               [&](Scalar row) { return k.min(first + row, last); });
    };
    copyBlock(c.queryRows, stage * c.w.queryBytes() + c.address(c.queriesStart), p.spec.keyWidth);
    copyBlock(c.outRows, stage * c.w.outBytes() + c.address(c.outsStart), p.spec.valueWidth);
    k.when(c.thread < block, [&] {
      Scalar slot = computeHere(k, c.thread), query = k.min(first + slot, last);
      auto copy = [&](KeyWarpgroupCode::QueryNumber which, Pointer from, Scalar at) {
        Scalar to = c.queryNumbers(stage, which) + (slot << 2);
        mlir::NVVM::CpAsyncOp::create(k.b, atShared(k, to, k.f32Type()).base, k.offset(from, at).base, 4u,
                                      mlir::NVVM::LoadCacheModifierKind::CA, mlir::Value());
      };
      Scalar ofHead = headStart + c.wide(query);
      copy(KeyWarpgroupCode::Lse, c.lse, ofHead);
      copy(KeyWarpgroupCode::Shared, c.sharedSums, ofHead);
      if (c.gated()) {
        constexpr int64_t centered = KeyWarpgroupPlan::centered;
        const int64_t tiled = c.centerTile, tiles = (c.n + tiled - 1) / tiled;
        Scalar row = head / p.spec.group();
        copy(KeyWarpgroupCode::Below, c.below, c.wide(row * c.n + query));
        k.when(slot < block / centered, [&] {
          Scalar center = k.min(first + slot * centered, last) / tiled;
          copy(KeyWarpgroupCode::Center, c.centers, c.wide(row * tiles + center));
        });
      }
    });
    arriveAfterCopies(k, c.fullQueries(stage));
  }

  KeyWarpgroupCode &c;
  KernelCode &k;
  const Plan &p;
  const int64_t block; ///< queries
};

} // namespace

void emitKeyProducer(KeyWarpgroupCode &code) { KeyProducer(code).emit(); }

} // namespace heddle::gpu::attention
