// RUN: not heddle-interp %s 2>&1 | FileCheck %s --implicit-check-not=error:
// RUN: heddle-opt --sparsek-decompose --mlir-print-debuginfo %s | not heddle-interp - 2>&1 | FileCheck %s --implicit-check-not=error:

// A read outside of a capture is an error where the pair is visible, in the dense form too. Query 0 sees key 0 alone, but
// query 1 sees both.
func.func @outside() {
  %q = heddle.constant dense<1.0> : tensor<1x1x2x1xf32>
  %table = heddle.constant dense<[1.0]> : tensor<1xf32>
  %o, %lse = sparsek.variant_attention %q, %q, %q captures(%table) scale 1.0
      : (tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>, tensor<1xf32>)
      -> (tensor<1x1x2x1xf32>, tensor<1x1x2xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %x: tensor<1xf32>):
    %past = heddle.compare le %j, %i : tensor<i32>
    %d = heddle.sub %i, %j : tensor<i32>
    // CHECK: variant-index.mlir:[[#@LINE+1]]:10: error: index 1 is outside a dimension of 1
    %n = sparsek.read %x[%d] : tensor<1xf32>
    %score = heddle.add %s, %n : tensor<f32>
    sparsek.yield %score, %s, %past : tensor<f32>
  }
  return
}
