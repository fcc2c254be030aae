// RUN: heddle-opt --heddle-fused --heddle-lowered %s | FileCheck %s

// Adjacent axes are one loop, and no position needs a division; a broadcast vector is read along the columns.
// CHECK-LABEL: func.func private @k{{[0-9]+}}_add(
// CHECK: scf.for %[[ROW:.*]] = %arg0 to %arg1
// CHECK: scf.for %[[COLUMN:.*]] = %{{.*}} to %{{.*}} step
// CHECK: memref.load %{{.*}}[%{{.*}}] : memref<960xf32>
// CHECK: memref.load %{{.*}}[%[[COLUMN]]] : memref<8xf32>
// CHECK-NOT: arith.remui
// CHECK: return
func.func @bias(%x: tensor<4x30x8xf32>, %b: tensor<8xf32>) -> tensor<4x30x8xf32> {
  %c = heddle.broadcast %b axes [2] : tensor<8xf32> -> tensor<4x30x8xf32>
  %y = heddle.add %x, %c : tensor<4x30x8xf32>
  return %y : tensor<4x30x8xf32>
}

// The exponential is computed once and kept on the stack for the pass that divides; only sums may be reordered.
// CHECK-LABEL: func.func private @k{{[0-9]+}}_div(
// CHECK: %[[KEPT:.*]] = memref.alloca() {alignment = 64 : i64} : memref<32xf32>
// CHECK: arith.maximumf %{{.*}}, %{{.*}} : f32
// CHECK: memref.store %{{.*}}, %[[KEPT]]
// CHECK: arith.addf %{{.*}}, %{{.*}} fastmath<reassoc,nsz,contract>
// CHECK: memref.load %[[KEPT]]
// CHECK: arith.divf %{{.*}}, %{{.*}} : f32
func.func @softmax(%x: tensor<64x32xf32>) -> tensor<64x32xf32> {
  %m = heddle.reduce max %x axes [1] : tensor<64x32xf32> -> tensor<64xf32>
  %mb = heddle.broadcast %m axes [0] : tensor<64xf32> -> tensor<64x32xf32>
  %d = heddle.sub %x, %mb : tensor<64x32xf32>
  %e = heddle.exp %d : tensor<64x32xf32>
  %s = heddle.reduce sum %e axes [1] : tensor<64x32xf32> -> tensor<64xf32>
  %sb = heddle.broadcast %s axes [0] : tensor<64xf32> -> tensor<64x32xf32>
  %r = heddle.div %e, %sb : tensor<64x32xf32>
  return %r : tensor<64x32xf32>
}

// Halves that are joined are two loops without a branch.
// CHECK-LABEL: func.func private @k{{[0-9]+}}_concat(
// CHECK-NOT: scf.if
// CHECK: scf.for %{{.*}} = %arg0 to %arg1
// CHECK: scf.for %{{.*}} = %c0{{.*}} to %c4
// CHECK: scf.for %{{.*}} = %c4{{.*}} to %c8
// CHECK-NOT: scf.if
// CHECK: return
func.func @halves(%x: tensor<64x8xf32>) -> tensor<64x8xf32> {
  %a = heddle.slice %x starts [0, 0] sizes [64, 4] strides [1, 1] : tensor<64x8xf32> -> tensor<64x4xf32>
  %b = heddle.slice %x starts [0, 4] sizes [64, 4] strides [1, 1] : tensor<64x8xf32> -> tensor<64x4xf32>
  %n = heddle.neg %b : tensor<64x4xf32>
  %y = heddle.concat %n, %a axis 1 : (tensor<64x4xf32>, tensor<64x4xf32>) -> tensor<64x8xf32>
  return %y : tensor<64x8xf32>
}
