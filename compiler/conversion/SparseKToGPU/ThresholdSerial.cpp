// Thresholds of f64 scores: rows are sorted whole, and a thread sweeps over each sequence.
#include "compiler/conversion/SparseKToGPU/Order.h"
#include "compiler/conversion/SparseKToGPU/Sort.h"
#include "compiler/conversion/SparseKToGPU/Sweep.h"
#include "compiler/conversion/SparseKToGPU/Threshold.h"

using namespace mlir;

namespace heddle::gpu {

void emitSerialThresholds(StepBuilder &steps, ThresholdBuffers &s) {
  const ScoreRows &rows = s.rows;
  Type element = rows.element;
  Builder b(element.getContext());
  Type i32 = b.getI32Type();
  s.order = steps.reserve(rows.size() * 4);
  DeviceOperand sorted = steps.reserve(rows.size() * rows.elementBytes());
  DeviceOperand present = steps.reserve(rows.size() * 4);

  // Sequences stay where they are; within them by score, of equal scores the later key first.
  SortedRows records{rows.rows, rows.n, {}};
  if (rows.packed)
    records.parts.push_back(i32);
  records.parts.push_back(b.getI64Type());
  records.parts.push_back(i32);
  emitSort(
      steps, "scores", records, rows.n, {s.u, s.bounds},
      [&](KernelCode &k, Scalar row, Scalar i) {
        Position p{row, row * rows.n, i};
        Scalar x = k.load(k.pointer(0, element), p.at(k, i));
        Scalars record;
        if (rows.packed)
          record.push_back(k.load(k.pointer(1, i32), i));
        record.push_back(orderedBits(k, clampScore(k, x)));
        record.push_back(k.i32(-1) - i);
        return record;
      },
      {sorted, s.order},
      [&](KernelCode &k, unsigned first, Scalar row, Scalar i, ArrayRef<Scalar> record) {
        Position p{row, row * rows.n, i};
        k.store(fromOrderedBits(k, record[record.size() - 2]), k.pointer(first, element), p.at(k, i));
        k.store(i, k.pointer(first + 1, i32), p.at(k, k.i32(-1) - record.back()));
      });

  eachPosition(
      steps, "sweep", rows, {sorted, s.order, present, s.bounds, s.hi, s.lo, s.kappa},
      [&](KernelCode &k, const Position &p) {
        SequenceBounds sequence = sequenceAt(k, rows, k.pointer(3, i32), p.i);
        Scalar last = sequence.stop - rows.window;
        k.when((sequence.start == p.i) & (last - p.i > s.topk), [&] {
          Scalar first = p.at(k, p.i), count = sequence.stop - p.i;
          Pointer scores = k.offset(k.pointer(0, element), first),
                  order = k.offset(k.pointer(1, i32), p.rowStart), words = k.offset(k.pointer(2, i32), first);
          k.loop(k.i32(0), (count >> 5) + 1, k.i32(1), [&](Scalar word) { k.store(k.i32(0), words, word); });
          auto score = [&](Scalar rank) { return k.load(scores, rank); };
          auto rank = [&](Scalar key) { return k.load(order, key) - p.i; };
          Sweep sweep(k, element, s.topk, count, words, score);
          auto out = [&](Scalar key, const SweepState &state) {
            k.when(sweep.isFull(state), [&] {
              Scalar query = p.at(k, key + rows.window);
              auto [hi, lo] = sweep.threshold(state);
              k.store(hi, k.pointer(4, element), query);
              k.store(lo, k.pointer(5, element), query);
              k.store(state.kappa + p.i, k.pointer(6, i32), query);
            });
          };
          sweep.run(p.i, last, SweepState::empty(k, count), rank, out);
        });
      });
}

} // namespace heddle::gpu
