//===- Positions.cpp - Where the evaluator reads, and under which conditions -===//

#include "compiler/conversion/HeddleToCPU/Evaluator.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace heddle::cpu;

//===----------------------------------------------------------------------===//
// Index expressions
//===----------------------------------------------------------------------===//

Value Evaluator::atomValue(unsigned number) {
  IndexSpace::Atom atom = space.atom(number);
  if (atom.kind == IndexSpace::Kind::Loop)
    return atom.value;
  for (auto &known : branchAtoms)
    if (auto found = known.find(number); found != known.end())
      return found->second;
  auto &known = levels[atom.level].atoms;
  if (auto found = known.find(number); found != known.end())
    return found->second;
  Value result;
  if (atom.kind == IndexSpace::Kind::RunTime) {
    RunTimeIndex source = runTimeSources.at(number);
    Value id = eval(source.ids, source.indices);
    at(atom.level);
    result = ScalarEmitter(*builder, *loc).toIndex(id, source.extent);
  } else {
    Value base = position(atom.base);
    at(atom.level);
    Value divisor = arith::ConstantIndexOp::create(*builder, *loc, atom.divisor);
    if (atom.kind == IndexSpace::Kind::Quotient)
      result = arith::DivUIOp::create(*builder, *loc, base, divisor);
    else
      result = arith::RemUIOp::create(*builder, *loc, base, divisor);
  }
  (branchAtoms.empty() ? levels[atom.level].atoms : branchAtoms.back())[number] = result;
  return result;
}

Value Evaluator::position(const Linear &narrow) {
  Linear x = space.widened(narrow);
  if (!builder) {
    if (!column.isConstant()) {
      bool nested = false;
      int64_t stride = space.coefficient(x, column, nested);
      columnDivided |= nested;
      columnStrideCost += stride != 0 && stride != 1;
    }
    return {};
  }
  unsigned level = space.level(x);
  SmallVector<int64_t> profile = {0};
  x.profile(profile);
  Key key(profile.begin(), profile.end());
  if (Value *known = find(key, level))
    return *known;
  if (constantsLast && x.constant != 0 && !x.isConstant()) {
    Linear base = x;
    base.constant = 0;
    Value sum = position(base);
    at(level);
    sum =
        arith::AddIOp::create(*builder, *loc, sum, arith::ConstantIndexOp::create(*builder, *loc, x.constant),
                              arith::IntegerOverflowFlags::nsw);
    return memo(level)[key] = sum;
  }
  // What changes in outer loops only is added up there.
  Linear outer(x.constant), inner;
  for (auto term : x.terms)
    (space.atom(term.first).level == level ? inner : outer).terms.push_back(term);
  Value sum;
  if (!inner.terms.empty() && (!outer.terms.empty() || (outer.constant != 0 && level > 0)))
    sum = position(outer);
  constexpr auto noWrap = arith::IntegerOverflowFlags::nsw;
  const Linear &rest = sum ? inner : x;
  for (auto [number, coefficient] : rest.terms) {
    Value term = atomValue(number);
    at(level);
    if (coefficient != 1)
      term = arith::MulIOp::create(*builder, *loc, term,
                                   arith::ConstantIndexOp::create(*builder, *loc, coefficient), noWrap);
    sum = sum ? Value(arith::AddIOp::create(*builder, *loc, sum, term, noWrap)) : term;
  }
  at(level);
  if (!sum)
    sum = arith::ConstantIndexOp::create(*builder, *loc, rest.constant);
  else if (rest.constant != 0)
    sum = arith::AddIOp::create(*builder, *loc, sum,
                                arith::ConstantIndexOp::create(*builder, *loc, rest.constant), noWrap);
  return memo(level)[key] = sum;
}

Linear Evaluator::runTimeIndex(Value ids, ArrayRef<Linear> indices, int64_t extent) {
  if (!builder)
    eval(ids, indices);
  Key key = keyOf(ids, indices);
  key.push_back(extent);
  if (auto found = runTimeIndices.find(key); found != runTimeIndices.end())
    return found->second;
  unsigned level = std::max(space.level(indices), leastLevel(ids));
  Linear result = space.runTime({0, std::max<int64_t>(extent - 1, 0)}, level, {});
  if (!result.isConstant())
    runTimeSources[result.terms[0].first] = {ids, Indices(indices), extent};
  return runTimeIndices[key] = result;
}

//===----------------------------------------------------------------------===//
// Conditions
//===----------------------------------------------------------------------===//

Evaluator::Condition Evaluator::inside(const Linear &x, Range range) {
  Range now = space.range(x);
  if (now.low >= range.low && now.high <= range.high)
    return {Condition::Always, {}};
  if (now.high < range.low || now.low > range.high)
    return {Condition::Never, {}};
  if (!builder) {
    position(x); // a division by the column here counts as well
    // Where the condition depends on the column alone, the loop over the columns is cut there.
    if (x.terms.size() == 1 && !column.isConstant() && x.terms[0].first == column.terms[0].first) {
      int64_t k = x.terms[0].second, c = x.constant;
      auto ceiling = [](int64_t a, int64_t d) { return a >= 0 ? (a + d - 1) / d : -(-a / d); };
      if (k > 0) {
        breakpoints.insert(ceiling(range.low - c, k));
        breakpoints.insert(ceiling(range.high + 1 - c, k));
      } else {
        breakpoints.insert(ceiling(c - range.high, -k));
        breakpoints.insert(ceiling(c - range.low + 1, -k));
      }
    }
    return {Condition::Sometimes, {}};
  }
  Value value = position(x);
  at(space.level(x));
  Value result;
  if (now.low < range.low)
    result = arith::CmpIOp::create(*builder, *loc, arith::CmpIPredicate::sge, value,
                                   arith::ConstantIndexOp::create(*builder, *loc, range.low));
  if (now.high > range.high) {
    Value below = arith::CmpIOp::create(*builder, *loc, arith::CmpIPredicate::sle, value,
                                        arith::ConstantIndexOp::create(*builder, *loc, range.high));
    result = result ? Value(arith::AndIOp::create(*builder, *loc, result, below)) : below;
  }
  return {Condition::Sometimes, result};
}

Evaluator::Condition Evaluator::both(Condition a, Condition c) {
  if (a.kind == Condition::Never || c.kind == Condition::Always)
    return a;
  if (c.kind == Condition::Never || a.kind == Condition::Always)
    return c;
  if (builder) {
    // At the innermost level in use: each part was emitted at its own.
    if (branches.empty())
      builder->setInsertionPoint(levels[conditionLevel].anchor);
    a.value = arith::AndIOp::create(*builder, *loc, a.value, c.value);
  }
  return a;
}

Value Evaluator::branch(Condition condition, Type type, llvm::function_ref<Value()> then,
                        llvm::function_ref<Value()> otherwise) {
  if (condition.kind == Condition::Always)
    return then();
  if (condition.kind == Condition::Never)
    return otherwise();
  auto within = [&](llvm::function_ref<Value()> body) {
    branches.emplace_back();
    branchAtoms.emplace_back();
    Value result = body();
    branches.pop_back();
    branchAtoms.pop_back();
    return result;
  };
  if (!builder) {
    within(then);
    within(otherwise);
    return {};
  }
  if (branches.empty())
    builder->setInsertionPoint(levels[conditionLevel].anchor);
  auto ifOp =
      scf::IfOp::create(*builder, *loc, TypeRange(computeType(type)), condition.value, /*withElse=*/true);
  for (bool first : {true, false}) {
    Block *block = first ? ifOp.thenBlock() : ifOp.elseBlock();
    if (!block->empty())
      block->getTerminator()->erase();
    builder->setInsertionPointToEnd(block);
    Value result = within(first ? then : otherwise);
    builder->setInsertionPointToEnd(block);
    scf::YieldOp::create(*builder, *loc, result);
  }
  builder->setInsertionPointAfter(ifOp);
  return ifOp.getResult(0);
}
