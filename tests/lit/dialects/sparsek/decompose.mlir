// RUN: heddle-opt --sparsek-decompose --verify-roundtrip %s | FileCheck %s

// The dense forms. The threshold keeps its operation, whose results are the same bits, and gets a derivative beside it.

!q = tensor<1x4x9x3xbf16>
!k = tensor<1x2x9x3xbf16>
!u = tensor<1x2x9xf32>
!i = tensor<1x2x9xi32>

// CHECK-LABEL: func.func @attention(
// CHECK: %[[STOPPED:.*]] = heddle.stop_gradient %arg3 : tensor<1x2x9xf32>
// CHECK: %[[HI:[a-z]+]], %[[LO:[a-z]+]], %[[COUNT:[a-z]+]], %[[END:[a-z]+]] = sparsek.threshold %[[STOPPED]]
// CHECK: %[[TAU:.*]] = heddle.add %[[HI]], %{{.*}} : tensor<1x2x9xf32>
// CHECK: heddle.broadcast %[[END]]
// CHECK: heddle.broadcast %[[TAU]]
// CHECK: %[[A:.*]] = heddle.einsum "bhgie,bhje->bhgij" %{{.*}} : (tensor<1x2x2x9x3xf32>, tensor<1x2x9x3xf32>) -> tensor<1x2x2x9x9xf32>
// CHECK: heddle.einsum "bhgij,bhjf->bhgif"
// CHECK: heddle.cast %{{.*}} : tensor<1x4x9x3xf32> -> tensor<1x4x9x3xbf16>
// CHECK-NOT: sparsek.attention
func.func @attention(%q: !q, %k: !k, %v: !k, %u: !u) -> !q {
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : !u -> !u, !u, !i, !i
  %o, %lse = sparsek.attention %q, %k, %v, %u, %hi, %lo, %end topk 3 window 2 scale 0.5 gate both estimator soft
      : (!q, !k, !k, !u, !u, !u, !i) -> (!q, tensor<1x4x9xf32>)
  return %o : !q
}

// CHECK-LABEL: func.func @backward(
// CHECK-NOT: sparsek.
// CHECK: return
func.func @backward(%u: !u, %hi: !u, %lo: !u, %count: !i, %dtau: !u) -> !u {
  %du = sparsek.threshold_backward %u, %hi, %lo, %count, %dtau window 2 : !u, !u, !u, !i, !u -> !u
  return %du : !u
}

// CHECK-LABEL: func.func @tangents(
// CHECK-NOT: sparsek.
// CHECK: return
func.func @tangents(%q: !q, %k: !k, %u: !u, %hi: !u, %lo: !u, %count: !i, %end: !i, %o: !q, %lse: tensor<1x4x9xf32>) -> !q {
  %dtau = sparsek.threshold_tangent %u, %hi, %lo, %count, %u window 2 : !u, !u, !u, !i, !u -> !u
  %do, %dlse = sparsek.attention_tangent %q, %k, %k, %u, %hi, %lo, %end, %o, %lse dv %k du %u dtau %dtau
      topk 3 window 2 scale 0.5 gate both estimator soft
      : (!q, !k, !k, !u, !u, !u, !i, !q, tensor<1x4x9xf32>, !k, !u, !u) -> (!q, tensor<1x4x9xf32>)
  return %do : !q
}

// Running the pass twice changes nothing: a threshold of a stopped value is left alone.
// CHECK-LABEL: func.func @stopped(
// CHECK-NEXT: heddle.stop_gradient
// CHECK-NEXT: sparsek.threshold
// CHECK-NEXT: return
func.func @stopped(%u: !u) -> !u {
  %s = heddle.stop_gradient %u : !u
  %hi, %lo, %count, %end = sparsek.threshold %s topk 3 window 2 : !u -> !u, !u, !i, !i
  return %hi : !u
}

// Packed sequences: pairs of one sequence only.
// CHECK-LABEL: func.func @packed(
// CHECK: %[[STARTS:.*]] = heddle.slice %arg5 starts [0, 0] sizes [1, 9] strides [1, 1] : tensor<2x9xi32> -> tensor<1x9xi32>
// CHECK: heddle.compare ge
// CHECK-NOT: sparsek.
// CHECK: return
func.func @packed(%u: !u, %hi: !u, %lo: !u, %count: !i, %dtau: !u, %bounds: tensor<2x9xi32>) -> !u {
  %du = sparsek.threshold_backward %u, %hi, %lo, %count, %dtau, bounds %bounds window 2 : !u, !u, !u, !i, !u, tensor<2x9xi32> -> !u
  return %du : !u
}
