// RUN: heddle-interp %s
// RUN: heddle-interp --precision f64 %s

// topk 2, window 1, as in sparsek-threshold.mlir: S_3 = {0, 1, 2}, S_4 = {0, 1, 2} (3 is saturated), S_5 is empty (a gap).
func.func @means_of_the_support() {
  %u = heddle.constant dense<[[[1.0, 0.5, 0.75, 2.0, 4.0, 0.0]]]> : tensor<1x1x6xf32>
  %hi, %lo, %count, %end = sparsek.threshold %u topk 2 window 1
      : tensor<1x1x6xf32> -> tensor<1x1x6xf32>, tensor<1x1x6xf32>, tensor<1x1x6xi32>, tensor<1x1x6xi32>
  %du = heddle.constant dense<[[[3.0, 9.0, 12.0, 100.0, 1000.0, 10000.0]]]> : tensor<1x1x6xf32>
  %dtau = sparsek.threshold_tangent %u, %hi, %lo, %count, %du window 1
      : tensor<1x1x6xf32>, tensor<1x1x6xf32>, tensor<1x1x6xf32>, tensor<1x1x6xi32>, tensor<1x1x6xf32> -> tensor<1x1x6xf32>
  %t = heddle.constant dense<[[[0.0, 0.0, 0.0, 8.0, 8.0, 0.0]]]> : tensor<1x1x6xf32>
  check.expect_close %dtau, %t {rtol = 1.0e-6} : tensor<1x1x6xf32>
  return
}

// topk 1, window 1, as in sparsek-attention.mlir: query 2 takes key 0 with gate 3/4 and itself, with p = (3/4, 1/4) and
// o = 2.75; its support is {0, 1}. With du = (1, 0, 0) the threshold moves by 1/2 and the gate of key 0 by 1/2, so
// ds = 1/2 4/3 ln 3, dlse = 3/4 ds = 1/2 ln 3, and do = 3/4 (ds 3/4 + 1/2) 4 - dlse o = (3/2 - 11/8) ln 3 + 3/2.
func.func @gates() {
  %q = heddle.constant dense<1.0> : tensor<1x1x3x1xf32>
  %k = heddle.constant dense<[[[[1.46481638], [0.0], [0.0]]]]> : tensor<1x1x3x1xf32>
  %v = heddle.constant dense<[[[[4.0], [8.0], [2.0]]]]> : tensor<1x1x3x1xf32>
  %u = heddle.constant dense<[[[0.5, 0.0, 9.0]]]> : tensor<1x1x3xf32>
  %du = heddle.constant dense<[[[1.0, 0.0, 0.0]]]> : tensor<1x1x3xf32>
  %hi, %lo, %count, %end = sparsek.threshold %u topk 1 window 1
      : tensor<1x1x3xf32> -> tensor<1x1x3xf32>, tensor<1x1x3xf32>, tensor<1x1x3xi32>, tensor<1x1x3xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 1 window 1 scale 1.0 gate both estimator soft
      : (tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x3xf32>, tensor<1x1x3xf32>,
         tensor<1x1x3xf32>, tensor<1x1x3xi32>) -> (tensor<1x1x3x1xf32>, tensor<1x1x3xf32>)
  %dtau = sparsek.threshold_tangent %u, %hi, %lo, %count, %du window 1
      : tensor<1x1x3xf32>, tensor<1x1x3xf32>, tensor<1x1x3xf32>, tensor<1x1x3xi32>, tensor<1x1x3xf32> -> tensor<1x1x3xf32>
  %do, %dlse = sparsek.attention_tangent %q, %k, %v, %u, %hi, %lo, %end, %o, %lse du %du dtau %dtau
      topk 1 window 1 scale 1.0 gate both estimator soft
      : (tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x3xf32>, tensor<1x1x3xf32>,
         tensor<1x1x3xf32>, tensor<1x1x3xi32>, tensor<1x1x3x1xf32>, tensor<1x1x3xf32>, tensor<1x1x3xf32>, tensor<1x1x3xf32>)
      -> (tensor<1x1x3x1xf32>, tensor<1x1x3xf32>)
  %o1 = heddle.constant dense<[[[[0.0], [0.0], [1.63732654]]]]> : tensor<1x1x3x1xf32>
  check.expect_close %do, %o1 {rtol = 1.0e-6} : tensor<1x1x3x1xf32>
  %l1 = heddle.constant dense<[[[0.0, 0.0, 0.549306144]]]> : tensor<1x1x3xf32>
  check.expect_close %dlse, %l1 {rtol = 1.0e-6} : tensor<1x1x3xf32>
  return
}
