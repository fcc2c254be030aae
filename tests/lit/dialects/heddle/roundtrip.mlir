// RUN: heddle-opt --verify-roundtrip %s | FileCheck %s

// CHECK-LABEL: func @einsum
// CHECK: heddle.einsum "bnd,dhe->bhne"
func.func @einsum(%a: tensor<2x5x8xf32>, %b: tensor<8x4x3xf32>) -> tensor<2x4x5x3xf32> {
  %c = heddle.einsum "bnd,dhe->bhne" %a, %b : (tensor<2x5x8xf32>, tensor<8x4x3xf32>) -> tensor<2x4x5x3xf32>
  return %c : tensor<2x4x5x3xf32>
}

// A loop prints its step count, what it scans and its carries.
// CHECK-LABEL: func @loop
// CHECK: heddle.for 4 reverse scan(%{{.*}}) init(%{{.*}})
func.func @loop(%xs: tensor<4x8xf32>, %s0: tensor<8xf32>) -> (tensor<8xf32>, tensor<4xf32>) {
  %last, %all = heddle.for 4 reverse scan(%xs) init(%s0) : (tensor<4x8xf32>, tensor<8xf32>) -> (tensor<8xf32>, tensor<4xf32>) {
  ^bb0(%i: tensor<i32>, %x: tensor<8xf32>, %s: tensor<8xf32>):
    %t = heddle.add %s, %x : tensor<8xf32>
    %n = heddle.reduce sum %t axes [0] : tensor<8xf32> -> tensor<f32>
    heddle.yield %t, %n : tensor<8xf32>, tensor<f32>
  }
  return %last, %all : tensor<8xf32>, tensor<4xf32>
}
