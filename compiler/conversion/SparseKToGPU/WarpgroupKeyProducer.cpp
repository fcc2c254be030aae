// The warpgroup that gathers keys and values of a task, then the queries that see them, block by block.
// Tasks are taken from a counter: which block of threads computes one changes no result.
#include "compiler/conversion/SparseKToGPU/WarpgroupKeys.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

#include <cfloat>

namespace heddle::gpu::attention {
namespace {

class KeyProducer {
public:
  explicit KeyProducer(KeyWarpgroupCode &code) : c(code), k(code.k), p(code.p) {}

  void emit() {
    setRegisters(k, c.w.gatherRegisters, /*more=*/false);
    Scalars last = k.repeat(
        {takeTask(), k.i32(KeyWarpgroupCode::stageParity | KeyWarpgroupCode::keysParity)},
        [&](llvm::ArrayRef<Scalar> values) { return values[0] < c.tasks(); },
        [&](llvm::ArrayRef<Scalar> values) {
          Scalar ring = gather(values[0], values[1]) ^ KeyWarpgroupCode::keysParity;
          return Scalars{takeTask(), ring};
        });
    // There are no more.
    waitForPhase(k, c.emptyKeys(), last[1] >> 4);
    k.when(c.thread == 0, [&] { k.store(k.i32(-1), c.words(), k.i32(KeyWarpgroupCode::Task)); });
    arrive(k, c.fullKeys());
    arriveAfterCopies(k, c.fullKeys());
  }

private:
  static constexpr int64_t tile = KeyWarpgroupPlan::tile, block = KeyWarpgroupPlan::block;

  void join() { joinBarrier(k, k.i32(1), warpgroupThreads); }

  /// The next task that has keys, or one beyond the last.
  Scalar takeTask() {
    auto next = [&] { return k.atomicAdd(k.i32(1), c.counters, c.counterNumber); };
    k.when(c.thread == 0, [&] {
      Scalar index = next();
      if (c.selected)
        index = k.repeat(
            {index},
            [&](llvm::ArrayRef<Scalar> values) {
              KeyTask task = c.taskAt(k.min(values[0], c.tasks() - 1));
              return k.both(values[0] < c.tasks(), k.load(c.slotTotal, task.list) <= task.first);
            },
            [&](llvm::ArrayRef<Scalar>) { return Scalars{next()}; })[0];
      k.store(index, c.words(), k.i32(KeyWarpgroupCode::NextTask));
    });
    join();
    Scalar index = k.load(c.words(), k.i32(KeyWarpgroupCode::NextTask));
    join(); // before it changes
    return index;
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
      if (c.gated()) // infinities act as the largest f32, as in the selection
        result.score = k.min(k.max(k.load(c.u, at), k.f32(-double(FLT_MAX))), k.f32(FLT_MAX));
    } else {
      valid = place < c.n;
      result.key = k.min(place, k.i32(c.n - 1));
      result.from = result.key;
      result.until = c.windowEnd(result.key);
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

  Scalar gather(Scalar index, Scalar ring) {
    KeyTask task = c.taskAt(index);
    KeyNumbers known = numbersOf(task);
    auto smaller = [&](Scalar x, Scalar y) { return k.min(x, y); };
    auto larger = [&](Scalar x, Scalar y) { return k.max(x, y); };
    Scalar first = k.warpReduce(known.from, smaller), end = k.warpReduce(known.until, larger);
    waitForPhase(k, c.emptyKeys(), ring >> 4);
    k.store(known.key, c.keyNumbers(KeyWarpgroupCode::Key), c.thread);
    k.store(known.from, c.keyNumbers(KeyWarpgroupCode::From), c.thread);
    k.store(known.until, c.keyNumbers(KeyWarpgroupCode::Until), c.thread);
    if (c.gated())
      k.store(known.score, c.keyNumbers(KeyWarpgroupCode::Score), c.thread);
    if (c.addsPartialSums()) {
      k.store(known.selectedUntil, c.keyNumbers(KeyWarpgroupCode::SelectedUntil), c.thread);
      k.store(known.slot, c.keyNumbers(KeyWarpgroupCode::Slot), c.thread);
    }
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
    Scalar blocks = (k.max(end - first, k.i32(0)) + (block - 1)) / block;
    k.when(c.thread == 0, [&] {
      k.store(index, c.words(), k.i32(KeyWarpgroupCode::Task));
      k.store(first, c.words(), k.i32(KeyWarpgroupCode::First));
      k.store(blocks, c.words(), k.i32(KeyWarpgroupCode::Blocks));
    });
    Scalar rowStart = c.wide(task.row * c.n);
    auto copy = [&](Pointer from, int64_t start, int64_t width) {
      copyEach(k.offset(from, rowStart * width), width, c.address(start), tile,
               [&](Scalar row) { return k.load(c.keyNumbers(KeyWarpgroupCode::Key), row); });
    };
    copy(c.keyRows, 0, p.spec.keyWidth);
    copy(c.valueRows, c.valuesStart, p.spec.valueWidth);
    arrive(k, c.fullKeys());
    arriveAfterCopies(k, c.fullKeys());
    auto overBlocks = [&](Scalar head, llvm::ArrayRef<Scalar> ring) {
      Scalar blocks = k.load(c.words(), k.i32(KeyWarpgroupCode::Blocks));
      return k.loop(k.i32(0), blocks, k.i32(1), ring, [&](Scalar number, llvm::ArrayRef<Scalar> ring) {
        gatherQueries(head, number, ring[0]);
        return Scalars{c.following(ring[0])};
      });
    };
    join(); // the words are there
    const int64_t group = p.spec.group();
    if (group == 1)
      return overBlocks(task.row, {ring})[0];
    return k.loop(task.row * group, (task.row + 1) * group, k.i32(1), {ring}, overBlocks)[0];
  }

  /// One row after the other, and what depends on the thread computed here: registers are few.
  void copyEach(Pointer from, int64_t width, Scalar to, int64_t rows,
                llvm::function_ref<Scalar(Scalar row)> sourceOf) {
    Scalar thread = computeHere(k, c.thread), piece = thread & 7, row = thread >> 3;
    Scalar start = to + panelOffset(row, piece);
    for (int64_t i = 0; i < rows; i += rowsAtATime)
      copyRows(k, c.element, start + i * panelRowBytes, rows, from, width, sourceOf(row + i), piece);
  }

  void gatherQueries(Scalar head, Scalar number, Scalar ring) {
    Scalar stage = c.stageOf(ring);
    waitForPhase(k, c.emptyQueries(stage), (ring >> 3) & 1);
    Scalar last = k.i32(c.n - 1), headStart = c.wide(head) * c.n;
    Scalar first = k.load(c.words(), k.i32(KeyWarpgroupCode::First)) + number * block;
    auto copyBlock = [&](Pointer from, Scalar to, int64_t width) {
      copyEach(k.offset(from, headStart * width), width, to, block,
               [&](Scalar row) { return k.min(first + row, last); });
    };
    copyBlock(c.queryRows, stage * c.w.queryBytes() + c.address(c.queriesStart), p.spec.keyWidth);
    copyBlock(c.outRows, stage * c.w.outBytes() + c.address(c.outsStart), p.spec.valueWidth);
    Scalar slot = computeHere(k, c.thread) & (block - 1), query = k.min(first + slot, last);
    Scalar ofHead = headStart + c.wide(query), ofRow = c.wide(head / p.spec.group() * c.n + query);
    auto copy = [&](KeyWarpgroupCode::QueryNumber which, Pointer from, Scalar at) {
      Scalar to = c.queryNumbers(stage, which) + (slot << 2);
      mlir::NVVM::CpAsyncOp::create(k.b, atShared(k, to, k.f32Type()).base, k.offset(from, at).base, 4u,
                                    mlir::NVVM::LoadCacheModifierKind::CA, mlir::Value());
    };
    k.when(
        c.thread < block,
        [&] {
          copy(KeyWarpgroupCode::Lse, c.lse, ofHead);
          if (c.gated())
            copy(KeyWarpgroupCode::Hi, c.hi, ofRow);
        },
        [&] {
          copy(KeyWarpgroupCode::Shared, c.sharedSums, ofHead);
          if (c.gated())
            copy(KeyWarpgroupCode::Lo, c.lo, ofRow);
        });
    arriveAfterCopies(k, c.fullQueries(stage));
  }

  KeyWarpgroupCode &c;
  KernelCode &k;
  const Plan &p;
};

} // namespace

void emitKeyProducer(KeyWarpgroupCode &code) { KeyProducer(code).emit(); }

} // namespace heddle::gpu::attention
