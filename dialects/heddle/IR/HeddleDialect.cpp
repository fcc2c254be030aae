//===- HeddleDialect.cpp - Registration and elementwise operations --------===//

#include "dialects/heddle/IR/Heddle.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Transforms/InliningUtils.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace heddle::ir;

#include "dialects/heddle/IR/HeddleDialect.cpp.inc"
#include "dialects/heddle/IR/HeddleEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/heddle/IR/HeddleAttrs.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/heddle/IR/HeddleOps.cpp.inc"

namespace {
/// Every operation may move into another function; calls are inlined by the callee's own dialect.
struct HeddleInliner : DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;
  bool isLegalToInline(Operation *, Operation *, bool) const final { return true; }
  bool isLegalToInline(Operation *, Region *, bool, IRMapping &) const final { return true; }
  bool isLegalToInline(Region *, Region *, bool, IRMapping &) const final { return true; }
};
} // namespace

void HeddleDialect::initialize() {
  addInterfaces<HeddleInliner>();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/heddle/IR/HeddleAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/heddle/IR/HeddleOps.cpp.inc"
      >();
}

Operation *HeddleDialect::materializeConstant(OpBuilder &builder, Attribute value, Type type, Location loc) {
  auto elements = dyn_cast<ElementsAttr>(value);
  if (!elements || elements.getType() != type)
    return nullptr;
  return ConstantOp::create(builder, loc, type, elements);
}

std::string heddle::ir::shapeString(ArrayRef<int64_t> shape) {
  if (shape.empty())
    return "scalar";
  std::string text;
  for (auto [i, extent] : llvm::enumerate(shape)) {
    if (i)
      text += 'x';
    text += ShapedType::isDynamic(extent) ? std::string("?") : std::to_string(extent);
  }
  return text;
}

LogicalResult CompareOp::inferReturnTypes(MLIRContext *context, std::optional<Location>, Adaptor adaptor,
                                          SmallVectorImpl<Type> &results) {
  auto type = cast<RankedTensorType>(adaptor.getLhs().getType());
  results.push_back(RankedTensorType::get(type.getShape(), IntegerType::get(context, 1)));
  return success();
}
