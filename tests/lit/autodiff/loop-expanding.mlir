// RUN: heddle-opt --heddle-differentiate=expanding-bytes=1536 %s | FileCheck %s
// RUN: heddle-opt --heddle-differentiate=expanding-bytes=1539 %s | FileCheck %s --check-prefix=KEPT
// RUN: heddle-opt --heddle-differentiate %s | FileCheck %s --check-prefix=KEPT

// A product that is twice as large as its factors is computed again where what it gives in all steps, 3 x 128 x 4 bytes, is large: the carry is
// kept, which is smaller. Products as large as a factor are kept.

func.func private @wide(%x: tensor<8x4xf32>, %up: tensor<3x4x16xf32>, %down: tensor<3x16x4xf32>) -> tensor<8x4xf32> {
  %y = heddle.for 3 scan(%up, %down) init(%x) : (tensor<3x4x16xf32>, tensor<3x16x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32> {
  ^bb0(%i: tensor<i32>, %u: tensor<4x16xf32>, %d: tensor<16x4xf32>, %s: tensor<8x4xf32>):
    %h = heddle.einsum "nd,dm->nm" %s, %u : (tensor<8x4xf32>, tensor<4x16xf32>) -> tensor<8x16xf32>
    %e = heddle.exp %h : tensor<8x16xf32>
    %o = heddle.einsum "nm,md->nd" %e, %d : (tensor<8x16xf32>, tensor<16x4xf32>) -> tensor<8x4xf32>
    %t = heddle.tanh %o : tensor<8x4xf32>
    heddle.yield %t : tensor<8x4xf32>
  }
  return %y : tensor<8x4xf32>
}

// CHECK-LABEL: func.func private @wide.vjp.1(
// CHECK: heddle.for 3 scan({{.*}}) init({{.*}}) : (tensor<3x4x16xf32>, tensor<3x16x4xf32>, tensor<8x4xf32>) -> (tensor<8x4xf32>, tensor<3x8x4xf32>, tensor<3x8x4xf32>)
// CHECK: heddle.for 3 reverse
// CHECK: heddle.einsum "nd,dm->nm"
// KEPT-LABEL: func.func private @wide.vjp.1(
// KEPT: heddle.for 3 scan({{.*}}) init({{.*}}) : (tensor<3x4x16xf32>, tensor<3x16x4xf32>, tensor<8x4xf32>) -> (tensor<8x4xf32>, {{.*}}tensor<3x8x16xf32>
// KEPT: heddle.for 3 reverse
// KEPT-NOT: heddle.einsum "nd,dm->nm"
func.func @gradient(%x: tensor<8x4xf32>, %up: tensor<3x4x16xf32>, %down: tensor<3x16x4xf32>, %ct: tensor<8x4xf32>) -> tensor<3x4x16xf32> {
  %y, %du = heddle.vjp @wide(%x, %up, %down, %ct) wrt [1] : (tensor<8x4xf32>, tensor<3x4x16xf32>, tensor<3x16x4xf32>, tensor<8x4xf32>) -> (tensor<8x4xf32>, tensor<3x4x16xf32>)
  return %du : tensor<3x4x16xf32>
}
