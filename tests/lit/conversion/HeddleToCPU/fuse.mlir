// RUN: heddle-opt --heddle-fused %s | FileCheck %s

// A softmax is one group.
// CHECK-LABEL: func.func @softmax
// CHECK: %[[Y:.*]] = heddle.fusion(%arg0) : (tensor<64x32xf32>) -> tensor<64x32xf32>
// CHECK: reduce max
// CHECK: reduce sum
// CHECK: heddle.div
// CHECK-NOT: heddle.fusion
// CHECK: return %[[Y]]
func.func @softmax(%x: tensor<64x32xf32>) -> tensor<64x32xf32> {
  %m = heddle.reduce max %x axes [1] : tensor<64x32xf32> -> tensor<64xf32>
  %mb = heddle.broadcast %m axes [0] : tensor<64xf32> -> tensor<64x32xf32>
  %d = heddle.sub %x, %mb : tensor<64x32xf32>
  %e = heddle.exp %d : tensor<64x32xf32>
  %s = heddle.reduce sum %e axes [1] : tensor<64x32xf32> -> tensor<64xf32>
  %sb = heddle.broadcast %s axes [0] : tensor<64xf32> -> tensor<64x32xf32>
  %r = heddle.div %e, %sb : tensor<64x32xf32>
  return %r : tensor<64x32xf32>
}

// Work on the same rows under another shape joins; the product's transposition is taken into the next group's reads.
// CHECK-LABEL: func.func @around_product
// CHECK: heddle.fusion(%arg0)
// CHECK: heddle.matmul
// CHECK: %[[Z:.*]]:2 = heddle.fusion
// CHECK: heddle.transpose
// CHECK: heddle.reduce
// CHECK-NOT: heddle.fusion
// CHECK: return %[[Z]]#1, %[[Z]]#0
func.func @around_product(%x: tensor<2x16x8xf32>, %w: tensor<8x4x8xf32>) -> (tensor<2x4x16x8xf32>, tensor<2x4x16xf32>) {
  %y = heddle.tanh %x : tensor<2x16x8xf32>
  %p = heddle.einsum "bnd,dhe->bhne" %y, %w : (tensor<2x16x8xf32>, tensor<8x4x8xf32>) -> tensor<2x4x16x8xf32>
  %s = heddle.reduce sum %p axes [3] : tensor<2x4x16x8xf32> -> tensor<2x4x16xf32>
  %q = heddle.neg %p : tensor<2x4x16x8xf32>
  return %q, %s : tensor<2x4x16x8xf32>, tensor<2x4x16xf32>
}

// An optimizer's update of one tensor is one group of several results.
// CHECK-LABEL: func.func @update
// CHECK: %[[U:.*]]:2 = heddle.fusion
// CHECK-NOT: heddle.fusion
func.func @update(%p: tensor<32x8xf32>, %m: tensor<32x8xf32>, %g: tensor<32x8xf32>) -> (tensor<32x8xf32>, tensor<32x8xf32>) {
  %n = heddle.add %m, %g : tensor<32x8xf32>
  %s = heddle.sqrt %n : tensor<32x8xf32>
  %q = heddle.sub %p, %s : tensor<32x8xf32>
  return %q, %n : tensor<32x8xf32>, tensor<32x8xf32>
}

// A group must not wait for itself: the product of the first result feeds the second.
// CHECK-LABEL: func.func @no_cycle
// CHECK: heddle.fusion
// CHECK: heddle.matmul
// CHECK: heddle.fusion
func.func @no_cycle(%x: tensor<1x8x8xf32>) -> tensor<1x8x8xf32> {
  %a = heddle.exp %x : tensor<1x8x8xf32>
  %b = heddle.matmul %a, %a : (tensor<1x8x8xf32>, tensor<1x8x8xf32>) -> tensor<1x8x8xf32>
  %c = heddle.add %a, %b : tensor<1x8x8xf32>
  return %c : tensor<1x8x8xf32>
}

// What a loop does not change is computed before it.
// CHECK-LABEL: func.func @invariant
// CHECK: heddle.fusion
// CHECK: heddle.exp
// CHECK: heddle.for
// CHECK-NOT: heddle.exp
// CHECK: return
func.func @invariant(%x: tensor<8xf32>) -> tensor<8xf32> {
  %r = heddle.for 3 scan() init(%x) : (tensor<8xf32>) -> tensor<8xf32> {
  ^bb0(%i: tensor<i32>, %s: tensor<8xf32>):
    %e = heddle.exp %x : tensor<8xf32>
    %n = heddle.add %s, %e : tensor<8xf32>
    heddle.yield %n : tensor<8xf32>
  }
  return %r : tensor<8xf32>
}
