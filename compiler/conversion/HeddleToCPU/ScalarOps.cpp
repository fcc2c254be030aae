//===- ScalarOps.cpp - Elementwise operations on one element --------------===//

#include "compiler/conversion/HeddleToCPU/ScalarOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace heddle::cpu;
using namespace heddle::ir;

Type heddle::cpu::computeType(Type element) {
  return element.isBF16() || element.isF16() ? Type(Float32Type::get(element.getContext())) : element;
}

Type heddle::cpu::storageType(Type element) {
  return element.isInteger(1) ? Type(IntegerType::get(element.getContext(), 8)) : element;
}

int64_t heddle::cpu::tensorBytes(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return tensor.getNumElements() * (storageType(tensor.getElementType()).getIntOrFloatBitWidth() / 8);
}

int32_t heddle::cpu::runtimeType(Type element) {
  if (element.isF64())
    return 0;
  if (element.isF32())
    return 1;
  if (element.isBF16())
    return 2;
  if (element.isF16())
    return 3;
  return element.isInteger(64) ? 4 : element.isInteger(32) ? 5 : 6;
}

MemRefType heddle::cpu::bufferType(RankedTensorType type) {
  return MemRefType::get({type.getNumElements()}, storageType(type.getElementType()));
}

/// Sums may be reordered, so that they run on vector lanes; nothing else about them may change.
static constexpr arith::FastMathFlags sumFlags =
    arith::FastMathFlags::reassoc | arith::FastMathFlags::nsz | arith::FastMathFlags::contract;

/// `element` in the shape of a scalar or vector.
static Type shapedLike(Value like, Type element) {
  auto vector = like ? dyn_cast<VectorType>(like.getType()) : VectorType();
  return vector ? Type(vector.clone(element)) : element;
}

static bool isReal(Type type) { return isa<FloatType>(getElementTypeOrSelf(type)); }

/// A constant of a type, or a vector of it.
static Value constantOf(OpBuilder &b, Location loc, Type type, TypedAttr element) {
  if (auto vector = dyn_cast<VectorType>(type))
    return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(vector, {Attribute(element)}));
  return arith::ConstantOp::create(b, loc, element);
}

Value ScalarEmitter::floating(Type type, double value) {
  return constantOf(b, loc, type, FloatAttr::get(getElementTypeOrSelf(type), value));
}
Value ScalarEmitter::integer(Type type, int64_t value) {
  return constantOf(b, loc, type, IntegerAttr::get(getElementTypeOrSelf(type), value));
}
Value ScalarEmitter::index(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }

Value ScalarEmitter::constant(Attribute element, Type type) {
  Type compute = computeType(type);
  if (auto value = dyn_cast<FloatAttr>(element)) {
    APFloat x = value.getValue();
    bool lost;
    x.convert(cast<FloatType>(compute).getFloatSemantics(), APFloat::rmNearestTiesToEven, &lost);
    return arith::ConstantOp::create(b, loc, FloatAttr::get(compute, x));
  }
  return arith::ConstantOp::create(b, loc, IntegerAttr::get(compute, cast<IntegerAttr>(element).getValue()));
}

Value ScalarEmitter::rounded(Value x, Type element) {
  if (!element.isBF16() && !element.isF16())
    return x;
  Value narrow = arith::TruncFOp::create(b, loc, shapedLike(x, element), x);
  return arith::ExtFOp::create(b, loc, shapedLike(x, b.getF32Type()), narrow);
}

Value ScalarEmitter::load(Value memref, Value position, Type element) {
  return fromStorage(memref::LoadOp::create(b, loc, memref, position), element);
}

Value ScalarEmitter::fromStorage(Value x, Type element) {
  if (element.isInteger(1))
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, x, integer(x.getType(), 0));
  if (element.isBF16() || element.isF16())
    return arith::ExtFOp::create(b, loc, shapedLike(x, b.getF32Type()), x);
  return x;
}

void ScalarEmitter::store(Value x, Value memref, Value position, Type element) {
  if (element.isInteger(1))
    x = arith::ExtUIOp::create(b, loc, b.getI8Type(), x);
  else if (element.isBF16() || element.isF16())
    x = arith::TruncFOp::create(b, loc, element, x);
  memref::StoreOp::create(b, loc, x, memref, position);
}

Value ScalarEmitter::fromIndex(Value index, Type element, bool fitsI32) {
  Type integerType = fitsI32 ? b.getI32Type() : b.getI64Type();
  Value x = arith::IndexCastOp::create(b, loc, integerType, index);
  return cast(x, integerType, element);
}

Value ScalarEmitter::toIndex(Value x, int64_t extent) {
  // The check has reported what is outside; here it only has to stay inside the memory.
  Value low = arith::MaxSIOp::create(b, loc, x, integer(x.getType(), 0));
  int64_t last = std::max<int64_t>(extent - 1, 0);
  if (x.getType().isInteger(64) || last <= INT32_MAX)
    low = arith::MinSIOp::create(b, loc, low, integer(x.getType(), last));
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), low);
}

Value ScalarEmitter::identity(ReductionKind kind, Type type) {
  bool isFloat = isa<FloatType>(type);
  auto infinity = [&](bool negative) -> Value {
    if (isFloat)
      return floating(type, negative ? -HUGE_VAL : HUGE_VAL);
    unsigned width = type.getIntOrFloatBitWidth();
    return arith::ConstantOp::create(
        b, loc,
        IntegerAttr::get(type, negative ? APInt::getSignedMinValue(width) : APInt::getSignedMaxValue(width)));
  };
  switch (kind) {
  case ReductionKind::sum:
    return isFloat ? floating(type, 0) : integer(type, 0);
  case ReductionKind::prod:
    return isFloat ? floating(type, 1) : integer(type, 1);
  case ReductionKind::max:
    return infinity(true);
  case ReductionKind::min:
    return infinity(false);
  case ReductionKind::any:
    return integer(type, 0);
  case ReductionKind::all:
    return integer(type, 1);
  }
  llvm_unreachable("reduction kind");
}

Value ScalarEmitter::combine(ReductionKind kind, Value a, Value x) {
  bool isFloat = isReal(a.getType());
  switch (kind) {
  case ReductionKind::sum:
    return isFloat ? Value(arith::AddFOp::create(b, loc, a, x, sumFlags))
                   : Value(arith::AddIOp::create(b, loc, a, x));
  case ReductionKind::prod:
    return isFloat ? Value(arith::MulFOp::create(b, loc, a, x, sumFlags))
                   : Value(arith::MulIOp::create(b, loc, a, x));
  case ReductionKind::max:
    return isFloat ? Value(arith::MaximumFOp::create(b, loc, a, x))
                   : Value(arith::MaxSIOp::create(b, loc, a, x));
  case ReductionKind::min:
    return isFloat ? Value(arith::MinimumFOp::create(b, loc, a, x))
                   : Value(arith::MinSIOp::create(b, loc, a, x));
  case ReductionKind::any:
    return arith::OrIOp::create(b, loc, a, x);
  case ReductionKind::all:
    return arith::AndIOp::create(b, loc, a, x);
  }
  llvm_unreachable("reduction kind");
}

/// Rounds toward minus infinity; 0 for a zero divisor. The divisor -1 is apart, since the smallest integer
/// over -1 overflows, which must wrap.
Value ScalarEmitter::integerDivide(Value a, Value d) {
  using arith::CmpIPredicate;
  Type type = a.getType();
  Value zero = integer(type, 0), one = integer(type, 1), minusOne = integer(type, -1);
  auto compare = [&](CmpIPredicate p, Value x, Value y) -> Value {
    return arith::CmpIOp::create(b, loc, p, x, y);
  };
  auto select = [&](Value c, Value x, Value y) -> Value { return arith::SelectOp::create(b, loc, c, x, y); };
  Value isZero = compare(CmpIPredicate::eq, d, zero), isMinusOne = compare(CmpIPredicate::eq, d, minusOne);
  Value special = arith::OrIOp::create(b, loc, isZero, isMinusOne);
  Value divisor = select(special, one, d);
  Value quotient = arith::DivSIOp::create(b, loc, a, divisor);
  Value rest = arith::SubIOp::create(b, loc, a, arith::MulIOp::create(b, loc, quotient, divisor));
  Value inexact = compare(CmpIPredicate::ne, rest, zero);
  Value opposite = arith::XOrIOp::create(b, loc, compare(CmpIPredicate::slt, rest, zero),
                                         compare(CmpIPredicate::slt, divisor, zero));
  Value down = arith::AndIOp::create(b, loc, inexact, opposite);
  Value result = select(down, arith::SubIOp::create(b, loc, quotient, one), quotient);
  result = select(isMinusOne, arith::SubIOp::create(b, loc, zero, a), result);
  return select(isZero, zero, result);
}

Value ScalarEmitter::cast(Value x, Type from, Type to) {
  if (from == to)
    return x;
  Type target = shapedLike(x, computeType(to));
  bool fromFloat = isa<FloatType>(from), toFloat = isa<FloatType>(to);
  if (to.isInteger(1)) {
    if (fromFloat)
      return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNE, x, floating(x.getType(), 0));
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, x, integer(x.getType(), 0));
  }
  if (fromFloat && toFloat) {
    unsigned wide = getElementTypeOrSelf(x).getIntOrFloatBitWidth(),
             narrow = computeType(to).getIntOrFloatBitWidth();
    if (wide < narrow)
      x = arith::ExtFOp::create(b, loc, target, x);
    else if (wide > narrow)
      x = arith::TruncFOp::create(b, loc, target, x);
    return rounded(x, to);
  }
  if (toFloat) {
    x = from.isInteger(1) ? Value(arith::UIToFPOp::create(b, loc, target, x))
                          : Value(arith::SIToFPOp::create(b, loc, target, x));
    return rounded(x, to);
  }
  if (fromFloat) {
    // Toward zero, saturating, NaN to 0.
    unsigned width = to.getIntOrFloatBitWidth();
    double bound = std::ldexp(1.0, width - 1);
    auto compare = [&](arith::CmpFPredicate p, Value y) -> Value {
      return arith::CmpFOp::create(b, loc, p, x, y);
    };
    Value high = compare(arith::CmpFPredicate::OGE, floating(x.getType(), bound));
    Value low = compare(arith::CmpFPredicate::OLT, floating(x.getType(), -bound));
    Value nan = compare(arith::CmpFPredicate::UNO, x);
    Value outside = arith::OrIOp::create(b, loc, nan, arith::OrIOp::create(b, loc, high, low));
    Value inside = arith::SelectOp::create(b, loc, outside, floating(x.getType(), 0), x);
    Value result = arith::FPToSIOp::create(b, loc, target, inside);
    auto limit = [&](APInt value) -> Value {
      return constantOf(b, loc, target, IntegerAttr::get(to, value));
    };
    result = arith::SelectOp::create(b, loc, high, limit(APInt::getSignedMaxValue(width)), result);
    return arith::SelectOp::create(b, loc, low, limit(APInt::getSignedMinValue(width)), result);
  }
  unsigned wide = from.getIntOrFloatBitWidth(), narrow = to.getIntOrFloatBitWidth();
  if (from.isInteger(1))
    return arith::ExtUIOp::create(b, loc, target, x);
  return wide < narrow ? Value(arith::ExtSIOp::create(b, loc, target, x))
                       : Value(arith::TruncIOp::create(b, loc, target, x));
}

static arith::CmpFPredicate floatPredicate(ComparePredicate p) {
  switch (p) {
  case ComparePredicate::eq:
    return arith::CmpFPredicate::OEQ;
  case ComparePredicate::ne:
    return arith::CmpFPredicate::UNE;
  case ComparePredicate::lt:
    return arith::CmpFPredicate::OLT;
  case ComparePredicate::le:
    return arith::CmpFPredicate::OLE;
  case ComparePredicate::gt:
    return arith::CmpFPredicate::OGT;
  case ComparePredicate::ge:
    return arith::CmpFPredicate::OGE;
  }
  llvm_unreachable("predicate");
}

static arith::CmpIPredicate integerPredicate(ComparePredicate p, bool isBool) {
  switch (p) {
  case ComparePredicate::eq:
    return arith::CmpIPredicate::eq;
  case ComparePredicate::ne:
    return arith::CmpIPredicate::ne;
  case ComparePredicate::lt:
    return isBool ? arith::CmpIPredicate::ult : arith::CmpIPredicate::slt;
  case ComparePredicate::le:
    return isBool ? arith::CmpIPredicate::ule : arith::CmpIPredicate::sle;
  case ComparePredicate::gt:
    return isBool ? arith::CmpIPredicate::ugt : arith::CmpIPredicate::sgt;
  case ComparePredicate::ge:
    return isBool ? arith::CmpIPredicate::uge : arith::CmpIPredicate::sge;
  }
  llvm_unreachable("predicate");
}

Value ScalarEmitter::elementwise(Operation *op, ValueRange v) {
  Type element = mlir::cast<RankedTensorType>(op->getResult(0).getType()).getElementType();
  Type from = op->getNumOperands()
                  ? mlir::cast<RankedTensorType>(op->getOperand(0).getType()).getElementType()
                  : element;
  Value x = v.empty() ? Value() : v[0], y = v.size() > 1 ? v[1] : Value();
  Type type = shapedLike(x, computeType(element));
  bool isFloat = isReal(type);
  auto selectOp = [&](Value c, Value p, Value q) -> Value {
    return arith::SelectOp::create(b, loc, c, p, q);
  };
  auto compareF = [&](arith::CmpFPredicate p, Value a, Value c) -> Value {
    return arith::CmpFOp::create(b, loc, p, a, c);
  };
  auto round = [&](Value r) { return rounded(r, element); };
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case<StopGradientOp, FenceOp>([&](auto) { return x; })
      .Case<NegOp>([&](auto) -> Value {
        return isFloat ? Value(arith::NegFOp::create(b, loc, x))
                       : Value(arith::SubIOp::create(b, loc, integer(type, 0), x));
      })
      .Case<AbsOp>([&](auto) -> Value {
        return isFloat ? Value(math::AbsFOp::create(b, loc, x)) : Value(math::AbsIOp::create(b, loc, x));
      })
      .Case<SignOp>([&](auto) -> Value {
        if (!isFloat) {
          Value zero = integer(type, 0);
          Value positive = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sgt, x, zero);
          Value negative = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, x, zero);
          return selectOp(positive, integer(type, 1), selectOp(negative, integer(type, -1), zero));
        }
        Value zero = floating(type, 0);
        Value rest = selectOp(compareF(arith::CmpFPredicate::UNO, x, x), x, zero);
        rest = selectOp(compareF(arith::CmpFPredicate::OLT, x, zero), floating(type, -1), rest);
        return selectOp(compareF(arith::CmpFPredicate::OGT, x, zero), floating(type, 1), rest);
      })
      .Case<ExpOp>([&](auto) { return round(math::ExpOp::create(b, loc, x)); })
      .Case<Expm1Op>([&](auto) { return round(math::ExpM1Op::create(b, loc, x)); })
      .Case<LogOp>([&](auto) { return round(math::LogOp::create(b, loc, x)); })
      .Case<Log1pOp>([&](auto) { return round(math::Log1pOp::create(b, loc, x)); })
      .Case<SqrtOp>([&](auto) { return round(math::SqrtOp::create(b, loc, x)); })
      .Case<RsqrtOp>([&](auto) {
        return round(arith::DivFOp::create(b, loc, floating(type, 1), math::SqrtOp::create(b, loc, x)));
      })
      .Case<SinOp>([&](auto) { return round(math::SinOp::create(b, loc, x)); })
      .Case<CosOp>([&](auto) { return round(math::CosOp::create(b, loc, x)); })
      .Case<TanhOp>([&](auto) { return round(math::TanhOp::create(b, loc, x)); })
      .Case<ErfOp>([&](auto) { return round(math::ErfOp::create(b, loc, x)); })
      .Case<SigmoidOp>([&](auto) {
        Value one = floating(type, 1);
        Value e = math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, x));
        return round(arith::DivFOp::create(b, loc, one, arith::AddFOp::create(b, loc, one, e)));
      })
      .Case<FloorOp>([&](auto) { return round(math::FloorOp::create(b, loc, x)); })
      .Case<CeilOp>([&](auto) { return round(math::CeilOp::create(b, loc, x)); })
      .Case<RoundOp>([&](auto) { return round(math::RoundEvenOp::create(b, loc, x)); })
      .Case<NotOp>([&](auto) { return arith::XOrIOp::create(b, loc, x, integer(type, 1)); })
      .Case<AddOp>([&](auto) -> Value {
        return isFloat ? round(arith::AddFOp::create(b, loc, x, y))
                       : Value(arith::AddIOp::create(b, loc, x, y));
      })
      .Case<SubOp>([&](auto) -> Value {
        return isFloat ? round(arith::SubFOp::create(b, loc, x, y))
                       : Value(arith::SubIOp::create(b, loc, x, y));
      })
      .Case<MulOp>([&](auto) -> Value {
        return isFloat ? round(arith::MulFOp::create(b, loc, x, y))
                       : Value(arith::MulIOp::create(b, loc, x, y));
      })
      .Case<DivOp>([&](auto) -> Value {
        return isFloat ? round(arith::DivFOp::create(b, loc, x, y)) : integerDivide(x, y);
      })
      .Case<RemOp>([&](auto) -> Value {
        if (!isFloat) {
          Value zero = integer(type, 0);
          Value rest =
              arith::SubIOp::create(b, loc, x, arith::MulIOp::create(b, loc, integerDivide(x, y), y));
          return selectOp(arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, y, zero), zero, rest);
        }
        Value whole = math::FloorOp::create(b, loc, arith::DivFOp::create(b, loc, x, y));
        Value rest = arith::SubFOp::create(b, loc, x, arith::MulFOp::create(b, loc, y, whole));
        // 0 inf would be nan. Where y does not go into x, x is the rest, or y + x where the signs differ.
        Value zero = floating(whole.getType(), 0);
        Value none = compareF(arith::CmpFPredicate::OEQ, whole, zero);
        Value less = compareF(arith::CmpFPredicate::OLT, arith::MulFOp::create(b, loc, x, y), zero);
        Value small = selectOp(less, arith::AddFOp::create(b, loc, x, y), x);
        return round(selectOp(none, small, rest));
      })
      .Case<PowOp>([&](auto) { return round(math::PowFOp::create(b, loc, x, y)); })
      .Case<MaxOp>([&](auto) { return combine(ReductionKind::max, x, y); })
      .Case<MinOp>([&](auto) { return combine(ReductionKind::min, x, y); })
      .Case<AndOp>([&](auto) { return arith::AndIOp::create(b, loc, x, y); })
      .Case<OrOp>([&](auto) { return arith::OrIOp::create(b, loc, x, y); })
      .Case<CompareOp>([&](CompareOp compare) -> Value {
        if (isa<FloatType>(from))
          return compareF(floatPredicate(compare.getPredicate()), x, y);
        return arith::CmpIOp::create(b, loc, integerPredicate(compare.getPredicate(), from.isInteger(1)), x,
                                     y);
      })
      .Case<SelectOp>([&](auto) { return selectOp(x, y, v[2]); })
      .Case<CastOp>([&](auto) { return cast(x, from, element); })
      .Default([](Operation *) { return Value(); });
}

std::array<Value, 4> ScalarEmitter::philox(Value key, std::array<Value, 4> c) {
  Type i32 = shapedLike(key, b.getI32Type()), i64 = shapedLike(key, b.getI64Type());
  auto low = [&](Value x) -> Value { return arith::TruncIOp::create(b, loc, i32, x); };
  auto high = [&](Value x) -> Value {
    return arith::TruncIOp::create(b, loc, i32, arith::ShRUIOp::create(b, loc, x, integer(i64, 32)));
  };
  auto exclusiveOr = [&](Value x, Value y) -> Value { return arith::XOrIOp::create(b, loc, x, y); };
  auto product = [&](Value x, uint32_t factor) -> Value {
    return arith::MulIOp::create(b, loc, arith::ExtUIOp::create(b, loc, i64, x), integer(i64, factor));
  };
  Value k0 = low(key), k1 = high(key);
  for (int round = 0; round < 10; ++round) {
    Value p0 = product(c[0], 0xD2511F53u), p1 = product(c[2], 0xCD9E8D57u);
    c = {exclusiveOr(exclusiveOr(high(p1), c[1]), k0), low(p1), exclusiveOr(exclusiveOr(high(p0), c[3]), k1),
         low(p0)};
    k0 = arith::AddIOp::create(b, loc, k0, integer(i32, (int32_t)0x9E3779B9u));
    k1 = arith::AddIOp::create(b, loc, k1, integer(i32, (int32_t)0xBB67AE85u));
  }
  return c;
}

Value ScalarEmitter::foldIn(Value key, Value data) {
  Type i32 = shapedLike(key, b.getI32Type()), i64 = shapedLike(key, b.getI64Type());
  Value wide = cast(data, getElementTypeOrSelf(data), b.getI64Type());
  Value high = arith::ShRUIOp::create(b, loc, wide, integer(i64, 32));
  auto words = philox(key, {arith::TruncIOp::create(b, loc, i32, wide),
                            arith::TruncIOp::create(b, loc, i32, high), integer(i32, 0), integer(i32, 1)});
  Value low = arith::ExtUIOp::create(b, loc, i64, words[0]);
  Value upper =
      arith::ShLIOp::create(b, loc, arith::ExtUIOp::create(b, loc, i64, words[1]), integer(i64, 32));
  return arith::OrIOp::create(b, loc, low, upper);
}

Value ScalarEmitter::random(RandomDistribution distribution, Value key, int64_t stream, Value position) {
  Type i32 = shapedLike(key, b.getI32Type()), i64 = shapedLike(key, b.getI64Type()),
       f32 = shapedLike(key, b.getF32Type());
  auto select = [&](Value c, Value p, Value q) -> Value { return arith::SelectOp::create(b, loc, c, p, q); };
  Value group = arith::ShRUIOp::create(b, loc, position, integer(i64, 2));
  Value low = arith::TruncIOp::create(b, loc, i32, group);
  Value high = arith::TruncIOp::create(b, loc, i32, arith::ShRUIOp::create(b, loc, group, integer(i64, 32)));
  auto words = philox(key, {low, high, integer(i32, (int32_t)stream), integer(i32, 0)});
  auto bit = [&](int64_t mask) -> Value {
    Value masked = arith::AndIOp::create(b, loc, position, integer(i64, mask));
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, masked, integer(i64, 0));
  };
  Value odd = bit(1), upper = bit(2);
  Value first = select(upper, words[2], words[0]), second = select(upper, words[3], words[1]);
  if (distribution == RandomDistribution::bits)
    return select(odd, second, first);
  auto fraction = [&](Value word, bool positive) -> Value {
    Value bits = arith::ShRUIOp::create(b, loc, word, integer(i32, 8));
    if (positive)
      bits = arith::AddIOp::create(b, loc, bits, integer(i32, 1));
    return arith::MulFOp::create(b, loc, arith::SIToFPOp::create(b, loc, f32, bits), floating(f32, 0x1p-24));
  };
  if (distribution == RandomDistribution::uniform)
    return fraction(select(odd, second, first), false);
  Value radius = math::SqrtOp::create(
      b, loc,
      arith::MulFOp::create(b, loc, floating(f32, -2), math::LogOp::create(b, loc, fraction(first, true))));
  Value angle = arith::MulFOp::create(b, loc, floating(f32, 6.283185307179586), fraction(second, false));
  Value wave = select(odd, math::SinOp::create(b, loc, angle), math::CosOp::create(b, loc, angle));
  return arith::MulFOp::create(b, loc, radius, wave);
}
