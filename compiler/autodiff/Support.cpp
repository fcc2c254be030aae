//===- Support.cpp - Small builders shared by the rules -------------------===//

#include "compiler/autodiff/Support.h"

#include "dialects/sparsek/IR/SparseK.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace heddle::autodiff {

bool isFloat(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && isa<FloatType>(tensor.getElementType());
}

LogicalResult reportNoDerivative(Operation &op, Location request, StringRef what) {
  // What the program calls the operation, where that is another name, and what to write instead.
  bool isCache = isa<sparsek::AppendOp, sparsek::FillCacheOp>(op);
  StringRef builtin = isa<sparsek::AppendOp>(op) ? " (sparsek_decode, or sparsek_prefill onto a cache)"
                      : isCache                  ? " (the cache that sparsek_prefill makes)"
                                                 : "";
  InFlightDiagnostic error = op.emitError() << "'" << op.getName() << "'" << builtin << " has no derivative";
  error.attachNote(request) << "called for the " << what << " here";
  if (isCache)
    error.attachNote() << "sparsek_attention over the whole sequence has one";
  return error;
}

RankedTensorType withShape(RankedTensorType type, ArrayRef<int64_t> shape) {
  return RankedTensorType::get(shape, type.getElementType());
}

Value splat(OpBuilder &builder, Location loc, Type type, double number) {
  auto tensor = cast<RankedTensorType>(type);
  Type element = tensor.getElementType();
  Attribute value = isa<FloatType>(element) ? Attribute(builder.getFloatAttr(element, number))
                                            : Attribute(builder.getIntegerAttr(element, (int64_t)number));
  return ir::ConstantOp::create(builder, loc, tensor, DenseElementsAttr::get(tensor, value));
}

std::optional<double> splatNumber(Value value) {
  DenseElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)) || !elements.isSplat())
    return std::nullopt;
  if (isa<FloatType>(elements.getElementType())) {
    APFloat number = elements.getSplatValue<APFloat>();
    bool inexact;
    number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &inexact);
    return number.convertToDouble();
  }
  return (double)elements.getSplatValue<APInt>().getSExtValue();
}

Value orZeros(OpBuilder &builder, Location loc, Value value, Type type) {
  return value ? value : zeros(builder, loc, type);
}

Value addOrNull(OpBuilder &builder, Location loc, Value a, Value b) {
  if (!a || !b)
    return a ? a : b;
  return ir::AddOp::create(builder, loc, a, b);
}

Value reduceSum(OpBuilder &builder, Location loc, Value value, ArrayRef<int64_t> axes) {
  return axes.empty() ? value
                      : ir::ReduceOp::create(builder, loc, ir::ReductionKind::sum, value, axes).getResult();
}

SmallVector<int64_t> otherAxes(int64_t rank, ArrayRef<int64_t> axes) {
  SmallVector<int64_t> others;
  for (int64_t d = 0; d < rank; ++d)
    if (!llvm::is_contained(axes, d))
      others.push_back(d);
  return others;
}

} // namespace heddle::autodiff
