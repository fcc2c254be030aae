#include "compiler/conversion/SparseKToGPU/RowSums.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

namespace heddle::gpu::attention {

RowSums::RowSums(int64_t width, int64_t elementBytes) : width(width), piece(16 / elementBytes) {
  if (width % piece != 0)
    piece = 1;
  lanes =
      std::min<int64_t>(int64_t(llvm::PowerOf2Ceil(uint64_t(std::max<int64_t>(width / piece, 1)))), warpSize);
}

Scalar RowSums::sum(TileCode &t, llvm::ArrayRef<Pointer> matrices, Scalar row, Term term) const {
  KernelCode &k = t.k;
  Scalar lane = t.remainder(t.thread, lanes), start = row * width;
  Scalar result = k.loop(lane * piece, k.i32(width), k.i32(lanes * piece), {t.number(0)},
                         [&](Scalar column, llvm::ArrayRef<Scalar> sums) {
                           llvm::SmallVector<Value, 2> pieces;
                           for (Pointer matrix : matrices)
                             pieces.push_back(k.loadVector(matrix, start + t.wide(column), piece));
                           Scalar sum = sums[0];
                           for (int64_t i = 0; i < piece; ++i) {
                             Scalars elements;
                             for (Value vector : pieces)
                               elements.push_back(k.cast(k.element(vector, i), t.compute));
                             sum = term(elements, sum);
                           }
                           return Scalars{sum};
                         })[0];
  return k.warpReduce(result, [](Scalar x, Scalar y) { return x + y; }, lanes);
}

} // namespace heddle::gpu::attention
