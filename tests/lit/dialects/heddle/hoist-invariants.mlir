// RUN: heddle-opt %s --heddle-hoist-invariants | FileCheck %s

// What is costly leaves the loop, with the cheap work that it reads; what is cheap alone stays with its readers.
// CHECK-LABEL: @costly
// CHECK-SAME: (%[[X:.*]]: tensor<8xf32>, %[[S:.*]]: tensor<8xf32>)
// CHECK: %[[N:.*]] = heddle.neg %[[X]]
// CHECK: %[[E:.*]] = heddle.exp %[[N]]
// CHECK: heddle.for 4
// CHECK: %[[C:.*]] = heddle.add %[[X]], %[[X]]
// CHECK: heddle.mul %[[E]], %[[C]]
func.func @costly(%x: tensor<8xf32>, %s0: tensor<8xf32>) -> tensor<8xf32> {
  %r = heddle.for 4 scan() init(%s0) : (tensor<8xf32>) -> tensor<8xf32> {
  ^bb0(%i: tensor<i32>, %s: tensor<8xf32>):
    %n = heddle.neg %x : tensor<8xf32>
    %e = heddle.exp %n : tensor<8xf32>
    %c = heddle.add %x, %x : tensor<8xf32>
    %p = heddle.mul %e, %c : tensor<8xf32>
    %t = heddle.add %s, %p : tensor<8xf32>
    heddle.yield %t : tensor<8xf32>
  }
  return %r : tensor<8xf32>
}

// Out of both loops; a product with the outer slice out of the inner one only.
// CHECK-LABEL: @nested
// CHECK-SAME: (%[[W:.*]]: tensor<8x8xf32>, %[[XS:.*]]: tensor<3x8xf32>, %[[S:.*]]: tensor<8xf32>)
// CHECK: %[[WW:.*]] = heddle.einsum "ab,bc->ac" %[[W]], %[[W]]
// CHECK: heddle.for 3
// CHECK: ^bb0(%{{.*}}: tensor<i32>, %[[X:.*]]: tensor<8xf32>, %{{.*}}: tensor<8xf32>):
// CHECK: %[[P:.*]] = heddle.einsum "ab,b->a" %[[WW]], %[[X]]
// CHECK: heddle.for 5
// CHECK-NOT: heddle.einsum
func.func @nested(%w: tensor<8x8xf32>, %xs: tensor<3x8xf32>, %s0: tensor<8xf32>) -> tensor<8xf32> {
  %r = heddle.for 3 scan(%xs) init(%s0) : (tensor<3x8xf32>, tensor<8xf32>) -> tensor<8xf32> {
  ^bb0(%i: tensor<i32>, %x: tensor<8xf32>, %s: tensor<8xf32>):
    %q = heddle.for 5 scan() init(%s) : (tensor<8xf32>) -> tensor<8xf32> {
    ^bb0(%j: tensor<i32>, %u: tensor<8xf32>):
      %ww = heddle.einsum "ab,bc->ac" %w, %w : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
      %p = heddle.einsum "ab,b->a" %ww, %x : (tensor<8x8xf32>, tensor<8xf32>) -> tensor<8xf32>
      %t = heddle.add %u, %p : tensor<8xf32>
      heddle.yield %t : tensor<8xf32>
    }
    heddle.yield %q : tensor<8xf32>
  }
  return %r : tensor<8xf32>
}

// A loop that never runs computes nothing; recomputed work stays behind its fence.
// CHECK-LABEL: @stays
// CHECK: heddle.for 0
// CHECK: heddle.exp
// CHECK: heddle.for 4
// CHECK: %[[F:.*]] = heddle.fence 0
// CHECK: heddle.exp %[[F]]
func.func @stays(%x: tensor<8xf32>, %s0: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %none = heddle.for 0 scan() init(%s0) : (tensor<8xf32>) -> tensor<8xf32> {
  ^bb0(%i: tensor<i32>, %s: tensor<8xf32>):
    %e = heddle.exp %x : tensor<8xf32>
    heddle.yield %e : tensor<8xf32>
  }
  %r = heddle.for 4 reverse scan() init(%s0) : (tensor<8xf32>) -> tensor<8xf32> {
  ^bb0(%i: tensor<i32>, %s: tensor<8xf32>):
    %f = heddle.fence 0 %x : tensor<8xf32>
    %e = heddle.exp %f : tensor<8xf32>
    %t = heddle.mul %s, %e : tensor<8xf32>
    heddle.yield %t : tensor<8xf32>
  }
  return %none, %r : tensor<8xf32>, tensor<8xf32>
}

// The check that comes first in a step is the one that reports.
// CHECK-LABEL: @checks
// CHECK: %[[BEFORE:.*]] = heddle.gather
// CHECK: heddle.for 4
// CHECK: heddle.assert
// CHECK: heddle.gather
func.func @checks(%table: tensor<9x8xf32>, %a: tensor<i32>, %b: tensor<i32>, %s0: tensor<8xf32>) -> tensor<8xf32> {
  %nine = heddle.constant dense<9> : tensor<i32>
  %r = heddle.for 4 scan() init(%s0) : (tensor<8xf32>) -> tensor<8xf32> {
  ^bb0(%i: tensor<i32>, %s: tensor<8xf32>):
    %before = heddle.gather %table[%a] axis 0 : tensor<9x8xf32>, tensor<i32> -> tensor<8xf32>
    %ok = heddle.compare lt %b, %nine : tensor<i32>
    heddle.assert %ok, "no such row" : tensor<i1>
    %after = heddle.gather %table[%b] axis 0 : tensor<9x8xf32>, tensor<i32> -> tensor<8xf32>
    %p = heddle.mul %before, %after : tensor<8xf32>
    %t = heddle.add %s, %p : tensor<8xf32>
    heddle.yield %t : tensor<8xf32>
  }
  return %r : tensor<8xf32>
}
