// RUN: heddle-opt --heddle-differentiate --verify-roundtrip %s | FileCheck %s

// The adjoint of a condition is a condition; the branch's product is computed again inside. A branch that does not read a
// value gives it zeros.

func.func private @f(%c: tensor<i1>, %x: tensor<8xf32>, %w: tensor<8x8xf32>) -> tensor<8xf32> {
  %y = heddle.if %c : (tensor<i1>) -> tensor<8xf32> {
    %h = heddle.einsum "d,de->e" %x, %w : (tensor<8xf32>, tensor<8x8xf32>) -> tensor<8xf32>
    %e = heddle.exp %h : tensor<8xf32>
    heddle.yield %e : tensor<8xf32>
  } else {
    heddle.yield %x : tensor<8xf32>
  }
  return %y : tensor<8xf32>
}

// CHECK-LABEL: func.func private @f.vjp.1.2(
// CHECK-SAME: %[[C:.*]]: tensor<i1>, %[[X:.*]]: tensor<8xf32>, %[[W:.*]]: tensor<8x8xf32>, %[[CT:.*]]: tensor<8xf32>)
// CHECK: %[[ZERO:.*]] = heddle.constant dense<0.0{{.*}}> : tensor<8x8xf32>
// CHECK: %[[Y:.*]] = heddle.if %[[C]]
// CHECK: %[[D:.*]]:2 = heddle.if %[[C]] : (tensor<i1>) -> (tensor<8xf32>, tensor<8x8xf32>)
// CHECK: %[[H:.*]] = heddle.einsum "d,de->e" %[[X]], %[[W]]
// CHECK: %[[E:.*]] = heddle.exp %[[H]]
// CHECK: heddle.mul %[[CT]], %[[E]]
// CHECK: else
// CHECK-NEXT: heddle.yield %[[CT]], %[[ZERO]]
// CHECK: return %[[Y]], %[[D]]#0, %[[D]]#1
func.func @gradient(%c: tensor<i1>, %x: tensor<8xf32>, %w: tensor<8x8xf32>, %ct: tensor<8xf32>) -> (tensor<8xf32>, tensor<8x8xf32>) {
  %y, %dx, %dw = heddle.vjp @f(%c, %x, %w, %ct) wrt [1, 2] : (tensor<i1>, tensor<8xf32>, tensor<8x8xf32>, tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>, tensor<8x8xf32>)
  return %dx, %dw : tensor<8xf32>, tensor<8x8xf32>
}
