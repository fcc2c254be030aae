//===- FuseEpilogues.cpp - What is done with a product while it is stored -===//
//
// A bias of each column, a tensor that is added, relu: where nothing else reads the values in between, the
// product takes them, which saves writing and reading them once.
//
//===----------------------------------------------------------------------===//

#include "compiler/conversion/HeddleToCPU/Fusible.h"
#include "compiler/conversion/HeddleToGPU/HeddleToGPU.h"

#include "dialects/heddle/IR/Heddle.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Pass/Pass.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;
using namespace heddle::ir;
using heddle::cpu::isFusible;

static RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

namespace {

/// Extends one product as far as possible.
class EpilogueFusion {
public:
  EpilogueFusion(MatmulOp op, bool library) : op(op), library(library) {}

  void run() {
    if (!isa<FloatType>(tensorType(op.getResult()).getElementType()))
      return;
    while (takeSum() || takeRelu())
      ;
  }

private:
  /// The library rounds once, at the end. Where elements are rounded after each operation that is another
  /// result, so sums of bf16 and f16 are left to the kernels of groups; relu of them is the same before and
  /// after rounding. The library has no epilogues of f64 but the sum.
  bool mayTakeBias() { return !library || element().isF32(); }
  bool mayTakeAddend() { return !library || element().isF32() || element().isF64(); }
  bool mayTakeRelu() {
    if (!library)
      return true;
    return !op.getAddend() && (element().isF32() || (!op.getBias() && !element().isF64()));
  }
  Type element() { return tensorType(op.getResult()).getElementType(); }

  /// The product's result under its last name: reshapes that alone read what they reshape are names.
  Value result() {
    Value value = op.getResult();
    while (value.hasOneUse() && isa<ReshapeOp>(*value.user_begin()))
      value = value.user_begin()->getResult(0);
    return value;
  }

  /// Replaces `last`, which stands in the product's block, by the product with more operands.
  void replace(Operation *last, Value bias, Value addend, bool relu) {
    OpBuilder b(last);
    auto reshaped = [&](Value x, ArrayRef<int64_t> shape) -> Value {
      auto type = RankedTensorType::get(shape, element());
      return x && x.getType() != type ? ReshapeOp::create(b, last->getLoc(), type, x).getResult() : x;
    };
    ArrayRef<int64_t> shape = tensorType(op.getResult()).getShape();
    auto next = MatmulOp::create(b, last->getLoc(), op.getType(), op.getLhs(), op.getRhs(),
                                 reshaped(bias, shape.back()), reshaped(addend, shape), op.getTransposeLhs(),
                                 op.getTransposeRhs(), relu);
    last->getResult(0).replaceAllUsesWith(
        reshaped(next.getResult(), tensorType(last->getResult(0)).getShape()));
    // From the last operation back to the product, with what they alone have read.
    SmallVector<Value> read(last->getOperands());
    last->erase();
    while (!read.empty()) {
      Operation *source = read.pop_back_val().getDefiningOp();
      if (!isa_and_nonnull<BroadcastOp, CompareOp, ConstantOp>(source) || !source->use_empty())
        continue;
      llvm::append_range(read, source->getOperands());
      source->erase();
    }
    for (Value value = result(); value != op.getResult();) {
      Operation *reshape = value.getDefiningOp();
      value = reshape->getOperand(0);
      reshape->erase();
    }
    op.erase();
    op = next;
  }

  bool takeSum() {
    Value value = result();
    if (op.getAddend() || op.getRelu() || !value.hasOneUse())
      return false;
    auto sum = dyn_cast<AddOp>(*value.user_begin());
    if (!sum || sum->getBlock() != op->getBlock())
      return false;
    Value other = sum.getLhs() == value ? sum.getRhs() : sum.getLhs();
    if (Value bias = op.getBias() ? Value() : biasIn(other); bias && mayTakeBias()) {
      replace(sum, bias, Value(), false);
      return true;
    }
    if (!mayTakeAddend() || !isInMemory(other))
      return false;
    replace(sum, op.getBias(), other, false);
    return true;
  }

  /// select(x <= 0, 0, x)
  bool takeRelu() {
    Value value = result();
    if (op.getRelu() || !mayTakeRelu() || !value.hasNUses(2))
      return false;
    CompareOp condition;
    SelectOp choice;
    for (Operation *user : value.getUsers()) {
      if (auto compare = dyn_cast<CompareOp>(user))
        condition = compare;
      if (auto select = dyn_cast<SelectOp>(user))
        choice = select;
    }
    if (!condition || !choice || choice->getBlock() != op->getBlock() ||
        condition.getPredicate() != ComparePredicate::le || condition.getLhs() != value ||
        !isZero(condition.getRhs()) || choice.getCondition() != condition.getResult() ||
        !condition->hasOneUse() || choice.getOnFalse() != value || !isZero(choice.getOnTrue()))
      return false;
    replace(choice, op.getBias(), op.getAddend(), true);
    return true;
  }

  static bool isZero(Value value) {
    while (auto broadcast = value.getDefiningOp<BroadcastOp>())
      value = broadcast.getX();
    return matchPattern(value, m_AnyZeroFloat()) || matchPattern(value, m_PosZeroFloat());
  }

  /// One number for each column of the product, which `sum` repeats for each row.
  Value biasIn(Value other) {
    auto broadcast = other.getDefiningOp<BroadcastOp>();
    if (!broadcast)
      return {};
    auto from = tensorType(broadcast.getX()), to = tensorType(other);
    const int64_t columns = tensorType(op.getResult()).getShape().back();
    if (from.getNumElements() != columns)
      return {};
    for (auto [i, axis] : llvm::enumerate(broadcast.getAxes()))
      if (axis != to.getRank() - from.getRank() + int64_t(i))
        return {};
    return broadcast.getX();
  }

  /// Whether a tensor is written to memory in any case. What a group computes is, where the product needs it
  /// first: a group holds nothing that comes before and after a product.
  bool isInMemory(Value value) {
    value = value.getDefiningOp<ReshapeOp>() ? value.getDefiningOp<ReshapeOp>().getX() : value;
    Operation *producer = value.getDefiningOp();
    if (!producer || !isFusible(producer))
      return true;
    return !heddle::cpu::isMove(producer) && producer->getBlock() == op->getBlock() && isBehind(producer);
  }

  /// Whether the product depends on what `producer` computes.
  bool isBehind(Operation *producer) {
    llvm::SmallPtrSet<Operation *, 32> seen;
    SmallVector<Operation *> open = {op};
    while (!open.empty()) {
      bool found = false;
      open.pop_back_val()->walk([&](Operation *inner) {
        for (Value operand : inner->getOperands()) {
          Operation *source = operand.getDefiningOp();
          found |= source == producer;
          // What comes before cannot depend on it.
          if (source && source->getBlock() == producer->getBlock() && producer->isBeforeInBlock(source) &&
              seen.insert(source).second)
            open.push_back(source);
        }
      });
      if (found)
        return true;
    }
    return false;
  }

  MatmulOp op;
  const bool library;
};

struct FuseEpiloguesPass : PassWrapper<FuseEpiloguesPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(FuseEpiloguesPass)
  FuseEpiloguesPass() = default;
  FuseEpiloguesPass(bool matmul) { this->matmul = matmul; }
  FuseEpiloguesPass(const FuseEpiloguesPass &other) : PassWrapper(other) {}
  StringRef getArgument() const final { return "heddle-fuse-epilogues"; }
  StringRef getDescription() const final {
    return "Let products add a bias or a tensor, and cut off what is negative, while they store their result";
  }
  Option<bool> matmul{*this, "matmul", llvm::cl::desc("Dense products are left to the runtime"),
                      llvm::cl::init(true)};
  void runOnOperation() final {
    SmallVector<MatmulOp> products;
    getOperation().walk([&](MatmulOp op) { products.push_back(op); });
    for (MatmulOp op : products)
      EpilogueFusion(op, matmul).run();
  }
};

} // namespace

std::unique_ptr<Pass> heddle::gpu::createFuseEpiloguesPass(bool matmul) {
  return std::make_unique<FuseEpiloguesPass>(matmul);
}
