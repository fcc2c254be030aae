//===- Values.cpp - Arguments and results of a comparison -----------------===//

#include "Values.h"

#include "mlir/Pass/PassManager.h"

#include <cmath>
#include <random>

using namespace mlir;

namespace heddle::tests {

interp::Element elementOf(Type type) {
  if (type.isF64())
    return interp::Element::f64;
  if (type.isF32())
    return interp::Element::f32;
  if (type.isBF16())
    return interp::Element::bf16;
  if (type.isF16())
    return interp::Element::f16;
  if (type.isInteger(64))
    return interp::Element::i64;
  if (type.isInteger(32))
    return interp::Element::i32;
  return type.isInteger(8) ? interp::Element::i8 : interp::Element::boolean;
}

static interp::Array randomArray(RankedTensorType type, Attribute range, std::mt19937_64 &random) {
  interp::Array array(elementOf(type.getElementType()), type.getShape());
  double low = array.isFloat() ? -2 : 0, high = array.isFloat() ? 2 : 3;
  if (auto bounds = dyn_cast_or_null<ArrayAttr>(range)) {
    auto number = [](Attribute a) {
      auto real = dyn_cast<FloatAttr>(a);
      return real ? real.getValueAsDouble() : double(cast<IntegerAttr>(a).getInt());
    };
    low = number(bounds[0]), high = number(bounds[1]);
  }
  for (interp::Cell &cell : array.edit()) {
    if (array.isFloat())
      cell.real =
          interp::roundTo(array.element(), low + (high - low) * std::uniform_real_distribution<>()(random));
    else if (array.element() == interp::Element::boolean)
      cell.integer = random() & 1;
    else
      cell.integer = low + int64_t(random() % uint64_t(high - low + 1));
  }
  return array;
}

std::vector<interp::Array> randomArguments(func::FuncOp function) {
  std::mt19937_64 random(std::hash<std::string>()(function.getName().str()));
  std::vector<interp::Array> arguments;
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    arguments.push_back(randomArray(cast<RankedTensorType>(function.getArgumentTypes()[i]),
                                    function.getArgAttr(i, "heddle.range"), random));
  return arguments;
}

Difference difference(const interp::Array &actual, const interp::Array &expected) {
  Difference result;
  double squares = 0, size = 0;
  for (int64_t i = 0; i < expected.count(); ++i) {
    double d;
    if (expected.isFloat()) {
      double x = actual.real(i), y = expected.real(i);
      const bool finite = std::isfinite(x) && std::isfinite(y);
      bool same = x == y || (std::isnan(x) && std::isnan(y));
      d = same ? 0 : finite ? std::abs(x - y) / std::max(1.0, std::abs(y)) : HUGE_VAL;
      squares += same ? 0 : finite ? (x - y) * (x - y) : HUGE_VAL;
      size += std::isfinite(y) ? y * y : 0;
    } else {
      d = actual.integer(i) == expected.integer(i) ? 0 : HUGE_VAL;
    }
    if (d > result.largest)
      result.largest = d, result.where = i;
  }
  result.norm = squares == 0 ? result.largest : std::sqrt(squares / size);
  return result;
}

double bound(interp::Element element, double tolerance) {
  switch (element) {
  case interp::Element::f64:
    return tolerance * 1e-6;
  case interp::Element::f32:
    return tolerance;
  case interp::Element::bf16:
    return std::max(tolerance, 0.02);
  case interp::Element::f16:
    return std::max(tolerance, 0.003);
  default:
    return 0;
  }
}

OwningOpRef<ModuleOp> isolated(ModuleOp source, StringRef name) {
  OwningOpRef<ModuleOp> module = source.clone();
  for (auto other : module->getOps<func::FuncOp>())
    if (other.getName() != name)
      other.setPrivate();
  return module;
}

llvm::Error runPasses(ModuleOp module, llvm::function_ref<void(OpPassManager &)> build, const char *purpose) {
  PassManager manager(module.getContext());
  manager.enableVerifier(true);
  build(manager);
  if (failed(manager.run(module)))
    return llvm::createStringError("cannot be %s", purpose);
  return llvm::Error::success();
}

} // namespace heddle::tests
