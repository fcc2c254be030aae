//===- SparseKOps.td - Learned selection and sparse attention -------------===//

#ifndef SPARSEK_OPS
#define SPARSEK_OPS

include "mlir/IR/OpBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def SparseK_Dialect : Dialect {
  let name = "sparsek";
  let cppNamespace = "::heddle::sparsek";
  let summary = "Differentiable selection of k keys and attention over them";
  let description = [{
    SPARSEK (arXiv 2406.16747): the projection of scores onto `{p : 0 <= p <= 1, sum p = k}`, its causal form along a
    sequence, and attention over the selected keys and a window. Shapes: B batches, Hq query heads, H key-value heads
    with H dividing Hq (query head h reads key-value head h / (Hq / H)), N positions, E the width of q and k, V that of v.
    A threshold is a pair, tau = hi + lo, since one f32 does not separate scores of large magnitude; its derivative is
    carried by `hi` alone. Packed batches hold several sequences along the positions: `sparsek.segments` gives the bounds
    of every position's sequence, and operations that take `bounds` act on each sequence by itself.
  }];
  let useDefaultAttributePrinterParser = 1;
}

def SparseK_FloatTensor : RankedTensorOf<[F64, F32, BF16, F16]>;
def SparseK_ScoreTensor : RankedTensorOf<[F64, F32]>;
def SparseK_CountTensor : RankedTensorOf<[I32]>;

class SparseK_Op<string mnemonic, list<Trait> traits = []>
    : Op<SparseK_Dialect, mnemonic, !listconcat([Pure, InferTypeOpAdaptor], traits)>;
class SparseK_Enum<string name, string summary, list<I32EnumAttrCase> cases> : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::heddle::sparsek";
  let genSpecializedAttr = 0;
}

def SparseK_Gate : SparseK_Enum<"Gate", "what the soft gate multiplies", [
    I32EnumAttrCase<"both", 0>, I32EnumAttrCase<"value", 1>, I32EnumAttrCase<"none", 2>]>;
def SparseK_GateAttr : EnumAttr<SparseK_Dialect, SparseK_Gate, "gate">;
def SparseK_Estimator : SparseK_Enum<"Estimator", "how the gate enters the forward pass", [
    I32EnumAttrCase<"soft", 0>, I32EnumAttrCase<"straight_through", 1>]>;
def SparseK_EstimatorAttr : EnumAttr<SparseK_Dialect, SparseK_Estimator, "estimator">;

def SparseK_ProjectOp : SparseK_Op<"project"> {
  let summary = "Projection onto the k-subset polytope along the last axis";
  let description = [{
    `p = argmin ||p - z||^2` over `{p : 0 <= p <= 1, sum p = k}`, that is `p_j = clip(z_j - tau, 0, 1)` with tau such
    that the sum is k. All ones where the axis has at most k elements. A NaN makes its row NaN; infinities act as the
    largest f32. With S the elements strictly between 0 and 1: `zbar_j = pbar_j - mean_S(pbar)` on S, 0 elsewhere;
    `kbar = sum_S(pbar) / |S|`. k <= 0 is an error at run time.

    ```mlir
    %p = sparsek.project %z, %k : tensor<4x16xf32>, tensor<f32> -> tensor<4x16xf32>
    ```
  }];
  let arguments = (ins SparseK_FloatTensor:$z, 0DTensorOf<[F32, F64]>:$k);
  let results = (outs SparseK_FloatTensor:$p);
  let assemblyFormat = "$z `,` $k attr-dict `:` type($z) `,` type($k) `->` type($p)";
}

def SparseK_SegmentsOp : SparseK_Op<"segments"> {
  let summary = "Bounds of the packed sequence of every position";
  let description = [{
    Sequence s of a packed batch holds the positions `offsets_s <= i < offsets_(s+1)`; the offsets ascend (equal neighbours are
    an empty sequence) from 0 to `length`, which is an error at run time otherwise. For i in sequence s

        bounds[0, i] = offsets_s,  bounds[1, i] = offsets_(s+1)

    ```mlir
    %bounds = sparsek.segments %offsets length 96 : tensor<4xi32> -> tensor<2x96xi32>
    ```
  }];
  let arguments = (ins RankedTensorOf<[I32]>:$offsets, I64Attr:$length);
  let results = (outs SparseK_CountTensor:$bounds);
  let assemblyFormat = "$offsets `length` $length attr-dict `:` type($offsets) `->` type($bounds)";
}

def SparseK_ThresholdOp : SparseK_Op<"threshold"> {
  let summary = "Thresholds, support sizes and selection intervals of causal SPARSEK";
  let description = [{
    For query i the candidates are the keys `j <= i - window`. `tau_i = hi_i + lo_i` solves
    `sum_j clip(u_j - tau_i, 0, 1) = topk` over them, -inf where there are at most topk; `count_i` is the size of
    `S_i = {j : 0 < u_j - tau_i < 1}` over all candidates (0 where tau is -inf). Key j is attended by the queries
    `j <= i < end_j`: `end_j` is the first query at or after j + window (j itself for window 0, N at most) whose topk
    largest candidates no longer hold j; equal scores keep the earlier key. tau never decreases with i.
    `dtau_i / du_j = 1 / |S_i|` for j in S_i. With `bounds` the candidates are `bounds[0, i] <= j <= i - window`, and end_j is
    at most `bounds[1, j]`, in place of N.

    ```mlir
    %hi, %lo, %count, %end = sparsek.threshold %u topk 32 window 16
        : tensor<1x2x96xf32> -> tensor<1x2x96xf32>, tensor<1x2x96xf32>, tensor<1x2x96xi32>, tensor<1x2x96xi32>
    %hp, %lp, %countp, %endp = sparsek.threshold %u, bounds %bounds topk 32 window 16 : tensor<1x2x96xf32>, tensor<2x96xi32>
        -> tensor<1x2x96xf32>, tensor<1x2x96xf32>, tensor<1x2x96xi32>, tensor<1x2x96xi32>
    ```
  }];
  let arguments = (ins SparseK_ScoreTensor:$u, Optional<SparseK_CountTensor>:$bounds, I64Attr:$topk, I64Attr:$window);
  let results = (outs SparseK_ScoreTensor:$hi, SparseK_ScoreTensor:$lo, SparseK_CountTensor:$count,
                      SparseK_CountTensor:$end);
  let assemblyFormat = [{
    $u (`,` `bounds` $bounds^)? `topk` $topk `window` $window attr-dict `:` type($u) (`,` type($bounds)^)? `->` type($hi) `,`
    type($lo) `,` type($count) `,` type($end)
  }];
}

def SparseK_ThresholdBackwardOp : SparseK_Op<"threshold_backward"> {
  let summary = "Cotangent of the scores from that of the thresholds";
  let description = [{
    `ubar_j = sum over the queries i >= j + window with j in S_i of taubar_i / |S_i|`: those queries are one run, found by binary
    search on tau, so the sum is a difference of prefix sums (in double, in an order that depends on N alone, per row). With
    `bounds`, as given to the threshold, the queries and the prefix sums are those of j's sequence.

    ```mlir
    %du = sparsek.threshold_backward %u, %hi, %lo, %count, %dtau window 16
        : tensor<1x2x96xf32>, tensor<1x2x96xf32>, tensor<1x2x96xf32>, tensor<1x2x96xi32>, tensor<1x2x96xf32>
        -> tensor<1x2x96xf32>
    ```
  }];
  let arguments = (ins SparseK_ScoreTensor:$u, SparseK_ScoreTensor:$hi, SparseK_ScoreTensor:$lo,
                       SparseK_CountTensor:$count, SparseK_ScoreTensor:$dtau, Optional<SparseK_CountTensor>:$bounds,
                       I64Attr:$window);
  let results = (outs SparseK_ScoreTensor:$du);
  let assemblyFormat = [{
    $u `,` $hi `,` $lo `,` $count `,` $dtau (`,` `bounds` $bounds^)? `window` $window attr-dict `:` type($u) `,` type($hi) `,`
    type($lo) `,` type($count) `,` type($dtau) (`,` type($bounds)^)? `->` type($du)
  }];
}

def SparseK_AttentionOp : SparseK_Op<"attention"> {
  let summary = "Causal attention over selected keys and a window";
  let description = [{
    Query i attends to the window `i - window < j <= i` with gate 1 and to the keys `j <= i - window` with `i < end_j`
    (none where topk is 0) with gate `g_ij = clip((u_j - hi_i) - lo_i, 0, 1)`, 1 where hi is -inf:

        s_ij = scale gk_ij (q_i . k_j),  p_i = softmax(s_i),  o_i = sum_j p_ij gv_ij v_j,  lse_i = log sum_j exp(s_ij)

    `gate` both: gk = gv = g; value: gk = 1; none: both 1. `straight_through`: both 1 in the forward pass, and the soft
    gate only routes the derivative. A query that attends to nothing gives o = 0 and lse = -inf. Accumulated in f32 at
    least. With `topk = 0` the scores and thresholds are not read. The window of N or more is plain causal attention. With
    `bounds` only keys `j >= bounds[0, i]` take part; `end` is that of the threshold with the same bounds.

    ```mlir
    %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 32 window 16 scale 0.25 gate both estimator soft
        : (tensor<1x4x96x16xf32>, tensor<1x2x96x16xf32>, tensor<1x2x96x16xf32>, tensor<1x2x96xf32>, tensor<1x2x96xf32>,
           tensor<1x2x96xf32>, tensor<1x2x96xi32>) -> (tensor<1x4x96x16xf32>, tensor<1x4x96xf32>)
    %op, %lsep = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end, bounds %bounds
        topk 32 window 16 scale 0.25 gate both estimator soft
        : (tensor<1x4x96x16xf32>, tensor<1x2x96x16xf32>, tensor<1x2x96x16xf32>, tensor<1x2x96xf32>, tensor<1x2x96xf32>,
           tensor<1x2x96xf32>, tensor<1x2x96xi32>, tensor<2x96xi32>) -> (tensor<1x4x96x16xf32>, tensor<1x4x96xf32>)
    ```
  }];
  let arguments = (ins SparseK_FloatTensor:$q, SparseK_FloatTensor:$k, SparseK_FloatTensor:$v, SparseK_ScoreTensor:$u,
                       SparseK_ScoreTensor:$hi, SparseK_ScoreTensor:$lo, SparseK_CountTensor:$end,
                       Optional<SparseK_CountTensor>:$bounds, I64Attr:$topk, I64Attr:$window, F64Attr:$scale,
                       SparseK_GateAttr:$gate, SparseK_EstimatorAttr:$estimator);
  let results = (outs SparseK_FloatTensor:$o, SparseK_ScoreTensor:$lse);
  let assemblyFormat = [{
    $q `,` $k `,` $v `,` $u `,` $hi `,` $lo `,` $end (`,` `bounds` $bounds^)? `topk` $topk `window` $window
    `scale` $scale `gate` $gate `estimator` $estimator attr-dict `:` functional-type(operands, results)
  }];
}

def SparseK_AttentionBackwardOp : SparseK_Op<"attention_backward", [AttrSizedOperandSegments]> {
  let summary = "Cotangents of sparsek.attention's operands";
  let description = [{
    With `do` the cotangent of o and `dlse` that of lse (0 where it is left out), `D_i = do_i . o_i - dlse_i`,
    `e_ij = do_i . v_j`, `p_ij = exp(s_ij - lse_i)`:

        sbar = p (gv e - D),  dq_i = scale sum_j sbar gk k_j,  dk_j = scale sum_i sbar gk q_i,  dv_j = sum_i p gv do_i
        gbar = [gate both] scale sbar (q.k) + [gate both or value] p e   for selected pairs with 0 < g < 1
        du_j = sum_i gbar_ij,  dtau_i = -sum_j gbar_ij                    summed over the query heads of the group

    dk, dv and du sum over the query heads of a key-value head; dtau is [B, H, N].

    ```mlir
    %dq, %dk, %dv, %du, %dtau = sparsek.attention_backward %q, %k, %v, %u, %hi, %lo, %end, %o, %lse, %do
        topk 32 window 16 scale 0.25 gate both estimator soft
        : (tensor<1x4x96x16xf32>, tensor<1x2x96x16xf32>, tensor<1x2x96x16xf32>, tensor<1x2x96xf32>, tensor<1x2x96xf32>,
           tensor<1x2x96xf32>, tensor<1x2x96xi32>, tensor<1x4x96x16xf32>, tensor<1x4x96xf32>, tensor<1x4x96x16xf32>)
        -> (tensor<1x4x96x16xf32>, tensor<1x2x96x16xf32>, tensor<1x2x96x16xf32>, tensor<1x2x96xf32>, tensor<1x2x96xf32>)
    ```
  }];
  let arguments = (ins SparseK_FloatTensor:$q, SparseK_FloatTensor:$k, SparseK_FloatTensor:$v, SparseK_ScoreTensor:$u,
                       SparseK_ScoreTensor:$hi, SparseK_ScoreTensor:$lo, SparseK_CountTensor:$end, SparseK_FloatTensor:$o,
                       SparseK_ScoreTensor:$lse, SparseK_FloatTensor:$dout, Optional<SparseK_ScoreTensor>:$dlse,
                       Optional<SparseK_CountTensor>:$bounds, I64Attr:$topk, I64Attr:$window, F64Attr:$scale,
                       SparseK_GateAttr:$gate, SparseK_EstimatorAttr:$estimator);
  let results = (outs SparseK_FloatTensor:$dq, SparseK_FloatTensor:$dk, SparseK_FloatTensor:$dv, SparseK_ScoreTensor:$du,
                      SparseK_ScoreTensor:$dtau);
  let assemblyFormat = [{
    $q `,` $k `,` $v `,` $u `,` $hi `,` $lo `,` $end `,` $o `,` $lse `,` $dout (`dlse` $dlse^)?
    (`,` `bounds` $bounds^)? `topk` $topk `window` $window `scale` $scale `gate` $gate `estimator` $estimator attr-dict
    `:` functional-type(operands, results)
  }];
}

include "dialects/sparsek/IR/SparseKTangentOps.td"
include "dialects/sparsek/IR/SparseKVariantOps.td"
include "dialects/sparsek/IR/SparseKCacheOps.td"

#endif // SPARSEK_OPS
