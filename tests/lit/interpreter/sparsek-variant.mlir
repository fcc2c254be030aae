// RUN: heddle-interp %s
// RUN: heddle-interp --precision f64 %s
// The dense form computes the same.
// RUN: heddle-opt --sparsek-decompose %s | FileCheck %s --check-prefix=DENSE
// RUN: heddle-opt --sparsek-decompose %s | heddle-interp -

// DENSE-NOT: sparsek.

// Two query heads on one key-value head, three queries, two keys. Pair (i, j) is visible where table[i] >= j, so query 2
// sees nothing. The score is s + bias[h, |i - j|] and the gate 1 / (1 + j).
//   head 0 (bias ln 2, 0): query 0 sees key 0 alone: o = 2, lse = ln 2. Query 1 sees scores (0, ln 2): p = (1/3, 2/3), so
//   o = 1/3 2 + 2/3 1/2 6 = 8/3 and lse = ln 3.
//   head 1 (bias 0, ln 3): query 0: o = 2, lse = 0. Query 1 sees (ln 3, 0): p = (3/4, 1/4), o = 3/2 + 3/4 = 9/4, lse = ln 4.
func.func @forward() {
  %q = heddle.constant dense<0.0> : tensor<1x2x3x1xf32>
  %k = heddle.constant dense<1.0> : tensor<1x1x2x1xf32>
  %v = heddle.constant dense<[[[[2.0], [6.0]]]]> : tensor<1x1x2x1xf32>
  %bias = heddle.constant dense<[[0.693147181, 0.0], [0.0, 1.09861229]]> : tensor<2x2xf32>
  %table = heddle.constant dense<[0, 1, -1]> : tensor<3xi32>
  %o, %lse = sparsek.variant_attention %q, %k, %v captures(%bias, %table) scale 0.5
      : (tensor<1x2x3x1xf32>, tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>, tensor<2x2xf32>, tensor<3xi32>)
      -> (tensor<1x2x3x1xf32>, tensor<1x2x3xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %biases: tensor<2x2xf32>,
       %last: tensor<3xi32>):
    %d = heddle.sub %i, %j : tensor<i32>
    %a = heddle.abs %d : tensor<i32>
    // Query 2 reads outside of its axis, but sees nothing.
    %x = sparsek.read %biases[%h, %a] : tensor<2x2xf32>
    %score = heddle.add %s, %x : tensor<f32>
    %one = heddle.constant dense<1.0> : tensor<f32>
    %f = heddle.cast %j : tensor<i32> -> tensor<f32>
    %n = heddle.add %one, %f : tensor<f32>
    %gate = heddle.div %one, %n : tensor<f32>
    %l = sparsek.read %last[%i] : tensor<3xi32>
    %visible = heddle.compare ge %l, %j : tensor<i32>
    sparsek.yield %score, %gate, %visible : tensor<f32>
  }
  %o1 = heddle.constant dense<[[[[2.0], [2.66666667], [0.0]], [[2.0], [2.25], [0.0]]]]> : tensor<1x2x3x1xf32>
  check.expect_close %o, %o1 {rtol = 1.0e-6} : tensor<1x2x3x1xf32>
  %l1 = heddle.constant dense<[[[0.693147181, 1.09861229, 0xFF800000], [0.0, 1.38629436, 0xFF800000]]]> : tensor<1x2x3xf32>
  check.expect_close %lse, %l1 {rtol = 1.0e-6} : tensor<1x2x3xf32>
  return
}

// One query, two keys, score c[0] s and gate c[1], c = (1, 2), q = 1, k = (0, ln 3), scale 1: p = (1/4, 3/4), v = (4, 8),
// o = 2 (1 + 6) = 14, lse = ln 4. With do = 1, dlse = 8: e = (4, 8), D = 14 - 8 = 6, dscore = (1/4 (8 - 6), 3/4 (16 - 6))
// = (0.5, 7.5), dgate = (1, 6), ds = dscore, dq = 7.5 ln 3, dk = (0.5, 7.5), dv = (0.5, 1.5),
// dc = (7.5 ln 3, 7).
func.func @backward() {
  %q = heddle.constant dense<1.0> : tensor<1x1x1x1xf32>
  %k = heddle.constant dense<[[[[0.0], [1.09861229]]]]> : tensor<1x1x2x1xf32>
  %v = heddle.constant dense<[[[[4.0], [8.0]]]]> : tensor<1x1x2x1xf32>
  %c = heddle.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %o = heddle.constant dense<14.0> : tensor<1x1x1x1xf32>
  %lse = heddle.constant dense<1.38629436> : tensor<1x1x1xf32>
  %do = heddle.constant dense<1.0> : tensor<1x1x1x1xf32>
  %dlse = heddle.constant dense<8.0> : tensor<1x1x1xf32>
  %dq, %dk, %dv, %dc = sparsek.variant_attention_backward %q, %k, %v captures(%c) from %o, %lse, %do, %dlse
      wanted [0] scale 1.0
      : (tensor<1x1x1x1xf32>, tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>, tensor<2xf32>, tensor<1x1x1x1xf32>,
         tensor<1x1x1xf32>, tensor<1x1x1x1xf32>, tensor<1x1x1xf32>)
      -> (tensor<1x1x1x1xf32>, tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>, tensor<2xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %dscore: tensor<f32>,
       %dgate: tensor<f32>, %cs: tensor<2xf32>):
    %zero = heddle.constant dense<0> : tensor<i32>
    %one = heddle.constant dense<1> : tensor<i32>
    %x = sparsek.read %cs[%zero] : tensor<2xf32>
    %gate = sparsek.read %cs[%one] : tensor<2xf32>
    %score = heddle.mul %x, %s : tensor<f32>
    %true = heddle.constant dense<true> : tensor<i1>
    %dx = heddle.mul %dscore, %s : tensor<f32>
    sparsek.accumulate %dx into %cs[%zero] : tensor<2xf32>
    sparsek.accumulate %dgate into %cs[%one] : tensor<2xf32>
    %ds = heddle.mul %dscore, %x : tensor<f32>
    sparsek.yield_adjoint %score, %gate, %true, %ds : tensor<f32>
  }
  %q1 = heddle.constant dense<8.23959217> : tensor<1x1x1x1xf32>
  check.expect_close %dq, %q1 {rtol = 1.0e-6} : tensor<1x1x1x1xf32>
  %k1 = heddle.constant dense<[[[[0.5], [7.5]]]]> : tensor<1x1x2x1xf32>
  check.expect_close %dk, %k1 {rtol = 1.0e-6} : tensor<1x1x2x1xf32>
  %v1 = heddle.constant dense<[[[[0.5], [1.5]]]]> : tensor<1x1x2x1xf32>
  check.expect_close %dv, %v1 {rtol = 1.0e-6} : tensor<1x1x2x1xf32>
  %c1 = heddle.constant dense<[8.23959217, 7.0]> : tensor<2xf32>
  check.expect_close %dc, %c1 {rtol = 1.0e-6} : tensor<2xf32>
  return
}
