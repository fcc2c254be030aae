// RUN: heddle-opt --heddle-differentiate --verify-roundtrip %s | FileCheck %s

// The cotangent of the weights alone: nothing is computed for the input.

func.func private @layer(%x: tensor<4x8xf32>, %w: tensor<8x3xf32>) -> tensor<f32> {
  %h = heddle.einsum "nd,dh->nh" %x, %w : (tensor<4x8xf32>, tensor<8x3xf32>) -> tensor<4x3xf32>
  %t = heddle.tanh %h : tensor<4x3xf32>
  %s = heddle.reduce sum %t axes [0, 1] : tensor<4x3xf32> -> tensor<f32>
  return %s : tensor<f32>
}

// CHECK-NOT: @layer(
// CHECK-LABEL: func.func private @layer.vjp.1(
// CHECK-SAME: %[[X:.*]]: tensor<4x8xf32>, %[[W:.*]]: tensor<8x3xf32>, %[[CT:.*]]: tensor<f32>)
// CHECK-DAG: %[[ONE:.*]] = heddle.constant dense<1.0
// CHECK-DAG: %[[H:.*]] = heddle.einsum "nd,dh->nh" %[[X]], %[[W]]
// CHECK: %[[T:.*]] = heddle.tanh %[[H]]
// CHECK: %[[S:.*]] = heddle.reduce sum %[[T]]
// CHECK: %[[C:.*]] = heddle.broadcast %[[CT]] axes []
// CHECK: %[[TT:.*]] = heddle.mul %[[T]], %[[T]]
// CHECK: %[[D:.*]] = heddle.sub %[[ONE]], %[[TT]]
// CHECK: %[[DH:.*]] = heddle.mul %[[C]], %[[D]]
// CHECK: %[[DW:.*]] = heddle.einsum "nh,nd->dh" %[[DH]], %[[X]]
// CHECK-NOT: heddle.einsum
// CHECK: return %[[S]], %[[DW]]

// CHECK-LABEL: func.func @gradient(
// CHECK: %[[R:.*]]:2 = call @layer.vjp.1(%{{.*}}, %{{.*}}, %{{.*}})
// CHECK: return %[[R]]#1
func.func @gradient(%x: tensor<4x8xf32>, %w: tensor<8x3xf32>, %ct: tensor<f32>) -> tensor<8x3xf32> {
  %y, %dw = heddle.vjp @layer(%x, %w, %ct) wrt [1] : (tensor<4x8xf32>, tensor<8x3xf32>, tensor<f32>) -> (tensor<f32>, tensor<8x3xf32>)
  return %dw : tensor<8x3xf32>
}
