// The operations of attention in the files that the CPU's lowering is tested with, on a device beside the
// interpreter.

#include "DeviceAttention.h"

#include "compiler/conversion/SparseKToGPU/Variant.h"
#include "compiler/interpreter/Interpreter.h"
#include "dialects/sparsek/IR/SparseK.h"

#include "mlir/IR/Builders.h"

#include <catch2/catch.hpp>

#include <random>

using namespace heddle;
using namespace heddle::tests;

namespace {

interp::Element elementOf(mlir::Type type) {
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

interp::Array randomArray(mlir::RankedTensorType type, mlir::Attribute range, std::mt19937_64 &random) {
  interp::Array array(elementOf(type.getElementType()), type.getShape());
  double low = array.isFloat() ? -2 : 0, high = array.isFloat() ? 2 : 3;
  if (auto bounds = mlir::dyn_cast_or_null<mlir::ArrayAttr>(range)) {
    auto number = [](mlir::Attribute a) {
      auto real = mlir::dyn_cast<mlir::FloatAttr>(a);
      return real ? real.getValueAsDouble() : double(mlir::cast<mlir::IntegerAttr>(a).getInt());
    };
    low = number(bounds[0]), high = number(bounds[1]);
  }
  for (interp::Cell &cell : array.edit()) {
    if (array.isFloat())
      cell.real =
          interp::roundTo(array.element(), low + (high - low) * std::uniform_real_distribution<>()(random));
    else if (array.element() == interp::Element::boolean)
      cell.integer = int64_t(random() & 1);
    else
      cell.integer = low + int64_t(random() % uint64_t(high - low + 1));
  }
  return array;
}

bool isAttention(mlir::Operation *op) {
  return mlir::isa<sparsek::AttentionOp, sparsek::AttentionBackwardOp, sparsek::AttentionTangentOp>(op);
}
bool isVariant(mlir::Operation *op) {
  return mlir::isa<sparsek::VariantAttentionOp, sparsek::VariantAttentionBackwardOp>(op);
}

double tolerance(interp::Element element) {
  switch (element) {
  case interp::Element::f64:
    return 1e-11;
  case interp::Element::f32:
    return 5e-6;
  case interp::Element::f16:
    return 4e-3;
  default:
    return 2e-2;
  }
}

/// Runs one operation on these operands both ways.
void compareOperation(mlir::Operation *op, const std::vector<interp::Array> &operands) {
  mlir::OpBuilder builder(op->getContext());
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(builder.getUnknownLoc());
  builder.setInsertionPointToEnd(module->getBody());
  auto function =
      mlir::func::FuncOp::create(builder, builder.getUnknownLoc(), "single",
                                 builder.getFunctionType(op->getOperandTypes(), op->getResultTypes()));
  builder.setInsertionPointToStart(function.addEntryBlock());
  mlir::Operation *copy = builder.clone(*op);
  copy->setOperands(function.getArguments());
  mlir::func::ReturnOp::create(builder, builder.getUnknownLoc(), copy->getResults());
  auto expected = interp::interpret(*module, "single", operands);
  if (!expected) { // what the interpreter refuses is another test's
    llvm::consumeError(expected.takeError());
    return;
  }

  std::string text;
  llvm::raw_string_ostream(text) << *module;
  test::DeviceHarness device;
  ParsedOperation parsed(device, text);
  gpu::DeviceProgram program = isVariant(op) ? gpu::emitVariant(device.module(), parsed.op, {}, "op")
                                             : gpu::emitAttention(device.module(), parsed.op, {}, "op");
  std::vector<test::DeviceBuffer> inputs, results;
  for (const interp::Array &array : operands) {
    std::vector<char> bytes(size_t(array.count() * interp::elementBytes(array.element())));
    array.toBuffer(bytes.data());
    inputs.push_back(device.put(bytes));
  }
  for (const interp::Array &array : *expected)
    results.push_back(device.fresh<char>(size_t(array.count() * interp::elementBytes(array.element()))));
  runProgram(device, program, inputs, results);
  for (auto [i, array] : llvm::enumerate(*expected)) {
    std::vector<char> bytes = device.get<char>(results[i]);
    interp::Array got = interp::Array::fromBuffer(array.element(), array.shape(), bytes.data());
    double difference = 0, size = 0;
    int odd = 0;
    for (int64_t at = 0; at < array.count(); ++at) {
      const double x = got.real(at), y = array.real(at);
      if (std::isfinite(y) && std::isfinite(x)) {
        difference += (x - y) * (x - y);
        size += y * y;
      } else {
        odd += !(x == y || (std::isnan(x) && std::isnan(y)));
      }
    }
    INFO("result " << i << " of\n" << text);
    CHECK(odd == 0);
    CHECK(std::sqrt(difference) <=
          tolerance(array.element()) * std::max(std::sqrt(size), 1e-3 * std::sqrt(double(array.count()))));
  }
}

void compareFile(const std::string &name) {
  mlir::DialectRegistry registry;
  pipelines::registerDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  auto module = mlir::parseSourceFile<mlir::ModuleOp>(HEDDLE_LIT_CPU_DIR "/" + name, &context);
  REQUIRE(module);
  for (mlir::func::FuncOp function : module->getOps<mlir::func::FuncOp>()) {
    if (function.isPrivate())
      continue;
    INFO("@" << function.getName().str());
    std::mt19937_64 random(std::hash<std::string>()(function.getName().str()));
    std::vector<interp::Array> arguments;
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      arguments.push_back(randomArray(mlir::cast<mlir::RankedTensorType>(function.getArgumentTypes()[i]),
                                      function.getArgAttr(i, "heddle.range"), random));
    interp::Options options;
    std::vector<std::pair<mlir::Operation *, std::vector<interp::Array>>> found;
    options.observe = [&](mlir::Operation *op, llvm::ArrayRef<interp::Array> operands) {
      if (isAttention(op) || isVariant(op))
        found.emplace_back(op, std::vector<interp::Array>(operands.begin(), operands.end()));
    };
    if (auto results = interp::interpret(*module, function.getName(), arguments, options); !results)
      llvm::consumeError(results.takeError());
    for (auto &[op, operands] : found)
      compareOperation(op, operands);
  }
}

} // namespace

TEST_CASE("variants on a device agree with the interpreter", "[device][variant]") {
  compareFile("variant.mlir");
}
TEST_CASE("captures of variants on a device", "[device][captures]") { compareFile("variant-captures.mlir"); }
TEST_CASE("cotangents of variants on a device", "[device][adjoint]") { compareFile("variant-backward.mlir"); }
TEST_CASE("attention on a device agrees with the interpreter", "[device][file]") {
  compareFile("attention.mlir");
}
TEST_CASE("packed attention on a device agrees with the interpreter", "[device][file]") {
  compareFile("packed.mlir");
}
