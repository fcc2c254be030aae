//===- Elementwise.cpp - One element at a time ----------------------------===//

#include "compiler/interpreter/Evaluate.h"

#include "dialects/heddle/IR/Heddle.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace heddle::interp;
namespace ir = heddle::ir;

//===----------------------------------------------------------------------===//
// Real functions
//===----------------------------------------------------------------------===//

static double sigmoid(double x) {
  if (x >= 0)
    return 1 / (1 + std::exp(-x));
  double e = std::exp(x); // exp(-x) would overflow
  return e / (1 + e);
}

static double signOf(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }

/// a - b floor(a / b) without its rounding errors, of b's sign.
static double pythonRemainder(double a, double b) {
  double r = std::fmod(a, b);
  if (r == 0)
    return std::copysign(0.0, b);
  return (r < 0) != (b < 0) ? r + b : r;
}

static double larger(double a, double b) { return std::isnan(a) ? a : std::isnan(b) ? b : a > b ? a : b; }
static double smaller(double a, double b) { return std::isnan(a) ? a : std::isnan(b) ? b : a < b ? a : b; }

using RealUnary = double (*)(double);

static RealUnary realUnary(Operation *op) {
  return llvm::TypeSwitch<Operation *, RealUnary>(op)
      .Case<ir::NegOp>([](auto) { return +[](double x) { return -x; }; })
      .Case<ir::AbsOp>([](auto) { return +[](double x) { return std::fabs(x); }; })
      .Case<ir::SignOp>([](auto) { return +signOf; })
      .Case<ir::ExpOp>([](auto) { return +[](double x) { return std::exp(x); }; })
      .Case<ir::Expm1Op>([](auto) { return +[](double x) { return std::expm1(x); }; })
      .Case<ir::LogOp>([](auto) { return +[](double x) { return std::log(x); }; })
      .Case<ir::Log1pOp>([](auto) { return +[](double x) { return std::log1p(x); }; })
      .Case<ir::SqrtOp>([](auto) { return +[](double x) { return std::sqrt(x); }; })
      .Case<ir::RsqrtOp>([](auto) { return +[](double x) { return 1 / std::sqrt(x); }; })
      .Case<ir::SinOp>([](auto) { return +[](double x) { return std::sin(x); }; })
      .Case<ir::CosOp>([](auto) { return +[](double x) { return std::cos(x); }; })
      .Case<ir::TanhOp>([](auto) { return +[](double x) { return std::tanh(x); }; })
      .Case<ir::ErfOp>([](auto) { return +[](double x) { return std::erf(x); }; })
      .Case<ir::SigmoidOp>([](auto) { return +sigmoid; })
      .Case<ir::FloorOp>([](auto) { return +[](double x) { return std::floor(x); }; })
      .Case<ir::CeilOp>([](auto) { return +[](double x) { return std::ceil(x); }; })
      .Case<ir::RoundOp>([](auto) { return +[](double x) { return std::nearbyint(x); }; })
      .Default([](Operation *) { return nullptr; });
}

using RealBinary = double (*)(double, double);

static RealBinary realBinary(Operation *op) {
  return llvm::TypeSwitch<Operation *, RealBinary>(op)
      .Case<ir::AddOp>([](auto) { return +[](double a, double b) { return a + b; }; })
      .Case<ir::SubOp>([](auto) { return +[](double a, double b) { return a - b; }; })
      .Case<ir::MulOp>([](auto) { return +[](double a, double b) { return a * b; }; })
      .Case<ir::DivOp>([](auto) { return +[](double a, double b) { return a / b; }; })
      .Case<ir::RemOp>([](auto) { return +pythonRemainder; })
      .Case<ir::PowOp>([](auto) { return +[](double a, double b) { return std::pow(a, b); }; })
      .Case<ir::MaxOp>([](auto) { return +larger; })
      .Case<ir::MinOp>([](auto) { return +smaller; })
      .Default([](Operation *) { return nullptr; });
}

//===----------------------------------------------------------------------===//
// Integer functions, wrapping
//===----------------------------------------------------------------------===//

static int64_t wrapped(uint64_t value) { return static_cast<int64_t>(value); }

static int64_t floorQuotient(int64_t a, int64_t b) {
  if (b == 0)
    return 0;
  if (b == -1)
    return wrapped(-static_cast<uint64_t>(a)); // the one quotient that can overflow
  int64_t q = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

static int64_t floorRemainder(int64_t a, int64_t b) {
  if (b == 0 || b == -1)
    return 0;
  int64_t r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

using IntegerUnary = int64_t (*)(int64_t);

static IntegerUnary integerUnary(Operation *op) {
  return llvm::TypeSwitch<Operation *, IntegerUnary>(op)
      .Case<ir::NegOp>([](auto) { return +[](int64_t x) { return wrapped(-static_cast<uint64_t>(x)); }; })
      .Case<ir::AbsOp>(
          [](auto) { return +[](int64_t x) { return x < 0 ? wrapped(-static_cast<uint64_t>(x)) : x; }; })
      .Case<ir::SignOp>([](auto) { return +[](int64_t x) { return int64_t(x > 0) - int64_t(x < 0); }; })
      .Case<ir::NotOp>([](auto) { return +[](int64_t x) { return 1 - x; }; })
      .Default([](Operation *) { return nullptr; });
}

using IntegerBinary = int64_t (*)(int64_t, int64_t);

static IntegerBinary integerBinary(Operation *op) {
  return llvm::TypeSwitch<Operation *, IntegerBinary>(op)
      .Case<ir::AddOp>(
          [](auto) { return +[](int64_t a, int64_t b) { return wrapped(uint64_t(a) + uint64_t(b)); }; })
      .Case<ir::SubOp>(
          [](auto) { return +[](int64_t a, int64_t b) { return wrapped(uint64_t(a) - uint64_t(b)); }; })
      .Case<ir::MulOp>(
          [](auto) { return +[](int64_t a, int64_t b) { return wrapped(uint64_t(a) * uint64_t(b)); }; })
      .Case<ir::DivOp>([](auto) { return +floorQuotient; })
      .Case<ir::RemOp>([](auto) { return +floorRemainder; })
      .Case<ir::MaxOp>([](auto) { return +[](int64_t a, int64_t b) { return a > b ? a : b; }; })
      .Case<ir::MinOp>([](auto) { return +[](int64_t a, int64_t b) { return a < b ? a : b; }; })
      .Case<ir::AndOp>([](auto) { return +[](int64_t a, int64_t b) { return a & b; }; })
      .Case<ir::OrOp>([](auto) { return +[](int64_t a, int64_t b) { return a | b; }; })
      .Default([](Operation *) { return nullptr; });
}

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

template <typename T>
static bool holds(ir::ComparePredicate predicate, T a, T b) {
  switch (predicate) {
  case ir::ComparePredicate::eq:
    return a == b;
  case ir::ComparePredicate::ne:
    return a != b;
  case ir::ComparePredicate::lt:
    return a < b;
  case ir::ComparePredicate::le:
    return a <= b;
  case ir::ComparePredicate::gt:
    return a > b;
  case ir::ComparePredicate::ge:
    return a >= b;
  }
  return false;
}

static Array evaluateCompare(const Context &context, ir::CompareOp op, Inputs inputs) {
  const Array &a = inputs[0], &b = inputs[1];
  Array result = context.make(op, a.shape());
  auto out = result.edit();
  for (int64_t i = 0, n = a.count(); i < n; ++i)
    out[i].integer = a.isFloat() ? holds(op.getPredicate(), a.real(i), b.real(i))
                                 : holds(op.getPredicate(), a.integer(i), b.integer(i));
  return result;
}

static Array evaluateSelect(const Context &context, ir::SelectOp op, Inputs inputs) {
  Array result = context.make(op, inputs[0].shape());
  auto out = result.edit();
  for (int64_t i = 0, n = result.count(); i < n; ++i)
    out[i] = inputs[inputs[0].integer(i) ? 1 : 2].cells()[i];
  return result;
}

/// Operands of one operation with dynamic extents in its types may still differ.
static void checkSameShapes(Operation *op, Inputs inputs) {
  for (const Array &input : inputs.drop_front())
    if (input.shape() != inputs[0].shape())
      fail(op, "operands have shapes " + ir::shapeString(inputs[0].shape()) + " and " +
                   ir::shapeString(input.shape()));
}

bool heddle::interp::evaluateElementwise(const Context &context, Operation *op, Inputs inputs,
                                         Results &results) {
  if (isa<ir::StopGradientOp, ir::FenceOp>(op)) {
    results.push_back(inputs[0]);
    return true;
  }
  if (auto cast = dyn_cast<ir::CastOp>(op)) {
    results.push_back(inputs[0].cast(context.elementOf(cast.getType())));
    return true;
  }
  if (auto compare = dyn_cast<ir::CompareOp>(op)) {
    checkSameShapes(op, inputs);
    results.push_back(evaluateCompare(context, compare, inputs));
    return true;
  }
  if (auto select = dyn_cast<ir::SelectOp>(op)) {
    checkSameShapes(op, inputs);
    results.push_back(evaluateSelect(context, select, inputs));
    return true;
  }
  if (inputs.empty() || inputs.size() > 2)
    return false;

  bool real = inputs[0].isFloat(), binary = inputs.size() == 2;
  RealUnary f1 = real && !binary ? realUnary(op) : nullptr;
  RealBinary f2 = real && binary ? realBinary(op) : nullptr;
  IntegerUnary g1 = !real && !binary ? integerUnary(op) : nullptr;
  IntegerBinary g2 = !real && binary ? integerBinary(op) : nullptr;
  if (!f1 && !f2 && !g1 && !g2)
    return false;

  checkSameShapes(op, inputs);
  Array result = context.make(op, inputs[0].shape());
  auto out = result.edit();
  Element element = result.element();
  const Array &a = inputs.front(), &b = inputs.back();
  for (int64_t i = 0, n = a.count(); i < n; ++i) {
    if (real)
      out[i].real = roundTo(element, f1 ? f1(a.real(i)) : f2(a.real(i), b.real(i)));
    else
      out[i].integer = wrapTo(element, g1 ? g1(a.integer(i)) : g2(a.integer(i), b.integer(i)));
  }
  results.push_back(std::move(result));
  return true;
}
