// RUN: heddle-opt --heddle-differentiate %s | heddle-interp -

// The rule gives twice the derivative, to prove that it is used: behind a call, and where the function itself is asked
// for. Forward mode has no use for a rule and takes the derivative of the body.

func.func private @cube(%x: tensor<f64>) -> tensor<f64> attributes {heddle.custom_vjp = @rule} {
  %s = heddle.mul %x, %x : tensor<f64>
  %c = heddle.mul %s, %x : tensor<f64>
  return %c : tensor<f64>
}
func.func private @rule(%x: tensor<f64>, %ct: tensor<f64>) -> tensor<f64> {
  %six = heddle.constant dense<6.0> : tensor<f64>
  %s = heddle.mul %x, %x : tensor<f64>
  %t = heddle.mul %s, %six : tensor<f64>
  %d = heddle.mul %t, %ct : tensor<f64>
  return %d : tensor<f64>
}
func.func private @caller(%x: tensor<f64>) -> tensor<f64> {
  %y = call @cube(%x) : (tensor<f64>) -> tensor<f64>
  %z = heddle.add %y, %x : tensor<f64>
  return %z : tensor<f64>
}
// Integers: the rule may take a cotangent of them and give a gradient of them, both zeros that mean nothing.
func.func private @counted(%n: tensor<i32>, %x: tensor<f64>) -> (tensor<i32>, tensor<f64>) attributes {heddle.custom_vjp = @counted_rule} {
  return %n, %x : tensor<i32>, tensor<f64>
}
func.func private @counted_rule(%n: tensor<i32>, %x: tensor<f64>, %cn: tensor<i32>, %cx: tensor<f64>) -> (tensor<i32>, tensor<f64>) {
  %seven = heddle.constant dense<7.0> : tensor<f64>
  %d = heddle.mul %cx, %seven : tensor<f64>
  return %cn, %d : tensor<i32>, tensor<f64>
}
func.func @integers() {
  %three = heddle.constant dense<3> : tensor<i32>
  %one = heddle.constant dense<1.0> : tensor<f64>
  %y:3 = heddle.vjp @counted(%three, %one, %one) wrt [1] : (tensor<i32>, tensor<f64>, tensor<f64>) -> (tensor<i32>, tensor<f64>, tensor<f64>)
  check.expect_eq %y#0, %three : tensor<i32>
  %seven = heddle.constant dense<7.0> : tensor<f64>
  check.expect_eq %y#2, %seven : tensor<f64>
  return
}
func.func @test() {
  %two = heddle.constant dense<2.0> : tensor<f64>
  %one = heddle.constant dense<1.0> : tensor<f64>
  %y:2 = heddle.vjp @caller(%two, %one) wrt [0] : (tensor<f64>, tensor<f64>) -> (tensor<f64>, tensor<f64>)
  %ten = heddle.constant dense<10.0> : tensor<f64>
  check.expect_eq %y#0, %ten : tensor<f64>
  %twenty_five = heddle.constant dense<25.0> : tensor<f64>
  check.expect_eq %y#1, %twenty_five : tensor<f64>
  %z:2 = heddle.vjp @cube(%two, %one) wrt [0] : (tensor<f64>, tensor<f64>) -> (tensor<f64>, tensor<f64>)
  %twenty_four = heddle.constant dense<24.0> : tensor<f64>
  check.expect_eq %z#1, %twenty_four : tensor<f64>
  %t:2 = heddle.jvp @caller(%two, %one) wrt [0] : (tensor<f64>, tensor<f64>) -> (tensor<f64>, tensor<f64>)
  %thirteen = heddle.constant dense<13.0> : tensor<f64>
  check.expect_eq %t#1, %thirteen : tensor<f64>
  return
}
