// dk, dv and du by products of warpgroups: one warpgroup gathers, two multiply, 64 keys each.
// Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/AttentionBackward.h"
#include "compiler/conversion/SparseKToGPU/WarpgroupRows.h"

namespace heddle::gpu::attention {

/// How shared memory is divided: keys and values of a task, stages of queries, of cotangents of outputs and
/// of numbers of queries, numbers of the keys, sums of gates, words, barriers.
struct KeyWarpgroupPlan {
  static constexpr int64_t tile = 128; ///< keys, 64 for each of the two warpgroups that multiply
  static constexpr int64_t threads = 3 * warpgroupThreads;
  /// Of a query: lse, D and where keys have gates center - threshold; centers.
  static constexpr int64_t numbers = 4;
  /// Queries that have one center: blocks of those that select keys begin at multiples of it.
  static constexpr int64_t centered = 32;
  static constexpr int64_t keyNumbers = 6; ///< i32 or f32 of a key, of two tasks
  static constexpr int64_t words = 52;

  int64_t block = 64; ///< queries that are multiplied at a time
  int64_t keyPanels = 0, valuePanels = 0;
  int64_t gatherRegisters = 24, productRegisters = 240; ///< of a thread: 168 on average
  int64_t stages = 0;

  int64_t keyBytes() const { return keyPanels * tile * panelRowBytes; }
  int64_t valueBytes() const { return valuePanels * tile * panelRowBytes; }
  int64_t queryBytes() const { return keyPanels * block * panelRowBytes; }
  int64_t outBytes() const { return valuePanels * block * panelRowBytes; }
  int64_t bytes() const;

  /// `selected`: of selected keys, whose scores and gates need registers too.
  static std::optional<KeyWarpgroupPlan> of(const AttentionSpec &spec, const Target &target, bool selected);
};

struct KeyWarpgroupPlans {
  KeyWarpgroupPlan ofSelected, ofWindow;

  /// The plans where WarpgroupPlan has some and shared memory is large enough.
  static std::optional<KeyWarpgroupPlans> of(const AttentionSpec &spec, const Target &target);
};

/// Numbers of the kernels' parameters that are no arguments of the operation.
struct KeyWarpgroupParameters {
  unsigned lse = 0, shared = 0;             ///< of queries
  unsigned centers = 0, below = 0;          ///< of their thresholds
  int64_t centerTile = 0;                   ///< queries of a center
  unsigned slotKeys = 0, slotTotal = 0;     ///< lists of chunks
  unsigned firstSlot = 0;                   ///< of keys in them
  unsigned partRows = 0, partScores = 0;    ///< partial sums
  unsigned firstRow = 0, rows = 0;          ///< of the wave
  unsigned tasks = 0;                       ///< that select keys, of each wave
  unsigned counters = 0, counterNumber = 0; ///< of tasks that are taken, then how many there are
};

/// 128 keys of a row: of those that a chunk of queries selects, or neighbours. i32.
struct KeyTask {
  Scalar row, first; ///< the first slot of the chunk's list, or the first key
  Scalar chunk, list;
};

/// What both roles know. `selected`: tasks of selected keys, whose sums are partial ones; otherwise windows.
class KeyWarpgroupCode {
public:
  KeyWarpgroupCode(KernelCode &k, const Plan &plan, const KeyWarpgroupPlan &sizes,
                   const ProgramBuilder &builder, const KeyWarpgroupParameters &parameters, bool selected,
                   int64_t counterCount);

  static int64_t tilesOfList(const Plan &p); ///< at most
  static int64_t placesOfRow(const Plan &p, bool selected);
  Scalar takeTask(); ///< the next one, -1 after the last; for one thread
  KeyTask taskAt(Scalar number);
  /// Whether pairs have gates, or scores get gradients through them.
  bool gated() const { return selected && (p.routesKeys() || p.routesValues()); }
  Scalar windowEnd(Scalar key);

  Scalar wide(Scalar x) { return k.cast(x, k.i64Type()); }
  Scalar address(int64_t bytes) { return shared + bytes; }
  enum QueryNumber { Lse, Shared, Below, Center };
  Scalar queryNumbers(Scalar stage, QueryNumber which) {
    return stage * (KeyWarpgroupPlan::numbers * w.block * 4) +
           (shared + (numbersStart + which * w.block * 4));
  }
  // What is known of a task and its keys is there twice, for tasks of even and odd number: while the
  // warpgroups multiply for one, the next one is prepared.
  /// Of a key, i32 but for its score, f32. For windows also until where chunks of queries select it, and its
  /// slot in the first one's list.
  enum KeyNumber { Key, From, Until, Score, SelectedUntil, Slot };
  Pointer keyNumbers(KeyNumber which, Scalar parity) {
    constexpr int64_t bytes = KeyWarpgroupPlan::tile * 4;
    return atShared(
        k, parity * (KeyWarpgroupPlan::keyNumbers * bytes) + address(keyNumbersStart + which * bytes),
        which == Score ? k.f32Type() : k.i32Type());
  }
  /// Task, first query, blocks of queries.
  enum TaskWord { Task, First, Blocks };
  Scalar taskWord(TaskWord which, Scalar parity) { return (parity << 2) + int64_t(which); }
  bool addsPartialSums() const { return !selected && p.spec.topk > 0; }
  /// After those of tasks: what the gathering threads exchange; four of each warp that multiplies.
  enum Word { NextTask = 8, Minima = 10, Maxima = 14, OfWarps = 20 };
  Pointer gateSums() { return atShared(k, address(gateSumsStart), k.f32Type()); } ///< two of each thread
  Pointer words() { return atShared(k, address(wordsStart), k.i32Type()); }
  Scalar fullKeys() { return address(barriersStart); }
  Scalar emptyKeys() { return address(barriersStart + 8); }
  Scalar fullQueries(Scalar stage) { return (stage << 3) + address(barriersStart + 16); }
  Scalar emptyQueries(Scalar stage) { return (stage << 3) + address(barriersStart + 16 + 8 * w.stages); }
  /// Once nobody reads what is known of a task: its keys are copied over before that.
  Scalar endedTask(Scalar parity) { return (parity << 3) + address(barriersStart + 16 + 16 * w.stages); }
  // Where the rings are, in one register: the stage of queries, the parity of its phase, and the last two
  // bits of the task's number, the lower of which is the parity of the keys' phase.
  static constexpr int64_t stageParity = 8, task = 16;
  Scalar keysParityOf(Scalar ring) { return (ring >> 4) & 1; }
  Scalar nextTask(Scalar ring) { return (ring & (task - 1)) | ((ring + task) & (3 * task)); }
  Scalar stageOf(Scalar ring) { return ring & 7; }
  Scalar following(Scalar ring) {
    return k.select(stageOf(ring) == w.stages - 1, (ring - (w.stages - 1)) ^ stageParity, ring + 1);
  }
  void prepareShared(); ///< barriers and what copies never write; ends with a barrier of the block

  KernelCode &k;
  const Plan &p;
  const KeyWarpgroupPlan &w;
  const ProgramBuilder &builder;
  const bool selected;
  const int64_t n;
  const mlir::Type element;
  Pointer queryRows, outRows, keyRows, valueRows, u, ends, bounds, lse, sharedSums, centers, below;
  int64_t centerTile = 0; ///< queries of a center
  Pointer slotKeys, slotTotal, firstSlot, partRows, partScores, taskNumbers, counters;
  Scalar firstRow, rows, counterNumber, thread, lane;
  int64_t valuesStart = 0, queriesStart = 0, outsStart = 0; ///< bytes
  int64_t counterCount = 0;

private:
  Scalar shared; ///< the address of everything
  int64_t numbersStart = 0, keyNumbersStart = 0, gateSumsStart = 0, wordsStart = 0, barriersStart = 0;
};

struct KeyWork;

void emitKeyProducer(KeyWarpgroupCode &code);
void emitKeyConsumer(KeyWarpgroupCode &code, Scalar warpgroup);

/// dk, dv and du, where there is such a plan.
void emitKeyGradients(ProgramBuilder &builder, const Plan &plan, const KeyWarpgroupPlans &sizes,
                      const KeyLists &lists, const QuerySides &sides, const KeyWork &work,
                      const Target &target);

} // namespace heddle::gpu::attention
