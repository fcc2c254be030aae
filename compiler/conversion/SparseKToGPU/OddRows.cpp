#include "compiler/conversion/SparseKToGPU/OddRows.h"
#include "compiler/conversion/SparseKToGPU/AttentionKernels.h"
#include "compiler/conversion/SparseKToGPU/TileCode.h"

namespace heddle::gpu::attention {

OddRows emitOddRows(ProgramBuilder &builder, const Plan &plan, AttentionArgument rows,
                    const DeviceOperand *wanted, int64_t blocks) {
  constexpr int64_t threads = 256, rowsOfBlock = threads / warpSize;
  const AttentionSpec &s = plan.spec;
  const int64_t count = s.rows() * plan.keyLength;
  const int64_t width = rows == AttentionArgument::K ? s.keyWidth : s.valueWidth;
  const int64_t needed = std::max<int64_t>((count + rowsOfBlock - 1) / rowsOfBlock, 1);
  OddRows result{rows, builder.reserve(std::max<int64_t>(count, 1))};
  builder.take({rows});
  const unsigned marks = builder.take(result.marks);
  const unsigned asked = wanted ? builder.take(*wanted) : 0;
  // A warp for each row.
  builder.kernel("odd_rows", wanted ? std::min(needed, blocks) : needed, threads, [&](KernelCode &k) {
    TileCode t(k, elementType(k.b, s), 0);
    Pointer from = builder.buffer(k, rows, t.element), to = k.pointer(marks, k.b.getI8Type());
    auto mark = [&](Scalar row) {
      Scalar sum = k.loop(t.lane, k.i32(width), k.i32(warpSize), {t.number(0)},
                          [&](Scalar c, llvm::ArrayRef<Scalar> sums) {
                            Scalar x = t.load(from, row * width + t.wide(c));
                            return Scalars{sums[0] + (x - x)}; // 0, or NaN
                          })[0];
      Scalar odd = k.ballot(k.isNan(sum)) != 0;
      k.when(t.lane == 0, [&] { k.store(k.extendUnsigned(odd, k.b.getI8Type()), to, row); });
    };
    Scalar first = t.wide(k.block()) * rowsOfBlock + t.wide(t.warp);
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
