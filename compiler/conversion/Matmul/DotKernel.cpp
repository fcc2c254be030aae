// A row vector times a matrix whose columns are contiguous along k: dot products, four columns at a time.
#include "compiler/conversion/Matmul/Kernels.h"

namespace heddle::cpu::matmul {
namespace {

// Two vectors of sums for each column hide the latency of the additions.
constexpr int64_t unroll = 2;

// `count` elements of C from the column `first` on.
void emitGroup(VectorCode &v, const MatmulPlan &plan, Buffer a, Buffer b, Buffer c, Value batch, Value first,
               int64_t count) {
  const MatmulSpec &spec = plan.spec;
  int64_t lanes = plan.lanes, k = spec.k;
  Value atA = v.mul(batch, spec.a.batchStride);
  Value atB = v.add(v.mul(batch, spec.b.batchStride), v.mul(first, spec.b.columnStride));
  // Adds the products of `size` lanes at step k to the sums number `part` of each column.
  auto accumulate = [&](Value step, int64_t part, int64_t size, Values &sums) {
    Value x = v.loadLanes(a, v.add(atA, step), size);
    for (int64_t i = 0; i < count; ++i) {
      Value y = v.loadLanes(b, v.add(v.add(atB, step), i * spec.b.columnStride), size);
      sums[i * unroll + part] = v.multiplyAdd(x, y, sums[i * unroll + part]);
    }
  };
  int64_t stride = lanes * unroll, whole = k / stride * stride;
  Values sums(count * unroll, v.zero());
  if (whole > 0)
    sums = v.loopCarrying(v.index(0), v.index(whole), stride, sums, [&](Value step, ValueRange carried) {
      Values next(carried);
      for (int64_t part = 0; part < unroll; ++part)
        accumulate(v.add(step, part * lanes), part, lanes, next);
      return next;
    });
  for (int64_t step = whole, part = 0; step < k; step += lanes, ++part)
    accumulate(v.index(step), part, std::min(lanes, k - step), sums);
  for (int64_t i = 0; i < count; ++i) {
    Value sum = v.sumOfLanes(v.sumOf(sums[i * unroll], sums[i * unroll + 1]));
    Value at = v.add(v.mul(batch, spec.c.batchStride), v.mul(v.add(first, i), spec.c.columnStride));
    if (spec.accumulate)
      sum = v.sumOf(v.loadScalar(c, at), sum);
    v.storeScalar(sum, c, at);
  }
}

} // namespace

void emitDotKernel(VectorCode &v, const MatmulPlan &plan, ValueRange arguments) {
  const MatmulSpec &spec = plan.spec;
  Buffer a{arguments[2], spec.a.element}, b{arguments[3], spec.b.element}, c{arguments[4], spec.c.element};
  int64_t group = plan.tileRows, rest = spec.n % group;
  v.loop(arguments[0], arguments[1], 1, [&](Value task) {
    Value batch = spec.batch == 1 ? v.index(0) : v.div(task, plan.rowTasks);
    Value first = v.mul(v.rem(task, plan.rowTasks), plan.rowPanelsPerTask);
    Value last = v.min(v.add(first, plan.rowPanelsPerTask), v.index(plan.rowPanels));
    if (spec.n >= group)
      v.loop(first, v.min(last, v.index(spec.n / group)), 1,
             [&](Value panel) { emitGroup(v, plan, a, b, c, batch, v.mul(panel, group), group); });
    if (rest > 0)
      v.when(v.equal(last, plan.rowPanels),
             [&] { emitGroup(v, plan, a, b, c, batch, v.index(spec.n - rest), rest); });
  });
}

} // namespace heddle::cpu::matmul
