//===- SparseK.cpp - Rules of the sparsek operations ----------------------===//
//
// The threshold's derivative travels on `hi` alone; `lo` is the rounding residue of the same number. Adjoints
// and tangents of attention and threshold are operations of the dialect; second derivatives go through the
// dense decomposition, which is done before a rule is asked (see PrepareSparseK.cpp).
//
//===----------------------------------------------------------------------===//

#include "dialects/sparsek/IR/SparseK.h"
#include "compiler/autodiff/Rules/Rules.h"

using namespace mlir;
using namespace heddle::ir;
using namespace heddle::sparsek;

namespace heddle::autodiff {
namespace {

/// What the derivative of a projection needs: where 0 < p < 1, and per row how many such elements (at least
/// 1, to divide by).
struct Support {
  Value mask, count;
};

struct ProjectRule : Rule<ProjectRule, ProjectOp> {
  static int64_t lastAxis(ProjectOp op) { return tensorType(op.getP()).getRank() - 1; }
  static Type element(Value value) { return tensorType(value).getElementType(); }
  /// What is computed in: f32 for scores of bf16 and f16, in which a count is inexact or infinite.
  static Type wide(ProjectOp op, OpBuilder &builder) {
    Type type = element(op.getP());
    return type.getIntOrFloatBitWidth() < 32 ? builder.getF32Type() : type;
  }
  static Value cast(ProjectOp op, OpBuilder &builder, Value value, Type to) {
    auto type = RankedTensorType::get(tensorType(value).getShape(), to);
    return value.getType() == type ? value : Value(CastOp::create(builder, op.getLoc(), type, value));
  }
  static Value overRow(ProjectOp op, OpBuilder &builder, Value perRow) {
    auto type = RankedTensorType::get(tensorType(op.getP()).getShape(), element(perRow));
    SmallVector<int64_t> axes = otherAxes(type.getRank(), lastAxis(op));
    return BroadcastOp::create(builder, op.getLoc(), type, perRow, axes);
  }
  static Value masked(ProjectOp op, OpBuilder &builder, Value mask, Value value) {
    return SelectOp::create(builder, op.getLoc(), mask, value, zeros(builder, op.getLoc(), value.getType()));
  }
  static Support support(ProjectOp op, OpBuilder &builder) {
    Location loc = op.getLoc();
    Term p(builder, loc, op.getP());
    Value above = p.compare(ComparePredicate::gt, 0.0).get(),
          below = p.compare(ComparePredicate::lt, 1.0).get();
    Value mask = AndOp::create(builder, loc, above, below);
    Value count = reduceSum(builder, loc, cast(op, builder, mask, wide(op, builder)), lastAxis(op));
    return {mask, MaxOp::create(builder, loc, count, splat(builder, loc, count.getType(), 1))};
  }
  /// c - mean_S(c) on the support, else 0: symmetric, so it serves both modes. `mean` is returned for k.
  static Value project(ProjectOp op, OpBuilder &builder, Support at, Value c, Value &mean) {
    Location loc = op.getLoc();
    c = cast(op, builder, c, wide(op, builder));
    Value sum = reduceSum(builder, loc, masked(op, builder, at.mask, c), lastAxis(op));
    mean = DivOp::create(builder, loc, sum, at.count);
    Value centred = SubOp::create(builder, loc, c, overRow(op, builder, mean));
    return masked(op, builder, at.mask, centred);
  }
  static void adjoint(ProjectOp op, OpBuilder &builder, CotangentScope &scope) {
    Value mean, c = scope.cotangent(op.getP());
    Value dz = project(op, builder, support(op, builder), c, mean);
    scope.accumulate(op.getZ(), cast(op, builder, dz, element(op.getZ())));
    if (!scope.wanted(op.getK()))
      return;
    mean = cast(op, builder, mean, element(op.getK()));
    scope.accumulate(op.getK(),
                     reduceSum(builder, op.getLoc(), mean, otherAxes(tensorType(mean).getRank(), {})));
  }
  static void tangent(ProjectOp op, OpBuilder &builder, TangentScope &scope) {
    Location loc = op.getLoc();
    Value dz = scope.tangent(op.getZ()), dk = scope.tangent(op.getK()), mean, result;
    if (!dz && !dk)
      return;
    Support at = support(op, builder);
    if (dz)
      result = project(op, builder, at, dz, mean);
    if (dk) {
      dk = cast(op, builder, dk, wide(op, builder));
      Value rows = BroadcastOp::create(builder, loc, at.count.getType(), dk, ArrayRef<int64_t>{});
      Value each = overRow(op, builder, DivOp::create(builder, loc, rows, at.count));
      result = addOrNull(builder, loc, result, masked(op, builder, at.mask, each));
    }
    scope.setTangent(op.getP(), cast(op, builder, result, element(op.getP())));
  }
};

struct ThresholdRule : DifferentiableOpInterface::ExternalModel<ThresholdRule, ThresholdOp> {
  LogicalResult emitAdjoint(Operation *operation, OpBuilder &builder, CotangentScope &scope) const {
    auto op = cast<ThresholdOp>(operation);
    if (Value c = scope.cotangent(op.getHi()))
      scope.accumulate(op.getU(),
                       ThresholdBackwardOp::create(builder, op.getLoc(), op.getU(), op.getHi(), op.getLo(),
                                                   op.getCount(), c, op.getBounds(), op.getWindow()));
    return success();
  }
  LogicalResult emitTangent(Operation *operation, OpBuilder &builder, TangentScope &scope) const {
    auto op = cast<ThresholdOp>(operation);
    if (Value du = scope.tangent(op.getU()))
      scope.setTangent(op.getHi(),
                       ThresholdTangentOp::create(builder, op.getLoc(), op.getU(), op.getHi(), op.getLo(),
                                                  op.getCount(), du, op.getBounds(), op.getWindow()));
    return success();
  }
};

struct AttentionRule : DifferentiableOpInterface::ExternalModel<AttentionRule, AttentionOp> {
  LogicalResult emitAdjoint(Operation *operation, OpBuilder &builder, CotangentScope &scope) const {
    auto op = cast<AttentionOp>(operation);
    Location loc = op.getLoc();
    Value dout = orZeros(builder, loc, scope.cotangent(op.getO()), op.getO().getType());
    auto back = AttentionBackwardOp::create(builder, loc, op.getQ(), op.getK(), op.getV(), op.getU(),
                                            op.getHi(), op.getLo(), op.getEnd(), op.getO(), op.getLse(), dout,
                                            scope.cotangent(op.getLse()), op.getBounds(), op.getTopk(),
                                            op.getWindow(), op.getScale(), op.getGate(), op.getEstimator());
    scope.accumulate(op.getQ(), back.getDq());
    scope.accumulate(op.getK(), back.getDk());
    scope.accumulate(op.getV(), back.getDv());
    if (op.getTopk() == 0 || op.getGate() == Gate::none)
      return success();
    scope.accumulate(op.getU(), back.getDu());
    scope.accumulate(op.getHi(), back.getDtau());
    return success();
  }
  LogicalResult emitTangent(Operation *operation, OpBuilder &builder, TangentScope &scope) const {
    auto op = cast<AttentionOp>(operation);
    const bool gated = op.getTopk() > 0 && op.getGate() != Gate::none;
    Value dq = scope.tangent(op.getQ()), dk = scope.tangent(op.getK()), dv = scope.tangent(op.getV()),
          du = gated ? scope.tangent(op.getU()) : Value(), dtau = gated ? scope.tangent(op.getHi()) : Value();
    if (!dq && !dk && !dv && !du && !dtau)
      return success();
    auto moved = AttentionTangentOp::create(builder, op.getLoc(), op.getQ(), op.getK(), op.getV(), op.getU(),
                                            op.getHi(), op.getLo(), op.getEnd(), op.getO(), op.getLse(), dq,
                                            dk, dv, du, dtau, op.getBounds(), op.getTopk(), op.getWindow(),
                                            op.getScale(), op.getGate(), op.getEstimator());
    scope.setTangent(op.getO(), moved.getDout());
    scope.setTangent(op.getLse(), moved.getDlse());
    return success();
  }
};

} // namespace

void attachSparseKRules(MLIRContext *context) {
  ProjectOp::attachInterface<ProjectRule>(*context);
  ThresholdOp::attachInterface<ThresholdRule>(*context);
  AttentionOp::attachInterface<AttentionRule>(*context);
}

} // namespace heddle::autodiff
