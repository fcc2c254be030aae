//===- Reduction.cpp - Reductions and scans -------------------------------===//

#include "compiler/interpreter/Evaluate.h"

#include "dialects/heddle/IR/Heddle.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace heddle::interp;
namespace ir = heddle::ir;
using Kind = ir::ReductionKind;

//===----------------------------------------------------------------------===//
// reduce
//===----------------------------------------------------------------------===//

/// The result over nothing.
static double realIdentity(Kind kind) {
  switch (kind) {
  case Kind::prod:
    return 1;
  case Kind::max:
    return -std::numeric_limits<double>::infinity();
  case Kind::min:
    return std::numeric_limits<double>::infinity();
  default:
    return 0;
  }
}

static int64_t integerIdentity(Kind kind, Element element) {
  switch (kind) {
  case Kind::prod:
  case Kind::all:
    return 1;
  case Kind::max:
    return integerFromReal(element, realIdentity(Kind::max));
  case Kind::min:
    return integerFromReal(element, realIdentity(Kind::min));
  default:
    return 0;
  }
}

static double combine(Kind kind, double a, double x) {
  switch (kind) {
  case Kind::sum:
    return a + x;
  case Kind::prod:
    return a * x;
  case Kind::max:
    return std::isnan(a) || a >= x ? a : x;
  default:
    return std::isnan(a) || a <= x ? a : x;
  }
}

static int64_t combine(Kind kind, int64_t a, int64_t x) {
  switch (kind) {
  case Kind::sum:
    return static_cast<int64_t>(uint64_t(a) + uint64_t(x));
  case Kind::prod:
    return static_cast<int64_t>(uint64_t(a) * uint64_t(x));
  case Kind::max:
    return std::max(a, x);
  case Kind::min:
    return std::min(a, x);
  case Kind::any:
    return a | x;
  case Kind::all:
    return a & x;
  }
  return a;
}

static Array evaluateReduce(const Context &context, ir::ReduceOp op, const Array &x) {
  Shape strides = rowMajorStrides(x.shape()), kept, keptStrides, gone, goneStrides;
  for (int64_t d = 0; d < x.rank(); ++d) {
    bool reduced = llvm::is_contained(op.getAxes(), d);
    (reduced ? gone : kept).push_back(x.extent(d));
    (reduced ? goneStrides : keptStrides).push_back(strides[d]);
  }
  Kind kind = op.getKind();
  Array result = context.make(op, kept);
  Element element = result.element();
  auto out = result.edit();
  int64_t i = 0;
  walk<1>(kept, {keptStrides}, {0}, [&](auto start) {
    if (x.isFloat()) {
      double total = realIdentity(kind);
      walk<1>(gone, {goneStrides}, start, [&](auto at) { total = combine(kind, total, x.real(at[0])); });
      out[i++].real = roundTo(element, total);
    } else {
      int64_t total = integerIdentity(kind, element);
      walk<1>(gone, {goneStrides}, start, [&](auto at) { total = combine(kind, total, x.integer(at[0])); });
      out[i++].integer = wrapTo(element, total);
    }
  });
  return result;
}

//===----------------------------------------------------------------------===//
// arg_reduce, cumsum
//===----------------------------------------------------------------------===//

static Array evaluateArgReduce(const Context &context, ir::ArgReduceOp op, const Array &x) {
  bool wantLargest = op.getKind() == ir::ArgReductionKind::argmax;
  // Whether the element at `a` is strictly nearer to what is looked for than the one at `b`; a NaN is
  // nearest.
  auto better = [&](int64_t a, int64_t b) {
    if (!x.isFloat())
      return wantLargest ? x.integer(a) > x.integer(b) : x.integer(a) < x.integer(b);
    if (std::isnan(x.real(a)) || std::isnan(x.real(b)))
      return std::isnan(x.real(a)) && !std::isnan(x.real(b));
    return wantLargest ? x.real(a) > x.real(b) : x.real(a) < x.real(b);
  };
  AxisView view(x.shape(), op.getAxis());
  Shape shape(x.shape());
  shape.erase(shape.begin() + op.getAxis());
  if (view.extent == 0)
    fail(op, "axis " + Twine(op.getAxis()) + " of " + x.typeString() + " is empty");
  Array result = context.make(op, shape);
  auto out = result.edit();
  for (int64_t o = 0; o < view.outer; ++o)
    for (int64_t r = 0; r < view.inner; ++r) {
      int64_t best = 0;
      for (int64_t i = 1; i < view.extent; ++i)
        if (better(view.at(o, i, r), view.at(o, best, r)))
          best = i;
      out[o * view.inner + r].integer = best;
    }
  return result;
}

static Array evaluateCumsum(const Context &context, ir::CumsumOp op, const Array &x) {
  AxisView view(x.shape(), op.getAxis());
  Array result = context.make(op, x.shape());
  Element element = result.element();
  auto out = result.edit();
  for (int64_t o = 0; o < view.outer; ++o)
    for (int64_t r = 0; r < view.inner; ++r) {
      double real = 0;
      uint64_t integer = 0;
      for (int64_t step = 0; step < view.extent; ++step) {
        int64_t at = view.at(o, op.getReverse() ? view.extent - 1 - step : step, r);
        if (x.isFloat())
          out[at].real = roundTo(element, real += x.real(at));
        else
          out[at].integer =
              wrapTo(element, static_cast<int64_t>(integer += static_cast<uint64_t>(x.integer(at))));
      }
    }
  return result;
}

bool heddle::interp::evaluateReduction(const Context &context, Operation *op, Inputs inputs,
                                       Results &results) {
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case([&](ir::ReduceOp o) { return results.push_back(evaluateReduce(context, o, inputs[0])), true; })
      .Case([&](ir::ArgReduceOp o) {
        return results.push_back(evaluateArgReduce(context, o, inputs[0])), true;
      })
      .Case([&](ir::CumsumOp o) { return results.push_back(evaluateCumsum(context, o, inputs[0])), true; })
      .Default([](Operation *) { return false; });
}
