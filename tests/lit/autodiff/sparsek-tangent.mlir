// RUN: heddle-opt --heddle-differentiate --verify-roundtrip %s | FileCheck %s

// Attention and threshold have tangents of their own, and lse has a cotangent. Operands that do not move have no tangent; the
// scores move nothing where they do not reach the output.

!q = tensor<1x4x9x3xf32>
!k = tensor<1x2x9x3xf32>
!u = tensor<1x2x9xf32>
!l = tensor<1x4x9xf32>
!i = tensor<1x2x9xi32>

func.func private @selected(%q: !q, %k: !k, %v: !k, %u: !u) -> (!q, !l) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : !u -> !u, !u, !i, !i
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 3 window 2 scale 0.5 gate both estimator soft
      : (!q, !k, !k, !u, !u, !u, !i) -> (!q, !l)
  return %o, %lse : !q, !l
}
func.func private @hard(%q: !q, %k: !k, %v: !k, %u: !u) -> (!q, !l) {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : !u -> !u, !u, !i, !i
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 3 window 2 scale 0.5 gate none estimator soft
      : (!q, !k, !k, !u, !u, !u, !i) -> (!q, !l)
  return %o, %lse : !q, !l
}

// CHECK-LABEL: func.func private @selected.vjp.0(
// CHECK-SAME: %[[CO:[a-z0-9]*]]: tensor<1x4x9x3xf32>, %[[CL:[a-z0-9]*]]: tensor<1x4x9xf32>)
// CHECK: sparsek.attention_backward {{.*}}, %[[CO]] dlse %[[CL]] topk 3

// CHECK-LABEL: func.func private @selected.jvp.0.3(
// CHECK-SAME: %[[U:[a-z0-9]*]]: tensor<1x2x9xf32>, %[[DQ:[a-z0-9]*]]: tensor<1x4x9x3xf32>, %[[DU:[a-z0-9]*]]: tensor<1x2x9xf32>)
// CHECK: %[[HI:[a-z]+]], %[[LO:[a-z]+]], %[[COUNT:[a-z]+]], %[[END:[a-z]+]] = sparsek.threshold %[[U]]
// CHECK: %[[DTAU:.*]] = sparsek.threshold_tangent %[[U]], %[[HI]], %[[LO]], %[[COUNT]], %[[DU]] window 2
// CHECK: %[[O:[a-z]+]], %[[LSE:[a-z]+]] = sparsek.attention
// CHECK: %[[DOUT:[a-z]+]], %[[DLSE:[a-z]+]] = sparsek.attention_tangent %{{.*}}, %[[U]], %[[HI]], %[[LO]], %[[END]], %[[O]], %[[LSE]] dq %[[DQ]] du %[[DU]] dtau %[[DTAU]] topk 3 window 2 scale 5.0{{.*}} gate both estimator soft
// CHECK: return %[[O]], %[[LSE]], %[[DOUT]], %[[DLSE]]
func.func @tangents(%q: !q, %k: !k, %v: !k, %u: !u) -> (!q, !l) {
  %a:4 = heddle.jvp @selected(%q, %k, %v, %u, %q, %u) wrt [0, 3] : (!q, !k, !k, !u, !q, !u) -> (!q, !l, !q, !l)
  return %a#2, %a#3 : !q, !l
}

// CHECK-LABEL: func.func private @hard.jvp.3(
// CHECK: %[[ZERO:.*]] = heddle.constant dense<0.0{{.*}}> : tensor<1x4x9x3xf32>
// CHECK-NOT: sparsek.attention_tangent
// CHECK: return
func.func @nothing(%q: !q, %k: !k, %v: !k, %u: !u) -> (!q, !l) {
  %a:4 = heddle.jvp @hard(%q, %k, %v, %u, %u) wrt [3] : (!q, !k, !k, !u, !u) -> (!q, !l, !q, !l)
  return %a#2, %a#3 : !q, !l
}

func.func @gradient(%q: !q, %k: !k, %v: !k, %u: !u, %co: !q, %cl: !l) -> !q {
  %a:3 = heddle.vjp @selected(%q, %k, %v, %u, %co, %cl) wrt [0] : (!q, !k, !k, !u, !q, !l) -> (!q, !l, !q)
  return %a#2 : !q
}
