// Chooses register tiles, cache blocks, packing and tasks. The reasoning in bytes and FLOPs is in README.md.
#include "compiler/conversion/Matmul/Matmul.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>

namespace heddle::cpu {
namespace {

using llvm::divideCeil;

// A task should be worth several times the cost of handing it out.
constexpr int64_t flopsPerTask = 4 << 20;
// Loading a byte from a shared cache or memory costs a core about as much as this many FLOPs.
constexpr int64_t flopsPerByte = 4;
// Without a hint: enough tasks to spread evenly over this many threads.
constexpr int64_t defaultThreads = 8;
// Stack of one task: libomp's workers have 4 MiB.
constexpr int64_t stackLimit = 512 << 10;
// Steps along A that are at least this far apart cost an address translation each.
constexpr int64_t farBytes = 4096;
constexpr int64_t workspaceAlignment = 64;

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t roundUp(int64_t a, int64_t b) { return ceilDiv(a, b) * b; }

int64_t minimalExtent(const MatmulOperand &op, int64_t batch, int64_t rows, int64_t columns) {
  if (batch == 0 || rows == 0 || columns == 0)
    return 0;
  return 1 + (batch - 1) * op.batchStride + (rows - 1) * op.rowStride + (columns - 1) * op.columnStride;
}

bool narrow(MatmulElement element) { return matmulElementBytes(element) == 2; }

// Rewrites the specification into an equal one that is easier to run fast.
void normalise(MatmulPlan &plan) {
  MatmulSpec &spec = plan.spec;
  spec.a.extent = std::max(spec.a.extent, minimalExtent(spec.a, spec.batch, spec.m, spec.k));
  spec.b.extent = std::max(spec.b.extent, minimalExtent(spec.b, spec.batch, spec.k, spec.n));
  spec.c.extent = std::max(spec.c.extent, minimalExtent(spec.c, spec.batch, spec.m, spec.n));
  if (spec.batch == 1)
    spec.a.batchStride = spec.b.batchStride = spec.c.batchStride = 0;
  // Batches that share B and follow each other in A and C are more rows of one product.
  bool sameB = spec.b.batchStride == 0;
  if (spec.batch > 1 && sameB && spec.a.batchStride == spec.m * spec.a.rowStride &&
      spec.c.batchStride == spec.m * spec.c.rowStride) {
    spec.m *= spec.batch;
    spec.batch = 1;
  }
  // One column: compute the transpose, whose single row can lie along the lanes.
  if (spec.n == 1 && spec.m > 1) {
    plan.swapped = true;
    std::swap(spec.a, spec.b);
    std::swap(spec.m, spec.n);
    for (MatmulOperand *op : {&spec.a, &spec.b, &spec.c})
      std::swap(op->rowStride, op->columnStride);
  }
  // The stride along an axis of size 1 is never used: make it the convenient one.
  auto simplify = [](MatmulOperand &op, int64_t rows, int64_t columns) {
    if (columns == 1)
      op.columnStride = 1;
    else if (rows == 1 && op.columnStride != 1)
      op.rowStride = 1;
  };
  simplify(spec.a, spec.m, spec.k);
  simplify(spec.b, spec.k, spec.n);
}

int64_t accumulatorBytes(const MatmulPlan &plan) { return matmulElementBytes(plan.accumulator); }

// The tile that keeps the multipliers busy: rows * vectors accumulators, the vectors of one row of B and one
// broadcast of A must fit in the registers. Few loads for a multiply-add, and enough independent sums.
void chooseTile(MatmulPlan &plan) {
  const MatmulSpec &spec = plan.spec;
  int64_t registers = plan.target.vectorRegisters;
  // Without FMA a product needs a register of its own before it is added.
  if (!plan.target.fusedMultiplyAdd)
    registers -= 1;
  int64_t rowsByVectors[] = {0, registers >= 32 ? 14 : 10, (registers - 3) / 2, (registers - 4) / 3, 6};
  int64_t widest = registers >= 32 ? 4 : 2;
  int64_t needed = ceilDiv(spec.n, plan.lanes);
  int64_t vectors = ceilDiv(needed, ceilDiv(needed, widest));
  int64_t rows = rowsByVectors[vectors];
  // If one tile can hold all rows, B is read only once; the registers that are left hold more columns.
  int64_t mostRows = registers >= 32 ? 14 : rowsByVectors[2];
  if (spec.m <= mostRows) {
    rows = spec.m;
    vectors = std::min(needed, std::clamp<int64_t>((registers - 1) / (spec.m + 1), 1, 8));
  }
  if (plan.target.tileRows > 0)
    rows = plan.target.tileRows;
  if (plan.target.tileVectors > 0)
    vectors = std::min(needed, plan.target.tileVectors);
  plan.rowPanels = ceilDiv(spec.m, rows);
  plan.tileRows = ceilDiv(spec.m, plan.rowPanels);
  plan.tallPanels = spec.m - plan.rowPanels * (plan.tileRows - 1);
  plan.tileVectors = vectors;
  plan.columnPanels = ceilDiv(needed, vectors);
}

// A panel of B stays in the second level cache while it meets the rows of a task.
void chooseBlocks(MatmulPlan &plan) {
  int64_t k = plan.spec.k;
  bool inPlace = plan.sourceA == MatmulSource::Direct && plan.sourceB == MatmulSource::Direct;
  int64_t bytes = accumulatorBytes(plan);
  int64_t bytesOfStep = plan.tileVectors * plan.lanes * bytes;
  int64_t limit = std::min(plan.target.l2Bytes / 8, stackLimit / 4) / bytesOfStep;
  // A copy of one row panel must fit the stack as well.
  if (plan.sourceA == MatmulSource::Local)
    limit = std::min(limit, stackLimit / 4 / (plan.tileRows * bytes));
  limit = std::max<int64_t>(limit, 4 * plan.lanes);
  int64_t unblocked = 2 * limit;
  if (plan.target.kBlock > 0)
    limit = unblocked = plan.target.kBlock;
  // Without reuse of panels there is nothing to keep in a cache.
  if (k <= unblocked || (plan.rowPanels == 1 && inPlace)) {
    plan.kBlock = k;
    return;
  }
  plan.kBlock = roundUp(ceilDiv(k, ceilDiv(k, limit)), plan.lanes);
}

void chooseSources(MatmulPlan &plan) {
  const MatmulSpec &spec = plan.spec;
  // A is read by broadcasts, one line of cache for many steps or many rows: a copy pays only for a
  // conversion, where neither its rows nor its columns are contiguous, or where every step is on a page of
  // its own.
  bool nearby = spec.a.rowStride == 1 && spec.a.columnStride * accumulatorBytes(plan) < farBytes;
  bool plainA = spec.a.columnStride == 1 || nearby;
  bool readOften = (plan.columnPanels > 1 || narrow(spec.a.element)) && spec.m > 1;
  plan.sourceA =
      readOften && (narrow(spec.a.element) || !plainA) ? MatmulSource::Local : MatmulSource::Direct;
  // B is read by vectors: packing makes them aligned and dense. It pays once B is read often, unless B is so
  // small that it stays in the cache as it is.
  bool plainB = spec.b.columnStride == 1;
  bool small = spec.k * spec.n * accumulatorBytes(plan) <= plan.target.l2Bytes / 4;
  bool rarely = plan.rowPanels <= (narrow(spec.b.element) ? 1 : 3);
  bool seldom = plan.rowPanels <= 48 && !narrow(spec.b.element);
  // One panel whose rows are adjacent has the packed layout already.
  bool packed = plan.columnPanels == 1 && spec.n % plan.lanes == 0 && spec.b.rowStride == spec.n &&
                !narrow(spec.b.element);
  bool direct = plainB && (rarely || packed || (small && seldom));
  plan.sourceB = direct ? MatmulSource::Direct : MatmulSource::Shared;
}

// Tasks are blocks of C, about square. Rows of a task: its part of A stays in half of the second level cache.
void chooseTasks(MatmulPlan &plan, int64_t threadsHint) {
  const MatmulSpec &spec = plan.spec;
  int64_t bytes = accumulatorBytes(plan);
  int64_t panelWidth = plan.tileVectors * plan.lanes;
  int64_t flops = 2 * spec.m * spec.n * spec.k;
  int64_t traffic = (spec.m * spec.k + spec.k * spec.n + spec.m * spec.n) * bytes;
  int64_t cost = std::max(flops, traffic * flopsPerByte);
  int64_t threads = threadsHint > 0 ? threadsHint : defaultThreads;
  int64_t wanted = std::min<int64_t>(ceilDiv(cost * spec.batch, flopsPerTask), threads * 4);
  wanted = std::max<int64_t>(ceilDiv(wanted, spec.batch), 1);

  int64_t panelBytes = plan.tileRows * (plan.kBlock + 2 * 64 / bytes) * bytes;
  bool copied = plan.sourceA == MatmulSource::Local;
  int64_t blockBytes = copied ? std::min(stackLimit / 2, plan.target.l2Bytes / 2) : plan.target.l2Bytes / 2;
  int64_t maxPanels = std::max<int64_t>(blockBytes / panelBytes, copied ? 1 : 4);
  if (plan.columnPanels == 1 && !copied)
    maxPanels = plan.rowPanels; // nothing of A is read twice
  if (plan.target.rowPanels > 0)
    maxPanels = plan.target.rowPanels;
  int64_t rowTasks = ceilDiv(plan.rowPanels, maxPanels);
  int64_t columnTasks = 1;
  while (rowTasks * columnTasks < wanted) {
    int64_t rows = ceilDiv(plan.rowPanels, rowTasks), columns = ceilDiv(plan.columnPanels, columnTasks);
    bool tall = rows * plan.tileRows >= columns * panelWidth;
    if (rows > (columns == 1 ? 2 : 4) && (tall || columns == 1))
      ++rowTasks;
    else if (columns > 1)
      ++columnTasks;
    else
      break;
  }

  if (plan.sourceB == MatmulSource::Shared) {
    int64_t batches = spec.b.batchStride == 0 ? 1 : spec.batch;
    int64_t packed = batches * plan.columnPanels * panelWidth * spec.k * bytes;
    // One task per batch, or more than a workspace may hold: the tasks pack what they need themselves.
    bool alone = rowTasks == 1 && batches == spec.batch;
    if (alone || packed > plan.target.workspaceLimit) {
      plan.sourceB = MatmulSource::Local;
      int64_t maxColumns = std::max<int64_t>(stackLimit / 2 / (plan.kBlock * panelWidth * bytes), 1);
      columnTasks = std::max(columnTasks, ceilDiv(plan.columnPanels, maxColumns));
    }
  }
  plan.rowPanelsPerTask = ceilDiv(plan.rowPanels, rowTasks);
  plan.rowTasks = ceilDiv(plan.rowPanels, plan.rowPanelsPerTask);
  plan.columnPanelsPerTask = ceilDiv(plan.columnPanels, columnTasks);
  plan.columnTasks = ceilDiv(plan.columnPanels, plan.columnPanelsPerTask);
}

// What a task copies into its stack.
void layOutScratch(MatmulPlan &plan) {
  const MatmulSpec &spec = plan.spec;
  int64_t bytes = accumulatorBytes(plan);
  if (plan.sourceA == MatmulSource::Local) {
    plan.copyRows = spec.a.rowStride != 1 || spec.a.columnStride == 1;
    // An odd number of cache lines spreads the rows of a panel over the sets of the first level cache.
    int64_t lines = ceilDiv(plan.kBlock * bytes, 64) | 1;
    plan.copyRowLength = plan.copyRows ? lines * 64 / bytes : plan.kBlock;
    plan.stackElementsA = plan.rowPanelsPerTask * plan.tileRows * plan.copyRowLength;
  }
  if (plan.sourceB == MatmulSource::Local)
    plan.stackElementsB = plan.columnPanelsPerTask * plan.tileVectors * plan.lanes * plan.kBlock;
}

void planTiled(MatmulPlan &plan, int64_t threadsHint) {
  const MatmulSpec &spec = plan.spec;
  chooseTile(plan);
  chooseSources(plan);
  chooseBlocks(plan);
  chooseTasks(plan, threadsHint);
  layOutScratch(plan);

  int64_t bytes = accumulatorBytes(plan);
  int64_t elements = 0;
  MatmulPhase product{"product", spec.batch * plan.rowTasks * plan.columnTasks, {}};
  product.arguments.push_back(MatmulArgument::A);
  if (plan.sourceB == MatmulSource::Shared) {
    int64_t batches = spec.b.batchStride == 0 ? 1 : spec.batch;
    elements += batches * plan.columnPanels * plan.tileVectors * plan.lanes * spec.k;
    plan.packSteps = roundUp(ceilDiv(spec.k, ceilDiv(spec.k, 512)), plan.lanes);
    int64_t tasks = batches * plan.columnPanels * ceilDiv(spec.k, plan.packSteps);
    plan.phases.push_back({"pack", tasks, {MatmulArgument::B, MatmulArgument::Workspace}});
  } else {
    product.arguments.push_back(MatmulArgument::B);
  }
  product.arguments.push_back(MatmulArgument::C);
  plan.wideC = plan.blocked() && spec.c.element != plan.accumulator;
  if (plan.wideC) {
    plan.wideCOffset = roundUp(elements, workspaceAlignment / bytes);
    elements = plan.wideCOffset + spec.batch * spec.m * spec.n;
  }
  plan.workspaceBytes = roundUp(elements * bytes, workspaceAlignment);
  if (elements > 0)
    product.arguments.push_back(MatmulArgument::Workspace);
  plan.phases.push_back(std::move(product));
}

// Rows of B's transpose are taken four at a time; a task gets as many groups as make it worth while.
void planDot(MatmulPlan &plan) {
  plan.tileRows = 4;
  plan.rowPanels = ceilDiv(plan.spec.n, plan.tileRows);
  int64_t costOfPanel = plan.tileRows * plan.spec.k * matmulElementBytes(plan.spec.b.element) * flopsPerByte;
  plan.rowPanelsPerTask =
      std::clamp<int64_t>(flopsPerTask / 4 / std::max<int64_t>(costOfPanel, 1), 1, plan.rowPanels);
  plan.rowTasks = ceilDiv(plan.rowPanels, plan.rowPanelsPerTask);
  plan.phases.push_back({"product",
                         plan.spec.batch * plan.rowTasks,
                         {MatmulArgument::A, MatmulArgument::B, MatmulArgument::C}});
}

} // namespace

int64_t matmulElementBytes(MatmulElement element) {
  switch (element) {
  case MatmulElement::F64:
    return 8;
  case MatmulElement::F32:
    return 4;
  case MatmulElement::BF16:
  case MatmulElement::F16:
    return 2;
  }
  return 0;
}

MatmulSpec MatmulSpec::contiguous(int64_t batch, int64_t m, int64_t n, int64_t k, MatmulElement element,
                                  bool transposeA, bool transposeB) {
  MatmulSpec spec{batch, m, n, k, {}, {}, {}, false};
  spec.a = {element, m * k, transposeA ? 1 : k, transposeA ? m : 1};
  spec.b = {element, k * n, transposeB ? 1 : n, transposeB ? k : 1};
  spec.c = {element, m * n, n, 1};
  return spec;
}

MatmulPlan planMatmul(const MatmulSpec &spec, const MatmulTarget &target, int64_t threadsHint) {
  MatmulPlan plan;
  plan.spec = spec;
  plan.target = target;
  bool wide = spec.a.element == MatmulElement::F64 || spec.b.element == MatmulElement::F64;
  plan.accumulator = wide ? MatmulElement::F64 : MatmulElement::F32;
  plan.lanes = target.vectorBits / 8 / accumulatorBytes(plan);
  normalise(plan);
  const MatmulSpec &s = plan.spec;
  plan.kBlock = s.k;
  if (s.batch == 0 || s.m == 0 || s.n == 0 || (s.k == 0 && s.accumulate))
    return plan;
  if (s.k == 0) {
    plan.strategy = MatmulStrategy::Fill;
    plan.phases.push_back({"fill", s.batch, {MatmulArgument::C}});
    return plan;
  }
  bool contiguousAlongK = s.a.columnStride == 1 && s.b.rowStride == 1;
  if (s.m == 1 && contiguousAlongK && s.b.columnStride != 1) {
    plan.strategy = MatmulStrategy::Dot;
    planDot(plan);
    return plan;
  }
  plan.strategy = MatmulStrategy::Tiled;
  planTiled(plan, threadsHint);
  return plan;
}

} // namespace heddle::cpu
