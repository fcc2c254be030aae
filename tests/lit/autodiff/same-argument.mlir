// RUN: heddle-opt --heddle-differentiate %s | heddle-interp -

// An argument named twice: each mention gets the whole gradient, and the tangents add up.

func.func private @square(%x: tensor<f64>) -> tensor<f64> {
  %y = heddle.mul %x, %x : tensor<f64>
  return %y : tensor<f64>
}
func.func @test() {
  %x = heddle.constant dense<3.0> : tensor<f64>
  %one = heddle.constant dense<1.0> : tensor<f64>
  %two = heddle.constant dense<2.0> : tensor<f64>
  %six = heddle.constant dense<6.0> : tensor<f64>
  %eighteen = heddle.constant dense<18.0> : tensor<f64>
  %g:3 = heddle.vjp @square(%x, %one) wrt [0, 0] : (tensor<f64>, tensor<f64>) -> (tensor<f64>, tensor<f64>, tensor<f64>)
  check.expect_eq %g#1, %six : tensor<f64>
  check.expect_eq %g#2, %six : tensor<f64>
  %t:2 = heddle.jvp @square(%x, %one, %two) wrt [0, 0] : (tensor<f64>, tensor<f64>, tensor<f64>) -> (tensor<f64>, tensor<f64>)
  check.expect_eq %t#1, %eighteen : tensor<f64>
  return
}
