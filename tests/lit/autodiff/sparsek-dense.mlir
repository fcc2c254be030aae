// RUN: heddle-opt --heddle-differentiate --verify-diagnostics %s | FileCheck %s

// Without a fused derivative the dense form is differentiated, with a remark: tangents, and gradients of gradients.

!q = tensor<1x2x5x3xf32>
!u = tensor<1x2x5xf32>
!i = tensor<1x2x5xi32>

func.func private @attend(%q: !q, %u: !u) -> !q {
  // expected-remark @below {{'sparsek.threshold' is differentiated in its dense form, of quadratic size: it has no tangent of its own}}
  %hi, %lo, %count, %end = sparsek.threshold %u topk 2 window 1 : !u -> !u, !u, !i, !i
  // expected-remark @below {{'sparsek.attention' is differentiated in its dense form, of quadratic size: it has no tangent of its own}}
  %o, %lse = sparsek.attention %q, %q, %q, %u, %hi, %lo, %end topk 2 window 1 scale 0.5 gate both estimator soft
      : (!q, !q, !q, !u, !u, !u, !i) -> (!q, !u)
  return %o : !q
}

// CHECK-LABEL: func.func private @attend.jvp.1(
// CHECK: sparsek.threshold
// CHECK-NOT: sparsek.
// CHECK: heddle.einsum "bhgie,bhje->bhgij"
// CHECK-NOT: sparsek.
// CHECK: return
func.func @tangent(%q: !q, %u: !u) -> !q {
  %a:2 = heddle.jvp @attend(%q, %u, %u) wrt [1] : (!q, !u, !u) -> (!q, !q)
  return %a#1 : !q
}
