//===- SingleOperation.cpp - One operation as a program of its own --------===//

#include "compiler/jit/SingleOperation.h"

#include "dialects/heddle/IR/Heddle.h"
#include "dialects/sparsek/IR/SparseK.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace heddle::jit {

namespace {

/// A module with one function, whose body is being written.
struct Builder {
  Builder(Operation *op, TypeRange arguments, TypeRange results)
      : module(ModuleOp::create(op->getLoc())), b(module->getBodyRegion()), loc(op->getLoc()) {
    function = func::FuncOp::create(b, loc, singleOperationName, b.getFunctionType(arguments, results));
    Block *body = function.addEntryBlock();
    b.setInsertionPointToStart(body);
  }
  OwningOpRef<ModuleOp> finish(ValueRange results) {
    func::ReturnOp::create(b, loc, results);
    return std::move(module);
  }

  OwningOpRef<ModuleOp> module;
  OpBuilder b;
  Location loc;
  func::FuncOp function;
};

/// Makes operands one by one.
struct OperandMaker : Builder {
  explicit OperandMaker(Operation *op)
      : Builder(op, RankedTensorType::get({}, IntegerType::get(op->getContext(), 64)),
                op->getOperandTypes()) {}

  Value normal(Type type) {
    return ir::RandomOp::create(b, loc, type, ir::RandomDistribution::normal, function.getArgument(0),
                                stream++);
  }
  Value zero(Type type) {
    auto tensor = cast<RankedTensorType>(type);
    return ir::ConstantOp::create(b, loc,
                                  DenseElementsAttr::get(tensor, b.getZeroAttr(tensor.getElementType())));
  }
  /// Two sequences of half the length each.
  Value bounds(Type type) {
    const int64_t length = cast<RankedTensorType>(type).getDimSize(1);
    const int32_t offsets[] = {0, int32_t(length / 2), int32_t(length)};
    auto constant = ir::ConstantOp::create(
        b, loc, DenseElementsAttr::get(RankedTensorType::get({3}, b.getI32Type()), llvm::ArrayRef(offsets)));
    return sparsek::SegmentsOp::create(b, loc, type, constant, length);
  }

  /// Operands of an attention and the thresholds of its scores.
  template <typename Attention>
  SmallVector<Value> attention(Attention op) {
    Value q = normal(op.getQ().getType()), k = normal(op.getK().getType()), v = normal(op.getV().getType());
    Value u = normal(op.getU().getType());
    Value segments = op.getBounds() ? bounds(op.getBounds().getType()) : Value();
    Type scores = u.getType(), counts = op.getEnd().getType();
    SmallVector<Value> operands = {q, k, v, u};
    if (op.getTopk() == 0) {
      operands.append({zero(scores), zero(scores), zero(counts)});
    } else {
      auto selected = sparsek::ThresholdOp::create(b, loc, TypeRange{scores, scores, counts, counts}, u,
                                                   segments, op.getTopk(), op.getWindow());
      operands.append({selected.getHi(), selected.getLo(), selected.getEnd()});
    }
    if (auto backward = dyn_cast<sparsek::AttentionBackwardOp>(op.getOperation())) {
      auto forward = sparsek::AttentionOp::create(
          b, loc, TypeRange{backward.getO().getType(), backward.getLse().getType()}, q, k, v, u, operands[4],
          operands[5], operands[6], segments, op.getTopk(), op.getWindow(), op.getScale(), op.getGate(),
          op.getEstimator());
      operands.append({forward.getO(), forward.getLse(), normal(backward.getDout().getType())});
      if (backward.getDlse())
        operands.push_back(normal(backward.getDlse().getType()));
    }
    if (segments)
      operands.push_back(segments);
    return operands;
  }

  int64_t stream = 0;
};

} // namespace

OwningOpRef<ModuleOp> aloneInModule(Operation *op) {
  Builder builder(op, op->getOperandTypes(), op->getResultTypes());
  Operation *copy = builder.b.clone(*op);
  copy->setOperands(builder.function.getArguments());
  return builder.finish(copy->getResults());
}

OwningOpRef<ModuleOp> operandsOf(Operation *op) {
  OperandMaker maker(op);
  SmallVector<Value> operands;
  if (auto forward = dyn_cast<sparsek::AttentionOp>(op))
    operands = maker.attention(forward);
  else if (auto backward = dyn_cast<sparsek::AttentionBackwardOp>(op))
    operands = maker.attention(backward);
  else
    for (Type type : op->getOperandTypes())
      operands.push_back(maker.normal(type));
  return maker.finish(operands);
}

std::string describeOperation(Operation *op) {
  std::string text = op->getName().getStringRef().str();
  const unsigned named = isa<ir::MatmulOp>(op) ? 2 : 3;
  for (unsigned i = 0; i < named; ++i) {
    auto tensor = cast<RankedTensorType>(op->getOperand(i).getType());
    llvm::raw_string_ostream stream(text);
    stream << (i == 0 ? " " : ", ");
    llvm::interleave(tensor.getShape(), stream, "x");
    stream << " " << tensor.getElementType();
  }
  if (auto topk = op->getAttrOfType<IntegerAttr>("topk"))
    text += ", topk " + std::to_string(topk.getInt()) + " window " +
            std::to_string(op->getAttrOfType<IntegerAttr>("window").getInt());
  return text;
}

} // namespace heddle::jit
