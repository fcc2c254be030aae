// The adjoint and the tangent of the thresholds: tau of query i moves by the mean of its support. With the
// runs of queries in whose supports the keys are, both are differences of running sums.
#include "compiler/conversion/SparseKToGPU/Order.h"
#include "compiler/conversion/SparseKToGPU/Selection.h"
#include "compiler/conversion/SparseKToGPU/Sort.h"
#include "compiler/conversion/SparseKToGPU/Support.h"

#include "dialects/sparsek/IR/SparseK.h"

using namespace mlir;

namespace heddle::gpu {
namespace {

/// Operands of both operations, by number.
enum { U, Hi, Lo, Count, Moved, Bounds };

/// The run of the key at p; both ends are p.i where it is empty.
Run runOf(KernelCode &k, const ScoreRows &rows, const Position &p, Pointer u, Pointer hi, Pointer lo,
          SequenceBounds sequence) {
  Scalar first = p.i + rows.window;
  Scalars run = k.choose(
      first < sequence.stop,
      [&] {
        Run run = supportRun(k, k.load(u, p.at(k, p.i)), k.offset(hi, p.rowStart), k.offset(lo, p.rowStart),
                             first, sequence.stop);
        return Scalars{run.begin, run.end};
      },
      [&] { return Scalars{p.i, p.i}; });
  return {run[0], run[1]};
}

} // namespace

DeviceProgram emitThresholdBackward(mlir::gpu::GPUModuleOp module, Operation *op, StringRef prefix) {
  auto backward = cast<sparsek::ThresholdBackwardOp>(op);
  StepBuilder steps(module, op->getLoc(), prefix);
  const ScoreRows rows = ScoreRows::of(backward.getU(), int64_t(backward.getWindow()), backward.getBounds());
  if (rows.size() == 0)
    return std::move(steps.program);
  Type element = rows.element, f64 = Float64Type::get(op->getContext());
  Type i32 = IntegerType::get(op->getContext(), 32);
  DeviceOperand sums = steps.reserve(rows.size() * 8), bounds = operandBuffer(rows.packed ? Bounds : U);

  emitRunningSums(
      steps, "shares", rows, {operandBuffer(Count), operandBuffer(Moved), bounds, sums},
      [&](KernelCode &k, const Position &p) {
        Scalar at = p.at(k, p.i), size = k.load(k.pointer(0, i32), at);
        Scalar share = k.cast(k.load(k.pointer(1, element), at), f64) / k.cast(k.max(size, k.i32(1)), f64);
        return k.select(size > 0, share, k.constant(f64, 0.0));
      },
      [&](KernelCode &k, Scalar i) { return sequenceAt(k, rows, k.pointer(2, i32), i).start; },
      [&](KernelCode &k, const Position &p, Scalar sum) { k.store(sum, k.pointer(3, f64), p.at(k, p.i)); });

  const int64_t blocks = rows.rows * rows.tiles();
  steps.kernel("scores", blocks, elementThreads,
               {operandBuffer(U), operandBuffer(Hi), operandBuffer(Lo), bounds, sums, resultBuffer(0)},
               [&](KernelCode &k) {
                 Pointer u = k.pointer(0, element), hi = k.pointer(1, element), lo = k.pointer(2, element);
                 auto sequenceOf = [&](const Position &p) {
                   return sequenceAt(k, rows, k.pointer(3, i32), p.i);
                 };
                 auto supports = [&](const Position &p) {
                   k.store(k.constant(element, 0.0), k.pointer(5, element), p.at(k, p.i));
                   Scalar first = p.i + rows.window;
                   return k.choose(
                       first < sequenceOf(p).stop,
                       [&] {
                         return Scalars{isAbove(k, k.load(u, p.at(k, p.i)), k.offset(hi, p.rowStart),
                                                k.offset(lo, p.rowStart), first)};
                       },
                       [&] { return Scalars{k.truth(false)}; })[0];
                 };
                 eachWanted(k, rows, supports, [&](const Position &p) {
                   SequenceBounds sequence = sequenceOf(p);
                   Run run = runOf(k, rows, p, u, hi, lo, sequence);
                   auto sumBefore = [&](Scalar query) {
                     return k.choose(
                         query > sequence.start,
                         [&] { return Scalars{k.load(k.pointer(4, f64), p.at(k, query - 1))}; },
                         [&] { return Scalars{k.constant(f64, 0.0)}; })[0];
                   };
                   k.when(run.begin < run.end, [&] {
                     k.store(k.cast(sumBefore(run.end) - sumBefore(run.begin), element),
                             k.pointer(5, element), p.at(k, p.i));
                   });
                 });
               });
  return std::move(steps.program);
}

DeviceProgram emitThresholdTangent(mlir::gpu::GPUModuleOp module, Operation *op, StringRef prefix) {
  auto tangent = cast<sparsek::ThresholdTangentOp>(op);
  StepBuilder steps(module, op->getLoc(), prefix);
  const ScoreRows rows = ScoreRows::of(tangent.getU(), int64_t(tangent.getWindow()), tangent.getBounds());
  if (rows.size() == 0)
    return std::move(steps.program);
  Type element = rows.element, f64 = Float64Type::get(op->getContext());
  Type i32 = IntegerType::get(op->getContext(), 32), i64 = IntegerType::get(op->getContext(), 64);
  DeviceOperand bounds = operandBuffer(rows.packed ? Bounds : U);

  // Every key has two records: the query from which on it is in supports, and the one from which on no more.
  // By query and then by key, those of a sequence stay together.
  ScoreRows events = rows;
  events.n = 2 * rows.n;
  DeviceOperand sorted = steps.reserve(events.size() * 8), sums = steps.reserve(events.size() * 8);
  emitSort(
      steps, "events", {rows.rows, events.n, {i64}}, events.n,
      {operandBuffer(U), operandBuffer(Hi), operandBuffer(Lo), bounds},
      [&](KernelCode &k, Scalar row, Scalar i) {
        Position p{row, row * rows.n, i >> 1};
        Run run = runOf(k, rows, p, k.pointer(0, element), k.pointer(1, element), k.pointer(2, element),
                        sequenceAt(k, rows, k.pointer(3, i32), p.i));
        Scalar query = k.select((i & 1) == 0, run.begin, run.end);
        return Scalars{(k.cast(query, k.i64Type()) << 32) | k.extendUnsigned(i, k.i64Type())};
      },
      {sorted},
      [&](KernelCode &k, unsigned first, Scalar row, Scalar i, ArrayRef<Scalar> record) {
        k.store(record[0], k.pointer(first, i64), row * events.n + k.cast(i, k.i64Type()));
      });

  // An empty run adds and subtracts at one query.
  emitRunningSums(
      steps, "changes", events, {operandBuffer(Moved), bounds, sorted, sums},
      [&](KernelCode &k, const Position &p) {
        Scalar event = k.cast(k.load(k.pointer(2, i64), p.at(k, p.i)), i32);
        Scalar at = p.row * rows.n + k.cast(event >> 1, k.i64Type());
        Scalar moved = k.cast(k.load(k.pointer(0, element), at), f64);
        return k.select((event & 1) == 0, moved, -moved);
      },
      [&](KernelCode &k, Scalar i) {
        return sequenceAt(k, rows, k.pointer(1, i32), i >> 1).start << 1; // two records a key, in any order
      },
      [&](KernelCode &k, const Position &p, Scalar sum) { k.store(sum, k.pointer(3, f64), p.at(k, p.i)); });

  eachPosition(steps, "thresholds", rows, {operandBuffer(Count), bounds, sorted, sums, resultBuffer(0)},
               [&](KernelCode &k, const Position &p) {
                 SequenceBounds sequence = sequenceAt(k, rows, k.pointer(1, i32), p.i);
                 Scalar at = p.at(k, p.i), size = k.load(k.pointer(0, i32), at);
                 Scalar mean = k.choose(
                     size > 0,
                     [&] {
                       Pointer records = k.offset(k.pointer(2, i64), p.row * events.n),
                               totals = k.offset(k.pointer(3, f64), p.row * events.n);
                       Scalar later = k.cast(p.i + 1, k.i64Type()) << 32;
                       Scalar upTo = firstWhere(k, sequence.start << 1, sequence.stop << 1,
                                                [&](Scalar i) { return k.load(records, i) >= later; });
                       // A support is not empty: some key has come.
                       return Scalars{k.load(totals, upTo - 1) / k.cast(size, f64)};
                     },
                     [&] { return Scalars{k.constant(f64, 0.0)}; })[0];
                 k.store(k.cast(mean, element), k.pointer(4, element), at);
               });
  return std::move(steps.program);
}

} // namespace heddle::gpu
