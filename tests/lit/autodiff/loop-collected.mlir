// RUN: heddle-opt --heddle-differentiate --verify-roundtrip %s | FileCheck %s

// A value that the loop collects anyway is not stacked a second time.

func.func private @states(%x: tensor<8xf32>, %w: tensor<8x8xf32>) -> tensor<5x8xf32> {
  %last, %all = heddle.for 5 scan() init(%x) : (tensor<8xf32>) -> (tensor<8xf32>, tensor<5x8xf32>) {
  ^bb0(%i: tensor<i32>, %s: tensor<8xf32>):
    %h = heddle.einsum "d,de->e" %s, %w : (tensor<8xf32>, tensor<8x8xf32>) -> tensor<8xf32>
    %t = heddle.tanh %h : tensor<8xf32>
    heddle.yield %t, %t : tensor<8xf32>, tensor<8xf32>
  }
  return %all : tensor<5x8xf32>
}

// CHECK-LABEL: func.func private @states.vjp.0(
// CHECK-SAME: %[[CT:[a-z0-9]*]]: tensor<5x8xf32>)
// CHECK: %[[F:.*]]:2 = heddle.for 5 scan() init(%{{.*}}) : (tensor<8xf32>) -> (tensor<8xf32>, tensor<5x8xf32>)
// CHECK: heddle.for 5 reverse scan(%[[CT]], %[[F]]#1) init(%{{.*}}) : (tensor<5x8xf32>, tensor<5x8xf32>, tensor<8xf32>) -> tensor<8xf32>
func.func @gradient(%x: tensor<8xf32>, %w: tensor<8x8xf32>, %ct: tensor<5x8xf32>) -> tensor<8xf32> {
  %y, %dx = heddle.vjp @states(%x, %w, %ct) wrt [0] : (tensor<8xf32>, tensor<8x8xf32>, tensor<5x8xf32>) -> (tensor<5x8xf32>, tensor<8xf32>)
  return %dx : tensor<8xf32>
}
