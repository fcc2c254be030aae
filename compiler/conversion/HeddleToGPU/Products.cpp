//===- Products.cpp - Dense products as kernels ---------------------------===//

#include "compiler/conversion/HeddleToGPU/Products.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace heddle::gpu;
using namespace heddle::ir;
using heddle::cpu::computeType;
using heddle::cpu::ScalarEmitter;
using heddle::cpu::storageType;

Elements::Elements(KernelCode &code, unsigned argument, Type element)
    : pointer(code.pointer(argument, storageType(element))), element(element) {}

Scalar Elements::load(Scalar at) const {
  KernelCode &k = *pointer.code;
  return k.wrap(ScalarEmitter(k.b, k.b.getLoc()).fromStorage(k.load(pointer, at), element));
}

void Elements::store(Scalar x, Scalar at) const {
  KernelCode &k = *pointer.code;
  if (element.isInteger(1))
    x = k.extendUnsigned(x, pointer.element);
  else if (x.type() != element)
    x = k.wrap(arith::TruncFOp::create(k.b, element, x.value));
  k.store(x, pointer, at);
}

namespace {
/// A block of 256 threads computes 64 x 64 elements, a thread 4 x 4 of them, in steps of 16 along k.
constexpr int64_t tile = 64, depth = 16, each = 4, threads = 256;
} // namespace

void heddle::gpu::emitProduct(StepBuilder &steps, MatmulOp op) {
  auto a = cast<RankedTensorType>(op.getLhs().getType()), c = cast<RankedTensorType>(op.getType());
  const bool ta = op.getTransposeLhs(), tb = op.getTransposeRhs();
  const int64_t m = c.getDimSize(1), n = c.getDimSize(2), k = a.getDimSize(ta ? 1 : 2);
  Type element = a.getElementType(), compute = computeType(element);
  const int64_t rowTiles = (m + tile - 1) / tile, columnTiles = (n + tile - 1) / tile;
  steps.kernel(
      "tiles", c.getNumElements() ? c.getDimSize(0) * rowTiles * columnTiles : 0, threads,
      {operandBuffer(0), operandBuffer(1), resultBuffer(0)}, [&](KernelCode &code) {
        Elements lhs(code, 0, element), rhs(code, 1, element), out(code, 2, c.getElementType());
        auto wide = [&](Scalar x) { return code.cast(x, code.i64Type()); };
        Scalar block = code.block(), thread = code.thread();
        Scalar batch = wide(block / (rowTiles * columnTiles));
        Scalar rowStart = wide(block / columnTiles % rowTiles) * tile,
               columnStart = wide(block % columnTiles) * tile;
        // Rows are padded by one element, so that both ways of filling a tile use all banks.
        constexpr int64_t stride = tile + 1;
        Pointer left = code.shared(depth * stride, compute), right = code.shared(depth * stride, compute);
        Scalar zero = code.constant(compute, 0);
        // Fills tile[step][position] with elements whose neighbours along `steps` or along positions are
        // adjacent.
        auto fill = [&](Pointer to, const Elements &from, Scalar start, int64_t extent, Scalar firstStep,
                        bool alongSteps) {
          for (int64_t i = 0; i < tile * depth / threads; ++i) {
            Scalar number = thread + i * threads;
            Scalar step = alongSteps ? number % depth : number / tile;
            Scalar position = alongSteps ? number / depth : number % tile;
            Scalar along = firstStep + wide(step), across = start + wide(position);
            Scalar inside = (along < k) & (across < extent);
            Scalar safeStep = code.min(along, code.i64(k - 1)), safe = code.min(across, code.i64(extent - 1));
            Scalar at =
                alongSteps ? (batch * extent + safe) * k + safeStep : (batch * k + safeStep) * extent + safe;
            code.store(code.select(inside, from.load(at), zero), to, step * stride + position);
          }
        };
        Scalar lane = thread % (tile / each), line = thread / (tile / each);
        Scalars sums(each * each, zero);
        sums = code.loop(code.i64(0), code.i64(k), code.i64(depth), sums,
                         [&](Scalar step, ArrayRef<Scalar> now) {
                           fill(left, lhs, rowStart, m, step, !ta);
                           fill(right, rhs, columnStart, n, step, tb);
                           code.barrier();
                           Scalars next(now.begin(), now.end());
                           for (int64_t s = 0; s < depth; ++s) {
                             Scalars rows, columns;
                             for (int64_t i = 0; i < each; ++i) {
                               rows.push_back(code.load(left, line * each + (s * stride + i)));
                               columns.push_back(code.load(right, lane + (s * stride + i * (tile / each))));
                             }
                             for (int64_t i = 0; i < each; ++i)
                               for (int64_t j = 0; j < each; ++j) {
                                 Scalar &sum = next[i * each + j];
                                 sum = isa<FloatType>(compute) ? code.multiplyAdd(rows[i], columns[j], sum)
                                                               : sum + rows[i] * columns[j];
                               }
                           }
                           code.barrier();
                           return next;
                         });
        for (int64_t i = 0; i < each; ++i)
          for (int64_t j = 0; j < each; ++j) {
            Scalar row = rowStart + wide(line * each + i),
                   column = columnStart + wide(lane + j * (tile / each));
            code.when((row < m) & (column < n),
                      [&] { out.store(sums[i * each + j], (batch * m + row) * n + column); });
          }
      });
}
