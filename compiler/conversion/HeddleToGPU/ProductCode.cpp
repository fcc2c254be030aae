//===- ProductCode.cpp - What the kernels of dense products share ---------===//

#include "compiler/conversion/HeddleToGPU/ProductCode.h"
#include "compiler/conversion/GPU/TensorCode.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace heddle::gpu;
using heddle::cpu::ScalarEmitter;

static Scalar wide(Scalar x) { return x.code->cast(x, x.code->i64Type()); }
static int64_t bytesOf(Type element) { return (element.getIntOrFloatBitWidth() + 7) / 8; }

//===----------------------------------------------------------------------===//
// The block
//===----------------------------------------------------------------------===//

/// Blocks that run at the same time should read the same parts of the factors: a group of rows of tiles is
/// walked column by column.
constexpr int64_t groupRows = 8;

ProductBlock::ProductBlock(KernelCode &k, const ProductSpec &spec, const ProductPlan &plan) {
  Scalar block = k.block();
  Scalar tile = block % plan.tiles(), number = block / plan.tiles();
  matrix = wide(number % spec.batch);
  Scalar partNumber = number / spec.batch;
  part = wide(partNumber);
  Scalar inGroup = tile % (groupRows * plan.columnTiles);
  Scalar firstTile = tile / (groupRows * plan.columnTiles) * groupRows;
  Scalar rows = k.min(k.i32(plan.rowTiles) - firstTile, k.i32(groupRows));
  if (plan.rowTiles % groupRows == 0)
    rows = k.i32(groupRows);
  firstRow = (firstTile + inGroup % rows) * plan.tileRows;
  firstColumn = inGroup / rows * plan.tileColumns;
  if (plan.splits == 1) {
    firstStep = k.i32(0);
    steps = k.i32((spec.k + plan.depth - 1) / plan.depth);
  } else {
    firstStep = partNumber * plan.splitDepth;
    steps = k.min(k.i32(plan.splitDepth / plan.depth), k.ceilDivide(k.i32(spec.k) - firstStep, plan.depth));
  }
}

//===----------------------------------------------------------------------===//
// Copies to shared memory
//===----------------------------------------------------------------------===//

TileCopy::TileCopy(KernelCode &k, const ProductSpec &spec, const ProductPlan &plan, const ProductBlock &block,
                   unsigned argument, Shape shape, Scalar first)
    : k(k), spec(spec), shape(shape), from(k.pointer(argument, spec.element)) {
  lines = shape.alongSteps ? shape.positions : plan.depth;
  lineLength = shape.alongSteps ? plan.depth : shape.positions;
  allLines = shape.alongSteps ? shape.extent : spec.k;
  lineExtent = shape.alongSteps ? spec.k : shape.extent;
  // Lines start at multiples of their length. Without tensor cores shared memory is ordered by steps, so that
  // a line along k is scattered there.
  const bool scattered = shape.alongSteps && !spec.usesTensorCores();
  if (!scattered)
    for (width = 16 / bytesOf(spec.element);
         width > 1 && (lineExtent % width != 0 || plan.threads > lines * (lineLength / width));)
      width /= 2;
  const int64_t pieces = lineLength / width;
  linesAtOnce = plan.threads / pieces;
  passes = lines / linesAtOnce;
  Scalar thread = k.thread();
  line = thread >> int64_t(llvm::Log2_64(uint64_t(pieces)));
  at = (thread & (pieces - 1)) * width;
  firstLine = shape.alongSteps ? first : k.i32(0);
  firstAt = shape.alongSteps ? k.i32(0) : first;
  origin = (block.matrix * allLines + wide(firstLine + line)) * lineExtent + wide(firstAt + at);
}

void TileCopy::start(Pointer to, Scalar firstStep, Place place) {
  const int64_t bytes = width * bytesOf(spec.element);
  Scalar lineStart = firstLine, atStart = firstAt, source = origin;
  if (shape.alongSteps) {
    atStart = firstStep;
    source = source + wide(firstStep);
  } else {
    lineStart = firstStep;
    source = source + wide(firstStep) * lineExtent;
  }
  // Whole tiles need no comparison.
  const int64_t tileOfLines = shape.alongSteps ? shape.positions : lines;
  const bool linesMayEnd = allLines % tileOfLines != 0, atMayEnd = lineExtent % lineLength != 0;
  Scalar atInside = atStart + at < lineExtent;
  auto inside = [&](Scalar here) {
    if (!linesMayEnd)
      return atInside;
    Scalar lineInside = lineStart + here < allLines;
    return atMayEnd ? atInside & lineInside : lineInside;
  };
  if (bytes >= 4) {
    for (int64_t i = 0; i < passes; ++i) {
      Scalar here = line + i * linesAtOnce, fromAt = source + i * linesAtOnce * lineExtent;
      if (linesMayEnd || atMayEnd)
        copyInBackground(k, to, place(here, at), from, fromAt, bytes, inside(here));
      else
        copyInBackground(k, to, place(here, at), from, fromAt, bytes);
    }
    return;
  }
  // What is narrower than a copy can be goes through registers, some at once.
  const int64_t together = std::min<int64_t>(passes, 8);
  Scalar zero = k.constant(to.element, 0);
  k.loop(k.i32(0), k.i32(passes), k.i32(together), [&](Scalar first) {
    Scalars values;
    for (int64_t i = 0; i < together; ++i) {
      Scalar pass = first + i, valid = inside(line + pass * linesAtOnce);
      Scalar fromAt = source + wide(pass) * (linesAtOnce * lineExtent);
      Scalar x = k.load(from, k.select(valid, fromAt, k.i64(0)));
      if (x.type() != to.element)
        x = k.cast(x, to.element);
      values.push_back(k.select(valid, x, zero));
    }
    for (int64_t i = 0; i < together; ++i)
      k.store(values[size_t(i)], to, place(line + (first + i) * linesAtOnce, at));
  });
}

//===----------------------------------------------------------------------===//
// The loop
//===----------------------------------------------------------------------===//

Scalars heddle::gpu::runStages(KernelCode &k, Scalar steps, ArrayRef<Scalar> sums,
                               llvm::function_ref<void(Scalar, Scalar)> start,
                               llvm::function_ref<Scalars(Scalar, ArrayRef<Scalar>)> multiply) {
  constexpr int64_t ahead = productStages - 1;
  for (int64_t i = 0; i < ahead; ++i) {
    k.when(steps > i, [&] { start(k.i32(i), k.i32(i)); });
    commitCopies(k);
  }
  // Carried behind the sums: the stage that is multiplied, and the one that is filled.
  Scalars init(sums.begin(), sums.end());
  init.append({k.i32(0), k.i32(ahead)});
  auto next = [&](Scalar stage) { return k.select(stage == productStages - 1, k.i32(0), stage + 1); };
  Scalars all = k.loop(k.i32(0), steps, k.i32(1), init, [&](Scalar step, ArrayRef<Scalar> now) {
    Scalar used = now[now.size() - 2], filled = now.back();
    waitForCopies(k, ahead - 1);
    k.barrier(); // the stage is there, and nobody reads the one that is filled
    Scalar later = step + ahead;
    k.when(later < steps, [&] { start(later, filled); });
    commitCopies(k);
    Scalars after = multiply(used, now.drop_back(2));
    after.append({next(used), next(filled)});
    return after;
  });
  all.truncate(sums.size());
  return all;
}

//===----------------------------------------------------------------------===//
// The result
//===----------------------------------------------------------------------===//

int64_t heddle::gpu::resultWidth(const ProductSpec &spec) {
  int64_t width = std::min<int64_t>(16 / bytesOf(spec.out), 8);
  while (spec.n % width != 0)
    width /= 2;
  return width;
}

ProductResult::ProductResult(KernelCode &k, const ProductSpec &spec, unsigned firstArgument)
    : k(k), spec(spec) {
  auto next = [&] { return k.pointer(firstArgument++, spec.out); };
  to = next();
  if (spec.bias)
    bias = next();
  if (spec.addend)
    addend = next();
}

Scalars ProductResult::load(Pointer from, Scalar at, size_t count) {
  Value vector = k.loadVector(from, at, int64_t(count));
  Scalars elements;
  for (size_t i = 0; i < count; ++i)
    elements.push_back(k.cast(k.element(vector, int64_t(i)), spec.compute()));
  return elements;
}

void ProductResult::store(ArrayRef<Scalar> sums, Scalar at, Scalar column) {
  Scalars values(sums.begin(), sums.end());
  // Each operation rounds, as it would on its own.
  ScalarEmitter emit(k.b, k.b.getLoc());
  auto add = [&](Pointer from, Scalar position) {
    for (auto [value, more] : llvm::zip(values, load(from, position, values.size())))
      value = k.wrap(emit.rounded(value, spec.out)) + more;
  };
  if (spec.bias)
    add(bias, column);
  if (spec.addend)
    add(addend, at);
  if (spec.relu)
    for (Scalar &value : values)
      value = k.select(value <= 0, k.constant(value.type(), 0), value);
  Value vector = k.vectorOf(values);
  auto type = VectorType::get({int64_t(values.size())}, spec.out);
  if (vector.getType() != type)
    vector = arith::TruncFOp::create(k.b, type, vector);
  k.storeVector(vector, to, at);
}

TileResult::TileResult(KernelCode &k, const ProductSpec &spec, const ProductPlan &plan,
                       const ProductBlock &block)
    : k(k), spec(spec), plan(plan), parts(k.pointer(ArgumentC, spec.compute())),
      matrix(block.part * spec.batch + block.matrix) {
  if (plan.splits == 1)
    result.emplace(k, spec, ArgumentC);
}

void TileResult::store(ArrayRef<Scalar> sums, Scalar row, Scalar column) {
  Scalar inside = column < spec.n;
  if (spec.m % plan.tileRows != 0)
    inside = inside & (row < spec.m);
  Scalar at = (matrix * spec.m + wide(row)) * spec.n + wide(column);
  k.when(inside, [&] {
    if (plan.splits == 1)
      return result->store(sums, at, wide(column));
    // Sums take up to twice 16 bytes.
    const size_t most = size_t(16 / bytesOf(spec.compute()));
    for (size_t i = 0; i < sums.size(); i += most)
      k.storeVector(k.vectorOf(sums.slice(i, std::min(most, sums.size() - i))), parts, at + int64_t(i));
  });
}
