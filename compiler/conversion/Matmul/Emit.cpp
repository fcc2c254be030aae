// Turns a plan into functions of a module.
#include "compiler/conversion/Matmul/Kernels.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

namespace heddle::cpu {

std::optional<MatmulElement> matmulElement(Type type) {
  if (type.isF64())
    return MatmulElement::F64;
  if (type.isF32())
    return MatmulElement::F32;
  if (type.isBF16())
    return MatmulElement::BF16;
  if (type.isF16())
    return MatmulElement::F16;
  return std::nullopt;
}

Type matmulElementType(MLIRContext *context, MatmulElement element) {
  switch (element) {
  case MatmulElement::F64:
    return Float64Type::get(context);
  case MatmulElement::F32:
    return Float32Type::get(context);
  case MatmulElement::BF16:
    return BFloat16Type::get(context);
  case MatmulElement::F16:
    return Float16Type::get(context);
  }
  return {};
}

// The plan may have exchanged A and B; callers see their own names.
static MatmulArgument callersName(const MatmulPlan &plan, MatmulArgument argument) {
  if (!plan.swapped)
    return argument;
  if (argument == MatmulArgument::A)
    return MatmulArgument::B;
  return argument == MatmulArgument::B ? MatmulArgument::A : argument;
}

Type matmulArgumentType(OpBuilder &builder, const MatmulPlan &plan, MatmulArgument argument) {
  ImplicitLocOpBuilder b(builder.getUnknownLoc(), builder);
  matmul::VectorCode v(b, plan.target, plan.accumulator, plan.lanes);
  auto type = [&](const MatmulOperand &op) { return MemRefType::get(op.extent, v.elementType(op.element)); };
  switch (callersName(plan, argument)) {
  case MatmulArgument::A:
    return type(plan.spec.a);
  case MatmulArgument::B:
    return type(plan.spec.b);
  case MatmulArgument::C:
    return type(plan.spec.c);
  case MatmulArgument::Workspace:
    return MemRefType::get(plan.workspaceBytes / matmulElementBytes(plan.accumulator), v.accumulatorType());
  }
  return {};
}

llvm::SmallVector<KernelCall, 2> emitMatmulKernels(OpBuilder &builder, ModuleOp module,
                                                   const MatmulPlan &plan, StringRef namePrefix) {
  OpBuilder::InsertionGuard guard(builder);
  ImplicitLocOpBuilder b(builder.getUnknownLoc(), builder);
  matmul::VectorCode v(b, plan.target, plan.accumulator, plan.lanes);
  llvm::SmallVector<KernelCall, 2> calls;
  for (const MatmulPhase &phase : plan.phases) {
    KernelCall call{(namePrefix + "_" + phase.suffix).str(), phase.count, {}};
    SmallVector<Type> types(2, b.getIndexType());
    for (MatmulArgument argument : phase.arguments) {
      call.arguments.push_back(callersName(plan, argument));
      types.push_back(matmulArgumentType(builder, plan, call.arguments.back()));
    }
    b.setInsertionPointToEnd(module.getBody());
    auto function = func::FuncOp::create(b, call.symbol, b.getFunctionType(types, {}));
    function.setPrivate();
    for (unsigned i = 2; i < types.size(); ++i)
      function.setArgAttr(i, "llvm.noalias", b.getUnitAttr());
    b.setInsertionPointToStart(function.addEntryBlock());
    ValueRange arguments = function.getArguments();
    if (phase.suffix == "pack")
      matmul::emitPackKernel(v, plan, arguments);
    else if (plan.strategy == MatmulStrategy::Fill)
      matmul::emitFillKernel(v, plan, arguments);
    else if (plan.strategy == MatmulStrategy::Dot)
      matmul::emitDotKernel(v, plan, arguments);
    else
      matmul::emitTiledKernel(v, plan, arguments);
    func::ReturnOp::create(b);
    calls.push_back(std::move(call));
  }
  return calls;
}

} // namespace heddle::cpu
