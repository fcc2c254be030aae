// RUN: heddle-opt --heddle-differentiate --verify-roundtrip %s | FileCheck %s

// 100 checkpointed steps: ten segments keep one carry each; a segment is run again, keeping its ten carries, before its
// steps are gone through backward.

func.func private @long(%x: tensor<8xf32>, %w: tensor<8x8xf32>) -> tensor<8xf32> {
  %y = heddle.for 100 scan() init(%x) : (tensor<8xf32>) -> tensor<8xf32> {
  ^bb0(%i: tensor<i32>, %s: tensor<8xf32>):
    %h = heddle.einsum "d,de->e" %s, %w : (tensor<8xf32>, tensor<8x8xf32>) -> tensor<8xf32>
    %t = heddle.tanh %h : tensor<8xf32>
    heddle.yield %t : tensor<8xf32>
  } {heddle.checkpoint}
  return %y : tensor<8xf32>
}

// CHECK-LABEL: func.func private @long.vjp.0(
// CHECK: %[[F:.*]]:2 = heddle.for 10 scan() init(%{{.*}}) : (tensor<8xf32>) -> (tensor<8xf32>, tensor<10x8xf32>)
// CHECK: heddle.for 10 scan() init(%{{.*}}) : (tensor<8xf32>) -> tensor<8xf32>
// CHECK: heddle.for 10 reverse scan(%[[F]]#1) init(%{{.*}}) : (tensor<10x8xf32>, tensor<8xf32>) -> tensor<8xf32>
// CHECK: ^bb0(%{{.*}}: tensor<i32>, %[[START:.*]]: tensor<8xf32>, %[[CT:.*]]: tensor<8xf32>):
// CHECK: %[[AGAIN:.*]]:2 = heddle.for 10 scan() init(%[[START]]) : (tensor<8xf32>) -> (tensor<8xf32>, tensor<10x8xf32>)
// CHECK: heddle.for 10 reverse scan(%[[AGAIN]]#1) init(%[[CT]]) : (tensor<10x8xf32>, tensor<8xf32>) -> tensor<8xf32>
func.func @gradient(%x: tensor<8xf32>, %w: tensor<8x8xf32>, %ct: tensor<8xf32>) -> tensor<8xf32> {
  %y, %dx = heddle.vjp @long(%x, %w, %ct) wrt [0] : (tensor<8xf32>, tensor<8x8xf32>, tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>)
  return %dx : tensor<8xf32>
}
