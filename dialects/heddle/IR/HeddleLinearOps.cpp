//===- HeddleLinearOps.cpp - Shapes of products ---------------------------===//

#include "dialects/heddle/IR/Heddle.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"

using namespace mlir;
using namespace heddle::ir;

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

LogicalResult EinsumOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc, Adaptor adaptor,
                                         SmallVectorImpl<Type> &results) {
  StringRef equation = adaptor.getEquation();
  auto malformed = [&] {
    return emitOptionalError(loc, "equation \"", equation, "\" is not of the form \"ab,bc->ac\"");
  };
  if (equation.count("->") != 1 || equation.count(',') != 1)
    return malformed();
  auto [inputs, output] = equation.split("->");
  auto [lhsLabels, rhsLabels] = inputs.split(',');
  if (output.contains(','))
    return malformed();
  auto lhs = typeOf(adaptor.getLhs()), rhs = typeOf(adaptor.getRhs());
  if (lhs.getElementType() != rhs.getElementType())
    return emitOptionalError(loc, "operands have element types ", lhs.getElementType(), " and ",
                             rhs.getElementType());
  llvm::SmallDenseMap<char, int64_t> extents;
  for (auto [labels, type] : {std::pair{lhsLabels, lhs}, std::pair{rhsLabels, rhs}}) {
    if ((int64_t)labels.size() != type.getRank())
      return emitOptionalError(loc, "\"", labels, "\" names ", labels.size(), " axes of ", type);
    for (auto [axis, label] : llvm::enumerate(labels)) {
      if (!llvm::isAlpha(label))
        return malformed();
      if (labels.count(label) > 1)
        return emitOptionalError(loc, "label '", Twine(label), "' stands twice in \"", labels, "\"");
      auto [at, isNew] = extents.try_emplace(label, type.getDimSize(axis));
      if (!isNew && !extentsAgree(at->second, type.getDimSize(axis)))
        return emitOptionalError(loc, "label '", Twine(label), "' has extents ", at->second, " and ",
                                 type.getDimSize(axis));
      if (!isNew && ShapedType::isDynamic(at->second))
        at->second = type.getDimSize(axis);
    }
  }
  SmallVector<int64_t> shape;
  for (char label : output) {
    auto at = extents.find(label);
    if (at == extents.end())
      return emitOptionalError(loc, "label '", Twine(label), "' of the result stands in no operand");
    if (output.count(label) > 1)
      return emitOptionalError(loc, "label '", Twine(label), "' stands twice in \"", output, "\"");
    shape.push_back(at->second);
  }
  results.push_back(RankedTensorType::get(shape, lhs.getElementType()));
  return success();
}

LogicalResult MatmulOp::verify() {
  auto result = cast<RankedTensorType>(getType());
  auto bias = RankedTensorType::get(result.getShape().take_back(), result.getElementType());
  if (getBias() && getBias().getType() != bias)
    return emitOpError("bias is ") << getBias().getType() << ", not " << bias;
  if (getAddend() && getAddend().getType() != result)
    return emitOpError("addend is ") << getAddend().getType() << ", not " << result;
  return success();
}

LogicalResult MatmulOp::inferReturnTypes(MLIRContext *, std::optional<Location> loc, Adaptor adaptor,
                                         SmallVectorImpl<Type> &results) {
  auto lhs = typeOf(adaptor.getLhs()), rhs = typeOf(adaptor.getRhs());
  if (lhs.getRank() != 3 || rhs.getRank() != 3)
    return emitOptionalError(loc, "operands ", lhs, " and ", rhs, " are not both of rank 3");
  if (lhs.getElementType() != rhs.getElementType())
    return emitOptionalError(loc, "operands have element types ", lhs.getElementType(), " and ",
                             rhs.getElementType());
  int64_t m = lhs.getDimSize(adaptor.getTransposeLhs() ? 2 : 1),
          lhsK = lhs.getDimSize(adaptor.getTransposeLhs() ? 1 : 2);
  int64_t n = rhs.getDimSize(adaptor.getTransposeRhs() ? 1 : 2),
          rhsK = rhs.getDimSize(adaptor.getTransposeRhs() ? 2 : 1);
  if (!extentsAgree(lhs.getDimSize(0), rhs.getDimSize(0)))
    return emitOptionalError(loc, "batches of ", lhs.getDimSize(0), " and ", rhs.getDimSize(0));
  if (!extentsAgree(lhsK, rhsK))
    return emitOptionalError(loc, "sums over ", lhsK, " and ", rhsK, " elements");
  results.push_back(RankedTensorType::get({lhs.getDimSize(0), m, n}, lhs.getElementType()));
  return success();
}
