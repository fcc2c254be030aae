//===- HeddleControlOps.cpp - Rules of loops and derivative requests ------===//

#include "dialects/heddle/IR/Heddle.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace heddle::ir;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// `value` is the `index`-th thing called `what`; it should have type `expected`.
static LogicalResult expectType(Operation *op, StringRef what, size_t index, Type actual, Type expected) {
  if (actual == expected)
    return success();
  return op->emitOpError(what) << " " << index << " has type " << actual << ", not " << expected;
}

YieldOp ForOp::getYield() { return cast<YieldOp>(getBody().front().getTerminator()); }

LogicalResult ForOp::verify() {
  int64_t count = getCount();
  if (count < 0)
    return emitOpError("has ") << count << " steps";
  auto arguments = getBody().getArguments();
  if (arguments.size() != 1 + getScanned().size() + getInits().size())
    return emitOpError("body has ") << arguments.size() << " arguments, not "
                                    << 1 + getScanned().size() + getInits().size();
  auto stepType = RankedTensorType::get({}, IntegerType::get(getContext(), 32));
  if (failed(expectType(*this, "body argument", 0, getStep().getType(), stepType)))
    return failure();
  for (auto [i, scanned, slice] : llvm::enumerate(getScanned(), getSlices())) {
    auto type = typeOf(scanned);
    if (type.getRank() == 0 || !extentsAgree(type.getDimSize(0), count))
      return emitOpError("scanned operand ")
             << i << " has type " << type << ", whose leading extent is not " << count;
    if (failed(expectType(*this, "slice", i, slice.getType(),
                          RankedTensorType::get(type.getShape().drop_front(), type.getElementType()))))
      return failure();
  }
  YieldOp yield = getYield();
  if (yield.getValues().size() != getNumResults() || getNumResults() < getInits().size())
    return emitOpError("yields ") << yield.getValues().size() << " values for " << getNumResults()
                                  << " results and " << getInits().size() << " carries";
  for (auto [i, init, carry] : llvm::enumerate(getInits(), getCarries()))
    if (failed(expectType(*this, "carry", i, carry.getType(), init.getType())) ||
        failed(expectType(*this, "yielded carry", i, yield.getValues()[i].getType(), init.getType())) ||
        failed(expectType(*this, "result", i, getResult(i).getType(), init.getType())))
      return failure();
  for (auto [i, result] : llvm::enumerate(getCollectedResults())) {
    auto type = typeOf(yield.getValues()[getNumCarries() + i]);
    SmallVector<int64_t> shape = {count};
    llvm::append_range(shape, type.getShape());
    if (failed(expectType(*this, "collected result", i, result.getType(),
                          RankedTensorType::get(shape, type.getElementType()))))
      return failure();
  }
  return success();
}

LogicalResult IfOp::verify() {
  for (Region *region : getRegions()) {
    auto yield = cast<YieldOp>(region->front().getTerminator());
    if (yield.getValues().size() != getNumResults())
      return emitOpError("has ") << getNumResults() << " results, and a region yields "
                                 << yield.getValues().size();
    for (auto [i, value] : llvm::enumerate(yield.getValues()))
      if (failed(expectType(*this, "yielded value", i, value.getType(), getResult(i).getType())))
        return failure();
  }
  return success();
}

LogicalResult FusionOp::verify() {
  auto arguments = getBody().getArguments();
  if (arguments.size() != getInputs().size())
    return emitOpError("has ") << getInputs().size() << " inputs for " << arguments.size()
                               << " body arguments";
  for (auto [i, input, argument] : llvm::enumerate(getInputs(), arguments))
    if (failed(expectType(*this, "body argument", i, argument.getType(), input.getType())))
      return failure();
  auto yield = cast<YieldOp>(getBody().front().getTerminator());
  if (yield.getValues().size() != getNumResults())
    return emitOpError("has ") << getNumResults() << " results, and its body yields "
                               << yield.getValues().size();
  for (auto [i, value] : llvm::enumerate(yield.getValues()))
    if (failed(expectType(*this, "yielded value", i, value.getType(), getResult(i).getType())))
      return failure();
  return success();
}

/// The callee of a derivative request, with its arguments checked; `extra` types follow the arguments and
/// `results` follow the callee's results.
static FailureOr<func::FuncOp> verifyRequest(Operation *op, SymbolTableCollection &symbols,
                                             FlatSymbolRefAttr callee, ArrayRef<int64_t> wrt) {
  auto function = symbols.lookupNearestSymbolFrom<func::FuncOp>(op, callee);
  if (!function)
    return op->emitOpError("callee ") << callee << " is not a function";
  for (int64_t number : wrt) {
    if (number < 0 || number >= (int64_t)function.getNumArguments())
      return op->emitOpError("wrt names argument ")
             << number << " of a function with " << function.getNumArguments();
    Type type = function.getArgumentTypes()[number];
    if (!isa<FloatType>(cast<RankedTensorType>(type).getElementType()))
      return op->emitOpError("wrt names argument ")
             << number << " of type " << type << ", which has no derivative";
  }
  return function;
}

static bool isFloat(Type type) { return isa<FloatType>(cast<RankedTensorType>(type).getElementType()); }

static LogicalResult expectTypes(Operation *op, StringRef what, TypeRange actual, ArrayRef<Type> expected) {
  if (actual.size() != expected.size())
    return op->emitOpError("has ") << actual.size() << " " << what << "s, not " << expected.size();
  for (auto [i, a, e] : llvm::enumerate(actual, expected))
    if (failed(expectType(op, what, i, a, e)))
      return failure();
  return success();
}

LogicalResult VjpOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto function = verifyRequest(*this, symbols, getCalleeAttr(), getWrt());
  if (failed(function))
    return failure();
  SmallVector<Type> operands(function->getArgumentTypes()), results(function->getResultTypes());
  llvm::copy_if(function->getResultTypes(), std::back_inserter(operands), isFloat);
  for (int64_t number : getWrt())
    results.push_back(function->getArgumentTypes()[number]);
  if (failed(expectTypes(*this, "operand", getOperandTypes(), operands)))
    return failure();
  return expectTypes(*this, "result", getResultTypes(), results);
}

LogicalResult JvpOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto function = verifyRequest(*this, symbols, getCalleeAttr(), getWrt());
  if (failed(function))
    return failure();
  SmallVector<Type> operands(function->getArgumentTypes()), results(function->getResultTypes());
  for (int64_t number : getWrt())
    operands.push_back(function->getArgumentTypes()[number]);
  llvm::copy_if(function->getResultTypes(), std::back_inserter(results), isFloat);
  if (failed(expectTypes(*this, "operand", getOperandTypes(), operands)))
    return failure();
  return expectTypes(*this, "result", getResultTypes(), results);
}
