//===- Shape.cpp - Creation and movement of elements ----------------------===//

#include "compiler/interpreter/Evaluate.h"

#include "dialects/heddle/IR/Heddle.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace heddle::interp;
namespace ir = heddle::ir;

/// Copies `from`, read at `offset` with `strides`, to `to` in row-major order.
static void readStrided(Array &to, const Array &from, int64_t offset, Shape strides) {
  auto out = to.edit();
  int64_t i = 0;
  walk<1>(to.shape(), {std::move(strides)}, {offset}, [&](auto at) { out[i++] = from.cells()[at[0]]; });
}

/// Copies `from` in row-major order to the elements of `to` at `offset` with `strides`.
static void writeStrided(Array &to, const Array &from, int64_t offset, Shape strides) {
  auto out = to.edit();
  int64_t i = 0;
  walk<1>(from.shape(), {std::move(strides)}, {offset}, [&](auto at) { out[at[0]] = from.cells()[i++]; });
}

Array heddle::interp::constantArray(const Context &context, Operation *op, ElementsAttr value) {
  auto type = cast<ShapedType>(value.getType());
  Array result = context.make(op, type.getShape());
  auto out = result.edit();
  auto set = [&](int64_t i, const auto &number) {
    if constexpr (std::is_same_v<std::decay_t<decltype(number)>, APFloat>)
      out[i].real = number.convertToDouble();
    else
      out[i].integer = type.getElementType().isInteger(1) ? number.getZExtValue() : number.getSExtValue();
  };
  auto fill = [&](auto values) {
    for (auto [i, number] : llvm::enumerate(values))
      set(i, number);
  };
  if (auto dense = dyn_cast<DenseElementsAttr>(value)) {
    if (result.isFloat())
      fill(dense.getValues<APFloat>());
    else
      fill(dense.getValues<APInt>());
  } else if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    Element declared = declaredElement(value.getType());
    if (!blob || static_cast<int64_t>(blob->getData().size()) != result.count() * elementBytes(declared))
      fail(op, "constant's resource does not hold " + Twine(result.count()) + " elements");
    return Array::fromBuffer(declared, type.getShape(), blob->getData().data()).cast(result.element());
  } else {
    fail(op, "constant is neither dense nor a resource");
  }
  return result;
}

static Array evaluateIota(const Context &context, ir::IotaOp op) {
  Array result = context.make(op, context.staticShape(op));
  auto out = result.edit();
  AxisView view(result.shape(), op.getAxis());
  for (int64_t o = 0; o < view.outer; ++o)
    for (int64_t i = 0; i < view.extent; ++i)
      for (int64_t r = 0; r < view.inner; ++r) {
        Cell &cell = out[view.at(o, i, r)];
        if (result.isFloat())
          cell.real = realFromInteger(result.element(), i);
        else
          cell.integer = wrapTo(result.element(), i);
      }
  return result;
}

static Array evaluateBroadcast(const Context &context, ir::BroadcastOp op, const Array &x) {
  Shape shape(cast<ShapedType>(op.getType()).getShape()), strides(shape.size(), 0),
      own = rowMajorStrides(x.shape());
  for (auto [d, axis] : llvm::enumerate(op.getAxes())) {
    shape[axis] = x.extent(d);
    strides[axis] = own[d];
  }
  Array result = context.make(op, shape);
  readStrided(result, x, 0, strides);
  return result;
}

static Array evaluateReshape(const Context &context, ir::ReshapeOp op, const Array &x) {
  Shape shape(cast<ShapedType>(op.getType()).getShape());
  int64_t known = 1, *unknown = nullptr;
  for (int64_t &extent : shape) {
    if (!ShapedType::isDynamic(extent))
      known *= extent;
    else if (unknown)
      fail(op, "result has several unknown extents");
    else
      unknown = &extent;
  }
  if (unknown)
    *unknown = known ? x.count() / known : 0;
  if (elementCount(shape) != x.count())
    fail(op, "cannot reshape " + Twine(x.count()) + " elements to " + ir::shapeString(shape));
  return x.reshaped(shape);
}

static Array evaluateTranspose(const Context &context, ir::TransposeOp op, const Array &x) {
  Shape shape, strides, own = rowMajorStrides(x.shape());
  for (int64_t axis : op.getPermutation()) {
    shape.push_back(x.extent(axis));
    strides.push_back(own[axis]);
  }
  Array result = context.make(op, shape);
  readStrided(result, x, 0, strides);
  return result;
}

static Array evaluateSlice(const Context &context, ir::SliceOp op, const Array &x) {
  Shape strides = rowMajorStrides(x.shape());
  int64_t offset = 0;
  for (int64_t d = 0; d < x.rank(); ++d) {
    int64_t start = op.getStarts()[d], size = op.getSizes()[d], stride = op.getStrides()[d];
    if (size > 0 && start + (size - 1) * stride >= x.extent(d))
      fail(op, "slice reaches element " + Twine(start + (size - 1) * stride) + " of axis " + Twine(d) +
                   ", which has extent " + Twine(x.extent(d)));
    offset += start * strides[d];
    strides[d] *= stride;
  }
  Array result = context.make(op, op.getSizes());
  readStrided(result, x, offset, strides);
  return result;
}

static Array evaluatePad(const Context &context, ir::PadOp op, const Array &x, const Array &value) {
  Shape shape;
  for (int64_t d = 0; d < x.rank(); ++d)
    shape.push_back(op.getLow()[d] + x.extent(d) +
                    std::max<int64_t>(x.extent(d) - 1, 0) * op.getInterior()[d] + op.getHigh()[d]);
  Array result = context.make(op, shape);
  llvm::fill(result.edit(), value.cells()[0]);
  Shape strides = rowMajorStrides(shape);
  int64_t offset = 0;
  for (int64_t d = 0; d < x.rank(); ++d) {
    offset += op.getLow()[d] * strides[d];
    strides[d] *= op.getInterior()[d] + 1;
  }
  writeStrided(result, x, offset, strides);
  return result;
}

static Array evaluateConcat(const Context &context, ir::ConcatOp op, Inputs inputs) {
  int64_t axis = op.getAxis();
  Shape shape(inputs[0].shape());
  for (const Array &input : inputs.drop_front())
    shape[axis] += input.extent(axis);
  Array result = context.make(op, shape);
  Shape strides = rowMajorStrides(shape);
  int64_t start = 0;
  for (const Array &input : inputs) {
    for (int64_t d = 0; d < result.rank(); ++d)
      if (d != axis && input.extent(d) != shape[d])
        fail(op, "operands have shapes " + ir::shapeString(inputs[0].shape()) + " and " +
                     ir::shapeString(input.shape()));
    writeStrided(result, input, start * strides[axis], strides);
    start += input.extent(axis);
  }
  return result;
}

static Array evaluateReverse(const Context &context, ir::ReverseOp op, const Array &x) {
  Array result = context.make(op, x.shape());
  Shape strides = rowMajorStrides(x.shape());
  int64_t offset = 0;
  llvm::SmallVector<bool> reversed(x.rank(), false);
  for (int64_t axis : op.getAxes())
    reversed[axis] = true;
  for (int64_t d = 0; d < x.rank(); ++d) {
    if (!reversed[d])
      continue;
    offset += (x.extent(d) - 1) * strides[d];
    strides[d] = -strides[d];
  }
  readStrided(result, x, offset, strides);
  return result;
}

/// Where a block of `size` elements starts. One element is what indexing with a scalar makes.
static int64_t blockStart(Operation *op, const Array &start, int64_t size, int64_t extent) {
  int64_t value = start.integer(0);
  if (value >= 0 && size <= extent && value <= extent - size)
    return value;
  if (size == 1)
    fail(op, "index " + Twine(value) + " is outside a dimension of " + Twine(extent));
  fail(op,
       "a slice of " + Twine(size) + " from " + Twine(value) + " is outside a dimension of " + Twine(extent));
}

static Array evaluateDynamicSlice(const Context &context, ir::DynamicSliceOp op, const Array &x,
                                  const Array &start) {
  int64_t axis = op.getAxis(), size = op.getSize();
  Shape shape(x.shape()), strides = rowMajorStrides(x.shape());
  shape[axis] = size;
  int64_t offset = blockStart(op, start, size, x.extent(axis)) * strides[axis];
  Array result = context.make(op, shape);
  readStrided(result, x, offset, strides);
  return result;
}

static Array evaluateDynamicUpdateSlice(ir::DynamicUpdateSliceOp op, const Array &x, const Array &update,
                                        const Array &start) {
  int64_t axis = op.getAxis();
  for (int64_t d = 0; d < x.rank(); ++d)
    if (d != axis && update.extent(d) != x.extent(d))
      fail(op, "update of shape " + ir::shapeString(update.shape()) + " does not fit " +
                   ir::shapeString(x.shape()) + " along axis " + Twine(axis));
  Shape strides = rowMajorStrides(x.shape());
  int64_t offset = blockStart(op, start, update.extent(axis), x.extent(axis)) * strides[axis];
  Array result = x;
  writeStrided(result, update, offset, strides);
  return result;
}

bool heddle::interp::evaluateShape(const Context &context, Operation *op, Inputs inputs, Results &results) {
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case(
          [&](ir::ConstantOp o) { return results.push_back(constantArray(context, o, o.getValue())), true; })
      .Case([&](ir::IotaOp o) { return results.push_back(evaluateIota(context, o)), true; })
      .Case([&](ir::BroadcastOp o) {
        return results.push_back(evaluateBroadcast(context, o, inputs[0])), true;
      })
      .Case([&](ir::ReshapeOp o) { return results.push_back(evaluateReshape(context, o, inputs[0])), true; })
      .Case([&](ir::TransposeOp o) {
        return results.push_back(evaluateTranspose(context, o, inputs[0])), true;
      })
      .Case([&](ir::SliceOp o) { return results.push_back(evaluateSlice(context, o, inputs[0])), true; })
      .Case(
          [&](ir::PadOp o) { return results.push_back(evaluatePad(context, o, inputs[0], inputs[1])), true; })
      .Case([&](ir::ConcatOp o) { return results.push_back(evaluateConcat(context, o, inputs)), true; })
      .Case([&](ir::ReverseOp o) { return results.push_back(evaluateReverse(context, o, inputs[0])), true; })
      .Case([&](ir::DynamicSliceOp o) {
        return results.push_back(evaluateDynamicSlice(context, o, inputs[0], inputs[1])), true;
      })
      .Case([&](ir::DynamicUpdateSliceOp o) {
        return results.push_back(evaluateDynamicUpdateSlice(o, inputs[0], inputs[1], inputs[2])), true;
      })
      .Default([](Operation *) { return false; });
}
