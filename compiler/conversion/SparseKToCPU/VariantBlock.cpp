#include "compiler/conversion/SparseKToCPU/VariantBlock.h"
#include "dialects/heddle/IR/Heddle.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"
#include <algorithm>

using namespace mlir;

namespace heddle::cpu::attention {

static Type elementOf(Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); }

static constexpr Range allI32{INT32_MIN, INT32_MAX};

//===--- Sums of multiples ---===//

bool Affine::hasEqualTerms(const Affine &other) const {
  return i == other.i && j == other.j && others.size() == other.others.size() &&
         llvm::all_of(others, [&](auto term) { return llvm::is_contained(other.others, term); });
}

Affine operator*(const Affine &x, int64_t factor) {
  if (factor == 0)
    return {};
  Affine result = x;
  result.i *= factor;
  result.j *= factor;
  result.constant *= factor;
  for (auto &[value, coefficient] : result.others)
    coefficient *= factor;
  return result;
}

Affine operator+(const Affine &x, const Affine &y) {
  Affine result = x;
  result.i += y.i;
  result.j += y.j;
  result.constant += y.constant;
  for (auto [value, coefficient] : y.others) {
    auto *found = llvm::find_if(result.others, [&](auto term) { return term.first == value; });
    if (found == result.others.end())
      result.others.push_back({value, coefficient});
    else if ((found->second += coefficient) == 0)
      result.others.erase(found);
  }
  return result;
}

//===--- The block ---===//

static Block &bodyOf(Operation *op) { return op->getRegion(0).front(); }

VariantBlock::VariantBlock(Operation *op) : block(bodyOf(op)) {
  auto shape = [](Value value) { return cast<RankedTensorType>(value.getType()).getShape(); };
  ArrayRef<int64_t> q = shape(op->getOperand(0)), k = shape(op->getOperand(1));
  batch = q[0];
  queryHeads = q[1];
  queries = q[2];
  keys = k[2];
  s = block.getArgument(0);
  b = block.getArgument(1);
  h = block.getArgument(2);
  i = block.getArgument(3);
  j = block.getArgument(4);
  bool backward = isa<sparsek::VariantAttentionBackwardOp>(op);
  if (backward) {
    dscore = block.getArgument(5);
    dgate = block.getArgument(6);
  }
  captures = block.getArguments().drop_front(backward ? 7 : 5);
  Operation *yield = block.getTerminator();
  score = yield->getOperand(0);
  gate = yield->getOperand(1);
  visible = yield->getOperand(2);
  if (backward)
    ds = yield->getOperand(3);

  for (BlockArgument argument : block.getArguments())
    dependence[argument] = 0;
  dependence[s] = OnPair;
  dependence[b] = OnBatch;
  dependence[h] = OnHead;
  dependence[i] = OnQuery;
  dependence[j] = OnKey;
  if (backward)
    dependence[dscore] = dependence[dgate] = OnPair;
  for (Operation &inner : block.without_terminator()) {
    unsigned bits = 0;
    for (Value operand : inner.getOperands())
      bits |= dependence.lookup(operand);
    for (Value result : inner.getResults())
      dependence[result] = bits;
  }
  for (auto accumulate : block.getOps<sparsek::AccumulateOp>()) {
    unsigned bits = 0;
    for (Value index : accumulate.getIndices())
      bits |= depends(index);
    Site site{accumulate, cast<BlockArgument>(accumulate.getCapture()).getArgNumber() - 7, Site::Scattered,
              accumulate.getValue()};
    if (!(bits & (OnKey | OnPair)))
      site.kind = Site::Queries;
    else if (!(bits & (OnQuery | OnPair)))
      site.kind = Site::Keys;
    if (auto cast = site.value.getDefiningOp<ir::CastOp>(); cast && elementOf(cast.getX()).isF32())
      site.value = cast.getX();
    sites.push_back(site);
  }
  visibleSlice = slice(visible);
  addTerm(visible, /*negated=*/false, visible);
}

unsigned VariantBlock::depends(Value value) const { return dependence.lookup(value); }

unsigned VariantBlock::depends(const Affine &x) const {
  unsigned bits = (x.i ? OnQuery : 0) | (x.j ? OnKey : 0);
  for (auto [value, coefficient] : x.others)
    bits |= depends(value);
  return bits;
}

bool VariantBlock::isConstant(Value value, double number) const {
  auto constant = value.getDefiningOp<ir::ConstantOp>();
  auto dense = constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : DenseElementsAttr();
  if (!dense)
    return false;
  if (isa<FloatType>(dense.getElementType()))
    return dense.getSplatValue<APFloat>().convertToDouble() == number;
  return dense.getSplatValue<APInt>().getSExtValue() == int64_t(number) ||
         (dense.getElementType().isInteger(1) && dense.getSplatValue<APInt>().getZExtValue() == number);
}

llvm::SetVector<Operation *> VariantBlock::slice(ArrayRef<Value> roots) const {
  llvm::SetVector<Operation *> needed;
  SmallVector<Value> open(roots);
  while (!open.empty())
    if (Operation *op = open.pop_back_val().getDefiningOp(); op && needed.insert(op))
      llvm::append_range(open, op->getOperands());
  llvm::SetVector<Operation *> ordered;
  for (Operation &op : block)
    if (needed.contains(&op))
      ordered.insert(&op);
  return ordered;
}

//===--- Integers ---===//

static std::optional<int64_t> constantInteger(Value value) {
  auto constant = value.getDefiningOp<ir::ConstantOp>();
  auto dense = constant ? dyn_cast<DenseIntElementsAttr>(constant.getValue()) : DenseIntElementsAttr();
  if (!dense || !dense.isSplat())
    return std::nullopt;
  APInt x = dense.getSplatValue<APInt>();
  return x.getBitWidth() == 1 ? int64_t(x.getZExtValue()) : x.getSExtValue();
}

Range VariantBlock::rangeOf(Value value, bool visibleOnly) const {
  if (auto known = ranges[visibleOnly].find(value); known != ranges[visibleOnly].end())
    return known->second;
  Range range = computeRange(value, visibleOnly);
  if (visibleOnly && elementOf(value).isInteger(32)) {
    Affine x = affine(value);
    // x + (c - x.constant) <= 0 for a constraint with the terms of x, and the same for -x.
    for (const Affine &c : constraints) {
      if (c.hasEqualTerms(x))
        range.high = std::min(range.high, x.constant - c.constant);
      if (c.hasEqualTerms(x * -1))
        range.low = std::max(range.low, x.constant + c.constant);
    }
  }
  ranges[visibleOnly].insert({value, range});
  return range;
}

Range VariantBlock::range(Value value) const { return rangeOf(value, /*visibleOnly=*/true); }

Range VariantBlock::computeRange(Value value, bool visibleOnly) const {
  if (value == b || value == h || value == i || value == j) {
    int64_t extent = value == b ? batch : value == h ? queryHeads : value == i ? queries : keys;
    return {0, std::max<int64_t>(extent - 1, 0)};
  }
  if (auto constant = constantInteger(value))
    return {*constant, *constant};
  Type element = elementOf(value);
  if (element.isInteger(1))
    return {0, 1};
  Operation *op = value.getDefiningOp();
  if (!element.isInteger(32) || !op)
    return allI32;
  auto of = [&](Value operand) {
    return elementOf(operand).isInteger(32) || elementOf(operand).isInteger(1) ? rangeOf(operand, visibleOnly)
                                                                               : allI32;
  };
  auto first = [&] { return of(op->getOperand(0)); };
  auto second = [&] { return of(op->getOperand(1)); };
  Range result =
      llvm::TypeSwitch<Operation *, Range>(op)
          .Case<ir::AddOp>([&](auto) {
            Range x = first(), y = second();
            return Range{x.low + y.low, x.high + y.high};
          })
          .Case<ir::SubOp>([&](auto) {
            Range x = first(), y = second();
            return Range{x.low - y.high, x.high - y.low};
          })
          .Case<ir::NegOp>([&](auto) {
            Range x = first();
            return Range{-x.high, -x.low};
          })
          .Case<ir::MulOp>([&](auto) {
            Range x = first(), y = second();
            auto [low, high] = std::minmax({x.low * y.low, x.low * y.high, x.high * y.low, x.high * y.high});
            return Range{low, high};
          })
          .Case<ir::AbsOp>([&](auto) {
            Range x = first();
            int64_t high = std::max(std::abs(x.low), std::abs(x.high));
            return Range{x.low <= 0 && x.high >= 0 ? 0 : std::min(std::abs(x.low), std::abs(x.high)), high};
          })
          .Case<ir::MinOp>([&](auto) {
            Range x = first(), y = second();
            return Range{std::min(x.low, y.low), std::min(x.high, y.high)};
          })
          .Case<ir::MaxOp>([&](auto) {
            Range x = first(), y = second();
            return Range{std::max(x.low, y.low), std::max(x.high, y.high)};
          })
          .Case<ir::SelectOp>([&](auto) {
            Range x = second(), y = of(op->getOperand(2));
            return Range{std::min(x.low, y.low), std::max(x.high, y.high)};
          })
          .Case<ir::RemOp>([&](auto) {
            auto divisor = constantInteger(op->getOperand(1));
            return divisor && *divisor > 0 ? Range{0, *divisor - 1} : allI32;
          })
          .Case<ir::DivOp>([&](auto) {
            auto divisor = constantInteger(op->getOperand(1));
            if (!divisor || *divisor <= 0)
              return allI32;
            auto floor = [&](int64_t x) { return (x - (((x % *divisor) + *divisor) % *divisor)) / *divisor; };
            Range x = first();
            return Range{floor(x.low), floor(x.high)};
          })
          .Case<ir::CastOp>([&](auto) { return first(); })
          .Default(allI32);
  return result.isWithin(INT32_MIN, INT32_MAX) ? result : allI32;
}

Affine VariantBlock::affine(Value value) const {
  if (value == i)
    return {1, 0, 0, {}};
  if (value == j)
    return {0, 1, 0, {}};
  if (auto constant = constantInteger(value))
    return {0, 0, *constant, {}};
  auto opaque = [&] { return Affine{0, 0, 0, {{value, 1}}}; };
  Operation *op = value.getDefiningOp();
  if (!op || !elementOf(value).isInteger(32))
    return opaque();
  auto raw = [&](unsigned operand) { return rangeOf(op->getOperand(operand), /*visibleOnly=*/false); };
  auto fits = [](int64_t low, int64_t high) { return Range{low, high}.isWithin(INT32_MIN, INT32_MAX); };
  if (isa<ir::AddOp, ir::SubOp>(op)) {
    Range x = raw(0), y = raw(1);
    if (isa<ir::SubOp>(op))
      y = {-y.high, -y.low};
    if (!fits(x.low + y.low, x.high + y.high))
      return opaque();
    return affine(op->getOperand(0)) + affine(op->getOperand(1)) * (isa<ir::SubOp>(op) ? -1 : 1);
  }
  if (isa<ir::NegOp>(op))
    return raw(0).low > INT32_MIN ? affine(op->getOperand(0)) * -1 : opaque();
  if (isa<ir::MulOp>(op))
    for (unsigned side : {0, 1})
      if (auto factor = constantInteger(op->getOperand(side))) {
        Range x = raw(1 - side);
        if (fits(std::min(x.low * *factor, x.high * *factor), std::max(x.low * *factor, x.high * *factor)))
          return affine(op->getOperand(1 - side)) * *factor;
      }
  return opaque();
}

//===--- Visibility ---===//

bool VariantBlock::addConstraint(const Affine &x) {
  constraints.push_back(x);
  bool found = false;
  auto add = [&](Bound::Kind kind, const Affine &limit) {
    allBounds.push_back({kind, limit, {}});
    found = true;
  };
  auto bound = [&](int64_t Affine::*variable, unsigned own, Bound::Kind from, Bound::Kind until) {
    int64_t coefficient = x.*variable;
    Affine rest = x;
    rest.*variable = 0;
    if (std::abs(coefficient) != 1 || (depends(rest) & (own | OnPair)))
      return;
    if (coefficient < 0) // rest <= variable
      return add(from, rest);
    rest = rest * -1; // variable <= -rest
    rest.constant += 1;
    add(until, rest);
  };
  bound(&Affine::j, OnKey, Bound::KeyFrom, Bound::KeyUntil);
  bound(&Affine::i, OnQuery, Bound::QueryFrom, Bound::QueryUntil);
  return found;
}

void VariantBlock::addTerm(Value term, bool negated, Value condition) {
  Operation *op = term.getDefiningOp();
  if (op && isa<ir::NotOp>(op))
    return addTerm(op->getOperand(0), !negated, negated ? op->getOperand(0) : condition);
  if (op && (negated ? isa<ir::OrOp>(op) : isa<ir::AndOp>(op))) {
    for (Value operand : op->getOperands())
      addTerm(operand, negated, negated ? Value() : operand);
    return;
  }
  if (isConstant(term, negated ? 0 : 1))
    return;
  if (auto compare = dyn_cast_or_null<ir::CompareOp>(op);
      compare && elementOf(compare.getLhs()).isInteger(32)) {
    using P = ir::ComparePredicate;
    P predicate = compare.getPredicate();
    if (negated) {
      constexpr std::pair<P, P> opposites[] = {{P::lt, P::ge}, {P::le, P::gt}, {P::eq, P::ne}};
      for (auto [x, y] : opposites)
        if (predicate == x || predicate == y) {
          predicate = predicate == x ? y : x;
          break;
        }
    }
    Value low = compare.getLhs(), high = compare.getRhs();
    if (predicate == P::gt || predicate == P::ge) {
      std::swap(low, high);
      predicate = predicate == P::gt ? P::lt : P::le;
    }
    auto isAtMost = [&](Affine x, const Affine &y) {
      x = x + y * -1;
      x.constant += predicate == P::lt;
      return addConstraint(x);
    };
    bool found = false;
    if (predicate != P::ne) {
      // |x| <= y is x <= y and -x <= y.
      auto magnitude = low.getDefiningOp<ir::AbsOp>();
      if (magnitude && predicate != P::eq && rangeOf(magnitude.getX(), false).low > INT32_MIN) {
        Affine x = affine(magnitude.getX()), y = affine(high);
        bool above = isAtMost(x, y), below = isAtMost(x * -1, y);
        found = above && below;
      } else {
        found = isAtMost(affine(low), affine(high));
        if (predicate == P::eq)
          found |= isAtMost(affine(high), affine(low));
      }
    }
    if (found)
      return;
  }
  // A condition on the query or on the key alone.
  unsigned bits = depends(term);
  if (condition && !(bits & (OnKey | OnPair))) {
    allBounds.push_back({Bound::QueryIf, {}, condition});
    return;
  }
  if (condition && !(bits & (OnQuery | OnPair))) {
    allBounds.push_back({Bound::KeyIf, {}, condition});
    return;
  }
  otherTerms.push_back(term);
}

unsigned VariantBlock::boundsDepend() const {
  unsigned bits = 0;
  for (const Bound &bound : allBounds)
    bits |= bound.condition ? depends(bound.condition) : depends(bound.limit);
  return bits & (OnBatch | OnHead);
}

std::string VariantBlock::whyUnbounded() const {
  if (!allBounds.empty())
    return "";
  if (otherTerms.empty())
    return "every pair is visible";
  auto reason = [&](Value term) -> std::string {
    Operation *op = term.getDefiningOp();
    if (isa_and_nonnull<ir::OrOp, ir::AndOp>(op))
      return "is a disjunction";
    if (depends(term) & OnPair)
      return "depends on the score";
    auto compare = dyn_cast_or_null<ir::CompareOp>(op);
    if (!compare || !elementOf(compare.getLhs()).isInteger(32))
      return "is no comparison of positions";
    if (compare.getPredicate() == ir::ComparePredicate::ne)
      return "excludes single pairs";
    return "does not compare i or j with what the other one determines";
  };
  std::string text;
  for (Value term : otherTerms) {
    std::string position;
    if (auto at = dyn_cast<FileLineColLoc>(term.getLoc()))
      position = llvm::formatv(" at {0}:{1}", at.getLine(), at.getColumn());
    text += (text.empty() ? "the term" : ", the term") + position + " " + reason(term);
  }
  return text;
}

} // namespace heddle::cpu::attention
