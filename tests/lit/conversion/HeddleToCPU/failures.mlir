// RUN: heddle-compare %s | FileCheck %s
// RUN: heddle-compare --no-fuse %s | FileCheck %s
// CHECK: agree

func.func @gather(%t: tensor<11x6xf32>, %i: tensor<7xi32> {heddle.range = [5, 14]}) -> tensor<7x6xf32> {
  %a = heddle.gather %t[%i] axis 0 : tensor<11x6xf32>, tensor<7xi32> -> tensor<7x6xf32>
  return %a : tensor<7x6xf32>
}
func.func @negative(%t: tensor<11x6xf32>, %i: tensor<7xi64> {heddle.range = [-3, -1]}) -> tensor<11x6xf32> {
  %u = heddle.constant dense<1.0> : tensor<7x6xf32>
  %a = heddle.scatter_add %t[%i], %u axis 0 : tensor<11x6xf32>, tensor<7xi64>, tensor<7x6xf32>
  return %a : tensor<11x6xf32>
}
func.func @block(%x: tensor<4x9xf32>, %i: tensor<i32> {heddle.range = [7, 8]}) -> tensor<4x3xf32> {
  %a = heddle.dynamic_slice %x[%i] axis 1 size 3 : tensor<4x9xf32>, tensor<i32> -> tensor<4x3xf32>
  return %a : tensor<4x3xf32>
}
func.func @assertion(%x: tensor<f32>) -> tensor<f32> {
  %c = heddle.constant dense<10.0> : tensor<f32>
  %g = heddle.compare gt %x, %c : tensor<f32>
  heddle.assert %g, "the rate must be above ten" : tensor<i1>
  return %x : tensor<f32>
}
func.func @in_loop(%t: tensor<4xf32>) -> tensor<f32> {
  %z = heddle.constant dense<0.0> : tensor<f32>
  %r = heddle.for 6 scan() init(%z) : (tensor<f32>) -> tensor<f32> {
  ^bb0(%i: tensor<i32>, %s: tensor<f32>):
    %x = heddle.gather %t[%i] axis 0 : tensor<4xf32>, tensor<i32> -> tensor<f32>
    %n = heddle.add %s, %x : tensor<f32>
    heddle.yield %n : tensor<f32>
  }
  return %r : tensor<f32>
}
