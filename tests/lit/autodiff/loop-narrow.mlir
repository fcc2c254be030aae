// RUN: heddle-opt --heddle-differentiate --verify-roundtrip %s | FileCheck %s

// The gradient of bf16 weights that every step uses is summed in f32 and rounded once.

func.func private @f(%x: tensor<8xbf16>, %w: tensor<8xbf16>) -> tensor<8xbf16> {
  %y = heddle.for 5 scan() init(%x) : (tensor<8xbf16>) -> tensor<8xbf16> {
  ^bb0(%i: tensor<i32>, %s: tensor<8xbf16>):
    %t = heddle.mul %s, %w : tensor<8xbf16>
    heddle.yield %t : tensor<8xbf16>
  }
  return %y : tensor<8xbf16>
}

// CHECK-LABEL: func.func private @f.vjp.1(
// CHECK: %[[ZERO:.*]] = heddle.constant dense<0.0{{.*}}> : tensor<8xf32>
// CHECK: %[[B:.*]]:2 = heddle.for 5 reverse scan(%{{.*}}) init(%{{.*}}, %[[ZERO]])
// CHECK: ^bb0(%{{.*}}: tensor<i32>, %[[S:.*]]: tensor<8xbf16>, %[[C:.*]]: tensor<8xbf16>, %[[SUM:.*]]: tensor<8xf32>):
// CHECK: %[[D:.*]] = heddle.mul %[[C]], %[[S]] : tensor<8xbf16>
// CHECK: %[[WIDE:.*]] = heddle.cast %[[D]] : tensor<8xbf16> -> tensor<8xf32>
// CHECK: heddle.add %[[SUM]], %[[WIDE]] : tensor<8xf32>
// CHECK: %[[DW:.*]] = heddle.cast %[[B]]#1 : tensor<8xf32> -> tensor<8xbf16>
// CHECK: return %{{.*}}, %[[DW]]
func.func @gradient(%x: tensor<8xbf16>, %w: tensor<8xbf16>, %ct: tensor<8xbf16>) -> tensor<8xbf16> {
  %y, %dw = heddle.vjp @f(%x, %w, %ct) wrt [1] : (tensor<8xbf16>, tensor<8xbf16>, tensor<8xbf16>) -> (tensor<8xbf16>, tensor<8xbf16>)
  return %dw : tensor<8xbf16>
}
