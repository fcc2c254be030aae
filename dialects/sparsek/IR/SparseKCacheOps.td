//===- SparseKCacheOps.td - Generation: caches of selected keys -----------===//

#ifndef SPARSEK_CACHE_OPS
#define SPARSEK_CACHE_OPS

def SparseK_AppendOp : SparseK_Op<"append"> {
  let summary = "Attention of further tokens over a cache, and the cache with them";
  let description = [{
    A cache holds for each row b of a batch what the queries of later tokens need, of any number of tokens seen:

    | operand | type | holds |
    |---|---|---|
    | `keys`, `values` | `[B, H, topk + window, E]`, `[.., V]` | slot s < topk: a selected key, in no order; slot `topk + p mod window`: the key at position p of the window |
    | `score`, `key` | `[B, H, topk + window]` | the score and the position of the key in a slot |
    | `live` | `[B, H, C]` | the scores of all candidates above tau, descending; 0 after them |
    | `count` | `i32[B, H]` | how many those are |
    | `hi`, `lo` | `[B, H]` | tau of the last query, hi = -inf up to topk candidates, NaN for ever once a NaN is a candidate |
    | `position` | `i32[B]` | how many tokens the row has seen; at 0 the row is empty, whatever else it holds |
    | `scale`, `gate`, `estimator` | `f64[B]`, `i32[B]`, `i32[B]` | the options of `sparsek.attention`, enumerations by number |

    Of the T tokens of a row the last `lengths_b` are appended (0 to T); the others are padding: they are not read and their
    o is 0. A token at position p attends as query p of `sparsek.attention` does over all the tokens that its row has
    seen:

        candidates j <= p - window join in order: live := {u_j : (u_j - hi) - lo > 0}, tau solves sum clip(u - tau, 0, 1) = topk
        o_p = sum_j softmax_j(scale gk_pj (q_p . k_j)) gv_pj v_j   over the window and the topk largest candidates

    tau never decreases and a key that leaves the selection never returns, so what is dropped is not needed again. It is
    an error at run time if more than C scores of a row are live.

    ```mlir
    %o, %k1, %v1, %s1, %j1, %l1, %n1, %h1, %r1, %p1 = sparsek.append %q, %k, %v, %u, %lengths
        onto (%keys, %values, %score, %key, %live, %count, %hi, %lo, %position, %scale, %gate, %estimator)
        topk 32 window 16
        : (tensor<1x4x1x16xf32>, tensor<1x2x1x16xf32>, tensor<1x2x1x16xf32>, tensor<1x2x1xf32>, tensor<1xi32>,
           tensor<1x2x48x16xf32>, tensor<1x2x48x16xf32>, tensor<1x2x48xf32>, tensor<1x2x48xi32>, tensor<1x2x4096xf32>,
           tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>, tensor<1xf64>, tensor<1xi32>, tensor<1xi32>)
        -> (tensor<1x4x1x16xf32>, tensor<1x2x48x16xf32>, tensor<1x2x48x16xf32>, tensor<1x2x48xf32>, tensor<1x2x48xi32>,
            tensor<1x2x4096xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>)
    ```
  }];
  let arguments = (ins SparseK_FloatTensor:$q, SparseK_FloatTensor:$k, SparseK_FloatTensor:$v, SparseK_ScoreTensor:$u,
                       SparseK_CountTensor:$lengths, SparseK_FloatTensor:$keys, SparseK_FloatTensor:$values,
                       SparseK_ScoreTensor:$score, SparseK_CountTensor:$key, SparseK_ScoreTensor:$live,
                       SparseK_CountTensor:$count, SparseK_ScoreTensor:$hi, SparseK_ScoreTensor:$lo,
                       SparseK_CountTensor:$position, RankedTensorOf<[F64]>:$scale, SparseK_CountTensor:$gate,
                       SparseK_CountTensor:$estimator, I64Attr:$topk, I64Attr:$window);
  let results = (outs SparseK_FloatTensor:$o, SparseK_FloatTensor:$newKeys, SparseK_FloatTensor:$newValues,
                      SparseK_ScoreTensor:$newScore, SparseK_CountTensor:$newKey, SparseK_ScoreTensor:$newLive,
                      SparseK_CountTensor:$newCount, SparseK_ScoreTensor:$newHi, SparseK_ScoreTensor:$newLo,
                      SparseK_CountTensor:$newPosition);
  let assemblyFormat = [{
    $q `,` $k `,` $v `,` $u `,` $lengths `onto` `(` $keys `,` $values `,` $score `,` $key `,` $live `,` $count `,` $hi `,`
    $lo `,` $position `,` $scale `,` $gate `,` $estimator `)` `topk` $topk `window` $window attr-dict `:`
    functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    /// The operands that make up the cache and change, in the order of the results after o.
    static constexpr unsigned firstState = 5, stateCount = 9;
    mlir::OperandRange getState() { return getOperands().slice(firstState, stateCount); }
  }];
}

def SparseK_FillCacheOp : SparseK_Op<"fill_cache"> {
  let summary = "The cache that holds a prompt";
  let description = [{
    What appending the last `lengths_b` of N tokens to an empty cache of `capacity` scores gives, all at once: the slots, live
    scores, tau and position that `sparsek.append` describes. Slots without a key hold 0.

    ```mlir
    %k1, %v1, %s1, %j1, %l1, %n1, %h1, %r1, %p1 = sparsek.fill_cache %k, %v, %u, %lengths topk 32 window 16 capacity 4096
        : (tensor<1x2x96x16xf32>, tensor<1x2x96x16xf32>, tensor<1x2x96xf32>, tensor<1xi32>)
        -> (tensor<1x2x48x16xf32>, tensor<1x2x48x16xf32>, tensor<1x2x48xf32>, tensor<1x2x48xi32>,
            tensor<1x2x4096xf32>, tensor<1x2xi32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xi32>)
    ```
  }];
  let arguments = (ins SparseK_FloatTensor:$k, SparseK_FloatTensor:$v, SparseK_ScoreTensor:$u,
                       SparseK_CountTensor:$lengths, I64Attr:$topk, I64Attr:$window, I64Attr:$capacity);
  let results = (outs SparseK_FloatTensor:$keys, SparseK_FloatTensor:$values, SparseK_ScoreTensor:$score,
                      SparseK_CountTensor:$key, SparseK_ScoreTensor:$live, SparseK_CountTensor:$count,
                      SparseK_ScoreTensor:$hi, SparseK_ScoreTensor:$lo, SparseK_CountTensor:$position);
  let assemblyFormat = [{
    $k `,` $v `,` $u `,` $lengths `topk` $topk `window` $window `capacity` $capacity attr-dict `:`
    functional-type(operands, results)
  }];
}

#endif // SPARSEK_CACHE_OPS
