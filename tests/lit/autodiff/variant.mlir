// RUN: heddle-opt --heddle-differentiate %s | FileCheck %s
// RUN: heddle-opt --heddle-differentiate --verify-diagnostics %s -o /dev/null

!q = tensor<1x2x4x3xf32>
!k = tensor<1x1x4x3xf32>

// Tangents go through the dense form.
// CHECK-LABEL: func.func private @f.jvp.2(
// CHECK-NOT: sparsek.
// CHECK: return

// The block of the backward pass is the forward one with its adjoint. The gradient of q and of the bias is asked for,
// not that of the gate.
// CHECK-LABEL: func.func private @f.vjp.0.2(
// CHECK: %[[O:[a-z]+]], %[[LSE:[a-z]+]] = sparsek.variant_attention
// CHECK: %[[DQ:[a-z]+]], %{{.*}}, %{{.*}}, %[[DBIAS:[a-z]+]] = sparsek.variant_attention_backward %arg0, %arg1, %arg1 captures(%arg2, %arg3) from %[[O]], %[[LSE]], %arg4 wanted [0] scale 5.000000e-01
// CHECK: ^bb0(%[[S:[a-z0-9]+]]: tensor<f32>, %{{.*}}: tensor<i32>, %[[H:[a-z0-9]+]]: tensor<i32>, %{{.*}}: tensor<i32>, %[[J:[a-z0-9]+]]: tensor<i32>, %[[DSCORE:[a-z0-9]+]]: tensor<f32>, %{{.*}}: tensor<f32>, %[[BIAS:[a-z0-9]+]]: tensor<2x4xf32>, %[[GATES:[a-z0-9]+]]: tensor<4xf32>):
// CHECK: sparsek.read %[[BIAS]][%[[H]], %[[J]]]
// CHECK: sparsek.accumulate %[[DSCORE]] into %[[BIAS]][%[[H]], %[[J]]] : tensor<2x4xf32>
// CHECK-NOT: sparsek.accumulate
// CHECK: sparsek.yield_adjoint %{{.*}}, %{{.*}}, %{{.*}}, %[[DSCORE]] : tensor<f32>
// CHECK: return %[[O]], %[[DQ]], %[[DBIAS]]

func.func @gradient(%q: !q, %k: !k, %bias: tensor<2x4xf32>, %gates: tensor<4xf32>, %c: !q) -> (!q, tensor<2x4xf32>, !q) {
  %y, %dq, %db = heddle.vjp @f(%q, %k, %bias, %gates, %c) wrt [0, 2] : (!q, !k, tensor<2x4xf32>, tensor<4xf32>, !q) -> (!q, !q, tensor<2x4xf32>)
  %z, %t = heddle.jvp @f(%q, %k, %bias, %gates, %bias) wrt [2] : (!q, !k, tensor<2x4xf32>, tensor<4xf32>, tensor<2x4xf32>) -> (!q, !q)
  return %dq, %db, %t : !q, tensor<2x4xf32>, !q
}

func.func @f(%q: !q, %k: !k, %bias: tensor<2x4xf32>, %gates: tensor<4xf32>) -> !q {
  // expected-remark @below {{'sparsek.variant_attention' is differentiated in its dense form, of quadratic size: it has no tangent of its own}}
  %o, %lse = sparsek.variant_attention %q, %k, %k captures(%bias, %gates) scale 0.5
      : (!q, !k, !k, tensor<2x4xf32>, tensor<4xf32>) -> (!q, tensor<1x2x4xf32>) {
  ^bb0(%s: tensor<f32>, %b: tensor<i32>, %h: tensor<i32>, %i: tensor<i32>, %j: tensor<i32>, %x: tensor<2x4xf32>, %y: tensor<4xf32>):
    %a = sparsek.read %x[%h, %j] : tensor<2x4xf32>
    %score = heddle.add %s, %a : tensor<f32>
    %gate = sparsek.read %y[%j] : tensor<4xf32>
    %past = heddle.compare le %j, %i : tensor<i32>
    sparsek.yield %score, %gate, %past : tensor<f32>
  }
  return %o : !q
}
