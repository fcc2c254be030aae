// RUN: heddle-opt --heddle-differentiate --verify-roundtrip %s | FileCheck %s

// What is stacked is the narrowest place on the way: the row of 4, not the 4x16 values that are made from it, and a bf16
// value rather than its f32 copy.

func.func private @wide(%x: tensor<4xf32>, %m: tensor<4x4xf32>) -> tensor<4xf32> {
  %y = heddle.for 3 scan() init(%x) : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%i: tensor<i32>, %s: tensor<4xf32>):
    %p = heddle.einsum "a,ab->b" %s, %m : (tensor<4xf32>, tensor<4x4xf32>) -> tensor<4xf32>
    %h = heddle.cast %p : tensor<4xf32> -> tensor<4xbf16>
    %f = heddle.cast %h : tensor<4xbf16> -> tensor<4xf32>
    %b = heddle.broadcast %f axes [0] : tensor<4xf32> -> tensor<4x16xf32>
    %e = heddle.exp %b : tensor<4x16xf32>
    %r = heddle.reduce sum %e axes [1] : tensor<4x16xf32> -> tensor<4xf32>
    heddle.yield %r : tensor<4xf32>
  }
  return %y : tensor<4xf32>
}

// CHECK-LABEL: func.func private @wide.vjp.0(
// CHECK: heddle.for 3 scan() init(%{{.*}}) : (tensor<4xf32>) -> (tensor<4xf32>, tensor<3x4xbf16>)
// CHECK: heddle.for 3 reverse scan(%{{.*}}) init(%{{.*}}) : (tensor<3x4xbf16>, tensor<4xf32>) -> tensor<4xf32>
// CHECK: heddle.cast
// CHECK: heddle.exp
// CHECK: heddle.broadcast
func.func @gradient(%x: tensor<4xf32>, %m: tensor<4x4xf32>, %ct: tensor<4xf32>) -> tensor<4xf32> {
  %y, %dx = heddle.vjp @wide(%x, %m, %ct) wrt [0] : (tensor<4xf32>, tensor<4x4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %dx : tensor<4xf32>
}
