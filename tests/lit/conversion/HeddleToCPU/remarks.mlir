// RUN: heddle-opt --heddle-fused --heddle-lowered --remarks-filter-missed=heddle --remark-format=emitRemark %s 2>&1 >/dev/null | FileCheck %s

// CHECK: [[@LINE+2]]:8: remark: [Missed] serial reduction | {{.*}}a reduction over 65537 elements runs as 1 task, since no divisor of that length gives more
func.func @sum(%x: tensor<65537xf32>) -> tensor<f32> {
  %y = heddle.reduce sum %x axes [0] : tensor<65537xf32> -> tensor<f32>
  return %y : tensor<f32>
}

// CHECK: remark: [Missed] integer product | {{.*}}a product of integers runs as plain loops, without register tiles
func.func @product(%x: tensor<8x8xi32>) -> tensor<8x8xi32> {
  %y = heddle.einsum "mk,kn->mn" %x, %x : (tensor<8x8xi32>, tensor<8x8xi32>) -> tensor<8x8xi32>
  return %y : tensor<8x8xi32>
}

// CHECK: remark: [Missed] strided access | {{.*}}the inner loop of a group reads elements that are not adjacent
func.func @turn(%x: tensor<256x256xf32>) -> tensor<256x256xf32> {
  %y = heddle.transpose %x permutation [1, 0] : tensor<256x256xf32> -> tensor<256x256xf32>
  return %y : tensor<256x256xf32>
}

// The product of both lengths.
// CHECK: [[@LINE+2]]:14: remark: [Missed] quadratic attention | {{.*}}all 16 x 24 pairs are computed, since the visibility bounds neither j given i nor i given j: every pair is visible
func.func @every(%q: tensor<1x1x16x4xf32>, %k: tensor<1x1x24x4xf32>) -> tensor<1x1x16x4xf32> {
  %o, %lse = sparsek.variant_attention %q, %k, %k captures() scale 0.5
      : (tensor<1x1x16x4xf32>, tensor<1x1x24x4xf32>, tensor<1x1x24x4xf32>) -> (tensor<1x1x16x4xf32>, tensor<1x1x16xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %seen = heddle.constant dense<true> : tensor<i1>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  return %o : tensor<1x1x16x4xf32>
}
// CHECK: remark: [Missed] quadratic attention | {{.*}}: the term at [[@LINE+10]]:12 is a disjunction, the term at [[@LINE+13]]:13 does not compare i or j with what the other one determines
func.func @unbounded(%q: tensor<1x1x16x4xf32>, %t: tensor<16xi32>) -> tensor<1x1x16x4xf32> {
  %o, %lse = sparsek.variant_attention %q, %q, %q captures(%t) scale 0.5
      : (tensor<1x1x16x4xf32>, tensor<1x1x16x4xf32>, tensor<1x1x16x4xf32>, tensor<16xi32>)
      -> (tensor<1x1x16x4xf32>, tensor<1x1x16xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %doc: tensor<16xi32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %zero = heddle.constant dense<0.0> : tensor<f32>
    %low = heddle.compare lt %s, %zero : tensor<f32>
    %past = heddle.compare le %j, %i : tensor<i32>
    %any = heddle.or %past, %low : tensor<i1>
    %x = sparsek.read %doc[%i] : tensor<16xi32>
    %y = sparsek.read %doc[%j] : tensor<16xi32>
    %same = heddle.compare eq %x, %y : tensor<i32>
    %seen = heddle.and %any, %same : tensor<i1>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  return %o : tensor<1x1x16x4xf32>
}
// A term that bounds nothing is no reason for a remark beside one that does.
// CHECK-NOT: quadratic attention
func.func @bounded(%q: tensor<1x1x16x4xf32>, %t: tensor<16xi32>) -> tensor<1x1x16x4xf32> {
  %o, %lse = sparsek.variant_attention %q, %q, %q captures(%t) scale 0.5
      : (tensor<1x1x16x4xf32>, tensor<1x1x16x4xf32>, tensor<1x1x16x4xf32>, tensor<16xi32>)
      -> (tensor<1x1x16x4xf32>, tensor<1x1x16xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %doc: tensor<16xi32>):
    %one = heddle.constant dense<1.0> : tensor<f32>
    %past = heddle.compare le %j, %i : tensor<i32>
    %x = sparsek.read %doc[%i] : tensor<16xi32>
    %y = sparsek.read %doc[%j] : tensor<16xi32>
    %same = heddle.compare eq %x, %y : tensor<i32>
    %seen = heddle.and %past, %same : tensor<i1>
    sparsek.yield %s, %one, %seen : tensor<f32>
  }
  return %o : tensor<1x1x16x4xf32>
}
