//===- Plans.cpp - Operations that have more than one plan ----------------===//

#include "compiler/conversion/HeddleToGPU/GpuEntryLowering.h"
#include "compiler/conversion/HeddleToGPU/ProductPlan.h"
#include "compiler/conversion/SparseKToGPU/Attention.h"

#include "dialects/sparsek/IR/SparseK.h"

#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace heddle::gpu;
using heddle::ir::MatmulOp;

/// Raised when the meaning of choices or the list of candidates changes: what was measured before then counts
/// no more.
static constexpr int version = 2;

static bool isAttention(Operation *op) {
  return isa<heddle::sparsek::AttentionOp, heddle::sparsek::AttentionBackwardOp>(op);
}

/// Sums of many products for few results, which keep threads busy in parts only. The library does not cut
/// them where rows of the result are no multiple of 16 bytes.
static bool needsParts(MatmulOp op) {
  auto c = cast<RankedTensorType>(op.getType()), a = cast<RankedTensorType>(op.getLhs().getType());
  const int64_t k = a.getDimSize(op.getTransposeLhs() ? 1 : 2);
  return c.getNumElements() < 1 << 16 && k >= 1 << 12 && c.getElementTypeBitWidth() == 16 &&
         c.getDimSize(2) % 8 != 0;
}

static bool isFloat(Operation *product) {
  return isa<FloatType>(cast<RankedTensorType>(product->getOperand(0).getType()).getElementType());
}

std::string heddle::gpu::planKey(Operation *op, const GpuOptions &options) {
  const bool isProduct = isa<MatmulOp>(op) && isFloat(op) && !isLeftToRuntime(op, options);
  if (!isProduct && !isAttention(op))
    return "";
  std::string key;
  llvm::raw_string_ostream stream(key);
  stream << version << " " << op->getName() << op->getAttrDictionary() << " (" << op->getOperandTypes()
         << ") -> " << op->getResultTypes();
  if (isProduct && options.tf32)
    stream << " tf32";
  return key;
}

std::vector<Choice> heddle::gpu::candidatesOf(Operation *op, const GpuOptions &options) {
  if (auto product = dyn_cast<MatmulOp>(op))
    return productCandidates(ProductSpec::of(product, options.tf32));
  return attentionCandidates(op, targetOf(options));
}

Target heddle::gpu::targetOf(const GpuOptions &options) {
  Target target;
  target.sharedBytes = options.sharedBytes;
  target.warpgroupProducts = options.capability == 90;
  target.multiprocessors = options.multiprocessors;
  return target;
}

bool heddle::gpu::isLeftToRuntime(Operation *op, const GpuOptions &options) {
  auto product = dyn_cast<MatmulOp>(op);
  return product && options.hasMatmul && isFloat(op) && !needsParts(product);
}
