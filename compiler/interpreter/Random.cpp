//===- Random.cpp - Counter-based random numbers --------------------------===//

#include "compiler/interpreter/Evaluate.h"
#include "compiler/interpreter/Philox.h"

#include "dialects/heddle/IR/Heddle.h"

#include <cmath>
#include <numbers>

using namespace mlir;
using namespace heddle::interp;
namespace ir = heddle::ir;

static uint32_t lowWord(int64_t value) { return static_cast<uint32_t>(value); }
static uint32_t highWord(int64_t value) { return static_cast<uint32_t>(static_cast<uint64_t>(value) >> 32); }

/// The 24 high bits as a fraction in [0, 1).
static double fraction(uint32_t word) { return (word >> 8) * 0x1p-24; }

/// Element `lane` of a block as a normal number: pairs of words give pairs of numbers.
static float normal(const PhiloxBlock &block, int lane) {
  double u = fraction(block[lane & 2]) + 0x1p-24, v = fraction(block[lane | 1]);
  double radius = std::sqrt(-2 * std::log(u)), angle = 2 * std::numbers::pi * v;
  return static_cast<float>(radius * (lane & 1 ? std::sin(angle) : std::cos(angle)));
}

static Array evaluateRandomOp(const Context &context, ir::RandomOp op, int64_t key) {
  Array result = context.make(op, context.staticShape(op));
  auto out = result.edit();
  PhiloxBlock block = {};
  for (int64_t i = 0, n = result.count(); i < n; ++i) {
    int lane = static_cast<int>(i % 4);
    if (lane == 0)
      block =
          philox({lowWord(i / 4), highWord(i / 4), lowWord(op.getStream()), 0}, static_cast<uint64_t>(key));
    switch (op.getDistribution()) {
    case ir::RandomDistribution::bits:
      out[i].integer = static_cast<int32_t>(block[lane]);
      break;
    case ir::RandomDistribution::uniform:
      out[i].real = roundTo(result.element(), fraction(block[lane]));
      break;
    case ir::RandomDistribution::normal:
      out[i].real = roundTo(result.element(), normal(block, lane));
      break;
    }
  }
  return result;
}

bool heddle::interp::evaluateRandom(const Context &context, Operation *op, Inputs inputs, Results &results) {
  if (auto random = dyn_cast<ir::RandomOp>(op)) {
    results.push_back(evaluateRandomOp(context, random, inputs[0].integer(0)));
    return true;
  }
  if (isa<ir::FoldInOp>(op)) {
    int64_t key = inputs[0].integer(0), data = inputs[1].integer(0);
    PhiloxBlock block = philox({lowWord(data), highWord(data), 0, 1}, static_cast<uint64_t>(key));
    Array result = context.make(op, {});
    result.edit()[0].integer = static_cast<int64_t>(uint64_t(block[1]) << 32 | block[0]);
    results.push_back(std::move(result));
    return true;
  }
  return false;
}
