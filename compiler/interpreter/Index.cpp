//===- Index.cpp - Gathers, scatters and sorting --------------------------===//

#include "compiler/interpreter/Evaluate.h"

#include "dialects/heddle/IR/Heddle.h"

#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace mlir;
using namespace heddle::interp;
namespace ir = heddle::ir;

static int64_t checkedIndex(Operation *op, int64_t index, int64_t extent) {
  if (index < 0 || index >= extent)
    fail(op, "index " + Twine(index) + " is outside a dimension of " + Twine(extent));
  return index;
}

/// Sums per element in double (or modulo 2^64) that are rounded once at the end.
static void accumulate(Cell &cell, bool real, Cell addend) {
  if (real)
    cell.real += addend.real;
  else
    cell.integer = static_cast<int64_t>(uint64_t(cell.integer) + uint64_t(addend.integer));
}

static void roundAll(Array &array) {
  for (Cell &cell : array.edit()) {
    if (array.isFloat())
      cell.real = roundTo(array.element(), cell.real);
    else
      cell.integer = wrapTo(array.element(), cell.integer);
  }
}

//===----------------------------------------------------------------------===//
// Slices of a table
//===----------------------------------------------------------------------===//

/// The shape of `table` with `axis` replaced by the shape of `ids`.
static Shape gatheredShape(const Array &table, const Array &ids, int64_t axis) {
  Shape shape(table.shape().take_front(axis));
  llvm::append_range(shape, ids.shape());
  llvm::append_range(shape, table.shape().drop_front(axis + 1));
  return shape;
}

/// Calls `visit(position in the table, position in the gathered array)` for each pair; ids in row-major
/// order.
template <typename Visit>
static void forEachGathered(Operation *op, const Array &table, const Array &ids, int64_t axis, Visit visit) {
  AxisView view(table.shape(), axis);
  for (int64_t i = 0, n = ids.count(); i < n; ++i) {
    int64_t id = checkedIndex(op, ids.integer(i), view.extent);
    for (int64_t o = 0; o < view.outer; ++o)
      for (int64_t r = 0; r < view.inner; ++r)
        visit(view.at(o, id, r), (o * n + i) * view.inner + r);
  }
}

static Array evaluateGather(const Context &context, ir::GatherOp op, const Array &table, const Array &ids) {
  Array result = context.make(op, gatheredShape(table, ids, op.getAxis()));
  auto out = result.edit();
  forEachGathered(op, table, ids, op.getAxis(),
                  [&](int64_t from, int64_t to) { out[to] = table.cells()[from]; });
  return result;
}

static Array evaluateScatterAdd(ir::ScatterAddOp op, const Array &base, const Array &ids,
                                const Array &updates) {
  Shape expected = gatheredShape(base, ids, op.getAxis());
  if (updates.shape() != ArrayRef<int64_t>(expected))
    fail(op, "updates have shape " + ir::shapeString(updates.shape()) + ", not " + ir::shapeString(expected));
  Array result = base;
  auto out = result.edit();
  forEachGathered(op, base, ids, op.getAxis(), [&](int64_t to, int64_t from) {
    accumulate(out[to], base.isFloat(), updates.cells()[from]);
  });
  roundAll(result);
  return result;
}

//===----------------------------------------------------------------------===//
// Row by row
//===----------------------------------------------------------------------===//

/// Calls `visit(position in x, position in ids)` for each id in row-major order.
template <typename Visit>
static void forEachAlong(Operation *op, const Array &x, const Array &ids, int64_t axis, Visit visit) {
  for (int64_t d = 0; d < x.rank(); ++d)
    if (d != axis && x.extent(d) != ids.extent(d))
      fail(op, "ids of shape " + ir::shapeString(ids.shape()) + " do not fit " + ir::shapeString(x.shape()) +
                   " along axis " + Twine(axis));
  AxisView view(x.shape(), axis), idView(ids.shape(), axis);
  for (int64_t o = 0; o < idView.outer; ++o)
    for (int64_t i = 0; i < idView.extent; ++i)
      for (int64_t r = 0; r < idView.inner; ++r) {
        int64_t at = idView.at(o, i, r);
        visit(view.at(o, checkedIndex(op, ids.integer(at), view.extent), r), at);
      }
}

static Array evaluateTakeAlong(const Context &context, ir::TakeAlongOp op, const Array &x, const Array &ids) {
  Array result = context.make(op, ids.shape());
  auto out = result.edit();
  forEachAlong(op, x, ids, op.getAxis(), [&](int64_t from, int64_t to) { out[to] = x.cells()[from]; });
  return result;
}

static Array evaluatePutAlong(ir::PutAlongOp op, const Array &base, const Array &ids, const Array &updates) {
  if (updates.shape() != ids.shape())
    fail(op,
         "updates have shape " + ir::shapeString(updates.shape()) + ", not " + ir::shapeString(ids.shape()));
  Array result = base;
  auto out = result.edit();
  forEachAlong(op, base, ids, op.getAxis(),
               [&](int64_t to, int64_t from) { accumulate(out[to], base.isFloat(), updates.cells()[from]); });
  roundAll(result);
  return result;
}

static Array evaluateArgsort(const Context &context, ir::ArgsortOp op, const Array &x) {
  Shape shape(x.shape());
  AxisView view(shape, op.getAxis());
  shape[op.getAxis()] = op.getLimit() ? static_cast<int64_t>(*op.getLimit()) : view.extent;
  if (shape[op.getAxis()] > view.extent)
    fail(op, "limit " + Twine(shape[op.getAxis()]) + " is above a dimension of " + Twine(view.extent));
  Array result = context.make(op, shape);
  auto out = result.edit();
  AxisView outView(shape, op.getAxis());
  bool descending = op.getDescending();
  std::vector<int64_t> order(view.extent);
  for (int64_t o = 0; o < view.outer; ++o)
    for (int64_t r = 0; r < view.inner; ++r) {
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) {
        int64_t a = view.at(o, i, r), b = view.at(o, j, r);
        if (!x.isFloat())
          return descending ? x.integer(a) > x.integer(b) : x.integer(a) < x.integer(b);
        if (std::isnan(x.real(a)) || std::isnan(x.real(b)))
          return !std::isnan(x.real(a)) && std::isnan(x.real(b));
        return descending ? x.real(a) > x.real(b) : x.real(a) < x.real(b);
      });
      for (int64_t i = 0; i < outView.extent; ++i)
        out[outView.at(o, i, r)].integer = order[i];
    }
  return result;
}

bool heddle::interp::evaluateIndex(const Context &context, Operation *op, Inputs inputs, Results &results) {
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case([&](ir::GatherOp o) {
        return results.push_back(evaluateGather(context, o, inputs[0], inputs[1])), true;
      })
      .Case([&](ir::ScatterAddOp o) {
        return results.push_back(evaluateScatterAdd(o, inputs[0], inputs[1], inputs[2])), true;
      })
      .Case([&](ir::TakeAlongOp o) {
        return results.push_back(evaluateTakeAlong(context, o, inputs[0], inputs[1])), true;
      })
      .Case([&](ir::PutAlongOp o) {
        return results.push_back(evaluatePutAlong(o, inputs[0], inputs[1], inputs[2])), true;
      })
      .Case([&](ir::ArgsortOp o) { return results.push_back(evaluateArgsort(context, o, inputs[0])), true; })
      .Default([](Operation *) { return false; });
}
