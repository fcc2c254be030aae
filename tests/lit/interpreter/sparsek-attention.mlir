// RUN: heddle-interp %s
// RUN: heddle-interp --precision f64 %s

// topk 1, window 1. Query 2 has the candidates {0.5, 0}: tau = -0.25, so it takes key 0 with gate 0.75 and itself.
// With k_0 = 4/3 ln 3 and gate both, s = (ln 3, 0), p = (3/4, 1/4) and o = 3/4 3/4 4 + 1/4 2 = 2.75.
func.func @gates() {
  %q = heddle.constant dense<1.0> : tensor<1x1x3x1xf32>
  %k = heddle.constant dense<[[[[1.46481638], [0.0], [0.0]]]]> : tensor<1x1x3x1xf32>
  %v = heddle.constant dense<[[[[4.0], [8.0], [2.0]]]]> : tensor<1x1x3x1xf32>
  %u = heddle.constant dense<[[[0.5, 0.0, 9.0]]]> : tensor<1x1x3xf32>
  %hi, %lo, %count, %end = sparsek.threshold %u topk 1 window 1
      : tensor<1x1x3xf32> -> tensor<1x1x3xf32>, tensor<1x1x3xf32>, tensor<1x1x3xi32>, tensor<1x1x3xi32>
  %both, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 1 window 1 scale 1.0 gate both estimator soft
      : (tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x3xf32>, tensor<1x1x3xf32>,
         tensor<1x1x3xf32>, tensor<1x1x3xi32>) -> (tensor<1x1x3x1xf32>, tensor<1x1x3xf32>)
  // Query 1 has one candidate, so its gate is 1: p_0 = 1 / (1 + 3^(-4/3)).
  %o = heddle.constant dense<[[[[4.0], [4.75092711], [2.75]]]]> : tensor<1x1x3x1xf32>
  check.expect_close %both, %o {rtol = 1.0e-6} : tensor<1x1x3x1xf32>
  %l = heddle.constant dense<[[[1.46481638, 1.67274105, 1.38629436]]]> : tensor<1x1x3xf32>
  check.expect_close %lse, %l {rtol = 1.0e-6} : tensor<1x1x3xf32>
  // Gate value: s = (4/3 ln 3, 0), so o = 0.81226822 3 + 0.18773178 2.
  %value, %lse1 = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 1 window 1 scale 1.0 gate value estimator soft
      : (tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x3xf32>, tensor<1x1x3xf32>,
         tensor<1x1x3xf32>, tensor<1x1x3xi32>) -> (tensor<1x1x3x1xf32>, tensor<1x1x3xf32>)
  %o1 = heddle.constant dense<[[[[4.0], [4.75092711], [2.81226822]]]]> : tensor<1x1x3x1xf32>
  check.expect_close %value, %o1 {rtol = 1.0e-6} : tensor<1x1x3x1xf32>
  // Gate none and the straight-through estimator: o = 0.81226822 4 + 0.18773178 2.
  %none, %lse2 = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 1 window 1 scale 1.0 gate none estimator soft
      : (tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x3xf32>, tensor<1x1x3xf32>,
         tensor<1x1x3xf32>, tensor<1x1x3xi32>) -> (tensor<1x1x3x1xf32>, tensor<1x1x3xf32>)
  %o2 = heddle.constant dense<[[[[4.0], [4.75092711], [3.62453645]]]]> : tensor<1x1x3x1xf32>
  check.expect_close %none, %o2 {rtol = 1.0e-6} : tensor<1x1x3x1xf32>
  %hard, %lse3 = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end
      topk 1 window 1 scale 1.0 gate both estimator straight_through
      : (tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x3xf32>, tensor<1x1x3xf32>,
         tensor<1x1x3xf32>, tensor<1x1x3xi32>) -> (tensor<1x1x3x1xf32>, tensor<1x1x3xf32>)
  check.expect_close %hard, %o2 {rtol = 1.0e-6} : tensor<1x1x3x1xf32>
  return
}

// A NaN among the scores makes the queries from its own position plus the window on NaN, whatever the gate; with
// topk 0 scores are not read.
func.func @not_a_number() {
  %q = heddle.constant dense<0.0> : tensor<1x1x4x1xf32>
  %v = heddle.constant dense<[[[[2.0], [4.0], [6.0], [8.0]]]]> : tensor<1x1x4x1xf32>
  %u = heddle.constant dense<[[[0.0, 0x7FC00000, 0.0, 0.0]]]> : tensor<1x1x4xf32>
  %hi, %lo, %count, %end = sparsek.threshold %u topk 8 window 1
      : tensor<1x1x4xf32> -> tensor<1x1x4xf32>, tensor<1x1x4xf32>, tensor<1x1x4xi32>, tensor<1x1x4xi32>
  %o, %lse = sparsek.attention %q, %q, %v, %u, %hi, %lo, %end topk 8 window 1 scale 1.0 gate none estimator soft
      : (tensor<1x1x4x1xf32>, tensor<1x1x4x1xf32>, tensor<1x1x4x1xf32>, tensor<1x1x4xf32>, tensor<1x1x4xf32>,
         tensor<1x1x4xf32>, tensor<1x1x4xi32>) -> (tensor<1x1x4x1xf32>, tensor<1x1x4xf32>)
  %expected = heddle.constant dense<[[[[2.0], [3.0], [0x7FC00000], [0x7FC00000]]]]> : tensor<1x1x4x1xf32>
  check.expect_eq %o, %expected : tensor<1x1x4x1xf32>
  %l = heddle.constant dense<[[[0.0, 0.693147181, 0x7FC00000, 0x7FC00000]]]> : tensor<1x1x4xf32>
  check.expect_close %lse, %l {rtol = 1.0e-7} : tensor<1x1x4xf32>
  %p, %lse1 = sparsek.attention %q, %q, %v, %u, %u, %u, %end topk 0 window 1 scale 1.0 gate both estimator soft
      : (tensor<1x1x4x1xf32>, tensor<1x1x4x1xf32>, tensor<1x1x4x1xf32>, tensor<1x1x4xf32>, tensor<1x1x4xf32>,
         tensor<1x1x4xf32>, tensor<1x1x4xi32>) -> (tensor<1x1x4x1xf32>, tensor<1x1x4xf32>)
  check.expect_eq %p, %v : tensor<1x1x4x1xf32>
  return
}

// A score of -inf within the budget has gate 1.
func.func @lowest_score() {
  %q = heddle.constant dense<0.0> : tensor<1x1x2x1xf32>
  %v = heddle.constant dense<[[[[2.0], [4.0]]]]> : tensor<1x1x2x1xf32>
  %u = heddle.constant dense<0xFF800000> : tensor<1x1x2xf32>
  %hi, %lo, %count, %end = sparsek.threshold %u topk 2 window 0
      : tensor<1x1x2xf32> -> tensor<1x1x2xf32>, tensor<1x1x2xf32>, tensor<1x1x2xi32>, tensor<1x1x2xi32>
  %o, %lse = sparsek.attention %q, %q, %v, %u, %hi, %lo, %end topk 2 window 0 scale 1.0 gate both estimator soft
      : (tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>, tensor<1x1x2xf32>, tensor<1x1x2xf32>,
         tensor<1x1x2xf32>, tensor<1x1x2xi32>) -> (tensor<1x1x2x1xf32>, tensor<1x1x2xf32>)
  %expected = heddle.constant dense<[[[[2.0], [3.0]]]]> : tensor<1x1x2x1xf32>
  check.expect_eq %o, %expected : tensor<1x1x2x1xf32>
  return
}

// Ends of 0 leave nothing to attend to: 0, not NaN, and no gradient.
func.func @nothing_attended() {
  %q = heddle.constant dense<1.0> : tensor<1x2x2x1xf32>
  %k = heddle.constant dense<1.0> : tensor<1x1x2x1xf32>
  %u = heddle.constant dense<0.0> : tensor<1x1x2xf32>
  %end = heddle.constant dense<0> : tensor<1x1x2xi32>
  %o, %lse = sparsek.attention %q, %k, %k, %u, %u, %u, %end topk 1 window 0 scale 1.0 gate both estimator soft
      : (tensor<1x2x2x1xf32>, tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>, tensor<1x1x2xf32>, tensor<1x1x2xf32>,
         tensor<1x1x2xf32>, tensor<1x1x2xi32>) -> (tensor<1x2x2x1xf32>, tensor<1x2x2xf32>)
  %zero = heddle.constant dense<0.0> : tensor<1x2x2x1xf32>
  check.expect_eq %o, %zero : tensor<1x2x2x1xf32>
  %lowest = heddle.constant dense<0xFF800000> : tensor<1x2x2xf32>
  check.expect_eq %lse, %lowest : tensor<1x2x2xf32>
  %dq, %dk, %dv, %du, %dtau = sparsek.attention_backward %q, %k, %k, %u, %u, %u, %end, %o, %lse, %q
      topk 1 window 0 scale 1.0 gate both estimator soft
      : (tensor<1x2x2x1xf32>, tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>, tensor<1x1x2xf32>, tensor<1x1x2xf32>,
         tensor<1x1x2xf32>, tensor<1x1x2xi32>, tensor<1x2x2x1xf32>, tensor<1x2x2xf32>, tensor<1x2x2x1xf32>)
      -> (tensor<1x2x2x1xf32>, tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>, tensor<1x1x2xf32>, tensor<1x1x2xf32>)
  check.expect_eq %dq, %zero : tensor<1x2x2x1xf32>
  %none = heddle.constant dense<0.0> : tensor<1x1x2x1xf32>
  check.expect_eq %dk, %none : tensor<1x1x2x1xf32>
  check.expect_eq %dv, %none : tensor<1x1x2x1xf32>
  check.expect_eq %du, %u : tensor<1x1x2xf32>
  check.expect_eq %dtau, %u : tensor<1x1x2xf32>
  return
}

// Two query heads read one key-value head; window 2 and no budget.
func.func @groups() {
  %q = heddle.constant dense<0.0> : tensor<1x2x3x1xbf16>
  %v = heddle.constant dense<[[[[2.0, 1.0], [4.0, 1.0], [8.0, 1.0]]]]> : tensor<1x1x3x2xbf16>
  %k = heddle.constant dense<1.0> : tensor<1x1x3x1xbf16>
  %u = heddle.constant dense<0.0> : tensor<1x1x3xf32>
  %end = heddle.constant dense<3> : tensor<1x1x3xi32>
  %o, %lse = sparsek.attention %q, %k, %v, %u, %u, %u, %end topk 0 window 2 scale 1.0 gate both estimator soft
      : (tensor<1x2x3x1xbf16>, tensor<1x1x3x1xbf16>, tensor<1x1x3x2xbf16>, tensor<1x1x3xf32>, tensor<1x1x3xf32>,
         tensor<1x1x3xf32>, tensor<1x1x3xi32>) -> (tensor<1x2x3x2xbf16>, tensor<1x2x3xf32>)
  %expected = heddle.constant dense<[[[[2.0, 1.0], [3.0, 1.0], [6.0, 1.0]], [[2.0, 1.0], [3.0, 1.0], [6.0, 1.0]]]]>
      : tensor<1x2x3x2xbf16>
  check.expect_eq %o, %expected : tensor<1x2x3x2xbf16>
  return
}
