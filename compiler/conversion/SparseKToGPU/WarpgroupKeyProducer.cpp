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
    piece = c.thread & 7;
    firstRow = c.thread >> 3;
    target = panelOffset(firstRow, piece);
    Scalars last = k.repeat(
        {takeTask(), k.i32(0), k.i32(1), k.i32(1)},
        [&](llvm::ArrayRef<Scalar> values) { return values[0] < c.tasks(); },
        [&](llvm::ArrayRef<Scalar> values) {
          RingPlace place = gather(values[0], {values[1], values[2]}, values[3]);
          return Scalars{takeTask(), place.stage, place.parity, values[3] ^ 1};
        });
    // There are no more.
    waitForPhase(k, c.emptyKeys(), last[3]);
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
        index = k.repeat({index},
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
    Scalar key, from, until, score;
  };

  /// Of the key that this thread looks after.
  KeyNumbers numbersOf(const KeyTask &task) {
    Scalar place = task.first + c.thread, rowStart = task.row * c.n;
    KeyNumbers result;
    Scalar valid;
    if (c.selected) {
      Scalar total = k.load(c.slotTotal, task.list);
      valid = place < total;
      result.key =
          k.load(c.slotKeys, c.wide(task.list) * p.slotStride + c.wide(k.min(place, total - 1)));
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
    }
    result.from = k.select(valid, result.from, k.i32(INT32_MAX));
    result.until = k.select(valid, result.until, k.i32(0));
    return result;
  }

  RingPlace gather(Scalar index, RingPlace place, Scalar parity) {
    KeyTask task = c.taskAt(index);
    KeyNumbers known = numbersOf(task);
    auto smaller = [&](Scalar x, Scalar y) { return k.min(x, y); };
    auto larger = [&](Scalar x, Scalar y) { return k.max(x, y); };
    Scalar first = k.warpReduce(known.from, smaller), end = k.warpReduce(known.until, larger);
    waitForPhase(k, c.emptyKeys(), parity);
    k.store(known.key, c.keyNumbers(KeyWarpgroupCode::Key), c.thread);
    k.store(known.from, c.keyNumbers(KeyWarpgroupCode::From), c.thread);
    k.store(known.until, c.keyNumbers(KeyWarpgroupCode::Until), c.thread);
    if (c.gated())
      k.store(known.score, c.keyNumbers(KeyWarpgroupCode::Score), c.thread);
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
      copyEach(from, width, c.address(start), tile, [&](int64_t i) {
        return k.load(c.keyNumbers(KeyWarpgroupCode::Key), firstRow + i * rowsAtATime);
      });
    };
    copy(k.offset(c.keyRows, rowStart * p.spec.keyWidth), 0, p.spec.keyWidth);
    copy(k.offset(c.valueRows, rowStart * p.spec.valueWidth), c.valuesStart, p.spec.valueWidth);
    arrive(k, c.fullKeys());
    arriveAfterCopies(k, c.fullKeys());
    auto overBlocks = [&](Scalar head, llvm::ArrayRef<Scalar> ring) {
      return k.loop(k.i32(0), blocks, k.i32(1), ring, [&](Scalar number, llvm::ArrayRef<Scalar> ring) {
        gatherQueries(task.row, head, first + number * block, {ring[0], ring[1]});
        RingPlace next = nextPlace(k, {ring[0], ring[1]}, c.w.stages);
        return Scalars{next.stage, next.parity};
      });
    };
    Scalars ring{place.stage, place.parity};
    const int64_t group = p.spec.group();
    if (group == 1)
      ring = overBlocks(task.row, ring);
    else
      ring = k.loop(task.row * group, (task.row + 1) * group, k.i32(1), ring, overBlocks);
    return {ring[0], ring[1]};
  }

  /// One row after the other: registers are few.
  void copyEach(Pointer from, int64_t width, Scalar to, int64_t rows,
                llvm::function_ref<Scalar(int64_t)> rowAt) {
    for (int64_t i = 0; i < rows / rowsAtATime; ++i)
      copyRows(k, c.element, to + target + i * rowsAtATime * panelRowBytes, rows, from, width,
               rowAt(i), piece);
  }

  void gatherQueries(Scalar row, Scalar head, Scalar first, RingPlace place) {
    waitForPhase(k, c.emptyQueries(place.stage), place.parity);
    Scalar last = k.i32(c.n - 1), headStart = c.wide(head) * c.n;
    auto copyRows = [&](Pointer from, Scalar to, int64_t width) {
      copyEach(k.offset(from, headStart * width), width, to, block,
               [&](int64_t i) { return k.min(first + firstRow + i * rowsAtATime, last); });
    };
    copyRows(c.queryRows, place.stage * c.w.queryBytes() + c.address(c.queriesStart), p.spec.keyWidth);
    copyRows(c.outRows, place.stage * c.w.outBytes() + c.address(c.outsStart), p.spec.valueWidth);
    Scalar slot = c.thread & (block - 1), query = k.min(first + slot, last);
    Scalar ofHead = headStart + c.wide(query), ofRow = c.wide(row * c.n + query);
    auto copy = [&](KeyWarpgroupCode::QueryNumber which, Pointer from, Scalar at) {
      Scalar to = c.queryNumbers(place.stage, which) + (slot << 2);
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
    arriveAfterCopies(k, c.fullQueries(place.stage));
  }

  KeyWarpgroupCode &c;
  KernelCode &k;
  const Plan &p;
  Scalar piece, firstRow, target;
};

} // namespace

void emitKeyProducer(KeyWarpgroupCode &code) { KeyProducer(code).emit(); }

} // namespace heddle::gpu::attention
