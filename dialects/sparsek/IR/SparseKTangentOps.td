//===- SparseKTangentOps.td - Forward mode of thresholds and attention ------===//
//
// Part of SparseKOps.td. Linear like the operations themselves: no pass over all pairs of positions.
//
//===----------------------------------------------------------------------===//

def SparseK_ThresholdTangentOp : SparseK_Op<"threshold_tangent"> {
  let summary = "Tangent of the thresholds from that of the scores";
  let description = [{
    `dtau_i` = the mean of `du_j` over `S_i`, 0 where it is empty. The queries with j in S_i are one run, so the sums are
    prefix sums of `du_j` added where the run begins and subtracted where it ends (in double, in an order that depends on
    N alone, per row). The transpose of sparsek.threshold_backward, over the same runs; `bounds` as there.

    ```mlir
    %dtau = sparsek.threshold_tangent %u, %hi, %lo, %count, %du window 16
        : tensor<1x2x96xf32>, tensor<1x2x96xf32>, tensor<1x2x96xf32>, tensor<1x2x96xi32>, tensor<1x2x96xf32>
        -> tensor<1x2x96xf32>
    ```
  }];
  let arguments = (ins SparseK_ScoreTensor:$u, SparseK_ScoreTensor:$hi, SparseK_ScoreTensor:$lo,
                       SparseK_CountTensor:$count, SparseK_ScoreTensor:$du, Optional<SparseK_CountTensor>:$bounds,
                       I64Attr:$window);
  let results = (outs SparseK_ScoreTensor:$dtau);
  let assemblyFormat = [{
    $u `,` $hi `,` $lo `,` $count `,` $du (`,` `bounds` $bounds^)? `window` $window attr-dict `:` type($u) `,` type($hi) `,`
    type($lo) `,` type($count) `,` type($du) (`,` type($bounds)^)? `->` type($dtau)
  }];
}

def SparseK_AttentionTangentOp : SparseK_Op<"attention_tangent", [AttrSizedOperandSegments]> {
  let summary = "Tangents of sparsek.attention's results";
  let description = [{
    With `dq`, `dk`, `dv`, `du`, `dtau` the tangents of q, k, v, u and of the thresholds (0 where they are left out),
    `a_ij = q_i . k_j`, `p_ij = exp(s_ij - lse_i)`, and the gates of sparsek.attention:

        dg_ij = du_j - dtau_i                                   for selected pairs with 0 < g < 1, else 0
        ds_ij = scale ([gate both] dg a + gk (dq_i . k_j + q_i . dk_j))
        dlse_i = sum_j p ds
        do_i = sum_j p ((ds gv + [gate both or value] dg) v_j + gv dv_j) - dlse_i o_i

    One pass over the keys that the query attends to; the transpose of sparsek.attention_backward. `bounds` as in
    sparsek.attention.

    ```mlir
    %do, %dlse = sparsek.attention_tangent %q, %k, %v, %u, %hi, %lo, %end, %o, %lse dq %dq du %du dtau %dtau
        topk 32 window 16 scale 0.25 gate both estimator soft
        : (tensor<1x4x96x16xf32>, tensor<1x2x96x16xf32>, tensor<1x2x96x16xf32>, tensor<1x2x96xf32>, tensor<1x2x96xf32>,
           tensor<1x2x96xf32>, tensor<1x2x96xi32>, tensor<1x4x96x16xf32>, tensor<1x4x96xf32>, tensor<1x4x96x16xf32>,
           tensor<1x2x96xf32>, tensor<1x2x96xf32>) -> (tensor<1x4x96x16xf32>, tensor<1x4x96xf32>)
    ```
  }];
  let arguments = (ins SparseK_FloatTensor:$q, SparseK_FloatTensor:$k, SparseK_FloatTensor:$v, SparseK_ScoreTensor:$u,
                       SparseK_ScoreTensor:$hi, SparseK_ScoreTensor:$lo, SparseK_CountTensor:$end, SparseK_FloatTensor:$o,
                       SparseK_ScoreTensor:$lse, Optional<SparseK_FloatTensor>:$dq, Optional<SparseK_FloatTensor>:$dk,
                       Optional<SparseK_FloatTensor>:$dv, Optional<SparseK_ScoreTensor>:$du,
                       Optional<SparseK_ScoreTensor>:$dtau, Optional<SparseK_CountTensor>:$bounds, I64Attr:$topk,
                       I64Attr:$window, F64Attr:$scale, SparseK_GateAttr:$gate, SparseK_EstimatorAttr:$estimator);
  let results = (outs SparseK_FloatTensor:$dout, SparseK_ScoreTensor:$dlse);
  let assemblyFormat = [{
    $q `,` $k `,` $v `,` $u `,` $hi `,` $lo `,` $end `,` $o `,` $lse (`dq` $dq^)? (`dk` $dk^)? (`dv` $dv^)?
    (`du` $du^)? (`dtau` $dtau^)? (`,` `bounds` $bounds^)? `topk` $topk `window` $window `scale` $scale
    `gate` $gate `estimator` $estimator attr-dict `:` functional-type(operands, results)
  }];
}
