// RUN: heddle-opt --heddle-differentiate --verify-roundtrip %s | FileCheck %s

// The gradient of a table that a loop reads row by row is updated row by row: no step adds whole tables.
// The cotangent of the carry never changes, so it is no carry.

func.func private @rows(%t: tensor<100x4xf32>, %x: tensor<4xf32>) -> tensor<4xf32> {
  %y = heddle.for 100 scan() init(%x) : (tensor<4xf32>) -> tensor<4xf32> {
  ^bb0(%i: tensor<i32>, %s: tensor<4xf32>):
    %row = heddle.dynamic_slice %t[%i] axis 0 size 1 : tensor<100x4xf32>, tensor<i32> -> tensor<1x4xf32>
    %r = heddle.reshape %row : tensor<1x4xf32> -> tensor<4xf32>
    %n = heddle.add %s, %r : tensor<4xf32>
    heddle.yield %n : tensor<4xf32>
  }
  return %y : tensor<4xf32>
}

// CHECK-LABEL: func.func private @rows.vjp.0(
// CHECK-SAME: %[[C:[a-z0-9]*]]: tensor<4xf32>)
// CHECK: %[[ZERO:.*]] = heddle.constant dense<0.0
// CHECK: heddle.for 100 reverse scan() init(%[[ZERO]])
// CHECK: ^bb0(%[[I:.*]]: tensor<i32>, %[[SUM:.*]]: tensor<100x4xf32>):
// CHECK: %[[R:.*]] = heddle.reshape %[[C]]
// CHECK: %[[OLD:.*]] = heddle.dynamic_slice %[[SUM]][%[[I]]] axis 0 size 1
// CHECK: %[[NEW:.*]] = heddle.add %[[OLD]], %[[R]] : tensor<1x4xf32>
// CHECK: %[[NEXT:.*]] = heddle.dynamic_update_slice %[[SUM]], %[[NEW]][%[[I]]] axis 0
// CHECK: heddle.yield %[[NEXT]]
func.func @gradient(%t: tensor<100x4xf32>, %x: tensor<4xf32>, %ct: tensor<4xf32>) -> tensor<100x4xf32> {
  %y, %dt = heddle.vjp @rows(%t, %x, %ct) wrt [0] : (tensor<100x4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<100x4xf32>)
  return %dt : tensor<100x4xf32>
}
