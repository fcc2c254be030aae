// RUN: heddle-opt --heddle-differentiate --verify-roundtrip %s | FileCheck %s

// A checkpointed function is computed again in the backward pass, from operands behind fences, which no elimination of
// common subexpressions sees through. The loop keeps what it is called with, and the mark is gone.

func.func private @block(%x: tensor<8xf32>, %w: tensor<8x8xf32>) -> tensor<8xf32> attributes {heddle.checkpoint} {
  %h = heddle.einsum "d,de->e" %x, %w : (tensor<8xf32>, tensor<8x8xf32>) -> tensor<8xf32>
  %t = heddle.exp %h : tensor<8xf32>
  return %t : tensor<8xf32>
}
func.func private @layers(%x: tensor<8xf32>, %ws: tensor<3x8x8xf32>) -> tensor<8xf32> {
  %y = heddle.for 3 scan(%ws) init(%x) : (tensor<3x8x8xf32>, tensor<8xf32>) -> tensor<8xf32> {
  ^bb0(%i: tensor<i32>, %w: tensor<8x8xf32>, %s: tensor<8xf32>):
    %t = func.call @block(%s, %w) : (tensor<8xf32>, tensor<8x8xf32>) -> tensor<8xf32>
    heddle.yield %t : tensor<8xf32>
  }
  return %y : tensor<8xf32>
}

// CHECK: func.func private @block(%{{.*}}) -> tensor<8xf32> {
// CHECK: func.func private @block.vjp.0.1(
// CHECK-LABEL: func.func private @layers.vjp.1(
// CHECK-SAME: %[[X:.*]]: tensor<8xf32>, %[[WS:.*]]: tensor<3x8x8xf32>, %[[CT:.*]]: tensor<8xf32>)
// CHECK: %[[F:.*]]:2 = heddle.for 3 scan(%[[WS]]) init(%[[X]])
// CHECK: ^bb0(%{{.*}}: tensor<i32>, %{{.*}}: tensor<8x8xf32>, %[[S:.*]]: tensor<8xf32>):
// CHECK: %[[T:.*]] = func.call @block(
// CHECK: heddle.yield %[[T]], %[[S]]
// CHECK: heddle.for 3 reverse scan(%[[F]]#1, %[[WS]]) init(%[[CT]])
// CHECK: ^bb0(%{{.*}}: tensor<i32>, %[[KS:.*]]: tensor<8xf32>, %[[KW:.*]]: tensor<8x8xf32>, %[[C:.*]]: tensor<8xf32>):
// CHECK: %[[FS:.*]] = heddle.fence [[FIRST:[0-9]+]] %[[KS]]
// CHECK-NOT: heddle.fence [[FIRST]] %
// CHECK: %[[FW:.*]] = heddle.fence {{[0-9]+}} %[[KW]]
// CHECK: %[[D:.*]]:3 = func.call @block.vjp.0.1(%[[FS]], %[[FW]], %[[C]])
// CHECK: heddle.yield %[[D]]#1, %[[D]]#2
func.func @gradient(%x: tensor<8xf32>, %ws: tensor<3x8x8xf32>, %ct: tensor<8xf32>) -> tensor<3x8x8xf32> {
  %y, %dw = heddle.vjp @layers(%x, %ws, %ct) wrt [1] : (tensor<8xf32>, tensor<3x8x8xf32>, tensor<8xf32>) -> (tensor<8xf32>, tensor<3x8x8xf32>)
  return %dw : tensor<3x8x8xf32>
}
