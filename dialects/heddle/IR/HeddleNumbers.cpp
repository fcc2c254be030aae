//===- HeddleNumbers.cpp - The elements of constants ----------------------===//

#include "dialects/heddle/IR/HeddleNumbers.h"

#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

#include <bit>
#include <cmath>

using namespace mlir;
using namespace heddle::ir;

//===----------------------------------------------------------------------===//
// Numbers of each type
//===----------------------------------------------------------------------===//

static APFloat nearest(FloatType type, double value) {
  APFloat number(value);
  bool inexact;
  number.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven, &inexact);
  return number;
}

static double toDouble(APFloat number) {
  bool inexact;
  number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &inexact);
  return number.convertToDouble();
}

static Number realNumber(Type type, double value) {
  return {.real = type.isF64() ? value : toDouble(nearest(cast<FloatType>(type), value))};
}

static Number integerNumber(Type type, int64_t value) {
  unsigned width = type.getIntOrFloatBitWidth();
  if (width == 1)
    return {.integer = value & 1};
  return {.integer = APInt(64, static_cast<uint64_t>(value), true).trunc(width).getSExtValue()};
}

static int64_t saturated(unsigned width, double value) {
  if (std::isnan(value))
    return 0;
  int64_t most = APInt::getSignedMaxValue(width).getSExtValue();
  double bound = std::ldexp(1.0, static_cast<int>(width) - 1);
  return value >= bound ? most : value <= -bound ? -most - 1 : static_cast<int64_t>(value);
}

Number heddle::ir::convert(Number number, Type from, Type to) {
  if (auto target = dyn_cast<FloatType>(to)) {
    if (isa<FloatType>(from))
      return realNumber(to, number.real);
    APFloat result(target.getFloatSemantics());
    result.convertFromAPInt(APInt(64, static_cast<uint64_t>(number.integer), true), true,
                            APFloat::rmNearestTiesToEven);
    return {.real = toDouble(result)};
  }
  if (to.isInteger(1))
    return {.integer = isa<FloatType>(from) ? number.real != 0 : number.integer != 0};
  if (isa<FloatType>(from))
    return {.integer = saturated(to.getIntOrFloatBitWidth(), number.real)};
  return integerNumber(to, number.integer);
}

bool heddle::ir::keepsValues(Type from, Type to) {
  if (from == to)
    return true;
  auto fromFloat = dyn_cast<FloatType>(from), toFloat = dyn_cast<FloatType>(to);
  if (fromFloat && toFloat) {
    const auto &narrow = fromFloat.getFloatSemantics(), &wide = toFloat.getFloatSemantics();
    // A wider exponent range by enough covers the subnormal numbers too: of our pairs, all but bf16 and f16.
    return APFloat::semanticsPrecision(narrow) < APFloat::semanticsPrecision(wide) &&
           APFloat::semanticsMaxExponent(narrow) <= APFloat::semanticsMaxExponent(wide) &&
           APFloat::semanticsMinExponent(narrow) >= APFloat::semanticsMinExponent(wide);
  }
  if (fromFloat)
    return false;
  unsigned bits = from.getIntOrFloatBitWidth();
  if (toFloat)
    return bits == 1 || bits - 1 <= APFloat::semanticsPrecision(toFloat.getFloatSemantics());
  return bits <= to.getIntOrFloatBitWidth();
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

std::optional<Numbers> Numbers::of(Attribute value) {
  auto elements = dyn_cast_or_null<DenseElementsAttr>(value);
  auto type = elements ? dyn_cast<RankedTensorType>(elements.getType()) : RankedTensorType();
  if (!type || type.getNumElements() == 0 || (!elements.isSplat() && type.getNumElements() > limit))
    return std::nullopt;
  bool truth = type.getElementType().isInteger(1);
  SmallVector<Number> cells;
  auto addReal = [&](const APFloat &number) { cells.push_back({.real = toDouble(number)}); };
  auto addInteger = [&](const APInt &number) {
    cells.push_back({.integer = truth ? static_cast<int64_t>(number.getZExtValue()) : number.getSExtValue()});
  };
  if (isa<FloatType>(type.getElementType())) {
    if (elements.isSplat())
      addReal(elements.getSplatValue<APFloat>());
    else
      llvm::for_each(elements.getValues<APFloat>(), addReal);
  } else if (isa<IntegerType>(type.getElementType())) {
    if (elements.isSplat())
      addInteger(elements.getSplatValue<APInt>());
    else
      llvm::for_each(elements.getValues<APInt>(), addInteger);
  } else {
    return std::nullopt;
  }
  return Numbers(type, std::move(cells));
}

std::optional<Numbers> Numbers::of(Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  return constant ? of(constant.getValue()) : std::nullopt;
}

bool Numbers::all(double value) const {
  bool real = isReal(tensor);
  return llvm::all_of(cells, [&](Number cell) {
    return real ? std::bit_cast<uint64_t>(cell.real) == std::bit_cast<uint64_t>(value)
                : static_cast<double>(cell.integer) == value;
  });
}

DenseElementsAttr Numbers::attr() const {
  // Both members have 64 bits: equal bits are equal elements.
  bool equal = llvm::all_of(cells, [&](Number cell) { return cell.integer == cells[0].integer; });
  ArrayRef<Number> kept = ArrayRef(cells).take_front(equal ? 1 : cells.size());
  Type element = tensor.getElementType();
  if (auto real = dyn_cast<FloatType>(element))
    return DenseElementsAttr::get(
        tensor, llvm::map_to_vector(kept, [&](Number cell) { return nearest(real, cell.real); }));
  unsigned width = element.getIntOrFloatBitWidth();
  return DenseElementsAttr::get(
      tensor, llvm::map_to_vector(kept, [&](Number cell) {
        return APInt(64, static_cast<uint64_t>(cell.integer), true).sextOrTrunc(width);
      }));
}

bool heddle::ir::isAll(Attribute value, double number) {
  auto numbers = Numbers::of(value);
  return numbers && numbers->all(number);
}

bool heddle::ir::isAll(Value value, double number) {
  auto numbers = Numbers::of(value);
  return numbers && numbers->all(number);
}

Attribute heddle::ir::splatAttr(Type tensor, double number) {
  auto type = cast<RankedTensorType>(tensor);
  if (!type.hasStaticShape() || type.getNumElements() == 0)
    return {};
  Type element = type.getElementType();
  Number cell =
      isReal(type) ? realNumber(element, number) : integerNumber(element, static_cast<int64_t>(number));
  return Numbers(type, {cell}).attr();
}

Value heddle::ir::splatValue(OpBuilder &builder, Location loc, Type tensor, double number) {
  return ConstantOp::create(builder, loc, cast<ElementsAttr>(splatAttr(tensor, number)));
}

DenseElementsAttr heddle::ir::resplat(DenseElementsAttr value, ArrayRef<int64_t> shape) {
  return value.resizeSplat(reshaped(cast<RankedTensorType>(value.getType()), shape));
}

//===----------------------------------------------------------------------===//
// Elementwise operations on numbers
//===----------------------------------------------------------------------===//

static double sigmoid(double x) {
  double e = std::exp(-std::fabs(x)); // never overflows
  return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

/// The remainder of b's sign; a zero has b's sign too.
static double floorRemainder(double a, double b) {
  double r = std::fmod(a, b);
  if (r == 0)
    return std::copysign(0.0, b);
  return (r < 0) != (b < 0) ? r + b : r;
}

static int64_t floorQuotient(int64_t a, int64_t b) {
  if (b == 0)
    return 0;
  if (b == -1)
    return static_cast<int64_t>(-static_cast<uint64_t>(a)); // the one quotient that can overflow
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static int64_t floorRemainder(int64_t a, int64_t b) {
  if (b == 0 || b == -1)
    return 0;
  int64_t r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

template <typename T>
static bool holds(ComparePredicate predicate, T a, T b) {
  switch (predicate) {
  case ComparePredicate::eq:
    return a == b;
  case ComparePredicate::ne:
    return a != b;
  case ComparePredicate::lt:
    return a < b;
  case ComparePredicate::le:
    return a <= b;
  case ComparePredicate::gt:
    return a > b;
  case ComparePredicate::ge:
    return a >= b;
  }
  return false;
}

static std::optional<double> realResult(Operation *op, double a, double b) {
  using Result = std::optional<double>;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](NegOp) { return -a; })
      .Case([&](AbsOp) { return std::fabs(a); })
      .Case([&](SignOp) { return a > 0   ? 1.0
                                 : a < 0 ? -1.0
                                         : a; })
      .Case([&](ExpOp) { return std::exp(a); })
      .Case([&](Expm1Op) { return std::expm1(a); })
      .Case([&](LogOp) { return std::log(a); })
      .Case([&](Log1pOp) { return std::log1p(a); })
      .Case([&](SqrtOp) { return std::sqrt(a); })
      .Case([&](RsqrtOp) { return 1 / std::sqrt(a); })
      .Case([&](SinOp) { return std::sin(a); })
      .Case([&](CosOp) { return std::cos(a); })
      .Case([&](TanhOp) { return std::tanh(a); })
      .Case([&](ErfOp) { return std::erf(a); })
      .Case([&](SigmoidOp) { return sigmoid(a); })
      .Case([&](FloorOp) { return std::floor(a); })
      .Case([&](CeilOp) { return std::ceil(a); })
      .Case([&](RoundOp) { return std::nearbyint(a); })
      .Case([&](AddOp) { return a + b; })
      .Case([&](SubOp) { return a - b; })
      .Case([&](MulOp) { return a * b; })
      .Case([&](DivOp) { return a / b; })
      .Case([&](RemOp) { return floorRemainder(a, b); })
      .Case([&](PowOp) { return std::pow(a, b); })
      .Case([&](MaxOp) {
        return std::isnan(a) ? a : std::isnan(b) ? b : a > b ? a : b;
      })
      .Case([&](MinOp) {
        return std::isnan(a) ? a : std::isnan(b) ? b : a < b ? a : b;
      })
      .Default([](Operation *) { return std::nullopt; });
}

static std::optional<int64_t> integerResult(Operation *op, int64_t a, int64_t b) {
  using Result = std::optional<int64_t>;
  auto wrap = [](uint64_t value) { return static_cast<int64_t>(value); };
  auto ua = static_cast<uint64_t>(a), ub = static_cast<uint64_t>(b);
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](NegOp) { return wrap(-ua); })
      .Case([&](AbsOp) { return a < 0 ? wrap(-ua) : a; })
      .Case([&](SignOp) { return int64_t(a > 0) - int64_t(a < 0); })
      .Case([&](NotOp) { return 1 - a; })
      .Case([&](AddOp) { return wrap(ua + ub); })
      .Case([&](SubOp) { return wrap(ua - ub); })
      .Case([&](MulOp) { return wrap(ua * ub); })
      .Case([&](DivOp) { return floorQuotient(a, b); })
      .Case([&](RemOp) { return floorRemainder(a, b); })
      .Case([&](MaxOp) { return std::max(a, b); })
      .Case([&](MinOp) { return std::min(a, b); })
      .Case([&](AndOp) { return a & b; })
      .Case([&](OrOp) { return a | b; })
      .Default([](Operation *) { return std::nullopt; });
}

static std::optional<Number> evaluate(Operation *op, ArrayRef<Number> operands, Type from, Type to) {
  if (isa<CastOp>(op))
    return convert(operands[0], from, to);
  if (isa<SelectOp>(op))
    return operands[operands[0].integer ? 1 : 2];
  bool real = isa<FloatType>(from);
  Number a = operands.front(), b = operands.back();
  if (auto compare = dyn_cast<CompareOp>(op))
    return Number{.integer = real ? holds(compare.getPredicate(), a.real, b.real)
                                  : holds(compare.getPredicate(), a.integer, b.integer)};
  if (real) {
    auto result = realResult(op, a.real, b.real);
    return result ? std::optional(realNumber(to, *result)) : std::nullopt;
  }
  auto result = integerResult(op, a.integer, b.integer);
  return result ? std::optional(integerNumber(to, *result)) : std::nullopt;
}

bool heddle::ir::isElementwise(Operation *op) {
  return isa<NegOp, AbsOp, SignOp, ExpOp, Expm1Op, LogOp, Log1pOp, SqrtOp, RsqrtOp, SinOp, CosOp, TanhOp,
             ErfOp, SigmoidOp, FloorOp, CeilOp, RoundOp, NotOp, AddOp, SubOp, MulOp, DivOp, RemOp, PowOp,
             MaxOp, MinOp, AndOp, OrOp, CompareOp, SelectOp, CastOp>(op);
}

Attribute heddle::ir::foldElementwise(Operation *op, ArrayRef<Attribute> operands) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  if (!type.hasStaticShape())
    return {};
  SmallVector<Numbers> inputs;
  int64_t count = 1;
  for (Attribute operand : operands) {
    auto numbers = Numbers::of(operand);
    if (!numbers)
      return {};
    if (!numbers->isSplat())
      count = type.getNumElements();
    inputs.push_back(std::move(*numbers));
  }
  SmallVector<Number> cells;
  for (int64_t i = 0; i < count; ++i) {
    auto numbers = llvm::map_to_vector(inputs, [&](const Numbers &input) { return input[i]; });
    auto cell = evaluate(op, numbers, inputs[0].type().getElementType(), type.getElementType());
    if (!cell)
      return {};
    cells.push_back(*cell);
  }
  return Numbers(type, std::move(cells)).attr();
}
