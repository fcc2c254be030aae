// RUN: heddle-opt --heddle-fused --heddle-lowered --remarks-filter-missed=heddle --remark-format=emitRemark %s 2>&1 >/dev/null | FileCheck %s

// CHECK: [[@LINE+2]]:8: remark: [Missed] serial reduction | {{.*}}a reduction over 65537 elements runs as 1 task, since no divisor of that length gives more
func.func @sum(%x: tensor<65537xf32>) -> tensor<f32> {
  %y = heddle.reduce sum %x axes [0] : tensor<65537xf32> -> tensor<f32>
  return %y : tensor<f32>
}

// CHECK: remark: [Missed] integer product | {{.*}}a product of integers runs as plain loops, without register tiles
func.func @product(%x: tensor<8x8xi32>) -> tensor<8x8xi32> {
  %y = heddle.einsum "mk,kn->mn" %x, %x : (tensor<8x8xi32>, tensor<8x8xi32>) -> tensor<8x8xi32>
  return %y : tensor<8x8xi32>
}

// CHECK: remark: [Missed] strided access | {{.*}}the inner loop of a group reads elements that are not adjacent
func.func @turn(%x: tensor<256x256xf32>) -> tensor<256x256xf32> {
  %y = heddle.transpose %x permutation [1, 0] : tensor<256x256xf32> -> tensor<256x256xf32>
  return %y : tensor<256x256xf32>
}
