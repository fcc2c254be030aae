// RUN: heddle-interp %s
// RUN: heddle-interp --precision f64 %s

// topk 2, window 1: query i sees the keys up to i - 1.
// Query 3 sees {1, 0.5, 0.75}: kappa = 0.75; 1 - tau + 0.5 - tau + 0.75 - tau = 2 at tau = 1/12, lo = 1/12 - 3/4.
// Query 4 sees {1, 0.5, 0.75, 2}: 2 is saturated; kappa = 1; tau = (1 + 0.5 + 0.75 - 1) / 3 = 5/12.
// Query 5 sees 4 as well: kappa = 2 and the third is 1, a gap: hi = 1, lo = 0.
func.func @pairs_counts_and_ends() {
  %u = heddle.constant dense<[[[1.0, 0.5, 0.75, 2.0, 4.0, 0.0]]]> : tensor<1x1x6xf32>
  %hi, %lo, %count, %end = sparsek.threshold %u topk 2 window 1
      : tensor<1x1x6xf32> -> tensor<1x1x6xf32>, tensor<1x1x6xf32>, tensor<1x1x6xi32>, tensor<1x1x6xi32>
  %h = heddle.constant dense<[[[0xFF800000, 0xFF800000, 0xFF800000, 0.75, 1.0, 1.0]]]> : tensor<1x1x6xf32>
  check.expect_eq %hi, %h : tensor<1x1x6xf32>
  %l = heddle.constant dense<[[[0.0, 0.0, 0.0, -0.666666667, -0.583333333, 0.0]]]> : tensor<1x1x6xf32>
  check.expect_close %lo, %l {atol = 1.0e-7} : tensor<1x1x6xf32>
  %c = heddle.constant dense<[[[0, 0, 0, 3, 3, 0]]]> : tensor<1x1x6xi32>
  check.expect_eq %count, %c : tensor<1x1x6xi32>
  // Key 0 leaves at query 5, key 1 at 3, key 2 at 4; the others stay, and key 5 is in its own window only.
  %e = heddle.constant dense<[[[5, 3, 4, 6, 6, 6]]]> : tensor<1x1x6xi32>
  check.expect_eq %end, %e : tensor<1x1x6xi32>
  return
}

// Of equal scores the earlier keys stay. Without a window a key that is not selected ends where it begins.
func.func @ties_keep_the_earlier() {
  %u = heddle.constant dense<3.0> : tensor<1x1x4xf32>
  %hi, %lo, %count, %end = sparsek.threshold %u topk 2 window 0
      : tensor<1x1x4xf32> -> tensor<1x1x4xf32>, tensor<1x1x4xf32>, tensor<1x1x4xi32>, tensor<1x1x4xi32>
  %h = heddle.constant dense<[[[0xFF800000, 0xFF800000, 3.0, 3.0]]]> : tensor<1x1x4xf32>
  check.expect_eq %hi, %h : tensor<1x1x4xf32>
  %l = heddle.constant dense<[[[0.0, 0.0, -0.666666667, -0.5]]]> : tensor<1x1x4xf32>
  check.expect_close %lo, %l {atol = 1.0e-7} : tensor<1x1x4xf32>
  %c = heddle.constant dense<[[[0, 0, 3, 4]]]> : tensor<1x1x4xi32>
  check.expect_eq %count, %c : tensor<1x1x4xi32>
  %e = heddle.constant dense<[[[4, 4, 2, 3]]]> : tensor<1x1x4xi32>
  check.expect_eq %end, %e : tensor<1x1x4xi32>
  return
}

func.func @no_budget() {
  %u = heddle.constant dense<[[[1.0, 0x7FC00000, 2.0, 3.0]]]> : tensor<1x1x4xf32>
  %hi, %lo, %count, %end = sparsek.threshold %u topk 0 window 2
      : tensor<1x1x4xf32> -> tensor<1x1x4xf32>, tensor<1x1x4xf32>, tensor<1x1x4xi32>, tensor<1x1x4xi32>
  %h = heddle.constant dense<0xFF800000> : tensor<1x1x4xf32>
  check.expect_eq %hi, %h : tensor<1x1x4xf32>
  %e = heddle.constant dense<[[[2, 3, 4, 4]]]> : tensor<1x1x4xi32>
  check.expect_eq %end, %e : tensor<1x1x4xi32>
  return
}

// A NaN at key 1 makes every query from 1 + window on NaN, and ranks last; the window hides it from query 2.
func.func @not_a_number() {
  %u = heddle.constant dense<[[[1.0, 0x7FC00000, -5.0, 0.5, 0.0]]]> : tensor<1x1x5xf32>
  %hi, %lo, %count, %end = sparsek.threshold %u topk 2 window 2
      : tensor<1x1x5xf32> -> tensor<1x1x5xf32>, tensor<1x1x5xf32>, tensor<1x1x5xi32>, tensor<1x1x5xi32>
  %h = heddle.constant dense<[[[0xFF800000, 0xFF800000, 0xFF800000, 0x7FC00000, 0x7FC00000]]]> : tensor<1x1x5xf32>
  check.expect_eq %hi, %h : tensor<1x1x5xf32>
  %zero = heddle.constant dense<0.0> : tensor<1x1x5xf32>
  check.expect_eq %lo, %zero : tensor<1x1x5xf32>
  %c = heddle.constant dense<0> : tensor<1x1x5xi32>
  check.expect_eq %count, %c : tensor<1x1x5xi32>
  // Key 1 is among the first two candidates at query 3 and gives way to key 2 at query 4.
  %e = heddle.constant dense<[[[5, 4, 5, 5, 5]]]> : tensor<1x1x5xi32>
  check.expect_eq %end, %e : tensor<1x1x5xi32>
  return
}

// Infinities are the largest f32 and tie.
func.func @infinities() {
  %u = heddle.constant dense<[[[0x7F800000, 0x7F800000, 0.0, 0.0]]]> : tensor<1x1x4xf32>
  %hi, %lo, %count, %end = sparsek.threshold %u topk 1 window 0
      : tensor<1x1x4xf32> -> tensor<1x1x4xf32>, tensor<1x1x4xf32>, tensor<1x1x4xi32>, tensor<1x1x4xi32>
  %h = heddle.constant dense<[[[0xFF800000, 0x7F7FFFFF, 0x7F7FFFFF, 0x7F7FFFFF]]]> : tensor<1x1x4xf32>
  check.expect_eq %hi, %h : tensor<1x1x4xf32>
  %l = heddle.constant dense<[[[0.0, -0.5, -0.5, -0.5]]]> : tensor<1x1x4xf32>
  check.expect_eq %lo, %l : tensor<1x1x4xf32>
  %c = heddle.constant dense<[[[0, 2, 2, 2]]]> : tensor<1x1x4xi32>
  check.expect_eq %count, %c : tensor<1x1x4xi32>
  return
}

// Rows of a batch and of heads are separate. A window of everything leaves no candidates.
func.func @rows_are_separate() {
  %u = heddle.constant dense<[[[1.0, 1.0], [5.0, 1.0]], [[0.0, 0.5], [1.0, 2.0]]]> : tensor<2x2x2xf32>
  %hi, %lo, %count, %end = sparsek.threshold %u topk 1 window 0
      : tensor<2x2x2xf32> -> tensor<2x2x2xf32>, tensor<2x2x2xf32>, tensor<2x2x2xi32>, tensor<2x2x2xi32>
  %h = heddle.constant dense<[[[0xFF800000, 1.0], [0xFF800000, 1.0]], [[0xFF800000, 0.5], [0xFF800000, 1.0]]]>
      : tensor<2x2x2xf32>
  check.expect_eq %hi, %h : tensor<2x2x2xf32>
  %l = heddle.constant dense<[[[0.0, -0.5], [0.0, 0.0]], [[0.0, -0.75], [0.0, 0.0]]]> : tensor<2x2x2xf32>
  check.expect_eq %lo, %l : tensor<2x2x2xf32>
  %e = heddle.constant dense<[[[2, 1], [2, 1]], [[1, 2], [1, 2]]]> : tensor<2x2x2xi32>
  check.expect_eq %end, %e : tensor<2x2x2xi32>
  %hi2, %lo2, %count2, %end2 = sparsek.threshold %u topk 1 window 9223372036854775807
      : tensor<2x2x2xf32> -> tensor<2x2x2xf32>, tensor<2x2x2xf32>, tensor<2x2x2xi32>, tensor<2x2x2xi32>
  %none = heddle.constant dense<0xFF800000> : tensor<2x2x2xf32>
  check.expect_eq %hi2, %none : tensor<2x2x2xf32>
  %two = heddle.constant dense<2> : tensor<2x2x2xi32>
  check.expect_eq %end2, %two : tensor<2x2x2xi32>
  return
}

// The scores of the first test. With taubar 3 and 30 at the queries 3 and 4, whose supports are the keys 0, 1 and 2, each
// of these gets 3/3 + 30/3; query 5 has no support.
func.func @backward() {
  %u = heddle.constant dense<[[[1.0, 0.5, 0.75, 2.0, 4.0, 0.0]]]> : tensor<1x1x6xf32>
  %hi, %lo, %count, %end = sparsek.threshold %u topk 2 window 1
      : tensor<1x1x6xf32> -> tensor<1x1x6xf32>, tensor<1x1x6xf32>, tensor<1x1x6xi32>, tensor<1x1x6xi32>
  %dtau = heddle.constant dense<[[[7.0, 7.0, 7.0, 3.0, 30.0, 100.0]]]> : tensor<1x1x6xf32>
  %du = sparsek.threshold_backward %u, %hi, %lo, %count, %dtau window 1
      : tensor<1x1x6xf32>, tensor<1x1x6xf32>, tensor<1x1x6xf32>, tensor<1x1x6xi32>, tensor<1x1x6xf32>
      -> tensor<1x1x6xf32>
  %expected = heddle.constant dense<[[[11.0, 11.0, 11.0, 0.0, 0.0, 0.0]]]> : tensor<1x1x6xf32>
  check.expect_eq %du, %expected : tensor<1x1x6xf32>
  return
}
