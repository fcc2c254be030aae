//===- SparseKOps.cpp - Selection and sparse attention --------------------===//
//
// Attention comes as a program of kernels and runtime calls from SparseKToCPU; thresholds, their adjoint and
// the projection are functions of the runtime, parallel in themselves.
//
//===----------------------------------------------------------------------===//

#include "compiler/conversion/HeddleToCPU/CpuEntryLowering.h"
#include "compiler/conversion/HeddleToCPU/Evaluator.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;
using namespace heddle::cpu;
namespace sk = heddle::sparsek;

const AttentionProgram &CpuEntryLowering::attentionProgram(Operation *op) {
  auto [known, isNew] = attentions.try_emplace(kernelKey(op));
  if (isNew) {
    OpBuilder end = OpBuilder::atBlockEnd(module.getBody());
    AttentionSpec spec = *AttentionSpec::of(op);
    if (isa<sk::AttentionOp>(op))
      known->second = emitAttentionForward(end, module, spec, target, uniqueName("attention"));
    else if (isa<sk::AttentionBackwardOp>(op))
      known->second = emitAttentionBackward(end, module, spec, target, uniqueName("attention_backward"));
    else
      known->second = emitAttentionTangent(end, module, spec, target, uniqueName("attention_tangent"));
  }
  return known->second;
}

/// The operand or result that an attention's program names.
static Value attentionTensor(Operation *op, AttentionArgument argument) {
  using A = AttentionArgument;
  auto nth = [&](ArrayRef<Value> values, A first) { return values[size_t(argument) - size_t(first)]; };
  if (argument == A::Bounds)
    return op->getOperands().back();
  if (argument <= A::End)
    return op->getOperand(unsigned(argument)); // q, k, v, u, hi, lo, end come first
  if (auto forward = dyn_cast<sk::AttentionOp>(op))
    return nth({forward.getO(), forward.getLse()}, A::O);
  if (auto b = dyn_cast<sk::AttentionBackwardOp>(op))
    return nth({b.getO(), b.getLse(), b.getDout(), b.getDlse(), b.getDq(), b.getDk(), b.getDv(), b.getDu(),
                b.getDtau()},
               A::O);
  auto t = cast<sk::AttentionTangentOp>(op);
  return nth({t.getO(), t.getLse(), t.getDout(), t.getDlse(), t.getDq(), t.getDk(), t.getDv(), t.getDu(),
              t.getDtau()},
             A::O);
}

void CpuEntryLowering::lowerAttention(Operation *op) {
  Location loc = op->getLoc();
  const AttentionProgram &program = attentionProgram(op);
  AttentionSpec spec = *AttentionSpec::of(op);
  for (const AttentionStep &step : program.steps) {
    SmallVector<Value> operands;
    if (step.isRuntimeCall)
      operands.push_back(call); // where it reports a failure
    for (const AttentionOperand &operand : step.operands) {
      if (operand.isInteger) {
        operands.push_back(constantIndex(loc, operand.integer));
        continue;
      }
      auto type = cast<MemRefType>(attentionOperandType(builder, spec, operand));
      operands.push_back(operand.argument == AttentionArgument::Workspace
                             ? arenaView(plan->workspace(op) + operand.byteOffset, type, loc)
                             : buffer(attentionTensor(op, operand.argument)));
    }
    if (step.isRuntimeCall)
      ir::RuntimeCallOp::create(builder, loc, step.symbol, operands);
    else
      launch(loc, step.symbol, step.count, step.grain, operands);
  }
}

const VariantProgram &CpuEntryLowering::variantProgram(Operation *op) {
  auto [known, isNew] = variants.try_emplace(kernelKey(op));
  if (isNew) {
    OpBuilder end = OpBuilder::atBlockEnd(module.getBody());
    known->second = emitVariant(end, module, op, target, uniqueName("variant"));
  }
  return known->second;
}

void CpuEntryLowering::lowerVariant(Operation *op) {
  Location loc = op->getLoc();
  if (std::string why = whyQuadratic(op); !why.empty()) {
    auto lengths = [&](unsigned operand) { return tensorType(op->getOperand(operand)).getDimSize(2); };
    remark::missed(loc, remark::RemarkOpts::name("quadratic attention").category("heddle"))
        << "all " + std::to_string(lengths(0)) + " x " + std::to_string(lengths(1)) +
               " pairs are computed, since the visibility bounds neither j given i nor i given j: " + why;
  }
  auto reads = variantReads(op);
  for (const VariantStep &step : variantProgram(op).steps) {
    SmallVector<Value> operands;
    for (const VariantOperand &operand : step.operands)
      switch (operand.kind) {
      case VariantOperand::Operand:
        operands.push_back(buffer(op->getOperand(operand.number)));
        break;
      case VariantOperand::Result:
        operands.push_back(buffer(op->getResult(operand.number)));
        break;
      case VariantOperand::Workspace:
        operands.push_back(arenaView(plan->workspace(op) + operand.number, operand.type, loc));
        break;
      case VariantOperand::Integer:
        operands.push_back(constantIndex(loc, operand.number));
        break;
      case VariantOperand::Call:
        operands.push_back(call);
        break;
      case VariantOperand::Message:
        operands.push_back(message(builder, reads[operand.number], "index {} is outside a dimension of {}"));
        break;
      }
    launch(loc, step.symbol, step.count, 1, operands);
  }
}

/// The function of the runtime for scores of this type.
static std::string scoreFunction(StringRef name, Type element) {
  return ("heddle_call_sparsek_" + name + (element.isF64() ? "_f64" : "_f32")).str();
}

void CpuEntryLowering::lower(sk::SegmentsOp op) {
  Location loc = op.getLoc();
  ir::RuntimeCallOp::create(builder, loc, "heddle_call_sparsek_segments",
                            ValueRange{call, message(builder, op, ""), buffer(op.getOffsets()),
                                       constantIndex(loc, tensorType(op.getOffsets()).getNumElements()),
                                       constantIndex(loc, op.getLength()), buffer(op.getBounds())});
}

/// The bounds of packed sequences, or null.
Value CpuEntryLowering::boundsBuffer(Location loc, Value bounds) {
  if (bounds)
    return buffer(bounds);
  return LLVM::ZeroOp::create(builder, loc, LLVM::LLVMPointerType::get(builder.getContext()));
}

void CpuEntryLowering::lower(sk::ThresholdOp op) {
  Location loc = op.getLoc();
  auto type = tensorType(op.getU());
  ir::RuntimeCallOp::create(
      builder, loc, scoreFunction("threshold", type.getElementType()),
      ValueRange{call, buffer(op.getU()), constantIndex(loc, type.getDimSize(0) * type.getDimSize(1)),
                 constantIndex(loc, type.getDimSize(2)), constantIndex(loc, op.getTopk()),
                 constantIndex(loc, op.getWindow()), boundsBuffer(loc, op.getBounds()), buffer(op.getHi()),
                 buffer(op.getLo()), buffer(op.getCount()), buffer(op.getEnd())});
}

void CpuEntryLowering::lower(sk::ThresholdBackwardOp op) {
  Location loc = op.getLoc();
  auto type = tensorType(op.getU());
  ir::RuntimeCallOp::create(
      builder, loc, scoreFunction("threshold_backward", type.getElementType()),
      ValueRange{call, buffer(op.getU()), buffer(op.getHi()), buffer(op.getLo()), buffer(op.getCount()),
                 buffer(op.getDtau()), constantIndex(loc, type.getDimSize(0) * type.getDimSize(1)),
                 constantIndex(loc, type.getDimSize(2)), constantIndex(loc, op.getWindow()),
                 boundsBuffer(loc, op.getBounds()), buffer(op.getDu())});
}

void CpuEntryLowering::lower(sk::ThresholdTangentOp op) {
  Location loc = op.getLoc();
  auto type = tensorType(op.getU());
  ir::RuntimeCallOp::create(
      builder, loc, scoreFunction("threshold_tangent", type.getElementType()),
      ValueRange{call, buffer(op.getU()), buffer(op.getHi()), buffer(op.getLo()), buffer(op.getCount()),
                 buffer(op.getDu()), constantIndex(loc, type.getDimSize(0) * type.getDimSize(1)),
                 constantIndex(loc, type.getDimSize(2)), constantIndex(loc, op.getWindow()),
                 boundsBuffer(loc, op.getBounds()), buffer(op.getDtau())});
}

void CpuEntryLowering::lower(sk::ProjectOp op) {
  Location loc = op.getLoc();
  auto type = tensorType(op.getZ());
  int64_t n = type.getShape().back(), rows = n ? type.getNumElements() / n : 0;
  ScalarEmitter emit(builder, loc);
  auto runtimeType = [&](Type element) {
    return emit.integer(builder.getI32Type(), heddle::cpu::runtimeType(element));
  };
  ir::RuntimeCallOp::create(builder, loc, "heddle_call_sparsek_project",
                            ValueRange{call, message(builder, op, ""), runtimeType(type.getElementType()),
                                       buffer(op.getZ()), runtimeType(tensorType(op.getK()).getElementType()),
                                       buffer(op.getK()), constantIndex(loc, rows), constantIndex(loc, n),
                                       buffer(op.getP())});
}
