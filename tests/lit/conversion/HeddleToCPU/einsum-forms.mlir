// RUN: heddle-opt --heddle-einsum-to-matmul --heddle-prepare %s | FileCheck %s

// Transposed operands cost nothing.
// CHECK-LABEL: func.func @flags
// CHECK-NOT: heddle.transpose
// CHECK: heddle.matmul %{{.*}}, %{{.*}} transpose_lhs
// CHECK-NOT: heddle.transpose
// CHECK: heddle.matmul %{{.*}}, %{{.*}} transpose_rhs
// CHECK-NOT: heddle.transpose
func.func @flags(%a: tensor<4x3xf32>, %b: tensor<4x5xf32>, %c: tensor<6x3xf32>) -> (tensor<3x5xf32>, tensor<4x6xf32>) {
  %x = heddle.einsum "km,kn->mn" %a, %b : (tensor<4x3xf32>, tensor<4x5xf32>) -> tensor<3x5xf32>
  %y = heddle.einsum "mk,nk->mn" %a, %c : (tensor<4x3xf32>, tensor<6x3xf32>) -> tensor<4x6xf32>
  return %x, %y : tensor<3x5xf32>, tensor<4x6xf32>
}

// The operands change places rather than the result being transposed.
// CHECK-LABEL: func.func @swapped
// CHECK: %[[B:.*]] = heddle.reshape %arg1
// CHECK: %[[A:.*]] = heddle.reshape %arg0
// CHECK: heddle.matmul %[[B]], %[[A]] transpose_lhs transpose_rhs
// CHECK-NOT: heddle.transpose
func.func @swapped(%a: tensor<4x3xf32>, %b: tensor<3x5xf32>) -> tensor<5x4xf32> {
  %x = heddle.einsum "mk,kn->nm" %a, %b : (tensor<4x3xf32>, tensor<3x5xf32>) -> tensor<5x4xf32>
  return %x : tensor<5x4xf32>
}

// A transposition before or after is part of the product.
// CHECK-LABEL: func.func @absorbed
// CHECK-NOT: heddle.transpose
// CHECK: heddle.matmul
// CHECK-NOT: heddle.transpose
// CHECK: return
func.func @absorbed(%x: tensor<2x5x8xf32>, %e: tensor<7x8xf32>) -> tensor<2x5x7xf32> {
  %t = heddle.transpose %e permutation [1, 0] : tensor<7x8xf32> -> tensor<8x7xf32>
  %y = heddle.einsum "bnd,dv->bnv" %x, %t : (tensor<2x5x8xf32>, tensor<8x7xf32>) -> tensor<2x5x7xf32>
  return %y : tensor<2x5x7xf32>
}

// Without a sum over shared axes, or with nothing else, it is elementwise work.
// CHECK-LABEL: func.func @degenerate
// CHECK-NOT: heddle.matmul
// CHECK: return
func.func @degenerate(%a: tensor<4xf32>, %b: tensor<5xf32>, %c: tensor<5xf32>) -> (tensor<4x5xf32>, tensor<f32>) {
  %x = heddle.einsum "a,b->ab" %a, %b : (tensor<4xf32>, tensor<5xf32>) -> tensor<4x5xf32>
  %y = heddle.einsum "a,a->" %b, %c : (tensor<5xf32>, tensor<5xf32>) -> tensor<f32>
  return %x, %y : tensor<4x5xf32>, tensor<f32>
}

// What has to be moved keeps its rows: of the two orders that a product reads, the one that ends with the same axis.
// CHECK-LABEL: func.func @whole_rows
// CHECK: %[[O:.*]] = heddle.transpose %arg0 permutation [0, 2, 1, 3] : tensor<2x3x5x4xf32> -> tensor<2x5x3x4xf32>
// CHECK: %[[A:.*]] = heddle.reshape %[[O]] : tensor<2x5x3x4xf32> -> tensor<1x10x12xf32>
// CHECK: heddle.matmul %[[A]], %{{.*}} transpose_lhs
func.func @whole_rows(%o: tensor<2x3x5x4xf32>, %dy: tensor<2x5x8xf32>) -> tensor<3x4x8xf32> {
  %x = heddle.einsum "bhne,bnd->hed" %o, %dy : (tensor<2x3x5x4xf32>, tensor<2x5x8xf32>) -> tensor<3x4x8xf32>
  return %x : tensor<3x4x8xf32>
}
