#include "compiler/conversion/SparseKToCPU/AttentionPlan.h"
#include "dialects/sparsek/IR/SparseK.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include <algorithm>

using namespace mlir;

namespace heddle::cpu {

template <typename Op>
static std::optional<AttentionSpec> specOf(Op op) {
  auto q = cast<RankedTensorType>(op.getQ().getType()), k = cast<RankedTensorType>(op.getK().getType());
  auto v = cast<RankedTensorType>(op.getV().getType());
  auto element = matmulElement(q.getElementType());
  if (!q.hasStaticShape() || !k.hasStaticShape() || !v.hasStaticShape() || !element)
    return std::nullopt;
  AttentionSpec spec;
  spec.batch = q.getDimSize(0);
  spec.queryHeads = q.getDimSize(1);
  spec.heads = k.getDimSize(1);
  spec.length = q.getDimSize(2);
  spec.keyWidth = q.getDimSize(3);
  spec.valueWidth = v.getDimSize(3);
  spec.topk = op.getTopk();
  spec.window = op.getWindow();
  spec.scale = op.getScale().convertToDouble();
  switch (op.getGate()) {
  case sparsek::Gate::both:
    spec.gate = AttentionGate::Both;
    break;
  case sparsek::Gate::value:
    spec.gate = AttentionGate::Value;
    break;
  case sparsek::Gate::none:
    spec.gate = AttentionGate::None;
    break;
  }
  spec.straightThrough = op.getEstimator() == sparsek::Estimator::straight_through;
  spec.packed = static_cast<bool>(op.getBounds());
  spec.element = *element;
  return spec;
}

std::optional<AttentionSpec> AttentionSpec::of(Operation *op) {
  if (auto forward = dyn_cast<sparsek::AttentionOp>(op))
    return specOf(forward);
  using A = AttentionArgument;
  std::optional<AttentionSpec> spec;
  if (auto backward = dyn_cast<sparsek::AttentionBackwardOp>(op)) {
    spec = specOf(backward);
    if (spec && backward.getDlse())
      spec->give(A::DLse);
  } else if (auto tangent = dyn_cast<sparsek::AttentionTangentOp>(op)) {
    spec = specOf(tangent);
    const std::pair<A, Value> tangents[] = {{A::DQ, tangent.getDq()},
                                            {A::DK, tangent.getDk()},
                                            {A::DV, tangent.getDv()},
                                            {A::DU, tangent.getDu()},
                                            {A::DTau, tangent.getDtau()}};
    for (auto [argument, value] : tangents)
      if (spec && value)
        spec->give(argument);
  }
  return spec;
}

static Type elementType(OpBuilder &b, MatmulElement element) {
  switch (element) {
  case MatmulElement::F64:
    return b.getF64Type();
  case MatmulElement::F32:
    return b.getF32Type();
  case MatmulElement::BF16:
    return b.getBF16Type();
  case MatmulElement::F16:
    return b.getF16Type();
  }
  return {};
}

Type attentionOperandType(OpBuilder &builder, const AttentionSpec &spec, const AttentionOperand &operand) {
  Type element = builder.getI32Type();
  if (operand.element == AttentionOperand::Element::Input)
    element = elementType(builder, spec.element);
  if (operand.element == AttentionOperand::Element::Score)
    element = spec.element == MatmulElement::F64 ? Type(builder.getF64Type()) : Type(builder.getF32Type());
  return MemRefType::get(operand.extent, element);
}

namespace attention {

static int64_t roundUp(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

int64_t Plan::windowKeys(int64_t queries) const {
  return spec.window == 0 ? 0 : std::min(spec.window - 1 + queries, spec.length);
}

int64_t scratchBytes(const Plan &p, Pass pass) {
  // Forward: queries and outputs as panels and two statistics for each head; a block of keys and values with
  // its scores, and rows in transit.
  int64_t perHead = p.tile * (p.spec.keyWidth + p.spec.valueWidth + 2);
  int64_t shared =
      p.keyBlock * (p.keyPad + p.valuePad + 2 * p.panel + 4) + p.tile * std::max(p.keyPad, p.valuePad);
  if (pass == Pass::Backward) {
    perHead = p.tile * (3 * p.keyPad + 2 * p.valuePad + 3);
    shared = p.keyBlock * (p.keyPad + p.valuePad + 2 * p.tile + p.lanes + 4);
  } else if (pass == Pass::Tangent) {
    perHead += p.tile * p.spec.keyWidth;
    shared += p.keyBlock * (p.keyPad + p.valuePad + 1) + 2 * p.tile;
  }
  return p.computeBytes() * (p.headBlock * perHead + shared);
}

Plan makePlan(const AttentionSpec &spec, const MatmulTarget &target, Pass pass) {
  constexpr int64_t stackLimit = 192 << 10;
  Plan p;
  p.spec = spec;
  p.spec.topk = std::min(spec.topk, spec.length);
  p.spec.window = std::min(spec.window, spec.length);
  p.target = target;
  p.keyLength = spec.length;
  p.compute = spec.element == MatmulElement::F64 ? MatmulElement::F64 : MatmulElement::F32;
  p.lanes = target.vectorBits / 8 / p.computeBytes();
  p.panel = 2 * p.lanes;
  // 2 tileRows accumulators, two vectors of queries and a broadcast element.
  p.tileRows = target.vectorRegisters >= 32 ? 8 : 6;
  // Window and selection grow by a tile: small budgets take small tiles.
  const int64_t budget = p.spec.topk + p.spec.window;
  p.tile = std::max<int64_t>(budget < 128 ? 32 : 64, p.panel);
  p.keyBlock = p.tileRows * (64 / p.tileRows);
  p.keyPad = roundUp(spec.keyWidth, p.lanes);
  p.valuePad = roundUp(spec.valueWidth, p.lanes);
  p.headBlock = 1;
  auto bytes = [&] { return scratchBytes(p, pass); };
  while (bytes() > stackLimit && (p.tile > p.panel || p.keyBlock > p.tileRows)) {
    if (p.tile > p.panel)
      p.tile = roundUp(p.tile / 2, p.panel);
    if (bytes() > stackLimit && p.keyBlock > p.tileRows)
      p.keyBlock = roundUp(p.keyBlock / 2, p.tileRows);
  }
  for (int64_t heads = spec.group(); heads > 1; --heads) {
    if (spec.group() % heads)
      continue;
    p.headBlock = heads;
    if (bytes() <= stackLimit)
      break;
    p.headBlock = 1;
  }
  p.listStride = std::min(p.spec.topk + p.tile, spec.length);
  if (pass != Pass::Backward)
    return p;

  // A chunk's partial sums hold topk + window + 2 chunk keys. Long chunks keep that small beside the keys,
  // short ones give tasks to the threads where there are few rows.
  constexpr int64_t tasks = 32;
  const int64_t rows = std::max<int64_t>(spec.rows(), 1);
  int64_t wanted = spec.length * rows / tasks;
  int64_t least = std::max<int64_t>(256, (p.spec.topk + p.spec.window) / 4);
  p.chunk = roundUp(std::clamp<int64_t>(wanted, least, std::max<int64_t>(1024, least)), p.tile);
  p.slotStride = p.spec.topk > 0 ? std::min(p.spec.topk + p.chunk, spec.length) : 0;
  // As many rows at a time as fit into a modest memory, and enough for all threads.
  constexpr int64_t partBytes = 64 << 20;
  const int64_t bytesOfRow = p.chunks() * p.partRows() * p.partWidth() * p.computeBytes();
  const int64_t fitting = partBytes / std::max<int64_t>(bytesOfRow, 1);
  p.wave = std::clamp<int64_t>(std::max(tasks / std::max<int64_t>(p.chunks(), 1), fitting), 1, rows);
  const int64_t rowBytes = (p.keyPad + p.valuePad + 1) * p.computeBytes();
  p.reduceKeys = std::clamp<int64_t>((128 << 10) / rowBytes, 1, 256);
  return p;
}

AttentionOperand Workspace::take(const Plan &plan, AttentionOperand::Element element, int64_t extent) {
  AttentionOperand operand;
  operand.byteOffset = size;
  operand.element = element;
  operand.extent = std::max<int64_t>(extent, 1);
  size += roundUp(operand.extent * (element == AttentionOperand::Element::I32 ? 4 : plan.computeBytes()), 64);
  return operand;
}

AttentionOperand bufferOperand(const Plan &plan, AttentionArgument argument) {
  using A = AttentionArgument;
  using E = AttentionOperand::Element;
  const AttentionSpec &s = plan.spec;
  const int64_t queries = s.batch * s.queryHeads * s.length, keys = s.rows() * s.length;
  AttentionOperand operand;
  operand.argument = argument;
  switch (argument) {
  case A::Q:
  case A::DQ:
    operand.extent = queries * s.keyWidth;
    break;
  case A::O:
  case A::DOut:
    operand.extent = queries * s.valueWidth;
    break;
  case A::K:
  case A::DK:
    operand.extent = keys * s.keyWidth;
    break;
  case A::V:
  case A::DV:
    operand.extent = keys * s.valueWidth;
    break;
  case A::Lse:
  case A::DLse:
    operand.extent = queries;
    operand.element = E::Score;
    break;
  case A::U:
  case A::Hi:
  case A::Lo:
  case A::DU:
  case A::DTau:
    operand.extent = keys;
    operand.element = E::Score;
    break;
  case A::End:
    operand.extent = keys;
    operand.element = E::I32;
    break;
  case A::Bounds:
    operand.extent = 2 * s.length;
    operand.element = E::I32;
    break;
  case A::Workspace:
    break;
  }
  return operand;
}

AttentionOperand integerOperand(int64_t value) {
  AttentionOperand operand;
  operand.isInteger = true;
  operand.integer = value;
  return operand;
}

} // namespace attention
} // namespace heddle::cpu
