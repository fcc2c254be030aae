// RUN: heddle-opt --heddle-differentiate --verify-diagnostics %s | FileCheck %s

// Adjoints and tangents have no fused derivative: second derivatives go through their dense forms, with a remark. What is not
// differentiated twice stays fused.

!q = tensor<1x2x5x3xf32>
!u = tensor<1x2x5xf32>
!i = tensor<1x2x5xi32>

func.func private @attend(%q: !q, %u: !u) -> !q {
  // expected-remark @below {{'sparsek.threshold_backward' is differentiated in its dense form, of quadratic size: second derivatives have no fused form}}
  // expected-remark @below {{'sparsek.threshold_tangent' is differentiated in its dense form, of quadratic size: second derivatives have no fused form}}
  %hi, %lo, %count, %end = sparsek.threshold %u topk 2 window 1 : !u -> !u, !u, !i, !i
  // expected-remark @below {{'sparsek.attention_backward' is differentiated in its dense form, of quadratic size: second derivatives have no fused form}}
  // expected-remark @below {{'sparsek.attention_tangent' is differentiated in its dense form, of quadratic size: second derivatives have no fused form}}
  %o, %lse = sparsek.attention %q, %q, %q, %u, %hi, %lo, %end topk 2 window 1 scale 0.5 gate both estimator soft
      : (!q, !q, !q, !u, !u, !u, !i) -> (!q, !u)
  return %o : !q
}

// CHECK-LABEL: func.func private @gradient.jvp.1(
// CHECK: sparsek.threshold
// CHECK: sparsek.attention %
// CHECK: sparsek.attention_tangent
// CHECK-NOT: sparsek.attention_backward
// CHECK: heddle.einsum "bhgie,bhje->bhgij"
// CHECK-NOT: sparsek.attention_backward
// CHECK: return
func.func private @gradient(%q: !q, %u: !u, %ct: !q) -> !u {
  %a:2 = heddle.vjp @attend(%q, %u, %ct) wrt [1] : (!q, !u, !q) -> (!q, !u)
  return %a#1 : !u
}
func.func @forward_over_reverse(%q: !q, %u: !u, %ct: !q) -> !u {
  %a:2 = heddle.jvp @gradient(%q, %u, %ct, %u) wrt [1] : (!q, !u, !q, !u) -> (!u, !u)
  return %a#1 : !u
}

// CHECK-LABEL: func.func private @tangent.vjp.1(
// CHECK-NOT: sparsek.attention_tangent
// CHECK: sparsek.attention_backward
// CHECK-SAME: dlse
// CHECK-NOT: sparsek.attention_tangent
// CHECK: return
func.func private @tangent(%q: !q, %u: !u, %du: !u) -> !q {
  %a:2 = heddle.jvp @attend(%q, %u, %du) wrt [1] : (!q, !u, !u) -> (!q, !q)
  return %a#1 : !q
}
func.func @reverse_over_forward(%q: !q, %u: !u, %ct: !q) -> !u {
  %a:2 = heddle.vjp @tangent(%q, %u, %u, %ct) wrt [1] : (!q, !u, !u, !q) -> (!q, !u)
  return %a#1 : !u
}
