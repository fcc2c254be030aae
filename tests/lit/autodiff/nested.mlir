// RUN: heddle-opt --heddle-differentiate %s | heddle-interp -
// RUN: heddle-opt --heddle-differentiate %s | FileCheck %s

// Derivatives of x^4 up to the fourth, each the gradient of the one before; the same request twice is one function.

// CHECK-COUNT-1: func.func private @quartic.vjp.0(
// CHECK-NOT: func.func private @quartic.vjp.0(
// CHECK-NOT: heddle.vjp

func.func private @quartic(%x: tensor<f64>) -> tensor<f64> {
  %s = heddle.mul %x, %x : tensor<f64>
  %q = heddle.mul %s, %s : tensor<f64>
  return %q : tensor<f64>
}
func.func private @first(%x: tensor<f64>) -> tensor<f64> {
  %one = heddle.constant dense<1.0> : tensor<f64>
  %y:2 = heddle.vjp @quartic(%x, %one) wrt [0] : (tensor<f64>, tensor<f64>) -> (tensor<f64>, tensor<f64>)
  return %y#1 : tensor<f64>
}
func.func private @second(%x: tensor<f64>) -> tensor<f64> {
  %one = heddle.constant dense<1.0> : tensor<f64>
  %y:2 = heddle.vjp @first(%x, %one) wrt [0] : (tensor<f64>, tensor<f64>) -> (tensor<f64>, tensor<f64>)
  return %y#1 : tensor<f64>
}
func.func private @third(%x: tensor<f64>) -> tensor<f64> {
  %one = heddle.constant dense<1.0> : tensor<f64>
  %y:2 = heddle.jvp @second(%x, %one) wrt [0] : (tensor<f64>, tensor<f64>) -> (tensor<f64>, tensor<f64>)
  return %y#1 : tensor<f64>
}
func.func @test() {
  %x = heddle.constant dense<2.0> : tensor<f64>
  %one = heddle.constant dense<1.0> : tensor<f64>
  %a:2 = heddle.vjp @quartic(%x, %one) wrt [0] : (tensor<f64>, tensor<f64>) -> (tensor<f64>, tensor<f64>)
  %a_expected = heddle.constant dense<32.0> : tensor<f64>
  check.expect_eq %a#1, %a_expected : tensor<f64>
  %b:2 = heddle.vjp @first(%x, %one) wrt [0] : (tensor<f64>, tensor<f64>) -> (tensor<f64>, tensor<f64>)
  check.expect_eq %b#0, %a_expected : tensor<f64>
  %b_expected = heddle.constant dense<48.0> : tensor<f64>
  check.expect_eq %b#1, %b_expected : tensor<f64>
  %c:2 = heddle.vjp @second(%x, %one) wrt [0] : (tensor<f64>, tensor<f64>) -> (tensor<f64>, tensor<f64>)
  check.expect_eq %c#1, %b_expected : tensor<f64>
  %d:2 = heddle.vjp @third(%x, %one) wrt [0] : (tensor<f64>, tensor<f64>) -> (tensor<f64>, tensor<f64>)
  %d_expected = heddle.constant dense<24.0> : tensor<f64>
  check.expect_eq %d#1, %d_expected : tensor<f64>
  return
}
