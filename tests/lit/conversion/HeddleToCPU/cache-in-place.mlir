// RUN: heddle-opt --heddle-fused --heddle-lowered %s | FileCheck %s

!tokens = tensor<1x1x1x4xf32>
!slots = tensor<1x1x3x4xf32>
!score = tensor<1x1x3xf32>
!key = tensor<1x1x3xi32>
!live = tensor<1x1x8xf32>
!head = tensor<1x1xf32>
!count = tensor<1x1xi32>

// A loop that carries a cache updates it where it lies: copies before the loop alone.
// CHECK-LABEL: func.func @decode(
// CHECK: scf.for
// CHECK-NOT: memref.copy
// CHECK: heddle.runtime_call @heddle_call_sparsek_append
// CHECK-NOT: memref.copy
// CHECK: return
func.func @decode(%x: tensor<9x1x1x1x4xf32>, %u: tensor<9x1x1x1xf32>, %k0: !slots, %v0: !slots, %s0: !score, %j0: !key,
                  %l0: !live, %n0: !count, %h0: !head, %r0: !head, %p0: tensor<1xi32>, %scale: tensor<1xf64>,
                  %mode: tensor<1xi32>)
    -> (tensor<9x1x1x1x4xf32>, !slots, !slots, !score, !key, !live, !count, !head, !head, tensor<1xi32>) {
  %one = heddle.constant dense<1> : tensor<1xi32>
  %k, %v, %s, %j, %l, %n, %h, %r, %p, %all = heddle.for 9 scan(%x, %u) init(%k0, %v0, %s0, %j0, %l0, %n0, %h0, %r0, %p0)
      : (tensor<9x1x1x1x4xf32>, tensor<9x1x1x1xf32>, !slots, !slots, !score, !key, !live, !count, !head, !head, tensor<1xi32>)
      -> (!slots, !slots, !score, !key, !live, !count, !head, !head, tensor<1xi32>, tensor<9x1x1x1x4xf32>) {
  ^bb0(%i: tensor<i32>, %q: !tokens, %w: tensor<1x1x1xf32>, %k1: !slots, %v1: !slots, %s1: !score, %j1: !key, %l1: !live,
       %n1: !count, %h1: !head, %r1: !head, %p1: tensor<1xi32>):
    %o, %k2, %v2, %s2, %j2, %l2, %n2, %h2, %r2, %p2 = sparsek.append %q, %q, %q, %w, %one
        onto (%k1, %v1, %s1, %j1, %l1, %n1, %h1, %r1, %p1, %scale, %mode, %mode) topk 2 window 1
        : (!tokens, !tokens, !tokens, tensor<1x1x1xf32>, tensor<1xi32>, !slots, !slots, !score, !key, !live, !count, !head,
           !head, tensor<1xi32>, tensor<1xf64>, tensor<1xi32>, tensor<1xi32>)
        -> (!tokens, !slots, !slots, !score, !key, !live, !count, !head, !head, tensor<1xi32>)
    heddle.yield %k2, %v2, %s2, %j2, %l2, %n2, %h2, %r2, %p2, %o
        : !slots, !slots, !score, !key, !live, !count, !head, !head, tensor<1xi32>, !tokens
  }
  return %all, %k, %v, %s, %j, %l, %n, %h, %r, %p
      : tensor<9x1x1x1x4xf32>, !slots, !slots, !score, !key, !live, !count, !head, !head, tensor<1xi32>
}

// Layers whose caches stand in a stack that the loop over tokens carries and the loop over layers scans and collects: the
// same.
// CHECK-LABEL: func.func @layers(
// CHECK: scf.for
// CHECK: scf.for
// CHECK-NOT: memref.copy
// CHECK: heddle.runtime_call @heddle_call_sparsek_append
// CHECK-NOT: memref.copy {{.*}}x1x1x3x4
// CHECK: return
func.func @layers(%x: tensor<9x1x1x1x4xf32>, %u: tensor<1x1x1xf32>, %k0: tensor<5x1x1x3x4xf32>, %v0: tensor<5x1x1x3x4xf32>,
                  %s0: tensor<5x1x1x3xf32>, %j0: tensor<5x1x1x3xi32>, %l0: tensor<5x1x1x8xf32>, %n0: tensor<5x1x1xi32>,
                  %h0: tensor<5x1x1xf32>, %r0: tensor<5x1x1xf32>, %p0: tensor<5x1xi32>, %scale: tensor<1xf64>,
                  %mode: tensor<1xi32>) -> tensor<9x1x1x1x4xf32> {
  %one = heddle.constant dense<1> : tensor<1xi32>
  %k, %v, %s, %j, %l, %n, %h, %r, %p, %all = heddle.for 9 scan(%x) init(%k0, %v0, %s0, %j0, %l0, %n0, %h0, %r0, %p0)
      : (tensor<9x1x1x1x4xf32>, tensor<5x1x1x3x4xf32>, tensor<5x1x1x3x4xf32>, tensor<5x1x1x3xf32>, tensor<5x1x1x3xi32>,
         tensor<5x1x1x8xf32>, tensor<5x1x1xi32>, tensor<5x1x1xf32>, tensor<5x1x1xf32>, tensor<5x1xi32>)
      -> (tensor<5x1x1x3x4xf32>, tensor<5x1x1x3x4xf32>, tensor<5x1x1x3xf32>, tensor<5x1x1x3xi32>, tensor<5x1x1x8xf32>,
          tensor<5x1x1xi32>, tensor<5x1x1xf32>, tensor<5x1x1xf32>, tensor<5x1xi32>, tensor<9x1x1x1x4xf32>) {
  ^bb0(%i: tensor<i32>, %q: !tokens, %ks: tensor<5x1x1x3x4xf32>, %vs: tensor<5x1x1x3x4xf32>, %ss: tensor<5x1x1x3xf32>,
       %js: tensor<5x1x1x3xi32>, %ls: tensor<5x1x1x8xf32>, %ns: tensor<5x1x1xi32>, %hs: tensor<5x1x1xf32>,
       %rs: tensor<5x1x1xf32>, %ps: tensor<5x1xi32>):
    %y, %kc, %vc, %sc, %jc, %lc, %nc, %hc, %rc, %pc =
        heddle.for 5 scan(%ks, %vs, %ss, %js, %ls, %ns, %hs, %rs, %ps) init(%q)
        : (tensor<5x1x1x3x4xf32>, tensor<5x1x1x3x4xf32>, tensor<5x1x1x3xf32>, tensor<5x1x1x3xi32>, tensor<5x1x1x8xf32>,
           tensor<5x1x1xi32>, tensor<5x1x1xf32>, tensor<5x1x1xf32>, tensor<5x1xi32>, !tokens)
        -> (!tokens, tensor<5x1x1x3x4xf32>, tensor<5x1x1x3x4xf32>, tensor<5x1x1x3xf32>, tensor<5x1x1x3xi32>,
            tensor<5x1x1x8xf32>, tensor<5x1x1xi32>, tensor<5x1x1xf32>, tensor<5x1x1xf32>, tensor<5x1xi32>) {
    ^bb0(%layer: tensor<i32>, %k1: !slots, %v1: !slots, %s1: !score, %j1: !key, %l1: !live, %n1: !count, %h1: !head,
         %r1: !head, %p1: tensor<1xi32>, %a: !tokens):
      %o, %k2, %v2, %s2, %j2, %l2, %n2, %h2, %r2, %p2 = sparsek.append %a, %a, %a, %u, %one
          onto (%k1, %v1, %s1, %j1, %l1, %n1, %h1, %r1, %p1, %scale, %mode, %mode) topk 2 window 1
          : (!tokens, !tokens, !tokens, tensor<1x1x1xf32>, tensor<1xi32>, !slots, !slots, !score, !key, !live, !count, !head,
             !head, tensor<1xi32>, tensor<1xf64>, tensor<1xi32>, tensor<1xi32>)
          -> (!tokens, !slots, !slots, !score, !key, !live, !count, !head, !head, tensor<1xi32>)
      heddle.yield %o, %k2, %v2, %s2, %j2, %l2, %n2, %h2, %r2, %p2
          : !tokens, !slots, !slots, !score, !key, !live, !count, !head, !head, tensor<1xi32>
    }
    heddle.yield %kc, %vc, %sc, %jc, %lc, %nc, %hc, %rc, %pc, %y
        : tensor<5x1x1x3x4xf32>, tensor<5x1x1x3x4xf32>, tensor<5x1x1x3xf32>, tensor<5x1x1x3xi32>, tensor<5x1x1x8xf32>,
          tensor<5x1x1xi32>, tensor<5x1x1xf32>, tensor<5x1x1xf32>, tensor<5x1xi32>, !tokens
  }
  return %all : tensor<9x1x1x1x4xf32>
}
