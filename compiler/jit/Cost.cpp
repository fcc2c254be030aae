//===- Cost.cpp - FLOPs and bytes of a function ---------------------------===//

#include "compiler/jit/Cost.h"

#include "compiler/interpreter/Interpreter.h"
#include "dialects/heddle/IR/Heddle.h"
#include "dialects/sparsek/IR/SparseK.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace heddle::jit {

static int64_t elements(Type type) { return cast<RankedTensorType>(type).getNumElements(); }

static int64_t bytesOf(Type type) {
  int64_t bits = cast<RankedTensorType>(type).getElementTypeBitWidth();
  return elements(type) * std::max<int64_t>(bits / 8, 1);
}

static std::string shapeText(Type type) {
  std::string text;
  for (int64_t extent : cast<RankedTensorType>(type).getShape())
    text += (text.empty() ? "" : "x") + std::to_string(extent);
  return text.empty() ? "scalar" : text;
}

static std::string whereText(Location location) {
  auto position = interp::filePosition(location);
  return position ? (llvm::sys::path::filename(position->getFilename().getValue()) + ":" +
                     Twine(position->getLine()))
                        .str()
                  : "";
}

/// Attention's useful operations: 4 N keys d for each query head forward, 2.5 times that backward.
static int64_t attentionFlops(RankedTensorType q, RankedTensorType v, int64_t keys, bool backward) {
  int64_t forward =
      2 * q.getDimSize(0) * q.getDimSize(1) * q.getDimSize(2) * keys * (q.getDimSize(3) + v.getDimSize(3));
  return backward ? forward * 5 / 2 : forward;
}

/// What the tangents of q, k and v add to the forward products.
static int64_t tangentFlops(sparsek::AttentionTangentOp op, int64_t keys) {
  auto q = cast<RankedTensorType>(op.getQ().getType()), v = cast<RankedTensorType>(op.getV().getType());
  int64_t width = q.getDimSize(3) * (!!op.getDq() + !!op.getDk()) + v.getDimSize(3) * !!op.getDv();
  return 2 * q.getDimSize(0) * q.getDimSize(1) * q.getDimSize(2) * keys * width;
}

/// Of a written variant, if every pair is visible: the same products, and the operations of the block.
template <typename Op>
static int64_t variantFlops(Op op, bool backward) {
  auto q = cast<RankedTensorType>(op.getQ().getType()), v = cast<RankedTensorType>(op.getV().getType());
  int64_t keys = v.getDimSize(2), pairs = q.getDimSize(0) * q.getDimSize(1) * q.getDimSize(2) * keys;
  int64_t block = llvm::count_if(op.getBody().front().without_terminator(), [](Operation &inner) {
    return !isa<ir::ConstantOp, sparsek::ReadOp>(inner);
  });
  return attentionFlops(q, v, keys, backward) + block * pairs;
}

/// One operation per element, as far as an operation computes at all.
static int64_t elementwiseFlops(Operation *op) {
  return llvm::TypeSwitch<Operation *, int64_t>(op)
      .Case<ir::ConstantOp, ir::BroadcastOp, ir::ReshapeOp, ir::TransposeOp, ir::SliceOp, ir::PadOp,
            ir::ConcatOp, ir::ReverseOp, ir::IotaOp, ir::YieldOp>([](auto) { return 0; })
      .Case<ir::ReduceOp, ir::CumsumOp>([](auto reduce) { return elements(reduce.getX().getType()); })
      .Default([](Operation *other) {
        return other->getNumResults() ? elements(other->getResult(0).getType()) : 0;
      });
}

static std::string fusionText(ir::FusionOp fusion, int64_t &flops) {
  llvm::MapVector<StringRef, int> names;
  int count = 0;
  fusion.getBody().walk([&](Operation *op) {
    if (isa<ir::YieldOp>(op))
      return;
    ++count;
    flops += elementwiseFlops(op);
    names[op->getName().stripDialect()]++;
  });
  std::string text = "fusion of " + std::to_string(count) + ":";
  for (auto &[name, times] : names)
    text += " " + name.str() + (times > 1 ? "*" + std::to_string(times) : "");
  return text;
}

static Step describe(Operation *op) {
  Step step;
  step.where = whereText(op->getLoc());
  for (Type type : op->getOperandTypes())
    step.bytes += bytesOf(type);
  for (Type type : op->getResultTypes())
    step.bytes += bytesOf(type);
  llvm::TypeSwitch<Operation *>(op)
      .Case<ir::MatmulOp>([&](ir::MatmulOp matmul) {
        auto lhs = cast<RankedTensorType>(matmul.getLhs().getType()),
             result = cast<RankedTensorType>(matmul.getType());
        int64_t k = lhs.getDimSize(matmul.getTransposeLhs() ? 1 : 2);
        step.flops = 2 * result.getNumElements() * k;
        step.what = "matmul " + shapeText(result) + " over " + std::to_string(k);
      })
      .Case<ir::FusionOp>([&](ir::FusionOp fusion) {
        step.what = fusionText(fusion, step.flops);
        step.where = whereText(fusion.getBody().front().getTerminator()->getPrevNode()->getLoc());
      })
      .Case<sparsek::AttentionOp, sparsek::AttentionBackwardOp, sparsek::AttentionTangentOp>(
          [&](auto attention) {
            auto q = cast<RankedTensorType>(attention.getQ().getType());
            auto v = cast<RankedTensorType>(attention.getV().getType());
            int64_t keys = std::min<int64_t>(attention.getTopk() + attention.getWindow(), q.getDimSize(2));
            step.flops = attentionFlops(q, v, keys, isa<sparsek::AttentionBackwardOp>(op));
            if constexpr (std::is_same_v<decltype(attention), sparsek::AttentionTangentOp>)
              step.flops += tangentFlops(attention, keys);
            step.what = op->getName().getStringRef().str() + " " + shapeText(q) + " topk " +
                        std::to_string(attention.getTopk()) + " window " +
                        std::to_string(attention.getWindow());
          })
      .Case<sparsek::AppendOp>([&](sparsek::AppendOp append) {
        auto q = cast<RankedTensorType>(append.getQ().getType()),
             v = cast<RankedTensorType>(append.getV().getType());
        step.flops = attentionFlops(q, v, append.getTopk() + append.getWindow(), false);
        for (Value leaf : append.getState()) // updated where it lies
          step.bytes -= bytesOf(leaf.getType());
        step.what = "sparsek.append " + shapeText(q) + " topk " + std::to_string(append.getTopk()) +
                    " window " + std::to_string(append.getWindow());
      })
      .Case<sparsek::VariantAttentionOp, sparsek::VariantAttentionBackwardOp>([&](auto variant) {
        bool backward = isa<sparsek::VariantAttentionBackwardOp>(op);
        auto q = cast<RankedTensorType>(variant.getQ().getType());
        step.flops = variantFlops(variant, backward);
        step.what =
            std::string(backward ? "sparsek.variant_attention_backward " : "sparsek.variant_attention ") +
            shapeText(q) + " on " + std::to_string(variant.getK().getType().getDimSize(2)) + " keys";
      })
      .Default([&](Operation *other) {
        step.flops = other->getName().getDialectNamespace() == "heddle" ? elementwiseFlops(other) : 0;
        step.what = other->getName().stripDialect().str();
        if (other->getName().getDialectNamespace() == "sparsek")
          step.what = "sparsek." + step.what;
        if (other->getNumResults())
          step.what += " " + shapeText(other->getResult(0).getType());
      });
  return step;
}

static void visit(Block &block, int64_t times, std::vector<Step> &steps) {
  for (Operation &op : block) {
    if (isa<ir::ConstantOp, ir::YieldOp, func::ReturnOp, ir::ReshapeOp>(op))
      continue;
    if (auto loop = dyn_cast<ir::ForOp>(op)) {
      visit(loop.getBody().front(), times * int64_t(loop.getCount()), steps);
      continue;
    }
    if (auto choice = dyn_cast<ir::IfOp>(op)) {
      visit(choice.getThenRegion().front(), times, steps);
      visit(choice.getElseRegion().front(), times, steps);
      continue;
    }
    Step step = describe(&op);
    step.times = times;
    steps.push_back(std::move(step));
  }
}

std::vector<Step> countSteps(ModuleOp fused, const std::string &entry) {
  std::vector<Step> steps;
  if (auto function = fused.lookupSymbol<func::FuncOp>(entry))
    visit(function.front(), 1, steps);
  return steps;
}

} // namespace heddle::jit
