// RUN: heddle-opt --heddle-differentiate --verify-roundtrip %s | FileCheck %s

// Tangents travel beside the values; a loop carries both.

func.func private @power(%x: tensor<4xf32>, %xs: tensor<3x4xf32>) -> tensor<4xf32> {
  %y = heddle.for 3 scan(%xs) init(%x) : (tensor<3x4xf32>, tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%i: tensor<i32>, %a: tensor<4xf32>, %s: tensor<4xf32>):
    %t = heddle.mul %s, %a : tensor<4xf32>
    heddle.yield %t : tensor<4xf32>
  }
  return %y : tensor<4xf32>
}

// CHECK-LABEL: func.func private @power.jvp.0(
// CHECK-SAME: %[[X:.*]]: tensor<4xf32>, %[[XS:.*]]: tensor<3x4xf32>, %[[DX:.*]]: tensor<4xf32>)
// CHECK: %[[R:.*]]:2 = heddle.for 3 scan(%[[XS]]) init(%[[X]], %[[DX]])
// CHECK: ^bb0(%{{.*}}: tensor<i32>, %[[A:.*]]: tensor<4xf32>, %[[S:.*]]: tensor<4xf32>, %[[DS:.*]]: tensor<4xf32>):
// CHECK-DAG: %[[T:.*]] = heddle.mul %[[S]], %[[A]]
// CHECK-DAG: %[[DT:.*]] = heddle.mul %[[DS]], %[[A]]
// CHECK: heddle.yield %[[T]], %[[DT]]
// CHECK: return %[[R]]#0, %[[R]]#1
func.func @tangent(%x: tensor<4xf32>, %xs: tensor<3x4xf32>, %dx: tensor<4xf32>) -> tensor<4xf32> {
  %y, %dy = heddle.jvp @power(%x, %xs, %dx) wrt [0] : (tensor<4xf32>, tensor<3x4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %dy : tensor<4xf32>
}
