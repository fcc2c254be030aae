//===- Linear.cpp - Products ----------------------------------------------===//

#include "compiler/interpreter/Evaluate.h"

#include "dialects/heddle/IR/Heddle.h"

using namespace mlir;
using namespace heddle::interp;
namespace ir = heddle::ir;

/// The einsum of two arrays whose axes are named by one letter each: for every index of the result's labels
/// the sum over the other labels, in row-major order of their first appearance.
static Array product(const Context &context, Operation *op, const Array &lhs, const Array &rhs,
                     StringRef lhsLabels, StringRef rhsLabels, StringRef resultLabels) {
  struct Axis {
    int64_t extent = 1, lhsStride = 0, rhsStride = 0;
  };
  auto axisOf = [&](char label) {
    Axis axis;
    size_t l = lhsLabels.find(label), r = rhsLabels.find(label);
    if (l != StringRef::npos) {
      axis.extent = lhs.extent(l);
      axis.lhsStride = rowMajorStrides(lhs.shape())[l];
    }
    if (r != StringRef::npos) {
      if (l != StringRef::npos && lhs.extent(l) != rhs.extent(r))
        fail(op, "label '" + Twine(label) + "' has extents " + Twine(lhs.extent(l)) + " and " +
                     Twine(rhs.extent(r)));
      axis.extent = rhs.extent(r);
      axis.rhsStride = rowMajorStrides(rhs.shape())[r];
    }
    return axis;
  };
  Shape shape, summed;
  std::array<Shape, 2> strides, summedStrides;
  for (char label : resultLabels) {
    Axis axis = axisOf(label);
    shape.push_back(axis.extent);
    strides[0].push_back(axis.lhsStride);
    strides[1].push_back(axis.rhsStride);
  }
  std::string labels = lhsLabels.str();
  llvm::copy_if(rhsLabels, std::back_inserter(labels),
                [&](char label) { return !lhsLabels.contains(label); });
  for (char label : labels) {
    Axis axis = axisOf(label);
    if (resultLabels.contains(label))
      continue;
    summed.push_back(axis.extent);
    summedStrides[0].push_back(axis.lhsStride);
    summedStrides[1].push_back(axis.rhsStride);
  }
  Array result = context.make(op, shape);
  Element element = result.element();
  auto out = result.edit();
  int64_t i = 0;
  walk<2>(shape, strides, {0, 0}, [&](auto start) {
    if (result.isFloat()) {
      double total = 0;
      walk<2>(summed, summedStrides, start, [&](auto at) { total += lhs.real(at[0]) * rhs.real(at[1]); });
      out[i++].real = roundTo(element, total);
    } else {
      uint64_t total = 0;
      walk<2>(summed, summedStrides, start,
              [&](auto at) { total += uint64_t(lhs.integer(at[0])) * uint64_t(rhs.integer(at[1])); });
      out[i++].integer = wrapTo(element, static_cast<int64_t>(total));
    }
  });
  return result;
}

/// Adds the bias and the addend, and makes what is not positive 0.
static void finish(ir::MatmulOp op, Inputs more, Array &result) {
  const Element element = result.element();
  const int64_t columns = result.shape().back();
  auto add = [&](const Array &x, llvm::function_ref<int64_t(int64_t)> position) {
    for (auto [i, out] : llvm::enumerate(result.edit()))
      if (result.isFloat())
        out.real = roundTo(element, out.real + x.real(position(int64_t(i))));
      else
        out.integer =
            wrapTo(element, int64_t(uint64_t(out.integer) + uint64_t(x.integer(position(int64_t(i))))));
  };
  if (op.getBias())
    add(more.front(), [&](int64_t i) { return i % columns; });
  if (op.getAddend())
    add(more.back(), [](int64_t i) { return i; });
  if (op.getRelu())
    for (auto &out : result.edit())
      if (result.isFloat() ? out.real <= 0 : out.integer <= 0)
        out = {};
}

bool heddle::interp::evaluateLinear(const Context &context, Operation *op, Inputs inputs, Results &results) {
  if (auto einsum = dyn_cast<ir::EinsumOp>(op)) {
    results.push_back(product(context, op, inputs[0], inputs[1], einsum.getLhsLabels(), einsum.getRhsLabels(),
                              einsum.getResultLabels()));
    return true;
  }
  if (auto matmul = dyn_cast<ir::MatmulOp>(op)) {
    results.push_back(product(context, op, inputs[0], inputs[1], matmul.getTransposeLhs() ? "bkm" : "bmk",
                              matmul.getTransposeRhs() ? "bnk" : "bkn", "bmn"));
    if (matmul.hasEpilogue())
      finish(matmul, inputs.drop_front(2), results.back());
    return true;
  }
  return false;
}
