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
constexpr int64_t stackBytes = 512 << 10;
// A workspace beyond this is not worth its memory: tasks pack their own part of B then.
constexpr int64_t maxPackedBytes = int64_t(256) << 20;
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

// The tile that keeps the multipliers busy: rows * vectors accumulators, the vectors of one row of B and one
// broadcast of A must fit in the registers.
void chooseTile(MatmulPlan &plan) {
  const MatmulSpec &spec = plan.spec;
  int64_t registers = plan.target.vectorRegisters;
  int64_t maxRows = registers >= 32 ? 14 : 6;
  // Without FMA a product needs a register of its own before it is added.
  if (!plan.target.fusedMultiplyAdd) {
    maxRows = 5;
    registers -= 1;
  }
  int64_t panels = ceilDiv(spec.m, maxRows);
  plan.rowPanels = panels;
  plan.tileRows = ceilDiv(spec.m, panels);
  plan.tallPanels = spec.m - panels * (plan.tileRows - 1);
  int64_t vectors = std::clamp<int64_t>((registers - 1) / (plan.tileRows + 1), 2, 8);
  plan.tileVectors = std::min(vectors, ceilDiv(spec.n, plan.lanes));
  plan.columnPanels = ceilDiv(spec.n, plan.tileVectors * plan.lanes);
}

int64_t accumulatorBytes(const MatmulPlan &plan) { return matmulElementBytes(plan.accumulator); }

// k blocks: a panel of B and one of A stay close to the first level cache while a column of tiles is
// computed.
void chooseBlocks(MatmulPlan &plan) {
  int64_t k = plan.spec.k;
  int64_t perStep = (plan.tileRows + plan.tileVectors * plan.lanes) * accumulatorBytes(plan);
  int64_t limit = std::max<int64_t>(plan.target.l1Bytes * 7 / 4 / perStep, 4 * plan.lanes);
  // Without reuse of packed panels there is nothing to keep in a cache.
  if (plan.rowPanels == 1 || k <= limit + limit / 2) {
    plan.kBlock = k;
    return;
  }
  plan.kBlock = roundUp(ceilDiv(k, ceilDiv(k, limit)), plan.lanes);
}

void chooseSources(MatmulPlan &plan) {
  const MatmulSpec &spec = plan.spec;
  bool rowsOfBAreVectors = spec.b.columnStride == 1;
  bool fewRows = plan.rowPanels <= (narrow(spec.b.element) ? 1 : 2);
  plan.sourceB = rowsOfBAreVectors && fewRows ? MatmulSource::Direct : MatmulSource::Shared;
  // Rows a multiple of 4 KiB apart share the sets of the first level cache.
  bool aliased = plan.tileRows > 6 && spec.a.columnStride == 1 &&
                 spec.a.rowStride * matmulElementBytes(spec.a.element) % 2048 == 0;
  bool fewColumns = plan.columnPanels <= (narrow(spec.a.element) || aliased ? 1 : 2);
  plan.sourceA = fewColumns || spec.m == 1 ? MatmulSource::Direct : MatmulSource::Local;
}

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

  // Rows first: a block of A is packed once and meets every panel of B. It must fit in the stack and in half
  // of the second level cache.
  int64_t panelBytes = plan.tileRows * (plan.kBlock + plan.lanes) * bytes;
  int64_t blockBytes = std::min(stackBytes / 2, plan.target.l2Bytes / 2);
  int64_t maxPanels = std::max<int64_t>(blockBytes / panelBytes, 1);
  if (plan.sourceA == MatmulSource::Direct)
    maxPanels = plan.rowPanels;
  int64_t rowTasks =
      std::max(ceilDiv(plan.rowPanels, maxPanels), std::min(wanted, ceilDiv(plan.rowPanels, 4)));
  plan.rowPanelsPerTask = ceilDiv(plan.rowPanels, rowTasks);
  plan.rowTasks = ceilDiv(plan.rowPanels, plan.rowPanelsPerTask);
  int64_t columnTasks = std::min(ceilDiv(wanted, plan.rowTasks), plan.columnPanels);

  if (plan.sourceB == MatmulSource::Shared) {
    int64_t batches = spec.b.batchStride == 0 ? 1 : spec.batch;
    int64_t packed = batches * plan.columnPanels * panelWidth * spec.k * bytes;
    // One task per batch, or more than the workspace may hold: the tasks pack what they need themselves.
    bool alone = plan.rowTasks == 1 && batches == spec.batch;
    if (alone || packed > maxPackedBytes) {
      plan.sourceB = MatmulSource::Local;
      int64_t maxColumns = std::max<int64_t>(stackBytes / 2 / (plan.kBlock * panelWidth * bytes), 1);
      columnTasks = std::max(columnTasks, ceilDiv(plan.columnPanels, maxColumns));
    }
  }
  plan.columnPanelsPerTask = ceilDiv(plan.columnPanels, columnTasks);
  plan.columnTasks = ceilDiv(plan.columnPanels, plan.columnPanelsPerTask);
}

void planTiled(MatmulPlan &plan, int64_t threadsHint) {
  const MatmulSpec &spec = plan.spec;
  chooseTile(plan);
  chooseBlocks(plan);
  chooseSources(plan);
  chooseTasks(plan, threadsHint);

  int64_t bytes = accumulatorBytes(plan);
  int64_t elements = 0;
  MatmulPhase product{"product", spec.batch * plan.rowTasks * plan.columnTasks, {}};
  product.arguments.push_back(MatmulArgument::A);
  if (plan.sourceB == MatmulSource::Shared) {
    int64_t batches = spec.b.batchStride == 0 ? 1 : spec.batch;
    elements += batches * plan.columnPanels * plan.tileVectors * plan.lanes * spec.k;
    plan.packSteps = std::min(roundUp(spec.k, plan.lanes), roundUp(512, plan.lanes));
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
