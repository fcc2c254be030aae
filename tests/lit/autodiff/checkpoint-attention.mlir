// RUN: heddle-opt --heddle-differentiate --verify-roundtrip %s | FileCheck %s

// A loop of checkpointed functions with attention in them keeps its carries and what thresholds and attention gave: they are not computed
// again, what they read is.

!x = tensor<1x2x9x4xf32>
!u = tensor<1x2x9xf32>
!i = tensor<1x2x9xi32>

func.func private @block(%x: !x, %w: tensor<4x4xf32>) -> !x attributes {heddle.checkpoint} {
  %q = heddle.einsum "bhne,ef->bhnf" %x, %w : (!x, tensor<4x4xf32>) -> !x
  %u = heddle.reduce sum %q axes [3] : !x -> !u
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : !u -> !u, !u, !i, !i
  %o, %lse = sparsek.attention %q, %q, %q, %u, %hi, %lo, %end topk 3 window 2 scale 0.5 gate both estimator soft
      : (!x, !x, !x, !u, !u, !u, !i) -> (!x, !u)
  return %o : !x
}
func.func private @layers(%x: !x, %ws: tensor<3x4x4xf32>) -> !x {
  %y = heddle.for 3 scan(%ws) init(%x) : (tensor<3x4x4xf32>, !x) -> !x {
  ^bb0(%i: tensor<i32>, %w: tensor<4x4xf32>, %s: !x):
    %t = func.call @block(%s, %w) : (!x, tensor<4x4xf32>) -> !x
    heddle.yield %t : !x
  }
  return %y : !x
}

// CHECK-LABEL: func.func private @layers.vjp.1(
// CHECK: heddle.for 3 scan
// CHECK: heddle.einsum
// CHECK: %[[HI:[a-z]+]], %[[LO:[a-z]+]], %[[COUNT:[a-z]+]], %[[END:[a-z]+]] = sparsek.threshold
// CHECK: %[[O:[a-z]+]], %[[LSE:[a-z]+]] = sparsek.attention
// CHECK: heddle.yield %[[O]], {{.*}} : tensor<1x2x9x4xf32>, {{.*}}
// CHECK: heddle.for 3 reverse scan
// CHECK: heddle.einsum "bhne,ef->bhnf"
// CHECK-NOT: sparsek.threshold %
// CHECK-NOT: sparsek.attention %
// CHECK: sparsek.attention_backward
// CHECK: return
func.func @gradient(%x: !x, %ws: tensor<3x4x4xf32>, %ct: !x) -> tensor<3x4x4xf32> {
  %y, %dw = heddle.vjp @layers(%x, %ws, %ct) wrt [1] : (!x, tensor<3x4x4xf32>, !x) -> (!x, tensor<3x4x4xf32>)
  return %dw : tensor<3x4x4xf32>
}

// One with a rule of its own is not inlined: the rule is its derivative, in a loop too.
func.func private @ruled(%x: !x) -> !x attributes {heddle.checkpoint, heddle.custom_vjp = @rule} {
  %u = heddle.reduce sum %x axes [3] : !x -> !u
  %hi, %lo, %count, %end = sparsek.threshold %u topk 3 window 2 : !u -> !u, !u, !i, !i
  %o, %lse = sparsek.attention %x, %x, %x, %u, %hi, %lo, %end topk 3 window 2 scale 0.5 gate both estimator soft
      : (!x, !x, !x, !u, !u, !u, !i) -> (!x, !u)
  return %o : !x
}
func.func private @rule(%x: !x, %ct: !x) -> !x {
  %d = heddle.mul %x, %ct : !x
  return %d : !x
}
func.func private @ruled_layers(%x: !x, %ns: tensor<2xf32>) -> !x {
  %y = heddle.for 2 scan(%ns) init(%x) : (tensor<2xf32>, !x) -> !x {
  ^bb0(%i: tensor<i32>, %n: tensor<f32>, %s: !x):
    %t = func.call @ruled(%s) : (!x) -> !x
    heddle.yield %t : !x
  }
  return %y : !x
}

// CHECK-LABEL: func.func private @ruled_layers.vjp.
// CHECK: heddle.for 2 reverse
// CHECK-NOT: sparsek.attention_backward
// CHECK: func.call @rule(
// CHECK: return
func.func @ruled_gradient(%x: !x, %ns: tensor<2xf32>, %ct: !x) -> !x {
  %y, %dx = heddle.vjp @ruled_layers(%x, %ns, %ct) wrt [0] : (!x, tensor<2xf32>, !x) -> (!x, !x)
  return %dx : !x
}
