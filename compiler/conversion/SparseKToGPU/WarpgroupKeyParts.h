// Tasks of keys that chunks of queries select, and their partial sums of gradients. Internal to this folder.
#pragma once

#include "compiler/conversion/SparseKToGPU/WarpgroupKeys.h"

namespace heddle::gpu::attention {

/// Where keys are in the lists of chunks, so that their partial sums are found without a search.
struct SlotLinks {
  DeviceOperand first; ///< [row, length]: the slot of a selected key in the list of its first chunk
  DeviceOperand next;  ///< [row, chunk, slot]: its slot in the list of the next chunk
};

/// Rows of K and V are worked on `wave` at a time, so that their partial sums need a modest memory.
struct Waves {
  int64_t count = 1, rows = 1; ///< of each but the last

  static Waves of(const Plan &plan);
  static int64_t partsOfRow(const Plan &plan) { return plan.chunks() * plan.slotStride; }
  static int64_t bytesOfRow(const Plan &plan) { return partsOfRow(plan) * (plan.keyPad + plan.valuePad) * 4; }
};

/// Tasks of each wave, and counters of those that are taken.
struct TaskLists {
  DeviceOperand
      tasks; ///< [row, place]: of a wave one after the other, list by list, for KeyWarpgroupCode::taskAt
  DeviceOperand counters; ///< of tasks that are taken, two of each wave, zeros; then how many of selected
                          ///< keys there are
  int64_t counterCount = 0;
};

/// What follows from lists alone.
struct KeyWork {
  Waves waves;
  SlotLinks links;
  TaskLists tasks;
};
/// Adds the kernels that find it, as early steps behind those of the lists.
KeyWork emitKeyWork(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists);

/// Partial sums [row of the wave, chunk, slot] of the columns of dk and dv, and of scores.
struct PartialSums {
  DeviceOperand rows, scores;
};
/// The step that adds to those of a key's first chunk what later chunks gave, in their order. Its last
/// operands are the first row of a wave and the number of its counter. Not added to the program, since every
/// wave has one.
DeviceStep emitPartialSums(ProgramBuilder &builder, const Plan &plan, const KeyLists &lists,
                           const SlotLinks &links, const TaskLists &tasks, const PartialSums &parts,
                           const Target &target);

} // namespace heddle::gpu::attention
