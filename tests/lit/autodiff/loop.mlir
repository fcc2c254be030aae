// RUN: heddle-opt --heddle-differentiate --verify-roundtrip %s | FileCheck %s

// A layer in a loop. Kept: the carry and the product. Recomputed: tanh's input is not needed, and the exponential is
// cheap. The weights of each step are scanned again, those around the loop are read, not stacked.

func.func private @layers(%x: tensor<8xf32>, %ws: tensor<5x8x8xf32>, %v: tensor<8xf32>) -> tensor<8xf32> {
  %y = heddle.for 5 scan(%ws) init(%x) : (tensor<5x8x8xf32>, tensor<8xf32>) -> tensor<8xf32> {
  ^bb0(%i: tensor<i32>, %w: tensor<8x8xf32>, %s: tensor<8xf32>):
    %h = heddle.einsum "d,de->e" %s, %w : (tensor<8xf32>, tensor<8x8xf32>) -> tensor<8xf32>
    %g = heddle.mul %h, %v : tensor<8xf32>
    %e = heddle.exp %g : tensor<8xf32>
    %n = heddle.neg %e : tensor<8xf32>
    heddle.yield %n : tensor<8xf32>
  }
  return %y : tensor<8xf32>
}

// CHECK-LABEL: func.func private @layers.vjp.0.1.2(
// CHECK-SAME: %[[X:.*]]: tensor<8xf32>, %[[WS:.*]]: tensor<5x8x8xf32>, %[[V:.*]]: tensor<8xf32>, %[[CT:.*]]: tensor<8xf32>)
// CHECK: %[[ZERO:.*]] = heddle.constant dense<0.0
// CHECK: %[[F:.*]]:3 = heddle.for 5 scan(%[[WS]]) init(%[[X]])
// CHECK: ^bb0(%{{.*}}: tensor<i32>, %[[W:.*]]: tensor<8x8xf32>, %[[S:.*]]: tensor<8xf32>):
// CHECK: %[[H:.*]] = heddle.einsum "d,de->e" %[[S]], %[[W]]
// CHECK: heddle.yield %{{.*}}, %[[H]], %[[S]] :
// CHECK: %[[B:.*]]:3 = heddle.for 5 reverse scan(%[[F]]#1, %[[F]]#2, %[[WS]]) init(%[[CT]], %[[ZERO]])
// CHECK: ^bb0(%{{.*}}: tensor<i32>, %[[KH:.*]]: tensor<8xf32>, %[[KS:.*]]: tensor<8xf32>, %[[KW:.*]]: tensor<8x8xf32>, %[[C:.*]]: tensor<8xf32>, %[[SUM:.*]]: tensor<8xf32>):
// CHECK: %[[G:.*]] = heddle.mul %[[KH]], %[[V]]
// CHECK: %[[E:.*]] = heddle.exp %[[G]]
// CHECK: %[[DE:.*]] = heddle.mul %[[C]], %[[E]]
// CHECK: %[[DG:.*]] = heddle.neg %[[DE]]
// CHECK-DAG: %[[DH:.*]] = heddle.mul %[[DG]], %[[V]]
// CHECK-DAG: %[[DV:.*]] = heddle.mul %[[DG]], %[[KH]]
// CHECK-DAG: %[[DS:.*]] = heddle.einsum "e,de->d" %[[DH]], %[[KW]]
// CHECK-DAG: %[[DW:.*]] = heddle.einsum "e,d->de" %[[DH]], %[[KS]]
// CHECK-DAG: %[[NEXT:.*]] = heddle.add %{{.*}}, %[[DV]]
// CHECK: heddle.yield %[[DS]], %[[NEXT]], %[[DW]]
// CHECK: return %[[F]]#0, %[[B]]#0, %[[B]]#2, %[[B]]#1
func.func @gradient(%x: tensor<8xf32>, %ws: tensor<5x8x8xf32>, %v: tensor<8xf32>, %ct: tensor<8xf32>) -> (tensor<8xf32>, tensor<5x8x8xf32>, tensor<8xf32>) {
  %y, %dx, %dws, %dv = heddle.vjp @layers(%x, %ws, %v, %ct) wrt [0, 1, 2] : (tensor<8xf32>, tensor<5x8x8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>, tensor<5x8x8xf32>, tensor<8xf32>)
  return %dx, %dws, %dv : tensor<8xf32>, tensor<5x8x8xf32>, tensor<8xf32>
}
