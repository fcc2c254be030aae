// RUN: heddle-interp %s
// RUN: heddle-interp --precision f64 %s

func.func @soft() {
  // Support {0.8, 0.5, 0.2}: tau = (0.8 + 0.5 + 0.2 - 1) / 3 = 1/6.
  %z = heddle.constant dense<[0.8, 0.5, 0.2, -1.0]> : tensor<4xf32>
  %k = heddle.constant dense<1.0> : tensor<f32>
  %p = sparsek.project %z, %k : tensor<4xf32>, tensor<f32> -> tensor<4xf32>
  %expected = heddle.constant dense<[0.633333333, 0.333333333, 0.0333333333, 0.0]> : tensor<4xf32>
  check.expect_close %p, %expected {atol = 1.0e-7} : tensor<4xf32>
  return
}

func.func @saturated() {
  // 3.0 is taken whole; {0.6, 0.4} share what is left: tau = 0, 0.6 + 0.4 = 1.
  %z = heddle.constant dense<[[3.0, 0.6, 0.4], [0.4, 3.0, 0.6]]> : tensor<2x3xf32>
  %k = heddle.constant dense<2.0> : tensor<f32>
  %p = sparsek.project %z, %k : tensor<2x3xf32>, tensor<f32> -> tensor<2x3xf32>
  %expected = heddle.constant dense<[[1.0, 0.6, 0.4], [0.4, 1.0, 0.6]]> : tensor<2x3xf32>
  check.expect_close %p, %expected {atol = 1.0e-7} : tensor<2x3xf32>
  return
}

// The second and third score differ by 1 or more: the hard top 2.
func.func @gap() {
  %z = heddle.constant dense<[5.0, 3.0, 2.0, -1.0]> : tensor<4xf32>
  %k = heddle.constant dense<2.0> : tensor<f32>
  %p = sparsek.project %z, %k : tensor<4xf32>, tensor<f32> -> tensor<4xf32>
  %expected = heddle.constant dense<[1.0, 1.0, 0.0, 0.0]> : tensor<4xf32>
  check.expect_eq %p, %expected : tensor<4xf32>
  return
}

func.func @ties() {
  %z = heddle.constant dense<7.0> : tensor<8xf32>
  %k = heddle.constant dense<2.0> : tensor<f32>
  %p = sparsek.project %z, %k : tensor<8xf32>, tensor<f32> -> tensor<8xf32>
  %expected = heddle.constant dense<0.25> : tensor<8xf32>
  check.expect_eq %p, %expected : tensor<8xf32>
  return
}

// k between two integers: one whole, and {0.5, 0.25} share 0.5 by tau = 0.125.
func.func @fractional() {
  %z = heddle.constant dense<[9.0, 0.5, 0.25, -8.0]> : tensor<4xf32>
  %k = heddle.constant dense<1.5> : tensor<f32>
  %p = sparsek.project %z, %k : tensor<4xf32>, tensor<f32> -> tensor<4xf32>
  %expected = heddle.constant dense<[1.0, 0.375, 0.125, 0.0]> : tensor<4xf32>
  check.expect_eq %p, %expected : tensor<4xf32>
  %small = heddle.constant dense<0.25> : tensor<f32>
  %q = sparsek.project %z, %small : tensor<4xf32>, tensor<f32> -> tensor<4xf32>
  %first = heddle.constant dense<[0.25, 0.0, 0.0, 0.0]> : tensor<4xf32>
  check.expect_eq %q, %first : tensor<4xf32>
  return
}

func.func @budget_of_everything() {
  %z = heddle.constant dense<[-3.0, 100.0, 0.0]> : tensor<3xf32>
  %three = heddle.constant dense<3.0> : tensor<f32>
  %p = sparsek.project %z, %three : tensor<3xf32>, tensor<f32> -> tensor<3xf32>
  %ones = heddle.constant dense<1.0> : tensor<3xf32>
  check.expect_eq %p, %ones : tensor<3xf32>
  %more = heddle.constant dense<0x7F800000> : tensor<f32>
  %q = sparsek.project %z, %more : tensor<3xf32>, tensor<f32> -> tensor<3xf32>
  check.expect_eq %q, %ones : tensor<3xf32>
  %none = heddle.constant dense<> : tensor<2x0xf32>
  %r = sparsek.project %none, %three : tensor<2x0xf32>, tensor<f32> -> tensor<2x0xf32>
  check.expect_eq %r, %none : tensor<2x0xf32>
  return
}

func.func @infinities_share() {
  %z = heddle.constant dense<[[0x7F800000, 0x7F800000, 0.0], [0xFF800000, 0xFF800000, 0xFF800000]]> : tensor<2x3xf32>
  %k = heddle.constant dense<1.0> : tensor<f32>
  %p = sparsek.project %z, %k : tensor<2x3xf32>, tensor<f32> -> tensor<2x3xf32>
  %expected = heddle.constant dense<[[0.5, 0.5, 0.0], [0.333333333, 0.333333333, 0.333333333]]> : tensor<2x3xf32>
  check.expect_close %p, %expected {atol = 1.0e-7} : tensor<2x3xf32>
  return
}

// A NaN makes its own row NaN, also where all would be 1.
func.func @not_a_number() {
  %z = heddle.constant dense<[[1.0, 0x7FC00000, 0.0], [0.0, 2.0, 0.0]]> : tensor<2x3xf32>
  %nan = heddle.constant dense<0x7FC00000> : tensor<3xf32>
  %k = heddle.constant dense<1.0> : tensor<f32>
  %p = sparsek.project %z, %k : tensor<2x3xf32>, tensor<f32> -> tensor<2x3xf32>
  %expected = heddle.constant dense<[[0x7FC00000, 0x7FC00000, 0x7FC00000], [0.0, 1.0, 0.0]]> : tensor<2x3xf32>
  check.expect_eq %p, %expected : tensor<2x3xf32>
  %five = heddle.constant dense<5.0> : tensor<f32>
  %q = sparsek.project %z, %five : tensor<2x3xf32>, tensor<f32> -> tensor<2x3xf32>
  %whole = heddle.constant dense<[[0x7FC00000, 0x7FC00000, 0x7FC00000], [1.0, 1.0, 1.0]]> : tensor<2x3xf32>
  check.expect_eq %q, %whole : tensor<2x3xf32>
  return
}

// Scores far from 0 keep their differences: tau is a pair.
func.func @far() {
  %z = heddle.constant dense<[16777216.0, 16777216.0, 16777216.0, -16777216.0]> : tensor<4xf32>
  %k = heddle.constant dense<1.0> : tensor<f32>
  %p = sparsek.project %z, %k : tensor<4xf32>, tensor<f32> -> tensor<4xf32>
  %expected = heddle.constant dense<[0.333333333, 0.333333333, 0.333333333, 0.0]> : tensor<4xf32>
  check.expect_close %p, %expected {atol = 1.0e-7} : tensor<4xf32>
  return
}

func.func @of_bf16() {
  %z = heddle.constant dense<[0.5, 0.5, 0.5]> : tensor<3xbf16>
  %k = heddle.constant dense<1.5> : tensor<f64>
  %p = sparsek.project %z, %k : tensor<3xbf16>, tensor<f64> -> tensor<3xbf16>
  check.expect_eq %p, %z : tensor<3xbf16>
  return
}
