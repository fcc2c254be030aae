//===- SparseKVariantOps.td - Attention with a written score and mask -----===//

#ifndef SPARSEK_VARIANT_OPS
#define SPARSEK_VARIANT_OPS

include "dialects/sparsek/IR/SparseKOps.td"

/// What stands for one number in the block of a variant.
def SparseK_Scalar : 0DTensorOf<[F64, F32, BF16, F16, I64, I32, I8, I1]>;
def SparseK_FloatScalar : 0DTensorOf<[F64, F32, BF16, F16]>;
def SparseK_ScoreScalar : 0DTensorOf<[F64, F32]>;
def SparseK_BoolScalar : 0DTensorOf<[I1]>;
def SparseK_Position
    : Type<CPred<"::llvm::isa<::mlir::RankedTensorType>($_self) && "
                 "::llvm::cast<::mlir::RankedTensorType>($_self).getRank() == 0 && "
                 "::llvm::cast<::mlir::RankedTensorType>($_self).getElementType().isInteger(32)">,
           "0D tensor of 32-bit signless integer values", "::mlir::RankedTensorType">,
      BuildableType<"::mlir::RankedTensorType::get({}, $_builder.getI32Type())">;
def SparseK_Capture : RankedTensorOf<[F64, F32, BF16, F16, I64, I32, I8, I1]>;

def SparseK_VariantAttentionOp : SparseK_Op<"variant_attention", [IsolatedFromAbove, SingleBlock]> {
  let summary = "Attention whose score, gate and visibility are written per pair";
  let description = [{
    q is [B, Hq, N, E], k [B, H, M, E], v [B, H, M, V], with H dividing Hq; N and M may differ. For each pair of query i
    and key j of batch b and query head h the block computes a score, a gate and whether the pair is visible from
    `s = scale (q_i . k_j)` and the numbers b, h, i and j:

        p_i = softmax of the scores over the visible j,  o_i = sum_j p_ij gate_ij v_j,  lse_i = log sum_j exp(score_ij)

    A query that sees nothing gives o = 0 and lse = -inf; what is computed for an invisible pair reaches no result.
    Accumulated in f32 at least. The block's arguments are s (f32, or f64 where q is), b, h, i and j (i32), all as
    tensors of rank 0, and then the captures; its operations are pure, without regions, and work on tensors of rank 0;
    `sparsek.read` takes an element of a capture. The block ends in `sparsek.yield`.

    Reverse mode derives the block of `sparsek.variant_attention_backward` from it. Tangents and second derivatives go
    through the dense form.

    ```mlir
    %o, %lse = sparsek.variant_attention %q, %k, %v captures(%slope) scale 0.25
        : (tensor<1x4x96x16xf32>, tensor<1x2x96x16xf32>, tensor<1x2x96x16xf32>, tensor<4xf32>)
        -> (tensor<1x4x96x16xf32>, tensor<1x4x96xf32>) {
    ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %slopes: tensor<4xf32>):
      %x = sparsek.read %slopes[%h] : tensor<4xf32>
      %d = heddle.sub %i, %j : tensor<i32>
      %f = heddle.cast %d : tensor<i32> -> tensor<f32>
      %t = heddle.mul %x, %f : tensor<f32>
      %score = heddle.sub %s, %t : tensor<f32>
      %one = heddle.constant dense<1.0> : tensor<f32>
      %past = heddle.compare le %j, %i : tensor<i32>
      sparsek.yield %score, %one, %past : tensor<f32>
    }
    ```
  }];
  let arguments = (ins SparseK_FloatTensor:$q, SparseK_FloatTensor:$k, SparseK_FloatTensor:$v,
                       Variadic<SparseK_Capture>:$captures, F64Attr:$scale);
  let results = (outs SparseK_FloatTensor:$o, SparseK_ScoreTensor:$lse);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $q `,` $k `,` $v `captures` `(` $captures `)` `scale` $scale `:` functional-type(operands, results) $body attr-dict
  }];
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    /// The arguments of the block: s, b, h, i, j, then one for each capture.
    static constexpr unsigned numPairArguments = 5;
    ::mlir::BlockArgument getScoreArgument() { return getBody().getArgument(0); }
    ::mlir::Block::BlockArgListType getCaptureArguments() {
      return getBody().getArguments().drop_front(numPairArguments);
    }
    YieldOp getYield();
  }];
}

def SparseK_VariantAttentionBackwardOp
    : SparseK_Op<"variant_attention_backward", [IsolatedFromAbove, SingleBlock, AttrSizedOperandSegments]> {
  let summary = "Cotangents of sparsek.variant_attention's operands";
  let description = [{
    The block computes score, gate and visibility as in the forward pass, and from the cotangents `dscore` and `dgate`
    the cotangent `ds` of s; `sparsek.accumulate` adds to the cotangents of the captures numbered in `wanted`, which are
    results in that order. With `do` and `dlse` the cotangents of o and lse, for each visible pair:

        p_ij = exp(score_ij - lse_i),  e_ij = do_i . v_j,  D_i = do_i . o_i - dlse_i
        dscore = p (gate e - D),  dgate = p e
        dq_i = scale sum_j ds k_j,  dk_j = scale sum_i ds q_i,  dv_j = sum_i p gate do_i

    dk and dv sum over the query heads of a key-value head. The block's arguments are s, b, h, i, j, dscore, dgate and the
    captures.

    ```mlir
    %dq, %dk, %dv, %dslope = sparsek.variant_attention_backward %q, %k, %v captures(%slope) from %o, %lse, %do
        wanted [0] scale 0.25
        : (tensor<1x4x96x16xf32>, tensor<1x2x96x16xf32>, tensor<1x2x96x16xf32>, tensor<4xf32>,
           tensor<1x4x96x16xf32>, tensor<1x4x96xf32>, tensor<1x4x96x16xf32>)
        -> (tensor<1x4x96x16xf32>, tensor<1x2x96x16xf32>, tensor<1x2x96x16xf32>, tensor<4xf32>) {
    ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>,
         %dgate: tensor<f32>, %slopes: tensor<4xf32>):
      %x = sparsek.read %slopes[%h] : tensor<4xf32>
      %score = heddle.add %s, %x : tensor<f32>
      %one = heddle.constant dense<1.0> : tensor<f32>
      %past = heddle.compare le %j, %i : tensor<i32>
      sparsek.accumulate %dscore into %slopes[%h] : tensor<4xf32>
      sparsek.yield_adjoint %score, %one, %past, %dscore : tensor<f32>
    }
    ```
  }];
  let arguments = (ins SparseK_FloatTensor:$q, SparseK_FloatTensor:$k, SparseK_FloatTensor:$v,
                       Variadic<SparseK_Capture>:$captures, SparseK_FloatTensor:$o, SparseK_ScoreTensor:$lse,
                       SparseK_FloatTensor:$dout, Optional<SparseK_ScoreTensor>:$dlse, DenseI64ArrayAttr:$wanted,
                       F64Attr:$scale);
  let results = (outs SparseK_FloatTensor:$dq, SparseK_FloatTensor:$dk, SparseK_FloatTensor:$dv,
                      Variadic<SparseK_FloatTensor>:$dcaptures);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $q `,` $k `,` $v `captures` `(` $captures `)` `from` $o `,` $lse `,` $dout (`,` $dlse^)? `wanted` $wanted
    `scale` $scale `:` functional-type(operands, results) $body attr-dict
  }];
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    /// The arguments of the block: s, b, h, i, j, dscore, dgate, then one for each capture.
    static constexpr unsigned numPairArguments = 7;
    ::mlir::Block::BlockArgListType getCaptureArguments() {
      return getBody().getArguments().drop_front(numPairArguments);
    }
    YieldAdjointOp getYield();
  }];
}

def SparseK_ReadOp : SparseK_Op<"read", [ParentOneOf<["VariantAttentionOp", "VariantAttentionBackwardOp"]>]> {
  let summary = "One element of a capture";
  let description = [{
    The element of an argument of the block that stands for a capture, at one i32 index for each axis. An index outside
    its axis is a run-time error at the operation's location if the pair is visible; else the element is 0, and nothing
    outside the capture is touched. The cotangent is a `sparsek.accumulate`.

    ```mlir
    %x = sparsek.read %bias[%h, %d] : tensor<4x32xf32>
    ```
  }];
  let arguments = (ins SparseK_Capture:$capture, Variadic<SparseK_Position>:$indices);
  let results = (outs SparseK_Scalar:$result);
  let assemblyFormat = "$capture `[` $indices `]` attr-dict `:` type($capture)";
  let hasVerifier = 1;
}

def SparseK_AccumulateOp
    : Op<SparseK_Dialect, "accumulate", [HasParent<"VariantAttentionBackwardOp">, MemoryEffects<[MemWrite]>,
         TypesMatchWith<"the value has the element type of the capture", "capture", "value",
                        "::mlir::RankedTensorType::get({}, ::llvm::cast<::mlir::RankedTensorType>($_self).getElementType())">]> {
  let summary = "Adds to the cotangent of one element of a capture";
  let description = [{
    Counts for visible pairs alone, and stays inside the capture whatever the indices are. The additions of all pairs
    have one order, which does not depend on the number of threads; they are in f32 at least.

    ```mlir
    sparsek.accumulate %dx into %bias[%h, %d] : tensor<4x32xf32>
    ```
  }];
  let arguments = (ins SparseK_FloatScalar:$value, SparseK_FloatTensor:$capture, Variadic<SparseK_Position>:$indices);
  let assemblyFormat = "$value `into` $capture `[` $indices `]` attr-dict `:` type($capture)";
  let hasVerifier = 1;
}

def SparseK_YieldOp
    : Op<SparseK_Dialect, "yield", [Pure, Terminator, ReturnLike, HasParent<"VariantAttentionOp">,
                                    AllTypesMatch<["score", "gate"]>,
                                    TypesMatchWith<"visible is a truth value", "score", "visible",
                                                   "::llvm::cast<::mlir::ShapedType>($_self).clone(::mlir::IntegerType::get($_self.getContext(), 1))">]> {
  let summary = "The score, the gate and the visibility of a pair";
  let description = [{
    ```mlir
    sparsek.yield %score, %gate, %visible : tensor<f32>
    ```
  }];
  let arguments = (ins SparseK_ScoreScalar:$score, SparseK_ScoreScalar:$gate, SparseK_BoolScalar:$visible);
  let assemblyFormat = "$score `,` $gate `,` $visible attr-dict `:` type($score)";
}

def SparseK_YieldAdjointOp
    : Op<SparseK_Dialect, "yield_adjoint", [Pure, Terminator, ReturnLike, HasParent<"VariantAttentionBackwardOp">,
                                            AllTypesMatch<["score", "gate", "ds"]>,
                                            TypesMatchWith<"visible is a truth value", "score", "visible",
                                                   "::llvm::cast<::mlir::ShapedType>($_self).clone(::mlir::IntegerType::get($_self.getContext(), 1))">]> {
  let summary = "The score, the gate and the visibility of a pair, and the cotangent of its product";
  let description = [{
    ```mlir
    sparsek.yield_adjoint %score, %gate, %visible, %ds : tensor<f32>
    ```
  }];
  let arguments = (ins SparseK_ScoreScalar:$score, SparseK_ScoreScalar:$gate, SparseK_BoolScalar:$visible,
                       SparseK_ScoreScalar:$ds);
  let assemblyFormat = "$score `,` $gate `,` $visible `,` $ds attr-dict `:` type($score)";
}

#endif // SPARSEK_VARIANT_OPS
