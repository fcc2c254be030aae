//===- Passes.td - Passes over sparsek operations -------------------------===//

#ifndef SPARSEK_PASSES
#define SPARSEK_PASSES

include "mlir/Pass/PassBase.td"

def SparseKDecompose : Pass<"sparsek-decompose"> {
  let summary = "Replace sparsek operations by dense heddle operations";
  let description = [{
    Attention and its backward pass become masked products over all pairs of positions; the operations of thresholds
    become sums over all pairs. For comparison at small sizes, and as the base of derivatives that have no fused form:
    every heddle operation has a derivative. `sparsek.threshold` itself stays, under heddle.stop_gradient, to say which
    keys are selected; its thresholds are given a derivative by `tau = stop(tau) + (sum over S of u - stop(u)) / |S|`, which
    changes no bit of them. `sparsek.project` stays. The block of a variant becomes the same
    operations on all pairs, and its reads gathers.

    ```mlir
    %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 4 window 2 scale 0.25 gate both estimator soft : ...
    ==>
    %a = heddle.einsum "bhgie,bhje->bhgij" %q5, %k : ...
    ...
    %o = heddle.einsum "bhgij,bhjf->bhgif" %p, %v : ...
    ```
  }];
  let dependentDialects = ["::heddle::ir::HeddleDialect"];
}

#endif // SPARSEK_PASSES
