//===- EinsumToMatmul.cpp - Products over named axes as matrix products ---===//

#include "compiler/conversion/HeddleToCPU/Evaluator.h"
#include "compiler/conversion/HeddleToCPU/HeddleToCPU.h"

#include "dialects/heddle/IR/Heddle.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;
using namespace heddle::cpu;
using namespace heddle::ir;

namespace {

/// One way to bring an einsum to `C[b, m, n] = A[b, m, k] B[b, k, n]`.
struct Form {
  bool swapped = false; ///< A is the right operand
  std::string batch, m, n, k;
  bool transposeA = false, transposeB = false; ///< stored as [b, k, m], [b, n, k]
  bool moveA = false, moveB = false, moveC = false;
  int64_t cost = 0; ///< elements that have to be moved
};

class EinsumLowering {
public:
  explicit EinsumLowering(EinsumOp op) : op(op), b(op), loc(op.getLoc()) {
    lhs = untransposed(op.getLhs(), op.getLhsLabels());
    rhs = untransposed(op.getRhs(), op.getRhsLabels());
    result = op.getResultLabels().str();
    for (auto &[value, labels] : {lhs, rhs})
      for (auto [axis, label] : llvm::enumerate(labels))
        extents[label] = tensorType(value).getDimSize(axis);
  }

  void run() {
    element = tensorType(op.getLhs()).getElementType();
    // Sum away what stands in one operand only.
    sumUnused(lhs, rhs.labels);
    sumUnused(rhs, lhs.labels);
    std::string shared = filter(lhs.labels, [&](char c) { return has(rhs.labels, c); });
    std::string k = filter(shared, [&](char c) { return !has(result, c); });
    std::string m = filter(lhs.labels, [&](char c) { return !has(rhs.labels, c); });
    std::string n = filter(rhs.labels, [&](char c) { return !has(lhs.labels, c); });
    // Nothing to sum, or nothing but sums: one pass over the elements does it.
    bool products = size(k) > 1 && (size(m) > 1 || size(n) > 1);
    outputs = {op.getResult()};
    takeResultTransposition();
    Value value = products ? matmul() : elementwise(k);
    SmallVector<Operation *> dead;
    for (Value output : outputs) {
      if (output.getDefiningOp() != op)
        dead.push_back(output.getDefiningOp());
      output.replaceAllUsesWith(value);
    }
    for (Operation *transpose : dead)
      transpose->erase();
    op.erase();
  }

private:
  struct Operand {
    Value value;
    std::string labels;
  };

  /// An operand with a transposition of it taken into the labels.
  static Operand untransposed(Value value, StringRef labels) {
    std::string names = labels.str();
    while (auto transpose = value.getDefiningOp<TransposeOp>()) {
      std::string before(names.size(), ' ');
      for (auto [i, axis] : llvm::enumerate(transpose.getPermutation()))
        before[axis] = names[i];
      names = before;
      value = transpose.getX();
    }
    return {value, names};
  }

  /// Where the result is only read transposed, that order is computed.
  void takeResultTransposition() {
    ArrayRef<int64_t> permutation;
    for (Operation *user : op->getUsers()) {
      auto transpose = dyn_cast<TransposeOp>(user);
      if (!transpose || (!permutation.empty() && permutation != transpose.getPermutation()))
        return;
      permutation = transpose.getPermutation();
    }
    if (permutation.empty())
      return;
    std::string labels;
    for (int64_t axis : permutation)
      labels += result[axis];
    result = labels;
    outputs.clear();
    for (Operation *user : op->getUsers())
      outputs.push_back(user->getResult(0));
  }

  static bool has(StringRef labels, char label) { return labels.contains(label); }
  static std::string filter(StringRef labels, llvm::function_ref<bool(char)> keep) {
    std::string kept;
    llvm::copy_if(labels, std::back_inserter(kept), keep);
    return kept;
  }
  int64_t size(StringRef labels) const {
    int64_t product = 1;
    for (char label : labels)
      product *= extents.at(label);
    return product;
  }
  RankedTensorType type(StringRef labels, Type elementType) const {
    SmallVector<int64_t> shape = llvm::map_to_vector(labels, [&](char c) { return extents.at(c); });
    return RankedTensorType::get(shape, elementType);
  }
  bool narrow() const { return element.isBF16() || element.isF16(); }
  Value cast(Value x, Type to) {
    auto from = tensorType(x);
    if (from.getElementType() == to)
      return x;
    return CastOp::create(b, loc, RankedTensorType::get(from.getShape(), to), x);
  }

  void sumUnused(Operand &operand, StringRef other) {
    SmallVector<int64_t> axes;
    for (auto [axis, label] : llvm::enumerate(operand.labels))
      if (!has(other, label) && !has(result, label))
        axes.push_back(axis);
    if (axes.empty())
      return;
    operand.labels = filter(operand.labels, [&](char c) { return has(other, c) || has(result, c); });
    // Sums stay in f32 until the end.
    Type wide = narrow() ? Type(b.getF32Type()) : element;
    operand.value = ReduceOp::create(b, loc, type(operand.labels, wide), ReductionKind::sum,
                                     cast(operand.value, wide), axes);
  }

  /// An operand with its labels in another order.
  Value ordered(const Operand &operand, StringRef labels) {
    if (operand.labels == labels)
      return operand.value;
    SmallVector<int64_t> permutation =
        llvm::map_to_vector(labels, [&](char c) { return (int64_t)operand.labels.find(c); });
    return TransposeOp::create(b, loc, operand.value, permutation);
  }

  Value elementwise(StringRef k) {
    Type wide = narrow() ? Type(b.getF32Type()) : element;
    std::string all = result + k.str();
    auto spread = [&](Operand &operand) -> Value {
      operand.value = cast(operand.value, wide);
      std::string labels = filter(all, [&](char c) { return has(operand.labels, c); });
      Value x = ordered(operand, labels);
      SmallVector<int64_t> axes = llvm::map_to_vector(labels, [&](char c) { return (int64_t)all.find(c); });
      auto to = type(all, wide);
      return x.getType() == to ? x : BroadcastOp::create(b, loc, to, x, axes).getResult();
    };
    Value product = MulOp::create(b, loc, spread(lhs), spread(rhs));
    if (!k.empty()) {
      SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(result.size(), all.size()));
      product = ReduceOp::create(b, loc, type(result, wide), ReductionKind::sum, product, axes);
    }
    return cast(product, element);
  }

  /// Whether two orders of labels hold the elements in the same order.
  bool sameOrder(StringRef x, StringRef y) const {
    auto long1 = [&](char c) { return extents.at(c) != 1; };
    return filter(x, long1) == filter(y, long1);
  }

  /// Whether two orders of labels end alike.
  bool sameRows(StringRef x, StringRef y) const {
    auto long1 = [&](char c) { return extents.at(c) != 1; };
    std::string left = filter(x, long1), right = filter(y, long1);
    return !left.empty() && !right.empty() && left.back() == right.back();
  }

  void rate(Form &form) const {
    const Operand &first = form.swapped ? rhs : lhs, &second = form.swapped ? lhs : rhs;
    auto place = [&](const Operand &operand, const std::string &plain, const std::string &flipped,
                     bool &transpose, bool &move) {
      transpose = !sameOrder(operand.labels, plain) && sameOrder(operand.labels, flipped);
      move = !transpose && !sameOrder(operand.labels, plain);
      if (move) {
        // Rows that stay whole move in long pieces.
        transpose = sameRows(operand.labels, flipped) && !sameRows(operand.labels, plain);
        form.cost += size(operand.labels);
      }
    };
    place(first, form.batch + form.m + form.k, form.batch + form.k + form.m, form.transposeA, form.moveA);
    place(second, form.batch + form.k + form.n, form.batch + form.n + form.k, form.transposeB, form.moveB);
    form.moveC = !sameOrder(result, form.batch + form.m + form.n);
    if (form.moveC)
      form.cost += size(result);
  }

  /// The form that moves the fewest elements; among equals the first, which follows the result's order.
  Form choose() const {
    std::optional<Form> best;
    for (bool swapped : {false, true}) {
      const Operand &first = swapped ? rhs : lhs, &second = swapped ? lhs : rhs;
      auto inBoth = [&](char c) { return has(first.labels, c) && has(second.labels, c); };
      auto isBatch = [&](char c) { return inBoth(c) && has(result, c); };
      auto isK = [&](char c) { return inBoth(c) && !has(result, c); };
      auto isM = [&](char c) { return has(first.labels, c) && !has(second.labels, c); };
      auto isN = [&](char c) { return !has(first.labels, c) && has(second.labels, c); };
      for (StringRef batchFrom : {StringRef(result), StringRef(first.labels), StringRef(second.labels)})
        for (StringRef mFrom : {StringRef(result), StringRef(first.labels)})
          for (StringRef nFrom : {StringRef(result), StringRef(second.labels)})
            for (StringRef kFrom : {StringRef(first.labels), StringRef(second.labels)}) {
              Form form{swapped, filter(batchFrom, isBatch), filter(mFrom, isM), filter(nFrom, isN),
                        filter(kFrom, isK)};
              rate(form);
              if (!best || form.cost < best->cost)
                best = form;
            }
    }
    return *best;
  }

  Value matmul() {
    Form form = choose();
    Operand first = form.swapped ? rhs : lhs, second = form.swapped ? lhs : rhs;
    first.value = cast(first.value, element);
    second.value = cast(second.value, element);
    auto operand = [&](const Operand &x, const std::string &rows, const std::string &columns,
                       bool move) -> Value {
      Value moved = move ? ordered(x, form.batch + rows + columns) : x.value;
      auto to = RankedTensorType::get({size(form.batch), size(rows), size(columns)}, element);
      return moved.getType() == to ? moved : ReshapeOp::create(b, loc, to, moved).getResult();
    };
    Value a = form.transposeA ? operand(first, form.k, form.m, form.moveA)
                              : operand(first, form.m, form.k, form.moveA);
    Value c = form.transposeB ? operand(second, form.n, form.k, form.moveB)
                              : operand(second, form.k, form.n, form.moveB);
    auto productType = RankedTensorType::get({size(form.batch), size(form.m), size(form.n)}, element);
    Value product = MatmulOp::create(b, loc, productType, a, c, /*bias=*/Value(), /*addend=*/Value(),
                                     form.transposeA, form.transposeB, /*relu=*/false);
    std::string labels = form.moveC ? form.batch + form.m + form.n : result;
    Value shaped = ReshapeOp::create(b, loc, type(labels, element), product);
    return form.moveC ? ordered({shaped, labels}, result) : shaped;
  }

  EinsumOp op;
  OpBuilder b;
  Location loc;
  Operand lhs, rhs;
  std::string result;
  std::map<char, int64_t> extents;
  Type element;
  SmallVector<Value> outputs; ///< what is replaced: the result, or its transpositions
};

struct EinsumToMatmulPass : PassWrapper<EinsumToMatmulPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(EinsumToMatmulPass)
  StringRef getArgument() const final { return "heddle-einsum-to-matmul"; }
  StringRef getDescription() const final {
    return "Bring heddle.einsum to heddle.matmul or elementwise operations";
  }
  void runOnOperation() final {
    SmallVector<EinsumOp> einsums;
    getOperation().walk([&](EinsumOp op) { einsums.push_back(op); });
    for (EinsumOp op : einsums)
      EinsumLowering(op).run();
  }
};

} // namespace

std::unique_ptr<Pass> heddle::cpu::createEinsumToMatmulPass() {
  return std::make_unique<EinsumToMatmulPass>();
}
