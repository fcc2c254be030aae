// The innermost loop: everything it accumulates stays in registers.
#include "compiler/conversion/Matmul/Kernels.h"

namespace heddle::cpu::matmul {

void emitTile(VectorCode &v, const TileShape &shape, const PanelView &a, const PanelView &b, Value steps,
              llvm::function_ref<Values()> start, llvm::function_ref<void(ValueRange)> finish) {
  Values init = start();
  auto step = [&](Value k, ValueRange sums) {
    Value atB = v.add(b.base, v.mul(k, b.stepStride));
    Values columns;
    for (int64_t j = 0; j < shape.vectors; ++j) {
      // A packed panel has whole vectors; an operand read in place ends where the matrix does.
      int64_t count = j + 1 == shape.vectors && !b.padded ? shape.lastLanes : v.lanes;
      columns.push_back(v.loadLanes(b.buffer, v.add(atB, j * v.lanes), count));
    }
    Value atA = v.add(a.base, v.mul(k, a.stepStride));
    Values next;
    for (int64_t i = 0; i < shape.rows; ++i) {
      Value element = v.splat(v.loadScalar(a.buffer, v.add(atA, i * a.laneStride)));
      for (int64_t j = 0; j < shape.vectors; ++j)
        next.push_back(v.multiplyAdd(element, columns[j], sums[i * shape.vectors + j]));
    }
    return next;
  };
  finish(v.loopCarrying(v.index(0), steps, 1, init, step));
}

} // namespace heddle::cpu::matmul
