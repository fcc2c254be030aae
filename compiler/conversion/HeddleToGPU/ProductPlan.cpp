//===- ProductPlan.cpp - How a dense product is cut into blocks -----------===//

#include "compiler/conversion/HeddleToGPU/ProductPlan.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <optional>

using namespace heddle::gpu;

mlir::Type ProductSpec::compute() const { return cpu::computeType(element); }
bool ProductSpec::usesTensorCores() const {
  return element.isBF16() || element.isF16() || (tf32 && element.isF32());
}

namespace {

/// A size of tile and what was measured or is assumed of it.
struct Candidate {
  int64_t rows, columns, threads;
  int64_t resident;  ///< blocks that one multiprocessor holds
  double efficiency; ///< of its peak that such blocks reach together
};

constexpr Candidate tensorCandidates[] = {
    {128, 128, 128, 2, 1.0}, {128, 64, 128, 3, 0.8}, {64, 128, 128, 3, 0.8}, {64, 64, 128, 4, 0.6}};
constexpr Candidate registerCandidates[] = {{128, 128, 256, 2, 1.0}, {64, 64, 256, 4, 0.6}};
/// Values of 8 bytes fill twice the registers.
constexpr Candidate wideCandidates[] = {{64, 64, 256, 2, 1.0}};

/// A GPU to count with; of an H100.
constexpr int64_t multiprocessors = 132;
constexpr double bytesPerCycle = 13;  ///< of each multiprocessor's share of memory
constexpr double launchCycles = 4000; ///< of one more kernel
constexpr int64_t startSteps = 2;     ///< as long as the first copies of a block take
constexpr int64_t maximalPartials = int64_t(256) << 20;

} // namespace

static llvm::ArrayRef<Candidate> candidatesFor(const ProductSpec &spec) {
  if (spec.usesTensorCores())
    return tensorCandidates;
  if (spec.compute().getIntOrFloatBitWidth() == 64)
    return wideCandidates;
  return registerCandidates;
}

std::vector<Choice> heddle::gpu::productCandidates(const ProductSpec &spec) {
  std::vector<Choice> choices = {{}};
  for (const Candidate &candidate : candidatesFor(spec)) {
    const Choice tile = {{"rows", candidate.rows}, {"columns", candidate.columns}};
    const int64_t splits = planProduct(spec, tile).splits;
    choices.push_back(tile);
    for (int64_t other : {int64_t(1), 2 * splits}) {
      choices.push_back(tile);
      choices.back().set("splits", other);
    }
  }
  return choices;
}

ProductPlan heddle::gpu::planProduct(const ProductSpec &spec, const Choice &choice) {
  const bool tensor = spec.usesTensorCores();
  const int64_t bytes = llvm::divideCeil(spec.element.getIntOrFloatBitWidth(), 8);
  const int64_t computeBytes = llvm::divideCeil(spec.compute().getIntOrFloatBitWidth(), 8);
  const int64_t depth = tensor ? 128 / bytes : 16;
  const double multiplyAdds = tensor ? 2400.0 / bytes : computeBytes == 8 ? 64 : 128; // in a cycle
  std::optional<ProductPlan> best;
  double bestCycles = 0;
  for (const Candidate &candidate : candidatesFor(spec)) {
    if (choice["rows"].value_or(candidate.rows) != candidate.rows ||
        choice["columns"].value_or(candidate.columns) != candidate.columns)
      continue;
    ProductPlan plan;
    plan.tileRows = candidate.rows;
    plan.tileColumns = candidate.columns;
    plan.threads = candidate.threads;
    plan.depth = depth;
    plan.rowTiles = llvm::divideCeil(spec.m, candidate.rows);
    plan.columnTiles = llvm::divideCeil(spec.n, candidate.columns);
    const int64_t steps = std::max<int64_t>(llvm::divideCeil(spec.k, depth), 1);
    const int64_t slots = multiprocessors * candidate.resident;
    for (int64_t splits = 1; splits <= std::min<int64_t>(steps, 64); ++splits) {
      const int64_t partSteps = llvm::divideCeil(steps, splits);
      if (int64_t(llvm::divideCeil(steps, partSteps)) != splits)
        continue;
      const int64_t partials = splits * spec.elements() * computeBytes;
      if (splits > 1 && (partials > maximalPartials || partSteps < 4))
        break;
      if (choice["splits"].value_or(splits) != splits)
        continue;
      const int64_t blocks = spec.batch * plan.tiles() * splits;
      // Full rounds of blocks, and a last one in which the blocks of a multiprocessor share it.
      const int64_t rounds = blocks / slots, rest = blocks % slots;
      const int64_t shared = rounds * candidate.resident + llvm::divideCeil(rest, multiprocessors);
      double cycles = double(shared) * double(candidate.rows * candidate.columns) *
                      double((partSteps + startSteps) * depth) / (multiplyAdds * candidate.efficiency);
      if (splits > 1)
        cycles += launchCycles + 2.0 * double(partials) / (multiprocessors * bytesPerCycle);
      if (!best || cycles < bestCycles) {
        plan.splits = splits;
        plan.splitDepth = partSteps * depth;
        best = plan;
        bestCycles = cycles;
      }
    }
  }
  // What is chosen may be impossible here.
  return best ? *best : planProduct(spec);
}
