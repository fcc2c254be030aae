// Calls: plain ones, recomputed ones, and ones with a rule (a correct one here; lit tests prove that it is used).

func.func private @helper(%x: tensor<3xf64>, %y: tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>) {
  %s = heddle.sin %x : tensor<3xf64>
  %p = heddle.mul %s, %y : tensor<3xf64>
  return %p, %s : tensor<3xf64>, tensor<3xf64>
}
func.func private @outer(%x: tensor<3xf64>) -> tensor<3xf64> {
  %a:2 = call @helper(%x, %x) : (tensor<3xf64>, tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>)
  %b:2 = call @helper(%a#0, %x) : (tensor<3xf64>, tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>)
  return %b#0 : tensor<3xf64>
}
func.func @plain(%x: tensor<3xf64>) -> tensor<3xf64> {
  %a = call @outer(%x) : (tensor<3xf64>) -> tensor<3xf64>
  %b = call @outer(%a) : (tensor<3xf64>) -> tensor<3xf64>
  return %b : tensor<3xf64>
}
func.func private @block(%x: tensor<3xf64>, %w: tensor<3x3xf64>, %n: tensor<i32>) -> (tensor<3xf64>, tensor<i32>, tensor<3xf64>) attributes {heddle.checkpoint} {
  %h = heddle.einsum "d,de->e" %x, %w : (tensor<3xf64>, tensor<3x3xf64>) -> tensor<3xf64>
  %t = heddle.tanh %h : tensor<3xf64>
  %u = heddle.exp %t : tensor<3xf64>
  return %t, %n, %u : tensor<3xf64>, tensor<i32>, tensor<3xf64>
}
func.func @recomputed(%x: tensor<3xf64>, %w: tensor<3x3xf64>, %n: tensor<i32>) -> tensor<3xf64> {
  %a:3 = call @block(%x, %w, %n) : (tensor<3xf64>, tensor<3x3xf64>, tensor<i32>) -> (tensor<3xf64>, tensor<i32>, tensor<3xf64>)
  %b:3 = call @block(%a#0, %w, %a#1) : (tensor<3xf64>, tensor<3x3xf64>, tensor<i32>) -> (tensor<3xf64>, tensor<i32>, tensor<3xf64>)
  %c = heddle.mul %b#2, %a#2 : tensor<3xf64>
  return %c : tensor<3xf64>
}
// 81 layers in nine segments of nine.
func.func @layers(%x: tensor<3xf64>, %ws: tensor<81x3x3xf64> {test.range = [-0.4, 0.4]}) -> tensor<3xf64> {
  %n = heddle.constant dense<3> : tensor<i32>
  %y = heddle.for 81 scan(%ws) init(%x) : (tensor<81x3x3xf64>, tensor<3xf64>) -> tensor<3xf64> {
  ^bb0(%i: tensor<i32>, %w: tensor<3x3xf64>, %s: tensor<3xf64>):
    %a:3 = func.call @block(%s, %w, %n) : (tensor<3xf64>, tensor<3x3xf64>, tensor<i32>) -> (tensor<3xf64>, tensor<i32>, tensor<3xf64>)
    heddle.yield %a#2 : tensor<3xf64>
  }
  return %y : tensor<3xf64>
}
func.func private @cube(%n: tensor<i32>, %x: tensor<3xf64>) -> tensor<3xf64> attributes {heddle.custom_vjp = @cube_rule} {
  %s = heddle.mul %x, %x : tensor<3xf64>
  %c = heddle.mul %s, %x : tensor<3xf64>
  return %c : tensor<3xf64>
}
func.func private @cube_rule(%n: tensor<i32>, %x: tensor<3xf64>, %ct: tensor<3xf64>) -> tensor<3xf64> {
  %three = heddle.constant dense<3.0> : tensor<3xf64>
  %s = heddle.mul %x, %x : tensor<3xf64>
  %t = heddle.mul %s, %three : tensor<3xf64>
  %c = heddle.mul %t, %ct : tensor<3xf64>
  return %c : tensor<3xf64>
}
func.func @rule(%n: tensor<i32>, %x: tensor<3xf64>) -> tensor<3xf64> {
  %e = heddle.exp %x : tensor<3xf64>
  %c = call @cube(%n, %e) : (tensor<i32>, tensor<3xf64>) -> tensor<3xf64>
  return %c : tensor<3xf64>
}
// A function that asks for a gradient itself.
func.func @inner_gradient(%x: tensor<3xf64>) -> tensor<3xf64> {
  %y:2 = heddle.vjp @outer(%x, %x) wrt [0] : (tensor<3xf64>, tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>)
  %z = heddle.mul %y#0, %y#1 : tensor<3xf64>
  return %z : tensor<3xf64>
}
func.func @inner_tangent(%x: tensor<3xf64>) -> tensor<3xf64> {
  %y:2 = heddle.jvp @outer(%x, %x) wrt [0] : (tensor<3xf64>, tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>)
  %z = heddle.mul %y#0, %y#1 : tensor<3xf64>
  return %z : tensor<3xf64>
}
// Gradient descent in a loop, differentiated through its steps.
func.func private @energy(%x: tensor<3xf64>, %a: tensor<3xf64>) -> tensor<f64> {
  %d = heddle.sub %x, %a : tensor<3xf64>
  %s = heddle.sin %d : tensor<3xf64>
  %q = heddle.mul %s, %d : tensor<3xf64>
  %e = heddle.reduce sum %q axes [0] : tensor<3xf64> -> tensor<f64>
  return %e : tensor<f64>
}
func.func @descent(%x: tensor<3xf64>, %a: tensor<3xf64>, %rate: tensor<f64> {test.range = [0.1, 0.2]}) -> tensor<3xf64> {
  %one = heddle.constant dense<1.0> : tensor<f64>
  %r = heddle.broadcast %rate axes [] : tensor<f64> -> tensor<3xf64>
  %y = heddle.for 4 scan() init(%x) : (tensor<3xf64>) -> tensor<3xf64> {
  ^bb0(%i: tensor<i32>, %s: tensor<3xf64>):
    %e:2 = heddle.vjp @energy(%s, %a, %one) wrt [0] : (tensor<3xf64>, tensor<3xf64>, tensor<f64>) -> (tensor<f64>, tensor<3xf64>)
    %step = heddle.mul %e#1, %r : tensor<3xf64>
    %t = heddle.sub %s, %step : tensor<3xf64>
    heddle.yield %t : tensor<3xf64>
  }
  return %y : tensor<3xf64>
}
