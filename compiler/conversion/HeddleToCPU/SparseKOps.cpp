//===- SparseKOps.cpp - Selection and sparse attention --------------------===//

#include "compiler/conversion/HeddleToCPU/EntryLowering.h"
#include "compiler/conversion/HeddleToCPU/Evaluator.h"
#include "compiler/conversion/HeddleToCPU/ScalarOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace heddle::cpu;
namespace sk = heddle::sparsek;

const AttentionProgram &EntryLowering::attentionProgram(Operation *op) {
  auto [known, isNew] = attentions.try_emplace(kernelKey(op));
  if (isNew) {
    OpBuilder end = OpBuilder::atBlockEnd(module.getBody());
    AttentionSpec spec = *AttentionSpec::of(op);
    known->second = isa<sk::AttentionOp>(op)
                        ? emitAttentionForward(end, module, spec, target, uniqueName("attention"))
                        : emitAttentionBackward(end, module, spec, target, uniqueName("attention_backward"));
  }
  return known->second;
}

void EntryLowering::lowerAttention(Operation *op) {
  Location loc = op->getLoc();
  const AttentionProgram &program = attentionProgram(op);
  AttentionSpec spec = *AttentionSpec::of(op);
  auto tensorOf = [&](AttentionArgument argument) -> Value {
    if (auto forward = dyn_cast<sk::AttentionOp>(op)) {
      if (argument == AttentionArgument::O)
        return forward.getO();
      if (argument == AttentionArgument::Lse)
        return forward.getLse();
    } else if (argument >= AttentionArgument::DQ) {
      return op->getResult((int)argument - (int)AttentionArgument::DQ);
    }
    // q, k, v, u, hi, lo, end, o, lse, dout: the order of the operands.
    return op->getOperand((int)argument);
  };
  for (const AttentionStep &step : program.steps) {
    SmallVector<Value> operands;
    for (const AttentionOperand &operand : step.operands) {
      if (operand.isInteger) {
        operands.push_back(constantIndex(loc, operand.integer));
        continue;
      }
      auto type = cast<MemRefType>(attentionOperandType(builder, spec, operand));
      operands.push_back(operand.argument == AttentionArgument::Workspace
                             ? arenaView(plan.workspace(op) + operand.byteOffset, type, loc)
                             : buffer(tensorOf(operand.argument)));
    }
    if (step.isRuntimeCall)
      ir::RuntimeCallOp::create(builder, loc, step.symbol, operands);
    else
      launch(loc, step.symbol, step.count, step.grain, operands);
  }
}

/// `function(row's part of the first tensors.., 1 row, its length, numbers.., row's part of the other tensors..)`. The
/// rows are tasks, since the function itself runs on one thread.
void EntryLowering::callByRows(Operation *op, StringRef function, int64_t rows, int64_t rowLength, ArrayRef<Value> tensors,
                               ArrayRef<int64_t> numbers, unsigned tensorsBeforeNumbers) {
  Location loc = op->getLoc();
  SmallVector<Value> arguments = llvm::map_to_vector(tensors, [&](Value tensor) { return buffer(tensor); });
  Kernel kernel = this->kernel(op, op->getName().stripDialect(), ValueRange(arguments).getTypes());
  OpBuilder &b = kernel.builder;
  ScalarEmitter emit(b, loc);
  auto loop = scf::ForOp::create(b, loc, kernel.begin, kernel.end, emit.index(1));
  func::ReturnOp::create(b, loc);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> operands;
  auto addRow = [&](Value memref) {
    // A whole row that starts at a run-time position is passed as a pointer.
    int64_t bytes = rowLength * (cast<MemRefType>(memref.getType()).getElementTypeBitWidth() / 8);
    Value address = memref::ExtractAlignedPointerAsIndexOp::create(b, loc, memref);
    Value shift = arith::MulIOp::create(b, loc, loop.getInductionVar(), emit.index(bytes));
    Value at = arith::IndexCastOp::create(b, loc, b.getI64Type(), arith::AddIOp::create(b, loc, address, shift).getResult());
    operands.push_back(LLVM::IntToPtrOp::create(b, loc, LLVM::LLVMPointerType::get(b.getContext()), at));
  };
  for (Value memref : ArrayRef(kernel.arguments).take_front(tensorsBeforeNumbers))
    addRow(memref);
  operands.push_back(emit.index(1));
  operands.push_back(emit.index(rowLength));
  for (int64_t number : numbers)
    operands.push_back(emit.index(number));
  for (Value memref : ArrayRef(kernel.arguments).drop_front(tensorsBeforeNumbers))
    addRow(memref);
  ir::RuntimeCallOp::create(b, loc, function, operands);
  launch(loc, kernel.function.getName(), rowLength ? rows : 0, 1, arguments);
}

static std::string withType(StringRef name, Value tensor) {
  return (name + (tensorType(tensor).getElementType().isF64() ? "_f64" : "_f32")).str();
}

void EntryLowering::lower(sk::ThresholdOp op) {
  auto type = tensorType(op.getU());
  callByRows(op, withType("heddle_cpu_sparsek_threshold", op.getU()), type.getDimSize(0) * type.getDimSize(1),
             type.getDimSize(2), {op.getU(), op.getHi(), op.getLo(), op.getCount(), op.getEnd()},
             {(int64_t)op.getTopk(), (int64_t)op.getWindow()}, 1);
}

void EntryLowering::lower(sk::ThresholdBackwardOp op) {
  auto type = tensorType(op.getU());
  callByRows(op, withType("heddle_cpu_sparsek_threshold_backward", op.getU()), type.getDimSize(0) * type.getDimSize(1),
             type.getDimSize(2), {op.getU(), op.getHi(), op.getLo(), op.getCount(), op.getDtau(), op.getDu()},
             {(int64_t)op.getWindow()}, 5);
}

void EntryLowering::lower(sk::ProjectOp op) {
  Location loc = op.getLoc();
  auto type = tensorType(op.getZ());
  int64_t length = type.getRank() ? type.getShape().back() : 1;
  SmallVector<Value> arguments = {buffer(op.getZ()), buffer(op.getK()), buffer(op.getP())};
  Type element = type.getElementType();
  int32_t dtype = element.isF64() ? 0 : element.isF32() ? 1 : element.isBF16() ? 2 : 3;
  SmallVector<Type> types(ValueRange(arguments).getTypes());
  types.push_back(call.getType());
  Kernel kernel = this->kernel(op, "project", types);
  OpBuilder &b = kernel.builder;
  ScalarEmitter emit(b, loc);
  Value k = emit.load(kernel.arguments[1], emit.index(0), tensorType(op.getK()).getElementType());
  k = emit.cast(k, k.getType(), b.getF64Type());
  ir::RuntimeCallOp::create(b, loc, "heddle_cpu_sparsek_project",
                            ValueRange{kernel.arguments[3], message(b, op, ""), emit.integer(b.getI32Type(), dtype),
                                       kernel.arguments[0], k, kernel.begin, kernel.end, emit.index(length),
                                       kernel.arguments[2]});
  func::ReturnOp::create(b, loc);
  arguments.push_back(call);
  launch(loc, kernel.function.getName(), length ? type.getNumElements() / length : 0, std::max<int64_t>(1, 2048 / std::max<int64_t>(length, 1)),
         arguments);
}
