#include "compiler/conversion/SparseKToGPU/OddRows.h"
#include "compiler/conversion/SparseKToGPU/AttentionKernels.h"
#include "compiler/conversion/SparseKToGPU/RowSums.h"

namespace heddle::gpu::attention {

OddRows emitOddRows(ProgramBuilder &builder, const Plan &plan, AttentionArgument rows,
                    const DeviceOperand *wanted, int64_t blocks) {
  constexpr int64_t threads = 256;
  const AttentionSpec &s = plan.spec;
  const int64_t count = s.rows() * plan.keyLength;
  const RowSums sums(rows == AttentionArgument::K ? s.keyWidth : s.valueWidth, plan.elementBytes());
  const int64_t rowsOfBlock = sums.rowsOfBlock(threads);
  const int64_t needed = std::max<int64_t>((count + rowsOfBlock - 1) / rowsOfBlock, 1);
  OddRows result{rows, builder.reserve(std::max<int64_t>(count, 1))};
  builder.take({rows});
  const unsigned marks = builder.take(result.marks);
  const unsigned asked = wanted ? builder.take(*wanted) : 0;
  builder.kernel("odd_rows", wanted ? std::min(needed, blocks) : needed, threads, [&](KernelCode &k) {
    TileCode t(k, elementType(k.b, s), 0);
    Pointer from = builder.buffer(k, rows, t.element), to = k.pointer(marks, k.b.getI8Type());
    // A warp's lanes stay together, since they sum up together: all of them have rows, some twice.
    auto mark = [&](Scalar start) {
      Scalar row = k.min(start + t.wide(sums.row(t)), k.i64(count - 1));
      Scalar sum = sums.sum(t, {from}, row, [](llvm::ArrayRef<Scalar> x, Scalar sum) {
        return sum + (x[0] - x[0]); // 0, or NaN
      });
      k.when(sums.first(t), [&] { k.store(k.extendUnsigned(k.isNan(sum), k.b.getI8Type()), to, row); });
    };
    Scalar first = t.wide(k.block()) * rowsOfBlock;
    if (!wanted) {
      k.when(first < count, [&] { mark(first); });
      return;
    }
    k.when(k.load(k.pointer(asked, k.i32Type()), k.i32(0)) != 0,
           [&] { k.loop(first, k.i64(count), t.wide(k.blocks()) * rowsOfBlock, mark); });
  });
  return result;
}

} // namespace heddle::gpu::attention
