// RUN: heddle-opt --heddle-differentiate --verify-roundtrip %s | FileCheck %s

// Attention and threshold have backward operations. The derivative of the threshold travels on hi alone. With a window only,
// the scores get no cotangent at all.

!q = tensor<1x4x9x3xf32>
!k = tensor<1x2x9x3xf32>
!u = tensor<1x2x9xf32>
!i = tensor<1x2x9xi32>

func.func private @selected(%q: !q, %k: !k, %v: !k, %u: !u) -> !q {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : !u -> !u, !u, !i, !i
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 3 window 2 scale 0.5 gate both estimator soft
      : (!q, !k, !k, !u, !u, !u, !i) -> (!q, tensor<1x4x9xf32>)
  return %o : !q
}
func.func private @window(%q: !q, %k: !k, %v: !k, %u: !u) -> !q {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 0 window 4 : !u -> !u, !u, !i, !i
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 0 window 4 scale 0.5 gate both estimator soft
      : (!q, !k, !k, !u, !u, !u, !i) -> (!q, tensor<1x4x9xf32>)
  return %o : !q
}

// CHECK-LABEL: func.func private @selected.vjp.0.3(
// CHECK-SAME: %[[U:[a-z0-9]*]]: tensor<1x2x9xf32>, %[[CT:[a-z0-9]*]]: tensor<1x4x9x3xf32>)
// CHECK: %[[HI:[a-z]+]], %[[LO:[a-z]+]], %[[COUNT:[a-z]+]], %[[END:[a-z]+]] = sparsek.threshold %[[U]]
// CHECK: %[[O:[a-z]+]], %[[LSE:[a-z]+]] = sparsek.attention
// CHECK: %[[DQ:[a-z]+]], %{{.*}}, %{{.*}}, %[[DU:[a-z]+]], %[[DTAU:[a-z]+]] = sparsek.attention_backward %{{.*}}, %[[U]], %[[HI]], %[[LO]], %[[END]], %[[O]], %[[LSE]], %[[CT]] topk 3 window 2 scale 5.0{{.*}} gate both estimator soft
// CHECK: %[[THROUGH:.*]] = sparsek.threshold_backward %[[U]], %[[HI]], %[[LO]], %[[COUNT]], %[[DTAU]] window 2
// CHECK: %[[SUM:.*]] = heddle.add %[[DU]], %[[THROUGH]]
// CHECK: return %[[O]], %[[DQ]], %[[SUM]]

// CHECK-LABEL: func.func private @window.vjp.0.3(
// CHECK: %[[ZERO:.*]] = heddle.constant dense<0.0{{.*}}> : tensor<1x2x9xf32>
// CHECK: %[[DQ:[a-z]+]], %{{.*}} = sparsek.attention_backward
// CHECK-NOT: sparsek.threshold_backward
// CHECK: return %{{.*}}, %[[DQ]], %[[ZERO]]
func.func @gradients(%q: !q, %k: !k, %v: !k, %u: !u, %ct: !q) -> (!q, !u, !q, !u) {
  %a:3 = heddle.vjp @selected(%q, %k, %v, %u, %ct) wrt [0, 3] : (!q, !k, !k, !u, !q) -> (!q, !q, !u)
  %b:3 = heddle.vjp @window(%q, %k, %v, %u, %ct) wrt [0, 3] : (!q, !k, !k, !u, !q) -> (!q, !q, !u)
  return %a#1, %a#2, %b#1, %b#2 : !q, !u, !q, !u
}
