// RUN: heddle-opt --heddle-differentiate %s | heddle-interp -

// Where a derivative does not exist the rules choose: abs, sqrt and pow give 0 at 0, equal operands of max and min share
// by halves, equal elements of a maximum share equally, a saturated or empty support of sparsek gives nothing.

func.func private @abs(%x: tensor<3xf64>) -> tensor<3xf64> {
  %y = heddle.abs %x : tensor<3xf64>
  return %y : tensor<3xf64>
}
func.func private @sqrt(%x: tensor<3xf64>) -> tensor<3xf64> {
  %y = heddle.sqrt %x : tensor<3xf64>
  return %y : tensor<3xf64>
}
func.func private @pow(%a: tensor<3xf64>, %b: tensor<3xf64>) -> tensor<3xf64> {
  %y = heddle.pow %a, %b : tensor<3xf64>
  return %y : tensor<3xf64>
}
func.func private @max(%a: tensor<3xf64>, %b: tensor<3xf64>) -> tensor<3xf64> {
  %y = heddle.max %a, %b : tensor<3xf64>
  return %y : tensor<3xf64>
}
func.func private @min(%a: tensor<3xf64>, %b: tensor<3xf64>) -> tensor<3xf64> {
  %y = heddle.min %a, %b : tensor<3xf64>
  return %y : tensor<3xf64>
}
func.func private @largest(%x: tensor<2x3xf64>) -> tensor<2xf64> {
  %y = heddle.reduce max %x axes [1] : tensor<2x3xf64> -> tensor<2xf64>
  return %y : tensor<2xf64>
}
func.func private @project(%x: tensor<2x4xf64>) -> tensor<2x4xf64> {
  %two = heddle.constant dense<2.0> : tensor<f64>
  %y = sparsek.project %x, %two : tensor<2x4xf64>, tensor<f64> -> tensor<2x4xf64>
  return %y : tensor<2x4xf64>
}
func.func @test() {
  %ones = heddle.constant dense<1.0> : tensor<3xf64>
  %x = heddle.constant dense<[-4.0, 0.0, 4.0]> : tensor<3xf64>
  %abs:2 = heddle.vjp @abs(%x, %ones) wrt [0] : (tensor<3xf64>, tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>)
  %abs_expected = heddle.constant dense<[-1.0, 0.0, 1.0]> : tensor<3xf64>
  check.expect_eq %abs#1, %abs_expected : tensor<3xf64>

  %positive = heddle.constant dense<[1.0, 0.0, 4.0]> : tensor<3xf64>
  %sqrt:2 = heddle.vjp @sqrt(%positive, %ones) wrt [0] : (tensor<3xf64>, tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>)
  %sqrt_expected = heddle.constant dense<[0.5, 0.0, 0.25]> : tensor<3xf64>
  check.expect_eq %sqrt#1, %sqrt_expected : tensor<3xf64>

  %exponents = heddle.constant dense<[3.0, 2.0, 0.0]> : tensor<3xf64>
  %bases = heddle.constant dense<[-2.0, 0.0, 0.0]> : tensor<3xf64>
  %pow:2 = heddle.vjp @pow(%bases, %exponents, %ones) wrt [0] : (tensor<3xf64>, tensor<3xf64>, tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>)
  %pow_expected = heddle.constant dense<[12.0, 0.0, 0.0]> : tensor<3xf64>
  check.expect_eq %pow#1, %pow_expected : tensor<3xf64>
  %pow_b:2 = heddle.vjp @pow(%positive, %exponents, %ones) wrt [1] : (tensor<3xf64>, tensor<3xf64>, tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>)
  %pow_b_expected = heddle.constant dense<[0.0, 0.0, 1.3862943611198906]> : tensor<3xf64>
  check.expect_close %pow_b#1, %pow_b_expected {rtol = 1.0e-15} : tensor<3xf64>

  %max:3 = heddle.vjp @max(%x, %positive, %ones) wrt [0, 1] : (tensor<3xf64>, tensor<3xf64>, tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>, tensor<3xf64>)
  %max_a = heddle.constant dense<[0.0, 0.5, 0.5]> : tensor<3xf64>
  %max_b = heddle.constant dense<[1.0, 0.5, 0.5]> : tensor<3xf64>
  check.expect_eq %max#1, %max_a : tensor<3xf64>
  check.expect_eq %max#2, %max_b : tensor<3xf64>
  %min:3 = heddle.vjp @min(%x, %positive, %ones) wrt [0, 1] : (tensor<3xf64>, tensor<3xf64>, tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>, tensor<3xf64>)
  check.expect_eq %min#1, %max_b : tensor<3xf64>
  check.expect_eq %min#2, %max_a : tensor<3xf64>

  %rows = heddle.constant dense<[[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]]> : tensor<2x3xf64>
  %row_ones = heddle.constant dense<1.0> : tensor<2xf64>
  %largest:2 = heddle.vjp @largest(%rows, %row_ones) wrt [0] : (tensor<2x3xf64>, tensor<2xf64>) -> (tensor<2xf64>, tensor<2x3xf64>)
  %largest_expected = heddle.constant dense<[[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]]> : tensor<2x3xf64>
  check.expect_eq %largest#1, %largest_expected : tensor<2x3xf64>

  // The second and third score of the first row are 2 apart: a hard choice. In the second row three share one unit.
  %z = heddle.constant dense<[[5.0, 3.0, 1.0, -1.0], [9.0, 0.0, 0.0, 0.0]]> : tensor<2x4xf64>
  %c = heddle.constant dense<[[1.0, 2.0, 3.0, 4.0], [7.0, 1.0, 2.0, 6.0]]> : tensor<2x4xf64>
  %project:2 = heddle.vjp @project(%z, %c) wrt [0] : (tensor<2x4xf64>, tensor<2x4xf64>) -> (tensor<2x4xf64>, tensor<2x4xf64>)
  %project_expected = heddle.constant dense<[[0.0, 0.0, 0.0, 0.0], [0.0, -2.0, -1.0, 3.0]]> : tensor<2x4xf64>
  check.expect_eq %project#1, %project_expected : tensor<2x4xf64>
  return
}
