// RUN: heddle-opt --heddle-differentiate --verify-roundtrip %s | FileCheck %s

// A product or a sine that is the same in each step leaves the loop before anything is stacked.

func.func private @f(%x: tensor<8xf32>, %a: tensor<8x8xf32>) -> tensor<8xf32> {
  %y = heddle.for 5 scan() init(%x) : (tensor<8xf32>) -> tensor<8xf32> {
  ^bb0(%i: tensor<i32>, %s: tensor<8xf32>):
    %aa = heddle.einsum "ab,bc->ac" %a, %a : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
    %h = heddle.einsum "d,de->e" %s, %aa : (tensor<8xf32>, tensor<8x8xf32>) -> tensor<8xf32>
    %f = heddle.iota axis 0 : tensor<8xf32>
    %r = heddle.sin %f : tensor<8xf32>
    %t = heddle.mul %h, %r : tensor<8xf32>
    heddle.yield %t : tensor<8xf32>
  }
  return %y : tensor<8xf32>
}

// CHECK-LABEL: func.func private @f.vjp.0(
// CHECK-SAME: %[[X:.*]]: tensor<8xf32>, %[[A:.*]]: tensor<8x8xf32>, %[[CT:.*]]: tensor<8xf32>)
// CHECK-DAG: %[[R:.*]] = heddle.sin
// CHECK-DAG: %[[AA:.*]] = heddle.einsum "ab,bc->ac" %[[A]], %[[A]]
// CHECK: heddle.for 5 scan() init(%[[X]]) : (tensor<8xf32>) -> tensor<8xf32>
// CHECK: heddle.for 5 reverse scan() init(%[[CT]]) : (tensor<8xf32>) -> tensor<8xf32>
// CHECK: heddle.mul %{{.*}}, %[[R]]
// CHECK: heddle.einsum "e,de->d" %{{.*}}, %[[AA]]
func.func @gradient(%x: tensor<8xf32>, %a: tensor<8x8xf32>, %ct: tensor<8xf32>) -> tensor<8xf32> {
  %y, %dx = heddle.vjp @f(%x, %a, %ct) wrt [0] : (tensor<8xf32>, tensor<8x8xf32>, tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>)
  return %dx : tensor<8xf32>
}
