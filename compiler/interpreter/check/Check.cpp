//===- Check.cpp - Expectations in tests ----------------------------------===//

#include "compiler/interpreter/check/Check.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

using namespace mlir;
using namespace heddle::check;
using heddle::interp::Array;

#include "compiler/interpreter/check/CheckDialect.cpp.inc"
#define GET_OP_CLASSES
#include "compiler/interpreter/check/Check.cpp.inc"

void CheckDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "compiler/interpreter/check/Check.cpp.inc"
      >();
}

/// `[1, 0, 2]`: the index of element `i`.
static std::string indexString(const Array &array, int64_t i) {
  std::string text = "[";
  auto strides = heddle::interp::rowMajorStrides(array.shape());
  for (int64_t d = 0; d < array.rank(); ++d)
    text += (d ? ", " : "") + std::to_string(i / strides[d] % array.extent(d));
  return text + "]";
}

static bool close(double a, double e, double rtol, double atol) {
  if (std::isnan(a) || std::isnan(e))
    return std::isnan(a) && std::isnan(e);
  return a == e || (std::isfinite(e) && std::fabs(a - e) <= atol + rtol * std::fabs(e));
}

static llvm::Error compare(const Array &actual, const Array &expected, double rtol, double atol) {
  if (actual.shape() != expected.shape())
    return llvm::createStringError("actual is %s, expected %s", actual.typeString().c_str(),
                                   expected.typeString().c_str());
  int64_t wrong = 0, first = 0;
  for (int64_t i = 0, n = actual.count(); i < n; ++i) {
    bool same = actual.isFloat()
                    ? close(actual.real(i), expected.real(i), rtol, atol)
                    : actual.integer(i) == expected.integer(i) ||
                          (rtol + atol > 0 && close(static_cast<double>(actual.integer(i)),
                                                    static_cast<double>(expected.integer(i)), rtol, atol));
    if (!same && wrong++ == 0)
      first = i;
  }
  if (!wrong)
    return llvm::Error::success();
  std::string text;
  llvm::raw_string_ostream os(text);
  os << wrong << " of " << actual.count() << " elements differ, first at " << indexString(actual, first)
     << ": actual ";
  if (actual.isFloat())
    os << llvm::format("%.17g, expected %.17g", actual.real(first), expected.real(first));
  else
    os << actual.integer(first) << ", expected " << expected.integer(first);
  os << "\n  actual   " << actual.str() << "\n  expected " << expected.str();
  return llvm::createStringError(text);
}

llvm::Error heddle::check::evaluate(Operation *op, ArrayRef<Array> inputs) {
  if (isa<ExpectEqOp>(op))
    return compare(inputs[0], inputs[1], 0, 0);
  if (auto near = dyn_cast<ExpectCloseOp>(op))
    return compare(inputs[0], inputs[1], near.getRtol().convertToDouble(), near.getAtol().convertToDouble());
  return llvm::createStringError("the interpreter does not know " + op->getName().getStringRef());
}
